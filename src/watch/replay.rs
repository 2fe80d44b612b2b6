//! A file of measurements read in a thread of its own, so that nothing waits for it.

use super::reading::Reading;
use super::record::{Damage, Reader};
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The measurements of a file as they can be read: a pipe may have none for a while.
pub struct Replay {
    lines: Receiver<Reading>,
    thread: JoinHandle<io::Result<Damage>>,
    has_ended: bool,
}

/// The most lines that wait to be taken; then reading waits, too.
const LINES: usize = 1_024;

impl Replay {
    /// Starts to read.
    pub fn start(mut reader: Reader<'static>) -> io::Result<Self> {
        let (sender, lines) = mpsc::sync_channel(LINES);
        let read = move || {
            while let Some(line) = reader.read()? {
                if sender.send(line).is_err() {
                    break;
                }
            }
            Ok(reader.damage())
        };
        let thread = thread::Builder::new().name("reader".into()).spawn(read)?;
        Ok(Self { lines, thread, has_ended: false })
    }

    /// The next measurements, none where none came in time; `None` after the last.
    pub fn next(&mut self, within: Duration) -> Option<Vec<Reading>> {
        match self.lines.recv_timeout(within) {
            Ok(first) => {
                let mut lines = vec![first];
                lines.extend(self.lines.try_iter().take(LINES));
                Some(lines)
            }
            Err(RecvTimeoutError::Timeout) => Some(Vec::new()),
            Err(RecvTimeoutError::Disconnected) => {
                self.has_ended = true;
                None
            }
        }
    }

    /// Which parts of the file couldn't be read; `None` where it wasn't read to its end.
    ///
    /// # Errors
    ///
    /// The error of reading.
    pub fn end(self) -> io::Result<Option<Damage>> {
        if !self.has_ended {
            return Ok(None);
        }
        match self.thread.join() {
            Ok(answer) => answer.map(Some),
            Err(_) => Err(io::Error::other("a defect of the library")),
        }
    }
}
