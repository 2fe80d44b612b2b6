//! `ptpctl trace`: each call of a program on a clock.

use super::Command;
use crate::cli::args::{args, define, read};
use crate::cli::exchanged::{self, span};
use crate::cli::failure::Failure;
use crate::cli::{Context, arguments, programs};
use crate::files;
use crate::kernel::Traced;
use crate::kernel::in_words;
use crate::kernel::uapi::PTP_MAX_SAMPLES;
use crate::mock::Pace;
use crate::mock::recording::{Facts, write_call, write_facts};
use crate::report::{Printer, Report, Table, Value};
use crate::supervise::{Ended, RunError, Seen, Wants, facts, trace};
use clap::value_parser;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) const COMMAND: Command = Command {
    name: "trace",
    aliases: &[],
    about: "Show each call of a program on a clock",
    arguments,
    run: |context, matches| run(context, read(matches)?),
};

args! {
    struct Args {
        summary: bool = arguments::flag("summary", "Print only the summary at the end"),
        record: Option<PathBuf> =
            arguments::option("record", "FILE", "Also write all of it to a new file, for mock:replay=")
                .value_parser(value_parser!(PathBuf)),
        anonymous: bool = arguments::flag(
            "anonymous",
            "Leave out the names of programs and clocks, and the numbers of processes",
        ),
        program: Vec<OsString> = programs::argument(),
    }
}

fn arguments(command: clap::Command) -> clap::Command {
    define::<Args>(command).long_about(include_str!("../trace_page.txt")).after_help(
        "Examples:\n  \
         ptpctl trace -- phc_ctl /dev/ptp0 get\n  \
         ptpctl trace --summary -- timeout 60 phc2sys -s eth0 -O 0\n  \
         ptpctl trace --record fault.jsonl --anonymous -- ts2phc -f ts2phc.conf\n  \
         ptpctl offset mock:replay=fault.jsonl",
    )
}

fn run(context: &mut Context<'_>, args: Args) -> Result<Report, Failure> {
    context.without_clock()?;
    let words = programs::words(args.program)?;
    let file = args.record.as_deref().map(open).transpose()?;
    let mut watcher = Watcher {
        printer: context.printer,
        prints: !args.summary,
        is_first: true,
        recording: file.map(|file| Recording { to: io::LineWriter::new(file), is_first: true }),
        has_failed: false,
        anonymous: args.anonymous.then(Anonymous::default),
        clocks: BTreeSet::new(),
        summary: Summary::default(),
    };
    let ended = trace(&words, &mut |seen| watcher.take(seen)).map_err(Failure::Run)?;
    if let Some(Recording { mut to, .. }) = watcher.recording.take()
        && let Err(error) = to.flush()
    {
        watcher.tell_of_recording(&error);
    }
    let Watcher { has_failed, summary, .. } = watcher;
    let shown = context.printer.report(&summary.report());
    let is_unread = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    let has_failed = has_failed || shown.is_err_and(|error| !is_unread(&error));
    Err(match ended {
        // What the program says counts, if it says that something is wrong.
        Ended::Exited(0) if has_failed => Failure::Status(1),
        ended => programs::end_as(ended),
    })
}

/// Makes the file of a recording. What is there stays.
fn open(path: &Path) -> Result<File, Failure> {
    let fails = |error| Failure::Run(RunError::Recording(path.to_owned(), error));
    if std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() > 0) {
        let why = "there is a file of this name: name another";
        return Err(fails(io::Error::new(io::ErrorKind::AlreadyExists, why)));
    }
    let options = OpenOptions::new().write(true).create(true).clone();
    files::open(path, &options, libc::O_CLOEXEC).map_err(fails)
}

/// A recording that is written. Each line is in the file at once: what was recorded until this
/// process is killed, or the machine hangs, is what somebody wants to see.
struct Recording {
    to: io::LineWriter<File>,
    is_first: bool,
}

/// Takes what is seen: prints, records and counts it.
struct Watcher<'a> {
    printer: &'a mut Printer,
    prints: bool,
    is_first: bool,
    recording: Option<Recording>,
    /// Whether the recording or the output can't be written.
    has_failed: bool,
    anonymous: Option<Anonymous>,
    /// The clocks that were seen.
    clocks: BTreeSet<String>,
    summary: Summary,
}

