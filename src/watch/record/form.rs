//! How a file is compressed.

use super::zstandard;
use crate::kernel::Interruptible;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

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

    /// The form of what begins so: as far as it goes, where it ends at once.
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
            // With the only method that there is.
            Self::Gzip => &[0x1f, 0x8b, 0x08],
            Self::Zstandard => &[0x28, 0xb5, 0x2f, 0xfd],
        }
    }

    /// Adds to a file what will be compressed.
    pub(super) fn writer(self, file: File) -> Writer {
        let file = Interruptible(file);
        match self {
            Self::Plain => Writer::Plain(BufWriter::new(file)),
            Self::Gzip => Writer::Gzip(GzEncoder::new(file, Compression::default())),
            Self::Zstandard => Writer::Zstandard(zstandard::Encoder::new(file)),
        }
    }
}

/// Compresses what is written, or doesn't.
pub(super) enum Writer {
    Plain(BufWriter<Interruptible<File>>),
    Gzip(GzEncoder<Interruptible<File>>),
    Zstandard(zstandard::Encoder<Interruptible<File>>),
}

impl Writer {
    /// Ends the file.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut to) => to.flush(),
            Self::Gzip(to) => to.finish().map(drop),
            Self::Zstandard(to) => to.finish(),
        }
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(to) => to.write(bytes),
            Self::Gzip(to) => to.write(bytes),
            Self::Zstandard(to) => to.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(to) => to.flush(),
            Self::Gzip(to) => to.flush(),
            Self::Zstandard(to) => to.flush(),
        }
    }
}
