//! Offsets from other programs' files.

use super::super::{Args, Taking};
use super::{MOST_CLOCKS, Taken, the_one};
use crate::cli::failure::Failure;
use crate::cli::{Context, progress, watching};
use crate::measure::stability::{Point, Points, TimeErrors};
use crate::watch::Label;
use crate::watch::foreign::{Columns, Entry, Form, Lines, Told};
use crate::watch::record::{Damage, Reader};
use crate::{FineOffset, Offset};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Whether a file is another program's; an error if its format is unknown.
pub(super) fn is_foreign(reader: &mut Reader<'_>, from: &Path) -> Result<bool, Failure> {
    let failed = |error: io::Error| Failure::of_file("read", from, &error);
    let begin = String::from_utf8_lossy(reader.peek().map_err(failed)?).into_owned();
    let mut lines = Lines::default();
    for line in begin.lines() {
        lines.take(line);
        if lines.form().is_some() {
            return Ok(true);
        }
        if line.trim_start().starts_with('{') {
            return Ok(false);
        }
    }
    let first = begin.lines().find(|line| !line.trim().is_empty());
    first.map_or(Ok(false), |first| {
        let first: String = first.chars().take(60).collect();
        Err(Failure::Failed(format!(
            "{} has an unknown format: it is not a recording or events of ptpctl, a log of \
             phc2sys, ptp4l or ts2phc, refclocks.log, tracking.log or statistics.log of chronyd, a \
             table with named columns, columns of numbers or TimeLab's .tim; it begins with \
             '{first}'",
            from.display()
        )))
    })
}

/// Refuses the options for columns, for a file that has none.
pub(super) fn refuse_columns(args: &Args) -> Result<(), Failure> {
    refuse_form(args)?;
    refuse(args.watching.interval.is_told, "interval")
}

/// The same, but allows --interval.
fn refuse_form(args: &Args) -> Result<(), Failure> {
    refuse(args.taking.column.is_some(), "column")?;
    refuse(args.taking.unit.is_some(), "unit")
}

fn refuse(is_told: bool, name: &str) -> Result<(), Failure> {
    if is_told {
        let why = format!("--{name} is for files of columns only");
        return Err(Failure::Usage(why));
    }
    Ok(())
}

/// Takes one clock's offsets.
pub(super) fn read(
    context: &mut Context<'_>,
    args: &Args,
    mut reader: Reader<'_>,
    wanted: Option<&str>,
    from: &Path,
) -> Result<Taken, Failure> {
    let Taking { column, unit, .. } = &args.taking;
    if column.as_deref() == Some("0") {
        return Err(Failure::Usage("--column 0: columns are counted from 1 on".into()));
    }
    let interval = args.watching.interval;
    let interval = interval.is_told.then_some(interval.value);
    let told = interval.and_then(|interval| u64::try_from(interval.as_nanos()).ok());
    let columns = Columns { column: column.clone(), unit: *unit, interval: told };
    let mut lines = Lines::new(columns);
    let gathered = gather(context, &mut lines, &mut reader, wanted, from)?;
    watching::tell_damage(context, reader.damage(), from);
    match lines.form() {
        Some(Form::Table | Form::Numbers | Form::TimeLab) => {}
        Some(Form::Events) => refuse_form(args)?,
        _ => refuse_columns(args)?,
    }
    gathered.check(&lines, wanted, from)?;
    let label = the_one(&gathered.found, wanted, from)?;
    for note in &gathered.notes(&label, &lines, interval, from) {
        context.printer.aside(note);
    }
    // For events, the interval is the signal's.
    let distance = interval.filter(|_| lines.form() != Some(Form::Events));
    let points = gathered.points(lines.distance(), distance)?;
    let mut errors = TimeErrors::default();
    let bounds = gathered.bounds();
    for (place, point) in points.iter().enumerate() {
        errors.add(point.offset, bounds.get(place).copied().flatten());
    }
    let is_whole = reader.damage() == Damage::default() && gathered.others == 0;
    let points: Points = points.into_iter().collect();
    // If a point was left out, the bounds no longer belong to the points in order.
    let bounds = if points.far() == 0 { bounds } else { Vec::new() };
    Ok(Taken { label, points, errors, bounds, noise: None, is_whole, tai: None, signals: None })
}

