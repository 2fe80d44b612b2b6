//! `ptpctl offset`: a clock − a system clock.

use super::failure::Failure;
use super::{Command, Context, arguments, picture};
use crate::find::tai_offset;
use crate::kernel::Call;
use crate::measure::{Basis, DifferenceEstimator, Estimate};
use crate::phc::{Access, Method, SystemClock};
use crate::report::plot::Offsets;
use crate::report::rates::{rate_values, told_rate};
use crate::report::{Report, Value};
use crate::rfc3339;
use crate::watch::{Measured, Measurement, Meter, PassedOver, Question};
use crate::{Offset, Rate, Sample, System, Timestamp, Utc};
use clap::builder::PossibleValuesParser;
use std::io;

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
        .arg(arguments::flag("raw", "Print every sample as it comes"))
        .args(picture::of_offsets())
        .arg(arguments::device())
        .long_about(
            "Measures PHC - system clock: positive means that the PHC is ahead.\n\nA sample is the \
             PHC's time between two system times; it was read somewhere between them. Two answers \
             come of that. The bound is proven, whatever the clocks do: half of the delay of the best \
             sample, for the moment of that sample, which is shown (of the four shortest delays it \
             is the one in the middle of the time), and what the offset lies off its middle. \
             Where the clock's times are multiples of something, as a counter's that goes on by 10 us \
             are, that is added, and what the \
             driver claims that its clock is off by (phc_error_bound, as the ENA driver tells \
             it) is added. The offset itself is the best guess within that, by all samples that lie \
             on a straight line with it, and ± is its standard deviation; it supposes that readings \
             take equally long on the way there and back at their quickest. Where the clocks curve \
             meanwhile, as while one is slewed, that is said, and the guess comes from the piece \
             around the moment that is straight. A rate is rounded to its standard deviation, and \
             left out where it says nothing: where it is a ppm or more, and three times it would be more \
             than the rate. A step of either clock is said; what was before it \
             doesn't count.\n\nIt reads until the offset is exact to the nanosecond, 4000 samples or \
             some 6 ms at most, and at least 25 samples where they take less than 30 ms. A reading \
             that fails is tried again. A card that limits readings is read seldom: at most 31 times \
             a second where its driver is ena or tells phc_error_bound, and half as often as before \
             each time that it answers EBUSY. With --samples it waits until they are allowed.\n\n\
             auto takes the best method that the clock turns \
             out to have: precise (hardware reads both clocks at one instant; the kernel tells no \
             delay and no bound), extended (the driver reads the \
             system clock right around the register), basic (the kernel does so around the \
             driver). One that fails again and again, or has the system times the wrong way round, is \
             passed over, and that is said. A precise offset is checked against a few samples of \
             another method, and said to be contradicted where it lies beyond their bound.\n\nIf TAI - \
             UTC explains the whole seconds of the offset, that is said and the rest is shown. With \
             --raw samples are printed as they come.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl offset\n  \
             ptpctl offset --method extended --duration 1s eth0\n  \
             ptpctl offset --clock monotonic-raw --raw mock\n  \
             ptpctl offset --duration 1s --plot offset.svg eth0\n  \
             ptpctl offset --json mock:full,offset=37s",
        )
}

/// Reads a method's name; `None` is the best there is.
fn method(text: &str) -> Option<Method> {
    Method::ALL.into_iter().find(|method| method.to_string() == text)
}

