//! How a file is compressed.

use super::zstandard;
use crate::kernel::Interruptible;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Gzip,
    Zstandard,
}

impl Form {
    /// The form that a file of this name is to have.
    pub(super) fn named(path: &Path) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Self::Gzip,
            Some("zst") => Self::Zstandard,
            _ => Self::Plain,
        }
    }

    /// The form of data that begins with these bytes; where they are few, as far as they go.
    pub(super) fn beginning(with: &[u8]) -> Self {
        let begins = |form: &Self| {
            let common = with.len().min(form.mark().len());
            common > 0 && with.get(..common) == form.mark().get(..common)
        };
        [Self::Gzip, Self::Zstandard].into_iter().find(begins).unwrap_or(Self::Plain)
    }

    /// What each compressed part of a file begins with.
    pub(super) fn mark(self) -> &'static [u8] {
        match self {
            Self::Plain => b"",
            // With deflate, the only method that there is.
            Self::Gzip => &[0x1f, 0x8b, 0x08],
            Self::Zstandard => &[0x28, 0xb5, 0x2f, 0xfd],
        }
    }

    /// A writer that adds to a file, compressed in this form.
    pub(super) fn writer(self, file: File) -> Writer {
        let to = Interruptible(file);
        match self {
            Self::Plain => Writer::Chunks(Chunks::new(to, |text| text.into())),
            Self::Gzip => Writer::Gzip(GzEncoder::new(to, Compression::default())),
            Self::Zstandard => {
                Writer::Chunks(Chunks::new(to, |text| zstandard::frame_of(text).into()))
            }
        }
    }

    /// How often what was written is saved: a frame of only a line or two is no shorter than the
    /// lines.
    pub(super) fn is_saved_every(self) -> Duration {
        match self {
            Self::Plain | Self::Gzip => Duration::from_secs(1),
            Self::Zstandard => Duration::from_secs(10),
        }
    }
}

/// Writes to a file, compressed or not.
pub(super) enum Writer {
    Chunks(Chunks<Interruptible<File>>),
    Gzip(GzEncoder<Interruptible<File>>),
}

impl Writer {
    /// Ends the file.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Chunks(mut to) => to.flush(),
            Self::Gzip(to) => to.finish().map(drop),
        }
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Chunks(to) => to.write(bytes),
            Self::Gzip(to) => to.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Chunks(to) => to.flush(),
            Self::Gzip(to) => to.flush(),
        }
    }
}

/// Hands on whole lines together, each time that it is flushed or has many. So the lines of two
/// processes that add to one file stay whole, even where no lock keeps the processes apart.
pub(super) struct Chunks<W> {
    to: W,
    form: fn(&[u8]) -> Cow<'_, [u8]>,
    pending: Vec<u8>,
}

/// When there are this many bytes, they are handed on at the end of a line.
const MANY: usize = 1 << 18;

impl<W: Write> Chunks<W> {
    fn new(to: W, form: fn(&[u8]) -> Cow<'_, [u8]>) -> Self {
        Self { to, form, pending: Vec::new() }
    }
}

impl<W: Write> Write for Chunks<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= MANY && bytes.ends_with(b"\n") {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.pending.is_empty() {
            // Where the disk is full, a part was handed on: it must not be written twice.
            let pending = std::mem::take(&mut self.pending);
            self.to.write_all(&(self.form)(&pending))?;
        }
        self.to.flush()
    }
}
