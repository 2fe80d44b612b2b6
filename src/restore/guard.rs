//! What puts everything back at the end.

use super::{Change, Part};
#[cfg(feature = "cli")]
use crate::kernel::Version;
use crate::phc::{Error, ExttsRequest, Perout, PeroutLoss, Phc, Pin, PinFunction};
use crate::{Frequency, Offset};

/// A record of all that is changed and not put back yet. It is told of each change before the
/// change is made.
pub(crate) trait Record {
    /// Replaces the record: this is all that is changed now.
    fn now(&mut self, changes: &[Change]);

    /// Records that these parts are as they are meant to be, whichever program had changed them.
    fn settle(&self, _phc: &Phc, _parts: &[Part]) {}

    /// The changes of other programs that run, have changed this part, too, and will put it back.
    #[cfg(feature = "cli")]
    fn of_the_living(&self, _part: Part) -> Vec<Change> {
        Vec::new()
    }

    /// Notes that the program is about to put these back. Returns what other running programs that
    /// have changed this part, too, will put back at their own end.
    #[cfg(feature = "cli")]
    fn leave(&mut self, _changes: &[Change], _part: Part) -> Vec<Change> {
        Vec::new()
    }

    /// Ends the record. These changes could not be put back.
    fn end(&mut self, _phc: &Phc, _left: &[Change]) {}
}

/// Passes all changes to a function.
impl Record for &mut dyn FnMut(&[Change]) {
    fn now(&mut self, changes: &[Change]) {
        self(changes);
    }
}

/// Temporary changes of a clock. Each change is noted here and in the record before it is made.
/// When the guard is dropped, also during a panic, it puts back what is still changed.
pub(crate) struct Guard<'a> {
    pub(super) phc: &'a Phc,
    /// In the order in which they were made, one for each part.
    pub(super) changes: Vec<Change>,
    /// The pins that other programs had changed before, as they were before that.
    #[cfg(feature = "cli")]
    pub(super) adopted: Vec<Change>,
    pub(super) record: Option<Box<dyn Record + 'a>>,
    /// What the record was told last.
    told: Vec<Change>,
}

impl<'a> Guard<'a> {
    /// A guard without changes. Without a record, nothing reports later what a killed program has
    /// left.
    pub(crate) fn new(phc: &'a Phc, record: Option<Box<dyn Record + 'a>>) -> Self {
        Self {
            phc,
            changes: Vec::new(),
            #[cfg(feature = "cli")]
            adopted: Vec::new(),
            record,
            told: Vec::new(),
        }
    }

    pub(crate) fn change_of(&self, part: Part) -> Option<&Change> {
        self.changes.iter().find(|change| change.part() == part)
    }

    /// Notes a change that will be made.
    pub(crate) fn will(&mut self, change: Change) {
        self.note(change);
        self.tell();
    }

    pub(super) fn note(&mut self, change: Change) {
        match self.changes.iter_mut().find(|known| known.part() == change.part()) {
            Some(known) => known.and(change),
            None => self.changes.push(change),
        }
    }

    /// Removes the note of a part, which is as before or as it is meant to be.
    pub(crate) fn forget(&mut self, part: Part) {
        self.put_note(part, None);
    }

    /// Puts the note of a part back to what it was, because the change was refused and not made.
    pub(crate) fn put_note(&mut self, part: Part, before: Option<Change>) {
        match (self.changes.iter().position(|change| change.part() == part), before) {
            (Some(at), Some(before)) => self.changes.splice(at..=at, [before]).for_each(drop),
            (Some(at), None) => drop(self.changes.remove(at)),
            (None, before) => self.changes.extend(before),
        }
        self.tell();
    }

    pub(super) fn tell(&mut self) {
        let mut changes = self.changes.clone();
        changes.sort_by_key(|change| change.part().rank());
        if changes != self.told
            && let Some(record) = &mut self.record
        {
            record.now(&changes);
            self.told = changes;
        }
    }

    fn settle(&self, part: Part) {
        if let Some(record) = &self.record {
            record.settle(self.phc, &[part]);
        }
    }

    /// Gives a pin a function. Returns the pin that lost it.
    pub(crate) fn set_pin(
        &mut self,
        pin: &Pin,
        function: PinFunction,
        channel: u32,
    ) -> Result<Option<Pin>, Error> {
        if let Some(loser) = self.phc.check_pin(pin, function, channel)? {
            self.note(Change::pin(&loser, PinFunction::None, 0));
        }
        self.will(Change::pin(pin, function, channel));
        self.phc.set_pin(pin, function, channel)
    }

    /// Switches external timestamps on. Returns whether the driver was asked strictly.
    pub(crate) fn enable_extts(&mut self, request: ExttsRequest) -> Result<bool, Error> {
        self.will(Change::Extts(request.channel));
        self.phc.enable_extts(request)
    }