fn run(context: &mut Context<'_>) -> Result<Report, Failure> {
    let phc = context.open(Access::ReadOnly)?;
    arguments::isolate(context)?;
    let clock: SystemClock = context.required("clock")?;
    let cycles = context.has("cycles");
    let method = method(&context.required::<String>("method")?);
    let picture = picture::target(context)?;
    let effort = arguments::effort(context);
    let title = format!("{} - {clock}", phc.name());
    let mut drawing = SamplesDrawing::new(title);
    let mut raw = Raw::new(context);
    let question = Question { clock, cycles, method, effort };
    let measured = Meter::of(&phc).measure_and_check(&phc, &question, &mut |method, batch| {
        if picture.is_some() {
            drawing.take(method, batch);
        }
        raw.take(context, method, batch);
    });
    raw.end(context)?;
    let measured = measured?;
    let Estimate { offset, samples, uncertainty, .. } = measured.estimate;
    let tai = (clock == SystemClock::Realtime && !cycles).then(|| tai_offset(&phc)).flatten();
    let rest = tai.and_then(|tai| tai.explains(offset));
    let report = Report::on(phc.name())
        .rows(
            "offset",
            format!("{offset:+}{} (PHC - {clock})", uncertainty_text(uncertainty)),
            vec![("offset_ns", offset.into()), ("uncertainty_ns", uncertainty.into())],
        )
        .row("at", moment(clock, measured.estimate.at), "at", measured.estimate.at);
    let mut report = measured
        .rows(report)
        .row("samples", samples.to_string(), "samples", samples)
        .value("reference", clock.to_string())
        .value("cycles", cycles)
        .value("tai_offset_s", rest.and(tai).map(|tai| tai.0))
        .value("offset_from_tai_ns", rest);
    if let (Some(rest), Some(tai)) = (rest, tai) {
        report = report.note(format!(
            "the clock keeps TAI, {} s ahead of UTC; without them the offset is {rest:+}",
            tai.0
        ));
    }
    if let Some(asked) = arguments::samples(context)
        && samples < asked
        && !context.has("duration")
    {
        report = report.note(format!("{samples} of the {asked} samples came: then reading failed"));
    }
    let Some(target) = picture else { return Ok(report) };
    picture::finish(context, report, &picture::banded(context, drawing.offsets), &target)
}

/// A standard deviation behind what it is of.
pub(super) fn uncertainty_text(uncertainty: Option<Offset>) -> String {
    uncertainty.map_or(String::new(), |uncertainty| format!(" ±{uncertainty}"))
}

/// A moment on a system clock, as people read it.
pub(super) fn moment(clock: SystemClock, at: Timestamp<System>) -> String {
    let time =
        (clock == SystemClock::Realtime).then(|| rfc3339::format(at.assume::<Utc>())).flatten();
    time.unwrap_or_else(|| format!("{at} s of {clock}"))
}

/// Says in a report how an offset was had.
pub(super) trait Rows {
    /// Adds bound, rate, delay and method, and what there is to know about them.
    fn rows(&self, report: Report) -> Report;
}

impl Rows for Measured {
    fn rows(&self, report: Report) -> Report {
        let Estimate { rate, delay, basis, reversed, steps, .. } = self.estimate;
        let delay = self.bound().and(Some(delay));
        let told = |offset: Option<Offset>, sign: &str| {
            offset.map_or("not told".into(), |offset| format!("{sign}{offset}"))
        };
        let bound = match (self.bound(), self.claimed) {
            (Some(bound), Some(claimed)) => {
                format!("±{bound}, of which the driver claims {claimed}")
            }
            (bound, _) => told(bound, "±"),
        };
        let bounds =
            vec![("bound_ns", self.bound().into()), ("claimed_error_ns", self.claimed.into())];
        let mut report = report
            .rows("bound", bound, bounds)
            .rows("rate", rate.and_then(told_rate).unwrap_or_default(), rate_values(rate))
            .row("delay", told(delay, ""), "delay_ns", delay)
            .row("method", self.method.to_string(), "method", self.method.to_string())
            .value("curved", self.estimate.curved)
            .value("steps", steps)
            .value("contradiction_ns", self.contradiction())
            .value("passed_over", passed_over(&self.passed_over));
        if steps > 0 {
            let times = if steps == 1 { "once".into() } else { format!("{steps} times") };
            report = report.note(format!(
                "one of the clocks was stepped meanwhile, {times}: what was before doesn't count"
            ));
        }
        match basis {
            Basis::Piece(samples) if self.estimate.curved => {
                report = report.note(format!(
                    "the clocks curve: the offset comes from the {samples} samples around its moment"
                ));
            }
            Basis::BestSample if self.method != Method::Precise => {
                report = report.note(
                    "the clocks curve, or one of them is being slewed: the offset comes from one \
                     sample, and no rate is told",
                );
            }
            _ => {}
        }
        if reversed > 0 {
            report = report.note(format!(
                "in {reversed} samples the system times are the wrong way round: they don't count"
            ));
        }
        for why in self.objections() {
            report = report.note(why);
        }
        report
    }
}

/// The methods that didn't do, for programs.
fn passed_over(all: &[PassedOver]) -> Vec<Value> {
    let value = |why: &PassedOver| {
        let error = why.error();
        Value::Object(vec![
            ("why", why.to_string().into()),
            ("call", error.and_then(crate::Error::call).map(Call::name).into()),
            ("errno", error.and_then(crate::Error::errno).map(|errno| format!("{errno:?}")).into()),
        ])
    };
    all.iter().map(value).collect()
}

