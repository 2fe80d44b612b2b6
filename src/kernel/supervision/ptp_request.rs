//! The numbers of PTP ioctls, read: which request another program makes.

use crate::kernel::Version;
use crate::kernel::Version::{V1, V2};
use crate::kernel::uapi::{self, Request};

/// A PTP ioctl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PtpRequest {
    GetCaps(Version),
    Extts(Version),
    Perout(Version),
    EnablePps(Version),
    SysOffset(Version),
    PinGetfunc(Version),
    PinSetfunc(Version),
    SysOffsetPrecise(Version),
    SysOffsetExtended(Version),
    MaskClearAll,
    MaskEnSingle,
    SysOffsetPreciseCycles,
    SysOffsetExtendedCycles,
}

/// Their numbers and names.
const ALL: [(Request, &str, PtpRequest); 22] = [
    (libc::PTP_CLOCK_GETCAPS, "PTP_CLOCK_GETCAPS", PtpRequest::GetCaps(V1)),
    (libc::PTP_CLOCK_GETCAPS2, "PTP_CLOCK_GETCAPS2", PtpRequest::GetCaps(V2)),
    (libc::PTP_EXTTS_REQUEST, "PTP_EXTTS_REQUEST", PtpRequest::Extts(V1)),
    (libc::PTP_EXTTS_REQUEST2, "PTP_EXTTS_REQUEST2", PtpRequest::Extts(V2)),
    (libc::PTP_PEROUT_REQUEST, "PTP_PEROUT_REQUEST", PtpRequest::Perout(V1)),
    (libc::PTP_PEROUT_REQUEST2, "PTP_PEROUT_REQUEST2", PtpRequest::Perout(V2)),
    (libc::PTP_ENABLE_PPS, "PTP_ENABLE_PPS", PtpRequest::EnablePps(V1)),
    (libc::PTP_ENABLE_PPS2, "PTP_ENABLE_PPS2", PtpRequest::EnablePps(V2)),
    (libc::PTP_SYS_OFFSET, "PTP_SYS_OFFSET", PtpRequest::SysOffset(V1)),
    (libc::PTP_SYS_OFFSET2, "PTP_SYS_OFFSET2", PtpRequest::SysOffset(V2)),
    (libc::PTP_PIN_GETFUNC, "PTP_PIN_GETFUNC", PtpRequest::PinGetfunc(V1)),
    (libc::PTP_PIN_GETFUNC2, "PTP_PIN_GETFUNC2", PtpRequest::PinGetfunc(V2)),
    (libc::PTP_PIN_SETFUNC, "PTP_PIN_SETFUNC", PtpRequest::PinSetfunc(V1)),
    (libc::PTP_PIN_SETFUNC2, "PTP_PIN_SETFUNC2", PtpRequest::PinSetfunc(V2)),
    (libc::PTP_SYS_OFFSET_PRECISE, "PTP_SYS_OFFSET_PRECISE", PtpRequest::SysOffsetPrecise(V1)),
    (libc::PTP_SYS_OFFSET_PRECISE2, "PTP_SYS_OFFSET_PRECISE2", PtpRequest::SysOffsetPrecise(V2)),
    (libc::PTP_SYS_OFFSET_EXTENDED, "PTP_SYS_OFFSET_EXTENDED", PtpRequest::SysOffsetExtended(V1)),
    (libc::PTP_SYS_OFFSET_EXTENDED2, "PTP_SYS_OFFSET_EXTENDED2", PtpRequest::SysOffsetExtended(V2)),
    (uapi::PTP_MASK_CLEAR_ALL, "PTP_MASK_CLEAR_ALL", PtpRequest::MaskClearAll),
    (uapi::PTP_MASK_EN_SINGLE, "PTP_MASK_EN_SINGLE", PtpRequest::MaskEnSingle),
    (
        uapi::PTP_SYS_OFFSET_PRECISE_CYCLES,
        "PTP_SYS_OFFSET_PRECISE_CYCLES",
        PtpRequest::SysOffsetPreciseCycles,
    ),
    (
        uapi::PTP_SYS_OFFSET_EXTENDED_CYCLES,
        "PTP_SYS_OFFSET_EXTENDED_CYCLES",
        PtpRequest::SysOffsetExtendedCycles,
    ),
];

impl PtpRequest {
    /// What the kernel calls it.
    pub(crate) fn name(self) -> &'static str {
        ALL.iter().find(|(.., known)| *known == self).map_or("ioctl", |(_, name, _)| name)
    }

    /// The request of this number, and its name: the lowest 32 bits count.
    pub(crate) fn of(number: u32) -> Option<(Self, &'static str)> {
        let low = |request: Request| {
            let [a, b, c, d, ..] = request.to_le_bytes();
            u32::from_le_bytes([a, b, c, d])
        };
        let found = ALL.iter().find(|(request, ..)| low(*request) == number);
        found.map(|(_, name, known)| (*known, *name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64"))]
    #[test]
    fn the_numbers_that_strace_shows_are_known() {
        for (number, request) in [
            (0x8050_3d01, PtpRequest::GetCaps(V1)),
            (0xc4c0_3d12, PtpRequest::SysOffsetExtended(V2)),
            (0x4340_3d05, PtpRequest::SysOffset(V1)),
            (0x3d13, PtpRequest::MaskClearAll),
        ] {
            assert_eq!(PtpRequest::of(number).map(|known| known.0), Some(request), "{number:#x}");
        }
    }

    #[test]
    fn a_number_that_is_none_is_told() {
        for number in [0, 0x3d17, 0x5401] {
            assert_eq!(PtpRequest::of(number), None, "{number:#x}");
        }
    }
}