    /// Switches external timestamps on by one request with these flags.
    #[cfg(feature = "cli")]
    pub(crate) fn request_extts(
        &mut self,
        version: Version,
        channel: u32,
        flags: u32,
    ) -> Result<(), Error> {
        self.unless_refused(Change::Extts(channel), |phc| {
            phc.request_extts_once(version, channel, flags)
        })
    }

    /// Switches a channel off, whichever program switched it on.
    pub(crate) fn disable_extts(&mut self, channel: u32) -> Result<(), Error> {
        self.phc.disable_extts(channel)?;
        self.forget(Part::Extts(channel));
        self.settle(Part::Extts(channel));
        Ok(())
    }

    /// Switches a periodic output on. Returns what the driver left out of the request. If the
    /// driver refuses the request, the output stays as it was.
    pub(crate) fn enable_perout(&mut self, perout: Perout) -> Result<PeroutLoss, Error> {
        self.unless_refused(Change::Perout(perout.channel), |phc| phc.enable_perout(perout))
    }

    /// Notes a change and asks for it. If it is refused, the note is as before.
    fn unless_refused<T>(
        &mut self,
        change: Change,
        ask: impl FnOnce(&Phc) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let part = change.part();
        let before = self.change_of(part).cloned();
        self.will(change);
        ask(self.phc).inspect_err(|error| {
            if error.is_refusal() {
                self.put_note(part, before);
            }
        })
    }

    /// Switches an output off, whichever program switched it on.
    pub(crate) fn disable_perout(&mut self, channel: u32) -> Result<(), Error> {
        self.phc.disable_perout(channel)?;
        self.forget(Part::Perout(channel));
        self.settle(Part::Perout(channel));
        Ok(())
    }

    /// Notes that a frequency will be dialled.
    pub(crate) fn will_dial(&mut self, was: Frequency, frequency: Frequency) {
        self.will(Change::Frequency { was, asked: vec![frequency] });
    }

    /// Dials a frequency.
    #[cfg(feature = "cli")]
    pub(crate) fn dial(&mut self, was: Frequency, frequency: Frequency) -> Result<(), Error> {
        self.unless_refused(Change::Frequency { was, asked: vec![frequency] }, |phc| {
            phc.set_frequency(frequency)
        })
    }

    /// Puts everything but the time back, as far as possible. Returns the first failure. What
    /// failed stays noted.
    pub(crate) fn put_back(&mut self) -> Result<(), Error> {
        let outcomes = [
            self.put_back_channels(),
            self.put_back_pins(),
            self.put_back_phase(),
            self.put_back_frequency(),
        ];
        outcomes.into_iter().collect()
    }

    /// Switches off the channels that were switched on.
    pub(crate) fn put_back_channels(&mut self) -> Result<(), Error> {
        let mut outcome = Ok(());
        for change in self.changes.clone() {
            outcome = outcome.and(match change {
                Change::Extts(channel) => self.disable_extts(channel),
                Change::Perout(channel) => self.disable_perout(channel),
                _ => Ok(()),
            });
        }
        outcome
    }

    /// Gives the pins their earlier functions back, the last changed pin first. Pins that had no
    /// function come before the others, so that they release the channels that the others need.
    pub(crate) fn put_back_pins(&mut self) -> Result<(), Error> {
        let mut pins: Vec<_> = self.changes.iter().rev().filter_map(pin_before).cloned().collect();
        pins.sort_by_key(|pin| pin.function != PinFunction::None);
        let mut outcome = Ok(());
        for pin in pins {
            let put_back = self.phc.set_pin(&pin, pin.function, pin.channel).map(drop);
            if put_back.is_ok() {
                self.forget(Part::Pin(pin.index));
            }
            outcome = outcome.and(put_back);
        }
        outcome
    }

    /// Writes a phase offset of 0, to end one that the clock may still be taking out.
    pub(crate) fn put_back_phase(&mut self) -> Result<(), Error> {
        if self.change_of(Part::Phase).is_some() {
            self.phc.adjust_phase(Offset::ZERO)?;
            self.forget(Part::Phase);
        }
        Ok(())
    }

    /// Dials what was dialled before.
    pub(crate) fn put_back_frequency(&mut self) -> Result<(), Error> {
        if let Some(Change::Frequency { was, .. }) = self.change_of(Part::Frequency) {
            self.phc.set_frequency(*was)?;
            self.forget(Part::Frequency);
        }
        Ok(())
    }

    /// Ends the guard. Returns what could not be put back, which stays in the record.
    pub(crate) fn finish(&mut self) -> Vec<Change> {
        let left = std::mem::take(&mut self.changes);
        if let Some(mut record) = self.record.take() {
            record.end(self.phc, &left);
        }
        left
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // The failure that led here is reported instead.
        let _ = self.put_back();
        self.finish();
    }
}

/// The pin as it was, if the change is one of a pin.
pub(super) fn pin_before(change: &Change) -> Option<&Pin> {
    match change {
        Change::Pin { was, .. } => Some(was),
        _ => None,
    }
}
