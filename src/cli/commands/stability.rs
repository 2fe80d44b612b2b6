//! `ptpctl stability`: deviations over averaging times, and whether a mask is kept.

mod converted;
mod described;
mod judged;
mod limits;
mod taken;

use super::Command;
use crate::cli::args::{args, define, read, values};
use crate::cli::arguments::Watching;
use crate::cli::failure::Failure;
use crate::cli::{Context, arguments, picture};
use crate::measure::stability::{self, Deviation, Kind, Lack, Steps, octaves, series, spread};
use crate::phc::SystemClock;
use crate::report::Report;
use crate::report::plot::Picture;
use crate::watch::foreign::Unit;
use crate::watch::{Label, Schedule};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, value_parser};
use converted::Form;
use judged::Judged;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use taken::Taken;

pub(super) const COMMAND: Command = Command {
    name: "stability",
    aliases: &[],
    about: "Measure the stability of a clock: deviations and masks",
    arguments,
    run: |context, matches| run(context, &read(matches)?),
};

fn arguments(command: clap::Command) -> clap::Command {
    define::<Args>(command).arg(arguments::device()).long_about(long_about()).after_help(
        "Examples:\n  \
             ptpctl stability --masks\n  \
             ptpctl stability --from phc2sys.log --mask g8272-a --assume-symmetric\n  \
             ptpctl stability --duration 10s --interval 10ms eth0\n  \
             ptpctl stability --from night.jsonl.zst --mask g8272-a --plot night.svg\n  \
             ptpctl stability --from phc2sys.log --to timelab >phc2sys.tim\n  \
             ptpctl stability --json --count 100 mock:full,noise=20ns,time=virtual",
    )
}

fn long_about() -> String {
    format!(
        "Reports the frequency offset and the drift of a clock, and its deviations over averaging \
             times τ: Allan (ADEV), modified Allan (MDEV), Hadamard (HDEV), time deviation (TDEV) \
             and MTIE, all of them overlapping, from evenly spaced offsets. It measures for \
             --duration, 30s by default (at an interval of 100 ms, each measurement takes some 80 \
             readings of a clock on PCIe); with DEVICE as FIRST:SECOND, it measures the first \
             clock less the second. With --from it takes the offsets from a recording instead. If \
             that has several clocks, DEVICE picks one, as CLOCK or as CLOCK:REFERENCE.\n\n--from \
             also takes other programs' files, which it recognizes by their content: logs of \
             phc2sys, ptp4l and ts2phc (from a terminal, syslog or the journal), refclocks.log, \
             tracking.log and statistics.log of chronyd, tables with named columns, columns of \
             numbers (Stable32, allantools), TimeLab's .tim, and events of ptpctl extts --json, \
             compressed or not. Offsets become clock - reference: phc2sys prints the system clock \
             less the PHC, so the sign is changed, and a note says so. Summaries (rms) aren't \
             offsets, and are left out. Times and units are the file's. If it has none, offsets \
             are taken to be 1 s apart (--interval), and in ns, or in s if they have an exponent \
             (--unit). Frequencies (--unit ppb) are summed up. A table's column 'bound' says how \
             far each offset can be off. For events, the offset is the clock less the signal, \
             whose edges of one kind are taken to be 1 s apart (--interval). Parts of a nanosecond \
             are kept.\n\n--to writes the offsets in another format: csv has times, offsets, \
             bounds and steps; jsonl is what record writes; stable32 and timelab have one value \
             for each interval, clock - reference. In stable32 a gap is a 0, as that program \
             expects. timelab has no gaps: if an offset is missing, nothing is written.\n\nThe \
             intervals hold the true deviation with a probability of 68.3 %. They come from the \
             kind of noise that the offsets turn out to have (by their lag 1 autocorrelation), and \
             its degrees of freedom. If the kind of noise is ambiguous, or there are too few \
             offsets to find it, the interval is the widest of those that are possible, with a * \
             behind it. MTIE is not a mean and has no interval.\n\nMissing offsets are not filled \
             in, and they don't make others count less. A difference counts if all of its offsets \
             were measured. A mean of several offsets (MDEV, TDEV) counts if at least half of them \
             were measured, and is corrected for the scatter that the missing ones add. MTIE is \
             the range of what was measured: it can't show what happened in a gap. Of two offsets \
             in one interval the first counts.\n\nA step counts as a part of what the clock does \
             (--steps keep): no other choice shows a clock as bad as it was. --steps remove takes \
             steps out, as if the clock had gone on at the rate before. With --steps split, \
             offsets before a step aren't compared with those after it. The number of steps is \
             reported. Recordings mark steps, and so do the logs of a servo that jumps, and tables \
             with a column 'stepped'; other files don't.\n\nWith --mask it judges the clock by \
             limits of ITU-T Recommendations, at ten averaging times a decade and at the mask's \
             corners; MTIE also between them, if it could be beyond the limit there. The result \
             for a limit is pass, fail, or not shown. Not shown means that the data prove neither; \
             a note says what is missing. The exit status is 0 if all limits are passed, 1 if one \
             is failed, and else 4.\n\nThe reference is taken to be exact. Limits on max|TE| and \
             cTE are passed if each offset is within them with its whole bound, across steps and \
             gaps, too. They are failed if an offset is beyond them by more than its bound. \
             --assume-symmetric takes the guess for the true offset; offsets without bounds are \
             taken to be as accurate as their source says. The result names both assumptions. In \
             MTIE, TDEV and dTE a constant bias cancels: they are judged by the offsets, but not \
             failed by what may be the measurement's own noise. They are passed only if they were \
             judged over the limit's whole range: with offsets no farther apart than its shortest \
             time, measured for its longest time (TDEV for twelve times that), without a gap of \
             more than ten offsets. --partial judges what there is. dTE_L and max|TE_L| are taken \
             behind a low-pass filter of 0.1 Hz; dTE_H is what the filter removes. If TAI - UTC \
             explains the whole seconds, they are left out.\n\nThere is no option to stop at the \
             first failure: a verdict on a clock that is still being measured would change with \
             each offset. monitor shows the offsets as they come.\n\nMasks (--masks prints them, \
             --mask-file takes others in the same format):\n{}",
        masks_text()
    )
}

