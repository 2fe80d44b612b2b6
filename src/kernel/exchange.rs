//! A call on a clock together with its answer, in the kernel's own structs: what a trace sees, and
//! a recording keeps.

use super::Version;
use super::uapi::{
    ExttsEvent, ptp_clock_caps, ptp_extts_request, ptp_perout_request, ptp_pin_desc,
    ptp_sys_offset, ptp_sys_offset_extended, ptp_sys_offset_precise, timespec, timex,
};
use std::time::Duration;

/// What was asked of a clock, and what it answered. Where the call failed, what the kernel would
/// have filled in has no meaning.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "only a trace shows all of it"))]
pub(crate) enum Exchange {
    /// For reading, and where it says so for writing.
    Open {
        write: bool,
    },
    ClockGettime(timespec),
    ClockSettime(timespec),
    ClockGetres(timespec),
    /// What was asked, and what was answered.
    ClockAdjtime(Box<(timex, timex)>),
    GetCaps(Version, ptp_clock_caps),
    ExttsRequest(Version, ptp_extts_request),
    PeroutRequest(Version, ptp_perout_request),
    EnablePps(Version, bool),
    PinGetFunc(Version, ptp_pin_desc),
    PinSetFunc(Version, ptp_pin_desc),
    SysOffset(Version, Box<ptp_sys_offset>),
    SysOffsetExtended(Version, Box<ptp_sys_offset_extended>),
    SysOffsetPrecise(Version, ptp_sys_offset_precise),
    SysOffsetExtendedCycles(Box<ptp_sys_offset_extended>),
    SysOffsetPreciseCycles(ptp_sys_offset_precise),
    MaskClearAll,
    MaskEnSingle(u32),
    Read(Vec<ExttsEvent>),
    /// An ioctl of this number, which is no PTP request.
    Other(u32),
}

#[cfg(feature = "cli")]
impl Exchange {
    /// What the kernel calls the call: requests of version 2 end with a 2.
    pub(crate) fn name(&self) -> &'static str {
        use Version::V1;
        let versions = |version: &Version, names: [&'static str; 2]| {
            let [first, second] = names;
            if *version == V1 { first } else { second }
        };
        match self {
            Self::Open { .. } => "open",
            Self::ClockGettime(_) => "clock_gettime",
            Self::ClockSettime(_) => "clock_settime",
            Self::ClockGetres(_) => "clock_getres",
            Self::ClockAdjtime(_) => "clock_adjtime",
            Self::GetCaps(version, _) => {
                versions(version, ["PTP_CLOCK_GETCAPS", "PTP_CLOCK_GETCAPS2"])
            }
            Self::ExttsRequest(version, _) => {
                versions(version, ["PTP_EXTTS_REQUEST", "PTP_EXTTS_REQUEST2"])
            }
            Self::PeroutRequest(version, _) => {
                versions(version, ["PTP_PEROUT_REQUEST", "PTP_PEROUT_REQUEST2"])
            }
            Self::EnablePps(version, _) => versions(version, ["PTP_ENABLE_PPS", "PTP_ENABLE_PPS2"]),
            Self::PinGetFunc(version, _) => {
                versions(version, ["PTP_PIN_GETFUNC", "PTP_PIN_GETFUNC2"])
            }
            Self::PinSetFunc(version, _) => {
                versions(version, ["PTP_PIN_SETFUNC", "PTP_PIN_SETFUNC2"])
            }
            Self::SysOffset(version, _) => versions(version, ["PTP_SYS_OFFSET", "PTP_SYS_OFFSET2"]),
            Self::SysOffsetExtended(version, _) => {
                versions(version, ["PTP_SYS_OFFSET_EXTENDED", "PTP_SYS_OFFSET_EXTENDED2"])
            }
            Self::SysOffsetPrecise(version, _) => {
                versions(version, ["PTP_SYS_OFFSET_PRECISE", "PTP_SYS_OFFSET_PRECISE2"])
            }
            Self::SysOffsetExtendedCycles(_) => "PTP_SYS_OFFSET_EXTENDED_CYCLES",
            Self::SysOffsetPreciseCycles(_) => "PTP_SYS_OFFSET_PRECISE_CYCLES",
            Self::MaskClearAll => "PTP_MASK_CLEAR_ALL",
            Self::MaskEnSingle(_) => "PTP_MASK_EN_SINGLE",
            Self::Read(_) => "read",
            Self::Other(_) => "ioctl",
        }
    }

    /// How many readings of the clock the call makes.
    pub(crate) fn readings(&self) -> u32 {
        match self {
            Self::ClockGettime(_)
            | Self::SysOffsetPrecise(..)
            | Self::SysOffsetPreciseCycles(_) => 1,
            Self::SysOffset(_, samples) => samples.n_samples,
            Self::SysOffsetExtended(_, samples) | Self::SysOffsetExtendedCycles(samples) => {
                samples.n_samples
            }
            _ => 0,
        }
    }
}

/// An exchange of a program with a clock: who, when, and for how long.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "only a trace shows all of it"))]
pub(crate) struct Traced {
    /// When the call began, since the program was started, and how long it took.
    pub(crate) at: Duration,
    pub(crate) took: Duration,
    /// The name of the program, its process and the thread.
    pub(crate) program: String,
    pub(crate) process: i32,
    pub(crate) thread: i32,
    /// `ptp0`, or `system` for the system's clock.
    pub(crate) clock: String,
    pub(crate) exchange: Exchange,
    /// What it returned, or the number of its errno.
    pub(crate) answer: std::result::Result<i64, i32>,
}
