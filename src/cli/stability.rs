//! `ptpctl stability`: deviations over averaging times, and whether a mask is kept.

#![expect(clippy::float_arithmetic, reason = "τ in seconds, and limits for a picture")]

use super::failure::{Failure, NOT_SHOWN};
use super::told::Told;
use super::watching::{self, Goes};
use super::{Command, Context, arguments, picture};
use crate::find::tai_offset;
use crate::kernel::Signals;
use crate::measure::stability::{
    self, Deviation, Finding, Kind, MASKS, Mask, Noise, Pattern, Point, Series, Steps, Trend,
    Verdict, octaves, overall, series, spread,
};
use crate::phc::SystemClock;
use crate::report::chart::Unit;
use crate::report::plot::{self, Curve, Limit, Picture};
use crate::report::printable;
use crate::report::rates::rounded;
use crate::report::{Report, Table, Value};
use crate::watch::record::Damage;
use crate::watch::{Label, Outcome, Reading};
use crate::{Offset, TaiOffset};
use clap::ArgAction;
use clap::builder::PossibleValuesParser;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(super) const COMMAND: Command = Command {
    name: "stability",
    aliases: &[],
    about: "Tell how steady a clock is, by deviations and masks",
    arguments,
    run,
};

fn arguments(command: clap::Command) -> clap::Command {
    let names = MASKS.iter().map(|mask| mask.name);
    arguments::watching(command, "100ms")
        .arg(
            arguments::option("from", "FILE", "Take what record has written; - is standard input")
                .conflicts_with_all([
                    "interval", "count", "duration", "samples", "clock", "cpu", "realtime",
                ]),
        )
        .arg(
            arguments::option(
                "mask",
                "MASK",
                "Judge by these limits; it can be given several times",
            )
            .short('m')
            .action(ArgAction::Append)
            .value_parser(PossibleValuesParser::new(names)),
        )
        .arg(
            arguments::option("steps", "WHAT", "What a step counts as: a part of what the clock does, \
                 nothing, or an end")
                .value_parser(["keep", "remove", "split"])
                .default_value("keep"),
        )
        .arg(
            arguments::option("taus", "WHICH", "The averaging times: every octave, ten a decade, or all")
                .value_parser(["octave", "decade", "all"])
                .default_value("octave"),
        )
        .arg(picture::argument())
        .arg(arguments::device())
        .long_about(format!(
            "Tells the frequency offset and the drift of a clock, and its deviations over \
             averaging times τ: Allan (ADEV), modified Allan (MDEV), Hadamard (HDEV), time \
             deviation (TDEV) and MTIE, all of them overlapping, from offsets at even distances. \
             It measures for --duration (30s where nothing else is said; at 100 ms some 80 readings \
             of a clock on PCIe each time), with DEVICE as \
             FIRST:SECOND the first clock less the second, or takes what record has written. \
             There DEVICE picks one of several, by its clock or as CLOCK:REFERENCE.\n\nThe \
             intervals hold the true deviation with a probability of 68.3 %: by the noise that \
             the offsets turn out to have (their lag 1 autocorrelation) and its degrees of \
             freedom. Where it can be one noise as well as another, or too few offsets tell it, \
             that is the widest of their intervals, with a * behind it. MTIE is no mean and has \
             none.\n\nOffsets that are missing are missing: they are neither filled in, nor do \
             others count less for them. Each difference counts that was measured; means of \
             several (MDEV, TDEV) count where half of their offsets were, and what the others \
             would have done to their scatter is taken off. MTIE is the range of what was \
             measured: what happened in a gap, it can't show. Of two offsets at one place the first \
             counts.\n\nA step is a part of what the clock does (--steps keep): no other choice shows \
             a clock as bad as it was. --steps remove takes it out, as if what follows had gone on \
             at the rate before it; with --steps split nothing before it is compared with what \
             follows. How many there are is said.\n\nWith --mask it judges the clock by limits of ITU-T \
             Recommendations, at ten averaging times a decade and at the mask's corners, up to \
             where the offsets reach. max|TE| is that of all offsets, beyond steps and gaps, too. It \
             exits with 1 where a limit isn't kept. Where one was kept as far as it was judged, but \
             offsets were left out or they don't reach over the limit's whole range, nothing is \
             shown: it says so and exits with 4. The reference counts \
             as true, and the bound of the measurement is no part of the judgement. Where TAI - \
             UTC explains the whole seconds, they are left out. Limits on dTE_L apply behind a \
             low-pass filter of 0.1 Hz.\n\nMasks:\n{}",
            masks_text()
        ))
        .after_help(
            "Examples:\n  \
             ptpctl stability --duration 10s --interval 10ms eth0\n  \
             ptpctl stability --from night.jsonl.zst --mask g8272-a --plot night.svg\n  \
             ptpctl stability --json --count 100 mock:full,noise=20ns,time=virtual",
        )
}

