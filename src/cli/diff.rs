//! `ptpctl diff`: one clock − another.

use super::failure::Failure;
use super::offset::{Rows, add_samples, rate_text, rate_values};
use super::{Command, Context, arguments, picture};
use crate::Offset;
use crate::find;
use crate::measure::{Difference, difference};
use crate::phc::{Access, Phc, Sample, SystemClock};
use crate::report::Report;
use crate::report::plot::{Offsets, Picture};
use crate::watch::{Measured, Question};
use clap::Arg;

pub(super) const COMMAND: Command = Command {
    name: "diff",
    aliases: &[],
    about: "Measure one clock's offset from another",
    arguments,
    run,
};

/// The arguments of the two clocks.
pub(super) const FIRST: &str = "first";
pub(super) const SECOND: &str = "second";

/// What slewing and the time between two readings can make of the system clock meanwhile, in
/// nanoseconds; what is more is a step.
const MOST_SLEWED: u128 = 10_000_000;

fn arguments(command: clap::Command) -> clap::Command {
    arguments::measuring(command)
        .arg(Arg::new(FIRST).value_name("DEVICE").required(true).help("The first clock"))
        .arg(Arg::new(SECOND).value_name("OTHER").help("The clock to subtract"))
        .arg(picture::argument())
        .long_about(
            "Measures first clock - second clock, through CLOCK_MONOTONIC_RAW where both clocks \
             can be read against it, else through CLOCK_REALTIME: the first before and after the \
             second, so that both are had at one moment. The bounds of both measurements add up.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl diff eth0 eth1\n  \
             ptpctl diff --json /dev/ptp0 /dev/ptp1\n  \
             ptpctl diff mock mock:full,offset=1us",
        )
}

fn run(context: &mut Context<'_>) -> Result<Report, Failure> {
    let open = |name: String| find::open(&name, Access::ReadOnly);
    let one: String = context.required(FIRST)?;
    let named: Option<String> = context.get(arguments::DEVICE_OPTION);
    let (first, second) = match (named, context.get::<String>(SECOND)) {
        (None, Some(other)) => (one, other),
        (Some(named), None) => (named, one),
        (Some(_), Some(_)) => {
            return Err(Failure::Usage("three clocks are named: name two".into()));
        }
        (None, None) => return Err(Failure::Usage("a second clock is missing".into())),
    };
    let (first, second) = (open(first)?, open(second)?);
    arguments::isolate(context)?;
    let limit = arguments::limit(context).share(3);
    // Nobody steps the raw clock, but old kernels and drivers don't read samples against it.
    let raw = SystemClock::MonotonicRaw;
    let clock = if first.takes_clock(raw)? && second.takes_clock(raw)? {
        raw
    } else {
        SystemClock::Realtime
    };
    let picture = picture::target(context)?;
    let mut seen: Vec<(String, Vec<Sample>)> = Vec::new();
    let mut measure = |phc: &Phc| {
        let mut samples = Vec::new();
        let measured = Measured::thoroughly(phc, Question::of(clock, limit), &mut |_, batch| {
            if picture.is_some() {
                samples.extend_from_slice(batch);
            }
        });
        let title = format!("{} - {clock}", phc.name());
        match seen.iter_mut().find(|(other, _)| *other == title) {
            Some((_, all)) => all.extend(samples),
            None => seen.push((title, samples)),
        }
        measured
    };
    // Across a step of the system clock the two clocks' offsets from it don't compare.
    let epoch = |phc: &Phc| -> Result<i128, Failure> {
        let monotonic = i128::try_from(phc.monotonic()?.as_nanos()).unwrap_or(i128::MAX);
        Ok(phc.system_time()?.total_nanoseconds() - monotonic)
    };
    let epoch_before = epoch(&first)?;
    let before = measure(&first)?;
    let middle = measure(&second)?;
    let after = measure(&first)?;
    let moved = epoch(&first)? - epoch_before;
    if clock == SystemClock::Realtime && moved.unsigned_abs() > MOST_SLEWED {
        return Err(Failure::Failed(
            "the system clock was stepped while both clocks were measured: try again".into(),
        ));
    }
    let difference = difference(&before.estimate, &middle.estimate, &after.estimate)
        .ok_or_else(|| Failure::Failed("the clocks are more than 292 years apart".into()))?;
    let methods = format!("{} and {}", before.method, middle.method);
    let told = before.bound().and(middle.bound()).is_some();
    // What the drivers claim of their clocks adds up, too.
    let claims = [before.claimed, middle.claimed].into_iter().flatten().map(Offset::nanoseconds);
    let bound = claims.fold(difference.bound.nanoseconds(), i64::saturating_add);
    let difference = Difference { bound: Offset::from_nanoseconds(bound), ..difference };
    let bound = if told { format!("±{}", difference.bound) } else { "not told".into() };
    let report = Report::new()
        .headline(format!("{} - {}", first.name(), second.name()))
        .value("device", first.name().device.as_str())
        .value("clock_name", first.name().clock_name.clone())
        .value("other_device", second.name().device.as_str())
        .value("other_clock_name", second.name().clock_name.clone())
        .row("offset", format!("{:+}", difference.offset), "offset_ns", difference.offset)
        .row("bound", bound, "bound_ns", told.then_some(difference.bound))
        .rows("rate", rate_text(difference.pace), rate_values(difference.pace))
        .rows(
            "method",
            methods,
            vec![
                ("method", before.method.to_string().into()),
                ("other_method", middle.method.to_string().into()),
            ],
        )
        .row("through", clock.to_string(), "clock", clock.to_string());
    let all = [&before, &middle, &after];
    let report = all.into_iter().fold(report, |report, one| one.tell_failed(report));
    match picture {
        Some(target) => {
            let mut offsets = Offsets::default();
            for (title, samples) in &seen {
                add_samples(&mut offsets, title, samples);
            }
            picture::finish(context, report, &Picture::Offsets(offsets), &target)
        }
        None => Ok(report),
    }
}
