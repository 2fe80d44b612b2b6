//! Reads the decompressed content of a file, whatever its name, and continues after a damaged part.

use super::form::Form;
use super::zstandard;
use flate2::bufread::GzDecoder;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

/// A file, or what stands for one. Where seeking fails, as in a pipe, it ends where it is damaged.
pub(crate) trait Raw: Read + Seek + Send {}

impl<T: Read + Seek + Send> Raw for T {}

type Input<'a> = BufReader<Patient<Box<dyn Raw + 'a>>>;

/// Reads a file part by part: each recording that was added to it has its own.
pub(super) struct Decoded<'a> {
    form: Form,
    part: Part<'a>,
    /// Where the part begins.
    start: u64,
    /// How many damaged parts are followed by others.
    pub(super) gaps: u64,
    /// Whether a line end is owed: damage cut off the line before it.
    owes_line_end: bool,
}

enum Part<'a> {
    Plain(Input<'a>),
    Gzip(GzDecoder<Input<'a>>),
    Zstandard(Box<zstandard::Decoder<Input<'a>>>),
    /// There is no more.
    End,
}

/// Stands for the position in a pipe, which has none: the next damage ends it.
const NO_POSITION: u64 = u64::MAX;

/// The most gaps that are skipped: a file with more of them never was a whole recording.
const MOST_GAPS: u64 = 1_000;

impl<'a> Decoded<'a> {
    pub(super) fn of(from: impl Raw + 'a) -> io::Result<Self> {
        let from: Box<dyn Raw + 'a> = Box::new(from);
        let mut input = BufReader::with_capacity(1 << 16, Patient(from));
        let start = input.stream_position().unwrap_or(NO_POSITION);
        let form = Form::beginning(input.fill_buf()?);
        let part = Part::of(form, input);
        Ok(Self { form, part, start, gaps: 0, owes_line_end: false })
    }

    pub(super) fn form(&self) -> Form {
        self.form
    }

    /// Goes on with the next part; answers whether there is one.
    fn next_part(&mut self) -> io::Result<bool> {
        let Some(mut input) = std::mem::replace(&mut self.part, Part::End).into_input() else {
            return Ok(false);
        };
        let next = input.fill_buf()?;
        if next.is_empty() {
            return Ok(false);
        }
        let is_part = Form::beginning(next) == self.form;
        self.start = input.stream_position().unwrap_or(NO_POSITION);
        if is_part {
            self.part = Part::of(self.form, input);
            return Ok(true);
        }
        self.resume(input)
    }

    /// Goes on with the next part that begins after the start of this one, which is damaged.
    fn resume(&mut self, mut input: Input<'a>) -> io::Result<bool> {
        self.owes_line_end = true;
        let from = self.start.saturating_add(1);
        let is_hopeless = self.form == Form::Plain || self.gaps >= MOST_GAPS;
        if is_hopeless || input.seek(SeekFrom::Start(from)).is_err() {
            return Ok(false);
        }
        let Some(skipped) = skip_to(self.form.mark(), &mut input)? else { return Ok(false) };
        self.start = from + skipped;
        input.seek(SeekFrom::Start(self.start))?;
        self.part = Part::of(self.form, input);
        self.gaps += 1;
        Ok(true)
    }
}

/// How many bytes there are before the next mark, which is consumed; `None` where there is none.
fn skip_to(mark: &[u8], input: &mut impl BufRead) -> io::Result<Option<u64>> {
    let mut before = 0;
    let mut seen = 0;
    while let Some(&byte) = input.fill_buf()?.first() {
        input.consume(1);
        before += 1;
        // The first byte of a mark doesn't come again in it.
        seen = match mark.get(seen) {
            Some(next) if *next == byte => seen + 1,
            _ => usize::from(mark.first() == Some(&byte)),
        };
        if seen == mark.len() {
            return Ok(Some(before - mark.len() as u64));
        }
    }
    Ok(None)
}

impl Read for Decoded<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(first) = into.first_mut().filter(|_| self.owes_line_end) {
                *first = b'\n';
                self.owes_line_end = false;
                return Ok(1);
            }
            let answer = match &mut self.part {
                Part::Plain(input) => return input.read(into),
                Part::Gzip(decoder) => decoder.read(into),
                Part::Zstandard(decoder) => decoder.read(into),
                Part::End => return Ok(0),
            };
            match answer {
                Ok(0) if !into.is_empty() => {
                    if !self.next_part()? {
                        return self.end();
                    }
                }
                Err(error) if is_damage(&error) => {
                    let input = std::mem::replace(&mut self.part, Part::End).into_input();
                    let goes_on = input.map(|input| self.resume(input)).transpose()?;
                    if goes_on != Some(true) {
                        return Err(error);
                    }
                }
                answer => return answer,
            }
        }
    }
}

impl Decoded<'_> {
    /// Ends the file, with an error where bytes are left that belong to no part.
    fn end(&mut self) -> io::Result<usize> {
        if std::mem::take(&mut self.owes_line_end) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(0)
    }
}

impl<'a> Part<'a> {
    fn of(form: Form, input: Input<'a>) -> Self {
        match form {
            Form::Plain => Self::Plain(input),
            Form::Gzip => Self::Gzip(GzDecoder::new(input)),
            Form::Zstandard => Self::Zstandard(Box::new(zstandard::Decoder::new(input))),
        }
    }

    fn into_input(self) -> Option<Input<'a>> {
        match self {
            Self::Plain(input) => Some(input),
            Self::Gzip(decoder) => Some(decoder.into_inner()),
            Self::Zstandard(decoder) => Some(decoder.into_inner()),
            Self::End => None,
        }
    }
}

/// Whether compressed data can't be read any further: the decompressor says so, not the kernel.
pub(super) fn is_damage(error: &io::Error) -> bool {
    error.raw_os_error().is_none()
}

/// Reads on after a signal: its users read in a thread of their own, or don't read a pipe.
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

impl<R: Seek> Seek for Patient<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}
