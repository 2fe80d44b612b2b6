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
    /// Why the time must not be moved: it couldn't be moved back.
    pub(super) must_not_move: Option<String>,
    /// The pins as they were, or the error where they can't be read.
    pub(super) pins: Result<Vec<Pin>, Error>,
    /// What was changed at any time.
    pub(super) touched: Touched,
    /// What puts back all but the time.
    pub(super) guard: Guard<'a>,
    /// The clock − the system clock before the checks, where that could be read.
    beside_system: Option<Offset>,
    /// How far the clock is ahead of where it would be without the checks, in nanoseconds.
    displaced: i128,
    /// The sum of the uncertainties of all measurements that went into it.
    uncertainty: i128,
    /// Set while something has moved the clock by an unknown amount: the displacement before that,
    /// and a comparison from before.
    open: Option<(i128, Comparison)>,
}

/// How far something moved the clock, in nanoseconds: `middle`, give or take `bound`.
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

/// A clock that is off by less than this isn't stepped again, in nanoseconds.
const ENOUGH: i128 = 100;
/// A clock that is off by less than this counts as put back, in nanoseconds.
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

    /// Notes that a pin will be set. A pin that doesn't exist has nothing to put back.
    pub(super) fn will_set_pin(&mut self, index: u32, function: PinFunction, channel: u32) {
        self.touched.pins = true;
        if let Some(was) = self.pins.iter().flatten().find(|pin| pin.index == index) {
            self.guard.will(Change::pin(was, function, channel));
        }
    }

    /// Compares the clock before something moves it. The displacement counts as unknown until the
    /// move is entered. If something fails in between, the next call of `settle` measures the move.
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

    /// Enters a move: the expected one, or the measured one where the two contradict each other.
    fn enter(&mut self, is_first: bool, expected: i128, moved: Move) {
        // While a larger move is open, this one is measured as a part of it.
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

    /// Does something that moves the clock by an unknown amount. All such moves of a group are
    /// measured together at its end.
    pub(super) fn disturb(&mut self, act: impl FnOnce(&mut Self) -> Verdict) -> Verdict {
        self.open()?;
        act(self)
    }

    /// Measures and enters the moves that are still unknown.
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

    /// Dials a frequency in the kernel's own unit. Skips the check if the driver can't do it at
    /// all.
    pub(super) fn dial(&mut self, frequency: Frequency) -> Result<Result<(), Errno>, Stop> {
        let before = self.guard.change_of(Part::Frequency).cloned();
        self.touched.frequency = true;
        let was = self.comparator.dialled;
        self.guard.will_dial(was, frequency);
        let answer = self.comparator.clock.ask_to_dial(frequency);
        if answer == Err(Errno::EOPNOTSUPP) {
            self.guard.put_note(Part::Frequency, before);
            return skip("the driver can't adjust its frequency");
        }
        self.comparator.beside = frequency.micro_ppb() - was.micro_ppb();
        Ok(answer)
    }

    /// Lets the clock run at another frequency during `act`, and enters how far that moved the
    /// clock.
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

    /// Steps the clock, and measures how far the driver moved it.
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

    /// Puts the frequency back, and then the time to where it would be. Returns how far off the
    /// time is, and the uncertainty of that.
    pub(super) fn give_back(&mut self) -> Result<(i128, i128), Stop> {
        // First stop everything that still moves the clock. Then measure what is left.
        self.guard.put_back_phase()?;
        self.put_back_frequency()?;
        self.settle()?;
        for attempt in 0..6 {
            let displaced = self.displaced;
            if displaced.abs() <= ENOUGH {
                break;
            }
            // A driver whose steps are wrong may still set the clock correctly.
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
        // Repeated attempts add no uncertainty: each one measures the whole rest.
        self.uncertainty = uncertainty.max(moved.bound);
        match outcome {
            // It can't be stepped: a later attempt sets it.
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

    /// Puts everything back, as far as possible. Returns the first failure.
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
        // This runs during a panic. After a run there is nothing left to do.
        let _ = self.give_back();
    }
}
