//! What is read again and again: a clock against a system clock, or against another clock.

use super::meter::{Effort, Meter, Pair, Question};
use super::reading::{Cause, Label, Measurement, Outcome, Reading};
use super::step::{Moment, Steps};
use crate::find;
use crate::phc::{Access, Error, Phc, SystemClock};
use crate::{Offset, Sample, System, Timestamp, Utc};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A clock that is read again and again against a system clock or another clock. It may go away and
/// come back.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "mock")] {
/// use ptpctl::phc::SystemClock;
/// use ptpctl::watch::{Outcome, Source};
/// use ptpctl::{Phc, mock::Mock};
///
/// let phc = Phc::over(Box::new(Mock::new(&"mock:igb,offset=5us".parse()?)?), "mock:igb");
/// let mut source = Source::of(phc, SystemClock::Realtime);
/// let Outcome::Measured(measurement) = source.read().outcome else { panic!("no offset") };
/// let bound = measurement.bound.expect("it is told");
/// assert!((measurement.offset.nanoseconds() - 5_000).abs() <= bound.nanoseconds());
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Source {
    way_back: WayBack,
    label: Arc<Label>,
    clock: SystemClock,
    effort: Effort,
    open: Option<Open>,
    steps: Steps,
    /// Why the clock is absent, and when it is looked for again.
    absent: Option<(Cause, Instant)>,
    /// What users should know about its methods.
    objections: Vec<String>,
}

/// How clocks that have gone are found again.
#[derive(Debug)]
enum WayBack {
    /// By their names: their devices may have changed.
    Names(String, Option<String>),
    /// By another handle of the same device.
    Handles,
}

/// The clocks of a source while they are there.
#[derive(Debug)]
struct Open {
    phc: Phc,
    meter: Meter,
    other: Option<(Phc, Meter)>,
    claimed: Option<Offset>,
    claimed_at: Option<Duration>,
}

/// How often a driver is asked what it claims about its clock.
const CLAIM: Duration = Duration::from_secs(1);
/// How often, at most, a clock that has gone is looked for.
const LOOKED_FOR: Duration = Duration::from_millis(100);

impl Source {
    /// Opens the clocks of a source: one of this name, and the one that is subtracted or else a
    /// system clock. See [`find::open`](crate::find::open).
    ///
    /// # Errors
    ///
    /// Why a clock can't be opened, isn't there, or can't be measured at all. A failure that
    /// may pass isn't an error here: it is a miss of the first reading.
    pub fn open(
        name: &str,
        other: Option<&str>,
        clock: SystemClock,
        effort: Effort,
    ) -> Result<Self, Cause> {
        let way_back = WayBack::Names(name.to_owned(), other.map(str::to_owned));
        let mut source = Self::closed(way_back, clock, effort);
        let open = source.find().map_err(Cause::Find)?;
        source.begin(open)?;
        Ok(source)
    }

    /// A clock that is open, against a system clock. Each reading takes as many samples as a
    /// reading every second does.
    pub fn of(phc: Phc, clock: SystemClock) -> Self {
        let mut source = Self::closed(WayBack::Handles, clock, Effort::every(CLAIM));
        source.take(Open::of(phc, None));
        source
    }

    /// Two clocks that are open: the first less the second.
    ///
    /// # Errors
    ///
    /// As [`Phc::takes_clock`].
    pub fn between(first: Phc, second: Phc) -> Result<Self, Error> {
        let clock = common_clock(&first, &second)?;
        let mut source = Self::closed(WayBack::Handles, clock, Effort::every(CLAIM));
        source.take(Open::of(first, Some(second)));
        Ok(source)
    }

    /// The same, with this effort for each reading.
    #[must_use]
    pub fn with_effort(self, effort: Effort) -> Self {
        Self { effort, ..self }
    }

    fn closed(way_back: WayBack, clock: SystemClock, effort: Effort) -> Self {
        let (label, steps) = (Arc::default(), Steps::default());
        let (open, absent, objections) = (None, None, Vec::new());
        Self { way_back, label, clock, effort, open, steps, absent, objections }
    }

    /// How many calls failed, and how the last one did, as long as the clock is there.
    #[cfg(feature = "cli")]
    pub(crate) fn failures(&self) -> Option<(u32, String)> {
        let (number, error) = self.open.as_ref()?.meter.failures()?;
        Some((*number, error.to_string()))
    }

