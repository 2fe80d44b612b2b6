//! `ptpctl offset`: a clock − a system clock.

use super::failure::Failure;
use super::{Command, Context, arguments, picture};
use crate::find::tai_offset;
use crate::measure::{Estimate, Pace, Way};
use crate::phc::{Access, Method, Sample, SystemClock};
use crate::report::plot::{Offsets, Picture};
use crate::report::{Report, Table, Value};
use crate::watch::{Measured, Question};
use crate::{Offset, TaiOffset, Timestamp, Unknown};
use clap::builder::PossibleValuesParser;

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
        .arg(picture::argument())
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
             driver). A precise offset is checked against a few samples of another method, and said \
             to be contradicted where it lies beyond their bound. What the driver claims that its \
             clock is off by (phc_error_bound, as the ENA driver tells it) is a part of the \
             bound.\n\nIf TAI - UTC explains the whole seconds of the offset, that is said and \
             the rest is shown.",
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
    let mut raw = Vec::new();
    let picture = picture::target(context)?;
    let keeps = context.has("raw") || picture.is_some();
    let mut of = None;
    let question = Question { clock, cycles, method, limit: arguments::limit(context) };
    let measured = Measured::thoroughly(&phc, question, &mut |method, batch| {
        if keeps {
            if of.replace(method) != Some(method) {
                raw.clear();
            }
            raw.extend_from_slice(batch);
        }
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
    if context.has("raw") {
        report = report.table(raw_table(&raw));
    }
    let Some(target) = picture else { return Ok(report) };
    let mut offsets = Offsets::default();
    add_samples(&mut offsets, &format!("{} - {clock}", phc.name()), &raw);
    picture::finish(context, report, &Picture::Offsets(offsets), &target)
}

/// Says in a report how an offset was had.
pub(super) trait Rows {
    /// Adds rate, delay, bound and method, and what there is to know about them.
    fn rows(&self, report: Report) -> Report;
    /// Adds what failed, though there is a result.
    fn tell_failed(&self, report: Report) -> Report;
}

impl Rows for Measured {
    fn rows(&self, report: Report) -> Report {
        let Estimate { pace, delay, way, useless, steps, .. } = self.estimate;
        let delay = self.bound().and(Some(delay));
        let asymmetry = self.bound().and(Some(self.estimate.asymmetry()));
        let told = |offset: Option<Offset>, sign: &str| {
            offset.map_or("not told".into(), |offset| format!("{sign}{offset}"))
        };
        let bounds = vec![
            ("bound_ns", self.bound().into()),
            ("asymmetry_ns", asymmetry.into()),
            ("claimed_error_ns", self.claimed.into()),
        ];
        let mut parts = Vec::new();
        if let (Some(_), Some(claimed)) = (self.bound(), self.claimed) {
            parts.push(format!("the driver claims {claimed}"));
        }
        if let (Some(bound), Some(part)) = (self.bound(), asymmetry)
            && part < bound
        {
            parts.push(format!("more samples can't improve {part}"));
        }
        let bound = match parts.as_slice() {
            [] => told(self.bound(), "±"),
            _ => format!("{}, of which {}", told(self.bound(), "±"), parts.join(" and ")),
        };
        let mut report = report
            .rows("bound", bound, bounds)
            .rows("rate", rate_text(pace), rate_values(pace))
            .row("delay", told(delay, ""), "delay_ns", delay)
            .row("method", self.method.to_string(), "method", self.method.to_string())
            .value("steps", steps)
            .value("contradiction_ns", self.contradiction());
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
        if let Some(objection) = self.objection() {
            report = report.note(objection);
        }
        if useless > 0 {
            report = report.note(format!(
                "in {useless} samples the system clock was stepped back: they don't count"
            ));
        }
        self.tell_failed(report)
    }

    fn tell_failed(&self, report: Report) -> Report {
        let report = match &self.failed {
            Some(error) => report.note(format!("a better method failed: {error}")),
            None => report,
        };
        match &self.unchecked {
            Some(error) => {
                report.note(format!("it couldn't be checked by another method: {error}"))
            }
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

/// Adds samples to a picture: the middle of what each leaves open. What an interruption made long
/// adds nothing, and is only told.
pub(super) fn add_samples(picture: &mut Offsets, title: &str, samples: &[Sample]) {
    let delay_of = |sample: &Sample| sample.after.since(sample.before).map(Offset::nanoseconds);
    let mut delays: Vec<_> = samples.iter().filter_map(delay_of).collect();
    let middle = delays.len() / 2;
    let usual = if delays.is_empty() { 0 } else { *delays.select_nth_unstable(middle).1 };
    let counts = |sample: &&Sample| {
        delay_of(sample).is_some_and(|delay| (0..=usual.saturating_mul(10)).contains(&delay))
    };
    let shown: Vec<_> = samples.iter().filter(counts).collect();
    let title = match samples.len() - shown.len() {
        0 => title.to_owned(),
        long => format!("{title} (without {long} interrupted samples)"),
    };
    let source = picture.begin(&title);
    for sample in shown {
        let (before, after) = (sample.before.total_nanoseconds(), sample.after.total_nanoseconds());
        let at = i128::midpoint(before, after);
        let half = i64::try_from((after - before + 1) / 2).unwrap_or(i64::MAX);
        let Ok(offset) = i64::try_from(sample.phc.total_nanoseconds() - at) else { continue };
        let [offset, half, delay] =
            [offset, half, half.saturating_mul(2)].map(Offset::from_nanoseconds);
        let told = sample.before != sample.after;
        picture.add_sample(source, at, offset, told.then_some(half), told.then_some(delay));
    }
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
