//! `ptpctl offset`: a clock − a system clock.

use super::failure::Failure;
use super::{Command, Context, arguments};
use crate::find::tai_offset;
use crate::measure::{Estimate, Estimator, Pace, Way};
use crate::phc::{Access, Error, Method, Phc, Sample, SystemClock};
use crate::report::{Report, Table, Value};
use crate::{Offset, TaiOffset, Timestamp, Unknown};
use clap::builder::PossibleValuesParser;
use std::ops::ControlFlow;
use std::time::Duration;

pub(super) const COMMAND: Command = Command {
    name: "offset",
    aliases: &["cmp"],
    about: "Measure a clock's offset from a system clock",
    arguments,
    run,
};

fn arguments(command: clap::Command) -> clap::Command {
    arguments::measuring(command)
        .arg(
            arguments::option("method", "METHOD", "How both clocks are read together")
                .short('m')
                .value_parser(PossibleValuesParser::new(["auto", "precise", "extended", "basic"]))
                .default_value("auto"),
        )
        .arg(arguments::system_clock())
        .arg(arguments::flag("cycles", "Measure the clock's free-running counter instead"))
        .arg(arguments::flag("raw", "Show every sample"))
        .arg(arguments::device())
        .long_about(
            "Measures PHC - system clock: positive means that the PHC is ahead.\n\nA sample is the \
             PHC's time between two system times; it was read somewhere between them. Two clocks \
             that go evenly lie on a straight line. All lines that pass through every sample tell \
             the rate, and the offset at the moment where they are closest together: the middle \
             of what they leave open, and half of that as its bound. Readings that an \
             interruption made long add nothing and cost nothing. Half of the shortest delay is \
             what no number of samples improves: nobody can tell how much of it is on the way \
             there and how much on the way back. Where no line passes through all samples, as \
             while a clock is being slewed, the sample with the shortest delay counts, and that \
             is said; so is a step of either clock, and what was before it doesn't count.\n\n\
             auto takes the best method that the clock turns \
             out to have: precise (hardware reads both clocks at one instant; the kernel tells no \
             delay and no bound), extended (the driver reads the \
             system clock right around the register), basic (the kernel does so around the \
             driver).\n\nIf TAI - UTC explains the whole seconds of the offset, that is said and \
             the rest is shown.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl offset\n  \
             ptpctl offset --method extended --duration 1s eth0\n  \
             ptpctl offset --clock monotonic-raw --raw mock\n  \
             ptpctl offset --json mock:full,offset=37s",
        )
}

/// Reads a method's name; `None` is the best there is.
fn method(text: &str) -> Option<Method> {
    Method::ALL.into_iter().find(|method| method.to_string() == text)
}

fn run(context: &mut Context<'_>) -> Result<Report, Failure> {
    let phc = context.open(Access::ReadOnly)?;
    let clock: SystemClock = context.required("clock")?;
    let limit = Limit::of(context);
    let cycles = context.has("cycles");
    let method = method(&context.required::<String>("method")?);
    let mut raw = Vec::new();
    let keeps = context.has("raw");
    let measured = Measured::by(&phc, |take| {
        let mut of = None;
        let mut watch = limit.watch(&phc)?;
        let mut take_and_keep = |method, batch: &[Sample]| {
            take(method, batch);
            if keeps {
                if of.replace(method) != Some(method) {
                    raw.clear();
                }
                raw.extend_from_slice(batch);
            }
            watch.goes_on()
        };
        let answer = match method {
            Some(method) => {
                let mut take = |batch: &[Sample]| take_and_keep(method, batch);
                phc.each_batch(method, clock, cycles, limit.samples, &mut take)
                    .map(|()| (method, None))
            }
            None => phc.each_batch_by_best_method(clock, cycles, limit.samples, &mut take_and_keep),
        };
        watch.judge(answer)
    })?;
    let Estimate { offset, samples, .. } = measured.estimate;
    let tai = (clock == SystemClock::Realtime && !cycles).then(|| tai_offset(&phc)).flatten();
    let rest = tai.and_then(|tai| explained_by(tai, offset));
    let report = Report::on(phc.name()).row(
        "offset",
        format!("{offset:+} (PHC - {clock})"),
        "offset_ns",
        offset,
    );
    let mut report = measured
        .rows(report)
        .row("samples", samples.to_string(), "samples", samples)
        .value("at", Timestamp::<Unknown>::from_total_nanoseconds(measured.estimate.at))
        .value("clock", clock.to_string())
        .value("cycles", cycles)
        .value("tai_offset_s", rest.and(tai).map(|tai| tai.0))
        .value("offset_from_tai_ns", rest);
    if let (Some(rest), Some(tai)) = (rest, tai) {
        report = report.note(format!(
            "the clock keeps TAI, {} s ahead of UTC; without them the offset is {rest:+}",
            tai.0
        ));
    }
    Ok(if keeps { report.table(raw_table(&raw)) } else { report })
}

