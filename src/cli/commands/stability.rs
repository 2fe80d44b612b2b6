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
    about: "Tell how steady a clock is, by deviations and masks",
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
        "Tells the frequency offset and the drift of a clock, and its deviations over \
             averaging times τ: Allan (ADEV), modified Allan (MDEV), Hadamard (HDEV), time \
             deviation (TDEV) and MTIE, all of them overlapping, from offsets at even distances. \
             It measures for --duration (30s where nothing else is said; at 100 ms some 80 readings \
             of a clock on PCIe each time), with DEVICE as \
             FIRST:SECOND the first clock less the second, or takes what record has written. \
             There DEVICE picks one of several, by its clock or as CLOCK:REFERENCE.\n\n--from also \
             takes other programs' files, which it knows by their content: logs of phc2sys, ptp4l and \
             ts2phc (from a terminal, syslog or the journal), refclocks.log, tracking.log and \
             statistics.log of chronyd, tables with named columns, columns of numbers (Stable32, \
             allantools), TimeLab's .tim, and events of ptpctl extts --json, compressed or not. Offsets become clock - reference: phc2sys \
             prints the system clock less the PHC, which is turned and said. Summaries (rms) are no \
             offsets. Times and units are the file's; where it has none, offsets are 1 s apart \
             (--interval), in ns, or in s where they have an exponent (--unit). Frequencies (--unit ppb) \
             are summed up. A table's column 'bound' says how far each offset can be off. Of events the \
             offset is the clock less the signal, whose edges of one kind are 1 s apart (--interval). Parts of a nanosecond are kept.\n\n--to writes the offsets in another form: csv has \
             times, offsets, bounds and steps, jsonl is what record writes; stable32 and timelab have one value \
             for each place, clock - reference. In stable32 a gap is a 0, as that program has it; timelab \
             has none, and where an offset is missing nothing is written.\n\nThe \
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
             follows. How many there are is said. Recordings tell steps, and so do the logs of a servo that jumps, and tables with a column 'stepped'; others don't.\n\nWith --mask it judges the clock by limits of ITU-T \
             Recommendations, at ten averaging times a decade and at the mask's corners, and MTIE between them where it could be beyond the limit. A limit is \
             passed, failed, or not shown: then it says what is missing. It exits with 0 where all \
             are passed, with 1 where one is failed, and else with 4.\n\nThe reference counts as \
             true. Limits on max|TE| and cTE are passed where each offset with all of its bound keeps \
             them, beyond steps and gaps, too, and failed where one is beyond them by more than its \
             bound. --assume-symmetric takes the guess for the truth; offsets without bounds are taken \
             to be as accurate as their source says. Both are said. In MTIE, TDEV and dTE a bias that \
             stays the same cancels: they are judged by the offsets, but not failed by what \
             may be the measurement's own noise. They are passed where they were judged \
             over the limit's whole range: with an offset at its shortest time at least, measured for \
             its longest time, and TDEV for twelve times that, without a gap of more than ten. \
             --partial judges what there is. dTE_L and max|TE_L| are behind a low-pass filter of 0.1 Hz, \
             dTE_H is what that takes away. Where TAI - UTC explains the whole seconds, they are left \
             out.\n\nThere is no --until-fail: a verdict on a clock that is still measured would \
             change with each offset, and monitor shows it as it goes.\n\nMasks (--masks prints them, \
             --mask-file takes others in the same form):\n{}",
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
            "What the offsets of the file are in, or its frequencies",
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
            "What a step counts as: a part of what the clock does, nothing, or an end",
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
            "Judge by the masks in this file, which is one's own",
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
            "Take both ways of a reading to be equally long: the guess for the truth",
        ),
        partial: bool = arguments::flag(
            "partial",
            "Judge what there is, though a limit goes over more or takes longer",
        ),
    }
}

values!(Unit, Steps, Taus);

fn masks_text() -> String {
    let line = |mask: &stability::Mask| format!("  {}: {}; {}", mask.name, mask.title, mask.source);
    stability::masks().iter().map(line).collect::<Vec<_>>().join("\n")
}

/// How long it is measured where nothing else is said.
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
    // What was measured until a signal came is told; then it ends the program.
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

/// Takes the offsets, from a file or by measuring; tells what can't come of them.
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

/// Tells what there is to know of the offsets, and whether they keep the masks.
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
            format!("{number} offsets of {label} are too few: it takes two at least")
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

/// What to measure: half a minute where nothing else is said.
fn schedule(args: &Args) -> Result<Schedule, Failure> {
    let mut schedule = args.watching.schedule();
    if schedule.count == Some(1) {
        return Err(Failure::Usage("--count 1 is too few: it takes two offsets at least".into()));
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
