//! Offsets to judge a clock by: measured, or from a file.

#![expect(clippy::float_arithmetic, reason = "a mean of squares")]

mod foreign;

use super::{Args, float, is_of_utc};
use crate::cli::Context;
use crate::cli::failure::{Failure, catch_signals};
use crate::cli::progress::{self, Measuring};
use crate::cli::told::Told;
use crate::cli::watching::{self, Goes};
use crate::find::tai_offset;
use crate::kernel::Signals;
use crate::measure::stability::{Point, Points, TimeErrors};
use crate::watch::record::Damage;
use crate::watch::{Label, Outcome, Reading, Schedule};
use crate::{Offset, TaiOffset};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A clock's offsets, measured or from a file.
pub(super) struct Taken {
    pub(super) label: Arc<Label>,
    pub(super) points: Points,
    /// How far the offsets of another program's file can be off, where it says so.
    pub(super) bounds: Vec<Option<Offset>>,
    /// How far the time errors go.
    pub(super) errors: TimeErrors,
    /// The standard deviation of a measurement's own noise, in nanoseconds, where it is known.
    pub(super) noise: Option<f64>,
    /// Whether all of a file could be read.
    pub(super) is_whole: bool,
    /// TAI - UTC, where it is known.
    pub(super) tai: Option<TaiOffset>,
    /// The signals that may have ended the measurement.
    pub(super) signals: Option<Signals>,
}

/// Shown each reading of the clock as it comes.
pub(super) type See<'a> = dyn FnMut(&mut Context<'_>, &Reading) -> Result<(), Failure> + 'a;

/// Measures a clock for a while.
pub(super) fn measure(
    context: &mut Context<'_>,
    args: &Args,
    schedule: Schedule,
    see: &mut See<'_>,
) -> Result<Taken, Failure> {
    let (clock, effort) = (args.watching.clock, args.watching.effort());
    let source = watching::source(context, &context.device()?, clock, effort)?;
    let label = Arc::clone(source.label());
    let tai = source.phc().filter(|_| is_of_utc(&label)).and_then(tai_offset);
    let signals = catch_signals()?;
    let sampler = watching::start(context, vec![source], schedule, &args.watching.isolating)?;
    let (mut measured, mut told) = (Measured::default(), Told::default());
    let mut progress = Measuring::of(1, schedule);
    let take = |readings: Vec<Reading>| {
        for reading in readings {
            told.take(context, &reading, Some(schedule.interval));
            told.cause(context, &reading);
            measured.take(&reading);
            see(context, &reading)?;
            progress.take(context, &reading);
        }
        Ok(Goes::On)
    };
    watching::measure(sampler, &signals, take)?;
    Ok(Taken { tai, signals: Some(signals), ..measured.taken(label) })
}

/// Offsets as they come, from a clock or from a file.
#[derive(Default)]
struct Measured {
    points: Points,
    errors: TimeErrors,
    /// The sum of the squares of the uncertainties, and their number.
    squares: f64,
    certain: usize,
    is_lost: bool,
}

impl Measured {
    fn take(&mut self, reading: &Reading) {
        match &reading.outcome {
            Outcome::Measured(one) => {
                // Offsets before an absence have nothing to do with those after it: an absence
                // counts as a step.
                let stepped = one.stepped || self.is_lost;
                self.is_lost = false;
                let at = reading.at.total_nanoseconds();
                self.points.push(Point { at, offset: one.offset.into(), stepped });
                self.errors.add(one.offset.into(), one.bound);
                if let Some(uncertainty) = one.uncertainty {
                    self.squares += float_of(uncertainty.nanoseconds()).powi(2);
                    self.certain += 1;
                }
            }
            // One offset is missing.
            Outcome::Missed(_) => {}
            Outcome::Absent(_) => self.is_lost = true,
        }
    }

    fn taken(self, label: Arc<Label>) -> Taken {
        let Self { points, errors, squares, certain, .. } = self;
        let noise = (certain > 0).then(|| (squares / float(certain)).sqrt());
        let bounds = Vec::new();
        Taken { label, points, bounds, errors, noise, is_whole: true, tai: None, signals: None }
    }
}

/// Takes one clock's offsets from a file. Other programs' files have no readings to show.
pub(super) fn read(
    context: &mut Context<'_>,
    args: &Args,
    from: &Path,
    see: &mut See<'_>,
) -> Result<Taken, Failure> {
    let wanted = context.named_device()?;
    let mut reader = watching::open(from)?;
    if foreign::is_foreign(&mut reader, from)? {
        return foreign::read(context, args, reader, wanted.as_deref(), from);
    }
    foreign::refuse_columns(args)?;
    let mut found: Vec<Arc<Label>> = Vec::new();
    let mut measured = Measured::default();
    let failed = |error: io::Error| Failure::of_file("read", from, &error);
    let (mut lines, mut last) = (0, None);
    while let Some(reading) = reader.read().map_err(failed)? {
        lines += 1;
        progress::of_file(context, &reader, lines, last);
        if !wanted.as_ref().is_none_or(|wanted| reading.source.is_called(wanted)) {
            continue;
        }
        if !found.contains(&reading.source) {
            found.push(Arc::clone(&reading.source));
        }
        if found.len() > MOST_CLOCKS {
            break;
        }
        measured.take(&reading);
        last = reading.outcome.measured().map(|one| one.offset).or(last);
        // If there are several clocks, none is taken: the error at the end names them.
        if found.len() == 1 {
            see(context, &reading)?;
        }
    }
    watching::tell_damage(context, reader.damage(), from);
    let label = the_one(&found, wanted.as_deref(), from)?;
    let is_whole = reader.damage() == Damage::default();
    Ok(Taken { is_whole, ..measured.taken(label) })
}

/// Notes on offsets that couldn't be kept exactly.
pub(super) fn left_out(points: &Points) -> Vec<String> {
    let far = points.far();
    let far =
        (far > 0).then(|| format!("offsets left out, 292 years or more from the first: {far}"));
    let rounded = points
        .is_rounded()
        .then(|| "the offsets are so large that fractions of a nanosecond are rounded".to_owned());
    far.into_iter().chain(rounded).collect()
}

/// The most clocks that are looked for in a file: if it has more, reading stops with an error.
const MOST_CLOCKS: usize = 64;
/// How many of several clocks the error names.
const NAMED: usize = 8;

/// The one source that a file has, or that was named of several.
fn the_one(found: &[Arc<Label>], wanted: Option<&str>, from: &Path) -> Result<Arc<Label>, Failure> {
    match found {
        [label] => Ok(Arc::clone(label)),
        [] => Err(Failure::Failed(format!(
            "{} has no measurement{}",
            from.display(),
            wanted.map_or(String::new(), |wanted| format!(" of {wanted}"))
        ))),
        several => {
            let names: Vec<_> = several.iter().take(NAMED).map(|label| label.name()).collect();
            let more = match several.len().saturating_sub(NAMED) {
                0 => String::new(),
                _ if several.len() > MOST_CLOCKS => " and many more".into(),
                more => format!(" and {more} more"),
            };
            Err(Failure::Usage(format!(
                "{} has several: {}{more}; name one as DEVICE",
                from.display(),
                names.join(", ")
            )))
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "what it loses is below a part in 10^15")]
fn float_of(number: i64) -> f64 {
    number as f64
}
