//! What a driver requires of a periodic output beyond what the interface says.

use super::time::SECOND;
use crate::kernel::Result;
use crate::kernel::uapi::{PTP_PEROUT_DUTY_CYCLE, PTP_PEROUT_PHASE};
use nix::errno::Errno;
use std::str::FromStr;

/// One thing that a driver requires: it refuses everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// A phase: no absolute start. (`drivers/net/ethernet/mscc/ocelot_ptp.c`)
    Phase,
    /// A start of 0. (the Wangxun drivers)
    Zero,
    /// A start within 32 bits of nanoseconds. (`drivers/net/ethernet/renesas/ravb_ptp.c`)
    Bits32,
    /// A start on a whole second.
    Second,
    /// A start that is 5 s ahead.
    Ahead,
    /// A period of a second. (`drivers/ptp/ptp_ocp.c`, for some of its outputs)
    OneHertz,
    /// One duty cycle, half of the period.
    Half,
}

/// A request for an output: its flags, its period and its start or phase in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) flags: u32,
    pub(super) period: i128,
    pub(super) start: i128,
    /// What the clock shows.
    pub(super) now: i128,
}

impl Wants {
    const ALL: [(&'static str, Self); 7] = [
        ("phase", Self::Phase),
        ("zero", Self::Zero),
        ("32bit", Self::Bits32),
        ("second", Self::Second),
        ("ahead", Self::Ahead),
        ("1hz", Self::OneHertz),
        ("half", Self::Half),
    ];

    /// Refuses a request that isn't as the driver wants it.
    pub(super) fn check(self, request: Request) -> Result<()> {
        let Request { flags, period, start, now } = request;
        let has_phase = flags & PTP_PEROUT_PHASE != 0;
        let (is_so, errno) = match self {
            Self::Phase => (has_phase, Errno::EINVAL),
            Self::Zero => (!has_phase && start == 0, Errno::EINVAL),
            Self::Bits32 => (start <= u32::MAX.into(), Errno::ERANGE),
            Self::Second => (start % SECOND == 0, Errno::EINVAL),
            Self::Ahead => (has_phase || start >= now + 5 * SECOND, Errno::EINVAL),
            Self::OneHertz => (period == SECOND, Errno::EINVAL),
            Self::Half => (flags & PTP_PEROUT_DUTY_CYCLE == 0, Errno::EINVAL),
        };
        if is_so { Ok(()) } else { Err(errno) }
    }
}

impl FromStr for Wants {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|(name, _)| *name == text);
        found.map(|(_, wants)| *wants).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|(name, _)| *name).collect();
            format!("use one of {}", names.join(", "))
        })
    }
}