/// Reads all lines, of the clock that is wanted.
fn gather(
    context: &Context<'_>,
    lines: &mut Lines,
    reader: &mut Reader<'_>,
    wanted: Option<&str>,
    from: &Path,
) -> Result<Gathered, Failure> {
    let mut gathered = Gathered::default();
    let failed = |error: io::Error| Failure::of_file("read", from, &error);
    while let Some(line) = reader.text().map_err(failed)? {
        gathered.lines += 1;
        match lines.take(&line) {
            Told::Offset(entry) => gathered.take(entry, wanted),
            Told::Frequency(entry) => gathered.sum(entry, wanted),
            Told::Summary(largest) => {
                gathered.summaries += 1;
                gathered.largest = gathered.largest.max(largest);
            }
            Told::Nothing => {}
            Told::Empty => gathered.empty += 1,
            Told::Other => gathered.other(),
        }
        if gathered.found.len() > MOST_CLOCKS {
            break;
        }
        let last = gathered.entries.last().map(|entry| entry.offset.outwards());
        progress::of_file(context, reader, gathered.lines, last);
    }
    Ok(gathered)
}

/// Whether points are at even distances, to a tenth.
fn is_even(points: &[Point]) -> bool {
    let distances = || points.iter().zip(points.iter().skip(1)).map(|(a, b)| b.at - a.at);
    let ends = distances().min().zip(distances().max());
    ends.is_none_or(|(least, most)| least > 0 && most - least <= least / 10)
}

/// What a file has of a clock.
#[derive(Default)]
struct Gathered {
    found: Vec<Arc<Label>>,
    entries: Vec<Entry>,
    /// Whether these are frequencies.
    summed: bool,
    lines: u64,
    /// Where the next offset without a time belongs, and how many empty lines there were since the last.
    place: i128,
    empty: i128,
    /// The places of offsets without times.
    places: Vec<i128>,
    summaries: u64,
    /// The largest offset that the summaries report.
    largest: Option<i64>,
    /// How many lines don't fit the form, and the first of them.
    others: u64,
    first_other: u64,
}

/// How far apart offsets are assumed to be if a file doesn't say.
const USUAL: Duration = Duration::from_secs(1);

impl Gathered {
    /// Fails where nothing in a file can be judged.
    fn check(&self, lines: &Lines, wanted: Option<&str>, from: &Path) -> Result<(), Failure> {
        let why = if let Some(trouble) = lines.trouble() {
            format!("can't read {}: {trouble}", from.display())
        } else if self.found.is_empty() && self.summaries > 0 {
            self.only_summaries(from)
        } else if self.found.is_empty() && self.others > 0 && wanted.is_none() {
            self.nothing(lines.form(), from)
        } else {
            return Ok(());
        };
        Err(Failure::Failed(why))
    }

    fn take(&mut self, mut entry: Entry, wanted: Option<&str>) {
        let [device, reference] = [&mut entry.device, &mut entry.reference].map(std::mem::take);
        let is_of = |label: &&Arc<Label>| label.device == device && label.reference == reference;
        let known = self.found.iter().find(is_of).is_some();
        if !known {
            let label = Label { device, reference, clock_name: None };
            if !wanted.is_none_or(|wanted| label.is_called(wanted)) {
                return;
            }
            self.found.push(Arc::new(label));
        }
        // An empty line between values is a value that is missing.
        self.place += std::mem::take(&mut self.empty);
        // With several clocks nothing is judged, so nothing more is kept.
        if self.found.len() == 1 {
            self.entries.push(entry);
            self.places.push(self.place);
        }
        self.place += 1;
    }

    /// Takes a frequency, which holds from one offset to the next.
    fn sum(&mut self, entry: Entry, wanted: Option<&str>) {
        self.summed = true;
        self.take(entry, wanted);
    }

    fn other(&mut self) {
        if self.others == 0 {
            self.first_other = self.lines;
        }
        self.others += 1;
        // Where there are no times, it takes the place of an offset.
        self.place += 1;
    }

    /// How far the offsets can be off; empty if the file doesn't say.
    fn bounds(&self) -> Vec<Option<Offset>> {
        if self.summed || self.entries.iter().all(|entry| entry.bound.is_none()) {
            return Vec::new();
        }
        self.entries.iter().map(|entry| entry.bound).collect()
    }

