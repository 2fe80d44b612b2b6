//! What has to be put back: every displacement of the clock's time is entered here.

use super::bench::{Bench, Comparison, time};
use super::{Stop, Verdict};
use crate::phc::{Error, Pin, PinFunction};
use crate::{Frequency, Offset};

/// The clock as it was, and how far it was moved since.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) frequency: Frequency,
    pub(super) pins: Vec<Pin>,
    /// The pins that were changed, and the channels that were switched on.
    pub(super) changed_pins: Vec<u32>,
    pub(super) extts: Vec<u32>,
    pub(super) perouts: Vec<u32>,
    /// Whether another frequency may be dialled.
    pub(super) dialled: bool,
    /// Whether a phase offset may be written.
    pub(super) phase: bool,
    /// What was changed at any time.
    pub(super) touched: Touched,
    /// How far the clock is ahead of where it would be, in nanoseconds.
    displaced: i128,
    /// The sum of the doubts of all measurements that went into it.
    pub(super) doubt: i128,
    /// Before something moved the clock by nobody knows how much: what was displaced by then, and
    /// a comparison.
    open: Option<(i128, Comparison)>,
}

/// What was changed at any time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Touched {
    pub(super) pins: bool,
    pub(super) frequency: bool,
    pub(super) time: bool,
}

/// Off by less than this, a clock isn't stepped once more.
const ENOUGH: i128 = 100;
/// Off by less than this, a clock counts as put back.
pub(super) const WORST: i128 = 1_000_000;
/// A driver that reads, adds and writes loses the time that it takes.
const TOLERANCE: i128 = 1_000_000;

impl Account {
    pub(super) fn new(frequency: Frequency, pins: Vec<Pin>) -> Self {
        Self {
            frequency,
            pins,
            changed_pins: Vec::new(),
            extts: Vec::new(),
            perouts: Vec::new(),
            dialled: false,
            phase: false,
            touched: Touched::default(),
            displaced: 0,
            doubt: 0,
            open: None,
        }
    }
}

/// How far something moved the clock: somewhere in between, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    pub(super) middle: i128,
    pub(super) bound: i128,
}

