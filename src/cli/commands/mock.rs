//! `ptpctl mock run`: other programs on the mock.

use super::Command;
use crate::cli::args::{args, define, read, values};
use crate::cli::failure::Failure;
use crate::cli::{Context, arguments, programs};
use crate::files;
use crate::kernel::in_words;
use crate::mock::{MockError, SystemConfig};
use crate::report::ktap::{self, Ktap};
use crate::report::{Printer, Report};
use crate::supervise::{self, ClockSpec, Judged, Notice, RunError, Script, Setting, WireSpec};
use clap::{Arg, ArgAction, ArgMatches, value_parser};
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub(super) const COMMAND: Command = Command {
    name: "mock",
    aliases: &[],
    about: "Run another program on mock clocks",
    arguments,
    run: |context, matches| run(context, matches),
};

args! {
    struct Args {
        clocks: Vec<ClockSpec> = Arg::new("clocks")
            .long("clock")
            .value_name("SPEC")
            .action(ArgAction::Append)
            .value_parser(|text: &str| text.parse::<ClockSpec>())
            .help("A clock that the program sees: a mock's settings, interface=NAME, link=PATH"),
        wires: Vec<WireSpec> = Arg::new("wires")
            .long("wire")
            .value_name("OUT=IN")
            .action(ArgAction::Append)
            .value_parser(|text: &str| text.parse::<WireSpec>())
            .help("Connect a pin to another clock's: ptp0:1=ptp1:0"),
        system_clock: Option<SystemConfig> = Arg::new("system-clock")
            .long("system-clock")
            .value_name("SPEC")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("")
            .value_parser(|text: &str| text.parse::<SystemConfig>())
            .help(
                "Simulate the system clock, too: offset=, freq= and tai= say how it begins; \
                 the program may set and steer it",
            ),
        log: Option<PathBuf> = Arg::new("log")
            .long("log")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("Log each call on a clock: seconds, thread, clock, call, answer"),
        script: Option<PathBuf> = Arg::new("script")
            .long("script")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help(
                "Let things happen to the clocks, and judge what comes of it, as this TOML file \
                 says: ptpctl-mock-script(5)",
            ),
        program: Vec<OsString> = programs::argument(),
    }
}
values!(ClockSpec, WireSpec, SystemConfig, OsString);

fn arguments(command: clap::Command) -> clap::Command {
    let run = clap::Command::new(RUN)
        .about("Run an unmodified program that sees mock clocks")
        .arg(arguments::flag("json", "Print what ptpctl has to say as JSON"))
        .long_about(include_str!("../mock_run_page.txt"))
        .after_help(
            "Examples:\n  \
             ptpctl mock run -- phc_ctl /dev/ptp0 get\n  \
             ptpctl mock run --clock igb,interface=eth0 -- phc_ctl eth0 caps\n  \
             ptpctl mock run --clock full,offset=1ms --clock full,freq=2ppm -- \
             timeout 20 phc2sys -s /dev/ptp0 -c /dev/ptp1 -O 0 -m\n  \
             ptpctl mock run --clock igb --system-clock=offset=1ms,freq=50ppm -- \
             sh -c 'timeout 20 phc2sys -s /dev/ptp0 -O 0 -m; ptpctl offset'\n  \
             ptpctl mock run --clock igb,link=/dev/ptp_card -- ./run-tests.sh\n  \
             ptpctl mock run --script ci/servo.toml -- ./my-servo -s eth7\n  \
             ptpctl mock run --clock full --clock full --wire ptp0:0=ptp1:0 -- ./two-clocks.sh",
        );
    command
        .subcommand_required(true)
        .disable_help_subcommand(true)
        .subcommand(define::<Args>(run))
        .long_about(
            "Mock clocks for other people's programs. ptpctl-mock(7) has the mock clock itself, \
             ptpctl-mock-run(1) how a program runs on it.",
        )
        .after_help("Examples:\n  ptpctl mock run -- phc_ctl /dev/ptp0 get")
}

const RUN: &str = "run";

