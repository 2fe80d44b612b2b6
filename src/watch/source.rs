//! What is measured again and again: a clock beside a system clock, or beside another clock.

use super::measured::{Limit, MOST_APART, Measured, Question, Unmeasured};
use crate::Offset;
use crate::find;
use crate::measure::{self, Pace};
use crate::phc::{Access, Error, Method, Phc, SystemClock};
use std::time::Duration;

/// What a source is called, in lines and in pictures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Label {
    /// The clock's device.
    pub(crate) device: String,
    /// What the clock calls itself.
    pub(crate) clock_name: Option<String>,
    /// What it is measured against: a system clock, or another clock's device.
    pub(crate) reference: String,
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} - {}", self.device, self.reference)
    }
}

/// One measurement of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Measurement {
    /// When, in nanoseconds of UTC.
    pub(crate) at: i128,
    /// Clock − reference.
    pub(crate) offset: Offset,
    /// The offset is off by this at most, where that can be told.
    pub(crate) bound: Option<Offset>,
    /// Between the system times of the best sample, where that can be told.
    pub(crate) delay: Option<Offset>,
    /// How the samples were read.
    pub(crate) method: Method,
    /// Whether one of the clocks was stepped since the measurement before.
    pub(crate) stepped: bool,
    /// Why a better method didn't do, when that turns out.
    pub(crate) failed: Option<String>,
}

/// A clock that is measured again and again. It may go away and come back.
pub(crate) struct Source {
    name: String,
    other: Option<String>,
    label: Label,
    clock: SystemClock,
    limit: Limit,
    open: Option<Open>,
    last: Option<Last>,
}

/// The clocks of a source while they are there.
struct Open {
    phc: Phc,
    other: Option<Phc>,
    /// The methods that turned out to be the best.
    methods: [Option<Method>; 2],
    claimed: Option<Offset>,
    claimed_at: Duration,
}

/// What the next measurement is compared with.
#[derive(Clone, Copy)]
struct Last {
    at: i128,
    offset: Offset,
    bound: Offset,
    pace: Option<Pace>,
}

/// Why a source can't be measured.
pub(crate) enum Unopened {
    /// A clock isn't there, or can't be opened.
    Find(find::FindError),
    /// It can't be measured.
    Measure(Unmeasured),
}

/// What a driver claims of its clock is asked for once in this time.
const CLAIM: Duration = Duration::from_secs(1);

impl Source {
    /// Opens the clocks of a source: one of this name, and the one that is subtracted or else a
    /// system clock.
    pub(crate) fn open(
        name: &str,
        other: Option<&str>,
        clock: SystemClock,
        limit: Limit,
    ) -> Result<Self, Unopened> {
        let mut source = Self {
            name: name.to_owned(),
            other: other.map(str::to_owned),
            label: Label::default(),
            clock,
            limit,
            open: None,
            last: None,
        };
        let open = source.reopen().map_err(Unopened::Find)?;
        // What can't be measured at all is told at once, not as a clock that is lost.
        for phc in [Some(&open.phc), open.other.as_ref()].into_iter().flatten() {
            Measured::from(phc, source.clock, Limit::samples(1)).map_err(Unopened::Measure)?;
        }
        source.open = Some(open);
        Ok(source)
    }

    fn reopen(&mut self) -> Result<Open, find::FindError> {
        let phc = find::open(&self.name, Access::ReadOnly)?;
        let other = self.other.as_deref().map(|name| find::open(name, Access::ReadOnly));
        let other = other.transpose()?;
        if let Some(other) = &other {
            // Nobody steps the raw clock, but old kernels and drivers don't read samples against it.
            let raw = SystemClock::MonotonicRaw;
            let both = phc.takes_clock(raw)? && other.takes_clock(raw)?;
            self.clock = if both { raw } else { SystemClock::Realtime };
        }
        let name = phc.name();
        self.label = Label {
            device: name.device.clone(),
            clock_name: name.clock_name.clone(),
            reference: match &other {
                Some(other) => other.name().device.clone(),
                None => self.clock.to_string(),
            },
        };
        Ok(Open { phc, other, methods: [None; 2], claimed: None, claimed_at: Duration::ZERO })
    }

