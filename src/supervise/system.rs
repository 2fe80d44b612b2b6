//! Calls on the system's clock: the simulated one, which a program may set and steer, or the
//! machine's, which it may only read.

use super::guest::Guest;
use super::requests::{adjtime_at, put_time, time_at};
use crate::kernel::supervision::abi::Word;
use crate::kernel::supervision::timex32::{Timespec32, cut};
use crate::kernel::uapi::{timespec, timex};
use crate::kernel::{Result, system_adjtime};
use crate::mock::SharedClock;
use nix::errno::Errno;

/// `clock_gettime` of `CLOCK_REALTIME` and `CLOCK_TAI`.
pub(super) fn gettime(guest: &Guest<'_>, system: &SharedClock, word: Word) -> Result<i64> {
    let is_tai = guest.int(0) == libc::CLOCK_TAI;
    put_time(guest, word, system.gettime(is_tai)?)
}

/// `gettimeofday`, in microseconds.
pub(super) fn gettimeofday(guest: &Guest<'_>, system: &SharedClock) -> Result<i64> {
    let timespec { tv_sec, tv_nsec } = system.gettime(false)?;
    let (time, zone) = (guest.argument(0), guest.argument(1));
    let shown = timespec { tv_sec, tv_nsec: tv_nsec / 1_000 };
    if time != 0 {
        match guest.abi.word {
            Word::Bits64 => guest.write(time, &shown)?,
            Word::Bits32 => guest.write(time, &Timespec32::of(shown))?,
        }
    }
    // Two numbers: minutes west of Greenwich, and whether there is a summer time.
    if zone != 0 {
        guest.write(zone, &0_u64)?;
    }
    Ok(0)
}

/// `time`, in seconds.
pub(super) fn time(guest: &Guest<'_>, system: &SharedClock) -> Result<i64> {
    let timespec { tv_sec, .. } = system.gettime(false)?;
    match (guest.argument(0), guest.abi.word) {
        (0, _) => {}
        (at, Word::Bits64) => guest.write(at, &tv_sec)?,
        (at, Word::Bits32) => guest.write(at, &cut(tv_sec))?,
    }
    Ok(tv_sec)
}

/// `clock_settime`.
pub(super) fn settime(guest: &Guest<'_>, system: &SharedClock, word: Word) -> Result<i64> {
    system.settime(&time_at(guest, guest.argument(1), word)?).map(|()| 0)
}

/// `settimeofday`, of which the time zone is passed over.
pub(super) fn settimeofday(guest: &Guest<'_>, system: &SharedClock) -> Result<i64> {
    let at = guest.argument(0);
    if at != 0 {
        let told = time_at(guest, at, guest.abi.word)?;
        if !(0..1_000_000).contains(&told.tv_nsec) {
            return Err(Errno::EINVAL);
        }
        system.settime(&timespec { tv_nsec: told.tv_nsec * 1_000, ..told })?;
    }
    Ok(0)
}

/// `stime`, which i386 has.
pub(super) fn stime(guest: &Guest<'_>, system: &SharedClock) -> Result<i64> {
    let seconds: i32 = guest.read(guest.argument(0))?;
    system.settime(&timespec { tv_sec: seconds.into(), tv_nsec: 0 }).map(|()| 0)
}

/// `clock_adjtime` and `adjtimex`. `at`: where the struct is.
pub(super) fn adjtime(guest: &Guest<'_>, system: &SharedClock, at: u64, word: Word) -> Result<i64> {
    adjtime_at(guest, at, word, |timex| system.adjtime(timex))
}

/// `clock_adjtime` and `adjtimex` of the machine's clock.
pub(super) fn adjtime_of_machine(guest: &Guest<'_>, at: u64, word: Word) -> Result<i64> {
    adjtime_at(guest, at, word, |timex: &mut timex| {
        if timex.modes & !libc::ADJ_NANO != 0 {
            return Err(Errno::EPERM);
        }
        let wants_nanoseconds = timex.modes != 0;
        timex.modes = 0;
        system_adjtime(timex)?;
        if wants_nanoseconds && timex.status & libc::STA_NANO == 0 {
            timex.status |= libc::STA_NANO;
            timex.time.tv_usec *= 1_000;
        }
        Ok(if timex.status & libc::STA_UNSYNC == 0 { libc::TIME_OK } else { libc::TIME_ERROR })
    })
}
