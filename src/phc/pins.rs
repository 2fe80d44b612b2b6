//! Programmable pins.

use super::{Error, Phc, Reason, Task};
use crate::kernel::uapi::{
    PTP_PF_EXTTS, PTP_PF_NONE, PTP_PF_PEROUT, PTP_PF_PHYSYNC, pin_desc, pin_name, ptp_pin_desc,
};
use crate::kernel::{Call, Version};
use std::fmt;

/// What a pin is used for.
#[doc(alias = "ptp_pin_function")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinFunction {
    /// Nothing.
    None,
    /// Input of external timestamps.
    Extts,
    /// Periodic output.
    Perout,
    /// Synchronisation of the PHY.
    Physync,
    /// A function that this program doesn't know.
    Other(u32),
}

impl PinFunction {
    /// The functions that can be asked for.
    pub const ALL: [Self; 4] = [Self::None, Self::Extts, Self::Perout, Self::Physync];

    /// From the kernel's number.
    pub fn from_kernel(number: u32) -> Self {
        match number {
            PTP_PF_NONE => Self::None,
            PTP_PF_EXTTS => Self::Extts,
            PTP_PF_PEROUT => Self::Perout,
            PTP_PF_PHYSYNC => Self::Physync,
            other => Self::Other(other),
        }
    }

    /// The kernel's number.
    pub fn to_kernel(self) -> u32 {
        match self {
            Self::None => PTP_PF_NONE,
            Self::Extts => PTP_PF_EXTTS,
            Self::Perout => PTP_PF_PEROUT,
            Self::Physync => PTP_PF_PHYSYNC,
            Self::Other(number) => number,
        }
    }
}

impl fmt::Display for PinFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Extts => f.write_str("extts"),
            Self::Perout => f.write_str("perout"),
            Self::Physync => f.write_str("physync"),
            Self::Other(number) => write!(f, "function {number}"),
        }
    }
}

/// A pin and its present use.
#[doc(alias = "ptp_pin_desc")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The pin's number.
    pub index: u32,
    /// The driver's name for it.
    pub name: String,
    /// What it is used for.
    pub function: PinFunction,
    /// For which channel of that function.
    pub channel: u32,
}

impl Pin {
    /// Whether the pin has a function with this channel.
    pub(crate) fn has(&self, function: PinFunction, channel: u32) -> bool {
        (self.function, self.channel) == (function, channel)
    }
}

impl From<&ptp_pin_desc> for Pin {
    fn from(pin: &ptp_pin_desc) -> Self {
        Self {
            index: pin.index,
            name: String::from_utf8_lossy(&pin_name(pin)).into_owned(),
            function: PinFunction::from_kernel(pin.func),
            channel: pin.chan,
        }
    }
}

impl Phc {
    /// All pins, in order. Wraps `PTP_PIN_GETFUNC`.
    ///
    /// # Errors
    ///
    /// `ENODEV` where the clock has gone.
    #[doc(alias = "PTP_PIN_GETFUNC")]
    pub fn pins(&self) -> Result<Vec<Pin>, Error> {
        let number = self.caps()?.pins;
        let pin = |index| {
            let mut pin = pin_desc(index, 0, 0);
            self.call(&Task::ReadPin(index), Call::PinGetFunc, || {
                self.calls.pin_getfunc(Version::V1, &mut pin)
            })?;
            // Some drivers leave the index of their table at 0.
            Ok(Pin { index, ..Pin::from(&pin) })
        };
        (0..number).map(pin).collect()
    }

    /// The pin that people call `name`: its index, or else the driver's name for it.
    ///
    /// # Errors
    ///
    /// [`Error::Unable`] where the clock has no such pin, or two of that name.
    pub fn find_pin(&self, name: &str) -> Result<Pin, Error> {
        let asked = &Task::FindPin(name.to_owned());
        let pins = self.pins()?;
        let by_index = name.bytes().all(|byte| byte.is_ascii_digit());
        let mut named = pins
            .iter()
            .filter(|pin| pin.name == name || (by_index && name.parse() == Ok(pin.index)));
        match (named.next(), named.next()) {
            (Some(pin), None) => Ok(pin.clone()),
            (Some(_), Some(_)) => Err(self.unable(asked, Reason::SeveralPins)),
            (None, _) if pins.is_empty() => Err(self.unable(asked, Reason::NoPins)),
            (None, _) => Err(self.unable(asked, Reason::NoSuchPin { pins })),
        }
    }

    /// Gives `pin` a function and a channel. Wraps `PTP_PIN_SETFUNC`.
    ///
    /// Returns the other pin that had both and has lost them to this one.
    ///
    /// # Errors
    ///
    /// [`Error::Unable`] for a channel that the clock doesn't have; `EACCES` on a read-only
    /// handle, `EOPNOTSUPP` where the driver can't use the pin like this, `ENODEV` where the clock
    /// has gone.
    #[doc(alias = "PTP_PIN_SETFUNC")]
    pub fn set_pin(
        &self,
        pin: &Pin,
        function: PinFunction,
        channel: u32,
    ) -> Result<Option<Pin>, Error> {
        let loser = self.check_pin(pin, function, channel)?;
        let asked = set_pin(pin, function, channel);
        let request = pin_desc(pin.index, function.to_kernel(), channel);
        let call = || self.calls.pin_setfunc(Version::V1, &request);
        self.call(&asked, Call::PinSetFunc, call)?;
        Ok(loser)
    }

    /// Refuses a channel that this clock doesn't have; returns the pin that [`Phc::set_pin`]
    /// would take the function from.
    ///
    /// # Errors
    ///
    /// The first of [`Phc::set_pin`].
    pub fn check_pin(
        &self,
        pin: &Pin,
        function: PinFunction,
        channel: u32,
    ) -> Result<Option<Pin>, Error> {
        let channels = match function {
            PinFunction::Extts => self.caps()?.extts_channels,
            PinFunction::Perout => self.caps()?.perout_channels,
            PinFunction::Physync => 1,
            // Without a function, the channel means nothing; some drivers still begin with one.
            PinFunction::None | PinFunction::Other(_) => u32::MAX,
        };
        if channel >= channels {
            let why = Reason::NoChannel { function, channel, channels };
            return Err(self.unable(&set_pin(pin, function, channel), why));
        }
        if function == PinFunction::None {
            return Ok(None);
        }
        Ok(self
            .pins()?
            .into_iter()
            .find(|other| other.index != pin.index && other.has(function, channel)))
    }
}

fn set_pin(pin: &Pin, function: PinFunction, channel: u32) -> Task {
    Task::SetPin { index: pin.index, name: pin.name.clone(), function, channel }
}