    pub(crate) fn label(&self) -> &Label {
        &self.label
    }

    /// The clock whose system's time the source goes by, while it is there.
    pub(crate) fn phc(&self) -> Option<&Phc> {
        self.open.as_ref().map(|open| &open.phc)
    }

    /// Measures once. A clock that has gone is looked for again.
    pub(crate) fn measure(&mut self) -> Result<Measurement, String> {
        if self.open.is_none() {
            let open = self.reopen().map_err(|error| error.to_string())?;
            self.open = Some(open);
        }
        let Some(open) = &mut self.open else { return Err("it isn't open".into()) };
        match open.measure(self.clock, self.limit) {
            Ok((mut measurement, pace)) => {
                let now = Last {
                    at: measurement.at,
                    offset: measurement.offset,
                    bound: measurement.bound.unwrap_or(UNTOLD),
                    // Without a bound, no rate is sure.
                    pace: pace.filter(|_| measurement.bound.is_some()),
                };
                measurement.stepped = self.last.is_some_and(|last| last.is_step(&now));
                self.last = Some(now);
                Ok(measurement)
            }
            Err(error) => {
                // Its device may be another when it comes back.
                self.open = None;
                self.last = None;
                Err(error.to_string())
            }
        }
    }
}

impl Open {
    fn measure(
        &mut self,
        clock: SystemClock,
        limit: Limit,
    ) -> Result<(Measurement, Option<Pace>), Unmeasured> {
        let [method, other_method] = &mut self.methods;
        let (measured, offset, bound, pace, at);
        let mut failed = None;
        if let Some(other) = &self.other {
            let limit = limit.share(3);
            let before = ask(&self.phc, clock, limit, method)?;
            let middle = ask(other, clock, limit, other_method)?;
            failed = failed.or(before.failed.as_ref().map(ToString::to_string));
            let after = ask(&self.phc, clock, limit, method)?;
            let difference =
                measure::difference(&before.estimate, &middle.estimate, &after.estimate)
                    .ok_or_else(|| Unmeasured::Useless(other.name().clone()))?;
            at = middle.estimate.at;
            bound = before.bound().and(middle.bound()).map(|_| difference.bound);
            (offset, pace) = (difference.offset, difference.pace);
            measured = middle;
        } else {
            measured = ask(&self.phc, clock, limit, method)?;
            (offset, pace) = (measured.estimate.offset, measured.estimate.pace);
            (bound, at) = (measured.bound(), measured.estimate.at);
        }
        let failed = failed.or(measured.failed.as_ref().map(ToString::to_string));
        let claimed = self.claimed()?.map_or(0, Offset::nanoseconds);
        let widened =
            |bound: Offset| Offset::from_nanoseconds(bound.nanoseconds().saturating_add(claimed));
        let measurement = Measurement {
            at: self.utc(clock, at)?,
            offset,
            bound: bound.map(widened),
            delay: measured.bound().and(Some(measured.estimate.delay)),
            method: measured.method,
            stepped: false,
            failed,
        };
        Ok((measurement, pace))
    }

    fn claimed(&mut self) -> Result<Option<Offset>, Error> {
        let now = self.phc.monotonic()?;
        if self.claimed_at.is_zero() || now.saturating_sub(self.claimed_at) >= CLAIM {
            self.claimed_at = now;
            let clocks = [Some(&self.phc), self.other.as_ref()].into_iter().flatten();
            let claims = clocks.filter_map(Phc::claimed_error).map(Offset::nanoseconds);
            self.claimed = claims.reduce(i64::saturating_add).map(Offset::from_nanoseconds);
        }
        Ok(self.claimed)
    }

    /// A moment on a system clock, on UTC.
    fn utc(&self, clock: SystemClock, at: i128) -> Result<i128, Error> {
        if clock == SystemClock::Realtime {
            return Ok(at);
        }
        let (now, utc) = (self.phc.shown_by(clock)?, self.phc.system_time()?);
        Ok(utc.total_nanoseconds() - (now.total_nanoseconds() - at))
    }
}

