//! Does a driver keep its word? Checks of a clock through its public interface, in groups, one for
//! each capability.
//!
//! The checks change a live clock. [`run`] puts back what they changed, also where it is
//! interrupted or a check fails: the frequency, the pins, and the time, for which every
//! displacement is kept in an account.

mod access;
mod account;
mod bench;
mod caps;
mod frequency;
mod offset;
mod phase;
mod pins;
mod rates;
mod restore;
mod set;
mod step;
mod time;
mod versions;
mod wire;

pub use bench::Loop;

use crate::kernel::Signals;
use crate::phc::{Error, Phc};
pub use crate::restore::Change;
use crate::restore::Record;
use bench::Bench;
use nix::errno::Errno;
use std::collections::BTreeMap;

/// Checks of one capability.
#[derive(Debug)]
pub struct Group {
    /// Its name: "time".
    pub name: &'static str,
    /// The checks, in their order.
    pub checks: &'static [Check],
}

/// One check.
pub struct Check {
    /// Its name, which says what must hold: "is monotonic".
    pub name: &'static str,
    /// Checks without which this one can tell nothing: "time/advances".
    needs: &'static [&'static str],
    run: fn(&mut Bench<'_>) -> Verdict,
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// All groups, in the order in which they run.
pub static GROUPS: [Group; 13] = [
    caps::GROUP,
    versions::GROUP,
    access::GROUP,
    time::GROUP,
    set::GROUP,
    step::GROUP,
    frequency::GROUP,
    phase::GROUP,
    offset::GROUP,
    pins::GROUP,
    wire::EXTTS,
    wire::PEROUT,
    restore::GROUP,
];

/// The group that runs in any case.
const RESTORE: &str = restore::GROUP.name;

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

/// Why a check ended without having passed.
#[derive(Debug)]
enum Stop {
    /// The driver is wrong.
    Wrong(String),
    /// The clock hasn't got it, or it wasn't asked for.
    Skip(String),
    /// This alone can't be told; what builds on it can.
    Untold(String),
    /// It was measured too coarsely to tell.
    Unsure(String),
    /// A call failed that should work.
    Failed(Error),
    /// A signal came.
    Interrupted,
}

type Verdict = Result<(), Stop>;

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
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
                || group.name == RESTORE
        };
        GROUPS.iter().filter(chosen)
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
    let end = Run { bench: &mut bench, known: BTreeMap::new(), options }.groups(tell);
    // What fails is tried once more.
    if bench.put_back().is_err() {
        let _ = bench.put_back();
    }
    (end, bench.account.guard.finish())
}

/// A run, and what is known of the checks that have been made.
struct Run<'a, 'b> {
    bench: &'a mut Bench<'b>,
    options: &'a Options,
    known: BTreeMap<String, Known>,
}

/// What other checks may make of a check's outcome.
#[derive(Clone, Debug)]
enum Known {
    /// It holds, or it can't be told that it doesn't.
    NothingWrong,
    /// The clock hasn't got it.
    Lacks(String),
    /// It doesn't hold.
    Wrong(String),
}

/// Why no check can be made any more.
enum Over {
    Interrupted,
    Aborted(Error),
}

