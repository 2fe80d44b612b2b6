//! The clock calls with 64 bits for a time, on every machine.
//!
//! Where the C library's `time_t` may be narrower, the kernel's own 64-bit calls are made:
//! `clock_gettime64` and its sisters, which Linux has from 5.1 on.

#![expect(unsafe_code, reason = "the clock calls take raw pointers")]

use super::Result;
use super::answer::answer;
use super::uapi::{timespec, timex};
use nix::errno::Errno;

/// `clock_gettime`.
pub(super) fn gettime(clock: libc::clockid_t) -> Result<timespec> {
    let mut time = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one `timespec`.
    answer(unsafe { calls::gettime(clock, &raw mut time) })?;
    Ok(time)
}

/// `clock_settime`.
pub(super) fn settime(clock: libc::clockid_t, time: &timespec) -> Result<()> {
    // SAFETY: `time` is only read, and outlives the call.
    answer(unsafe { calls::settime(clock, time) }).map(drop)
}

/// `clock_adjtime`.
pub(super) fn adjtime(clock: libc::clockid_t, timex: &mut timex) -> Result<()> {
    // SAFETY: `timex` is the struct of this call, and outlives it.
    answer(unsafe { calls::adjtime(clock, timex) }).map(drop)
}

/// `clock_getres`.
pub(super) fn getres(clock: libc::clockid_t) -> Result<timespec> {
    let mut resolution = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one `timespec`.
    answer(unsafe { calls::getres(clock, &raw mut resolution) })?;
    Ok(resolution)
}

/// `clock_nanosleep` until a time of `clock`.
pub(super) fn nanosleep(clock: libc::clockid_t, until: &timespec) -> Result<()> {
    // SAFETY: `until` is only read, and outlives the call.
    unsafe { calls::nanosleep_until(clock, until) }
}

/// The C library's calls, whose structs are the kernel's.
#[cfg(target_pointer_width = "64")]
mod calls {
    use super::{Errno, Result, timespec, timex};

    const _: () = {
        assert!(size_of::<timespec>() == size_of::<libc::timespec>());
        assert!(size_of::<timex>() == size_of::<libc::timex>());
        assert!(std::mem::offset_of!(timex, tai) == std::mem::offset_of!(libc::timex, tai));
    };

    pub(super) unsafe fn gettime(clock: libc::clockid_t, time: *mut timespec) -> libc::c_int {
        // SAFETY: as the caller promises; the structs have one layout.
        unsafe { libc::clock_gettime(clock, time.cast()) }
    }

    pub(super) unsafe fn settime(clock: libc::clockid_t, time: *const timespec) -> libc::c_int {
        // SAFETY: as the caller promises; the structs have one layout.
        unsafe { libc::clock_settime(clock, time.cast()) }
    }

    pub(super) unsafe fn adjtime(clock: libc::clockid_t, timex: *mut timex) -> libc::c_int {
        // SAFETY: as the caller promises; the structs have one layout.
        unsafe { libc::clock_adjtime(clock, timex.cast()) }
    }

    pub(super) unsafe fn getres(clock: libc::clockid_t, time: *mut timespec) -> libc::c_int {
        // SAFETY: as the caller promises; the structs have one layout.
        unsafe { libc::clock_getres(clock, time.cast()) }
    }

    pub(super) unsafe fn nanosleep_until(
        clock: libc::clockid_t,
        until: *const timespec,
    ) -> Result<()> {
        let (flags, no_rest) = (libc::TIMER_ABSTIME, std::ptr::null_mut());
        // SAFETY: as the caller promises; the structs have one layout.
        let answer = unsafe { libc::clock_nanosleep(clock, flags, until.cast(), no_rest) };
        // This call answers its errno.
        if answer == 0 { Ok(()) } else { Err(Errno::from_raw(answer)) }
    }
}

/// The kernel's calls with 64-bit structs.
#[cfg(target_pointer_width = "32")]
mod calls {
    use super::{Errno, Result, timespec, timex};
    use libc::c_long;