fn masks_text() -> String {
    let line = |mask: &Mask| format!("  {}: {}; {}", mask.name, mask.title, mask.source);
    MASKS.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// How long it is measured where nothing else is said.
const USUAL: Duration = Duration::from_secs(30);

fn run(context: &mut Context<'_>) -> Result<Report, Failure> {
    let picture = picture::target(context)?;
    let masks = context.matches.try_get_many::<String>("mask").ok().flatten();
    let masks: Vec<&Mask> =
        masks.into_iter().flatten().filter_map(|name| Mask::by_name(name)).collect();
    let (steps, taus) = (steps(context)?, taus(context)?);
    if context.get::<u64>("count") == Some(1) {
        return Err(Failure::Usage("--count 1 is too few: it takes two offsets at least".into()));
    }
    let Taken { label, points, is_whole, tai, signals } = match context.get::<String>("from") {
        Some(from) => read(context, Path::new(&from))?,
        None => measure(context)?,
    };
    // What was measured until a signal came is told; then it ends the program.
    let ended = signals.filter(|signals| signals.came().is_some());
    let Some(series) = series(&points, steps) else {
        let number = points.len();
        let too_few = format!("{number} offsets of {label} are too few: it takes two at least");
        let too_few =
            if masks.is_empty() { Failure::Failed(too_few) } else { Failure::NotShown(too_few) };
        return Err(ended.map_or(too_few, Failure::Signal));
    };
    let factors = taus.factors(series.places())?;
    let mut judged = Judged::of(&label, series, &points, tai, &masks, (steps, &factors));
    if !is_whole {
        judged.unless("parts of the file can't be read");
    }
    let verdict = judged.status();
    let report = judged.report();
    let picture = picture.map(|target| (Picture::Deviations(judged.drawn(&masks)), target));
    let report = match picture {
        Some((picture, target)) => match picture::finish(context, report, &picture, &target) {
            // A verdict holds also where nobody reads it to its end.
            Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                Report::new()
            }
            report => report?,
        },
        None => report,
    };
    match ended {
        // It says it all, before the signal does.
        Some(signals) => {
            context.printer.report(&report)?;
            Err(Failure::Signal(signals))
        }
        None if verdict == 0 => Ok(report),
        None => Err(Failure::Verdict(Box::new(report), verdict)),
    }
}

/// What there is to know of offsets.
struct Judged<'a> {
    label: &'a Label,
    series: Series,
    steps: Steps,
    /// What TAI - UTC explains of them.
    whole_seconds: Offset,
    deviations: Deviations,
    findings: Vec<(&'a Mask, Vec<Finding>)>,
}