    /// Whether the clock answered that it was read too often.
    #[cfg(feature = "cli")]
    pub(crate) fn was_refused(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.meter.was_refused())
    }

    /// What it is called.
    pub fn label(&self) -> &Arc<Label> {
        &self.label
    }

    /// The clock whose system's time the source goes by, while it is there.
    pub fn phc(&self) -> Option<&Phc> {
        self.open.as_ref().map(|open| &open.phc)
    }

    /// The clock that is subtracted, where there is one, while it is there.
    pub fn other(&self) -> Option<&Phc> {
        self.open.as_ref().and_then(|open| open.other.as_ref()).map(|(other, _)| other)
    }

    /// The system clock that samples are read against.
    pub fn system_clock(&self) -> SystemClock {
        self.clock
    }

    /// What turned out when the source was opened: better methods that fail, and what another method
    /// says against the best one.
    pub fn objections(&self) -> &[String] {
        &self.objections
    }

    /// Reads it once. A clock that has gone is looked for again.
    pub fn read(&mut self) -> Reading {
        self.read_and_see(&mut |_, _| {})
    }

    /// As [`Source::read`]; `see` is shown the samples, and of which of the clocks they are.
    pub(crate) fn read_and_see(&mut self, see: &mut dyn FnMut(usize, &[Sample])) -> Reading {
        let answer = match &self.absent {
            Some((cause, again)) if Instant::now() < *again => Err(cause.clone()),
            _ => {
                let answer = self.measure(see);
                if let Err(cause) = &answer
                    && cause.is_absence()
                {
                    // Its device may be another when it comes back.
                    self.lose(cause);
                }
                answer
            }
        };
        let at = answer.as_ref().map_or_else(|_| self.now(), |(at, _)| *at);
        let source = Arc::clone(&self.label);
        let outcome = match answer {
            Ok((_, measurement)) => Outcome::Measured(measurement),
            Err(cause) if cause.is_absence() => Outcome::Absent(cause),
            Err(cause) => Outcome::Missed(cause),
        };
        Reading { source, at, outcome }
    }

    fn measure(
        &mut self,
        see: &mut dyn FnMut(usize, &[Sample]),
    ) -> Result<(Timestamp<Utc>, Measurement), Cause> {
        if self.absent.is_some() {
            let open = self.find().map_err(Cause::Find)?;
            self.take(open);
        }
        let Some(open) = &mut self.open else { return Err(Cause::Useless(self.name())) };
        let (mut measurement, moment) = open.measure(self.clock, self.effort, see)?;
        let at = open.utc(self.clock, moment.at)?;
        measurement.stepped |= self.steps.is_step(moment);
        Ok((at, measurement))
    }

    /// Checks once whether the clocks can be measured at all.
    fn begin(&mut self, mut open: Open) -> Result<(), Cause> {
        let effort = Effort::samples(1);
        let question = Question { clock: self.clock, cycles: false, method: None, effort };
        let other = open.other.as_mut().map(|(phc, meter)| (&*phc, meter));
        for (phc, meter) in [Some((&open.phc, &mut open.meter)), other].into_iter().flatten() {
            match meter.measure_and_check(phc, &question, &mut |_, _| {}) {
                Ok(measured) => {
                    let objections = measured.objections().into_iter();
                    self.objections.extend(objections.map(|why| format!("{}: {why}", phc.name())));
                }
                Err(cause) if cause.error().is_some_and(Error::is_passing) => {}
                Err(cause) => return Err(cause),
            }
        }
        self.take(open);
        Ok(())
    }

    /// Opens its clocks again.
    fn find(&mut self) -> Result<Open, find::FindError> {
        let WayBack::Names(name, other) = &self.way_back else {
            let open = self.open.take();
            let Some(open) = open else { return Err(find::FindError::Empty) };
            let other = open.other.as_ref();
            let again = (open.phc.reopen(Access::ReadOnly)).and_then(|phc| {
                Ok((phc, other.map(|(phc, _)| phc.reopen(Access::ReadOnly)).transpose()?))
            });
            return match again {
                Ok((phc, other)) => Ok(Open::of(phc, other)),
                Err(error) => {
                    self.open = Some(open);
                    Err(error.into())
                }
            };
        };
        let phc = find::open(name, Access::ReadOnly)?;
        let other = other.as_deref().map(|name| find::open(name, Access::ReadOnly)).transpose()?;
        if let Some(other) = &other {
            self.clock = common_clock(&phc, other)?;
        }
        Ok(Open::of(phc, other))
    }

    fn take(&mut self, open: Open) {
        let name = open.phc.name();
        let label = Label {
            device: name.device.clone(),
            clock_name: name.clock_name.clone(),
            reference: match &open.other {
                Some((other, _)) => other.name().device.clone(),
                None => self.clock.to_string(),
            },
        };
        if *self.label != label {
            self.label = Arc::new(label);
        }
        (self.open, self.absent) = (Some(open), None);
    }

    fn lose(&mut self, cause: &Cause) {
        if let WayBack::Names(..) = self.way_back {
            self.open = None;
        }
        self.absent = Some((cause.clone(), Instant::now() + LOOKED_FOR));
        self.steps.forget();
    }

    fn name(&self) -> crate::phc::DeviceName {
        let Label { device, clock_name, .. } = &*self.label;
        crate::phc::DeviceName { device: device.clone(), clock_name: clock_name.clone() }
    }

    /// The time of the clock's system, or of the machine where there is none.
    fn now(&self) -> Timestamp<Utc> {
        let shown = self.phc().and_then(|phc| phc.system_time().ok());
        shown.unwrap_or_else(machine_time)
    }
}

