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
mod restore;
mod set;
mod step;
mod time;
mod versions;
mod wire;

pub use bench::Loop;

use crate::kernel::Signals;
use crate::phc::{Error, Phc};
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
    /// The machine is too busy to tell.
    Busy(String),
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
                || group.name == restore::GROUP.name
        };
        GROUPS.iter().filter(chosen)
    }
}

/// Runs the checks on a clock that was opened for writing, and tells how it goes on.
///
/// `tell` may fail: the run then ends with that. However it ends, what was changed is put back;
/// the second answer is whether that worked, as far as can be seen.
pub fn run<E>(
    phc: &Phc,
    options: &Options,
    signals: Option<&Signals>,
    mut tell: impl FnMut(Progress<'_>) -> Result<(), E>,
) -> (Result<End, E>, bool) {
    if let Err(error) = tell(Progress::Begins(options.groups().count())) {
        return (Err(error), true);
    }
    let mut bench = match Bench::new(phc, signals, options.wire.clone()) {
        Ok(bench) => bench,
        Err(Stop::Failed(error)) => return (Ok(End::Aborted(error)), true),
        Err(_) => return (Ok(End::Interrupted), true),
    };
    let end = run_groups(&mut bench, options, tell);
    let is_as_before = bench.put_back().is_ok();
    (end, is_as_before)
}

/// How long the checks may take, and with a loop, before the rest is skipped: in nanoseconds.
const BUDGET: i128 = 30_000_000_000;
const BUDGET_WITH_A_LOOP: i128 = 90_000_000_000;

fn run_groups<E>(
    bench: &mut Bench<'_>,
    options: &Options,
    mut tell: impl FnMut(Progress<'_>) -> Result<(), E>,
) -> Result<End, E> {
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    let budget = if options.wire.is_some() { BUDGET_WITH_A_LOOP } else { BUDGET };
    // What is known of the checks that ran.
    let mut known = BTreeMap::new();
    for group in options.groups() {
        tell(Progress::Group(group.name, group.checks.len()))?;
        for check in group.checks {
            if bench.go_on().is_err() {
                return Ok(End::Interrupted);
            }
            tell(Progress::Checking(group.name, check.name))?;
            let missing = check.needs.iter().find_map(|need| match known.get(*need)? {
                Outcome::Passed => None,
                // What the clock hasn't got can't be built on, for the same reason.
                Outcome::Skipped(why) => Some(why.clone()),
                Outcome::Failed(_) => Some(format!("it needs {need}")),
            });
            let over = group.name != restore::GROUP.name && bench.elapsed() > budget;
            let verdict = match missing {
                Some(why) => Err(Stop::Skip(why)),
                None if over => Err(Stop::Busy("its time is up".into())),
                None => (check.run)(bench),
            };
            if verdict.is_err()
                && let Some(error) = has_gone(bench)
            {
                return Ok(End::Aborted(error));
            }
            let outcome = match verdict {
                Ok(()) => Outcome::Passed,
                Err(Stop::Wrong(what)) => Outcome::Failed(what),
                Err(Stop::Skip(why)) => Outcome::Skipped(why),
                Err(Stop::Busy(why)) => {
                    Outcome::Skipped(format!("this machine is too busy to tell, {why}"))
                }
                Err(Stop::Interrupted) => return Ok(End::Interrupted),
                Err(Stop::Failed(error)) => Outcome::Failed(error.to_string()),
            };
            match outcome {
                Outcome::Passed => passed += 1,
                Outcome::Failed(_) => failed += 1,
                Outcome::Skipped(_) => skipped += 1,
            }
            let notes = bench.take_notes();
            let (group, name) = (group.name, check.name);
            tell(Progress::Checked { group, name, outcome: &outcome, notes: &notes })?;
            known.insert(format!("{group}/{name}"), outcome);
        }
        // A live clock is off no longer than it must be. What fails is tried again, and told, at
        // the end.
        let _ = bench.give_back();
        tell(Progress::GroupEnds(group.name))?;
    }
    Ok(End::Complete { passed, failed, skipped })
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
