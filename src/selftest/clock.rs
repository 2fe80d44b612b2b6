//! The clock under test, its time and the machine's.

use super::verdict::{Stop, Verdict};
use crate::Frequency;
use crate::kernel::uapi::timespec;
use crate::kernel::{Calls, Signals, Wait};
use crate::phc::{Access, Error, Phc};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use std::ops::Range;
use std::time::Duration;

/// The clock under test.
#[derive(Clone, Copy)]
pub(super) struct Clock<'a> {
    pub(super) phc: &'a Phc,
    signals: Option<&'a Signals>,
    /// When the time for the checks ends, on the raw monotonic clock, in nanoseconds.
    until: i128,
}

impl<'a> Clock<'a> {
    /// A clock, and how long its checks may take, in nanoseconds.
    pub(super) fn new(phc: &'a Phc, signals: Option<&'a Signals>, budget: i128) -> Self {
        let began = ask(phc, |clock| clock.system_gettime(libc::CLOCK_MONOTONIC_RAW));
        Self { phc, signals, until: began.map_or(0, nanoseconds) + budget }
    }

    /// How long the checks may still take, in nanoseconds.
    pub(super) fn time_left(&self) -> i128 {
        self.monotonic().map_or(i128::MAX, |now| self.until - now)
    }

    /// Makes a kernel call.
    pub(super) fn ask<T>(
        &self,
        call: impl FnMut(&dyn Calls) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        ask(self.phc, call)
    }

    /// As [`Clock::ask`], for a reading: waits where the clock limits how often it may be read.
    pub(super) fn ask_when_free<T>(
        &self,
        mut call: impl FnMut(&dyn Calls) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let mut pause = SHORT_PAUSE;
        loop {
            match self.ask(&mut call) {
                Err(Errno::EBUSY) if pause <= LONGEST_PAUSE && self.pause(pause).is_ok() => {
                    pause *= 2;
                }
                answer => return answer,
            }
        }
    }

    /// Another handle of the clock.
    pub(super) fn reopen(&self, access: Access) -> Result<Phc, Stop> {
        Ok(self.phc.reopen(access)?)
    }

    /// Ends the check where a signal came.
    pub(super) fn go_on(&self) -> Verdict {
        match self.signals.and_then(Signals::came) {
            Some(_) => Err(Stop::Interrupted),
            None => Ok(()),
        }
    }

    /// The machine's raw monotonic clock, in nanoseconds.
    pub(super) fn monotonic(&self) -> Result<i128, Stop> {
        let time = self.ask(|clock| clock.system_gettime(libc::CLOCK_MONOTONIC_RAW));
        time.map(nanoseconds)
            .map_err(|errno| Stop::Wrong(format!("the machine's own clock fails: {errno:?}")))
    }

    /// What the clock shows, in nanoseconds.
    pub(super) fn shows(&self) -> Result<i128, Stop> {
        Ok(self.when_free(Phc::time)?.total_nanoseconds())
    }

    /// Reads the clock, and waits where it limits how often it may be read.
    pub(super) fn when_free<T>(&self, read: impl Fn(&Phc) -> Result<T, Error>) -> Result<T, Error> {
        when_free(self.phc, read)
    }

    /// Leaves the clock alone for a while.
    pub(super) fn pause(&self, length: Duration) -> Result<(), Error> {
        pause(self.phc, length)
    }

    /// Lets time pass for the clock. The time of a mock may be virtual.
    pub(super) fn sleep(&self, duration: Duration) -> Verdict {
        self.watch(self.phc, duration, |_| {})
    }

    /// Waits until the clock is in this part of a second, in milliseconds.
    pub(super) fn wait_for(&self, part: Range<i128>) -> Verdict {
        // A busy machine can miss this part of a second: then the next second is tried.
        for _ in 0..10 {
            let now = self.shows()?.rem_euclid(1_000_000_000) / 1_000_000;
            if part.contains(&now) {
                return Ok(());
            }
            let wait = (part.start + 1 - now).rem_euclid(1_000);
            self.sleep(Duration::from_millis(u64::try_from(wait).unwrap_or(1).max(1)))?;
        }
        Err(Stop::Unsure("no reading came in the part of a second that a check needs".into()))
    }

    /// Reads a handle's events for this long.
    pub(super) fn watch(
        &self,
        phc: &Phc,
        duration: Duration,
        mut take: impl FnMut(&[crate::phc::Event]),
    ) -> Verdict {
        let wake: Vec<_> = self
            .signals
            .iter()
            .map(|signals| PollFd::new(signals.fd(), PollFlags::POLLIN))
            .collect();
        let began = self.monotonic()?;
        let duration = i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX);
        let mut events = Vec::new();
        loop {
            self.go_on()?;
            let left = duration - (self.monotonic()? - began);
            let Ok(left) = u64::try_from(left) else { return Ok(()) };
            if left == 0 {
                return Ok(());
            }
            // A removal between two polls can go unnoticed, so no poll takes longer than a second.
            let most = Duration::from_nanos(left).min(Duration::from_secs(1));
            if phc.wait(&wake, most)? == Wait::Events {
                phc.read_events(&mut events)?;
                take(&events);
            }
        }
    }

    /// Dials a frequency in the kernel's own unit, without an entry in the account.
    pub(super) fn ask_to_dial(&self, frequency: Frequency) -> Result<(), Errno> {
        let mut timex = crate::kernel::uapi::timex();
        timex.modes = libc::ADJ_FREQUENCY;
        timex.freq = frequency.scaled_ppm();
        self.ask(|clock| clock.clock_adjtime(&mut timex))
    }
}

/// Reads a clock through any handle, and waits where it limits how often it may be read.
pub(super) fn when_free<T>(phc: &Phc, read: impl Fn(&Phc) -> Result<T, Error>) -> Result<T, Error> {
    let mut length = SHORT_PAUSE;
    loop {
        match read(phc) {
            Err(error) if error.errno() == Some(Errno::EBUSY) && length <= LONGEST_PAUSE => {
                pause(phc, length)?;
                length *= 2;
            }
            answer => return answer,
        }
    }
}

fn pause(phc: &Phc, length: Duration) -> Result<(), Error> {
    phc.sleep_until(phc.monotonic()?.saturating_add(length))
}

/// The first and the longest pause between readings of a clock that limits how often it may be
/// read.
pub(super) const SHORT_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Makes a kernel call on a handle, and repeats it while signals interrupt it.
pub(super) fn ask<T>(
    phc: &Phc,
    mut call: impl FnMut(&dyn Calls) -> Result<T, Errno>,
) -> Result<T, Errno> {
    loop {
        match call(phc.calls()) {
            Err(Errno::EINTR) => {}
            answer => return answer,
        }
    }
}

pub(super) fn nanoseconds(time: timespec) -> i128 {
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}
