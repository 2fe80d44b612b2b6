//! The kernel's test output, KTAP version 1 (Documentation/dev-tools/ktap.rst of Linux).

use crate::printable::is_obeyed;
use std::io::{self, Write};

/// What came of a test, for its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome<'a> {
    Passed,
    Failed,
    /// With the reason.
    Skipped(&'a str),
}

/// Writes groups of tests: a document within a document.
#[derive(Debug)]
pub(crate) struct Ktap<W> {
    to: W,
    /// The number of the group, and of the test in it.
    group: usize,
    test: usize,
    /// Whether a test of the group failed, and whether all were skipped.
    failed: bool,
    all_skipped: bool,
}

impl<W: Write> Ktap<W> {
    pub(crate) fn new(to: W) -> Self {
        Self { to, group: 0, test: 0, failed: false, all_skipped: true }
    }

    /// Begins the document, with its number of groups.
    pub(crate) fn begin(&mut self, groups: usize) -> io::Result<()> {
        write!(self.to, "KTAP version 1\n1..{groups}\n")?;
        self.to.flush()
    }

    /// Begins a group, with its number of tests.
    pub(crate) fn group(&mut self, name: &str, tests: usize) -> io::Result<()> {
        self.group += 1;
        (self.test, self.failed, self.all_skipped) = (0, false, true);
        let name = plain(name);
        write!(self.to, "  KTAP version 1\n  # Subtest: {name}\n  1..{tests}\n")?;
        self.to.flush()
    }

    /// Writes a test of the group, after its diagnostics.
    pub(crate) fn test(
        &mut self,
        name: &str,
        outcome: Outcome<'_>,
        notes: &[String],
    ) -> io::Result<()> {
        self.test += 1;
        self.failed |= outcome == Outcome::Failed;
        self.all_skipped &= matches!(outcome, Outcome::Skipped(_));
        for line in notes.iter().flat_map(|note| note.lines()) {
            writeln!(self.to, "  # {}", one_line(line))?;
        }
        result(&mut self.to, "  ", self.test, name, outcome)
    }

    /// Ends the group.
    pub(crate) fn end_group(&mut self, name: &str) -> io::Result<()> {
        let outcome = if self.failed {
            Outcome::Failed
        } else if self.all_skipped {
            Outcome::Skipped("")
        } else {
            Outcome::Passed
        };
        result(&mut self.to, "", self.group, name, outcome)
    }

    /// Ends the document early.
    pub(crate) fn bail_out(&mut self, reason: &str) -> io::Result<()> {
        writeln!(self.to, "Bail out! {}", plain(reason))?;
        self.to.flush()
    }
}

fn result(
    to: &mut impl Write,
    indent: &str,
    number: usize,
    name: &str,
    outcome: Outcome<'_>,
) -> io::Result<()> {
    let not = if outcome == Outcome::Failed { "not " } else { "" };
    write!(to, "{indent}{not}ok {number} {}", plain(name))?;
    if let Outcome::Skipped(reason) = outcome {
        write!(to, "{}", format!(" # SKIP {}", plain(reason)).trim_end())?;
    }
    writeln!(to)?;
    // The reader of a pipe, too, sees each line at once.
    to.flush()
}

/// Text on one line, without the mark of a directive.
fn plain(text: &str) -> String {
    one_line(&text.replace('#', "no."))
}

fn one_line(text: &str) -> String {
    text.replace(is_obeyed, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_documents_within_a_document() {
        let mut text = Vec::new();
        let mut ktap = Ktap::new(&mut text);
        let write = |ktap: &mut Ktap<&mut Vec<u8>>| -> io::Result<()> {
            ktap.begin(2)?;
            ktap.group("time", 2)?;
            ktap.test("advances", Outcome::Passed, &["a\nb".into()])?;
            ktap.test("is mono # tonic", Outcome::Failed, &[])?;
            ktap.end_group("time")?;
            ktap.group("phase", 1)?;
            ktap.test("range", Outcome::Skipped("it has\nnone"), &[])?;
            ktap.end_group("phase")?;
            ktap.bail_out("gone")
        };
        write(&mut ktap).expect("written");
        let expected = "\
KTAP version 1
1..2
  KTAP version 1
  # Subtest: time
  1..2
  # a
  # b
  ok 1 advances
  not ok 2 is mono no. tonic
not ok 1 time
  KTAP version 1
  # Subtest: phase
  1..1
  ok 1 range # SKIP it has none
ok 2 phase # SKIP
Bail out! gone
";
        assert_eq!(String::from_utf8_lossy(&text), expected);
    }
}
