//! One offset of a clock from a system clock: samples, for so long, and what they say.

use crate::Offset;
use crate::measure::{self, Estimate, Estimator};
use crate::phc::{DeviceName, Error, Method, Phc, Sample, SystemClock};
use std::fmt;
use std::ops::ControlFlow;
use std::time::Duration;

/// How long it is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) samples: usize,
    pub(crate) duration: Option<Duration>,
}

/// Long enough where nothing else is asked for, for a script that calls it often, too.
const USUAL: Duration = Duration::from_millis(30);
/// The samples of a clock that is read in no time.
const USUAL_MOST: usize = 100_000;
/// So often time may stand still, as a mock's can, before nothing is waited for any more.
const STANDSTILL: u32 = 10_000;
/// Samples that are taken to check others.
const CHECK: usize = 25;

impl Limit {
    /// For so many samples or so long; the usual time where neither is given.
    pub(crate) fn new(samples: Option<usize>, duration: Option<Duration>) -> Self {
        match (samples, duration) {
            (None, None) => Self { samples: USUAL_MOST, duration: Some(USUAL) },
            (samples, duration) => Self { samples: samples.unwrap_or(usize::MAX), duration },
        }
    }

    pub(crate) fn samples(samples: usize) -> Self {
        Self { samples, duration: None }
    }

    /// For one of several measurements that share the time.
    pub(crate) fn share(self, parts: u32) -> Self {
        Self { duration: self.duration.map(|duration| duration / parts), ..self }
    }

    fn watch(self, phc: &Phc) -> Result<Deadline<'_>, Error> {
        let end = match self.duration {
            Some(duration) => Some(phc.monotonic()?.saturating_add(duration)),
            None => None,
        };
        Ok(Deadline { phc, end, last: Duration::ZERO, still: 0, failed: None })
    }
}

/// Sees to it that a measurement ends in time.
struct Deadline<'a> {
    phc: &'a Phc,
    end: Option<Duration>,
    last: Duration,
    still: u32,
    failed: Option<Error>,
}

impl Deadline<'_> {
    fn goes_on(&mut self) -> ControlFlow<()> {
        let Some(end) = self.end else { return ControlFlow::Continue(()) };
        let now = match self.phc.monotonic() {
            Ok(now) => now,
            Err(error) => {
                self.failed = Some(error);
                return ControlFlow::Break(());
            }
        };
        self.still = if now == self.last { self.still + 1 } else { 0 };
        self.last = now;
        if now >= end || self.still > STANDSTILL {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// What a measurement answered, unless the time that it took couldn't be read.
    fn judge<T>(self, answer: Result<T, Error>) -> Result<T, Error> {
        self.failed.map_or(answer, Err)
    }
}

/// An offset and how it was had.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) method: Method,
    pub(crate) estimate: Estimate,
    /// How far off the clock is at most by what its driver claims.
    pub(crate) claimed: Option<Offset>,
    /// What the next method says of a clock whose hardware reads both clocks at one instant.
    pub(crate) check: Option<(Method, Estimate)>,
    /// Why it couldn't be checked so.
    pub(crate) unchecked: Option<Error>,
    /// Why a better method didn't do.
    pub(crate) failed: Option<Error>,
}

/// Why there is no offset.
#[derive(Debug)]
pub(crate) enum Unmeasured {
    /// The clock didn't answer.
    Clock(Error),
    /// No sample is of use.
    Useless(DeviceName),
}

impl fmt::Display for Unmeasured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clock(error) => error.fmt(f),
            Self::Useless(name) => write!(
                f,
                "can't tell the offset of {name}: the system clock was stepped back in each \
                 sample, or the offset is beyond 292 years"
            ),
        }
    }
}

