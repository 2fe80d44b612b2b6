//! The clock under test, and what the checks do with it.

use super::account::Account;
use super::{Change, Stop, Verdict, skip};
use crate::Frequency;
use crate::kernel::uapi::timespec;
use crate::kernel::{Calls, Signals, Wait};
use crate::phc::{Access, Caps, Phc, Pin};
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

/// How many readings a comparison takes, and how long where they are slow.
const READINGS: usize = 50;
const LEAST_READINGS: usize = 2;
const LONGEST_COMPARISON: i128 = 20_000_000;
/// A reading that takes longer than this even undisturbed is the clock's fault, not the machine's.
const SLOW_READING: i128 = 100_000;

/// How far a setting or a step may be off: a driver that reads, adds and writes loses the time
/// that it takes.
const TOLERANCE: i128 = 1_000_000;
/// Beyond this doubt nothing is said of a setting or a step. What drivers get wrong is a part of a
/// second and more.
pub(super) const WIDEST_DOUBT: i128 = 50_000_000;

/// How long the checks may take, and with a loop, before the rest is skipped: in nanoseconds.
const BUDGET: i128 = 28_000_000_000;
const BUDGET_WITH_A_LOOP: i128 = 90_000_000_000;
/// A pace is measured no longer than this.
pub(super) const LONGEST_PACE: Duration = Duration::from_secs(4);

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
    /// What the pace of the clock was found to be, as it is dialled.
    pub(super) pace: Option<Pace>,
    /// What it goes faster by where it is dialled up, and dialled down.
    pub(super) effects: Option<super::frequency::Effects>,
    /// The pins and functions that were found to work.
    pub(super) offered: Vec<(u32, crate::phc::PinFunction)>,
    /// What came through the loop.
    pub(super) capture: Option<super::wire::Capture>,
    /// When, on the raw monotonic clock.
    began: i128,
    /// The shortest reading so far.
    shortest: Cell<i128>,
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

    /// What holds both.
    pub(super) fn with(&self, other: &Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }
}

/// How far a pace in millionths of a ppb moves a clock in so many nanoseconds.
pub(super) fn per_second(micro_ppb: i128, nanoseconds: i128) -> i128 {
    // A clock that shows nonsense is what this looks for.
    micro_ppb.saturating_mul(nanoseconds) / 1_000_000_000_000_000
}

/// Millionths of a ppb as people read them.
pub(super) fn ppm(micro_ppb: i128) -> String {
    // To a thousandth of a ppm.
    let thousandths = micro_ppb.saturating_add(micro_ppb.signum() * 500_000) / 1_000_000;
    let sign = if thousandths < 0 { "-" } else { "+" };
    let size = thousandths.unsigned_abs();
    format!("{sign}{}.{:03} ppm", size / 1_000, size % 1_000)
}

/// A doubt in millionths of a ppb, as people read it.
pub(super) fn within(micro_ppb: i128) -> String {
    ppm(micro_ppb.saturating_abs()).replacen('+', "", 1)
}

/// A distance in nanoseconds as people read it, with its sign.
pub(super) fn time(nanoseconds: i128) -> String {
    i64::try_from(nanoseconds).map_or_else(
        |_| format!("{nanoseconds} ns"),
        |nanoseconds| format!("{:+}", crate::Offset::from_nanoseconds(nanoseconds)),
    )
}

/// As [`time`], of what has no direction.
pub(super) fn span(nanoseconds: i128) -> String {
    time(nanoseconds).replacen('+', "", 1)
}