impl<'a> Judged<'a> {
    fn of(
        label: &'a Label,
        mut series: Series,
        points: &[Point],
        tai: Option<TaiOffset>,
        masks: &[&'a Mask],
        (steps, factors): (Steps, &[usize]),
    ) -> Self {
        let whole_seconds = if is_of_utc(label) { explained(&series, tai) } else { Offset::ZERO };
        let without = |offset: i64| offset.saturating_sub(whole_seconds.nanoseconds());
        if whole_seconds != Offset::ZERO {
            series.move_by(whole_seconds.nanoseconds());
        }
        let all: Vec<i64> =
            points.iter().map(|point| without(point.offset.nanoseconds())).collect();
        let findings = masks.iter().map(|mask| (*mask, mask.judge(&series, &all))).collect();
        let deviations = series.all_deviations(factors);
        Self { label, series, steps, whole_seconds, deviations, findings }
    }

    /// Has nothing passed, for this reason.
    fn unless(&mut self, why: &'static str) {
        for finding in self.findings.iter_mut().flat_map(|(_, findings)| findings) {
            finding.verdict = finding.verdict.clone().unless(why);
        }
    }

    /// The exit status: 0 where every limit is kept, 1 where one isn't, else 4.
    fn status(&self) -> u8 {
        match overall(self.findings.iter().flat_map(|(_, findings)| findings)) {
            stability::Outcome::Passed => 0,
            stability::Outcome::Failed => 1,
            stability::Outcome::NotShown(_) => NOT_SHOWN,
        }
    }

    fn report(&self) -> Report {
        describe(self)
    }

    fn drawn(&self, masks: &[&Mask]) -> plot::Deviations {
        drawn(self.label, &self.series, &self.deviations, masks)
    }
}

fn is_of_utc(label: &Label) -> bool {
    label.reference == SystemClock::Realtime.to_string()
}

/// Each kind of deviation at every octave.
type Deviations = [(Kind, Vec<Deviation>); 5];

/// Which averaging times there are.
#[derive(Clone, Copy)]
enum Taus {
    Octave,
    Decade,
    All,
}

/// All averaging times of more offsets than these take for ever.
const MOST_FOR_ALL: usize = 30_000;

impl Taus {
    /// The averaging factors of so many places.
    fn factors(self, places: usize) -> Result<Vec<usize>, Failure> {
        let most = places.saturating_sub(1) / 3;
        let factors = match self {
            Self::Octave => octaves(places),
            Self::Decade => spread(most, 10),
            Self::All if places > MOST_FOR_ALL => {
                return Err(Failure::Usage(format!(
                    "--taus all of {places} offsets are too many: up to {MOST_FOR_ALL} it can be; \
                     --taus decade does for more"
                )));
            }
            Self::All => (1..=most).collect(),
        };
        // Two or three offsets have one.
        Ok(if factors.is_empty() { vec![1] } else { factors })
    }
}

fn taus(context: &Context<'_>) -> Result<Taus, Failure> {
    Ok(match context.required::<String>("taus")?.as_str() {
        "all" => Taus::All,
        "decade" => Taus::Decade,
        _ => Taus::Octave,
    })
}

fn steps(context: &Context<'_>) -> Result<Steps, Failure> {
    Ok(match context.required::<String>("steps")?.as_str() {
        "remove" => Steps::Remove,
        "split" => Steps::Split,
        _ => Steps::Keep,
    })
}

/// A clock's offsets, measured or from a file.
struct Taken {
    label: Arc<Label>,
    points: Vec<Point>,
    /// Whether all of a file could be read.
    is_whole: bool,
    /// TAI - UTC, where it is known.
    tai: Option<TaiOffset>,
    /// What can have ended the measuring.
    signals: Option<Signals>,
}

/// Measures a clock for a while.
fn measure(context: &mut Context<'_>) -> Result<Taken, Failure> {
    let mut schedule = arguments::schedule(context)?;
    if schedule.count.is_none() && schedule.duration.is_none() {
        schedule.duration = Some(USUAL);
    }
    let clock: SystemClock = context.required("clock")?;
    let effort = arguments::effort_every(context, schedule.interval);
    let source = watching::source(context, &context.device()?, clock, effort)?;
    let label = Arc::clone(source.label());
    let tai = source.phc().filter(|_| is_of_utc(&label)).and_then(tai_offset);
    let signals = watching::catch()?;
    let sampler = watching::start(context, vec![source], schedule)?;
    let (mut measured, mut told) = (Measured::default(), Told::default());
    let take = |readings: Vec<Reading>| {
        for reading in readings {
            told.take(context, &reading, Some(schedule.interval));
            told.cause(context, &reading);
            measured.take(&reading);
        }
        Ok(Goes::On)
    };
    watching::measure(sampler, &signals, take)?;
    Ok(Taken { label, points: measured.points, is_whole: true, tai, signals: Some(signals) })
}

/// Offsets as they come, from a clock or from a file.
#[derive(Default)]
struct Measured {
    points: Vec<Point>,
    is_lost: bool,
}

impl Measured {
    fn take(&mut self, reading: &Reading) {
        match &reading.outcome {
            Outcome::Measured(one) => {
                // What it was before it went away has nothing to do with what comes after.
                let stepped = one.stepped || self.is_lost;
                self.is_lost = false;
                let at = reading.at.total_nanoseconds();
                self.points.push(Point { at, offset: one.offset, stepped });
            }
            // One offset is missing.
            Outcome::Missed(_) => {}
            Outcome::Absent(_) => self.is_lost = true,
        }
    }
}

/// Takes one clock's offsets from a file.
fn read(context: &mut Context<'_>, from: &Path) -> Result<Taken, Failure> {
    let wanted = context.named_device()?;
    let mut reader = watching::open(from)?;
    let mut found: Vec<Arc<Label>> = Vec::new();
    let mut measured = Measured::default();
    let failed = |error| Failure::Failed(format!("can't read {}: {error}", from.display()));
    while let Some(reading) = reader.read().map_err(failed)? {
        if !wanted.as_ref().is_none_or(|wanted| reading.source.is_called(wanted)) {
            continue;
        }
        if !found.contains(&reading.source) {
            found.push(Arc::clone(&reading.source));
        }
        measured.take(&reading);
    }
    watching::tell_damage(context, reader.damage(), from);
    match found.as_slice() {
        [label] => Ok(Taken {
            label: Arc::clone(label),
            points: measured.points,
            is_whole: reader.damage() == Damage::default(),
            tai: None,
            signals: None,
        }),
        [] => Err(Failure::Failed(format!(
            "{} has no measurement{}",
            from.display(),
            wanted.map_or(String::new(), |wanted| format!(" of {wanted}"))
        ))),
        several => Err(Failure::Usage(format!(
            "{} has several: {}; name one as DEVICE",
            from.display(),
            several.iter().map(|label| label.name()).collect::<Vec<_>>().join(", ")
        ))),
    }
}

/// The whole seconds of the offsets that TAI - UTC explains.
fn explained(series: &Series, tai: Option<TaiOffset>) -> Offset {
    let first = Offset::from_nanoseconds(series.offsets().next().unwrap_or(0));
    let tai = tai.unwrap_or(TaiOffset::SINCE_2017);
    tai.explains(first).map_or(Offset::ZERO, |_| tai.offset())
}

fn describe(judged: &Judged<'_>) -> Report {
    let Judged { label, series, steps, whole_seconds, deviations: all, findings } = judged;
    let number = series.measured();
    let distance = seconds(series.distance);
    let length = distance * float(series.span().saturating_sub(1));
    let trend = series.trend();
    let decimal = |value: Option<f64>| {
        value.map_or(Value::Null, |value| Value::Decimal(format!("{value:.6e}")))
    };
    let ppb = |value: Option<f64>, uncertainty: Option<f64>, unit: &str| {
        let told = value.zip(uncertainty).map(|(value, by)| rounded(value, by));
        told.map_or("not told".into(), |told| format!("{told} {unit}"))
    };
    let frequency = trend.map(|trend: Trend| trend.frequency_ppb);
    let frequency_doubt = trend.and_then(|trend| trend.frequency_uncertainty_ppb);
    let drift = trend.and_then(|trend| trend.drift_ppb_per_day);
    let drift_doubt = trend.and_then(|trend| trend.drift_uncertainty_ppb_per_day);
    let mut report = Report::new()
        .headline(label.to_string())
        .value("device", label.device.as_str())
        .value("clock_name", label.clock_name.clone())
        .value("reference", label.reference.as_str())
        .rows(
            "offsets",
            format!("{number}, {} apart, over {}", shown(distance), shown(length)),
            vec![
                ("offsets", number.into()),
                ("interval_ns", series.distance.into()),
                ("missing", series.missing().into()),
                ("crowded", series.crowded.into()),
                ("steps", series.steps.into()),
                ("stretches", series.stretches.len().into()),
                ("whole_seconds_ns", (*whole_seconds).into()),
            ],
        )
        .rows(
            "rate",
            ppb(frequency, frequency_doubt, "ppb"),
            vec![
                ("rate_ppb", decimal(frequency)),
                ("rate_uncertainty_ppb", decimal(frequency_doubt)),
            ],
        )
        .rows(
            "drift",
            ppb(drift, drift_doubt, "ppb a day"),
            vec![
                ("drift_ppb_per_day", decimal(drift)),
                ("drift_uncertainty_ppb_per_day", decimal(drift_doubt)),
            ],
        );
    if let Some((_, allan)) = all.first() {
        report = report.row("noise", noises(allan, distance), "noise", noise(allan.first()));
    }
    report = report.table(table(all, distance));
    let mut lines = Vec::new();
    for (mask, findings) in findings {
        lines.extend(findings.iter().map(|finding| (*mask, finding)));
    }
    if !lines.is_empty() {
        report = report.table(verdicts(&lines));
    }
    for (mask, findings) in findings {
        for Finding { quantity, verdict } in findings {
            let (Verdict::NotJudged(why)
            | Verdict::Judged { outcome: stability::Outcome::NotShown(why), .. }) = verdict
            else {
                continue;
            };
            report = report.note(format!("{} {quantity} isn't shown: {why}", mask.name));
        }
    }
    if *whole_seconds != Offset::ZERO {
        report = report.note(format!("the clock keeps TAI: {whole_seconds} are left out"));
    }
    notes(series, *steps).into_iter().fold(report, Report::note)
}

/// What there is to say of how the offsets came.
fn notes(series: &Series, steps: Steps) -> Vec<String> {
    let mut notes = Vec::new();
    if series.missing() > 0 {
        notes.push(format!(
            "{} of {} places have no offset",
            series.missing(),
            series.missing() + series.measured()
        ));
    }
    if series.steps > 0 {
        let number = series.steps;
        notes.push(match steps {
            Steps::Keep => format!(
                "steps: {number}; they count as what the clock did (--steps remove or split to see \
                 it without them)"
            ),
            Steps::Remove => format!("steps: {number}; they are taken out"),
            Steps::Split => {
                format!("steps: {number}; nothing before one is compared with what follows")
            }
        });
    }
    let by_gaps = series.stretches.len().saturating_sub(1 + series.breaks);
    let by_gaps =
        if steps == Steps::Split { by_gaps.saturating_sub(series.steps) } else { by_gaps };
    if by_gaps > 0 {
        notes.push(format!("gaps that no averaging time spans: {by_gaps}"));
    }
    if series.breaks > 0 {
        notes.push(format!(
            "the reference went back, or the offset moved by 36 years: {} times; what follows is \
             compared with nothing before",
            series.breaks
        ));
    }
    match series.pattern {
        Pattern::Even if series.crowded > 0 => notes.push(format!(
            "{} offsets are left out that come too soon after another",
            series.crowded
        )),
        Pattern::Even => {}
        Pattern::Pairs => notes.push(format!(
            "the offsets come in pairs: the first of each counts, {} are left out",
            series.crowded
        )),
        Pattern::Changing { from, to } => notes.push(format!(
            "the interval changes between {} and {}: judge each part by itself",
            shown(seconds(from)),
            shown(seconds(to))
        )),
    }
    notes
}

fn noise(one: Option<&Deviation>) -> Value {
    one.and_then(|one| one.noise).map(Noise::name).into()
}

/// Which noise is found up to which averaging time.
fn noises(allan: &[Deviation], distance: f64) -> String {
    let mut parts: Vec<String> = Vec::new();
    for same in allan.chunk_by(|one, next| one.noise == next.noise) {
        let (Some(first), Some(last)) = (same.first(), same.last()) else { continue };
        let name = match first.noise {
            Some(noise) => noise.name(),
            None if first.interval.is_none() => return "none: the offsets are on a line".into(),
            None => "not told",
        };
        parts.push(format!("{name} to {}", shown(float(last.factor) * distance)));
    }
    parts.join(", ")
}

/// A time in the unit that people read it in, to four digits.
fn shown(seconds: f64) -> String {
    const UNITS: [(f64, &str); 6] = [
        (2.0 * 86_400.0, "d"),
        (7_200.0, "h"),
        (1_000.0, "min"),
        (1.0, "s"),
        (1e-3, "ms"),
        (1e-6, "us"),
    ];
    let sizes = [86_400.0, 3_600.0, 60.0, 1.0, 1e-3, 1e-6];
    let fits = UNITS.iter().zip(sizes).find(|((from, _), _)| seconds >= *from * (1.0 - 1e-9));
    let (size, unit) = fits.map_or((1e-9, "ns"), |((_, unit), size)| (size, *unit));
    let value = seconds / size;
    let rounded: f64 = format!("{value:.3e}").parse().unwrap_or(value);
    format!("{rounded} {unit}")
}

/// The same for programs, to the nanosecond.
fn exact(seconds: f64) -> String {
    let mut text = format!("{seconds:.9}");
    text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    text
}

/// The averaging factors at which there is a deviation of any kind.
fn factors_of(all: &Deviations) -> Vec<usize> {
    let mut factors: Vec<usize> =
        all.iter().flat_map(|(_, deviations)| deviations).map(|one| one.factor).collect();
    factors.sort_unstable();
    factors.dedup();
    factors
}

/// The deviation at a factor.
fn at(deviations: &[Deviation], factor: usize) -> Option<&Deviation> {
    let place = deviations.binary_search_by_key(&factor, |one| one.factor).ok()?;
    deviations.get(place)
}

/// A line for each averaging time: each deviation with how far its interval goes.
fn table(all: &Deviations, distance: f64) -> Table {
    let mut columns = vec![("tau_s", "TAU")];
    for (kind, _) in all {
        columns.extend(match kind {
            Kind::Allan => [("adev", "ADEV"), ("adev_from", ""), ("adev_to", "")],
            Kind::ModifiedAllan => [("mdev", "MDEV"), ("mdev_from", ""), ("mdev_to", "")],
            Kind::Hadamard => [("hdev", "HDEV"), ("hdev_from", ""), ("hdev_to", "")],
            Kind::Time => [("tdev_ns", "TDEV"), ("tdev_from_ns", ""), ("tdev_to_ns", "")],
            Kind::Mtie => [("mtie_ns", "MTIE"), ("", ""), ("", "")],
        });
    }
    columns.retain(|(key, _)| !key.is_empty());
    columns.push(("noise", ""));
    let mut table = Table::new("deviations", &columns);
    for factor in factors_of(all) {
        let tau = float(factor) * distance;
        let mut line = vec![(shown(tau), Value::Decimal(exact(tau)))];
        for (kind, deviations) in all {
            line.extend(cells(*kind, at(deviations, factor)));
        }
        line.push((String::new(), noise(all.first().and_then(|(_, allan)| at(allan, factor)))));
        table.line(line);
    }
    table
}

fn cells(kind: Kind, one: Option<&Deviation>) -> Vec<(String, Value)> {
    let Some(one) = one else {
        let none = if kind == Kind::Mtie { 1 } else { 3 };
        let cell = |place| (if place == 0 { "-" } else { "" }.to_owned(), Value::Null);
        return (0..none).map(cell).collect();
    };
    let exact = |value: f64| Value::Decimal(format!("{value:.7e}"));
    let shown =
        if kind.is_time() { Unit::Fitting.write(one.value) } else { format!("{:.2e}", one.value) };
    if kind == Kind::Mtie {
        return vec![(shown, exact(one.value))];
    }
    let share = |to: f64| (to / one.value - 1.0) * 100.0;
    let interval = one.interval.filter(|_| one.value > 0.0);
    let mark = if one.noise.is_some() { "" } else { "*" };
    let shown = interval.map_or(shown.clone(), |(low, high)| {
        format!("{shown} {:+.0}{:+.0}%{mark}", share(low), share(high))
    });
    let bound = |value: Option<f64>| (String::new(), value.map_or(Value::Null, exact));
    vec![
        (shown, exact(one.value)),
        bound(one.interval.map(|interval| interval.0)),
        bound(one.interval.map(|interval| interval.1)),
    ]
}

fn verdicts(findings: &[(&Mask, &Finding)]) -> Table {
    let columns = [
        ("mask", "MASK"),
        ("quantity", "LIMIT ON"),
        ("result", "RESULT"),
        ("value_ns", "WORST"),
        ("limit_ns", "ALLOWED"),
        ("tau_s", "AT TAU"),
        ("fails_from_s", "FAILS FROM"),
        ("judged_to_s", "JUDGED TO"),
        ("goes_to_s", "GOES TO"),
        ("source", ""),
        ("reason", ""),
    ];
    let mut table = Table::new("masks", &columns);
    for (mask, Finding { quantity, verdict }) in findings {
        let number = |value: f64, unit: &str| {
            (format!("{value:.3} {unit}"), Value::Decimal(format!("{value:.6}")))
        };
        let none = || ("-".to_owned(), Value::Null);
        let head = |result: &'static str| {
            vec![
                (mask.name.to_owned(), mask.name.into()),
                ((*quantity).to_owned(), (*quantity).into()),
                (result.to_owned(), result.into()),
            ]
        };
        let source = (String::new(), mask.source.into());
        let mut reason = Value::Null;
        let mut line = match verdict {
            Verdict::Judged { outcome, tau, value, limit, fails_from, up_to, goes_to } => {
                let mut line = head(match outcome {
                    stability::Outcome::Passed => "pass",
                    stability::Outcome::Failed => "fail",
                    stability::Outcome::NotShown(why) => {
                        reason = (*why).into();
                        "not shown"
                    }
                });
                line.extend([
                    number(*value, "ns"),
                    number(*limit, "ns"),
                    number(*tau, "s"),
                    fails_from.map_or_else(none, |tau| number(tau, "s")),
                    number(*up_to, "s"),
                    number(*goes_to, "s"),
                ]);
                line
            }
            Verdict::NotJudged(why) => {
                let mut line = head("not shown");
                line.extend(std::array::from_fn::<_, 6, _>(|_| none()));
                reason = (*why).into();
                line
            }
        };
        line.extend([source, (String::new(), reason)]);
        table.line(line);
    }
    table
}

