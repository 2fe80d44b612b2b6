//! The system's own clocks.

#![expect(unsafe_code, reason = "the clock calls take raw pointers")]

use super::Result;
use super::uapi::{self, timespec};
use nix::errno::Errno;

/// `clock_gettime` on any clock id.
pub(super) fn gettime(clock: libc::clockid_t) -> Result<timespec> {
    let mut time = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one `timespec`.
    Errno::result(unsafe { libc::clock_gettime(clock, &raw mut time) })?;
    Ok(time)
}

/// `clock_gettime` on one of the system's clocks.
///
/// # Errors
///
/// `EINVAL` for a clock that this kernel doesn't have or that is switched off.
pub fn system_gettime(clock: libc::clockid_t) -> Result<timespec> {
    gettime(clock)
}

/// `clock_settime` on `CLOCK_REALTIME`.
///
/// # Errors
///
/// `EPERM` without `CAP_SYS_TIME`, `EINVAL` for a time that the kernel refuses.
pub fn system_settime(time: &timespec) -> Result<()> {
    // SAFETY: `time` outlives the call.
    Errno::result(unsafe { libc::clock_settime(libc::CLOCK_REALTIME, time) }).map(drop)
}

/// TAI − UTC in seconds as the kernel has it; 0 means that nobody set it.
///
/// # Errors
///
/// What `clock_adjtime` answers to a mere reading: none that are known.
pub fn system_tai_offset() -> Result<i32> {
    let mut timex = uapi::timex();
    // SAFETY: `timex` is the struct of this call and outlives it; `modes` 0 only reads.
    Errno::result(unsafe { libc::clock_adjtime(libc::CLOCK_REALTIME, &raw mut timex) })?;
    Ok(timex.tai)
}
