//! Reads a file of measurements.

use super::form::Form;
use super::line::Line;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::os::fd::AsFd;
use std::path::Path;

/// Reads measurements from a file.
pub(crate) struct Reader<'a> {
    from: Box<dyn BufRead + Send + 'a>,
    line: Vec<u8>,
    /// What couldn't be read so far.
    pub(crate) damage: Damage,
}

/// What of a file couldn't be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Damage {
    /// How many lines were no measurements, and are left out.
    pub(crate) lines: u64,
    /// Whether the end was cut off.
    pub(crate) cut: bool,
}

/// No line is longer than this.
pub(super) const LONGEST_LINE: u64 = 1 << 16;

impl<'a> Reader<'a> {
    /// Opens a file; `-` is standard input.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        if path == Path::new("-") {
            return Self::of(File::from(io::stdin().as_fd().try_clone_to_owned()?));
        }
        Self::of(File::open(path)?)
    }

    /// Reads what a file would have.
    pub(crate) fn of(from: impl Read + Send + 'a) -> io::Result<Self> {
        let (_, from) = Form::reader(from)?;
        Ok(Self { from, line: Vec::new(), damage: Damage::default() })
    }

    /// The next measurement; `None` at the end.
    ///
    /// # Errors
    ///
    /// What reading the file answers, unless it can't be decompressed any further.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            self.line.clear();
            match (&mut self.from).take(LONGEST_LINE).read_until(b'\n', &mut self.line) {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(error) if is_damage(&error) => {
                    self.damage.cut = true;
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
            let is_whole = self.line.ends_with(b"\n");
            let is_too_long = !is_whole && self.line.len() as u64 == LONGEST_LINE;
            if is_too_long {
                self.damage.lines += 1;
                self.skip_line()?;
                continue;
            }
            match serde_json::from_slice(&self.line) {
                Ok(line) => return Ok(Some(line)),
                Err(_) if self.line.iter().all(u8::is_ascii_whitespace) => {}
                Err(_) if is_whole => self.damage.lines += 1,
                Err(_) => self.damage.cut = true,
            }
        }
    }

    /// Goes on behind the end of a line. Where that can't be read, the next line tells.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let there = match self.from.fill_buf() {
                Ok(there) => there,
                Err(error) if is_damage(&error) => return Ok(()),
                Err(error) => return Err(error),
            };
            let end = there.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(there.len(), |end| end + 1);
            self.from.consume(length);
            if end.is_some() || length == 0 {
                return Ok(());
            }
        }
    }
}

/// Whether what is compressed can't be read any further: a decompressor says so, not the kernel.
pub(super) fn is_damage(error: &io::Error) -> bool {
    error.raw_os_error().is_none()
}