impl Watcher<'_> {
    fn take(&mut self, seen: Seen<'_>) -> Wants {
        let call = match seen {
            Seen::GoesOn(left) => {
                programs::tell_who_goes_on(self.printer, &left);
                return Wants::More;
            }
            Seen::Hidden(program) => {
                self.printer.aside(&format!(
                    "{program} has another supervisor answer the calls of what it starts, so that \
                     they are not seen here"
                ));
                return Wants::More;
            }
            Seen::Call(call) => call,
        };
        let is_new = self.clocks.insert(call.clock.clone());
        let renamed = self.anonymous.as_mut().map(|anonymous| anonymous.of(call));
        let call = renamed.as_ref().unwrap_or(call);
        self.summary.count(call);
        if let Err(error) = self.record(call, is_new) {
            self.recording = None;
            self.tell_of_recording(&error);
        }
        let Err(error) = self.print(call) else { return Wants::More };
        self.prints = false;
        if error.kind() == io::ErrorKind::BrokenPipe {
            // Nobody reads it any more.
            return Wants::End;
        }
        self.has_failed = true;
        self.printer.aside(&format!("the output can't be written: {}", in_words(&error)));
        Wants::More
    }

    /// A full disk must not end the program that is watched.
    fn tell_of_recording(&mut self, error: &io::Error) {
        self.has_failed = true;
        let error = in_words(error);
        self.printer.aside(&format!("the recording ends here: it can't be written: {error}"));
    }

    fn record(&mut self, call: &Traced, is_new: bool) -> io::Result<()> {
        let Some(Recording { to, is_first }) = &mut self.recording else { return Ok(()) };
        if is_new && call.clock != "system" {
            let mut facts: Facts = facts(&call.clock, call.at + call.took);
            if self.anonymous.is_some() {
                facts.clock_name = None;
            }
            write_facts(to, &facts, std::mem::take(is_first))?;
        }
        write_call(to, call, std::mem::take(is_first))
    }

    fn print(&mut self, call: &Traced) -> io::Result<()> {
        if !self.prints {
            return Ok(());
        }
        if self.printer.is_json() {
            write_call(self.printer, call, std::mem::take(&mut self.is_first))?;
        } else {
            self.printer.line(&exchanged::line(call), &[])?;
        }
        self.printer.flush()
    }
}

/// Numbers in the place of names.
#[derive(Default)]
struct Anonymous {
    programs: HashMap<String, usize>,
    processes: HashMap<i32, usize>,
}

impl Anonymous {
    fn of(&mut self, call: &Traced) -> Traced {
        let next = self.programs.len() + 1;
        let program = *self.programs.entry(call.program.clone()).or_insert(next);
        let mut number = |process: i32| {
            let next = self.processes.len() + 1;
            i32::try_from(*self.processes.entry(process).or_insert(next)).unwrap_or(i32::MAX)
        };
        let (process, thread) = (number(call.process), number(call.thread));
        Traced { program: format!("program{program}"), process, thread, ..call.clone() }
    }
}

/// All calls, counted.
#[derive(Default)]
struct Summary {
    /// Program, clock and call: how many, how many failed, and their time.
    calls: BTreeMap<(String, String, &'static str), (usize, usize, Duration)>,
    /// Program and clock: the readings.
    readings: BTreeMap<(String, String), Readings>,
}

/// The readings of a clock by a program.
struct Readings {
    number: u64,
    first: Duration,
    last: Duration,
    pace: Pace,
}

impl Summary {
    fn count(&mut self, call: &Traced) {
        let of = (call.program.clone(), call.clock.clone(), call.exchange.name());
        let (calls, failed, time) = self.calls.entry(of).or_default();
        *calls += 1;
        *failed += usize::from(call.answer.is_err());
        *time += call.took;
        let made = call.exchange.readings().min(PTP_MAX_SAMPLES);
        if made == 0 || call.clock == "system" {
            return;
        }
        let of = (call.program.clone(), call.clock.clone());
        let none = Readings { number: 0, first: call.at, last: call.at, pace: Pace::default() };
        let readings = self.readings.entry(of).or_insert(none);
        readings.number += u64::from(made);
        readings.last = call.at;
        let at = i128::try_from(call.at.as_nanos()).unwrap_or(i128::MAX);
        (0..made).for_each(|_| readings.pace.count(at));
    }

    fn report(&self) -> Report {
        let mut calls = Table::new(
            "calls",
            &[
                ("program", "program"),
                ("clock", "clock"),
                ("call", "call"),
                ("calls", "calls"),
                ("failed", "failed"),
                ("time_ns", "time"),
            ],
        );
        for ((program, clock, call), (number, failed, time)) in &self.calls {
            let nanoseconds = i128::try_from(time.as_nanos()).unwrap_or(i128::MAX);
            calls.line(vec![
                (program.clone(), program.as_str().into()),
                (clock.clone(), clock.as_str().into()),
                ((*call).to_owned(), (*call).into()),
                (number.to_string(), (*number).into()),
                (failed.to_string(), (*failed).into()),
                (span(*time), nanoseconds.into()),
            ]);
        }
        let mut readings = Table::new(
            "readings",
            &[
                ("program", "program"),
                ("clock", "clock"),
                ("readings", "readings"),
                ("most_per_second", "in the busiest second"),
                ("readings_per_second", "a second"),
            ],
        );
        for ((program, clock), found) in &self.readings {
            let span = found.last.saturating_sub(found.first).as_millis();
            let milli = u128::from(found.number).saturating_mul(1_000_000).checked_div(span);
            let mean = milli.map(|milli| format!("{}.{:03}", milli / 1_000, milli % 1_000));
            readings.line(vec![
                (program.clone(), program.as_str().into()),
                (clock.clone(), clock.as_str().into()),
                (found.number.to_string(), found.number.into()),
                (found.pace.most().to_string(), found.pace.most().into()),
                (mean.clone().unwrap_or("-".into()), mean.map_or(Value::Null, Value::Decimal)),
            ]);
        }
        let report = Report::new();
        if self.calls.is_empty() {
            return report
                .headline("The program made no call on a clock.".into())
                .table(calls)
                .table(readings);
        }
        report.table(calls).table(readings)
    }
}
