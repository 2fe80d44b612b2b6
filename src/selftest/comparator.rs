//! Compares the clock with the machine's own, with the uncertainty of each measurement.

use super::clock::{Clock, SHORT_PAUSE, nanoseconds};
use super::verdict::{Stop, Verdict};
use super::words::span;
use crate::kernel::Errno;
use crate::{Frequency, Rate, RateInterval};
use std::cell::Cell;
use std::time::Duration;

/// The number of readings in a comparison, and how long it may take where they are slow.
const READINGS: usize = 50;
const LEAST_READINGS: usize = 2;
const LONGEST_COMPARISON: i128 = 20_000_000;
/// How many times a clock may refuse a reading during a comparison.
const MOST_REFUSED: usize = 200;
/// A reading that takes longer than this even undisturbed is the clock's fault, not the machine's.
const SLOW_READING: i128 = 100_000;

/// How far a setting or a step may be off: a driver that reads, adds and writes loses the time
/// that it takes.
const STEP_TOLERANCE: i128 = 1_000_000;
/// A setting or a step that is known less exactly than this isn't judged. The errors of drivers are
/// parts of a second and more.
pub(super) const WIDEST_UNCERTAINTY: i128 = 50_000_000;

/// A rate is measured no longer than this.
pub(super) const LONGEST_RATE: Duration = Duration::from_secs(4);

/// The clock − the machine's raw monotonic clock, in nanoseconds: between two bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comparison {
    pub(super) low: i128,
    pub(super) high: i128,
    /// When, on the raw monotonic clock.
    pub(super) at: i128,
}

impl Comparison {
    pub(super) fn middle(&self) -> i128 {
        i128::midpoint(self.low, self.high)
    }

    /// The middle is off by this at most.
    pub(super) fn bound(&self) -> i128 {
        (self.high - self.low + 1) / 2
    }
}

/// An interval that has only this rate, in millionths of a ppb.
pub(super) fn exactly(micro_ppb: i128) -> RateInterval {
    RateInterval::around(Rate::from_micro_ppb(micro_ppb), Rate::ZERO)
}

/// How far a rate in millionths of a ppb moves a clock in this number of nanoseconds.
pub(super) fn per_second(micro_ppb: i128, nanoseconds: i128) -> i128 {
    // The clock under test may show any value: this must not overflow.
    micro_ppb.saturating_mul(nanoseconds) / 1_000_000_000_000_000
}

/// The clock, and what is known of its rate.
pub(super) struct Comparator<'a> {
    pub(super) clock: Clock<'a>,
    /// The frequency that was dialled before the checks.
    pub(super) dialled: Frequency,
    /// What is dialled now less that, in millionths of a ppb.
    pub(super) beside: i128,
    /// The measured rate of the clock at the frequency that was dialled before.
    pub(super) rate: Option<RateInterval>,
    /// The shortest reading so far.
    shortest: Cell<i128>,
}

impl<'a> Comparator<'a> {
    pub(super) fn new(clock: Clock<'a>, dialled: Frequency) -> Self {
        Self { clock, dialled, beside: 0, rate: None, shortest: Cell::new(i128::MAX) }
    }

    /// As [`Comparator::compare`], with the machine's UTC clock.
    pub(super) fn compare_with_realtime(&self) -> Result<Comparison, Stop> {
        self.compare_with(libc::CLOCK_REALTIME)
    }

    /// Compares the clock with the machine's raw monotonic clock: all readings together give less
    /// uncertainty than the best of them.
    pub(super) fn compare(&self) -> Result<Comparison, Stop> {
        self.compare_with(libc::CLOCK_MONOTONIC_RAW)
    }