impl Run<'_, '_> {
    fn groups<E>(mut self, mut tell: impl FnMut(Progress<'_>) -> Result<(), E>) -> Result<End, E> {
        let (mut passed, mut failed, mut skipped) = (0, 0, 0);
        let mut all_skipped = true;
        for group in self.options.groups() {
            tell(Progress::Group(group.name, group.checks.len()))?;
            for check in group.checks {
                if self.bench.go_on().is_err() {
                    return Ok(End::Interrupted);
                }
                tell(Progress::Checking(group.name, check.name))?;
                let outcome = match self.outcome(group, check) {
                    Ok(outcome) => outcome,
                    Err(Over::Interrupted) => return Ok(End::Interrupted),
                    Err(Over::Aborted(error)) => return Ok(End::Aborted(error)),
                };
                match outcome {
                    Outcome::Passed => passed += 1,
                    Outcome::Failed(_) => failed += 1,
                    Outcome::Skipped(_) => skipped += 1,
                }
                all_skipped &= group.name == RESTORE || matches!(outcome, Outcome::Skipped(_));
                let notes = self.bench.take_notes();
                let (group, name) = (group.name, check.name);
                tell(Progress::Checked { group, name, outcome: &outcome, notes: &notes })?;
            }
            // A live clock is off no longer than it must be. What fails is tried again, and told,
            // at the end.
            let _ = self.bench.give_back();
            tell(Progress::GroupEnds(group.name))?;
        }
        Ok(End::Complete { passed, failed, skipped, all_skipped })
    }

    /// Makes a check, unless one that it needs says that it can't tell anything.
    fn outcome(&mut self, group: &Group, check: &Check) -> Result<Outcome, Over> {
        for need in check.needs {
            match self.known(need)? {
                Known::NothingWrong => {}
                // What the clock hasn't got can't be built on, for the same reason.
                Known::Lacks(why) => return Ok(self.keep(group, check, Err(Stop::Skip(why)))),
                // Somewhere it must be told; what only puts back can't be blamed.
                Known::Wrong(what) if !self.is_chosen(need) && group.name != RESTORE => {
                    let why = format!("it needs {need}: {what}");
                    return Ok(self.keep(group, check, Err(Stop::Wrong(why))));
                }
                Known::Wrong(_) => {
                    let why = format!("it needs {need}");
                    return Ok(self.keep(group, check, Err(Stop::Skip(why))));
                }
            }
        }
        let is_over = group.name != RESTORE && self.bench.time_left() <= 0;
        let verdict = if is_over {
            Err(Stop::Unsure("its time is up".into()))
        } else {
            (check.run)(self.bench)
        };
        if matches!(verdict, Err(Stop::Interrupted)) {
            return Err(Over::Interrupted);
        }
        if verdict.is_err()
            && let Some(error) = has_gone(self.bench)
        {
            return Err(Over::Aborted(error));
        }
        Ok(self.keep(group, check, verdict))
    }

    /// What is known of a check, which is made now where it hasn't been: its group isn't chosen.
    fn known(&mut self, name: &str) -> Result<Known, Over> {
        if let Some(known) = self.known.get(name) {
            return Ok(known.clone());
        }
        let found = GROUPS.iter().find_map(|group| {
            let check = name.strip_prefix(group.name)?.strip_prefix('/')?;
            Some((group, group.checks.iter().find(|one| one.name == check)?))
        });
        let Some((group, check)) = found else { return Ok(Known::NothingWrong) };
        self.outcome(group, check)?;
        // Nobody asked for what it measured.
        self.bench.take_notes();
        Ok(self.known.get(name).cloned().unwrap_or(Known::NothingWrong))
    }

    fn is_chosen(&self, check: &str) -> bool {
        let group = check.split('/').next().unwrap_or_default();
        self.options.groups().any(|chosen| chosen.name == group)
    }

    /// Turns a verdict into what is told, and into what is known.
    fn keep(&mut self, group: &Group, check: &Check, verdict: Verdict) -> Outcome {
        let (outcome, known) = match verdict {
            // A signal has been told already.
            Ok(()) | Err(Stop::Interrupted) => (Outcome::Passed, Known::NothingWrong),
            Err(Stop::Skip(why)) => (Outcome::Skipped(why.clone()), Known::Lacks(why)),
            Err(Stop::Untold(why)) => (Outcome::Skipped(why), Known::NothingWrong),
            Err(Stop::Unsure(why)) => {
                (Outcome::Skipped(self.bench.too_coarse(&why)), Known::NothingWrong)
            }
            Err(Stop::Wrong(what)) => (Outcome::Failed(what.clone()), Known::Wrong(what)),
            Err(Stop::Failed(error)) => {
                let what = error.to_string();
                (Outcome::Failed(what.clone()), Known::Wrong(what))
            }
        };
        self.known.insert(format!("{}/{}", group.name, check.name), known);
        outcome
    }
}

/// The error of a clock that has gone, which makes any check fail.
fn has_gone(bench: &Bench<'_>) -> Option<Error> {
    bench.phc.time().err().filter(|error| error.errno() == Some(Errno::ENODEV))
}

/// Ends a check that can't be made here.
fn skip<T>(why: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Skip(why.into()))
}

/// Something that must hold, or else what is wrong.
fn must(so: bool, wrong: impl FnOnce() -> String) -> Verdict {
    if so { Ok(()) } else { Err(Stop::Wrong(wrong())) }
}

/// A call that must be refused in this way.
fn must_refuse<T>(what: &str, answer: Result<T, Errno>, errno: Errno) -> Verdict {
    match answer.map(drop) {
        Err(found) if found == errno => Ok(()),
        Err(found) => {
            Err(Stop::Wrong(format!("{what} was refused with {found:?}, expected {errno:?}")))
        }
        Ok(()) => Err(Stop::Wrong(format!("{what} was taken, expected {errno:?}"))),
    }
}
