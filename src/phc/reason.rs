//! Why something isn't even tried.

use super::{Edges, Pin, PinFunction};
use crate::kernel::Errno;
use crate::{Offset, Timestamp, Unknown};
use std::fmt;

/// Why this clock, or any clock, can't do what was asked, with the limits that are known.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A time before 1970, of which drivers make another time.
    BeforeEpoch,
    /// A time beyond 64 bits of nanoseconds, of which drivers make another time.
    BeyondNanoseconds,
    /// The frequency is beyond the clock's limit.
    Frequency {
        /// In ppb, either way.
        limit_ppb: i128,
    },
    /// A 32-bit kernel has 32 bits for a frequency. It would cut this one, and dial another.
    FrequencyBits,
    /// The clock has no phase control.
    NoPhaseControl,
    /// The phase offset is beyond the clock's limit.
    Phase {
        /// Either way.
        limit: Offset,
    },
    /// The phase offset is beyond the 32 bits that the kernel hands on.
    PhaseBits {
        /// The clock's own limit, where it is told.
        limit: Option<Offset>,
    },
    /// The clock gives the kernel no pulse per second.
    NoPps,
    /// The clock has no programmable pins.
    NoPins,
    /// No pin has that name.
    NoSuchPin {
        /// The pins that there are.
        pins: Vec<Pin>,
    },
    /// Several pins have that name.
    SeveralPins,
    /// The clock hasn't got this channel.
    NoChannel {
        /// Of which function.
        function: PinFunction,
        /// The one that was asked for.
        channel: u32,
        /// How many there are.
        channels: u32,
    },
    /// A channel mask has no place for it.
    BeyondMask {
        /// The last channel that it has a place for.
        last: u32,
    },
    /// The driver refuses to stamp these edges.
    Edges(Edges),
    /// Driver or kernel have no offset events.
    NoOffsetEvents,
    /// A period of 0, which would switch an output off.
    NoPeriod,
    /// A pulse that doesn't fit its period.
    PulseWidth {
        /// How long it is.
        width: Offset,
        /// The period.
        period: Offset,
    },
    /// A phase outside of its period.
    PhaseOfPeriod {
        /// The period.
        period: Offset,
    },
    /// An output would start in the past.
    StartInThePast {
        /// The start.
        start: Timestamp<Unknown>,
        /// What the clock shows.
        now: Timestamp<Unknown>,
    },
    /// The start and a period go beyond 64 bits of nanoseconds.
    StartBeyond {
        /// The start, where one was given.
        start: Option<Timestamp<Unknown>>,
    },
    /// Kernel or driver refuse a part of an output's request.
    PartOfOutput {
        /// The answer.
        errno: Errno,
        /// Whether a phase was asked for.
        phase: bool,
        /// Whether a pulse width was asked for.
        pulse_width: bool,
        /// Whether a single pulse was asked for.
        one_shot: bool,
    },
    /// It runs freely under its virtual clocks.
    RunsFreely {
        /// How many there are.
        virtual_clocks: u32,
    },
    /// More virtual clocks than there may be.
    VirtualClocks {
        /// The most that there may be.
        most: u32,
    },
    /// A virtual clock, or a kernel before 5.14, can't have virtual clocks.
    NoVirtualClocks,
    /// A system clock that the precise method never has.
    NotPrecise,
    /// A system clock that the basic method never has.
    NotBasic,
    /// The auxiliary clock is switched off, or the kernel has none.
    NoAuxiliaryClock,
    /// The kernel reads extended samples against realtime only.
    RealtimeOnly,
}

