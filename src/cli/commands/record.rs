//! `ptpctl record`: measurements into a file.

use super::Command;
use crate::cli::args::{args, define, read};
use crate::cli::arguments::Watching;
use crate::cli::done::{Files, lines_added};
use crate::cli::failure::{Failure, catch_signals};
use crate::cli::picture::Plot;
use crate::cli::progress::Measuring;
use crate::cli::told::Told;
use crate::cli::watching::{self, Goes, Places};
use crate::cli::{Context, arguments, picture};
use crate::files::Identity;
use crate::find;
use crate::kernel::Signals;
use crate::measure::Statistics;
use crate::phc::Access;
use crate::report::chart::{Unit, float};
use crate::report::plot::Offsets;
use crate::report::{Cell, Report, Table, Value};
use crate::watch::record::{self, Recorder};
use crate::watch::{Label, Reading};
use clap::value_parser;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) const COMMAND: Command = Command {
    name: "record",
    aliases: &[],
    about: "Write measurements of clocks to a file",
    arguments,
    run: |context, matches| run(context, &read(matches)?),
};

args! {
    struct Args {
        watching: Watching = "1s",
        file: PathBuf = arguments::positional(
            "FILE",
            "The file to add to; compressed where its name ends with .gz or .zst",
        )
        .value_parser(value_parser!(PathBuf)),
        plot: Plot = (),
        sources: Vec<String> = watching::sources_argument(),
    }
}

fn arguments(command: clap::Command) -> clap::Command {
    define::<Args>(command)
        .long_about(
            "Measures clocks as monitor does, and adds a line to FILE for each reading: the JSON \
             objects of monitor --json, which ptpctl-json(7) describes. Recordings of ptpctl 0.1 \
             can be read, too. record keeps what is in FILE, so that a recording can be continued, \
             by one record at a time; cat joins two files, compressed ones as well.\n\nA \
             measurement is in the file within a second (within ten in a .zst file), and on the \
             disk when the system writes it there. If the end of a file was cut off, as by a loss \
             of power, or a part of it is damaged, the rest is kept and can be read. It ends with \
             --count, --duration, Ctrl-C or SIGTERM.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl record night.jsonl.zst eth0\n  \
             ptpctl record --interval 100ms --duration 1h pair.jsonl eth0:eth1\n  \
             ptpctl record --count 5 --interval 10ms /tmp/mock.jsonl mock",
        )
}

/// The extension of a file name that belongs to another format.
fn other_form(path: &Path) -> Option<String> {
    const OTHERS: [&str; 10] =
        ["csv", "tsv", "xlsx", "xz", "bz2", "lz4", "zip", "tim", "dat", "parquet"];
    let end = path.extension()?.to_str()?.to_ascii_lowercase();
    OTHERS.contains(&end.as_str()).then_some(end)
}

/// Refuses a path that isn't a file to add lines to.
fn check(path: &Path) -> Result<(), Failure> {
    let name = path.display();
    if path == Path::new("-") {
        let way = "record needs a file: monitor --json prints the same lines";
        return Err(Failure::Usage(way.into()));
    }
    if is_clock(path) {
        return Err(Failure::Usage(format!("'{name}' is a clock: name a file before it")));
    }
    match other_form(path) {
        Some(other) => Err(Failure::Usage(format!(
            "record writes JSON lines, plain or compressed as .gz or .zst, so '{name}' wouldn't be \
             a {other} file: name it .jsonl"
        ))),
        None => Ok(()),
    }
}

fn run(context: &mut Context<'_>, args: &Args) -> Result<Report, Failure> {
    let path = &args.file;
    check(path)?;
    let mut others = context.files_of_clocks(&args.sources);
    check_mocks(&others, path)?;
    others.push(path.clone());
    let picture = picture::target(context, args.plot.plot.as_deref(), others)?;
    let sources = watching::sources(context, &args.sources, &args.watching)?;
    let schedule = args.watching.schedule();
    let labels: Vec<_> = sources.iter().map(|source| source.label().clone()).collect();
    let failed = |error: io::Error| match error.kind() {
        // The reader of a pipe had stopped reading when a signal came.
        io::ErrorKind::Other if Signals::any_came() => Failure::Output(error),
        _ => Failure::of_file("write", path, &error),
    };
    let sampler = watching::start(context, sources, schedule, &args.watching.isolating)?;
    let (recorder, found) = Recorder::append(path).map_err(failed)?;
    // Signals are caught only now: opening a pipe waits for its reader, and a signal has to end
    // that wait.
    let signals = catch_signals()?;
    tell_found(context, found, path);
    let mut recording = Recording::new(recorder, &labels, schedule.interval);
    let mut progress = Measuring::of(labels.len(), schedule);
    let take = |readings: Vec<Reading>| {
        for reading in readings {
            recording.take(context, &reading).map_err(failed)?;
            progress.take(context, &reading);
        }
        recording.save_now_and_then().map_err(failed)?;
        Ok(Goes::On)
    };
    let answer = watching::measure(sampler, &signals, take);
    let mut report = recording.report(path);
    // Also after a signal: a compressed file needs its trailer.
    let ended = recording.recorder.finish().map_err(failed);
    match answer.and(ended) {
        Err(Failure::Output(_)) if signals.came().is_some() => {
            return Err(Failure::Signal(signals));
        }
        Ok(true) => {}
        Ok(false) => {
            let why = "was moved meanwhile: the lines are where it is now";
            report = report.note(format!("{} {why}", path.display()));
        }
        Err(failure) => return Err(failure),
    }
    context.done.to_files(Files::Lines(recording.lines, path.display().to_string()));
    let report = match picture {
        Some(target) => {
            picture::finish(context, report, &args.plot.of(recording.offsets), &target)?
        }
        None => report,
    };
    if signals.came().is_some() {
        context.printer.report(&report)?;
        return Err(Failure::Signal(signals));
    }
    if let Err(failure) = recording.told.outcome() {
        context.printer.report(&report)?;
        return Err(failure);
    }
    Ok(report)
}

