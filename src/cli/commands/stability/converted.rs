//! `ptpctl stability --to`: offsets in the formats of other programs.

use super::Args;
use super::taken::{self, Taken};
use crate::cli::args::values;
use crate::cli::failure::Failure;
use crate::cli::{Context, arguments};
use crate::measure::stability::{Point, Points, Series, Steps, series};
use crate::report::Report;
use crate::watch::foreign::{GAPS_ARE_ZERO, RATE_TIMES_DISTANCE};
use crate::watch::record;
use crate::watch::{Label, Measurement, Outcome, Reading};
use crate::{FineOffset, Offset, Timestamp};
use clap::Arg;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::io::{self, Write};
use std::sync::Arc;

/// The form of another program's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A table with times, offsets and bounds.
    Csv,
    /// As `record` writes them.
    JsonLines,
    /// Phases in seconds, one a line; 0 is a gap.
    Stable32,
    /// Phases in nanoseconds behind a head.
    TimeLab,
}

impl Form {
    const ALL: [(&str, Self); 4] = [
        ("csv", Self::Csv),
        ("jsonl", Self::JsonLines),
        ("stable32", Self::Stable32),
        ("timelab", Self::TimeLab),
    ];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(one, _)| *one == name).map(|(_, form)| form)
    }
}

values!(Form);

pub(super) fn argument() -> Arg {
    arguments::option(
        "to",
        "FORMAT",
        "Write the offsets to standard output in this format, and no deviations",
    )
    .value_parser(
        PossibleValuesParser::new(Form::ALL.map(|(name, _)| name))
            .try_map(|name| Form::named(&name).ok_or("no form")),
    )
    .conflicts_with_all([
        "mask",
        "mask_file",
        "masks",
        "assume_symmetric",
        "partial",
        "taus",
        "steps",
        "plot",
        "json",
    ])
}

/// Writes the offsets in a form.
pub(super) fn write(context: &mut Context<'_>, args: &Args, form: Form) -> Result<Report, Failure> {
    let mut rows = 0_u64;
    let from = &args.taking.from;
    // Formats that hold a whole reading are written as the readings come.
    let mut see = |context: &mut Context<'_>, reading: &Reading| {
        let is_first = rows == 0;
        rows += 1;
        match form {
            Form::Csv => table_row(context.printer, reading, is_first)?,
            Form::JsonLines => record::write(context.printer, reading, is_first)?,
            Form::Stable32 | Form::TimeLab => return Ok(()),
        }
        // A reader of the output gets each offset at once.
        if from.is_none() { Ok(context.printer.flush()?) } else { Ok(()) }
    };
    let taken = if let Some(from) = from {
        taken::read(context, args, from, &mut see)?
    } else {
        let schedule = super::schedule(args)?;
        taken::measure(context, args, schedule, &mut see)?
    };
    let Taken { label, points, bounds, signals, .. } = taken;
    for note in taken::left_out(&points) {
        context.printer.aside(&note);
    }
    match form {
        Form::Csv | Form::JsonLines if rows > 0 => {}
        Form::Csv | Form::JsonLines => points_alone(context, form, &label, (&points, &bounds))?,
        Form::Stable32 | Form::TimeLab => even(context, form, &label, &points)?,
    }
    context.printer.flush()?;
    match signals.filter(|signals| signals.came().is_some()) {
        Some(signals) => Err(Failure::Signal(signals)),
        None => Ok(Report::new()),
    }
}

/// Writes the offsets of a file that has nothing else, except perhaps bounds.
fn points_alone(
    context: &mut Context<'_>,
    form: Form,
    label: &Arc<Label>,
    (points, bounds): (&Points, &[Option<Offset>]),
) -> Result<(), Failure> {
    let (mut is_rounded, mut without_time) = (false, 0_u64);
    for (place, point) in points.iter().enumerate() {
        let bound = bounds.get(place).copied().flatten();
        if form == Form::Csv {
            table_head(context.printer, place == 0)?;
            row(context.printer, point, bound)?;
            continue;
        }
        is_rounded |= point.offset != FineOffset::from(nearest(point.offset));
        match reading(label, point, bound) {
            Some(reading) => record::write(context.printer, &reading, place == 0)?,
            None => without_time += 1,
        }
    }
    if without_time > 0 {
        context.printer.aside(&format!(
            "offsets left out because their times exceed 64 bits of seconds: {without_time}"
        ));
    }
    if is_rounded {
        context.printer.aside(
            "a recording has whole nanoseconds: the offsets are rounded to them; --to csv keeps their parts",
        );
    }
    Ok(())
}

