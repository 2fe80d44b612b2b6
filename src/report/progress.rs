//! The progress of a long operation: a line on the terminal that is overwritten.

use super::standard_error;
use crate::printable::printable;
use std::cell::{Cell, OnceCell};
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// The last line of a terminal, while something takes long.
#[derive(Debug)]
pub(super) struct Progress {
    began: Instant,
    next: Cell<Duration>,
    /// How many columns it takes now.
    shown: Cell<usize>,
    is_terminal: OnceCell<bool>,
}

/// An operation that ends before this shows no progress.
const FIRST: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_millis(200);

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            next: Cell::new(FIRST),
            shown: Cell::new(0),
            is_terminal: OnceCell::new(),
        }
    }

    /// Shows `text`, which gets the elapsed time, from time to time, if standard error is a
    /// terminal.
    pub(super) fn show(&self, text: impl FnOnce(Duration) -> String) {
        let elapsed = self.began.elapsed();
        if elapsed < self.next.get() {
            return;
        }
        self.next.set(elapsed + EVERY);
        if !self.is_terminal.get_or_init(|| io::stderr().is_terminal()) {
            return;
        }
        let columns = super::terminal::Terminal::size().0.saturating_sub(1);
        let text: String = printable(&text(elapsed)).chars().take(columns).collect();
        let width = text.chars().count();
        let before = self.shown.replace(width);
        let _ = write!(standard_error(), "\r{text:<before$}");
    }

    /// Clears the line, for output that stays.
    pub(super) fn clear(&self) {
        let width = self.shown.replace(0);
        if width > 0 {
            let _ = write!(standard_error(), "\r{:<width$}\r", "");
        }
    }
}
