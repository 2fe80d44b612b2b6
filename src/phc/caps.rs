//! What a clock says that it can do.

use super::{Error, Phc, Task};
use crate::Offset;
use crate::kernel::{Call, Version};

/// The kernel's answer to `PTP_CLOCK_GETCAPS`.
#[doc(alias = "PTP_CLOCK_GETCAPS")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// The largest frequency offset, in parts per billion, either way.
    #[doc(alias = "max_adj")]
    pub max_frequency_ppb: i32,
    /// Programmable alarms.
    #[doc(alias = "n_alarm")]
    pub alarms: u32,
    /// External timestamp channels.
    #[doc(alias = "n_ext_ts")]
    pub extts_channels: u32,
    /// Periodic output channels.
    #[doc(alias = "n_per_out")]
    pub perout_channels: u32,
    /// Whether the clock can give the kernel a pulse per second.
    pub pps: bool,
    /// Programmable pins.
    #[doc(alias = "n_pins")]
    pub pins: u32,
    /// Whether the clock and a system clock can be read at one instant.
    pub cross_timestamping: bool,
    /// Whether the clock takes phase offsets.
    pub phase_control: PhaseControl,
}

/// What the caps say about phase control.
#[doc(alias = "adjust_phase")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhaseControl {
    /// The clock has none. A phase offset must never be sent: some kernels crash on it.
    NotOffered,
    /// The clock has it.
    Offered {
        /// The largest phase offset, either way; `None` where the kernel doesn't tell (before 6.5).
        #[doc(alias = "max_phase_adj")]
        limit: Option<Offset>,
    },
}

impl PhaseControl {
    /// The largest phase offset, either way, where there is one and the kernel tells it.
    pub fn limit(self) -> Option<Offset> {
        match self {
            Self::NotOffered => None,
            Self::Offered { limit } => limit,
        }
    }

    /// Whether the clock takes phase offsets.
    pub fn is_offered(self) -> bool {
        self != Self::NotOffered
    }
}

impl Phc {
    /// What the clock says that it can do, asked for once. Wraps `PTP_CLOCK_GETCAPS`.
    ///
    /// # Errors
    ///
    /// `ENOTTY` where the device is no PHC, `ENODEV` where the clock has gone.
    #[doc(alias = "PTP_CLOCK_GETCAPS")]
    pub fn caps(&self) -> Result<Caps, Error> {
        if let Some(known) = self.caps.get() {
            return Ok(*known);
        }
        let caps = self.ask_for_caps()?;
        Ok(*self.caps.get_or_init(|| caps))
    }

    fn ask_for_caps(&self) -> Result<Caps, Error> {
        let call = || self.calls.getcaps(Version::V1);
        let caps = self.call(&Task::ReadCaps, Call::GetCaps, call)?;
        let count = |number: libc::c_int| u32::try_from(number).unwrap_or(0);
        let phase_control = match (caps.adjust_phase, caps.max_phase_adj) {
            (0, _) => PhaseControl::NotOffered,
            // Kernels that don't know the limit leave it 0; those that know it show it in sysfs.
            (_, 0) if self.calls.attribute("max_phase_adjustment").is_err() => {
                PhaseControl::Offered { limit: None }
            }
            (_, limit) => {
                PhaseControl::Offered { limit: Some(Offset::from_nanoseconds(limit.into())) }
            }
        };
        Ok(Caps {
            max_frequency_ppb: caps.max_adj,
            alarms: count(caps.n_alarm),
            extts_channels: count(caps.n_ext_ts),
            perout_channels: count(caps.n_per_out),
            pps: caps.pps != 0,
            pins: count(caps.n_pins),
            cross_timestamping: caps.cross_timestamping != 0,
            phase_control,
        })
    }
}
