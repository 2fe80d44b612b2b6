//! `ptpctl monitor`: clocks measured again and again, live in a terminal or a line each.

use super::Command;
use crate::cli::args::{args, define, read};
use crate::cli::arguments::Watching;
use crate::cli::failure::{Failure, catch_signals};
use crate::cli::measured::uncertainty_text;
use crate::cli::picture::Plot;
use crate::cli::told::Told;
use crate::cli::watching::{self, Goes, Places};
use crate::cli::{Context, arguments, picture};
use crate::report::live::{FRAME, Live};
use crate::report::rates::told_rate;
use crate::report::{Report, is_at_a_terminal, plot};
use crate::rfc3339;
use crate::watch::{Label, Outcome, Reading, Replay, record};
use clap::value_parser;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub(super) const COMMAND: Command = Command {
    name: "monitor",
    aliases: &["watch"],
    about: "Measure clocks continuously, live or a line each",
    arguments,
    run: |context, matches| run(context, &read(matches)?),
};

args! {
    struct Args {
        watching: Watching = "1s",
        from: Option<PathBuf> = arguments::option(
            "from",
            "FILE",
            "Show what record has written instead; - is standard input",
        )
        .value_parser(value_parser!(PathBuf))
        .conflicts_with_all([
            "interval", "count", "duration", "samples", "clock", "cpu", "realtime",
        ]),
        lines: bool = arguments::flag("lines", "Print lines on a terminal, too")
            .conflicts_with("json"),
        plot: Plot = (),
        sources: Vec<String> = watching::sources_argument(),
    }
}

fn arguments(command: clap::Command) -> clap::Command {
    define::<Args>(command)
        .long_about(
            "Measures PHC - system clock, or with FIRST:SECOND the first clock less the second, \
             every --interval, as offset and diff do. One measurement takes as many samples as \
             improve it: at most 600, for at most a five-hundredth of the interval; four if the \
             interval is shorter than 10 ms. At 1 s that is up to 600 readings a second for a \
             clock on PCIe. A slow clock, behind MDIO or SPI, is read for a five-hundredth of the \
             time, but at least once. A slow chip loses or delays events while it is read. A \
             card's limit of readings is respected, as in offset.\n\nA line has the time, the \
             clocks, the offset with its standard deviation, the bound that the true offset is \
             within, and the rate where it is significant. A reading that fails is tried again. If \
             it keeps failing, it is a miss: one measurement is missing. The clock is absent only \
             if reading its time fails with ENODEV, or its device doesn't exist. That is reported \
             once, and the clock is measured again when it is back.\n\nOn a terminal it draws each \
             offset with the band of its bound, and shows the current value, mean, standard \
             deviation, peak to peak and rate; these figures stay on the screen when it ends. \
             Steps and absences are marked and restart the statistics, since a mean across them \
             means nothing. Elsewhere, or with --lines or --json, it prints a line for each \
             reading.\n\nA step is reported if the offset has moved farther than all of these \
             explain together: the bounds and rates of both measurements (a rate is off by at most \
             four standard deviations), a millionth of the time between them (ten millionths for \
             the first eight measurements), and the clock's usual wander. If the rates are \
             uncertain by more than ten millionths, a step is reported, after eight measurements, \
             if the offset departs from its course by more than twice the bounds, ten millionths \
             of the time, and eight times its usual wander. If a servo changes the rate by as \
             much, that is reported as a step, too. If a clock has no bound (method precise), a \
             move by up to a thousandth of the time isn't a step until its rate is known.\n\nKeys \
             of the terminal: q ends, space pauses, + and - zoom in time, 0 shows everything, u \
             changes the unit, b hides or shows the band, r restarts the statistics, Ctrl-Z \
             suspends.\n\nIts use of memory is constant, however long it runs. A measurement that \
             is late isn't made up for; if measurements keep coming late, that is reported once. \
             --count counts misses, too, but nothing while a clock is absent. If nothing at all \
             was measured, the exit status is 1.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl monitor\n  \
             ptpctl monitor --interval 10ms eth0 eth0:eth1\n  \
             ptpctl monitor --json --count 3 mock\n  \
             ptpctl monitor --from night.jsonl.zst --plot night.svg",
        )
}

fn run(context: &mut Context<'_>, args: &Args) -> Result<Report, Failure> {
    let is_live = !context.printer.is_json() && !args.lines && is_at_a_terminal();
    let mut others = context.files_of_clocks(&args.sources);
    others.extend(args.from.clone());
    let picture = picture::target(context, args.plot.plot.as_deref(), others)?;
    let mut output = Output::new(&args.plot, picture, is_live);
    if let Some(from) = &args.from {
        if context.device.option.is_some() || !args.sources.is_empty() {
            return Err(Failure::Usage("--from takes the clocks from the file: name none".into()));
        }
        return replay(context, from, output);
    }
    let sources = watching::sources(context, &args.sources, &args.watching)?;
    let schedule = args.watching.schedule();
    let labels: Vec<_> = sources.iter().map(|source| source.label().clone()).collect();
    let signals = catch_signals()?;
    let sampler = watching::start(context, sources, schedule, &args.watching.isolating)?;
    for label in &labels {
        output.begin(label, Some(schedule.interval))?;
    }
    let take = |readings: Vec<Reading>| {
        for reading in readings {
            output.take(context, &reading, Some(schedule.interval))?;
        }
        output.show(context)
    };
    let answer = watching::measure(sampler, &signals, take);
    output.end(context)?;
    match answer {
        _ if signals.came().is_some() => Err(Failure::Signal(signals)),
        answer => answer.and_then(|()| output.told.outcome()).map(|()| Report::new()),
    }
}

