//! What several programs have changed together. The program that ends last puts it back.

use super::guard::pin_before;
use super::journal::settle;
use super::{Change, Guard, Part};
use crate::phc::{Error, ExttsRequest, Pin};

impl Guard<'_> {
    /// Shares a part with other programs that have changed it, too. The program that ends last puts
    /// it back, with the pins that the others changed for it.
    pub(crate) fn share(&mut self, part: Part) -> Result<(), Error> {
        let before = self.of_the_living(part);
        if before.iter().all(|change| pin_before(change).is_none()) {
            return Ok(());
        }
        let pins = self.phc.pins()?;
        for was in before.iter().filter_map(pin_before) {
            if let Some(now) = pins.iter().find(|pin| pin.index == was.index) {
                let was = Pin { function: was.function, channel: was.channel, ..now.clone() };
                self.adopted.push(Change::pin(&was, now.function, now.channel));
            }
        }
        for change in self.adopted.clone() {
            self.note(change);
        }
        Ok(())
    }

    /// Switches shared external timestamps on. If that fails, the channel and the pins of the
    /// others stay with the others, unless they have left them to this program meanwhile.
    pub(crate) fn enable_shared_extts(&mut self, request: ExttsRequest) -> Result<bool, Error> {
        let part = Part::Extts(request.channel);
        let enabled = self.enable_extts(request);
        if enabled.is_err() && (self.adopted.is_empty() || !self.of_the_living(part).is_empty()) {
            self.disown();
            self.forget(part);
        }
        enabled
    }

    /// Undoes the sharing: leaves the pins that other programs had changed as those programs have
    /// them.
    pub(crate) fn disown(&mut self) {
        for change in std::mem::take(&mut self.adopted) {
            let Change::Pin { asked, .. } = &change else { continue };
            self.changes.retain(|own| *own != change);
            // If this program has changed the pin, too, it puts back what the others had set.
            if let (Some(now), Some(Change::Pin { was, .. })) =
                (asked.first(), self.changes.iter_mut().find(|own| own.part() == change.part()))
            {
                *was = now.clone();
            }
        }
    }

    /// Leaves a shared part, with the pins, to other running programs, which will put it back.
    /// Returns whether there are any. A change that they don't know of can't be put back while they
    /// use the part: it stays in the journal.
    pub(crate) fn leave(&mut self, part: Part) -> bool {
        let Some(record) = &mut self.record else { return false };
        let others = record.leave(&self.changes, part);
        if others.is_empty() {
            return false;
        }
        self.changes.retain(|own| others.iter().all(|other| other.part() != own.part()));
        self.finish();
        true
    }

    fn of_the_living(&self, part: Part) -> Vec<Change> {
        self.record.as_ref().map_or(Vec::new(), |record| record.of_the_living(part))
    }

    /// Leaves everything as it is now, so that no program has to put it back. Returns what stays.
    pub(super) fn keep(&mut self) -> Vec<Change> {
        let kept = std::mem::take(&mut self.changes);
        self.tell();
        let parts: Vec<_> = kept.iter().map(Change::part).collect();
        settle(self.phc, &parts);
        kept
    }
}
