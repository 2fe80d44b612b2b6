//! What is shown to a person at a terminal beside the results: a question, and a line that is
//! written over.

use super::standard_error;
use crate::printable::printable;
use std::io::{self, BufRead, IsTerminal, Write};

/// Whether there is a person to ask.
pub(crate) fn can_be_asked() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks whether to go on.
pub(crate) fn agrees(what: &str) -> io::Result<bool> {
    standard_error().write_all(question(what).as_bytes())?;
    let mut answer = Vec::new();
    io::stdin().lock().read_until(b'\n', &mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}

/// The question. Names of clocks and pins come from drivers, so they are made printable.
fn question(what: &str) -> String {
    format!("ptpctl: {}. Go on? [y/N] ", printable(what))
}

/// A line that is written over, where standard error is a terminal. Errors of writing are ignored.
pub(crate) struct StatusLine {
    is_on: bool,
}

impl StatusLine {
    pub(crate) fn new() -> Self {
        Self { is_on: io::stderr().is_terminal() }
    }

    /// Shows this text in place of the one before.
    pub(crate) fn show(&self, text: &str) {
        if self.is_on {
            let _ = write!(standard_error(), "\r\x1b[K{}", printable(text));
        }
    }

    /// Clears the line, for output that stays.
    pub(crate) fn clear(&self) {
        self.show("");
    }

    /// Prints lines that stay.
    pub(crate) fn leave(&self, lines: &str) {
        if self.is_on {
            let _ = writeln!(standard_error(), "{lines}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_a_terminal_would_obey_is_asked_about_as_text() {
        let asked = question("the checks change pins of mock (\u{1b}[2J\u{202e})");
        assert!(asked.contains("(\u{fffd}[2J\u{fffd})"), "{asked:?}");
    }
}
