//! How far something that takes long has come: a line on the terminal that is written over.

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

/// What ends before shows nothing.
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

    /// Shows what `text` says after so long, now and then, where standard error is a terminal.
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

    /// Makes room for what is to stay.
    pub(super) fn clear(&self) {
        let width = self.shown.replace(0);
        if width > 0 {
            let _ = write!(standard_error(), "\r{:<width$}\r", "");
        }
    }
}
