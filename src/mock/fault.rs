//! Faulty drivers and what each does wrong, to test the checks that find it.

use std::{fmt, str::FromStr};

/// One way in which a driver doesn't keep its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Fault {
    StuckTime,
    Backwards,
    Torn,
    Fast,
    SetPart,
    Set31Bits,
    StepPart,
    StepBack,
    StepCarry,
    FreqSign,
    FreqDouble,
    FreqLimit,
    PhaseLimit,
    BasicLate,
    PreciseLate,
    CapsSysfs,
    CapsPrecise,
    CapsPins,
    Version2,
    ReadOnly,
    PinLies,
    PinKeeps,
    PinSysfs,
    EdgesBoth,
    EventsOrder,
    EventsLost,
    OneReader,
    ExttsStays,
    PeroutPeriod,
    PeroutPhase,
    PeroutWidth,
    PeroutStays,
}

impl Fault {
    /// All faults: their names, and what the driver does.
    pub(super) const ALL: [(Self, &'static str, &'static str); 32] = [
        (Self::StuckTime, "stuck-time", "the time stands still"),
        (Self::Backwards, "backwards", "now and then a reading is 1 ms early"),
        (Self::Torn, "torn", "for the first 20 us of a second, the old second is shown"),
        (Self::Fast, "fast", "the clock is fast by 1 %"),
        (Self::SetPart, "set-part", "setting forgets the part of a second"),
        (Self::Set31Bits, "set-31-bits", "setting keeps 31 bits of the seconds"),
        (Self::StepPart, "step-part", "a step forwards forgets the part of a second"),
        (Self::StepBack, "step-back", "a step back by a part of a second goes a second too far"),
        (Self::StepCarry, "step-carry", "a step forwards across a second goes a second too far"),
        (Self::FreqSign, "freq-sign", "a frequency has the wrong sign"),
        (Self::FreqDouble, "freq-double", "a frequency has twice its effect"),
        (Self::FreqLimit, "freq-limit", "more than half of the largest frequency is refused"),
        (Self::PhaseLimit, "phase-limit", "more than half of the largest phase offset is refused"),
        (Self::BasicLate, "basic-late", "basic samples show the clock 10 ms late"),
        (Self::PreciseLate, "precise-late", "precise samples show the clock 10 ms late"),
        (Self::CapsSysfs, "caps-sysfs", "the caps promise an alarm that sysfs doesn't know"),
        (Self::CapsPrecise, "caps-precise", "the caps promise cross timestamps that don't work"),
        (Self::CapsPins, "caps-pins", "the caps promise a pin too many"),
        (Self::Version2, "version-2", "version 2 of the caps has a channel less"),
        (Self::ReadOnly, "read-only", "a handle that may only read can step and dial"),
        (Self::PinLies, "pin-lies", "pin 2 accepts a function, but doesn't have it then"),
        (Self::PinKeeps, "pin-keeps", "a pin keeps the function that another has taken"),
        (Self::PinSysfs, "pin-sysfs", "sysfs shows every pin without a function"),
        (Self::EdgesBoth, "edges-both", "both edges are stamped, whichever was asked for"),
        (Self::EventsOrder, "events-order", "now and then two events change places"),
        (Self::EventsLost, "events-lost", "every fifth event is lost"),
        (Self::OneReader, "one-reader", "events go to the first reader only"),
        (Self::ExttsStays, "extts-stays", "timestamps that are switched off stay on"),
        (Self::PeroutPeriod, "perout-period", "every other pulse is 50 us late"),
        (Self::PeroutPhase, "perout-phase", "an output starts 250 us late"),
        (Self::PeroutWidth, "perout-width", "an output is high for half of its period, always"),
        (Self::PeroutStays, "perout-stays", "an output that is switched off stays on"),
    ];
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().find(|(_, name, _)| *name == text).map(|(fault, ..)| *fault).ok_or_else(
            || {
                let names: Vec<_> = Self::ALL.iter().map(|(_, name, _)| *name).collect();
                format!("the faults are {}", names.join(", "))
            },
        )
    }
}

/// The faults that a driver has.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Faults(u64);

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.0 |= 1 << fault as u8;
    }

    pub(super) fn has(self, fault: Fault) -> bool {
        self.0 & 1 << fault as u8 != 0
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has = Fault::ALL.iter().filter(|(fault, ..)| self.has(*fault));
        f.debug_list().entries(has.map(|(_, name, _)| name)).finish()
    }
}

/// The names of the faulty drivers that a mock can be, for the setting `fault`, and what each
/// does wrong.
pub fn faults() -> impl Iterator<Item = (&'static str, &'static str)> {
    Fault::ALL.iter().map(|(_, name, about)| (*name, *about))
}