/// How long it is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    samples: usize,
    duration: Option<Duration>,
}

/// Long enough where nothing else is asked for, for a script that calls it often, too.
const USUAL: Duration = Duration::from_millis(30);
/// The samples of a clock that is read in no time.
const USUAL_MOST: usize = 100_000;
/// So often time may stand still, as a mock's can, before nothing is waited for any more.
const STANDSTILL: u32 = 10_000;

impl Limit {
    /// What the command line asks for.
    pub(super) fn of(context: &Context<'_>) -> Self {
        let samples =
            context.get::<u32>("samples").map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        match (samples, context.get::<Duration>("duration")) {
            (None, None) => Self { samples: USUAL_MOST, duration: Some(USUAL) },
            (samples, duration) => Self { samples: samples.unwrap_or(usize::MAX), duration },
        }
    }

    fn samples(samples: usize) -> Self {
        Self { samples, duration: None }
    }

    /// For one of several measurements that share the time.
    pub(super) fn share(self, parts: u32) -> Self {
        Self { duration: self.duration.map(|duration| duration / parts), ..self }
    }

    fn watch(self, phc: &Phc) -> Result<Watch<'_>, Error> {
        let end = match self.duration {
            Some(duration) => Some(phc.monotonic()? + duration),
            None => None,
        };
        Ok(Watch { phc, end, last: Duration::ZERO, still: 0, failed: None })
    }
}

/// Sees to it that a measurement ends in time.
struct Watch<'a> {
    phc: &'a Phc,
    end: Option<Duration>,
    last: Duration,
    still: u32,
    failed: Option<Error>,
}

impl Watch<'_> {
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
pub(super) struct Measured {
    pub(super) method: Method,
    pub(super) estimate: Estimate,
    /// Why a better method didn't do.
    failed: Option<Error>,
}

impl Measured {
    /// Reads samples and says what they tell, or fails where none is of use.
    fn by(
        phc: &Phc,
        read: impl FnOnce(&mut dyn FnMut(Method, &[Sample])) -> Result<(Method, Option<Error>), Error>,
    ) -> Result<Self, Failure> {
        let mut estimator = Estimator::default();
        let mut of = None;
        let (method, failed) = read(&mut |method, batch| {
            // What a method gave before it failed doesn't count.
            if of.replace(method) != Some(method) {
                estimator = Estimator::default();
            }
            for sample in batch {
                estimator.add(*sample);
            }
        })?;
        let estimate = estimator.estimate().ok_or_else(|| {
            Failure::Failed(format!(
                "can't tell the offset of {}: the system clock was stepped back in each sample, or \
                 the offset is beyond 292 years",
                phc.name()
            ))
        })?;
        Ok(Self { method, estimate, failed })
    }

    /// The offset from a system clock, by the best method.
    pub(super) fn from(phc: &Phc, clock: SystemClock, limit: Limit) -> Result<Self, Failure> {
        Self::by(phc, |take| {
            let mut watch = limit.watch(phc)?;
            let mut take = |method, batch: &[Sample]| {
                take(method, batch);
                watch.goes_on()
            };
            let answer = phc.each_batch_by_best_method(clock, false, limit.samples, &mut take);
            watch.judge(answer)
        })
    }

    /// The offset from the system's UTC clock, by the best method.
    pub(super) fn from_realtime(phc: &Phc) -> Result<Self, Failure> {
        Self::from(phc, SystemClock::Realtime, Limit::samples(25))
    }