/// Where readings go.
struct Output<'a> {
    plot: &'a Plot,
    live: Option<Live>,
    /// For a picture at the end.
    picture: Option<(picture::Target, plot::Offsets)>,
    places: Places,
    told: Told,
    has_printed: bool,
}

impl<'a> Output<'a> {
    fn new(plot: &'a Plot, picture: Option<picture::Target>, is_live: bool) -> Self {
        let picture = picture.map(|target| (target, plot::Offsets::default()));
        let (places, told) = (Places::default(), Told::default());
        let live = is_live.then(Live::default);
        Self { plot, live, picture, places, told, has_printed: false }
    }

    /// Adds a source, if it is new; returns its place.
    fn begin(&mut self, label: &Arc<Label>, interval: Option<Duration>) -> Result<usize, Failure> {
        let (place, is_new) = self.places.of(label);
        if is_new {
            let title = watching::title(label);
            if let Some((_, picture)) = &mut self.picture {
                picture.begin(&title);
            }
            if let Some(live) = &mut self.live {
                live.begin(title, interval)?;
            }
        }
        Ok(place)
    }

    fn take(
        &mut self,
        context: &mut Context<'_>,
        reading: &Reading,
        interval: Option<Duration>,
    ) -> Result<(), Failure> {
        let place = self.begin(&reading.source, interval)?;
        if let Some((_, picture)) = &mut self.picture {
            picture.take(place, reading);
        }
        // A live view has no room for why a better method failed.
        if let Some(live) = &mut self.live {
            live.take(place, reading);
        } else {
            self.told.take(context, reading, interval);
            let is_first = !std::mem::replace(&mut self.has_printed, true);
            print(context, reading, is_first)?;
        }
        Ok(())
    }

    /// Shows what was taken. Returns whether to go on: the user may have ended a live view.
    fn show(&mut self, context: &mut Context<'_>) -> Result<Goes, Failure> {
        if let Some(live) = &mut self.live {
            return Ok(if live.show()? { Goes::On } else { Goes::End });
        }
        context.printer.flush()?;
        Ok(Goes::On)
    }

    /// Leaves the terminal as it was, with the figures below, and draws the picture.
    fn end(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        if let Some(live) = self.live.take() {
            for line in live.end() {
                context.printer.line(&line, &[])?;
            }
            context.printer.flush()?;
        }
        match self.picture.take() {
            Some((target, offsets)) => picture::draw(context, &self.plot.of(offsets), &target),
            None => Ok(()),
        }
    }
}

/// Prints a reading.
fn print(context: &mut Context<'_>, reading: &Reading, is_first: bool) -> io::Result<()> {
    // Only what is asked for is written out: a fast schedule has thousands of lines a second.
    if context.printer.is_json() {
        record::write(context.printer, reading, is_first)
    } else {
        context.printer.line(&text(reading), &[])
    }
}

/// A reading as people read it.
fn text(reading: &Reading) -> String {
    let Reading { source, at, outcome } = reading;
    let time = rfc3339::format(*at).unwrap_or_else(|| "-".into());
    let one_line = |why: &dyn std::fmt::Display| why.to_string().replace('\n', " ");
    match outcome {
        Outcome::Measured(one) => {
            let uncertainty = uncertainty_text(one.uncertainty);
            let bound = one.bound.map_or(String::new(), |bound| format!(", within {bound}"));
            let rate =
                one.rate.and_then(told_rate).map_or(String::new(), |rate| format!("  {rate}"));
            let curved = if one.curved { "  (curved)" } else { "" };
            let stepped = if one.stepped { "  (stepped)" } else { "" };
            format!("{time}  {source}  {:+}{uncertainty}{bound}{rate}{curved}{stepped}", one.offset)
        }
        Outcome::Missed(why) => format!("{time}  {source}  missed: {}", one_line(why)),
        Outcome::Absent(why) => format!("{time}  {source}  absent: {}", one_line(why)),
    }
}

/// Shows a file as if its measurements came now.
fn replay(
    context: &mut Context<'_>,
    from: &Path,
    mut output: Output<'_>,
) -> Result<Report, Failure> {
    let failed = |error: io::Error| Failure::of_file("read", from, &error);
    let mut replay = Replay::start(watching::open(from)?).map_err(failed)?;
    // Signals are caught only now: opening a pipe waits for its other end, and a signal has to end
    // that wait.
    let signals = catch_signals()?;
    let mut had_enough = false;
    let take = |readings: Vec<Reading>| {
        for reading in readings {
            output.take(context, &reading, None)?;
        }
        let goes = output.show(context)?;
        had_enough = goes == Goes::End;
        Ok(goes)
    };
    watching::follow(|within| replay.next(within), &signals, take)?;
    // A live view stays until the user ends it.
    let is_empty = output.places.is_empty();
    while output.live.is_some() && !is_empty && !had_enough && signals.came().is_none() {
        std::thread::sleep(FRAME);
        had_enough = output.show(context)? == Goes::End;
    }
    output.end(context)?;
    if let Some(damage) = replay.end().map_err(failed)? {
        watching::tell_damage(context, damage, from);
        if is_empty && signals.came().is_none() {
            return Err(Failure::Failed(format!(
                "{} has no measurement; to make a recording of another program's file: ptpctl \
                 stability --from FILE --to jsonl",
                from.display()
            )));
        }
    }
    if signals.came().is_some() { Err(Failure::Signal(signals)) } else { Ok(Report::new()) }
}