/// Measures by the method that was the best, or finds it.
fn ask(
    phc: &Phc,
    clock: SystemClock,
    limit: Limit,
    method: &mut Option<Method>,
) -> Result<Measured, Unmeasured> {
    let question = Question { method: *method, ..Question::of(clock, limit) };
    let measured = Measured::by(phc, question, &mut |_, _| {})?;
    *method = Some(measured.method);
    Ok(measured)
}

impl Last {
    /// Whether the offset has moved by more than both rates and bounds explain.
    fn is_step(&self, now: &Self) -> bool {
        let span = now.at - self.at;
        if span <= 0 {
            return true;
        }
        let moved = i128::from(now.offset.nanoseconds()) - i128::from(self.offset.nanoseconds());
        let doubt = i128::from(self.bound.nanoseconds()) + i128::from(now.bound.nanoseconds());
        // By the rates that both measurements leave open; by a thousandth where they tell none,
        // and always by a millionth, so as not to call the unevenness of a clock a step.
        let (slow, fast) = match (self.pace, now.pace) {
            // A rate that few samples tell says less than what every clock keeps.
            (Some(one), Some(other)) => (
                (one.micro_ppb - one.bound).min(other.micro_ppb - other.bound).max(-UNKNOWN),
                (one.micro_ppb + one.bound).max(other.micro_ppb + other.bound).min(UNKNOWN),
            ),
            _ => (-UNKNOWN, UNKNOWN),
        };
        let by = |rate: i128| rate.saturating_mul(span) / 1_000_000_000_000_000;
        moved < by(slow - UNEVEN) - doubt || by(fast + UNEVEN) + doubt < moved
    }
}

/// What an offset is off by, where nobody tells.
const UNTOLD: Offset = Offset::from_nanoseconds(1_000);
/// A rate that nobody knows is below this, in millionths of a ppb.
const UNKNOWN: i128 = 1_000_000_000_000_000 / MOST_APART;
/// A clock's own rate changes by less than this, in millionths of a ppb.
const UNEVEN: i128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn last(at: i128, offset: i64, rate: Option<(i128, i128)>) -> Last {
        let pace =
            rate.map(|(ppb, bound)| Pace { micro_ppb: ppb * 1_000_000, bound: bound * 1_000_000 });
        let (offset, bound) = (Offset::from_nanoseconds(offset), Offset::from_nanoseconds(500));
        Last { at, offset, bound, pace }
    }

    const SECOND: i128 = 1_000_000_000;

    #[test]
    fn a_step_is_more_than_rates_and_bounds_explain() {
        let rate = Some((100_000, 10_000));
        let from = last(0, 0, rate);
        assert!(!from.is_step(&last(SECOND, 100_000, rate)));
        assert!(!from.is_step(&last(SECOND, 111_900, rate)));
        assert!(from.is_step(&last(SECOND, 113_000, rate)));
        assert!(from.is_step(&last(SECOND, 0, rate)));
    }

    #[test]
    fn a_rate_that_changes_is_no_step() {
        let from = last(0, 0, Some((0, 10)));
        assert!(!from.is_step(&last(SECOND, 150_000, Some((200_000, 10)))));
        assert!(from.is_step(&last(SECOND, 210_000, Some((200_000, 10)))));
    }

    #[test]
    fn a_rate_that_few_samples_tell_hides_no_step() {
        let from = last(0, 0, Some((0, 300_000_000)));
        assert!(from.is_step(&last(SECOND, 100_000_000, Some((0, 300_000_000)))));
    }

    #[test]
    fn without_a_rate_a_thousandth_is_explained() {
        let from = last(0, 0, None);
        assert!(!from.is_step(&last(SECOND, 990_000, None)));
        assert!(from.is_step(&last(SECOND, 1_010_000, None)));
        assert!(from.is_step(&last(0, 0, None)), "the system clock went back");
    }
}