fn run(context: &mut Context<'_>, matches: &ArgMatches) -> Result<Report, Failure> {
    context.without_clock()?;
    let Some((RUN, matches)) = matches.subcommand() else {
        return Err(Failure::Usage("say what to do: mock run".into()));
    };
    let args: Args = read(matches)?;
    let words = programs::words(args.program)?;
    let script = args.script.as_deref().map(read_script).transpose()?;
    let clocks = one_of("--clock", args.clocks, script.as_ref().map(|script| &script.clocks))?;
    let clocks = if clocks.is_empty() {
        vec!["mock".parse().map_err(|error: MockError| Failure::Failed(error.to_string()))?]
    } else {
        clocks
    };
    let wires = one_of("--wire", args.wires, script.as_ref().map(|script| &script.wires))?;
    let system = args.system_clock.or(script.as_ref().and_then(|script| script.system));
    let log = args.log.as_deref().map(open_log).transpose()?;
    let setting = Setting {
        clocks: &clocks,
        wires: &wires,
        system: system.as_ref(),
        log,
        script: script.as_ref(),
    };
    let mut tell = |notice| say(context.printer, notice);
    let outcome = supervise::run(setting, &words, &mut tell).map_err(Failure::Run)?;
    for left in outcome.left {
        context.printer.aside(&format!("the program has left this on: {left}"));
    }
    if let Some(path) = &args.script {
        let are_met = outcome.judged.iter().all(|judged| judged.is_met == Some(true));
        return Err(match show(context.printer, path, &outcome.judged) {
            // The verdict stands even if nobody reads it.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Failure::Output(error),
            _ => Failure::Status(u8::from(!are_met)),
        });
    }
    Err(programs::end_as(outcome.ended))
}

/// What the command line names, or the script; not both.
fn one_of<T: Clone>(
    option: &str,
    named: Vec<T>,
    of_script: Option<&Vec<T>>,
) -> Result<Vec<T>, Failure> {
    match of_script.filter(|of_script| !of_script.is_empty()) {
        Some(_) if !named.is_empty() => {
            Err(Failure::Usage(format!("the script has its own: leave out {option}")))
        }
        Some(of_script) => Ok(of_script.clone()),
        None => Ok(named),
    }
}

fn read_script(path: &Path) -> Result<Script, Failure> {
    let fails = |error| Failure::Run(RunError::Script(path.to_owned(), error));
    let text = files::read_text(path).map_err(fails)?;
    text.parse().map_err(|error| Failure::Usage(format!("script {}, {error}", path.display())))
}

/// Prints what came of the expectations.
fn show(printer: &mut Printer, path: &Path, judged: &[Judged]) -> io::Result<()> {
    if printer.is_json() {
        for Judged { name, is_met, found } in judged {
            let object = [
                ("expectation", name.as_str().into()),
                ("met", (*is_met).into()),
                ("found", found.as_str().into()),
            ];
            printer.line("", &object)?;
        }
        printer.flush()?;
    } else {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // The last line of the program may have no end.
        printer.write_all(b"\n")?;
        let mut ktap = Ktap::new(printer);
        ktap.begin(1)?;
        ktap.group(&name, judged.len())?;
        for Judged { name, is_met, found } in judged {
            let outcome =
                if *is_met == Some(true) { ktap::Outcome::Passed } else { ktap::Outcome::Failed };
            ktap.test(name, outcome, std::slice::from_ref(found))?;
        }
        ktap.end_group(&name)?;
    }
    Ok(())
}

/// Says what the user should know while the program runs.
fn say(printer: &Printer, notice: Notice) {
    match notice {
        Notice::GoesOn(left) => programs::tell_who_goes_on(printer, &left),
        Notice::CantRead(thread) => printer.aside(&format!(
            "process {thread} sees no clocks: its memory can't be read, because this user can't \
             read its program's file, or because it made itself undumpable"
        )),
        Notice::LogEnds(error) => {
            printer.aside(&format!("the log ends here: it can't be written: {}", in_words(&error)));
        }
        Notice::SeesTheMachinesClock(errno) => printer.aside(&format!(
            "a program reads the machine's system clock, not the simulated one: its vDSO can't be \
             replaced ({errno})"
        )),
        Notice::StaysAway(place, error) => {
            printer.aside(&format!("the card of ptp{place} does not come back: {error}"));
        }
    }
}

fn open_log(path: &Path) -> Result<File, Failure> {
    let options = OpenOptions::new().write(true).create(true).truncate(true).clone();
    files::open(path, &options, libc::O_CLOEXEC)
        .map_err(|error| Failure::Run(RunError::Log(path.to_owned(), error)))
}
