//! What has to be put back: every change of the clock is entered here before it is made.

use super::comparator::{Comparator, Comparison, exactly, per_second};
use super::verdict::{Stop, Verdict, skip};
use super::words::time;
use crate::phc::{Error, Phc, Pin, PinFunction};
use crate::restore::{Change, Guard, Part, beside_system};
use crate::{Frequency, Offset};
use nix::errno::Errno;

/// The clock as it was, and what was changed since.
pub(super) struct Account<'a> {
    pub(super) comparator: Comparator<'a>,
    /// Why its time may not be moved: nobody could move it back.
    pub(super) must_not_move: Option<String>,
    /// The pins as they were; what reading them answered where they can't be read.
    pub(super) pins: Result<Vec<Pin>, Error>,
    /// What was changed at any time.
    pub(super) touched: Touched,
    /// What puts back all but the time.
    pub(super) guard: Guard<'a>,
    /// The clock − the system's before, where that could be read.
    beside_system: Option<Offset>,
    /// How far the clock is ahead of where it would be, in nanoseconds.
    displaced: i128,
    /// The sum of the uncertainties of all measurements that went into it.
    uncertainty: i128,
    /// Before something moved the clock by nobody knows how much: what was displaced by then, and
    /// a comparison.
    open: Option<(i128, Comparison)>,
}

/// How far something moved the clock: somewhere in between, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    pub(super) middle: i128,
    pub(super) bound: i128,
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

impl<'a> Account<'a> {
    pub(super) fn new(
        comparator: Comparator<'a>,
        guard: Guard<'a>,
        must_not_move: Option<String>,
    ) -> Self {
        let phc = comparator.clock.phc;
        Self {
            comparator,
            must_not_move,
            pins: phc.pins(),
            touched: Touched::default(),
            guard,
            beside_system: beside_system(phc).ok(),
            displaced: 0,
            uncertainty: 0,
            open: None,
        }
    }

    /// Tells the guard whether the time is displaced.
    fn tell(&mut self) {
        if self.open.is_some() || self.displaced.abs() > WORST {
            self.guard.will(Change::Time { was: self.beside_system });
        } else {
            self.guard.forget(Part::Time);
        }
    }

    /// Notes that a pin will be set. One that there isn't has nothing to get back.
    pub(super) fn will_set_pin(&mut self, index: u32, function: PinFunction, channel: u32) {
        self.touched.pins = true;
        if let Some(was) = self.pins.iter().flatten().find(|pin| pin.index == index) {
            self.guard.will(Change::pin(was, function, channel));
        }
    }

    /// Compares the clock before something moves it. Until that is entered it counts as unknown:
    /// whatever fails in between, the next settling finds it.
    fn open(&mut self) -> Result<(bool, Comparison), Stop> {
        if let Some(why) = &self.must_not_move {
            return skip(why.clone());
        }
        self.touched.time = true;
        let before = self.comparator.compare()?;
        let is_first = self.open.is_none();
        if is_first {
            self.open = Some((self.displaced, before));
            self.tell();
        }
        Ok((is_first, before))
    }

    /// Enters a move: what was expected, or what was measured where it can't have been that.
    fn enter(&mut self, is_first: bool, expected: i128, moved: Move) {
        // Within something larger that is unknown it is measured with that.
        if !is_first {
            return;
        }
        self.open = None;
        if (expected - moved.middle).abs() <= moved.bound {
            self.displaced += expected;
        } else {
            self.displaced += moved.middle;
            self.uncertainty += moved.bound;
        }
        self.tell();
    }

    /// Does something that moves the clock by nobody knows how much. What all of a group did
    /// together is measured at its end.
    pub(super) fn disturb(&mut self, act: impl FnOnce(&mut Self) -> Verdict) -> Verdict {
        self.open()?;
        act(self)
    }

    /// Enters what was disturbed.
    fn settle(&mut self) -> Verdict {
        if let Some((displaced, before)) = self.open {
            let moved = self.moved(&before, &self.comparator.compare()?);
            self.open = None;
            self.displaced = displaced + moved.middle;
            self.uncertainty += moved.bound;
            self.tell();
        }
        Ok(())
    }

    /// Dials a frequency by the kernel's own number. What a driver can't do at all is skipped.
    pub(super) fn dial(&mut self, frequency: Frequency) -> Result<Result<(), Errno>, Stop> {
        let before = self.guard.change_of(Part::Frequency).cloned();
        self.touched.frequency = true;
        let was = self.comparator.dialled;
        self.guard.will_dial(was, frequency);
        let answer = self.comparator.clock.ask_to_dial(frequency);
        if answer == Err(Errno::EOPNOTSUPP) {
            self.guard.put_note(Part::Frequency, before);
            return skip("the driver can't be dialled");
        }
        self.comparator.beside = frequency.micro_ppb() - was.micro_ppb();
        Ok(answer)
    }

