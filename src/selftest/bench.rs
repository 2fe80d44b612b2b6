//! The clock under test, and what the checks do with it.

use super::account::Account;
use super::{Stop, Verdict};
use crate::Frequency;
use crate::kernel::uapi::timespec;
use crate::kernel::{Calls, Signals, Wait};
use crate::phc::{Access, Caps, Phc, Pin};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use std::time::Duration;

/// Two pins that are wired together.
#[derive(Clone, Debug)]
pub struct Loop {
    /// The output.
    pub from: Pin,
    /// The input.
    pub to: Pin,
}

/// How many readings a comparison takes, and how long where they are slow.
const READINGS: usize = 50;
const LEAST_READINGS: usize = 2;
const LONGEST_COMPARISON: i128 = 20_000_000;

/// The clock under test.
pub(super) struct Bench<'a> {
    pub(super) phc: &'a Phc,
    pub(super) caps: Caps,
    pub(super) wire: Option<Loop>,
    pub(super) account: Account,
    /// Virtual clocks hang on it: it can't be set, stepped or dialled.
    pub(super) runs_freely: bool,
    /// What the pace of the clock was found to be, as it is dialled.
    pub(super) pace: Option<Pace>,
    /// What it goes faster by where it is dialled up, and dialled down.
    pub(super) effects: Option<[Pace; 2]>,
    /// The pins and functions that were found to work.
    pub(super) offered: Vec<(u32, crate::phc::PinFunction)>,
    /// What came through the loop.
    pub(super) capture: super::wire::Capture,
    /// When, on the raw monotonic clock.
    began: i128,
    signals: Option<&'a Signals>,
    notes: Vec<String>,
}

/// The clock − the machine's raw monotonic clock, in nanoseconds: somewhere in between.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comparison {
    pub(super) low: i128,
    pub(super) high: i128,
    /// When, on the raw monotonic clock.
    pub(super) at: i128,
}

/// How much faster than the machine's clock, in millionths of a ppb: somewhere in between.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) low: i128,
    pub(super) high: i128,
}

impl Comparison {
    pub(super) fn middle(&self) -> i128 {
        i128::midpoint(self.low, self.high)
    }

    /// It is off by this at most.
    pub(super) fn bound(&self) -> i128 {
        (self.high - self.low + 1) / 2
    }
}

impl Pace {
    pub(super) fn middle(&self) -> i128 {
        i128::midpoint(self.low, self.high)
    }

    pub(super) fn bound(&self) -> i128 {
        (self.high - self.low + 1) / 2
    }

    pub(super) fn minus(&self, other: &Self) -> Self {
        Self { low: self.low - other.high, high: self.high - other.low }
    }
}

/// Millionths of a ppb as people read them.
pub(super) fn ppm(micro_ppb: i128) -> String {
    // To a thousandth of a ppm.
    let thousandths = (micro_ppb + micro_ppb.signum() * 500_000) / 1_000_000;
    let sign = if thousandths < 0 { "-" } else { "+" };
    let size = thousandths.unsigned_abs();
    format!("{sign}{}.{:03} ppm", size / 1_000, size % 1_000)
}

/// A doubt in millionths of a ppb, as people read it.
pub(super) fn within(micro_ppb: i128) -> String {
    ppm(micro_ppb.abs()).replacen('+', "", 1)
}

/// Nanoseconds as people read them.
pub(super) fn time(nanoseconds: i128) -> String {
    i64::try_from(nanoseconds).map_or_else(
        |_| format!("{nanoseconds} ns"),
        |nanoseconds| format!("{:+}", crate::Offset::from_nanoseconds(nanoseconds)),
    )
}

impl<'a> Bench<'a> {
    pub(super) fn new(
        phc: &'a Phc,
        signals: Option<&'a Signals>,
        wire: Option<Loop>,
    ) -> Result<Self, Stop> {
        let caps = phc.caps()?;
        // A clock that promises pins that can't be read is told by a check.
        let pins = phc.pins().unwrap_or_default();
        let account = Account::new(phc.frequency()?, pins);
        let capture = super::wire::Capture::default();
        let began = ask(phc, |clock| clock.system_gettime(libc::CLOCK_MONOTONIC_RAW));
        let mut same = crate::kernel::uapi::timex();
        same.modes = libc::ADJ_FREQUENCY;
        same.freq = account.frequency.scaled_ppm();
        let runs_freely = phc.virtual_clocks().is_ok_and(|clocks| clocks.number > 0)
            && ask(phc, |clock| clock.clock_adjtime(&mut same)) == Err(Errno::EBUSY);
        Ok(Self {
            runs_freely,
            phc,
            caps,
            wire,
            account,
            pace: None,
            effects: None,
            offered: Vec::new(),
            capture,
            began: began.map_or(0, nanoseconds),
            signals,
            notes: Vec::new(),
        })
    }

