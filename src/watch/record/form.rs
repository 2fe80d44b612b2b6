//! How a file is compressed.

use crate::kernel::Interruptible;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Gzip,
    Zstandard,
}

const BUFFER: usize = 1 << 16;

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
    fn beginning(with: &[u8]) -> Self {
        let is = |mark: &[u8]| {
            let common = with.len().min(mark.len());
            common > 0 && with.get(..common) == mark.get(..common)
        };
        match () {
            () if is(&[0x1f, 0x8b]) => Self::Gzip,
            () if is(&[0x28, 0xb5, 0x2f, 0xfd]) => Self::Zstandard,
            () => Self::Plain,
        }
    }

    /// Reads what is compressed or not, whatever it is named.
    pub(super) fn reader<'a>(
        from: impl Read + Send + 'a,
    ) -> io::Result<(Self, Box<dyn BufRead + Send + 'a>)> {
        let mut from = BufReader::with_capacity(BUFFER, Patient(from));
        let form = Self::beginning(from.fill_buf()?);
        let from: Box<dyn BufRead + Send + 'a> = match form {
            Self::Plain => Box::new(from),
            Self::Gzip => Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(from))),
            Self::Zstandard => {
                Box::new(BufReader::with_capacity(BUFFER, zstd::Decoder::with_buffer(from)?))
            }
        };
        Ok((form, from))
    }

    /// Adds to a file what will be compressed.
    pub(super) fn writer(self, file: File) -> io::Result<Writer> {
        let file = Interruptible(file);
        Ok(match self {
            Self::Plain => Writer::Plain(BufWriter::new(file)),
            Self::Gzip => Writer::Gzip(GzEncoder::new(file, Compression::default())),
            Self::Zstandard => Writer::Zstandard(zstd::Encoder::new(file, 0)?),
        })
    }
}

/// Reads on after a signal: whoever reads so waits in a thread of its own, or for no pipe.
struct Patient<R>(R);

impl<R: Read> Read for Patient<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(into) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                answer => return answer,
            }
        }
    }
}

/// Compresses what is written, or doesn't.
pub(super) enum Writer {
    Plain(BufWriter<Interruptible<File>>),
    Gzip(GzEncoder<Interruptible<File>>),
    Zstandard(zstd::Encoder<'static, Interruptible<File>>),
}

impl Writer {
    /// Ends the file.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut to) => to.flush(),
            Self::Gzip(to) => to.finish().map(drop),
            Self::Zstandard(to) => to.finish().map(drop),
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