/// The deviations as a picture, with the curves of the masks.
fn drawn(label: &Label, series: &Series, all: &Deviations, masks: &[&Mask]) -> plot::Deviations {
    let distance = seconds(series.distance);
    let curve = |(kind, deviations): &(Kind, Vec<Deviation>)| {
        let point = |one: &Deviation| (float(one.factor) * distance, one.value, one.interval);
        Curve {
            name: kind.name().to_owned(),
            is_time: kind.is_time(),
            points: deviations.iter().map(point).collect(),
        }
    };
    let mut limits = Vec::new();
    for mask in masks {
        for requirement in mask.requirements {
            let Some((_, segments)) = requirement.curve() else { continue };
            let points = segments.iter().flat_map(|segment| {
                let steps = 64;
                (0..=steps).map(move |step| {
                    let share = f64::from(step) / f64::from(steps);
                    let tau = segment.from * (segment.to / segment.from).powf(share);
                    (tau, segment.at(tau))
                })
            });
            let name = format!("{} {}", mask.name, requirement.quantity());
            limits.push(Limit { name, points: points.collect() });
        }
    }
    let start = crate::Timestamp::<crate::Unknown>::from_total_nanoseconds(series.start);
    let start = start.and_then(crate::rfc3339::format).unwrap_or_default();
    plot::Deviations {
        title: printable(&watching::title(label)).into_owned(),
        source: format!(
            "{} offsets, {} apart, from {start}; bars: 68.3 % intervals",
            series.measured(),
            shown(distance)
        ),
        curves: all.iter().map(curve).collect(),
        limits,
    }
}

fn seconds(nanoseconds: u64) -> f64 {
    Duration::from_nanos(nanoseconds).as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "a number of offsets has less than 53 bits")]
fn float(number: usize) -> f64 {
    number as f64
}
