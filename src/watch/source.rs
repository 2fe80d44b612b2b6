//! What is measured again and again: a clock beside a system clock, or beside another clock.

use super::measured::{Limit, Measured, Question, Unmeasured};
use super::step::{Moment, Steps};
use crate::Offset;
use crate::find;
use crate::measure;
use crate::phc::{Access, Error, Method, Phc, SystemClock};
use std::time::{Duration, Instant};

/// What a source is called, in lines and in pictures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Label {
    /// The clock's device.
    pub(crate) device: String,
    /// What the clock calls itself.
    pub(crate) clock_name: Option<String>,
    /// What it is measured against: a system clock, or another clock's device.
    pub(crate) reference: String,
}

impl Label {
    /// As people name it: the device, and with a colon what it is measured against.
    pub(crate) fn name(&self) -> String {
        format!("{}:{}", self.device, self.reference)
    }

    /// Whether people call it so: by the clock, as they name it elsewhere, or with a colon and
    /// what it is measured against.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        let is_device = |name: &str, device: &str| {
            name == device
                || [format!("/dev/{name}"), format!("/dev/ptp{name}")].contains(&device.into())
        };
        let is_clock =
            |name: &str| is_device(name, &self.device) || self.clock_name.as_deref() == Some(name);
        let both = |(at, _)| {
            let (clock, reference) = name.split_at(at);
            let reference = reference.trim_start_matches(':');
            is_clock(clock) && is_device(reference, &self.reference)
        };
        is_clock(name) || name.match_indices(':').any(both)
    }
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
    /// How the samples were read, where that is known.
    pub(crate) method: Option<Method>,
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
    steps: Steps,
    /// A clock that isn't there isn't looked for before this.
    again: Option<Instant>,
    /// What another method says against the best one.
    pub(crate) objections: Vec<String>,
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

/// Why a source can't be measured.
pub(crate) enum Unopened {
    /// A clock isn't there, or can't be opened.
    Find(find::FindError),
    /// It can't be measured.
    Measure(Unmeasured),
}

/// What a driver claims of its clock is asked for once in this time.
const CLAIM: Duration = Duration::from_secs(1);
/// A clock that is gone is looked for so often at most.
const LOOKED_FOR: Duration = Duration::from_millis(100);

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
            steps: Steps::default(),
            again: None,
            objections: Vec::new(),
        };
        let open = source.reopen().map_err(Unopened::Find)?;
        // What can't be measured at all is told at once, not as a clock that is lost.
        for phc in [Some(&open.phc), open.other.as_ref()].into_iter().flatten() {
            let measured = Measured::from(phc, source.clock, Limit::samples(1));
            let objection = measured.map_err(Unopened::Measure)?.objection();
            source.objections.extend(objection.map(|why| format!("{}: {why}", phc.name())));
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
            if self.again.is_some_and(|again| Instant::now() < again) {
                return Err("it isn't there".into());
            }
            self.again = Some(Instant::now() + LOOKED_FOR);
            let open = self.reopen().map_err(|error| error.to_string())?;
            self.open = Some(open);
            self.again = None;
        }
        let Some(open) = &mut self.open else { return Err("it isn't open".into()) };
        match open.measure(self.clock, self.limit) {
            Ok((mut measurement, moment)) => {
                measurement.stepped = self.steps.is_step(moment);
                Ok(measurement)
            }
            Err(error) => {
                // Its device may be another when it comes back.
                self.open = None;
                self.steps.forget();
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
    ) -> Result<(Measurement, Moment), Unmeasured> {
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
            method: Some(measured.method),
            stepped: false,
            failed,
        };
        let moment = Moment { at, offset, bound: measurement.bound, pace };
        Ok((measurement, moment))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_called_by_its_clock_alone_or_with_what_it_is_measured_against() {
        let label = |device: &str, reference: &str| Label {
            device: device.into(),
            clock_name: Some("ptpsim sim".into()),
            reference: reference.into(),
        };
        let one = label("/dev/ptp3", "realtime");
        for name in ["/dev/ptp3", "ptp3", "3", "ptpsim sim", "3:realtime", "ptpsim sim:realtime"] {
            assert!(one.is_called(name), "{name}");
        }
        for name in ["/dev/ptp", "4", "", "3:", ":realtime", "3:monotonic", "3:realtime:"] {
            assert!(!one.is_called(name), "{name}");
        }
        assert!(label("/dev/ptp0", "/dev/ptp1").is_called("0:1"));
        assert!(
            label("mock:igb", "mock:full,offset=1us").is_called("mock:igb:mock:full,offset=1us")
        );
        assert!(one.is_called(&one.name()));
    }
}