    /// How far off the offset is at most. Nobody tells how far apart hardware reads two clocks
    /// that it reads at one instant.
    pub(super) fn bound(&self) -> Option<Offset> {
        (self.method != Method::Precise).then_some(self.estimate.bound)
    }

    /// Adds rate, delay, bound and method, and what there is to know about them.
    pub(super) fn rows(&self, report: Report) -> Report {
        let Estimate { pace, delay, way, useless, steps, .. } = self.estimate;
        let delay = self.bound().and(Some(delay));
        let asymmetry = self.bound().and(Some(self.estimate.asymmetry()));
        let told = |offset: Option<Offset>, sign: &str| {
            offset.map_or("not told".into(), |offset| format!("{sign}{offset}"))
        };
        let bounds = vec![("bound_ns", self.bound().into()), ("asymmetry_ns", asymmetry.into())];
        let bound = match (self.bound(), asymmetry) {
            (Some(bound), Some(part)) if part < bound => {
                format!("±{bound}, of which more samples can't improve {part}")
            }
            (bound, _) => told(bound, "±"),
        };
        let mut report = report
            .rows("bound", bound, bounds)
            .rows("rate", rate_text(pace), rate_values(pace))
            .row("delay", told(delay, ""), "delay_ns", delay)
            .row("method", self.method.to_string(), "method", self.method.to_string())
            .value("steps", steps);
        if steps > 0 {
            report = report.note(format!(
                "one of the clocks was stepped meanwhile, {steps} times: what was before doesn't count"
            ));
        }
        if way == Way::BestSample && self.method != Method::Precise {
            report = report.note(
                "no straight line passes through all samples, as if one of the clocks was being \
                 slewed: the sample with the shortest delay counts, and no rate is told",
            );
        }
        if useless > 0 {
            report = report.note(format!(
                "in {useless} samples the system clock was stepped back: they don't count"
            ));
        }
        self.tell_failed(report)
    }

    /// Adds why a better method didn't do.
    pub(super) fn tell_failed(&self, report: Report) -> Report {
        match &self.failed {
            Some(error) => report.note(format!("a better method failed: {error}")),
            None => report,
        }
    }
}

/// A rate with its doubt, as people read it.
pub(super) fn rate_text(pace: Option<Pace>) -> String {
    pace.map_or("not told".into(), |pace| {
        let ppb = pace.ppb();
        let sign = if ppb == "0" || ppb.starts_with('-') { "" } else { "+" };
        format!("{sign}{ppb} ppb, ±{} ppb", pace.bound_ppb())
    })
}

/// The same for programs.
pub(super) fn rate_values(pace: Option<Pace>) -> Vec<(&'static str, Value)> {
    let decimal = |text: Option<String>| text.map_or(Value::Null, Value::Decimal);
    vec![
        ("rate_ppb", decimal(pace.map(|pace| pace.ppb()))),
        ("rate_bound_ppb", decimal(pace.map(|pace| pace.bound_ppb()))),
    ]
}

/// What remains of an offset that is TAI − UTC within half a second.
fn explained_by(tai: TaiOffset, offset: Offset) -> Option<Offset> {
    let rest = offset.nanoseconds().checked_sub(i64::from(tai.0) * 1_000_000_000)?;
    (rest.unsigned_abs() < 500_000_000).then(|| Offset::from_nanoseconds(rest))
}

fn raw_table(samples: &[Sample]) -> Table {
    let columns = [
        ("before", "SYSTEM BEFORE"),
        ("phc", "PHC"),
        ("after", "SYSTEM AFTER"),
        ("delay_ns", "DELAY"),
    ];
    let mut table = Table::new("raw", &columns);
    for sample in samples {
        let delay = sample.after.since(sample.before);
        table.line(vec![
            (sample.before.to_string(), sample.before.into()),
            (sample.phc.to_string(), sample.phc.into()),
            (sample.after.to_string(), sample.after.into()),
            (delay.map_or("-".into(), |delay| delay.to_string()), delay.into()),
        ]);
    }
    table
}