    /// How long the checks have taken so far, in nanoseconds.
    pub(super) fn elapsed(&self) -> i128 {
        self.monotonic().map_or(0, |now| now - self.began)
    }

    /// Makes a call of the seam below.
    pub(super) fn ask<T>(
        &self,
        call: impl FnMut(&dyn Calls) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        ask(self.phc, call)
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
        Ok(self.phc.time()?.total_nanoseconds())
    }

    /// Lets time pass, on the clock's own system: a mock's may be virtual.
    pub(super) fn sleep(&self, duration: Duration) -> Verdict {
        self.watch(self.phc, duration, |_| {})
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

    /// As [`Bench::compare`], with the machine's UTC clock.
    pub(super) fn compare_with_realtime(&self) -> Result<Comparison, Stop> {
        let realtime = || {
            let time = self.ask(|clock| clock.system_gettime(libc::CLOCK_REALTIME));
            time.map(nanoseconds).map_err(|errno| Stop::Wrong(format!("no system time: {errno:?}")))
        };
        let mut best: Option<Comparison> = None;
        for _ in 0..LEAST_READINGS * 10 {
            let (before, shown, after) = (realtime()?, self.shows()?, realtime()?);
            let one = Comparison { low: shown - after, high: shown - before, at: after };
            if best.is_none_or(|best| one.bound() < best.bound()) {
                best = Some(one);
            }
        }
        best.ok_or_else(|| Stop::Wrong("no reading".into()))
    }

    /// Compares the clock with the machine's raw monotonic clock: all readings together give less
    /// doubt than the best of them.
    pub(super) fn compare(&self) -> Result<Comparison, Stop> {
        let mut all: Option<Comparison> = None;
        let mut best: Option<Comparison> = None;
        let began = self.monotonic()?;
        for number in 0..READINGS {
            let before = self.monotonic()?;
            // A clock on a slow bus isn't read so often.
            if number >= LEAST_READINGS && before - began > LONGEST_COMPARISON {
                break;
            }
            let shown = self.shows()?;
            let after = self.monotonic()?;
            let one = Comparison { low: shown - after, high: shown - before, at: after };
            if best.is_none_or(|best| one.bound() < best.bound()) {
                best = Some(one);
            }
            all = Some(all.map_or(one, |all| Comparison {
                low: all.low.max(one.low),
                high: all.high.min(one.high),
                at: after,
            }));
        }
        // The clock may go at another pace than the machine's: then no offset fits all readings.
        let fits = all.filter(|all| all.low <= all.high);
        fits.or(best).ok_or_else(|| Stop::Wrong("no reading".into()))
    }

    /// Measures the clock's pace for so long.
    pub(super) fn measure_pace(&self, duration: Duration) -> Result<Pace, Stop> {
        let begin = self.compare()?;
        self.sleep(duration)?;
        let end = self.compare()?;
        let span = (end.at - begin.at).max(1);
        let per = |nanoseconds: i128| nanoseconds * 1_000_000_000_000_000 / span;
        Ok(Pace { low: per(end.low - begin.high), high: per(end.high - begin.low) })
    }

    /// Dials a frequency by the kernel's own number.
    pub(super) fn dial(&self, scaled_ppm: i64) -> Result<(), Errno> {
        let mut timex = crate::kernel::uapi::timex();
        timex.modes = libc::ADJ_FREQUENCY;
        timex.freq = scaled_ppm;
        self.ask(|clock| clock.clock_adjtime(&mut timex))
    }

    /// The frequency that was dialled before the checks.
    pub(super) fn frequency_before(&self) -> Frequency {
        self.account.frequency
    }
}

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

pub(super) fn nanoseconds(time: timespec) -> i128 {
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}
