//! A clock that is changed for good.

use super::journal::settle;
use super::{Change, Guard, Journal, Part, Record};
use crate::phc::{Error, Phc, Pin, PinFunction};
use crate::{Frequency, Offset, TaiOffset, Timestamp, Unknown};
use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;

/// A permanent change that was made to a clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// Its time was set.
    Time(Timestamp<Unknown>),
    /// It was set to the system clock, with this TAI − UTC added.
    SystemTime(TaiOffset),
    /// It was stepped.
    Step(Offset),
    /// Its frequency was dialled.
    Frequency(Frequency),
    /// A phase offset was handed to its phase control.
    Phase(Offset),
    /// A pin got a function, as it is now.
    Pin(Pin),
    /// External timestamps of a channel were switched on, or off.
    Extts(u32, bool),
    /// A periodic output was switched on, or off.
    Perout(u32, bool),
    /// PPS to the kernel was switched on, or off.
    Pps(bool),
    /// The number of its virtual clocks was set.
    VirtualClocks(u32),
    /// The system clock was stepped, to the time of this clock.
    System(Offset),
}

/// All that was done, for the report at the end.
pub(crate) type Log = Rc<RefCell<Vec<Done>>>;

/// An open clock, for permanent changes. In a dry run it only checks whether they could be made.
/// Each change is logged. It also settles what other programs had left of the same part, which is
/// meant to be as it is now.
pub(crate) struct Writer {
    phc: Phc,
    is_dry: bool,
    log: Log,
}

/// Gives the methods that only look. A method that changes the clock has its counterpart here,
/// under the same name.
impl Deref for Writer {
    type Target = Phc;

    fn deref(&self) -> &Phc {
        &self.phc
    }
}

impl Writer {
    pub(crate) fn new(phc: Phc, is_dry: bool, log: &Log) -> Self {
        Self { phc, is_dry, log: Rc::clone(log) }
    }

    /// Whether this is a dry run, which changes nothing.
    pub(crate) fn is_dry(&self) -> bool {
        self.is_dry
    }

    /// Refuses to move a clock that runs freely below its virtual clocks.
    pub(crate) fn check_moves(&self) -> Result<(), Error> {
        match self.phc.free_below() {
            0 => Ok(()),
            number => Err(self.phc.runs_freely(number)),
        }
    }

    fn done(&self, done: Done, part: Option<Part>) {
        let mut log = self.log.borrow_mut();
        // A change of the same kind replaces the earlier one.
        log.retain(|before| std::mem::discriminant(before) != std::mem::discriminant(&done));
        log.push(done);
        if let Some(part) = part {
            settle(&self.phc, &[part]);
        }
    }

    /// As [`Phc::set_time`].
    pub(crate) fn set_time(&self, time: Timestamp<Unknown>) -> Result<(), Error> {
        self.write_time(time, Done::Time(time))
    }

    /// Sets the clock to a time that the system clock showed, with this TAI − UTC added.
    pub(crate) fn set_system_time(
        &self,
        time: Timestamp<Unknown>,
        shift: TaiOffset,
    ) -> Result<(), Error> {
        self.write_time(time, Done::SystemTime(shift))
    }

    fn write_time(&self, time: Timestamp<Unknown>, done: Done) -> Result<(), Error> {
        if self.is_dry {
            return self.phc.check_time(time).and_then(|()| self.check_moves());
        }
        self.phc.set_time(time)?;
        self.done(done, Some(Part::Time));
        Ok(())
    }

    /// As [`Phc::step`]. It doesn't settle a time that was left wrong: the correction of that time
    /// is a step, too.
    pub(crate) fn step(&self, offset: Offset) -> Result<(), Error> {
        if self.is_dry {
            return self.phc.check_step(offset).and_then(|()| self.check_moves());
        }
        self.phc.step(offset)?;
        self.done(Done::Step(offset), None);
        Ok(())
    }

    /// As [`Phc::set_frequency`].
    pub(crate) fn set_frequency(&self, frequency: Frequency) -> Result<(), Error> {
        if self.is_dry {
            return self.phc.check_frequency(frequency).and_then(|()| self.check_moves());
        }
        self.phc.set_frequency(frequency)?;
        self.done(Done::Frequency(frequency), Some(Part::Frequency));
        Ok(())
    }

