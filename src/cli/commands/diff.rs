//! `ptpctl diff`: one clock − another.

use super::Command;
use crate::Rate;
use crate::cli::args::{args, define, read};
use crate::cli::arguments::Measuring;
use crate::cli::drawing::SamplesDrawing;
use crate::cli::failure::Failure;
use crate::cli::measured::uncertainty_text;
use crate::cli::picture::Plot;
use crate::cli::watching::pair;
use crate::cli::{Context, arguments, picture};
use crate::find::tai_offset;
use crate::phc::SystemClock;
use crate::report::rates::{rate_values, told_rate};
use crate::report::{Report, Value};
use crate::rfc3339;
use crate::watch::{self, Comparison, Measurement, Outcome, Source};
use crate::{Offset, TaiOffset, Timestamp, Utc};

pub(super) const COMMAND: Command = Command {
    name: "diff",
    aliases: &[],
    about: "Measure one clock's offset from another",
    arguments,
    run: |context, matches| run(context, &read(matches)?),
};

args! {
    struct Args {
        measuring: Measuring = (),
        first: String = arguments::positional("DEVICE", "The first clock"),
        second: Option<String> =
            arguments::positional("OTHER", "The clock to subtract").required(false),
        plot: Plot = (),
    }
}

fn arguments(command: clap::Command) -> clap::Command {
    define::<Args>(command)
        .long_about(
            "Measures first clock - second clock, through CLOCK_MONOTONIC_RAW where both clocks \
             can be read against it, else through CLOCK_REALTIME. The clocks are read in turns, a \
             few samples each, and neighbouring samples are compared: the bounds of the two add \
             up. In the microseconds between two samples the first clock may gain or lose on the \
             system clock. The bound holds if its rate is within 1000 ppm, plus the dialled \
             frequency; the report shows this limit. The offset is the best guess within the \
             bound, as in offset.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl diff eth0 eth1\n  \
             ptpctl diff --json /dev/ptp0 /dev/ptp1\n  \
             ptpctl diff mock mock:full,offset=1us",
        )
}

/// The two clocks that are named; the first may be named by --device.
fn names<'a>(context: &'a Context<'_>, args: &'a Args) -> Result<(&'a str, &'a str), Failure> {
    match (&context.device.option, &args.second) {
        (None, Some(other)) => Ok((&args.first, other)),
        (Some(named), None) => Ok((named, &args.first)),
        (Some(_), Some(_)) => Err(Failure::Usage("three clocks are named: name two".into())),
        (None, None) => Err(Failure::Usage(match pair(&args.first) {
            Some((first, second)) => {
                format!("diff takes two clocks as two words:\n  ptpctl diff {first} {second}")
            }
            None => "a second clock is missing".into(),
        })),
    }
}

fn run(context: &mut Context<'_>, args: &Args) -> Result<Report, Failure> {
    args.measuring.isolating.apply(context)?;
    let others = context.files_of_clocks([&args.first].into_iter().chain(&args.second));
    let picture = picture::target(context, args.plot.plot.as_deref(), others)?;
    let (first, second) = names(context, args)?;
    let effort = args.measuring.effort();
    let mut source = Source::open(first, Some(second), SystemClock::MonotonicRaw, effort)?;
    let both = [source.phc(), source.other()].map(|phc| phc.map(|phc| phc.name().clone()));
    let [Some(first), Some(second)] = both else {
        return Err(Failure::Failed("a clock has gone".into()));
    };
    let mut drawing = SamplesDrawing::new(format!("{first} - {second}"));
    let limit = source.phc().map_or(Rate::default(), watch::rate_limit);
    let mut ones = Vec::new();
    let reading = source.read_and_see(&mut |which, samples| {
        if picture.is_none() {
            return;
        }
        // The first clock's come first.
        if which == 0 {
            ones = samples.to_vec();
        } else {
            drawing.take_pairs(limit, &ones, samples);
        }
    });
    let measured = match reading.outcome {
        Outcome::Measured(measured) => measured,
        Outcome::Missed(cause) | Outcome::Absent(cause) => return Err(cause.into()),
    };
    let report = Report::new()
        .headline(format!("{first} - {second}"))
        .value("device", first.device.as_str())
        .value("clock_name", first.clock_name.clone())
        .value("reference", second.device.as_str())
        .value("reference_clock_name", second.clock_name.clone());
    let mut report = rows(report, &measured, reading.at, source.system_clock())?;
    let tai = source.phc().and_then(tai_offset).unwrap_or(TaiOffset::SINCE_2017);
    for (offset, which) in [(measured.offset, "first"), (negated(measured.offset), "second")] {
        if let Some(rest) = tai.explains(offset) {
            report = report.note(format!(
                "the {which} clock keeps TAI and the other UTC; without the {} s they differ by \
                 {rest:+}",
                tai.0
            ));
        }
    }
    for why in source.objections() {
        report = report.note(why.clone());
    }
    for why in &measured.passed_over {
        report = report.note(why.to_string());
    }
    match picture {
        Some(target) => picture::finish(context, report, &args.plot.of(drawing.offsets), &target),
        None => Ok(report),
    }
}

fn negated(offset: Offset) -> Offset {
    Offset::from_nanoseconds(offset.nanoseconds().saturating_neg())
}

/// What was measured, at a time and through a system clock.
fn rows(
    report: Report,
    measured: &Measurement,
    at: Timestamp<Utc>,
    through: SystemClock,
) -> Result<Report, Failure> {
    let Some(Comparison { reference_method, rate_limit }) = measured.comparison else {
        return Err(Failure::Failed("the clocks weren't compared".into()));
    };
    let method = measured.method.map(|method| method.to_string());
    let methods = format!("{} and {reference_method}", method.as_deref().unwrap_or("?"));
    let bound = measured.bound.map_or("unknown".into(), |bound| {
        format!("±{bound}, if the first clock's rate is within {rate_limit:.0}")
    });
    let offset = format!("{:+}{}", measured.offset, uncertainty_text(measured.uncertainty));
    let mut report = report
        .rows(
            "offset",
            offset,
            vec![
                ("offset_ns", measured.offset.into()),
                ("uncertainty_ns", measured.uncertainty.into()),
            ],
        )
        .row("at", rfc3339::format(at).unwrap_or_default(), "at", at)
        .rows(
            "bound",
            bound,
            vec![
                ("bound_ns", measured.bound.into()),
                ("rate_limit_ppb", Value::Decimal(rate_limit.ppb().to_string())),
            ],
        )
        .rows(
            "rate",
            measured.rate.and_then(told_rate).unwrap_or_default(),
            rate_values(measured.rate),
        )
        .rows(
            "method",
            methods,
            vec![
                ("method", method.into()),
                ("reference_method", reference_method.to_string().into()),
            ],
        )
        .row("through", through.to_string(), "through", through.to_string())
        .value("curved", measured.curved);
    if measured.curved {
        report = report
            .note("the clocks curve: the offset comes from the samples around the time shown");
    }
    if measured.stepped {
        report = report.note("a clock was stepped meanwhile: samples before the step are ignored");
    }
    Ok(report)
}