args! {
    struct Args {
        watching: Watching = "100ms",
        taking: Taking = (),
        judging: Judging = (),
        plot: Option<String> = picture::argument(),
    }
}

args! {
    /// Where the offsets come from, and how they are taken.
    struct Taking {
        from: Option<PathBuf> = arguments::option(
            "from",
            "FILE",
            "Take what record or another program has written; - is standard input",
        )
        .value_parser(value_parser!(PathBuf))
        .conflicts_with_all(["count", "duration", "samples", "clock", "cpu", "realtime"]),
        column: Option<String> = arguments::option(
            "column",
            "COLUMN",
            "Which column of the file has the offsets: its name or number",
        )
        .requires("from"),
        unit: Option<Unit> = arguments::option(
            "unit",
            "UNIT",
            "The unit of the file's offsets or frequencies",
        )
        .requires("from")
        .value_parser(
            PossibleValuesParser::new(Unit::ALL.map(|(name, _)| name))
                .try_map(|name| Unit::named(&name).ok_or("no unit")),
        ),
        to: Option<Form> = converted::argument(),
        steps: Steps = arguments::option(
            "steps",
            "WHAT",
            "Keep steps as a part of what the clock does, remove them, or split the offsets there",
        )
        .value_parser(PossibleValuesParser::new(["keep", "remove", "split"]).map(steps))
        .default_value("keep"),
        taus: Taus = arguments::option(
            "taus",
            "WHICH",
            "The averaging times: every octave, ten a decade, or all",
        )
        .value_parser(PossibleValuesParser::new(["octave", "decade", "all"]).map(taus))
        .default_value("octave"),
    }
}

args! {
    /// What they are judged by.
    struct Judging {
        mask: Vec<String> = arguments::option(
            "mask",
            "MASK",
            "Judge by these limits; it can be given several times",
        )
        .short('m')
        .action(ArgAction::Append)
        .value_parser(PossibleValuesParser::new(
            stability::masks().iter().map(|mask| mask.name.as_str()),
        )),
        mask_file: Vec<PathBuf> = arguments::option(
            "mask-file",
            "FILE",
            "Judge by your own masks, in this file",
        )
        .value_parser(value_parser!(PathBuf))
        .action(ArgAction::Append),
        masks: bool =
            arguments::flag("masks", "List the masks, in the form of such a file")
                .conflicts_with_all([
                    "mask",
                    "mask_file",
                    "from",
                    "plot",
                    arguments::POSITIONAL_DEVICE,
                ]),
        assume_symmetric: bool = arguments::flag(
            "assume-symmetric",
            "Assume that both ways of a reading take equally long: take the guess for the true \
             offset",
        ),
        partial: bool = arguments::flag(
            "partial",
            "Judge what was measured, even if a limit covers more averaging times or takes a \
             longer measurement",
        ),
    }
}

values!(Unit, Steps, Taus);

fn masks_text() -> String {
    let line = |mask: &stability::Mask| format!("  {}: {}; {}", mask.name, mask.title, mask.source);
    stability::masks().iter().map(line).collect::<Vec<_>>().join("\n")
}

/// How long to measure by default.
const USUAL: Duration = Duration::from_secs(30);

