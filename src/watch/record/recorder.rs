//! Adds to a file of measurements, or makes it.

use super::decoded::{Decoded, is_damage};
use super::form::{Form, Writer};
use super::reader::{self, LONGEST_LINE, Reader};
use crate::files::{self, Identity, Replacement};
use serde::de::IgnoredAny;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Adds measurements to a file. No other process can add to it meanwhile.
pub struct Recorder {
    to: Writer,
    form: Form,
    path: PathBuf,
    /// The file itself, where it is a regular one that has a name.
    file: Option<File>,
    /// How long it was when it was looked at last.
    length: u64,
    /// The file from before it was restored. It stays locked, as another process may have it open.
    _before: Option<File>,
}

/// What was found out about a file that is added to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Its end was cut off, or something in it is damaged.
    pub was_damaged: bool,
    /// Its file system has no locks: nothing keeps others from adding to it.
    pub is_unlocked: bool,
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
    /// With data that isn't understood, or with such data before its end.
    Damaged,
}

impl Recorder {
    /// Opens a file to add to it, or makes it.
    ///
    /// Everything in the file stays. Its end may have been cut off, as when a machine loses power.
    /// Then a new line is begun after the incomplete one. A compressed file is first written anew,
    /// as far as it can be decompressed, so that other programs can read what is added. Where
    /// anything else is wrong with the file, it is added to as it is: a [`Reader`] goes on after
    /// that.
    ///
    /// # Errors
    ///
    /// The errors of the file's calls; `InvalidData` for a file that is something else,
    /// `InvalidInput` for what must not be written to, such as a disk, `WouldBlock` where another
    /// process is adding to it.
    pub fn append(path: &Path) -> io::Result<(Self, Found)> {
        let form = Form::named(path);
        let of = |to: Writer, file: Option<File>, before: Option<File>| Self {
            to,
            form,
            path: path.to_owned(),
            // Some file systems don't count links.
            file: file.filter(|file| file.metadata().is_ok_and(|found| found.nlink() > 0)),
            length: 0,
            _before: before,
        };
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            // A pipe has no end that could be looked at.
            let file = files::open(path, OpenOptions::new().append(true), 0)?;
            return Ok((of(form.writer(file), None, None), Found::default()));
        }
        let (file, is_locked) = open_locked(path)?;
        let mut found = Found { was_damaged: false, is_unlocked: !is_locked };
        if file.metadata()?.len() == 0 {
            return Ok((of(form.writer(file.try_clone()?), Some(file), None), found));
        }
        if !is_recording(&file, form)? {
            let why = "it is there, and no recording of the form that its name says: name another";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let end = end_of(&file, form)?;
        found.was_damaged = end != End::Line;
        // Without a lock, another process may be adding to it.
        if end == End::Cut
            && is_locked
            && let Some(restored) = restore(&file, path, form)?
        {
            return Ok((of(form.writer(restored.try_clone()?), Some(restored), Some(file)), found));
        }
        let mut to = form.writer(file.try_clone()?);
        if end == End::Inside {
            to.write_all(b"\n")?;
        }
        Ok((of(to, Some(file), None), found))
    }

    /// How often it should be [saved](Self::save).
    pub fn is_saved_every(&self) -> Duration {
        self.form.is_saved_every()
    }

    /// Hands what was written to the system.
    ///
    /// # Errors
    ///
    /// The errors of writing; `NotFound` where the file was removed, so that nobody could read it,
    /// and `InvalidData` where another process has cut it off.
    pub fn save(&mut self) -> io::Result<()> {
        self.to.flush()?;
        self.length = check_there(self.file.as_ref(), self.length)?;
        Ok(())
    }

    /// Ends the file. Returns whether its name still leads to it: it may have been moved.
    ///
    /// # Errors
    ///
    /// As [`Recorder::save`].
    pub fn finish(self) -> io::Result<bool> {
        let Self { to, path, file, length, .. } = self;
        to.finish()?;
        check_there(file.as_ref(), length)?;
        file.map_or(Ok(true), |file| names(&path, &file))
    }
}

