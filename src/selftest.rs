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
    /// It can't be judged, with the reason.
    Skipped(String),
}

/// The progress of a run.
#[derive(Debug)]
pub enum Progress<'a> {
    /// The run begins, with this number of groups.
    Begins(usize),
    /// A group begins: its name, and the number of its checks.
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
        /// Whether all checks were skipped, except those of what is put back.
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
    /// The groups that will run. The group that checks what was put back always runs.
    pub fn groups(&self) -> impl Iterator<Item = &'static Group> {
        let chosen = move |group: &&Group| {
            self.only.is_empty()
                || self.only.iter().any(|name| name == group.name)
                || std::ptr::eq(*group, RESTORE)
        };
        GROUPS.into_iter().filter(chosen)
    }
}

/// Runs the checks on a clock that was opened for writing, and reports the progress to `tell`.
///
/// `record` is called before each change, with all that is changed and not put back: another
/// program needs that if this one is killed. `tell` may fail: then the run ends with its error.
/// However the run ends, it puts back what was changed. The second value is whether that worked, as
/// far as can be seen. The last call of `record` has what couldn't be put back.
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

/// As [`run`], for any record. Returns what could not be put back.
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