    /// The architecture's first system call number. Counted from it, the numbers from 403 on are
    /// the same on all architectures (the kernel's `arch/*/kernel/syscalls/*.tbl`).
    const FIRST: c_long =
        if cfg!(any(target_arch = "mips", target_arch = "mips32r6")) { 4_000 } else { 0 };
    const CLOCK_GETTIME64: c_long = FIRST + 403;
    const CLOCK_SETTIME64: c_long = FIRST + 404;
    const CLOCK_ADJTIME64: c_long = FIRST + 405;
    const CLOCK_GETRES_TIME64: c_long = FIRST + 406;
    const CLOCK_NANOSLEEP_TIME64: c_long = FIRST + 407;

    pub(super) unsafe fn gettime(clock: libc::clockid_t, time: *mut timespec) -> c_long {
        // SAFETY: as the caller promises.
        unsafe { libc::syscall(CLOCK_GETTIME64, clock, time) }
    }

    pub(super) unsafe fn settime(clock: libc::clockid_t, time: *const timespec) -> c_long {
        // SAFETY: as the caller promises.
        unsafe { libc::syscall(CLOCK_SETTIME64, clock, time) }
    }

    pub(super) unsafe fn adjtime(clock: libc::clockid_t, timex: *mut timex) -> c_long {
        // SAFETY: as the caller promises.
        unsafe { libc::syscall(CLOCK_ADJTIME64, clock, timex) }
    }

    pub(super) unsafe fn getres(clock: libc::clockid_t, time: *mut timespec) -> c_long {
        // SAFETY: as the caller promises.
        unsafe { libc::syscall(CLOCK_GETRES_TIME64, clock, time) }
    }

    pub(super) unsafe fn nanosleep_until(
        clock: libc::clockid_t,
        until: *const timespec,
    ) -> Result<()> {
        let (flags, no_rest) = (libc::TIMER_ABSTIME, std::ptr::null_mut::<timespec>());
        // SAFETY: as the caller promises.
        let answer = unsafe { libc::syscall(CLOCK_NANOSLEEP_TIME64, clock, flags, until, no_rest) };
        Errno::result(answer).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::uapi;

    #[test]
    fn the_systems_clock_shows_a_time() {
        let time = gettime(libc::CLOCK_REALTIME).expect("a time");
        assert!(time.tv_sec > 1_700_000_000 && (0..1_000_000_000).contains(&time.tv_nsec));
    }

    #[cfg_attr(miri, ignore = "Miri doesn't know this call")]
    #[test]
    fn the_systems_clock_has_a_resolution() {
        let resolution = getres(libc::CLOCK_REALTIME).expect("a resolution");
        assert_eq!(resolution.tv_sec, 0);
    }

    #[test]
    fn a_sleep_ends_at_its_time() {
        let mut until = gettime(libc::CLOCK_MONOTONIC).expect("a time");
        until.tv_nsec += 2_000_000;
        until.tv_sec += until.tv_nsec / 1_000_000_000;
        until.tv_nsec %= 1_000_000_000;
        nanosleep(libc::CLOCK_MONOTONIC, &until).expect("slept");
        let now = gettime(libc::CLOCK_MONOTONIC).expect("a time");
        assert!((now.tv_sec, now.tv_nsec) >= (until.tv_sec, until.tv_nsec));
    }

    #[cfg_attr(miri, ignore = "Miri doesn't know this call")]
    #[test]
    fn reading_the_systems_adjustment_fills_in_the_kernels_fields() {
        let mut timex = uapi::timex();
        adjtime(libc::CLOCK_REALTIME, &mut timex).expect("read");
        let now = gettime(libc::CLOCK_REALTIME).expect("a time");
        assert!((0..=10).contains(&(now.tv_sec - timex.time.tv_sec)), "{}", timex.time.tv_sec);
        // A tick is 10 ms ± 10 %. Where this field is right, the fields around it are in place.
        assert!((9_000..=11_000).contains(&timex.tick), "{}", timex.tick);
    }

    #[test]
    fn what_is_no_clock_is_einval() {
        assert_eq!(gettime(12_345).err(), Some(Errno::EINVAL));
    }
}