    /// As [`Phc::adjust_phase`].
    pub(crate) fn adjust_phase(&self, offset: Offset) -> Result<Option<Offset>, Error> {
        if self.is_dry {
            let limit = self.phc.check_phase(offset)?;
            return self.check_moves().map(|()| limit);
        }
        let limit = self.phc.adjust_phase(offset)?;
        self.done(Done::Phase(offset), Some(Part::Phase));
        Ok(limit)
    }

    /// As [`Phc::set_pin`].
    pub(crate) fn set_pin(
        &self,
        pin: &Pin,
        function: PinFunction,
        channel: u32,
    ) -> Result<Option<Pin>, Error> {
        if self.is_dry {
            return self.phc.check_pin(pin, function, channel);
        }
        let loser = self.phc.set_pin(pin, function, channel)?;
        let now = Pin { function, channel, ..pin.clone() };
        self.done(Done::Pin(now), Some(Part::Pin(pin.index)));
        Ok(loser)
    }

    /// As [`Phc::disable_extts`].
    pub(crate) fn disable_extts(&self, channel: u32) -> Result<(), Error> {
        if self.is_dry {
            return self.phc.check_extts(channel);
        }
        self.phc.disable_extts(channel)?;
        self.done(Done::Extts(channel, false), Some(Part::Extts(channel)));
        Ok(())
    }

    /// As [`Phc::disable_perout`].
    pub(crate) fn disable_perout(&self, channel: u32) -> Result<(), Error> {
        if self.is_dry {
            return self.phc.check_perout_channel(channel);
        }
        self.phc.disable_perout(channel)?;
        self.done(Done::Perout(channel, false), Some(Part::Perout(channel)));
        Ok(())
    }

    /// As [`Phc::enable_pps`].
    pub(crate) fn enable_pps(&self, on: bool) -> Result<(), Error> {
        if self.is_dry {
            return self.phc.check_pps();
        }
        self.phc.enable_pps(on)?;
        self.done(Done::Pps(on), None);
        Ok(())
    }

    /// As [`Phc::set_virtual_clocks`].
    pub(crate) fn set_virtual_clocks(&self, number: u32) -> Result<(), Error> {
        if self.is_dry {
            return self.phc.check_virtual_clocks(number);
        }
        self.phc.set_virtual_clocks(number)?;
        self.done(Done::VirtualClocks(number), None);
        Ok(())
    }

    /// As [`Phc::step_system`].
    pub(crate) fn step_system(&self, offset: Offset) -> Result<(), Error> {
        if !self.is_dry {
            self.phc.step_system(offset)?;
            self.done(Done::System(offset), None);
        }
        Ok(())
    }

    /// A guard, for changes that are put back at its end unless they are kept.
    pub(crate) fn guard(&self, journal: Option<Journal>) -> Guard<'_> {
        Guard::new(&self.phc, journal.map(|journal| Box::new(journal) as Box<dyn Record>))
    }

    /// Logs what the kernel has switched off because these pins changed, for a failure to tell. It
    /// stays off: the kernel doesn't report how it was set up.
    pub(crate) fn switched_off<'a>(&self, pins: impl IntoIterator<Item = &'a Pin>) {
        for pin in pins {
            let done = match pin.function {
                PinFunction::Extts => Done::Extts(pin.channel, false),
                PinFunction::Perout => Done::Perout(pin.channel, false),
                _ => continue,
            };
            self.log.borrow_mut().push(done);
        }
    }

    /// Logs that an output was switched off, for a failure to tell.
    pub(crate) fn output_is_off(&self, channel: u32) {
        self.log.borrow_mut().push(Done::Perout(channel, false));
    }

    /// Makes the changes of a guard permanent.
    pub(crate) fn keep(&self, guard: &mut Guard<'_>) {
        for change in guard.keep() {
            let done = match change {
                Change::Extts(channel) => Done::Extts(channel, true),
                Change::Perout(channel) => Done::Perout(channel, true),
                Change::Pin { asked, .. } => match asked.last() {
                    Some(pin) => Done::Pin(pin.clone()),
                    None => continue,
                },
                Change::Time { .. } | Change::Frequency { .. } | Change::Phase => continue,
            };
            self.log.borrow_mut().push(done);
        }
    }
}