/// Prints notes on the state in which the file was found.
fn tell_found(context: &Context<'_>, found: record::Found, path: &Path) {
    let name = path.display();
    if found.was_damaged {
        context
            .printer
            .aside(&format!("{name}: it was cut off or damaged: what can be read of it is kept"));
    }
    if found.is_unlocked {
        context.printer.aside(&format!(
            "{name}: its file system has no locks: let no other record add to it meanwhile"
        ));
    }
}

/// Refuses a recording that is a mock's state or its log.
fn check_mocks(files: &[PathBuf], path: &Path) -> Result<(), Failure> {
    let Ok(identity) = Identity::of(path) else { return Ok(()) };
    if files.iter().any(|other| identity.is_at(other)) {
        let name = path.display();
        return Err(Failure::Usage(format!(
            "'{name}' is a mock's state or log: name another file"
        )));
    }
    Ok(())
}

/// Whether a clock was named where the file belongs.
fn is_clock(path: &Path) -> bool {
    let name = path.to_string_lossy();
    let may_be_one = !name.contains('/') || name.starts_with("/dev/ptp");
    may_be_one && find::open(&name, Access::ReadOnly).is_ok()
}

/// Readings on their way into a file, and what is reported on them at the end.
struct Recording {
    recorder: Recorder,
    places: Places,
    sources: Vec<(Arc<Label>, Statistics)>,
    offsets: Offsets,
    lines: u64,
    saved: u64,
    saved_at: Instant,
    interval: Duration,
    told: Told,
}

impl Recording {
    fn new(recorder: Recorder, labels: &[Arc<Label>], interval: Duration) -> Self {
        let (sources, offsets, places) = (Vec::new(), Offsets::default(), Places::default());
        let (saved_at, told) = (Instant::now(), Told::default());
        let mut recording = Self {
            recorder,
            places,
            sources,
            offsets,
            lines: 0,
            saved: 0,
            saved_at,
            interval,
            told,
        };
        for label in labels {
            recording.place(label);
        }
        recording
    }

    fn place(&mut self, label: &Arc<Label>) -> usize {
        let (place, is_new) = self.places.of(label);
        if is_new {
            self.offsets.begin(&watching::title(label));
            self.sources.push((Arc::clone(label), Statistics::default()));
        }
        place
    }

    fn take(&mut self, context: &Context<'_>, reading: &Reading) -> io::Result<()> {
        record::write(&mut self.recorder, reading, self.lines == 0)?;
        self.lines += 1;
        self.told.take(context, reading, Some(self.interval));
        self.told.cause(context, reading);
        let place = self.place(&reading.source);
        self.offsets.take(place, reading);
        if let Some((_, statistics)) = self.sources.get_mut(place) {
            reading.enter(statistics);
        }
        Ok(())
    }

    fn save_now_and_then(&mut self) -> io::Result<()> {
        if self.lines > self.saved && self.saved_at.elapsed() >= self.recorder.is_saved_every() {
            self.recorder.save()?;
            (self.saved_at, self.saved) = (Instant::now(), self.lines);
        }
        Ok(())
    }

    fn report(&self, path: &Path) -> Report {
        let mut table = Table::new(
            "sources",
            &[
                ("device", "CLOCK"),
                ("reference", "REFERENCE"),
                ("measurements", "MEASUREMENTS"),
                ("counted", "COUNTED"),
                ("mean_ns", "MEAN"),
                ("deviation_ns", "STANDARD DEVIATION"),
                ("peak_to_peak_ns", "PEAK TO PEAK"),
                ("steps", "STEPS"),
                ("misses", "MISSES"),
                ("absences", "ABSENCES"),
            ],
        )
        .narrow(2);
        for (label, statistics) in &self.sources {
            table.line(cells(label, statistics));
        }
        let report = Report::new()
            .headline(lines_added(self.lines, &path.display().to_string()))
            .value("file", path.display().to_string())
            .value("lines", self.lines)
            .table(table);
        if self.sources.iter().all(|(_, one)| one.count == one.all) {
            return report;
        }
        report.note(
            "a step or an absence restarts the statistics: only the COUNTED measurements after it \
             are in them",
        )
    }
}

/// A source's line in the table.
fn cells(label: &Label, statistics: &Statistics) -> Vec<Cell> {
    let told = |value: Option<f64>| {
        let text = value.map_or("-".into(), |value| Unit::Fitting.write(value));
        (text, value.map_or(Value::Null, |value| Value::Decimal(format!("{value:.3}"))))
    };
    let number = |number: u64| (number.to_string(), number.into());
    let range = statistics.peak_to_peak();
    vec![
        (label.device.clone(), label.device.as_str().into()),
        (label.reference.clone(), label.reference.as_str().into()),
        number(statistics.all),
        number(statistics.count),
        told(statistics.mean()),
        told(statistics.deviation()),
        (range.map_or("-".into(), |range| Unit::Fitting.write(float(range.into()))), range.into()),
        number(statistics.steps),
        number(statistics.misses),
        number(statistics.absences),
    ]
}
