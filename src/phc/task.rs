//! What a clock is asked to do.

use super::{PinFunction, SystemClock};
use crate::{Frequency, Offset, Timestamp, Unknown};
use std::fmt;

/// What a clock was asked to do. As text, it follows "can't" in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Task {
    /// Open the device.
    Open,
    /// Read the caps.
    ReadCaps,
    /// Read the time.
    ReadTime,
    /// Set the time.
    SetTime(Timestamp<Unknown>),
    /// Step the time.
    Step(Offset),
    /// Read the frequency.
    ReadFrequency,
    /// Set the frequency.
    SetFrequency(Frequency),
    /// Hand a phase offset to the clock's phase control.
    AdjustPhase(Offset),
    /// Set the time, step it or adjust the frequency.
    Change,
    /// Read precise samples against a system clock.
    ReadPreciseSamples(SystemClock),
    /// Read extended samples against a system clock.
    ReadExtendedSamples(SystemClock),
    /// Read basic samples.
    ReadBasicSamples,
    /// Find out whether extended samples can be read against a system clock.
    ProbeExtendedSamples(SystemClock),
    /// Find a pin by its name or index.
    FindPin(String),
    /// Read a pin's function.
    ReadPin(u32),
    /// Give a pin a function, or take its function away.
    SetPin {
        /// The pin's index.
        index: u32,
        /// The pin's name.
        name: String,
        /// The function.
        function: PinFunction,
        /// The function's channel.
        channel: u32,
    },
    /// Enable the external timestamps of a channel.
    EnableExtts(u32),
    /// Disable the external timestamps of a channel.
    DisableExtts(u32),
    /// Enable or disable the external timestamps of a channel.
    UseExtts(u32),
    /// Receive the events of some channels only.
    SelectChannels,
    /// Wait for events.
    Wait,
    /// Read events.
    ReadEvents,
    /// Enable the periodic output of a channel.
    EnablePerout {
        /// The channel.
        channel: u32,
        /// From pulse to pulse.
        period: Offset,
    },
    /// Disable the periodic output of a channel.
    DisablePerout(u32),
    /// Enable or disable the periodic output of a channel.
    UsePerout(u32),
    /// Enable the PPS.
    EnablePps,
    /// Disable the PPS.
    DisablePps,
    /// Enable or disable the PPS.
    UsePps,
    /// Read the number of virtual clocks.
    ReadVirtualClocks,
    /// List the virtual clocks.
    ListVirtualClocks,
    /// Set the number of virtual clocks.
    SetVirtualClocks(u32),
    /// Read the system's clock.
    ReadSystemTime,
    /// Read one of the system's clocks.
    ReadSystemClock(SystemClock),
    /// Read the system's monotonic clock.
    ReadMonotonic,
    /// Step the system's clock.
    StepSystem(Offset),
    /// Wait for a moment.
    Sleep,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("open the clock"),
            Self::ReadCaps => f.write_str("read its caps"),
            Self::ReadTime => f.write_str("read the time"),
            Self::SetTime(time) => write!(f, "set the time to {time}"),
            Self::Step(offset) => write!(f, "step by {offset:+}"),
            Self::ReadFrequency => f.write_str("read the frequency"),
            Self::SetFrequency(frequency) => write!(f, "set the frequency to {frequency:+}"),
            Self::AdjustPhase(offset) => {
                write!(f, "write a phase offset of {} ns", offset.nanoseconds())
            }
            Self::Change => f.write_str("set or adjust the clock"),
            Self::ReadPreciseSamples(clock) => write!(f, "read a precise sample against {clock}"),
            Self::ReadExtendedSamples(clock) => write!(f, "read extended samples against {clock}"),
            Self::ReadBasicSamples => f.write_str("read basic samples"),
            Self::ProbeExtendedSamples(clock) => {
                write!(f, "ask for extended samples against {clock}")
            }
            Self::FindPin(name) => write!(f, "find pin '{name}'"),
            Self::ReadPin(index) => write!(f, "read pin {index}"),
            Self::SetPin { index, name, function: PinFunction::None, .. } => {
                write!(f, "take its function from pin {index} ({name})")
            }
            Self::SetPin { index, name, function, channel } => {
                write!(f, "give pin {index} ({name}) the function {function}, channel {channel}")
            }
            Self::EnableExtts(channel) => {
                write!(f, "enable external timestamps of channel {channel}")
            }
            Self::DisableExtts(channel) => {
                write!(f, "disable external timestamps of channel {channel}")
            }
            Self::UseExtts(channel) => write!(f, "use external timestamps of channel {channel}"),
            Self::SelectChannels => f.write_str("receive the events of some channels only"),
            Self::Wait => f.write_str("wait for events"),
            Self::ReadEvents => f.write_str("read events"),
            Self::EnablePerout { channel, period } => {
                write!(f, "enable a periodic output of channel {channel} with a period of {period}")
            }
            Self::DisablePerout(channel) => {
                write!(f, "disable the periodic output of channel {channel}")
            }
            Self::UsePerout(channel) => {
                write!(f, "use the periodic output of channel {channel}")
            }
            Self::EnablePps => f.write_str("enable the PPS"),
            Self::DisablePps => f.write_str("disable the PPS"),
            Self::UsePps => f.write_str("change the PPS"),
            Self::ReadVirtualClocks => f.write_str("read its virtual clocks"),
            Self::ListVirtualClocks => f.write_str("list its virtual clocks"),
            Self::SetVirtualClocks(number) => {
                write!(f, "set the number of virtual clocks to {number}")
            }
            Self::ReadSystemTime => f.write_str("read the system clock"),
            Self::ReadSystemClock(clock) => write!(f, "read {clock}"),
            Self::ReadMonotonic => f.write_str("read the monotonic clock"),
            Self::StepSystem(offset) => write!(f, "step the system clock by {offset:+}"),
            Self::Sleep => f.write_str("wait"),
        }
    }
}
