//! The system's own clocks.

#![expect(unsafe_code, reason = "the clock calls take raw pointers")]

use super::Result;
use super::uapi::{timespec, timex};
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

/// `clock_nanosleep` until a time of `CLOCK_MONOTONIC`.
pub(super) fn nanosleep(until: &timespec) -> Result<()> {
    let clock = libc::CLOCK_MONOTONIC;
    // SAFETY: `until` is only read; the time that is left isn't asked for.
    let answer =
        unsafe { libc::clock_nanosleep(clock, libc::TIMER_ABSTIME, until, std::ptr::null_mut()) };
    // This call answers its errno.
    if answer == 0 { Ok(()) } else { Err(Errno::from_raw(answer)) }
}

/// `clock_adjtime` on `CLOCK_REALTIME`.
///
/// # Errors
///
/// With modes, `EPERM` without `CAP_SYS_TIME` and `EINVAL` for what the kernel refuses.
pub fn system_adjtime(timex: &mut timex) -> Result<()> {
    // SAFETY: `timex` is the struct of this call and outlives it.
    Errno::result(unsafe { libc::clock_adjtime(libc::CLOCK_REALTIME, timex) }).map(drop)
}