impl From<Error> for Unmeasured {
    fn from(error: Error) -> Self {
        Self::Clock(error)
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    pub(crate) clock: SystemClock,
    /// The free-running counter instead of the clock.
    pub(crate) cycles: bool,
    /// The best one where none is named.
    pub(crate) method: Option<Method>,
    pub(crate) limit: Limit,
}

impl Question {
    /// The clock from a system clock, by the best method.
    pub(crate) fn of(clock: SystemClock, limit: Limit) -> Self {
        Self { clock, cycles: false, method: None, limit }
    }
}

impl Measured {
    /// Reads samples and says what they tell. `see` is shown the samples with their method; what
    /// a method gave before it failed comes before what the next one gives, and doesn't count.
    pub(crate) fn by(
        phc: &Phc,
        question: Question,
        see: &mut dyn FnMut(Method, &[Sample]),
    ) -> Result<Self, Unmeasured> {
        let Question { clock, cycles, method, limit } = question;
        let mut estimator = Estimator::default();
        let mut of = None;
        let mut deadline = limit.watch(phc)?;
        let mut take = |method, batch: &[Sample]| {
            if of.replace(method) != Some(method) {
                estimator = Estimator::default();
            }
            for sample in batch {
                estimator.add(*sample);
            }
            see(method, batch);
            deadline.goes_on()
        };
        let answer = match method {
            Some(method) => {
                let mut take = |batch: &[Sample]| take(method, batch);
                phc.each_batch(method, clock, cycles, limit.samples, &mut take)
                    .map(|()| (method, None))
            }
            None => phc.each_batch_by_best_method(clock, cycles, limit.samples, &mut take),
        };
        let (used, failed) = deadline.judge(answer)?;
        let estimate = estimator.estimate();
        let estimate = estimate.ok_or_else(|| Unmeasured::Useless(phc.name().clone()))?;
        Ok(Self { method: used, estimate, claimed: None, check: None, unchecked: None, failed })
    }

    /// As [`Measured::by`], with what the driver claims of its clock, and with a look at what
    /// another method says where the best one tells no bound.
    pub(crate) fn thoroughly(
        phc: &Phc,
        question: Question,
        see: &mut dyn FnMut(Method, &[Sample]),
    ) -> Result<Self, Unmeasured> {
        let mut measured = Self::by(phc, question, see)?;
        let Question { clock, cycles, method, .. } = question;
        if !cycles {
            measured.claimed = phc.claimed_error();
        }
        if method.is_none() && measured.method == Method::Precise {
            match another_way(phc, clock, cycles) {
                Ok(check) => measured.check = check,
                Err(error) => measured.unchecked = Some(error),
            }
        }
        Ok(measured)
    }

    /// The offset from a system clock, by the best method.
    pub(crate) fn from(phc: &Phc, clock: SystemClock, limit: Limit) -> Result<Self, Unmeasured> {
        Self::thoroughly(phc, Question::of(clock, limit), &mut |_, _| {})
    }

    /// The offset from the system's UTC clock, by the best method.
    pub(crate) fn from_realtime(phc: &Phc) -> Result<Self, Unmeasured> {
        Self::from(phc, SystemClock::Realtime, Limit::samples(25))
    }

    /// How far off the offset is at most. Nobody tells how far apart hardware reads two clocks
    /// that it reads at one instant.
    pub(crate) fn bound(&self) -> Option<Offset> {
        let bound = self.estimate.bound.nanoseconds();
        let claimed = self.claimed.map_or(0, Offset::nanoseconds);
        (self.method != Method::Precise)
            .then(|| Offset::from_nanoseconds(bound.saturating_add(claimed)))
    }

    /// What to say of a check that contradicts the offset.
    pub(crate) fn objection(&self) -> Option<String> {
        let ((method, check), beyond) = self.check.as_ref().zip(self.contradiction())?;
        Some(format!(
            "the {method} method contradicts it: it says {:+} ±{}, and {beyond} are left unexplained",
            check.offset, check.bound
        ))
    }

    /// How far the offset lies beyond what the check leaves open; `None` where they agree.
    pub(crate) fn contradiction(&self) -> Option<Offset> {
        let (_, check) = self.check.as_ref()?;
        let apart =
            i128::from(self.estimate.offset.nanoseconds()) - i128::from(check.offset.nanoseconds());
        // In between, the clocks may have gone apart.
        let since = (check.at - self.estimate.at).abs();
        let allowed = i128::from(check.bound.nanoseconds()) + since / MOST_APART;
        let beyond = apart.abs() - allowed;
        let beyond = i64::try_from(beyond).unwrap_or(i64::MAX);
        (beyond > 0).then(|| Offset::from_nanoseconds(beyond))
    }
}

/// Clocks go apart by a thousandth at most.
pub(crate) const MOST_APART: i128 = 1_000;

/// A few samples by a method that tells a bound; `None` where the clock has none.
fn another_way(
    phc: &Phc,
    clock: SystemClock,
    cycles: bool,
) -> Result<Option<(Method, Estimate)>, Error> {
    for method in [Method::Extended, Method::Basic] {
        match phc.samples(method, clock, cycles, CHECK) {
            Ok(samples) => return Ok(measure::estimate(&samples).map(|one| (method, one))),
            Err(error) if error.is_unsupported() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
