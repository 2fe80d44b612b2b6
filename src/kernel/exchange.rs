//! A call on a clock together with its answer, in the kernel's own structs: what a trace sees, and
//! a recording keeps.

use super::Version;
#[cfg(feature = "cli")]
use super::supervision::ptp_request::PtpRequest;
use super::uapi::{
    ExttsEvent, PTP_MAX_SAMPLES, ptp_clock_caps, ptp_extts_request, ptp_perout_request,
    ptp_pin_desc, ptp_sys_offset, ptp_sys_offset_extended, ptp_sys_offset_precise, timespec, timex,
    total,
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
        let request = match self {
            Self::Open { .. } => return "open",
            Self::ClockGettime(_) => return "clock_gettime",
            Self::ClockSettime(_) => return "clock_settime",
            Self::ClockGetres(_) => return "clock_getres",
            Self::ClockAdjtime(_) => return "clock_adjtime",
            Self::Read(_) => return "read",
            Self::Other(_) => return "ioctl",
            Self::GetCaps(version, _) => PtpRequest::GetCaps(*version),
            Self::ExttsRequest(version, _) => PtpRequest::Extts(*version),
            Self::PeroutRequest(version, _) => PtpRequest::Perout(*version),
            Self::EnablePps(version, _) => PtpRequest::EnablePps(*version),
            Self::PinGetFunc(version, _) => PtpRequest::PinGetfunc(*version),
            Self::PinSetFunc(version, _) => PtpRequest::PinSetfunc(*version),
            Self::SysOffset(version, _) => PtpRequest::SysOffset(*version),
            Self::SysOffsetExtended(version, _) => PtpRequest::SysOffsetExtended(*version),
            Self::SysOffsetPrecise(version, _) => PtpRequest::SysOffsetPrecise(*version),
            Self::SysOffsetExtendedCycles(_) => PtpRequest::SysOffsetExtendedCycles,
            Self::SysOffsetPreciseCycles(_) => PtpRequest::SysOffsetPreciseCycles,
            Self::MaskClearAll => PtpRequest::MaskClearAll,
            Self::MaskEnSingle(_) => PtpRequest::MaskEnSingle,
        };
        request.name()
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

impl Exchange {
    /// The delay of each sample, and the offset that it shows, clock - reference, in nanoseconds. A
    /// cross timestamp has no delay.
    pub(crate) fn samples(&self) -> Vec<(i128, i128)> {
        let sample = |[before, clock, after]: [i128; 3]| {
            (after - before, clock - i128::midpoint(before, after))
        };
        match self {
            Self::SysOffset(_, told) => {
                let number = 2 * told.n_samples.min(PTP_MAX_SAMPLES) as usize + 1;
                let times: Vec<_> = told.ts.iter().take(number).map(|at| total(*at)).collect();
                let three = times.windows(3).step_by(2);
                three.filter_map(|three| three.try_into().ok()).map(sample).collect()
            }
            Self::SysOffsetExtended(_, told) | Self::SysOffsetExtendedCycles(told) => {
                let number = told.n_samples.min(PTP_MAX_SAMPLES) as usize;
                told.ts.iter().take(number).map(|three| sample(three.map(total))).collect()
            }
            Self::SysOffsetPrecise(_, told) | Self::SysOffsetPreciseCycles(told) => {
                vec![(0, total(told.device) - total(told.sys_realtime))]
            }
            _ => Vec::new(),
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