/// A point as a recording has it.
fn reading(label: &Arc<Label>, point: Point, bound: Option<Offset>) -> Option<Reading> {
    let offset = nearest(point.offset);
    // Rounding adds to the bound.
    let is_rounded = point.offset != FineOffset::from(offset);
    let rounding = Offset::from_nanoseconds(is_rounded.into());
    let bound = bound.map(|bound| bound.saturating_add(rounding));
    let measurement =
        Measurement { offset, bound, stepped: point.stepped, ..Measurement::default() };
    let at = Timestamp::from_total_nanoseconds(point.at)?;
    Some(Reading { source: Arc::clone(label), at, outcome: Outcome::Measured(measurement) })
}

/// The nearest whole nanosecond.
fn nearest(offset: FineOffset) -> Offset {
    const NANOSECOND: i128 = 1_000_000_000;
    let whole = (offset.attoseconds() + NANOSECOND / 2).div_euclid(NANOSECOND);
    Offset::from_nanoseconds(i64::try_from(whole).unwrap_or(i64::MAX))
}

fn table_head(to: &mut impl Write, is_first: bool) -> io::Result<()> {
    if is_first { writeln!(to, "time_s,offset_ns,bound_ns,stepped") } else { Ok(()) }
}

fn table_row(to: &mut impl Write, reading: &Reading, is_first: bool) -> io::Result<()> {
    table_head(to, is_first)?;
    let Some(measured) = reading.outcome.measured() else { return Ok(()) };
    let (at, offset) = (reading.at.total_nanoseconds(), measured.offset.into());
    row(to, Point { at, offset, stepped: measured.stepped }, measured.bound)
}

fn row(to: &mut impl Write, point: Point, bound: Option<Offset>) -> io::Result<()> {
    let time = decimal(point.at, 9);
    let offset = decimal(point.offset.attoseconds(), 9);
    let bound = bound.map_or(String::new(), |bound| bound.nanoseconds().to_string());
    writeln!(to, "{time},{offset},{bound},{}", u8::from(point.stepped))
}

/// Writes a format without times: one value for each interval.
fn even(
    context: &mut Context<'_>,
    form: Form,
    label: &Label,
    points: &Points,
) -> Result<(), Failure> {
    let times = "--to csv keeps the times";
    let series = series(points, Steps::Keep).ok_or_else(|| {
        Failure::Failed(format!(
            "the times of the {} offsets of {label} give no interval: {times}",
            points.len()
        ))
    })?;
    let measured = series.measured();
    let places = usize::try_from(series.span()).unwrap_or(usize::MAX);
    let missing = places.saturating_sub(measured);
    if series.breaks > 0 {
        return Err(Failure::Failed(format!(
            "the times of the offsets of {label} go back: {times}"
        )));
    }
    if form == Form::TimeLab && missing > 0 || missing > measured {
        return Err(Failure::Failed(format!(
            "{missing} of {places} places have no offset, which this form can't show: {times}"
        )));
    }
    if series.crowded > 0 {
        let number = series.crowded;
        context.printer.aside(&format!("offsets left out, too soon after another: {number}"));
    }
    match form {
        Form::TimeLab => timelab(context.printer, &series)?,
        _ => stable32(context.printer, &series)?,
    }
    Ok(())
}

fn timelab(to: &mut impl Write, series: &Series) -> io::Result<()> {
    let distance = i128::from(series.distance.max(1));
    let rate = decimal((RATE_TIMES_DISTANCE + distance / 2) / distance, 18);
    write!(to, "TIM 1.0\nSCR 1\nTRA 0\nRAT {rate}\nMUL 1E-9\nPER 1\n")?;
    for offset in series.at_places().flatten() {
        writeln!(to, "{}", decimal(offset.attoseconds(), 9))?;
    }
    Ok(())
}

fn stable32(to: &mut impl Write, series: &Series) -> io::Result<()> {
    let tau = decimal(series.distance.into(), 9);
    writeln!(to, "# phase in seconds, one value a line, tau = {tau} s, {GAPS_ARE_ZERO}")?;
    for offset in series.at_places() {
        match offset.map(FineOffset::attoseconds) {
            None => writeln!(to, "0")?,
            // A plain 0 would be a gap: writes a value that is too small to matter.
            Some(0) => writeln!(to, "1e-99")?,
            Some(offset) => writeln!(to, "{}e-9", decimal(offset, 9))?,
        }
    }
    Ok(())
}

/// `value` units of 10^-`places` as a decimal number, without trailing zeros.
fn decimal(value: i128, places: u32) -> String {
    let unit = 10_u128.pow(places);
    let (whole, part) = (value.unsigned_abs() / unit, value.unsigned_abs() % unit);
    let sign = if value < 0 { "-" } else { "" };
    let part = format!("{part:0width$}", width = places as usize);
    match part.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        part => format!("{sign}{whole}.{part}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_exactly() {
        for (value, written) in [
            (0, "0"),
            (-37_500_000_000, "-37.5"),
            (1, "0.000000001"),
            (-1, "-0.000000001"),
            (1_700_000_000_000_000_000, "1700000000"),
            (i128::MIN, "-170141183460469231731687303715.884105728"),
        ] {
            assert_eq!(decimal(value, 9), written);
        }
    }
}
