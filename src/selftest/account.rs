//! What has to be put back: every change of the clock is entered here before it is made.

use super::bench::Bench;
use super::rates::{Comparison, exactly, must_be_near, per_second, time};
use super::{Change, Stop, Verdict, skip};
use crate::phc::Phc;
use crate::phc::{Error, Pin, PinFunction};
use crate::{Frequency, Offset};
use nix::errno::Errno;
use std::collections::{BTreeMap, BTreeSet};

/// The clock as it was, and what was changed since.
pub(super) struct Account<'a> {
    /// The frequency that was dialled.
    pub(super) frequency: Frequency,
    /// The pins; what reading them answered where they can't be read.
    pub(super) pins: Result<Vec<Pin>, Error>,
    /// What was changed at any time.
    pub(super) touched: Touched,
    /// The pins that were changed, with all that they were asked to be.
    changed_pins: BTreeMap<u32, Vec<(PinFunction, u32)>>,
    /// The channels that were switched on.
    extts: BTreeSet<u32>,
    perouts: BTreeSet<u32>,
    /// The frequencies that were asked for since, the last one last: which of them is dialled where
    /// a call failed nobody knows.
    dialled: Vec<Frequency>,
    /// Whether a phase offset may be written.
    phase: bool,
    /// How far the clock is ahead of where it would be, in nanoseconds.
    displaced: i128,
    /// The sum of the uncertainties of all measurements that went into it.
    uncertainty: i128,
    /// Before something moved the clock by nobody knows how much: what was displaced by then, and
    /// a comparison.
    open: Option<(i128, Comparison)>,
    /// Told of every change, before it is made.
    record: &'a mut dyn FnMut(&[Change]),
    recorded: Vec<Change>,
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
        frequency: Frequency,
        pins: Result<Vec<Pin>, Error>,
        record: &'a mut dyn FnMut(&[Change]),
    ) -> Self {
        Self {
            frequency,
            pins,
            touched: Touched::default(),
            changed_pins: BTreeMap::new(),
            extts: BTreeSet::new(),
            perouts: BTreeSet::new(),
            dialled: Vec::new(),
            phase: false,
            displaced: 0,
            uncertainty: 0,
            open: None,
            record,
            recorded: Vec::new(),
        }
    }

    /// What is dialled now beside what was before, in millionths of a ppb.
    pub(super) fn dialled_beside(&self) -> i128 {
        self.dialled.last().map_or(0, |now| now.micro_ppb() - self.frequency.micro_ppb())
    }

    /// All that is to be put back.
    fn changes(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        if !self.dialled.is_empty() {
            changes.push(Change::Frequency { was: self.frequency, asked: self.dialled.clone() });
        }
        if self.phase {
            changes.push(Change::Phase);
        }
        changes.extend(self.extts.iter().copied().map(Change::Extts));
        changes.extend(self.perouts.iter().copied().map(Change::Perout));
        for was in self.pins.iter().flatten() {
            if let Some(asked) = self.changed_pins.get(&was.index) {
                let pin = |&(function, channel): &_| Pin { function, channel, ..was.clone() };
                let asked = asked.iter().map(pin).collect();
                changes.push(Change::Pin { was: was.clone(), asked });
            }
        }
        // The last that is put right: until then it goes on going wrong.
        if self.open.is_some() || self.displaced.abs() > WORST {
            changes.push(Change::Time);
        }
        changes
    }

    /// Tells of what has to be put back, where that is another than before.
    fn tell(&mut self) {
        let changes = self.changes();
        if changes != self.recorded {
            (self.record)(&changes);
            self.recorded = changes;
        }
    }

    pub(super) fn will_dial(&mut self, frequency: Frequency) {
        if self.dialled.last() != Some(&frequency) {
            self.dialled.push(frequency);
        }
        self.touched.frequency = true;
        self.tell();
    }

    /// A dialling was refused by a driver that can't, or the frequency is as before.
    pub(super) fn nothing_is_dialled(&mut self) {
        self.dialled.clear();
        self.tell();
    }

    pub(super) fn will_write_phase(&mut self) {
        self.phase = true;
        self.tell();
    }

    pub(super) fn phase_is_written_back(&mut self) {
        self.phase = false;
        self.tell();
    }

    pub(super) fn will_set_pin(&mut self, index: u32, function: PinFunction, channel: u32) {
        let asked = self.changed_pins.entry(index).or_default();
        if !asked.contains(&(function, channel)) {
            asked.push((function, channel));
        }
        self.touched.pins = true;
        self.tell();
    }

    pub(super) fn will_enable_extts(&mut self, channel: u32) {
        self.extts.insert(channel);
        self.tell();
    }

    pub(super) fn will_enable_perout(&mut self, channel: u32) {
        self.perouts.insert(channel);
        self.tell();
    }

    pub(super) fn extts_is_off(&mut self, channel: u32) {
        self.extts.remove(&channel);
        self.tell();
    }

    pub(super) fn perout_is_off(&mut self, channel: u32) {
        self.perouts.remove(&channel);
        self.tell();
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
        if let Some(why) = &self.must_not_move {
            return skip(why.clone());
        }
        self.account.touched.time = true;
        let before = self.compare()?;
        let is_first = self.account.open.is_none();
        if is_first {
            self.account.open = Some((self.account.displaced, before));
            self.account.tell();
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
            self.account.uncertainty += moved.bound;
        }
        self.account.tell();
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
            self.account.uncertainty += moved.bound;
            self.account.tell();
        }
        Ok(())
    }

    /// Dials a frequency by the kernel's own number. What a driver can't do at all is skipped.
    pub(super) fn dial(&mut self, frequency: Frequency) -> Result<Result<(), Errno>, Stop> {
        let before = self.account.dialled.clone();
        self.account.will_dial(frequency);
        let answer = self.ask_to_dial(frequency);
        if answer == Err(Errno::EOPNOTSUPP) {
            self.account.dialled = before;
            self.account.tell();
            return skip("the driver can't be dialled");
        }
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
        let off = self.account.dialled_beside();
        let began = self.monotonic()?;
        if let Err(errno) = dialled {
            return Err(Stop::Wrong(format!("{frequency:+} was refused: {errno:?}")));
        }
        let outcome = act(self);
        let ended = self.monotonic()?;
        self.put_back_frequency()?;
        let moved = self.moved(&from, &self.compare()?);
        self.enter(is_first, per_second(off, ended - began), moved);
        outcome
    }

    fn moved(&self, before: &Comparison, after: &Comparison) -> Move {
        // Meanwhile the clock went at its own rate.
        let dialled = self.account.frequency.micro_ppb();
        let rate = self.rate.unwrap_or(exactly(dialled));
        let over = |rate: i128| per_second(rate, after.at - before.at);
        let middle = after.middle() - before.middle() - over(rate.middle().micro_ppb());
        Move { middle, bound: after.bound() + before.bound() + over(rate.bound().micro_ppb()) }
    }

    /// Steps the clock, with whatever the driver makes of it.
    fn step(&mut self, by: i128) -> Result<Move, Stop> {
        let offset = Offset::from_nanoseconds(i64::try_from(by).unwrap_or(i64::MAX));
        let (is_first, before) = self.open()?;
        let outcome = self.phc.step(offset);
        let moved = self.moved(&before, &self.compare()?);
        // What was refused has moved nothing.
        self.enter(is_first, if outcome.is_ok() { by } else { 0 }, moved);
        match outcome {
            Err(error) if error.errno() == Some(Errno::EOPNOTSUPP) => {
                skip("the driver can't step it")
            }
            outcome => Ok(outcome.map(|()| moved)?),
        }
    }

    /// Steps the clock, which must move as far as it was asked to.
    pub(super) fn must_step(&mut self, by: i128) -> Verdict {
        let moved = self.step(by)?;
        let bound = moved.bound;
        self.note(format!("asked {}, moved {} within {bound} ns", time(by), time(moved.middle)));
        must_be_near(moved.middle - by, bound, || {
            format!("a step by {} moved the clock by {}", time(by), time(moved.middle))
        })
    }

    /// Puts the frequency and then the time back to where it would be; tells how far off it is,
    /// and how far what was measured may be off.
    pub(super) fn give_back(&mut self) -> Result<(i128, i128), Stop> {
        // As long as something goes on moving the clock there is nothing to settle.
        self.put_back_phase()?;
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
        Ok((self.account.displaced.abs(), self.account.uncertainty))
    }

    /// Moves the clock, also after a signal, and enters how far it went.
    fn give_back_once(&mut self, by: i128, set: bool) -> Verdict {
        let offset = Offset::from_nanoseconds(i64::try_from(by).unwrap_or(i64::MAX));
        let (is_first, before) = self.open()?;
        let outcome = if set {
            let to = self.when_free(Phc::time)?.plus(offset);
            to.map_or(Ok(()), |to| self.phc.set_time(to))
        } else {
            self.phc.step(offset)
        };
        let moved = self.moved(&before, &self.compare()?);
        let uncertainty = self.account.uncertainty;
        self.enter(is_first, by, moved);
        // Going back again and again adds no uncertainty: each time the whole rest is measured.
        self.account.uncertainty = uncertainty.max(moved.bound);
        match outcome {
            // Setting comes next.
            Err(error) if !set && error.errno() == Some(Errno::EOPNOTSUPP) => Ok(()),
            outcome => Ok(outcome?),
        }
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
        for channel in self.account.extts.clone() {
            outcome = outcome.and(self.disable_extts(channel));
        }
        for channel in self.account.perouts.clone() {
            outcome = outcome.and(self.disable_perout(channel));
        }
        outcome
    }

    pub(super) fn disable_extts(&mut self, channel: u32) -> Verdict {
        self.phc.disable_extts(channel)?;
        self.account.extts_is_off(channel);
        Ok(())
    }

    pub(super) fn disable_perout(&mut self, channel: u32) -> Verdict {
        self.phc.disable_perout(channel)?;
        self.account.perout_is_off(channel);
        Ok(())
    }

    pub(super) fn put_back_pins(&mut self) -> Verdict {
        let account = &mut self.account;
        let mut outcome = Ok(());
        // Those that had nothing let go first, then the others get back what they had.
        for with_function in [false, true] {
            for pin in account.pins.iter().flatten() {
                if (pin.function != PinFunction::None) != with_function
                    || !account.changed_pins.contains_key(&pin.index)
                {
                    continue;
                }
                let put = self.phc.set_pin(pin, pin.function, pin.channel).map(drop);
                if put.is_ok() {
                    account.changed_pins.remove(&pin.index);
                }
                outcome = outcome.and(put);
            }
        }
        // A pin that there isn't has nothing to get back.
        let there: BTreeSet<_> = account.pins.iter().flatten().map(|pin| pin.index).collect();
        account.changed_pins.retain(|index, _| there.contains(index));
        account.tell();
        Ok(outcome?)
    }

    pub(super) fn put_back_frequency(&mut self) -> Verdict {
        if !self.account.dialled.is_empty() {
            self.phc.set_frequency(self.account.frequency)?;
            self.account.nothing_is_dialled();
        }
        Ok(())
    }

    pub(super) fn put_back_phase(&mut self) -> Verdict {
        if self.account.phase {
            self.phc.adjust_phase(Offset::ZERO)?;
            self.account.phase_is_written_back();
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