impl<'a> Bench<'a> {
    pub(super) fn new(
        phc: &'a Phc,
        signals: Option<&'a Signals>,
        wire: Option<Loop>,
        record: &'a mut dyn FnMut(&[Change]),
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
            let shown = phc.time()?;
            let can_be_set = (0..LAST_SECOND - LONGEST_AWAY).contains(&shown.seconds());
            (!can_be_set).then(|| format!("it shows {shown} s, and can't be set to that again"))
        };
        let began = ask(phc, |clock| clock.system_gettime(libc::CLOCK_MONOTONIC_RAW));
        Ok(Self {
            phc,
            caps,
            wire,
            account: Account::new(frequency, phc.pins(), record),
            must_not_move,
            pace: None,
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

    /// As [`Bench::compare`], with the machine's UTC clock.
    pub(super) fn compare_with_realtime(&self) -> Result<Comparison, Stop> {
        self.compare_with(libc::CLOCK_REALTIME)
    }

    /// Compares the clock with the machine's raw monotonic clock: all readings together give less
    /// doubt than the best of them.
    pub(super) fn compare(&self) -> Result<Comparison, Stop> {
        self.compare_with(libc::CLOCK_MONOTONIC_RAW)
    }

    fn compare_with(&self, clock: libc::clockid_t) -> Result<Comparison, Stop> {
        let now = || {
            let time = self.ask(|calls| calls.system_gettime(clock));
            time.map(nanoseconds)
                .map_err(|errno| Stop::Wrong(format!("the machine's own clock fails: {errno:?}")))
        };
        let began = now()?;
        let mut all: Option<Comparison> = None;
        for number in 0..READINGS {
            let before = now()?;
            // A clock on a slow bus isn't read so often.
            if number >= LEAST_READINGS && before - began > LONGEST_COMPARISON {
                break;
            }
            let shown = self.shows()?;
            let after = now()?;
            self.shortest.set(self.shortest.get().min(after - before));
            // As it would have been at the beginning.
            let shown = shown - per_second(self.expected_pace(), before - began);
            let (low, high) = (shown - after, shown - before);
            all = Some(match all {
                None => Comparison { low, high, at: began },
                Some(all) => {
                    Comparison { low: all.low.max(low), high: all.high.min(high), at: began }
                }
            });
        }
        let all = all.ok_or_else(|| Stop::Wrong("no reading".into()))?;
        // Where no offset fits all readings, because the clock wanders, it was somewhere in between.
        Ok(Comparison { low: all.low.min(all.high), high: all.high.max(all.low), ..all })
    }

    /// The pace that the clock should go at now, in millionths of a ppb.
    fn expected_pace(&self) -> i128 {
        let own = self.pace.map_or_else(|| self.account.frequency.micro_ppb(), |own| own.middle());
        own.saturating_add(self.account.dialled_beside())
    }

    /// How far the clock moves against the machine's in so many nanoseconds.
    pub(super) fn drifts(&self, nanoseconds: i128) -> i128 {
        per_second(self.expected_pace(), nanoseconds).saturating_abs()
    }

    /// Measures the clock's pace for so long.
    pub(super) fn measure_pace(&self, duration: Duration) -> Result<Pace, Stop> {
        let begin = self.compare()?;
        self.sleep(duration)?;
        let end = self.compare()?;
        let span = (end.at - begin.at).max(1);
        let per = |nanoseconds: i128| nanoseconds.saturating_mul(1_000_000_000_000_000) / span;
        Ok(Pace { low: per(end.low - begin.high), high: per(end.high - begin.low) })
    }

    /// How long a pace has to be measured to be known within `micro_ppb`: 1 s at least. Where
    /// there isn't the time for it, that has to do.
    pub(super) fn long_enough_for(&self, micro_ppb: i128) -> Result<Duration, Stop> {
        let doubt = 2 * self.compare()?.bound();
        let long = doubt.saturating_mul(1_000_000_000_000_000) / micro_ppb.max(1);
        // Four such measurements may follow.
        let there_is_time = long < self.time_left() / 5;
        let long = u64::try_from(long).map_or(LONGEST_PACE, Duration::from_nanos);
        let least = Duration::from_secs(1);
        Ok(if there_is_time && long < LONGEST_PACE { long.max(least) } else { least })
    }

    /// Dials a frequency by the kernel's own number, without an entry.
    pub(super) fn ask_to_dial(&self, frequency: Frequency) -> Result<(), Errno> {
        ask_to_dial(self.phc, frequency)
    }

    /// Why something can't be told that was measured too coarsely.
    pub(super) fn too_coarse(&self, why: &str) -> String {
        let shortest = self.shortest.get();
        if shortest > SLOW_READING && shortest < i128::MAX {
            format!("a reading takes {}, too long to tell: {why}", span(shortest))
        } else {
            format!("this machine is too busy to tell: {why}")
        }
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

/// What a setting or a step is off by must be little.
pub(super) fn must_be_near(off: i128, bound: i128, wrong: impl FnOnce() -> String) -> Verdict {
    if off.saturating_abs() > TOLERANCE + bound {
        return Err(Stop::Wrong(wrong()));
    }
    if bound > WIDEST_DOUBT {
        return Err(Stop::Unsure(format!("it is known within {} only", span(bound))));
    }
    Ok(())
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

fn ask_to_dial(phc: &Phc, frequency: Frequency) -> Result<(), Errno> {
    let mut timex = crate::kernel::uapi::timex();
    timex.modes = libc::ADJ_FREQUENCY;
    timex.freq = frequency.scaled_ppm();
    ask(phc, |clock| clock.clock_adjtime(&mut timex))
}

pub(super) fn nanoseconds(time: timespec) -> i128 {
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}