/// Samples as they come, printed for `--raw`: however many they are, none is kept.
struct Raw {
    is_on: bool,
    /// The method of those so far.
    of: Option<Method>,
    answer: io::Result<()>,
}

impl Raw {
    fn new(context: &Context<'_>) -> Self {
        Self { is_on: context.has("raw"), of: None, answer: Ok(()) }
    }

    fn take(&mut self, context: &mut Context<'_>, method: Method, samples: &[Sample]) {
        if self.is_on && self.answer.is_ok() {
            self.answer = self.print(context, method, samples);
        }
    }

    fn print(
        &mut self,
        context: &mut Context<'_>,
        method: Method,
        samples: &[Sample],
    ) -> io::Result<()> {
        let printer = &mut *context.printer;
        if self.of.replace(method) != Some(method) && !printer.is_json() {
            let head = "  SYSTEM BEFORE         PHC                   SYSTEM AFTER          DELAY";
            printer.line(&format!("{head}, {method}"), &[])?;
        }
        for sample in samples {
            let Sample { before, phc, after } = sample;
            let delay = sample.delay();
            if printer.is_json() {
                let object = [
                    ("before", (*before).into()),
                    ("phc", (*phc).into()),
                    ("after", (*after).into()),
                    ("delay_ns", delay.into()),
                    ("method", method.to_string().into()),
                ];
                printer.line("", &object)?;
            } else {
                let delay = delay.map_or("-".into(), |delay| delay.to_string());
                printer.line(&format!("  {before}  {phc}  {after}  {delay}"), &[])?;
            }
        }
        Ok(())
    }

    /// What printing answered.
    fn end(self, context: &mut Context<'_>) -> Result<(), Failure> {
        self.answer.and_then(|()| context.printer.flush()).map_err(Failure::Output)
    }
}

/// A picture of samples: the middle of what each leaves open.
pub(super) struct SamplesDrawing {
    pub(super) offsets: Offsets,
    of: Option<Method>,
    title: String,
    /// The delays of the first ones: what takes ten times as long as they mostly do was interrupted.
    first: Vec<i64>,
}

/// So many delays tell what is usual.
const USUAL_OF: usize = 101;

impl SamplesDrawing {
    pub(super) fn new(title: String) -> Self {
        let mut offsets = Offsets::default();
        offsets.begin(&title);
        Self { offsets, of: None, title, first: Vec::new() }
    }

    /// Takes samples by a method: those of one that was given up are no part of the picture.
    fn take(&mut self, method: Method, samples: &[Sample]) {
        if self.of.replace(method).is_some_and(|before| before != method) {
            self.offsets = Offsets::default();
            self.offsets.begin(&self.title);
        }
        for sample in samples {
            let Some(delay) = sample.delay().filter(|delay| *delay >= Offset::ZERO) else {
                continue;
            };
            let half = delay.half();
            let at = sample.before.total_nanoseconds() + i128::from(half.nanoseconds());
            let Ok(offset) = i64::try_from(sample.phc.total_nanoseconds() - at) else { continue };
            let offset = Offset::from_nanoseconds(offset);
            self.take_one(at, offset, half, delay, sample.before != sample.after);
        }
    }

    /// Takes a sample of each of two clocks, and another, neighbours together; the first clock keeps
    /// within a rate.
    pub(super) fn take_pairs(&mut self, limit: Rate, ones: &[Sample], others: &[Sample]) {
        for (one, other) in ones.iter().zip(others) {
            let mut both = DifferenceEstimator::new(limit);
            both.add(*one, *other);
            let Some(Estimate { at, offset, bound, delay, .. }) = both.estimate() else { continue };
            let is_told = [one, other].iter().all(|sample| sample.before != sample.after);
            self.take_one(at.total_nanoseconds(), offset, bound, delay, is_told);
        }
    }

    fn take_one(&mut self, at: i128, offset: Offset, bound: Offset, delay: Offset, is_told: bool) {
        if self.first.len() < USUAL_OF {
            self.first.push(delay.nanoseconds());
            self.first.sort_unstable();
        }
        let usual = self.first.get(self.first.len() / 2).copied().unwrap_or(0);
        if delay.nanoseconds() > usual.saturating_mul(10).max(1) {
            return;
        }
        let (bound, delay) = (is_told.then_some(bound), is_told.then_some(delay));
        let sample = Measurement { offset, bound, delay, ..Measurement::default() };
        self.offsets.take_sample(0, at, &sample);
    }
}