    fn compare_with(&self, clock: libc::clockid_t) -> Result<Comparison, Stop> {
        let now = || {
            let time = self.clock.ask(|calls| calls.system_gettime(clock));
            time.map(nanoseconds)
                .map_err(|errno| Stop::Wrong(format!("the machine's own clock fails: {errno:?}")))
        };
        let began = now()?;
        let mut all: Option<Comparison> = None;
        let (mut number, mut refused) = (0, 0);
        while number < READINGS {
            let before = now()?;
            // A clock on a slow bus is read fewer times.
            if number >= LEAST_READINGS && before - began > LONGEST_COMPARISON {
                break;
            }
            let shown = match self.clock.phc.time() {
                Ok(time) => time.total_nanoseconds(),
                // A reading that waits is useless, so wait between readings and try again.
                Err(error) if error.errno() == Some(Errno::EBUSY) && refused < MOST_REFUSED => {
                    refused += 1;
                    self.clock.pause(SHORT_PAUSE)?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let after = now()?;
            number += 1;
            self.shortest.set(self.shortest.get().min(after - before));
            // What the clock would have shown at the beginning.
            let shown = shown - per_second(self.expected_rate(), before - began);
            let (low, high) = (shown - after, shown - before);
            all = Some(match all {
                None => Comparison { low, high, at: began },
                Some(all) => {
                    Comparison { low: all.low.max(low), high: all.high.min(high), at: began }
                }
            });
        }
        let all = all.ok_or_else(|| Stop::Wrong("no reading".into()))?;
        // If the clock wanders, no offset may fit all readings: then the offset was between these
        // bounds.
        Ok(Comparison { low: all.low.min(all.high), high: all.high.max(all.low), ..all })
    }

    /// The rate at which the clock should run now, in millionths of a ppb.
    fn expected_rate(&self) -> i128 {
        let own = self.rate.map_or(self.dialled.micro_ppb(), |own| own.middle().micro_ppb());
        own.saturating_add(self.beside)
    }

    /// How far the clock moves against the machine's in this number of nanoseconds.
    pub(super) fn drifts(&self, nanoseconds: i128) -> i128 {
        per_second(self.expected_rate(), nanoseconds).saturating_abs()
    }

    /// Measures the clock's rate over this duration.
    pub(super) fn measure_rate(&self, duration: Duration) -> Result<RateInterval, Stop> {
        let begin = self.compare()?;
        self.clock.sleep(duration)?;
        let end = self.compare()?;
        let span = (end.at - begin.at).max(1);
        let per = |nanoseconds: i128| nanoseconds.saturating_mul(1_000_000_000_000_000) / span;
        let rate = |moved: i128| Rate::from_micro_ppb(per(moved));
        Ok(RateInterval { lowest: rate(end.low - begin.high), highest: rate(end.high - begin.low) })
    }

    /// How long a rate has to be measured to be known within `micro_ppb`, 1 s at least. If there
    /// isn't enough time for that, the answer is 1 s.
    pub(super) fn long_enough_for(&self, micro_ppb: i128) -> Result<Duration, Stop> {
        let uncertainty = 2 * self.compare()?.bound();
        let long = uncertainty.saturating_mul(1_000_000_000_000_000) / micro_ppb.max(1);
        // Four such measurements may follow.
        let there_is_time = long < self.clock.time_left() / 5;
        let long = u64::try_from(long).map_or(LONGEST_RATE, Duration::from_nanos);
        let least = Duration::from_secs(1);
        Ok(if there_is_time && long < LONGEST_RATE { long.max(least) } else { least })
    }

    /// Why a check can't be judged, if it measured too coarsely.
    pub(super) fn too_coarse(&self, why: &str) -> String {
        let shortest = self.shortest.get();
        if shortest > SLOW_READING && shortest < i128::MAX {
            format!("a reading takes {}, too long to tell: {why}", span(shortest))
        } else {
            format!("this machine is too busy to tell: {why}")
        }
    }
}

/// The error of a setting or a step must be small.
pub(super) fn must_be_near(off: i128, bound: i128, wrong: impl FnOnce() -> String) -> Verdict {
    if off.saturating_abs() > STEP_TOLERANCE + bound {
        return Err(Stop::Wrong(wrong()));
    }
    if bound > WIDEST_UNCERTAINTY {
        return Err(Stop::Unsure(format!("the error is known only within {}", span(bound))));
    }
    Ok(())
}
