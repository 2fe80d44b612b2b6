//! What stands between a machine and good time.
//!
//! Each [`Finding`] is one fault, with the facts that show it. Nothing is changed: files below /sys and
//! /proc are read, and clocks are opened read-only.

mod card;
mod clock;
mod known;
mod machine;
mod processors;
mod programs;

pub(crate) use processors::Processors;
pub(crate) use programs::Programs;

use crate::find::{Holder, Listed, Machine, Source};
use crate::kernel::{Errno, HardwareTimestamps};
use crate::phc::Phc;
use crate::{FittingScale, Frequency, Offset, TaiOffset, Timestamp, Unknown, Utc};

/// A fault of the machine, a clock or a card, and the facts that show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The clock shows a time before 1980.
    Unset { time: Timestamp<Unknown> },
    /// Several programs steer the clock.
    ClockFoughtOver { programs: Vec<Holder> },
    /// Several programs steer the system clock.
    SystemClockFoughtOver { programs: Vec<Holder> },
    /// The clock doesn't keep the time scale that is expected.
    OtherScale { expected: FittingScale, kept: Option<FittingScale>, offset: Offset },
    /// The clock can't be set or steered below its virtual clocks.
    RunsFreely { virtual_clocks: u32 },
    /// Something that the doctor looks at can't be read.
    NotRead { what: &'static str, why: String, errno: Option<Errno> },
    /// Its offset can't be measured.
    NotMeasured { why: String },
    /// Readings failed so often, at last for this reason.
    ReadingsFail { times: u32, why: String },
    /// The clock shows the same time again and again.
    StandsStill { time: Timestamp<Unknown> },
    /// A better method of reading it doesn't work.
    MethodPassedOver { why: String },
    /// The clock is far off its time scale, or keeps none.
    FarOff { scale: Option<&'static str>, off: Offset },
    /// An interface stamps no sent or no received packets.
    TimestampsOff { interface: String, timestamps: HardwareTimestamps },
    /// An interface stamps packets, but not PTP's.
    TimestampsOfOthers { interface: String, timestamps: HardwareTimestamps },
    /// The link of the clock's interface is down.
    LinkDown { interface: String },
    /// The interface of the clock is in another network namespace.
    InterfaceElsewhere { namespaces: Vec<String> },
    /// A kernel that is known to refuse every change with EBUSY.
    KernelRefusesChanges { release: String, source: &'static str },
    /// The dialled frequency is near the most that can be dialled.
    FrequencyNearLimit { frequency: Frequency, most_ppb: i32 },
    /// The kernel doesn't know TAI - UTC.
    NoTai { from_list: Option<TaiOffset> },
    /// The list of leap seconds has expired.
    LeapSeconds { path: String, expired: Timestamp<Utc> },
    /// The packets of an interface can be stamped in the MAC and in the PHY.
    TwoClocks { interface: String, clocks: Vec<(String, Option<Source>)> },
    /// The system clock isn't read from the processor's TSC.
    ClockSource { current: String, is_offered: bool },
    /// A card's interrupts come on isolated processors.
    Interrupts { interface: String, numbers: Vec<String>, processors: Processors },
    /// Received packets are handed to isolated processors.
    PacketSteering { interface: String, queues: Vec<String>, processors: Processors },
    /// The same for interfaces that are still to come.
    DefaultSteering { processors: Processors },
    /// Readings take longer than such a card's.
    SlowReadings { shortest: Offset, usual: Offset },
    /// Readings take long, and it isn't known whether they have to.
    LongReadings { shortest: Offset },
    /// Many readings take much longer than the shortest.
    UnevenReadings { shortest: Offset, tenth: Offset },
    /// Processors change their frequency while they work.
    Governor { governor: String, processors: Processors },
    /// The card limits readings: so many a second, to all programs together, where that is known.
    LimitedReadings { a_second: Option<u32> },
    /// The driver reports both edges of a signal, whichever was asked for.
    BothEdges { driver: String, source: &'static str },
}

impl Finding {
    /// A name that stays, for programs.
    pub(crate) const fn name(&self) -> &'static str {
        self.place().1
    }

    /// Whether it is a trait of the hardware, which programs have to live with.
    pub(crate) const fn is_a_trait(&self) -> bool {
        matches!(
            self,
            Self::LimitedReadings { .. }
                | Self::TwoClocks { .. }
                | Self::LongReadings { .. }
                | Self::BothEdges { .. }
        )
    }

    /// Where it comes, the worst first and traits last, and its name.
    const fn place(&self) -> (u8, &'static str) {
        match self {
            Self::StandsStill { .. } => (0, "stands-still"),
            Self::Unset { .. } => (1, "unset"),
            Self::ClockFoughtOver { .. } => (2, "clock-fought-over"),
            Self::SystemClockFoughtOver { .. } => (3, "system-clock-fought-over"),
            Self::OtherScale { .. } => (4, "other-scale"),
            Self::FarOff { .. } => (5, "far-off"),
            Self::RunsFreely { .. } => (6, "runs-freely"),
            Self::NotRead { .. } => (7, "not-read"),
            Self::NotMeasured { .. } => (8, "not-measured"),
            Self::ReadingsFail { .. } => (9, "readings-fail"),
            Self::TimestampsOff { .. } => (10, "timestamps-off"),
            Self::TimestampsOfOthers { .. } => (11, "timestamps-of-others"),
            Self::LinkDown { .. } => (12, "link-down"),
            Self::InterfaceElsewhere { .. } => (13, "interface-elsewhere"),
            Self::KernelRefusesChanges { .. } => (14, "kernel-refuses-changes"),
            Self::FrequencyNearLimit { .. } => (15, "frequency-near-limit"),
            Self::NoTai { .. } => (16, "no-tai"),
            Self::ClockSource { .. } => (17, "clock-source"),
            Self::Interrupts { .. } => (18, "interrupts"),
            Self::PacketSteering { .. } => (19, "packet-steering"),
            Self::DefaultSteering { .. } => (20, "default-steering"),
            Self::MethodPassedOver { .. } => (21, "method-passed-over"),
            Self::SlowReadings { .. } => (22, "slow-readings"),
            Self::UnevenReadings { .. } => (23, "uneven-readings"),
            Self::Governor { .. } => (24, "governor"),
            Self::LeapSeconds { .. } => (25, "leap-seconds"),
            Self::LimitedReadings { .. } => (26, "limited-readings"),
            Self::TwoClocks { .. } => (27, "two-clocks"),
            Self::LongReadings { .. } => (28, "long-readings"),
            Self::BothEdges { .. } => (29, "both-edges"),
        }
    }
}

/// A finding, and the clock that it is about, if it is about one.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) clock: Option<String>,
    pub(crate) finding: Finding,
}

/// What is found of a machine by its files.
pub(crate) fn of_machine(machine: &Machine, now: Timestamp<Utc>) -> Vec<Found> {
    let found = |finding| Found { clock: None, finding };
    machine::findings(machine, now).into_iter().map(found).collect()
}

/// What is found of a clock and its card. `all` are the clocks of the machine, and `expected` is the
/// time scale that it is to keep.
pub(crate) fn of_clock(
    phc: &Phc,
    all: &[Listed],
    machine: &Machine,
    expected: Option<FittingScale>,
) -> Vec<Found> {
    let path = std::fs::canonicalize(&phc.name().device).unwrap_or_default();
    let listed = all.iter().find(|listed| path.as_os_str() == listed.device.as_str());
    let of_clock = clock::findings(phc, listed, machine, expected);
    let of_card = listed.map(|listed| card::findings(listed, all, machine));
    let found = |finding| Found { clock: Some(phc.name().device.clone()), finding };
    of_clock.into_iter().chain(of_card.into_iter().flatten()).map(found).collect()
}

/// The worst first.
pub(crate) fn sort(all: &mut [Found]) {
    all.sort_by_key(|found| found.finding.place().0);
}
