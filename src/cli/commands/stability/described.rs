//! The report on a clock's stability.

#![expect(clippy::float_arithmetic, reason = "τ in seconds, and intervals in per cent")]

use super::judged::Judged;
use super::{Deviations, float, float_of, limits, seconds};
use crate::Offset;
use crate::measure::stability::{Deviation, Kind, Noise, Pattern, Series, Steps, Trend};
use crate::report::chart::Unit;
use crate::report::rates::rounded;
use crate::report::{Report, Table, Value};

pub(super) fn describe(judged: &Judged) -> Report {
    let Judged { label, series, steps, whole_seconds, deviations: all, findings } = judged;
    let number = series.measured();
    let distance = seconds(series.distance);
    let length = distance * float_of(series.span().saturating_sub(1));
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
        );
    report = trend_rows(report, series);
    if let Some((_, allan)) = all.first() {
        report = report.row(
            "noise",
            noises(allan, distance, is_constant(all)),
            "noise",
            noise(allan.first()),
        );
    }
    report = report.table(table(all, distance));
    if !findings.is_empty() {
        report = report.table(limits::verdicts(findings));
    }
    report = limits::notes(findings).into_iter().fold(report, Report::note);
    if *whole_seconds != Offset::ZERO {
        report = report.note(format!("the clock keeps TAI: {whole_seconds} are left out"));
    }
    notes(series, *steps).into_iter().fold(report, Report::note)
}

/// Its rate and its drift.
fn trend_rows(report: Report, series: &Series) -> Report {
    let trend = series.trend();
    let decimal = |value: Option<f64>| {
        value.map_or(Value::Null, |value| Value::Decimal(format!("{value:.6e}")))
    };
    let ppb = |value: Option<f64>, uncertainty: Option<f64>, unit: &str| {
        let told = value.zip(uncertainty).map(|(value, by)| rounded(value, by));
        told.map_or("unknown".into(), |told| format!("{told} {unit}"))
    };
    let frequency = trend.map(|trend: Trend| trend.frequency_ppb);
    let frequency_doubt = trend.and_then(|trend| trend.frequency_uncertainty_ppb);
    let drift = trend.and_then(|trend| trend.drift_ppb_per_day);
    let drift_doubt = trend.and_then(|trend| trend.drift_uncertainty_ppb_per_day);
    report
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
        )
}

/// Notes on how the offsets came.
fn notes(series: &Series, steps: Steps) -> Vec<String> {
    let mut notes = Vec::new();
    if series.missing() > 0 {
        notes.push(format!(
            "{} of {} offsets are missing",
            series.missing(),
            series.missing() + series.measured()
        ));
    }
    if series.steps > 0 {
        let number = series.steps;
        notes.push(match steps {
            Steps::Keep => format!(
                "steps: {number}; they count as a part of what the clock did (--steps remove or \
                 split leaves them out)"
            ),
            Steps::Remove => format!("steps: {number}; they are taken out"),
            Steps::Split => {
                format!("steps: {number}; offsets before one aren't compared with those after it")
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
            "times that go back, or offsets that move by 36 years: {}; offsets before one aren't \
             compared with those after it",
            series.breaks
        ));
    }
    match series.pattern {
        Pattern::Even if series.crowded > 0 => notes.push(format!(
            "{} offsets are left out because they come too soon after another",
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

/// Whether no offset differs from the next ones.
fn is_constant(all: &Deviations) -> bool {
    let mtie = all.iter().find(|(kind, _)| *kind == Kind::Mtie);
    mtie.is_some_and(|(_, ranges)| ranges.iter().all(|one| one.value <= 0.0) && !ranges.is_empty())
}

/// Which noise is found up to which averaging time.
fn noises(allan: &[Deviation], distance: f64, is_constant: bool) -> String {
    if is_constant {
        return "none: the offsets are constant".into();
    }
    if allan.iter().all(|one| one.interval.is_none()) && !allan.is_empty() {
        return "none: the offsets are on a line".into();
    }
    let mut parts: Vec<String> = Vec::new();
    for same in allan.chunk_by(|one, next| one.noise == next.noise) {
        let (Some(first), Some(last)) = (same.first(), same.last()) else { continue };
        let name = match first.noise {
            Some(noise) => noise.name(),
            None => "unknown",
        };
        parts.push(format!("{name} to {}", shown(float(last.factor) * distance)));
    }
    parts.join(", ")
}

/// A time in the unit that people read it in, to four digits.
pub(super) fn shown(seconds: f64) -> String {
    // The smallest value that is written in the unit, the unit's size, whether only whole multiples
    // of it are, and its name: a mask's 1000 s aren't written as 16.67 min.
    const UNITS: [(f64, f64, bool, &str); 6] = [
        (2.0 * 86_400.0, 86_400.0, false, "d"),
        (7_200.0, 3_600.0, false, "h"),
        (1_000.0, 60.0, true, "min"),
        (1.0, 1.0, false, "s"),
        (1e-3, 1e-3, false, "ms"),
        (1e-6, 1e-6, false, "us"),
    ];
    let fits = |(from, size, whole, _): &&(f64, f64, bool, &str)| {
        let number = seconds / size;
        seconds >= *from * (1.0 - 1e-9) && (!whole || (number - number.round()).abs() < 1e-6)
    };
    let (size, unit) =
        UNITS.iter().find(fits).map_or((1e-9, "ns"), |(_, size, _, unit)| (*size, *unit));
    let value = seconds / size;
    let rounded: f64 = format!("{value:.3e}").parse().unwrap_or(value);
    format!("{rounded} {unit}")
}

/// The same for programs, to the nanosecond.
pub(super) fn exact(seconds: f64) -> String {
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

/// A line for each averaging time: each deviation with its interval.
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
    let mut table = Table::new("deviations", &columns).narrow(1);
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