fn run(context: &mut Context<'_>, args: &Args) -> Result<Report, Failure> {
    if args.judging.masks {
        return limits::list(context);
    }
    if let Some(form) = args.taking.to {
        return converted::write(context, args, form);
    }
    let mut others = context.files_of_clocks([]);
    others.extend(args.taking.from.clone());
    let picture = picture::target(context, args.plot.as_deref(), others)?;
    let (masks, terms) = (limits::asked(&args.judging)?, limits::terms(&args.judging));
    let mut taken = take(context, args, &masks, terms)?;
    // What was measured before a signal came is reported; then the signal ends the program.
    let ended = taken.signals.take().filter(|signals| signals.came().is_some());
    let judged = match judge(taken, args, masks, terms) {
        Err(failure) => return Err(ended.map_or(failure, Failure::Signal)),
        Ok(judged) => judged,
    };
    let verdict = judged.status();
    let report = described::describe(&judged);
    let picture = picture.map(|target| (Picture::Deviations(judged.drawn()), target));
    let report = match picture {
        Some((picture, target)) => match picture::finish(context, report, &picture, &target) {
            // The verdict stands even if nobody reads all of it.
            Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                Report::new()
            }
            report => report?,
        },
        None => report,
    };
    match ended {
        // The report is printed before the signal ends the program.
        Some(signals) => {
            context.printer.report(&report)?;
            Err(Failure::Signal(signals))
        }
        None if verdict == 0 => Ok(report),
        None => Err(Failure::Verdict(Box::new(report), verdict)),
    }
}

/// Takes the offsets, from a file or by measuring. Prints notes on what can't be judged or was left
/// out.
fn take(
    context: &mut Context<'_>,
    args: &Args,
    masks: &[stability::Mask],
    terms: stability::Terms,
) -> Result<Taken, Failure> {
    let taken = if let Some(from) = &args.taking.from {
        taken::read(context, args, from, &mut |_, _| Ok(()))?
    } else {
        let schedule = schedule(args)?;
        for note in limits::known_before(masks, &schedule, terms) {
            context.printer.aside(&note);
        }
        taken::measure(context, args, schedule, &mut |_, _| Ok(()))?
    };
    for note in taken::left_out(&taken.points) {
        context.printer.aside(&note);
    }
    Ok(taken)
}

/// Analyses the offsets, and judges them by the masks.
fn judge(
    taken: Taken,
    args: &Args,
    masks: Vec<stability::Mask>,
    terms: stability::Terms,
) -> Result<Judged, Failure> {
    let Taken { label, points, errors, noise, is_whole, tai, .. } = taken;
    let (number, first) = (points.len(), points.first().unwrap_or_default());
    let is_whole = is_whole && points.far() == 0;
    let steps = args.taking.steps;
    let found = series(&points, steps);
    // There can be many millions.
    drop(points);
    let Some(series) = found else {
        let too_few = if number < 2 {
            format!("{number} offsets of {label} are too few: at least two are needed")
        } else {
            format!("the times of the {number} offsets of {label} don't go on: no two are in order")
        };
        return Err(if masks.is_empty() {
            Failure::Failed(too_few)
        } else {
            Failure::NotShown(too_few)
        });
    };
    let factors = args.taking.taus.factors(series.places())?;
    let mut judged = Judged::of(label, series, (first, tai), (steps, &factors));
    judged.judge(masks, (&errors, noise), terms);
    if !is_whole {
        judged.unless(Lack::Damaged);
    }
    Ok(judged)
}

/// What to measure: for half a minute by default.
fn schedule(args: &Args) -> Result<Schedule, Failure> {
    let mut schedule = args.watching.schedule();
    if schedule.count == Some(1) {
        return Err(Failure::Usage("--count 1 is too few: at least two offsets are needed".into()));
    }
    if schedule.count.is_none() && schedule.duration.is_none() {
        schedule.duration = Some(USUAL);
    }
    Ok(schedule)
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

/// With more offsets than this, to compute all averaging times would take too long.
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
                    "--taus all is possible for up to {MOST_FOR_ALL} offsets, and there are \
                     {places}: use --taus decade"
                )));
            }
            Self::All => (1..=most).collect(),
        };
        // Two or three offsets have one averaging time.
        Ok(if factors.is_empty() { vec![1] } else { factors })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "a parser's map takes a String")]
fn taus(name: String) -> Taus {
    match name.as_str() {
        "all" => Taus::All,
        "decade" => Taus::Decade,
        _ => Taus::Octave,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "a parser's map takes a String")]
fn steps(name: String) -> Steps {
    match name.as_str() {
        "remove" => Steps::Remove,
        "split" => Steps::Split,
        _ => Steps::Keep,
    }
}

fn seconds(nanoseconds: u64) -> f64 {
    Duration::from_nanos(nanoseconds).as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "what it loses is below a part in 10^15")]
fn float_of(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "a number of offsets has less than 53 bits")]
fn float(number: usize) -> f64 {
    number as f64
}
