//! The mock's time: the machine's, or a virtual one that passes only when it is waited for.

use crate::kernel::{self, system_gettime, uapi::timespec};
use nix::errno::Errno;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Where virtual time starts: 2023-11-14 22:13:20 UTC.
pub(super) const VIRTUAL_START: i128 = 1_700_000_000 * SECOND;
/// Where virtual time ends, in the year 2262: the kernel's times have 64 bits of nanoseconds.
pub(super) const LAST: i128 = i64::MAX as i128;
/// The longest time that is too short to sleep for.
const SHORT: Duration = Duration::from_micros(100);
/// How long the virtual machine has been up when virtual time starts.
const VIRTUAL_UPTIME: i128 = 1_000 * SECOND;
pub(super) const SECOND: i128 = 1_000_000_000;

/// True time and the system clocks on it, in nanoseconds since 1970 UTC.
#[derive(Debug)]
pub(super) struct Time {
    is_virtual: bool,
    /// The latest moment that anybody has seen: time never goes back.
    latest: i128,
    /// True time − `CLOCK_MONOTONIC`.
    boot: i128,
    /// `CLOCK_REALTIME` − true time, once somebody stepped the mock's system clock.
    pub(super) step: i128,
}

impl Time {
    pub(super) fn real() -> kernel::Result<Self> {
        // Once, so that all mocks of a process agree to the nanosecond.
        static BOOT: OnceLock<i128> = OnceLock::new();
        let now = nanoseconds(system_gettime(libc::CLOCK_REALTIME)?);
        let monotonic = nanoseconds(system_gettime(libc::CLOCK_MONOTONIC)?);
        let boot = *BOOT.get_or_init(|| now - monotonic);
        Ok(Self { is_virtual: false, latest: now, boot, step: 0 })
    }

    pub(super) fn starting_virtual(now: i128) -> Self {
        Self { is_virtual: true, latest: now, boot: VIRTUAL_START - VIRTUAL_UPTIME, step: 0 }
    }

    pub(super) fn is_virtual(&self) -> bool {
        self.is_virtual
    }

    pub(super) fn now(&mut self) -> i128 {
        if !self.is_virtual
            && let Ok(now) = system_gettime(libc::CLOCK_REALTIME)
        {
            self.latest = self.latest.max(nanoseconds(now));
        }
        self.latest
    }

    /// The latest moment that anybody has seen.
    pub(super) fn latest(&self) -> i128 {
        self.latest
    }

    /// Lets time pass: waits for the machine's own time, or advances virtual time, which stands
    /// still at [`LAST`].
    pub(super) fn pass(&mut self, duration: i128) -> i128 {
        if self.is_virtual {
            self.latest = self.latest.saturating_add(duration).min(LAST);
            return self.latest;
        }
        let until = self.now() + duration;
        let span = Duration::from_nanos(u64::try_from(duration).unwrap_or(0));
        if span > SHORT {
            std::thread::sleep(span);
        }
        // This doesn't wait for ever: the machine's clock may be stepped back meanwhile.
        let began = Instant::now();
        while self.now() < until && began.elapsed() < SHORT {
            std::hint::spin_loop();
        }
        self.latest = self.latest.max(until);
        self.latest
    }

    /// What a system clock shows at a moment of true time.
    pub(super) fn shown(&self, clock: libc::clockid_t, at: i128) -> Option<i128> {
        match clock {
            libc::CLOCK_REALTIME => Some(at + self.step),
            libc::CLOCK_MONOTONIC | libc::CLOCK_MONOTONIC_RAW => Some(at - self.boot),
            _ => None,
        }
    }
}

pub(super) fn nanoseconds(time: timespec) -> i128 {
    i128::from(time.tv_sec) * SECOND + i128::from(time.tv_nsec)
}

/// A time for the kernel's interface.
pub(super) fn to_timespec(nanoseconds: i128) -> kernel::Result<timespec> {
    let overflow = |_| Errno::EOVERFLOW;
    Ok(timespec {
        tv_sec: nanoseconds.div_euclid(SECOND).try_into().map_err(overflow)?,
        tv_nsec: nanoseconds.rem_euclid(SECOND).try_into().map_err(|_| Errno::EOVERFLOW)?,
    })
}