    fn nothing(&self, form: Option<Form>, from: &Path) -> String {
        format!(
            "{} has no offset: read as {}, {} lines don't fit; the first is line {}",
            from.display(),
            form.unwrap_or(Form::Numbers),
            self.others,
            self.first_other
        )
    }

    fn only_summaries(&self, from: &Path) -> String {
        let largest = self.largest.map(Offset::from_nanoseconds);
        let largest = largest.map_or(String::new(), |one| format!(", the largest offset {one}"));
        format!(
            "{} has {} summaries{largest}, and no offsets: it needs a line each second (-u 0 for \
             phc2sys, summary_interval 0 for ptp4l and ts2phc)",
            from.display(),
            self.summaries
        )
    }

    /// Notes on how the file was read.
    fn notes(
        &self,
        label: &Label,
        lines: &Lines,
        interval: Option<Duration>,
        from: &Path,
    ) -> Vec<String> {
        let from = from.display();
        let form = lines.form();
        let mut notes = vec![format!("{from}: read as {}", form.unwrap_or(Form::Numbers))];
        if self.entries.iter().any(|entry| entry.turned) {
            notes.push(format!(
                "{from}: its offsets are {} - {}; they are turned to {label}",
                label.reference, label.device
            ));
        }
        if matches!(form, Some(Form::Tracking | Form::Statistics)) {
            notes.push(format!("{from}: its offsets are chronyd's estimates"));
        }
        if lines.supposes_times() {
            notes.push(format!(
                "{from}: the unit of its times is supposed: s, or less where they are large"
            ));
        }
        if let Some(unit) = lines.supposed() {
            notes.push(format!("{from}: its offsets are taken to be in {} (--unit)", unit.name()));
        }
        if self.are_without_times() && interval.is_none() && lines.distance().is_none() {
            notes.push(format!(
                "{from}: it has no times that are known: 1 s apart is supposed (--interval)"
            ));
        }
        if form == Some(Form::Events) && interval.is_none() {
            notes.push(format!("{from}: a signal of 1 s is supposed (--interval)"));
        }
        if self.summaries > 0 {
            let number = self.summaries;
            notes.push(format!("{from}: summaries, which are no offsets, left out: {number}"));
        }
        if self.others > 0 {
            notes.push(format!(
                "{from}: lines left out, which don't fit: {}; the first is line {}",
                self.others, self.first_other
            ));
        }
        notes
    }

    fn are_without_times(&self) -> bool {
        self.entries.iter().all(|entry| entry.at.is_none())
    }

    /// The offsets with their times.
    fn points(&self, told: Option<u64>, interval: Option<Duration>) -> Result<Vec<Point>, Failure> {
        let without_times = self.are_without_times();
        if interval.is_some() && !without_times {
            return Err(Failure::Usage(
                "--interval is for files without times: this one has times".into(),
            ));
        }
        let distance = interval
            .and_then(|interval| u64::try_from(interval.as_nanos()).ok())
            .or(told)
            .unwrap_or_else(|| u64::try_from(USUAL.as_nanos()).unwrap_or(1));
        let distance = i128::from(distance.max(1));
        let mut sum = 0_i128;
        let mut last: Option<i128> = None;
        let mut point = |(place, entry): (i128, &Entry)| {
            let at = entry.at.unwrap_or(place * distance);
            let mut offset = entry.offset;
            if self.summed {
                let gone = last.map_or(distance, |last| at.saturating_sub(last));
                let moved =
                    offset.attoseconds().checked_mul(gone).map_or(0, |moved| moved / 1_000_000_000);
                sum = sum.saturating_add(moved);
                offset = FineOffset::from_attoseconds(sum);
            }
            last = Some(at);
            Point { at, offset, stepped: entry.stepped }
        };
        let entries = self.places.iter().copied().zip(&self.entries);
        let mut points: Vec<Point> = entries.map(&mut point).collect();
        if self.summed && !is_even(&points) {
            return Err(Failure::Failed(
                "these are frequencies, and what a clock did between them isn't known: they have to be at \
                 even distances, without a gap"
                    .into(),
            ));
        }
        if self.summed {
            // There is one more phase than frequencies.
            let first = points.first().map_or(0, |first| first.at) - distance;
            points.insert(0, Point { at: first, offset: FineOffset::default(), stepped: false });
        }
        Ok(points)
    }
}
