//! Makes the checks, one after the other.

use super::bench::Bench;
use super::checks::{Check, RESTORE};
use super::verdict::{Stop, Verdict};
use super::{End, Options, Outcome, Progress};
use crate::phc::Error;
use nix::errno::Errno;
use std::collections::BTreeMap;

/// A run, and what is known of the checks that have been made.
pub(super) struct Run<'a, 'b> {
    bench: &'a mut Bench<'b>,
    options: &'a Options,
    /// By the address of the check: each check exists once.
    known: BTreeMap<*const Check, Known>,
}

/// What the outcome of a check means for other checks.
#[derive(Clone, Debug)]
enum Known {
    /// It holds, or nothing shows that it doesn't.
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

impl<'a, 'b> Run<'a, 'b> {
    pub(super) fn new(bench: &'a mut Bench<'b>, options: &'a Options) -> Self {
        Self { bench, options, known: BTreeMap::new() }
    }

    pub(super) fn groups<E>(
        mut self,
        mut tell: impl FnMut(Progress<'_>) -> Result<(), E>,
    ) -> Result<End, E> {
        let (mut passed, mut failed, mut skipped) = (0, 0, 0);
        let mut all_skipped = true;
        for group in self.options.groups() {
            tell(Progress::Group(group.name, group.checks.len()))?;
            for &check in group.checks {
                if self.bench.clock.go_on().is_err() {
                    return Ok(End::Interrupted);
                }
                tell(Progress::Checking(group.name, check.name))?;
                let outcome = match self.outcome(check) {
                    Ok(outcome) => outcome,
                    Err(Over::Interrupted) => return Ok(End::Interrupted),
                    Err(Over::Aborted(error)) => return Ok(End::Aborted(error)),
                };
                match outcome {
                    Outcome::Passed => passed += 1,
                    Outcome::Failed(_) => failed += 1,
                    Outcome::Skipped(_) => skipped += 1,
                }
                all_skipped &=
                    std::ptr::eq(group, RESTORE) || matches!(outcome, Outcome::Skipped(_));
                let notes = self.bench.take_notes();
                let (group, name) = (group.name, check.name);
                tell(Progress::Checked { group, name, outcome: &outcome, notes: &notes })?;
            }
            // Put the time back after each group, so that a live clock isn't off for longer than
            // needed. If that fails, it is tried again and reported at the end.
            let _ = self.bench.account.give_back();
            tell(Progress::GroupEnds(group.name))?;
        }
        Ok(End::Complete { passed, failed, skipped, all_skipped })
    }

    /// Makes a check, unless the outcome of a check that it needs rules that out.
    fn outcome(&mut self, check: &'static Check) -> Result<Outcome, Over> {
        let only_puts_back = std::ptr::eq(check.group, RESTORE);
        for &need in check.needs {
            match self.known(need)? {
                Known::NothingWrong => {}
                // A check that needs what the clock lacks is skipped for the same reason.
                Known::Lacks(why) => return Ok(self.keep(check, Err(Stop::Skip(why)))),
                // A failure must be reported somewhere, so here if the other check wasn't chosen.
                // Checks that only put back can't be blamed for it.
                Known::Wrong(what) if !self.is_chosen(need) && !only_puts_back => {
                    let why = format!("it needs {need}: {what}");
                    return Ok(self.keep(check, Err(Stop::Wrong(why))));
                }
                Known::Wrong(_) => {
                    let why = format!("it needs {need}");
                    return Ok(self.keep(check, Err(Stop::Skip(why))));
                }
            }
        }
        let is_over = !only_puts_back && self.bench.clock.time_left() <= 0;
        let verdict = if is_over {
            Err(Stop::Unsure("the time for the checks is over".into()))
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
        Ok(self.keep(check, verdict))
    }

    /// What is known of a check. If it hasn't been made, because its group isn't chosen, makes it
    /// now.
    fn known(&mut self, check: &'static Check) -> Result<Known, Over> {
        if !self.known.contains_key(&std::ptr::from_ref(check)) {
            self.outcome(check)?;
            // The user didn't choose this check, so its notes aren't shown.
            self.bench.take_notes();
        }
        Ok(self.known.get(&std::ptr::from_ref(check)).cloned().unwrap_or(Known::NothingWrong))
    }

    fn is_chosen(&self, check: &Check) -> bool {
        self.options.groups().any(|chosen| std::ptr::eq(chosen, check.group))
    }

    /// Turns a verdict into an outcome to report, and keeps what it means for other checks.
    fn keep(&mut self, check: &'static Check, verdict: Verdict) -> Outcome {
        let (outcome, known) = match verdict {
            // The caller has handled a signal already.
            Ok(()) | Err(Stop::Interrupted) => (Outcome::Passed, Known::NothingWrong),
            Err(Stop::Skip(why)) => (Outcome::Skipped(why.clone()), Known::Lacks(why)),
            Err(Stop::Untold(why)) => (Outcome::Skipped(why), Known::NothingWrong),
            Err(Stop::Unsure(why)) => {
                (Outcome::Skipped(self.bench.comparator().too_coarse(&why)), Known::NothingWrong)
            }
            Err(Stop::Wrong(what)) => (Outcome::Failed(what.clone()), Known::Wrong(what)),
            Err(Stop::Failed(error)) => {
                let what = error.to_string();
                (Outcome::Failed(what.clone()), Known::Wrong(what))
            }
        };
        self.known.insert(check, known);
        outcome
    }
}

/// The error of a clock that has gone, which makes any check fail.
fn has_gone(bench: &Bench<'_>) -> Option<Error> {
    bench.clock.phc.time().err().filter(|error| error.errno() == Some(Errno::ENODEV))
}
