//! Does a driver keep its word? Checks of a clock through its public interface, in groups, one for
//! each capability.
//!
//! The checks change a live clock. [`run`] puts back what they changed, also where it is
//! interrupted or a check fails: the frequency, the pins, and the time, for which every
//! displacement is kept in an account.

mod account;
mod bench;
mod checks;
mod clock;
mod comparator;
mod run;
mod verdict;
mod words;

pub use crate::restore::Change;
pub use bench::Loop;
pub use checks::{Check, GROUPS, Group};

use crate::kernel::Signals;
use crate::phc::{Error, Phc};
use crate::restore::Record;
use bench::Bench;
use checks::RESTORE;
use run::Run;
use verdict::Stop;

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It doesn't: what was expected, what was found.
    Failed(String),
    /// It can't be told, and why.
    Skipped(String),
}

/// How a run goes on.
#[derive(Debug)]
pub enum Progress<'a> {
    /// It begins, with so many groups.
    Begins(usize),
    /// A group begins, with so many checks.
    Group(&'static str, usize),
    /// A check begins: group and name.
    Checking(&'static str, &'static str),
    /// A check has ended.
    Checked {
        /// Its group.
        group: &'static str,
        /// Its name.
        name: &'static str,
        /// What came of it.
        outcome: &'a Outcome,
        /// What was measured.
        notes: &'a [String],
    },
    /// The group has ended.
    GroupEnds(&'static str),
}

/// How a run ended.
#[derive(Debug)]
pub enum End {
    /// All groups were run: how many checks passed, failed, were skipped.
    Complete {
        /// Checks that passed.
        passed: usize,
        /// Checks that failed.
        failed: usize,
        /// Checks that were skipped.
        skipped: usize,
        /// Whether all were skipped but for those of what is put back.
        all_skipped: bool,
    },
    /// A signal came.
    Interrupted,
    /// It couldn't go on: the clock has gone, or can't be put back as it was.
    Aborted(Error),
}

/// What a run is asked to do.
#[derive(Debug, Default)]
pub struct Options {
    /// The groups to run, by their names; all of them where it is empty.
    pub only: Vec<String>,
    /// Two pins that are wired together.
    pub wire: Option<Loop>,
}

impl Options {
    /// The groups that will run; what was changed is put back in any case.
    pub fn groups(&self) -> impl Iterator<Item = &'static Group> {
        let chosen = move |group: &&Group| {
            self.only.is_empty()
                || self.only.iter().any(|name| name == group.name)
                || std::ptr::eq(*group, RESTORE)
        };
        GROUPS.into_iter().filter(chosen)
    }
}

/// Runs the checks on a clock that was opened for writing, and tells how it goes on.
///
/// `record` is told of all that is changed and not put back, before it is changed: for whoever has
/// to put it back if this program is killed. `tell` may fail: the run then ends with that. However
/// it ends, what was changed is put back; the second answer is whether that worked, as far as can
/// be seen. What couldn't be put back `record` was told last.
pub fn run<E>(
    phc: &Phc,
    options: &Options,
    signals: Option<&Signals>,
    record: &mut dyn FnMut(&[Change]),
    tell: impl FnMut(Progress<'_>) -> Result<(), E>,
) -> (Result<End, E>, bool) {
    let (end, left) = run_recorded(phc, options, signals, Box::new(record), tell);
    (end, left.is_empty())
}

/// As [`run`], for any record; answers what could not be put back.
pub(crate) fn run_recorded<'a, E>(
    phc: &'a Phc,
    options: &Options,
    signals: Option<&'a Signals>,
    record: Box<dyn Record + 'a>,
    mut tell: impl FnMut(Progress<'_>) -> Result<(), E>,
) -> (Result<End, E>, Vec<Change>) {
    if let Err(error) = tell(Progress::Begins(options.groups().count())) {
        return (Err(error), Vec::new());
    }
    let mut bench = match Bench::new(phc, signals, options.wire.clone(), record) {
        Ok(bench) => bench,
        Err(Stop::Failed(error)) => return (Ok(End::Aborted(error)), Vec::new()),
        Err(_) => return (Ok(End::Interrupted), Vec::new()),
    };
    let end = Run::new(&mut bench, options).groups(tell);
    // What fails is tried once more.
    if bench.account.put_back().is_err() {
        let _ = bench.account.put_back();
    }
    (end, bench.account.guard.finish())
}
