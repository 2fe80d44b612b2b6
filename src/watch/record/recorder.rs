//! Adds to a file of measurements, or makes it.

use super::decoded::{Decoded, is_damage};
use super::form::{Form, Writer};
use super::reader::{Found, LONGEST_LINE, Reader};
use serde::de::IgnoredAny;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};

/// Adds measurements to a file. Nobody else can meanwhile.
pub(crate) struct Recorder {
    to: Writer,
    /// What the file was before it was restored: it stays locked, for who has it open already.
    _before: Option<File>,
}

/// How a file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// With a whole line.
    Line,
    /// Inside a line.
    Inside,
    /// Inside a compressed part.
    Cut,
    /// With what isn't understood; or that comes before its end.
    Damaged,
}

impl Recorder {
    /// Opens a file to add to it, or makes it.
    ///
    /// All that is there stays. Where its end was cut off, as by a machine that lost power, behind
    /// a line that is no whole one a new line begins; a compressed file is written anew first
    /// without what is less than a line, so that others can read what is added, too. Where anything
    /// else is wrong with it, it is added to as it is: a [`Reader`] goes on behind that. Answers
    /// whether it was damaged.
    ///
    /// # Errors
    ///
    /// What the file's calls answer; `InvalidData` for a file that is something else,
    /// `WouldBlock` where another process adds to it.
    pub(crate) fn append(path: &Path) -> io::Result<(Self, bool)> {
        let form = Form::named(path);
        match fs::metadata(path) {
            // A pipe has no end that could be looked at.
            Ok(metadata) if !metadata.is_file() => {
                let file = OpenOptions::new().append(true).open(path)?;
                return Ok((Self { to: form.writer(file), _before: None }, false));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        lock(&file)?;
        if file.metadata()?.len() == 0 {
            return Ok((Self { to: form.writer(file), _before: None }, false));
        }
        if !is_recording(&file, form)? {
            let why = "it is there, and no recording of the form that its name says: name another";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let end = end_of(&file, form)?;
        if end == End::Cut
            && let Some(restored) = restore(&file, path, form)?
        {
            return Ok((Self { to: form.writer(restored), _before: Some(file) }, true));
        }
        let mut to = form.writer(file);
        if end == End::Inside {
            to.write_all(b"\n")?;
        }
        Ok((Self { to, _before: None }, end != End::Line))
    }

    /// Ends the file.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.to.finish()
    }
}

impl Write for Recorder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Two that add to one file would destroy what the other writes.
fn lock(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            Err(io::Error::new(io::ErrorKind::WouldBlock, "another process adds to it"))
        }
        // A file system without locks: nobody can tell.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// A measurement must come within so many lines.
const SOON: usize = 10_000;
/// How a line begins that [`Recorder`] was given.
const BEGIN: &[u8] = b"{\"device\":";

/// Whether a file has measurements, in this form. What was cut off before its first
/// line had ended begins like one at least.
fn is_recording(mut file: &File, form: Form) -> io::Result<bool> {
    // What is shorter than a mark may be anything.
    if form != Form::Plain && file.metadata()?.len() < 4 {
        return Ok(false);
    }
    file.rewind()?;
    let from = Decoded::of(file)?;
    if from.form() != form {
        return Ok(false);
    }
    let mut begin = Vec::new();
    let read = from.take(LONGEST_LINE).read_to_end(&mut begin);
    let was_cut = read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::UnexpectedEof);
    if (read.is_ok() || was_cut) && begins_a_line(&begin) {
        return Ok(true);
    }
    file.rewind()?;
    let mut reader = Reader::of(file)?;
    for _ in 0..SOON {
        match reader.find()? {
            Found::Line(_) => return Ok(true),
            Found::Other => {}
            Found::End => break,
        }
    }
    Ok(false)
}

/// Whether these bytes are the first of a line of a recording, and less than all of them.
fn begins_a_line(bytes: &[u8]) -> bool {
    let is_unended = || {
        let read = serde_json::from_slice::<IgnoredAny>(bytes);
        !bytes.contains(&b'\n') && read.is_err_and(|error| error.is_eof())
    };
    BEGIN.starts_with(bytes) || bytes.starts_with(BEGIN) && is_unended()
}

fn end_of(mut file: &File, form: Form) -> io::Result<End> {
    if form == Form::Plain {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        return Ok(if last == *b"\n" { End::Line } else { End::Inside });
    }
    drain(file, &mut io::sink())
}

/// Decompresses all of a file that can be. Answers how it ends.
fn drain(mut file: &File, to: &mut dyn Write) -> io::Result<End> {
    file.rewind()?;
    let mut from = BufReader::with_capacity(1 << 16, Decoded::of(file)?);
    let mut end = End::Line;
    loop {
        let length = match from.fill_buf() {
            Ok([]) => break,
            Ok(there) => {
                to.write_all(there)?;
                end = if there.ends_with(b"\n") { End::Line } else { End::Inside };
                there.len()
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                // What is less than a line is none, in what is written anew.
                if end == End::Inside {
                    to.write_all(b"\n")?;
                }
                end = End::Cut;
                break;
            }
            Err(error) if is_damage(&error) => return Ok(End::Damaged),
            Err(error) => return Err(error),
        };
        from.consume(length);
    }
    Ok(if from.get_ref().gaps > 0 { End::Damaged } else { end })
}

/// Writes a compressed file anew whose end was cut off: all that comes before, where it is, with its
/// owner and permissions. `None` where the folder doesn't allow it, or the file has other names.
fn restore(file: &File, path: &Path, form: Form) -> io::Result<Option<File>> {
    let path = fs::canonicalize(path)?;
    let metadata = file.metadata()?;
    if metadata.nlink() > 1 {
        return Ok(None);
    }
    let beside = beside(&path);
    // What was left by one that was killed: whoever has the lock is alone.
    let _ = fs::remove_file(&beside);
    let is_refused = |error: &io::Error| {
        matches!(error.raw_os_error(), Some(libc::EACCES | libc::EPERM | libc::EROFS))
    };
    let new = match OpenOptions::new().append(true).read(true).create_new(true).open(&beside) {
        Err(error) if is_refused(&error) => return Ok(None),
        new => new?,
    };
    let written = (|| {
        lock(&new)?;
        // Only root can give a file away; to a group of theirs, others can.
        let _ = fchown(&new, None, Some(metadata.gid()));
        let _ = fchown(&new, Some(metadata.uid()), None);
        new.set_permissions(metadata.permissions())?;
        let mut to = form.writer(new.try_clone()?);
        drain(file, &mut to)?;
        to.finish()?;
        new.sync_all()?;
        fs::rename(&beside, &path)
    })();
    match written {
        Ok(()) => Ok(Some(new)),
        Err(error) => {
            let _ = fs::remove_file(&beside);
            if is_refused(&error) { Ok(None) } else { Err(error) }
        }
    }
}

/// The name under which a file is written anew.
fn beside(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".ptpctl-restores");
    path.with_file_name(name)
}
