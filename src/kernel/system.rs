//! The system's own clocks.

use super::uapi::{timespec, timex};
use super::{Result, clock};

/// `clock_gettime` on one of the system's clocks.
///
/// # Errors
///
/// `EINVAL` for a clock that this kernel doesn't have or that is switched off.
pub fn system_gettime(clock: libc::clockid_t) -> Result<timespec> {
    clock::gettime(clock)
}

/// `clock_nanosleep` until a time of `CLOCK_MONOTONIC`.
pub(super) fn nanosleep(until: &timespec) -> Result<()> {
    clock::nanosleep(libc::CLOCK_MONOTONIC, until)
}

/// `clock_adjtime` on `CLOCK_REALTIME`.
///
/// # Errors
///
/// Where `modes` isn't 0: `EPERM` without `CAP_SYS_TIME`, `EINVAL` for what the kernel refuses.
pub fn system_adjtime(timex: &mut timex) -> Result<()> {
    clock::adjtime(libc::CLOCK_REALTIME, timex)
}