    /// Goes at another frequency for a while, and enters how far that moved the clock.
    pub(super) fn at_frequency<T>(
        &mut self,
        frequency: Frequency,
        act: impl FnOnce(&mut Self) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let (is_first, from) = self.open()?;
        let dialled = self.dial(frequency)?;
        let off = self.comparator.beside;
        let began = self.comparator.clock.monotonic()?;
        if let Err(errno) = dialled {
            return Err(Stop::Wrong(format!("{frequency:+} was refused: {errno:?}")));
        }
        let outcome = act(self);
        let ended = self.comparator.clock.monotonic()?;
        self.put_back_frequency()?;
        let moved = self.moved(&from, &self.comparator.compare()?);
        self.enter(is_first, per_second(off, ended - began), moved);
        outcome
    }

    fn moved(&self, before: &Comparison, after: &Comparison) -> Move {
        // Meanwhile the clock went at its own rate.
        let dialled = self.comparator.dialled.micro_ppb();
        let rate = self.comparator.rate.unwrap_or(exactly(dialled));
        let over = |rate: i128| per_second(rate, after.at - before.at);
        let middle = after.middle() - before.middle() - over(rate.middle().micro_ppb());
        Move { middle, bound: after.bound() + before.bound() + over(rate.bound().micro_ppb()) }
    }

    /// Steps the clock, with whatever the driver makes of it.
    pub(super) fn step(&mut self, by: i128) -> Result<Move, Stop> {
        let offset = Offset::from_nanoseconds(i64::try_from(by).unwrap_or(i64::MAX));
        let (is_first, before) = self.open()?;
        let outcome = self.comparator.clock.phc.step(offset);
        let moved = self.moved(&before, &self.comparator.compare()?);
        // What was refused has moved nothing.
        self.enter(is_first, if outcome.is_ok() { by } else { 0 }, moved);
        match outcome {
            Err(error) if error.errno() == Some(Errno::EOPNOTSUPP) => {
                skip("the driver can't step it")
            }
            outcome => Ok(outcome.map(|()| moved)?),
        }
    }

    /// Puts the frequency and then the time back to where it would be; tells how far off it is,
    /// and how far what was measured may be off.
    pub(super) fn give_back(&mut self) -> Result<(i128, i128), Stop> {
        // As long as something goes on moving the clock there is nothing to settle.
        self.guard.put_back_phase()?;
        self.put_back_frequency()?;
        self.settle()?;
        for attempt in 0..6 {
            let displaced = self.displaced;
            if displaced.abs() <= ENOUGH {
                break;
            }
            // A driver whose steps are wrong may set the clock right.
            self.give_back_once(-displaced, attempt > 2)?;
        }
        Ok((self.displaced.abs(), self.uncertainty))
    }

    /// Moves the clock, also after a signal, and enters how far it went.
    fn give_back_once(&mut self, by: i128, set: bool) -> Verdict {
        let offset = Offset::from_nanoseconds(i64::try_from(by).unwrap_or(i64::MAX));
        let (is_first, before) = self.open()?;
        let outcome = if set {
            let to = self.comparator.clock.when_free(Phc::time)?.plus(offset);
            to.map_or(Ok(()), |to| self.comparator.clock.phc.set_time(to))
        } else {
            self.comparator.clock.phc.step(offset)
        };
        let moved = self.moved(&before, &self.comparator.compare()?);
        let uncertainty = self.uncertainty;
        self.enter(is_first, by, moved);
        // Going back again and again adds no uncertainty: each time the whole rest is measured.
        self.uncertainty = uncertainty.max(moved.bound);
        match outcome {
            // Setting comes next.
            Err(error) if !set && error.errno() == Some(Errno::EOPNOTSUPP) => Ok(()),
            outcome => Ok(outcome?),
        }
    }

    /// Dials what was dialled before.
    pub(super) fn put_back_frequency(&mut self) -> Verdict {
        self.guard.put_back_frequency()?;
        self.comparator.beside = 0;
        Ok(())
    }

    /// Puts everything back, as far as that works; answers the first failure.
    pub(super) fn put_back(&mut self) -> Verdict {
        let all_but_the_time = self.guard.put_back().map_err(Stop::from);
        if self.guard.change_of(Part::Frequency).is_none() {
            self.comparator.beside = 0;
        }
        all_but_the_time.and(self.give_back().and_then(|(off, _)| {
            let left = format!("the time is still off by {}", time(off));
            if off <= WORST { Ok(()) } else { Err(Stop::Wrong(left)) }
        }))
    }
}

impl Drop for Account<'_> {
    fn drop(&mut self) {
        // On the way out of a panic; after a run there is nothing left to do.
        let _ = self.give_back();
    }
}