impl fmt::Display for Reason {
    #[expect(clippy::too_many_lines, reason = "a table: a sentence for each")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BeforeEpoch => {
                "that is before 1970, and the clock would show another time; the clock is untouched"
            }
            Self::BeyondNanoseconds => {
                "that is beyond 64 bits of nanoseconds, which end in the year 2262, and the clock \
                 would show another time (is it in seconds?); the clock is untouched"
            }
            Self::FrequencyBits => {
                "this kernel is of a 32-bit processor and dials frequencies up to ±32767999 ppb: \
                 it would cut this one and dial another; the clock is untouched"
            }
            Self::Frequency { limit_ppb } => {
                return write!(f, "this clock's limit is ±{limit_ppb} ppb; the clock is untouched");
            }
            Self::NoPhaseControl => {
                "this clock has no phase control: it can be stepped, or slewed by its frequency"
            }
            Self::Phase { limit } => {
                let limit = limit.nanoseconds();
                return write!(f, "this clock's limit is ±{limit} ns; the clock is untouched");
            }
            Self::PhaseBits { limit } => {
                f.write_str(
                    "a phase offset has 32 bits: the kernel would cut this one and write another. ",
                )?;
                let (whose, limit) = match limit {
                    Some(limit) => ("This clock's", limit.nanoseconds()),
                    None => ("The", i32::MAX.into()),
                };
                return write!(f, "{whose} limit is ±{limit} ns; the clock is untouched");
            }
            Self::NoPps => "this clock gives the kernel no PPS (caps)",
            Self::NoPins => "this clock has no programmable pins",
            Self::NoSuchPin { pins } => {
                let all: Vec<_> =
                    pins.iter().map(|pin| format!("{} ({})", pin.index, pin.name)).collect();
                return write!(f, "its pins are {}", all.join(", "));
            }
            Self::SeveralPins => "several pins have that name: use the index",
            Self::NoChannel { function, channel, channels } => {
                return no_channel(f, *function, *channel, *channels);
            }
            Self::BeyondMask { last } => return write!(f, "channels go up to {last}"),
            Self::Edges(Edges::Rising) => "the driver refuses to stamp rising edges",
            Self::Edges(Edges::Falling) => "the driver refuses to stamp falling edges",
            Self::Edges(Edges::Both) => "the driver refuses to stamp both edges",
            Self::NoOffsetEvents => {
                "the driver has no offset events with these edges, or the kernel (before 6.9) has \
                 none at all"
            }
            Self::NoPeriod => {
                "the period must be above 0; an output that is on has to be switched off"
            }
            Self::PulseWidth { width, period } => {
                return write!(f, "a pulse of {width} doesn't fit a period of {period}");
            }
            Self::PhaseOfPeriod { period } => {
                return write!(
                    f,
                    "the phase must be 0 or more and less than the period of {period}"
                );
            }
            Self::StartInThePast { start, now } => {
                return write!(f, "the start {start} is in the past: the clock is at {now}");
            }
            Self::StartBeyond { start: Some(start) } => {
                return write!(
                    f,
                    "the start {start} and a period go beyond 64 bits of nanoseconds, which end in \
                     the year 2262: a driver would wrap it and start at once (is it in seconds?)"
                );
            }
            Self::StartBeyond { start: None } => {
                "its start would be beyond 64 bits of nanoseconds, in the year 2262"
            }
            Self::PartOfOutput { errno, phase, pulse_width, one_shot } => {
                let parts = [
                    (phase, "a phase (give a start instead)"),
                    (pulse_width, "a pulse width"),
                    (one_shot, "a single pulse"),
                    // Drivers say no more where they take no start in some time either.
                    (&!phase, "the start"),
                ];
                let parts: Vec<_> =
                    parts.iter().filter(|(asked, _)| **asked).map(|(_, name)| *name).collect();
                let parts = parts.join(" or ");
                return write!(
                    f,
                    "the kernel or the driver refuses it ({errno:?}), probably for {parts}"
                );
            }
            Self::RunsFreely { virtual_clocks } => {
                let clocks = if *virtual_clocks == 1 { "clock" } else { "clocks" };
                return write!(
                    f,
                    "it has {virtual_clocks} virtual {clocks} and no cycle counter, so that it runs \
                     freely: control the virtual {clocks}, or remove them"
                );
            }
            Self::VirtualClocks { most } => {
                return write!(f, "the most is {most}; nothing has changed");
            }
            Self::NoVirtualClocks => {
                "neither a virtual clock nor a kernel before 5.14 can have them"
            }
            Self::NotPrecise => "the precise method reads only against realtime and monotonic-raw",
            Self::NotBasic => "the basic method reads the clock itself, and against realtime only",
            Self::NoAuxiliaryClock => {
                "the auxiliary clock is switched off, or this kernel (before 6.17) has none"
            }
            Self::RealtimeOnly => "this kernel (before 6.12) reads samples against realtime only",
        })
    }
}

fn no_channel(
    f: &mut fmt::Formatter<'_>,
    function: PinFunction,
    channel: u32,
    channels: u32,
) -> fmt::Result {
    match channels {
        0 => write!(f, "this clock has no {function} channels"),
        1 => write!(f, "there is no channel {channel}: the only {function} channel is 0"),
        _ => write!(
            f,
            "there is no channel {channel}: the {function} channels are 0 to {}",
            channels - 1
        ),
    }
}
