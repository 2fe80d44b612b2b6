//! The file for `node_exporter`'s textfile collector, which reads it at any time.

use super::told::Earlier;
use crate::cli::failure::Failure;
use crate::files::{self, Identity, Replacement};
use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The largest file that is read for its counters.
const MOST: u64 = 16 << 20;

/// A file that is replaced as a whole.
pub(super) struct Textfile {
    /// Where it is, after all links.
    path: PathBuf,
}

impl Textfile {
    /// The file at a path, which must not be one of the clocks' own.
    pub(super) fn at(path: &Path, others: &[PathBuf]) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::of_file("write", path, &error);
        let identity = Identity::of(path).map_err(failed)?;
        if others.iter().any(|other| identity.is_at(other)) {
            return Err(Failure::Usage(format!("{} is the file of a mock clock", path.display())));
        }
        let is_file = |path: &Path| fs::metadata(path).map(|found| found.is_file());
        match is_file(path) {
            Ok(true) => {}
            Ok(false) => {
                let why = "there is something else than a file, and it would be replaced";
                return Err(failed(io::Error::new(ErrorKind::InvalidInput, why)));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                files::check_place(path).map_err(failed)?;
            }
            Err(error) => return Err(failed(error)),
        }
        Ok(Self { path: files::resolved(path).map_err(failed)? })
    }

    /// Why `node_exporter` wouldn't read it.
    pub(super) fn objection(&self) -> Option<String> {
        let is_read = self.path.extension().is_some_and(|extension| extension == "prom");
        let path = self.path.display();
        (!is_read).then(|| format!("node_exporter reads files that end in .prom only, not {path}"))
    }

    /// What it has of earlier runs; or why nothing can be had of a file that is there. Counters
    /// begin at 0 then.
    pub(super) fn earlier(&self) -> Result<Earlier, String> {
        let mut page = String::new();
        let read = files::open_to_read(&self.path)
            .and_then(|file| file.take(MOST).read_to_string(&mut page));
        match read {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Earlier::default()),
            Err(error) => Err(Failure::of_file("read", &self.path, &error).text()),
            Ok(_) => {
                let earlier = Earlier::read(&page);
                let path = self.path.display();
                if earlier.is_sound() {
                    Ok(earlier)
                } else {
                    Err(format!("{path} has no metrics of ptpctl"))
                }
            }
        }
    }

    /// Replaces it. Whoever reads it sees the old page or the new one.
    ///
    /// # Errors
    ///
    /// What happened, in words; the old page is still there.
    pub(super) fn write(&self, page: &str) -> Result<(), String> {
        self.replace(page).map_err(|error| Failure::of_file("write", &self.path, &error).text())
    }

    fn replace(&self, page: &str) -> io::Result<()> {
        // Two programs that replace one file at once would write to one new file.
        let folder = File::open(self.path.parent().unwrap_or(Path::new("/")))?;
        folder.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                io::Error::new(ErrorKind::WouldBlock, "another process is writing there")
            }
            TryLockError::Error(error) => error,
        })?;
        let new = Replacement::of(&self.path)?;
        // node_exporter runs as a user of its own.
        new.file().set_permissions(Permissions::from_mode(0o644))?;
        new.file().write_all(page.as_bytes())?;
        new.take_its_place().map(drop)
    }
}
