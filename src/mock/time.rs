//! The mock's time: the machine's, or a virtual one that passes only when it is waited for.

#[cfg(feature = "cli")]
use super::system::SharedClock;
use crate::kernel::{self, system_gettime, uapi::timespec};
use nix::errno::Errno;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long a call of a program that is answered may wait: its signals wait as long.
const PATIENCE: Duration = Duration::from_micros(500);
/// How far slow readings may bring the clocks ahead of the machine's time.
const MOST_AHEAD: i128 = SECOND;
/// Readings of two clocks are nearer to each other than this.
const LOOK: i128 = 1_000;
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
    /// For how long the call that is made now may still wait; `None`: as long as it takes. What
    /// takes longer only has late times.
    patience: Option<Duration>,
    /// The latest moment that anybody has seen: time never goes back.
    latest: i128,
    /// True time − `CLOCK_MONOTONIC`.
    boot: i128,
    /// True time − `CLOCK_MONOTONIC_RAW`, which the machine's frequency doesn't steer.
    raw_boot: i128,
    /// `CLOCK_REALTIME` − true time, once somebody stepped the mock's system clock.
    pub(super) step: i128,
    /// The simulated system clock, where there is one.
    #[cfg(feature = "cli")]
    system: Option<SharedClock>,
}

impl Time {
    pub(super) fn real() -> kernel::Result<Self> {
        // Once, so that all mocks of a process agree to the nanosecond.
        static BOOT: OnceLock<i128> = OnceLock::new();
        let now = nanoseconds(system_gettime(libc::CLOCK_REALTIME)?);
        let boot = *BOOT.get_or_init(|| ahead_of_monotonic(libc::CLOCK_REALTIME).unwrap_or(now));
        Ok(Self::starting(false, now, boot))
    }

    pub(super) fn starting_virtual(now: i128) -> Self {
        let boot = VIRTUAL_START - VIRTUAL_UPTIME;
        Self::starting(true, now, boot)
    }

    fn starting(is_virtual: bool, now: i128, boot: i128) -> Self {
        Self {
            is_virtual,
            patience: None,
            latest: now,
            boot,
            raw_boot: boot,
            step: 0,
            #[cfg(feature = "cli")]
            system: None,
        }
    }

    #[cfg(feature = "cli")]
    pub(super) fn never_wait(&mut self) {
        self.patience = Some(PATIENCE);
        self.look_at_the_clocks();
    }

    fn is_hasty(&self) -> bool {
        self.patience.is_some()
    }

    /// Another call begins, which may wait as long as any other.
    pub(super) fn begin_call(&mut self) {
        self.patience = self.patience.map(|_| PATIENCE);
    }

    /// From now on `CLOCK_REALTIME` is this clock.
    #[cfg(feature = "cli")]
    pub(super) fn share(&mut self, clock: &SharedClock) {
        self.system = Some(clock.clone());
    }

    /// Finds out how far the machine's clocks are from true time now. The program that is answered
    /// reads them itself, and somebody may step or steer them meanwhile.
    pub(super) fn look_at_the_clocks(&mut self) {
        if !self.is_hasty() {
            return;
        }
        if let Some(boot) = ahead_of_monotonic(libc::CLOCK_REALTIME) {
            let step = boot - self.boot;
            // What is less is the time that it takes to look.
            if (step - self.step).abs() > LOOK {
                self.step = step;
            }
        }
        if let Some(ahead) = ahead_of_monotonic(libc::CLOCK_MONOTONIC_RAW) {
            self.raw_boot = self.boot - ahead;
        }
    }

    pub(super) fn is_virtual(&self) -> bool {
        self.is_virtual
    }

    pub(super) fn now(&mut self) -> i128 {
        let now = if self.is_virtual {
            None
        } else if self.is_hasty() {
            self.on_the_machine()
        } else {
            system_gettime(libc::CLOCK_REALTIME).ok().map(nanoseconds)
        };
        self.latest = self.latest.max(now.unwrap_or(self.latest));
        self.latest
    }

    /// True time by a clock that nobody can set: whoever sets the machine's moves no other clock.
    fn on_the_machine(&self) -> Option<i128> {
        let now = system_gettime(libc::CLOCK_MONOTONIC).ok()?;
        Some(nanoseconds(now) + self.boot)
    }

    /// True time now, which clocks that were read slowly are ahead of.
    #[cfg(feature = "cli")]
    pub(super) fn present(&self) -> i128 {
        let of_machine = if self.is_virtual { None } else { self.on_the_machine() };
        of_machine.unwrap_or(self.latest)
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
        if let Some(left) = self.patience {
            return self.pass_in_haste(until, span, left);
        }
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

    /// Waits if there is the patience for it, else only comes to the later time: not far, since the
    /// clock would stand still until the machine's time has come there.
    fn pass_in_haste(&mut self, until: i128, span: Duration, left: Duration) -> i128 {
        let most = self.on_the_machine().map_or(until, |now| now + MOST_AHEAD);
        if let Some(left) = left.checked_sub(span) {
            self.patience = Some(left);
            let began = Instant::now();
            while self.now() < until && began.elapsed() < span {
                std::hint::spin_loop();
            }
        }
        self.latest = self.latest.max(until.min(most));
        self.latest
    }

    /// What a system clock shows at a moment of true time.
    pub(super) fn shown(&self, clock: libc::clockid_t, at: i128) -> Option<i128> {
        #[cfg(feature = "cli")]
        if clock == libc::CLOCK_REALTIME
            && let Some(system) = &self.system
        {
            return Some(system.shows_at(at));
        }
        match clock {
            libc::CLOCK_REALTIME => Some(at + self.step),
            libc::CLOCK_MONOTONIC => Some(at - self.boot),
            libc::CLOCK_MONOTONIC_RAW => Some(at - self.raw_boot),
            _ => None,
        }
    }
}

/// How far a clock of the machine is ahead of `CLOCK_MONOTONIC`, by the nearest of a few readings.
fn ahead_of_monotonic(clock: libc::clockid_t) -> Option<i128> {
    let read = |clock| system_gettime(clock).ok().map(nanoseconds);
    let looks = (0..3).filter_map(|_| {
        let before = read(libc::CLOCK_MONOTONIC)?;
        let shown = read(clock)?;
        let after = read(libc::CLOCK_MONOTONIC)?;
        Some((after - before, shown - i128::midpoint(before, after)))
    });
    looks.min().map(|(_, ahead)| ahead)
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
