//! Reads a file of measurements.

use super::decoded::{Decoded, Raw, is_damage};
use super::line::Line;
use crate::watch::{Label, Reading};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

/// Reads measurements from a file.
pub struct Reader<'a> {
    from: BufReader<Decoded<'a>>,
    line: Vec<u8>,
    last: Arc<Label>,
    damage: Damage,
    /// The file, where it is one: it shares its position with the reader.
    file: Option<File>,
}

/// Which parts of a file couldn't be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// How many lines were no measurements, and are left out.
    pub lines: u64,
    /// Whether its end is missing.
    pub cut: bool,
    /// How many damaged parts are followed by others.
    pub gaps: u64,
}

/// What a look for the next line finds.
pub(super) enum Found {
    Reading(Box<Reading>),
    /// A line that is no measurement.
    Other,
    End,
}

/// How a line ended.
enum Ended {
    /// With a line end.
    Whole,
    /// With the end of the file.
    Cut,
    /// It is too long, and is left out.
    TooLong,
    /// There is none.
    End,
}

/// No line is longer than this.
pub(super) const LONGEST_LINE: u64 = 1 << 16;

impl<'a> Reader<'a> {
    /// Opens a file; `-` is standard input.
    pub fn open(path: &Path) -> io::Result<Self> {
        if path == Path::new("-") {
            return Self::of(File::from(io::stdin().as_fd().try_clone_to_owned()?));
        }
        let file = File::open(path)?;
        let shared = file.try_clone()?;
        Ok(Self { file: Some(shared), ..Self::of(file)? })
    }

    /// How many bytes of the file were read, and how many it has; `None` where there are no
    /// positions, as in a pipe.
    pub fn place(&self) -> Option<(u64, u64)> {
        let mut file = self.file.as_ref()?;
        let all = file.metadata().ok().filter(std::fs::Metadata::is_file)?.len();
        Some((file.stream_position().ok()?, all))
    }

    /// Reads from something that stands for a file.
    pub(crate) fn of(from: impl Raw + 'a) -> io::Result<Self> {
        let from = BufReader::with_capacity(1 << 16, Decoded::of(from)?);
        Ok(Self {
            from,
            line: Vec::new(),
            last: Arc::default(),
            damage: Damage::default(),
            file: None,
        })
    }

    /// What couldn't be read so far.
    pub fn damage(&self) -> Damage {
        Damage { gaps: self.from.get_ref().gaps, ..self.damage }
    }

    /// The next measurement; `None` at the end.
    ///
    /// # Errors
    ///
    /// The errors of reading the file. That it can't be decompressed any further is none.
    pub fn read(&mut self) -> io::Result<Option<Reading>> {
        loop {
            match self.find()? {
                Found::Reading(reading) => return Ok(Some(*reading)),
                Found::Other => {}
                Found::End => return Ok(None),
            }
        }
    }

    /// Looks at the next line.
    pub(super) fn find(&mut self) -> io::Result<Found> {
        let is_whole = match self.next_line()? {
            Ended::Whole => true,
            Ended::Cut => false,
            Ended::TooLong => return Ok(Found::Other),
            Ended::End => return Ok(Found::End),
        };
        // Checks UTF-8 once for the whole line, instead of for each text in it.
        let line = std::str::from_utf8(&self.line).map_err(|_| ());
        match line.and_then(|line| serde_json::from_str(line).map_err(|_| ())) {
            Ok(line) => {
                let line: Line<'_> = line;
                return Ok(Found::Reading(Box::new(line.reading(&mut self.last))));
            }
            Err(()) if self.line.iter().all(u8::is_ascii_whitespace) => {}
            Err(()) if is_whole => self.damage.lines += 1,
            Err(()) => self.damage.cut = true,
        }
        Ok(Found::Other)
    }

    /// Reads the next line into `line`.
    fn next_line(&mut self) -> io::Result<Ended> {
        self.line.clear();
        match (&mut self.from).take(LONGEST_LINE).read_until(b'\n', &mut self.line) {
            Ok(0) => return Ok(Ended::End),
            Ok(_) => {}
            Err(error) if is_damage(&error) => {
                self.damage.cut = true;
                return Ok(Ended::End);
            }
            Err(error) => return Err(error),
        }
        if self.line.ends_with(b"\n") {
            return Ok(Ended::Whole);
        }
        if self.line.len() as u64 == LONGEST_LINE {
            self.damage.lines += 1;
            self.skip_line()?;
            return Ok(Ended::TooLong);
        }
        Ok(Ended::Cut)
    }

    /// The next line of another program's file, whatever it says; `None` at the end.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    #[cfg(feature = "cli")]
    pub(crate) fn text(&mut self) -> io::Result<Option<std::borrow::Cow<'_, str>>> {
        loop {
            match self.next_line()? {
                Ended::End => return Ok(None),
                Ended::TooLong => {}
                Ended::Whole | Ended::Cut => break,
            }
        }
        Ok(Some(String::from_utf8_lossy(&self.line)))
    }

    /// The next bytes, as far as they are there already.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    #[cfg(feature = "cli")]
    pub(crate) fn peek(&mut self) -> io::Result<&[u8]> {
        self.from.fill_buf()
    }

    /// Skips to after the end of the line. Where it can't be read, reading the next line tells.
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

impl Iterator for Reader<'_> {
    type Item = io::Result<Reading>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}