impl Bench<'_> {
    /// Compares the clock before something moves it. Until that is entered it counts as unknown:
    /// whatever fails in between, the next settling finds it.
    fn open(&mut self) -> Result<(bool, Comparison), Stop> {
        if self.runs_freely {
            return Err(Stop::Skip("it runs freely under its virtual clocks".into()));
        }
        self.account.touched.time = true;
        let before = self.compare()?;
        let is_first = self.account.open.is_none();
        if is_first {
            self.account.open = Some((self.account.displaced, before));
        }
        Ok((is_first, before))
    }

    /// Enters a move: what was expected, or what was measured where it can't have been that.
    fn enter(&mut self, is_first: bool, expected: i128, moved: Move) {
        // Within something larger that is unknown it is measured with that.
        if !is_first {
            return;
        }
        self.account.open = None;
        if (expected - moved.middle).abs() <= moved.bound {
            self.account.displaced += expected;
        } else {
            self.account.displaced += moved.middle;
            self.account.doubt += moved.bound;
        }
    }

    /// Does something that moves the clock at once by as much as was asked, and enters that.
    fn displace(&mut self, asked: i128, act: impl FnOnce(&Self) -> Verdict) -> Result<Move, Stop> {
        let (is_first, before) = self.open()?;
        let outcome = act(self);
        let moved = self.moved(&before, &self.compare()?);
        // What was refused has moved nothing.
        self.enter(is_first, if outcome.is_ok() { asked } else { 0 }, moved);
        outcome.map(|()| moved)
    }

    /// Does something that moves the clock by nobody knows how much. What all of a group did
    /// together is measured at its end.
    pub(super) fn disturb(&mut self, act: impl FnOnce(&mut Self) -> Verdict) -> Verdict {
        self.open()?;
        act(self)
    }

    /// Enters what was disturbed.
    fn settle(&mut self) -> Verdict {
        if let Some((displaced, before)) = self.account.open {
            let moved = self.moved(&before, &self.compare()?);
            self.account.open = None;
            self.account.displaced = displaced + moved.middle;
            self.account.doubt += moved.bound;
        }
        Ok(())
    }

    /// Goes at another frequency for a while, and enters how far that moved the clock.
    pub(super) fn at_frequency<T>(
        &mut self,
        frequency: Frequency,
        act: impl FnOnce(&mut Self) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let (is_first, from) = self.open()?;
        let before = self.account.frequency;
        let off = frequency.micro_ppb() - before.micro_ppb();
        self.account.dialled = true;
        self.account.touched.frequency = true;
        let dialled = self.dial(frequency.scaled_ppm());
        let began = self.monotonic()?;
        if let Err(errno) = dialled {
            return Err(Stop::Wrong(format!("{frequency:+} was refused: {errno:?}")));
        }
        let outcome = act(self);
        let ended = self.monotonic()?;
        self.put_back_frequency()?;
        let asked = off * (ended - began) / 1_000_000_000_000_000;
        let moved = self.moved(&from, &self.compare()?);
        self.enter(is_first, asked, moved);
        outcome
    }

    fn moved(&self, before: &Comparison, after: &Comparison) -> Move {
        // Meanwhile the clock went at its own pace.
        let dialled = self.account.frequency.micro_ppb();
        let pace = self.pace.unwrap_or(super::bench::Pace { low: dialled, high: dialled });
        let over = |pace: i128| pace * (after.at - before.at) / 1_000_000_000_000_000;
        let middle = after.middle() - before.middle() - over(pace.middle());
        Move { middle, bound: after.bound() + before.bound() + over(pace.bound()) }
    }

    /// Steps the clock, with whatever the driver makes of it.
    pub(super) fn step(&mut self, by: i128) -> Result<Move, Stop> {
        let offset = Offset::from_nanoseconds(i64::try_from(by).unwrap_or(i64::MAX));
        self.displace(by, |bench| Ok(bench.phc.step(offset)?))
    }

    /// Steps the clock, which must move as far as it was asked to.
    pub(super) fn must_step(&mut self, by: i128) -> Verdict {
        let moved = self.step(by)?;
        let off = moved.middle - by;
        let bound = moved.bound;
        self.note(format!("asked {}, moved {} within {bound} ns", time(by), time(moved.middle)));
        if off.abs() <= TOLERANCE && bound <= TOLERANCE {
            return Ok(());
        }
        if off.abs() <= TOLERANCE + bound {
            return Err(Stop::Busy(format!("the readings are off by up to {bound} ns")));
        }
        Err(Stop::Wrong(format!(
            "a step by {} moved the clock by {}",
            time(by),
            time(moved.middle)
        )))
    }

    /// Puts the frequency and then the time back to where it would be; tells how far off it is, and how far what was
    /// measured may be off.
    pub(super) fn give_back(&mut self) -> Result<(i128, i128), Stop> {
        self.put_back_frequency()?;
        self.settle()?;
        for attempt in 0..6 {
            let displaced = self.account.displaced;
            if displaced.abs() <= ENOUGH {
                break;
            }
            // A driver whose steps are wrong may set the clock right.
            self.give_back_once(-displaced, attempt > 2)?;
        }
        Ok((self.account.displaced.abs(), self.account.doubt))
    }

    /// Moves the clock, also after a signal, and enters how far it went.
    fn give_back_once(&mut self, by: i128, set: bool) -> Verdict {
        let offset = Offset::from_nanoseconds(i64::try_from(by).unwrap_or(i64::MAX));
        let (is_first, before) = self.open()?;
        let outcome = if set {
            let to = self.phc.time()?.plus(offset);
            to.map_or(Ok(()), |to| self.phc.set_time(to))
        } else {
            self.phc.step(offset)
        };
        let moved = self.moved(&before, &self.compare()?);
        let doubt = self.account.doubt;
        self.enter(is_first, by, moved);
        // Going back again and again adds no doubt: each time the whole rest is measured.
        self.account.doubt = doubt.max(moved.bound);
        Ok(outcome?)
    }

    /// Puts everything back, as far as that works; answers the first failure.
    pub(super) fn put_back(&mut self) -> Verdict {
        let outcomes = [
            self.put_back_channels(),
            self.put_back_pins(),
            self.put_back_phase(),
            self.give_back().and_then(|(off, _)| {
                let left = format!("the time is still off by {}", time(off));
                if off <= WORST { Ok(()) } else { Err(Stop::Wrong(left)) }
            }),
        ];
        outcomes.into_iter().collect()
    }

    /// What fails stays to be put back.
    pub(super) fn put_back_channels(&mut self) -> Verdict {
        let mut outcome = Ok(());
        let mut off = |channels: &mut Vec<u32>, disable: &dyn Fn(u32) -> Result<(), Error>| {
            channels.retain(|channel| {
                let done = disable(*channel);
                let failed = done.is_err();
                outcome = std::mem::replace(&mut outcome, Ok(())).and(done);
                failed
            });
        };
        off(&mut self.account.extts, &|channel| self.phc.disable_extts(channel));
        off(&mut self.account.perouts, &|channel| self.phc.disable_perout(channel));
        Ok(outcome?)
    }

    pub(super) fn put_back_pins(&mut self) -> Verdict {
        let account = &mut self.account;
        account.touched.pins |= !account.changed_pins.is_empty();
        let mut outcome = Ok(());
        // Those that had nothing let go first, then the others get back what they had.
        for with_function in [false, true] {
            for pin in &account.pins {
                if (pin.function != PinFunction::None) != with_function
                    || !account.changed_pins.contains(&pin.index)
                {
                    continue;
                }
                let put = self.phc.set_pin(pin, pin.function, pin.channel).map(drop);
                if put.is_ok() {
                    account.changed_pins.retain(|index| *index != pin.index);
                }
                outcome = outcome.and(put);
            }
        }
        // A pin that there isn't has nothing to get back.
        account.changed_pins.retain(|index| account.pins.iter().any(|pin| pin.index == *index));
        Ok(outcome?)
    }

    pub(super) fn put_back_frequency(&mut self) -> Verdict {
        if self.account.dialled {
            self.phc.set_frequency(self.account.frequency)?;
            self.account.dialled = false;
        }
        Ok(())
    }

    pub(super) fn put_back_phase(&mut self) -> Verdict {
        if self.account.phase {
            self.phc.adjust_phase(Offset::ZERO)?;
            self.account.phase = false;
        }
        Ok(())
    }
}

impl Drop for Bench<'_> {
    fn drop(&mut self) {
        // On the way out of a failure or a panic; after a run there is nothing left to do.
        let _ = self.put_back();
    }
}
