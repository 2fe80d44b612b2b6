//! What programs have not put back, because they were killed or because it failed.

use super::{Change, beside_system, journal};
use crate::phc::{Phc, Pin, PinFunction};
use crate::{Frequency, Offset};
use std::cell::OnceCell;

/// One thing that was left on a clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) change: Change,
    /// By how much the time is off, for a change of the time.
    pub(crate) off: Option<Offset>,
    /// The user who has left it, where the journal is another user's.
    pub(crate) user: Option<u32>,
}

impl From<Change> for Left {
    fn from(change: Change) -> Self {
        Self { change, off: None, user: None }
    }
}

/// What is left on a clock. With `may_forget`, what has been put right meanwhile is removed from
/// the journals.
pub(crate) fn left_behind(phc: &Phc, may_forget: bool) -> Vec<Left> {
    let mut all = Vec::new();
    let now = Now::of(phc);
    for dead in journal::dead(&phc.name().device) {
        let of_user = |left| Left { user: dead.user, ..left };
        let left = dead.changes.iter().filter_map(|change| now.left(change, dead.age));
        let left: Vec<_> = left.map(of_user).collect();
        if may_forget && left.len() < dead.changes.len() {
            dead.keep(|change| left.iter().any(|one| one.change.part() == change.part()));
        }
        all.extend(left);
    }
    all.dedup();
    all
}

/// The present state of the clock, read when it is needed.
struct Now<'a> {
    phc: &'a Phc,
    /// None where they can't be read.
    pins: OnceCell<Option<Vec<Pin>>>,
    frequency: OnceCell<Option<Frequency>>,
}

impl<'a> Now<'a> {
    fn of(phc: &'a Phc) -> Self {
        Self { phc, pins: OnceCell::new(), frequency: OnceCell::new() }
    }

    /// The change, unless it has been put right. If the state can't be read, the change counts as
    /// still there.
    fn left(&self, change: &Change, age: i128) -> Option<Left> {
        let is_so = match change {
            Change::Time { was } => return self.time_left(change, *was, age),
            Change::Frequency { was, asked } => {
                let now = self.frequency.get_or_init(|| self.phc.frequency().ok());
                now.is_none_or(|now| now != *was && asked.contains(&now))
            }
            Change::Pin { was, asked } => {
                let pins = self.pins.get_or_init(|| self.phc.pins().ok());
                pins.as_ref().is_none_or(|pins| {
                    let now = pins.iter().find(|pin| pin.index == was.index);
                    now.is_some_and(|now| {
                        pin_may_be(was, asked).any(|way| way == (now.function, now.channel))
                    })
                })
            }
            // The kernel doesn't report these.
            Change::Phase | Change::Extts(_) | Change::Perout(_) => true,
        };
        is_so.then(|| change.clone().into())
    }

    fn time_left(&self, change: &Change, was: Option<Offset>, age: i128) -> Option<Left> {
        let (Some(was), Ok(now)) = (was, beside_system(self.phc)) else {
            return Some(change.clone().into());
        };
        let off = now.saturating_sub(was);
        // Both clocks went on meanwhile, each at its own rate.
        let goes_astray = 1_000_000 + age / 10_000;
        let is_off = i128::from(off.nanoseconds()).abs() > goes_astray;
        is_off.then(|| Left { off: Some(off), ..change.clone().into() })
    }
}

/// The functions and channels that a pin may have until it is put back. After a change that failed
/// half-way it has none.
fn pin_may_be(was: &Pin, asked: &[Pin]) -> impl Iterator<Item = (PinFunction, u32)> {
    let before = (was.function, was.channel);
    let asked = asked.iter().map(|pin| (pin.function, pin.channel));
    asked.chain([(PinFunction::None, 0)]).filter(move |way| *way != before)
}
