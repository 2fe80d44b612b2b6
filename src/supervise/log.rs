//! A log of the calls that were answered, a line each: when, by which thread, on which clock, the
//! call, and its answer.

use crate::kernel::Result;
use std::fs::File;
use std::io::{self, Write};
use std::time::Instant;

/// A call on a clock, or on the simulated system clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    /// The clock's name, or `system`.
    pub(super) clock: String,
    /// What the kernel calls the call.
    pub(super) call: &'static str,
}

#[derive(Debug)]
pub(super) struct Log {
    file: File,
    /// Since when times are counted.
    since: Instant,
}

impl Log {
    pub(super) fn new(file: File) -> Self {
        Self { file, since: Instant::now() }
    }

    /// Writes a line, in one piece.
    ///
    /// # Errors
    ///
    /// Those of writing, as on a full disk.
    pub(super) fn write(
        &mut self,
        thread: i32,
        made: &Made,
        answer: Result<i64>,
    ) -> io::Result<()> {
        let at = self.since.elapsed();
        let (seconds, part) = (at.as_secs(), at.subsec_micros());
        let Made { clock, call } = made;
        let answer = match answer {
            Ok(value) => value.to_string(),
            Err(errno) => format!("{errno:?}"),
        };
        let line = format!("{seconds}.{part:06} {thread} {clock} {call} = {answer}\n");
        self.file.write_all(line.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::errno::Errno;
    use std::io::{Read, Seek};

    #[cfg_attr(miri, ignore = "Miri doesn't know this call")]
    #[test]
    fn a_call_is_a_line() {
        let file = nix::sys::memfd::memfd_create("log", nix::sys::memfd::MFdFlags::empty());
        let mut file = File::from(file.expect("a file"));
        let mut log = Log::new(file.try_clone().expect("a copy"));
        let made = Made { clock: "ptp0".into(), call: "PTP_PIN_SETFUNC" };
        log.write(7, &made, Ok(0)).expect("written");
        log.write(8, &made, Err(Errno::EINVAL)).expect("written");
        file.rewind().expect("at its beginning");
        let mut text = String::new();
        file.read_to_string(&mut text).expect("text");
        let ends: Vec<_> = text.lines().filter_map(|line| line.split_once(' ')).collect();
        assert_eq!(ends[0].1, "7 ptp0 PTP_PIN_SETFUNC = 0");
        assert_eq!(ends[1].1, "8 ptp0 PTP_PIN_SETFUNC = EINVAL");
    }
}
