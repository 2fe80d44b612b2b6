//! The clock under test, and what the checks do with it.

use super::account::Account;
use super::{Stop, Verdict, skip};
use crate::Frequency;
use crate::RateInterval;
use crate::kernel::uapi::timespec;
use crate::kernel::{Calls, Signals, Wait};
use crate::phc::{Access, Caps, Error, Phc, Pin};
use crate::restore::{Guard, Record};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use std::cell::Cell;
use std::ops::Range;
use std::time::Duration;

/// Two pins that are wired together.
#[derive(Clone, Debug)]
pub struct Loop {
    /// The output.
    pub from: Pin,
    /// The input.
    pub to: Pin,
}

/// How long the checks may take, and with a loop, before the rest is skipped: in nanoseconds.
const BUDGET: i128 = 28_000_000_000;
const BUDGET_WITH_A_LOOP: i128 = 90_000_000_000;
/// The kernel takes no time from this second of the year 2232 on.
pub(super) const LAST_SECOND: i64 = i64::MAX / 1_000_000_000 - 30 * 365 * 24 * 3_600;
/// No check lasts so long, in seconds, nor sets a clock further ahead of itself.
const LONGEST_AWAY: i64 = 10_000;

/// The clock under test.
pub(super) struct Bench<'a> {
    pub(super) phc: &'a Phc,
    pub(super) caps: Caps,
    pub(super) wire: Option<Loop>,
    pub(super) account: Account<'a>,
    /// Why its time may not be moved: nobody could move it back.
    pub(super) must_not_move: Option<String>,
    /// What the rate of the clock was found to be, as it is dialled.
    pub(super) rate: Option<RateInterval>,
    /// What it goes faster by where it is dialled up, and dialled down.
    pub(super) effects: Option<super::frequency::Effects>,
    /// The pins and functions that were found to work.
    pub(super) offered: Vec<(u32, crate::phc::PinFunction)>,
    /// What came through the loop.
    pub(super) capture: Option<super::wire::Capture>,
    /// When, on the raw monotonic clock.
    began: i128,
    /// The shortest reading so far.
    pub(super) shortest: Cell<i128>,
    signals: Option<&'a Signals>,
    notes: Vec<String>,
}

impl<'a> Bench<'a> {
    pub(super) fn new(
        phc: &'a Phc,
        signals: Option<&'a Signals>,
        wire: Option<Loop>,
        record: Box<dyn Record + 'a>,
    ) -> Result<Self, Stop> {
        let caps = phc.caps()?;
        let virtual_clocks = phc.virtual_clocks().map_or(u32::MAX, |clocks| clocks.number);
        let (frequency, runs_freely) = match phc.frequency() {
            // Older kernels don't even tell what is dialled.
            Err(error) if virtual_clocks > 0 && error.errno() == Some(Errno::EBUSY) => {
                (Frequency::default(), true)
            }
            frequency => {
                let frequency = frequency?;
                let same = ask_to_dial(phc, frequency);
                (frequency, virtual_clocks > 0 && same == Err(Errno::EBUSY))
            }
        };
        let must_not_move = if runs_freely {
            Some("it runs freely under its virtual clocks".into())
        } else {
            let shown = phc.patiently(Phc::time)?;
            let can_be_set = (0..LAST_SECOND - LONGEST_AWAY).contains(&shown.seconds());
            (!can_be_set).then(|| format!("it shows {shown} s, and can't be set to that again"))
        };
        let began = ask(phc, |clock| clock.system_gettime(libc::CLOCK_MONOTONIC_RAW));
        Ok(Self {
            phc,
            caps,
            wire,
            account: Account::new(frequency, phc, Guard::new(phc, Some(record))),
            must_not_move,
            rate: None,
            effects: None,
            offered: Vec::new(),
            capture: None,
            began: began.map_or(0, nanoseconds),
            shortest: Cell::new(i128::MAX),
            signals,
            notes: Vec::new(),
        })
    }

    /// How long the checks may still take, in nanoseconds.
    pub(super) fn time_left(&self) -> i128 {
        let budget = if self.wire.is_some() { BUDGET_WITH_A_LOOP } else { BUDGET };
        budget - self.monotonic().map_or(0, |now| now - self.began)
    }

    /// Makes a call of the seam below.
    pub(super) fn ask<T>(
        &self,
        call: impl FnMut(&dyn Calls) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        ask(self.phc, call)
    }

    /// As [`Bench::ask`], for a reading: where the clock may be read only so often, when it may be
    /// read again.
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

    /// Tells what was measured.
    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    pub(super) fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
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

    /// Reads a clock that may be read only so often, when it may be read again.
    pub(super) fn when_free<T>(&self, read: impl Fn(&Phc) -> Result<T, Error>) -> Result<T, Error> {
        when_free(self.phc, read)
    }

    /// Leaves the clock alone for a while.
    pub(super) fn pause(&self, length: Duration) -> Result<(), Error> {
        pause(self.phc, length)
    }

    /// Lets time pass, on the clock's own system: a mock's may be virtual.
    pub(super) fn sleep(&self, duration: Duration) -> Verdict {
        self.watch(self.phc, duration, |_| {})
    }

    /// Waits until the clock is in this part of a second, in milliseconds.
    pub(super) fn wait_for(&self, part: Range<i128>) -> Verdict {
        // A busy machine can miss it; then the next second has one, too.
        for _ in 0..10 {
            let now = self.shows()?.rem_euclid(1_000_000_000) / 1_000_000;
            if part.contains(&now) {
                return Ok(());
            }
            let wait = (part.start + 1 - now).rem_euclid(1_000);
            self.sleep(Duration::from_millis(u64::try_from(wait).unwrap_or(1).max(1)))?;
        }
        Err(Stop::Unsure("it misses every part of a second".into()))
    }

    /// Reads a handle's events for so long.
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
            // A removal can slip between two polls.
            let most = Duration::from_nanos(left).min(Duration::from_secs(1));
            if phc.wait(&wake, most)? == Wait::Events {
                phc.read_events(&mut events)?;
                take(&events);
            }
        }
    }

    /// Dials a frequency by the kernel's own number, without an entry.
    pub(super) fn ask_to_dial(&self, frequency: Frequency) -> Result<(), Errno> {
        ask_to_dial(self.phc, frequency)
    }

    /// The pins as they were before the checks.
    pub(super) fn pins(&self) -> Result<Vec<Pin>, Stop> {
        match &self.account.pins {
            Ok(pins) => Ok(pins.clone()),
            Err(error) => skip(format!("its pins can't be read, {error}")),
        }
    }

    /// The frequency that was dialled before the checks.
    pub(super) fn frequency_before(&self) -> Frequency {
        self.account.frequency
    }
}

/// Reads a clock by any handle, when it may be read again.
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

/// A clock that may be read only so often is left alone for so long at first, and at last.
pub(super) const SHORT_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Makes a call of a handle's seam, again as long as signals interrupt it.
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

fn ask_to_dial(phc: &Phc, frequency: Frequency) -> Result<(), Errno> {
    let mut timex = crate::kernel::uapi::timex();
    timex.modes = libc::ADJ_FREQUENCY;
    timex.freq = frequency.scaled_ppm();
    ask(phc, |clock| clock.clock_adjtime(&mut timex))
}

pub(super) fn nanoseconds(time: timespec) -> i128 {
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}