/// The time of the machine's system clock.
pub(crate) fn machine_time() -> Timestamp<Utc> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    Timestamp::new(seconds, now.subsec_nanos()).unwrap_or_default()
}

/// The system clock that both clocks are read against. Nobody steps the raw clock, but old kernels and
/// drivers don't read samples against it.
fn common_clock(first: &Phc, second: &Phc) -> Result<SystemClock, Error> {
    let raw = SystemClock::MonotonicRaw;
    let both = first.takes_clock(raw)? && second.takes_clock(raw)?;
    Ok(if both { raw } else { SystemClock::Realtime })
}

impl Open {
    fn of(phc: Phc, other: Option<Phc>) -> Self {
        let meter = Meter::of(&phc);
        let other = other.map(|other| {
            let meter = Meter::of(&other);
            (other, meter)
        });
        Self { phc, meter, other, claimed: None, claimed_at: None }
    }

    fn measure(
        &mut self,
        clock: SystemClock,
        effort: Effort,
        see: &mut dyn FnMut(usize, &[Sample]),
    ) -> Result<(Measurement, Moment), Cause> {
        let claimed = self.claimed()?.unwrap_or(Offset::ZERO);
        let (mut measurement, at);
        if let Some((other, other_meter)) = &mut self.other {
            let first = (&self.phc, &mut self.meter);
            let pair = Pair { first, second: (&*other, other_meter), clock, effort };
            let difference = pair.measure(see)?;
            at = difference.estimate.at;
            measurement = difference.measurement();
        } else {
            let question = Question { clock, cycles: false, method: None, effort };
            let mut see = |_, samples: &[Sample]| see(0, samples);
            let measured = self.meter.measure(&self.phc, &question, &mut see)?;
            (measurement, at) = (measured.measurement(), measured.estimate.at);
        }
        measurement.bound = measurement.bound.map(|bound| bound.saturating_add(claimed));
        let Measurement { offset, bound, rate, .. } = measurement;
        Ok((measurement, Moment { at, offset, bound, rate }))
    }

    /// What the drivers claim about their clocks, added up.
    fn claimed(&mut self) -> Result<Option<Offset>, Error> {
        let now = self.phc.monotonic()?;
        if self.claimed_at.is_none_or(|at| now.saturating_sub(at) >= CLAIM) {
            self.claimed_at = Some(now);
            let other = self.other.as_ref().map(|(other, _)| other);
            let clocks = [Some(&self.phc), other].into_iter().flatten();
            self.claimed = clocks.filter_map(Phc::claimed_error).reduce(Offset::saturating_add);
        }
        Ok(self.claimed)
    }

    /// A moment on a system clock, on UTC.
    fn utc(&self, clock: SystemClock, at: Timestamp<System>) -> Result<Timestamp<Utc>, Error> {
        if clock == SystemClock::Realtime {
            return Ok(at.assume());
        }
        let (now, utc) = (self.phc.shown_by(clock)?, self.phc.system_time()?);
        let ago = now.assume().since(at).unwrap_or(Offset::ZERO);
        Ok(utc.plus(Offset::ZERO.saturating_sub(ago)).unwrap_or(utc))
    }
}

impl Phc {
    /// The clock's offset from a system clock, in one call: by the best method that works, by as many
    /// samples as improve the answer, in some milliseconds. See [`Measured`](super::Measured).
    ///
    /// # Errors
    ///
    /// [`Cause`]: the clock's failure, or that its samples are of no use.
    pub fn offset(&self, clock: SystemClock) -> Result<super::Measured, Cause> {
        let question = Question { clock, cycles: false, method: None, effort: Effort::once() };
        Meter::of(self).measure_and_check(self, &question, &mut |_, _| {})
    }
}