/// Checks that everything is still there that was there before; returns how long the file is.
fn check_there(file: Option<&File>, length: u64) -> io::Result<u64> {
    let Some(file) = file else { return Ok(0) };
    let found = file.metadata()?;
    if found.nlink() == 0 {
        let why = "it was removed meanwhile, and what was written to it is lost";
        return Err(io::Error::new(io::ErrorKind::NotFound, why));
    }
    if found.len() < length {
        let why = "it was cut off meanwhile, and what was written to it before is lost";
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    Ok(found.len())
}

/// Whether a path leads to this file.
fn names(path: &Path, file: &File) -> io::Result<bool> {
    Ok(Identity::of(path)? == Identity::of_found(&file.metadata()?))
}

/// Opens a regular file, or makes it, and locks it, where its file system has locks.
fn open_locked(path: &Path) -> io::Result<(File, bool)> {
    // The last holder of the lock may have put another file in this one's place, but that ends.
    for _ in 0..100 {
        let file = files::open(path, OpenOptions::new().read(true).append(true).create(true), 0)?;
        let is_locked = lock(&file)?;
        if names(path, &file)? {
            return Ok((file, is_locked));
        }
    }
    Err(io::Error::other("another file is put in its place again and again"))
}

impl Write for Recorder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Keeps others from adding to the file; answers whether its file system can. Two
/// processes that add to one file would destroy what the other writes.
fn lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => {
            Err(io::Error::new(io::ErrorKind::WouldBlock, "another process adds to it"))
        }
        Err(TryLockError::Error(_)) => Ok(false),
    }
}

/// A measurement must come within this many lines.
const SOON: usize = 10_000;
/// How a line of a recording begins: before 0.2, and since.
const BEGINNINGS: [&[u8]; 2] = [b"{\"device\":", b"{\"schema\":"];

/// Whether a file has measurements, in this form. A file that was cut off in its
/// first line must at least begin like a recording.
fn is_recording(mut file: &File, form: Form) -> io::Result<bool> {
    // A file that is shorter than a mark may be anything.
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
            reader::Found::Reading(_) => return Ok(true),
            reader::Found::Other => {}
            reader::Found::End => break,
        }
    }
    Ok(false)
}

/// Whether these bytes are the first ones of a line of a recording, but not all of them.
fn begins_a_line(bytes: &[u8]) -> bool {
    let is_unended = || {
        let read = serde_json::from_slice::<IgnoredAny>(bytes);
        !bytes.contains(&b'\n') && read.is_err_and(|error| error.is_eof())
    };
    BEGINNINGS
        .iter()
        .any(|begin| begin.starts_with(bytes) || bytes.starts_with(begin) && is_unended())
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

/// Decompresses as much of a file as can be. Returns how it ends.
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
                // An incomplete line gets an end in what is written anew.
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

/// Writes a compressed file anew whose end was cut off: everything before that, in its place, with
/// its owner and permissions. `None` where the folder doesn't allow it, or the file has other
/// names.
fn restore(file: &File, path: &Path, form: Form) -> io::Result<Option<File>> {
    let path = fs::canonicalize(path)?;
    let metadata = file.metadata()?;
    if metadata.nlink() > 1 {
        return Ok(None);
    }
    let is_refused = |error: &io::Error| {
        matches!(error.raw_os_error(), Some(libc::EACCES | libc::EPERM | libc::EROFS))
    };
    let written = (|| {
        let new = Replacement::of(&path)?;
        lock(new.file())?;
        let mut to = form.writer(new.file().try_clone()?);
        drain(file, &mut to)?;
        to.finish()?;
        // Only root can give a file away to another user; others can give it to a group of their
        // own. Until it has its owner, nobody else may read it.
        let _ = fchown(new.file(), None, Some(metadata.gid()));
        let _ = fchown(new.file(), Some(metadata.uid()), None);
        new.file().set_permissions(metadata.permissions())?;
        new.file().sync_all()?;
        new.take_its_place()
    })();
    match written {
        Err(error) if is_refused(&error) || error.kind() == io::ErrorKind::InvalidInput => Ok(None),
        written => written.map(Some),
    }
}
