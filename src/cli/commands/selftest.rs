//! `ptpctl selftest`: does a driver keep its word?

use super::Command;
use crate::cli::args::{args, define, read};
use crate::cli::failure::{Failure, NOT_SHOWN, catch_signals};
use crate::cli::{Context, arguments};
use crate::find;
use crate::kernel::Signals;
use crate::phc::{Access, Error, Phc};
use crate::report::ktap::{self, Ktap};
use crate::report::person::{self, StatusLine};
use crate::report::{Printer, Report, Table, Value};
use crate::selftest::{self, Change, End, GROUPS, Group, Loop, Options, Outcome, Progress};
use clap::ArgAction;
use std::fs::{File, TryLockError};
use std::io;

pub(super) const COMMAND: Command = Command {
    name: "selftest",
    aliases: &[],
    about: "Check that a clock's driver keeps its word (KTAP)",
    arguments,
    run: |context, matches| run(context, &read(matches)?),
};

args! {
    struct Args {
        yes: bool = arguments::flag("yes", "Change the clock without asking").short('y'),
        list: bool = arguments::flag("list", "List the groups and their checks, and do nothing")
            .conflicts_with_all(["yes", "wire", "dry-run", arguments::POSITIONAL_DEVICE]),
        only: Vec<String> =
            arguments::option("only", "GROUP", "Run these groups only: time,step")
                .action(ArgAction::Append)
                .value_delimiter(','),
        wire: Option<String> = arguments::option(
            "loop",
            "OUT:IN",
            "Two pins (index or name) that are wired together, or two channels of a clock without \
             pins: test outputs and timestamps",
        ),
    }
}

fn arguments(command: clap::Command) -> clap::Command {
    define::<Args>(command)
        .arg(arguments::dry_run())
        .arg(arguments::device())
        .long_about(
            "Checks a clock through its public interface, for whoever writes its driver or brings \
             up its board, and prints the kernel's test format, KTAP version 1: a group for each \
             capability, a line for each check, what was measured as diagnostics before it.\n\nThe \
             checks change a live clock: they set and step it, dial its frequency, and try its \
             phase control and its unused pins. So ptpctl asks first, unless --yes is given. At \
             the end, also after Ctrl-C, SIGTERM, SIGHUP or a failure, the frequency, the pins and \
             the time are as before: every change of the time is recorded and undone, and the last \
             group checks how exactly. If the program is killed, the next call of ptpctl on that \
             clock reports what is left, and the commands that put it right. Pins that are in use \
             are left alone. (ptpctl can't detect a channel that is in use without a pin: it uses \
             the last channel that no pin has, and switches it off.) A phase correction that is \
             still in progress is stopped. A program that follows the clock meanwhile (ptp4l, \
             phc2sys) sees it jump, and disturbs the measurements: stop it first. A clock whose \
             time couldn't be set back, such as one before 1970, isn't moved.\n\nChecks of what a \
             clock doesn't have are skipped. So is a check that can't be judged, because 'this \
             machine is too busy to tell', or because the clock is slow and 'a reading takes' too \
             long. Otherwise a check fails if the error, beyond the uncertainty of its \
             measurement, is more than 500 ppm for a rate, 1 % for the effect of dialling, 1 ms \
             for a setting or a step, 100 us between two methods, or 10 us for an \
             edge.\n\nPeriodic outputs and external timestamps are checked where two pins are \
             wired together and --loop names them, the output first. What these pins did before is \
             switched off.\n\n--dry-run shows which checks would be made, and what they would do. \
             With --only, what the chosen checks need from other groups is checked, too, and \
             reported if it is wrong.\n\nAll checks together take less than 40 s, with a loop less \
             than 100 s, unless one reading alone takes more than 100 ms; checks for which no time \
             is left are skipped. It runs under the kernel's kselftest runner unchanged: install a \
             copy of ptpctl as the test, and set the variable KSELFTEST_PTPCTL_ARGS to 'selftest \
             --yes DEVICE'. If the clock goes away, and after a signal, the output ends with 'Bail \
             out!'.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl selftest --yes mock\n  \
             ptpctl selftest --yes --loop SDP0:SDP1 mock:full,loop=0:1\n  \
             ptpctl selftest --yes --only time,frequency eth0\n  \
             ptpctl selftest --yes mock:full,fault=stuck-time\n  \
             ptpctl selftest --list",
        )
}

fn run(context: &mut Context<'_>, args: &Args) -> Result<Report, Failure> {
    check(context, args).map_err(|failure| match failure {
        Failure::Signal(_) | Failure::Status(_) => failure,
        failure => Failure::Test(Box::new(failure)),
    })
}

fn check(context: &mut Context<'_>, args: &Args) -> Result<Report, Failure> {
    let mut options = Options { only: groups(args)?, wire: None };
    if args.list {
        context.without_clock()?;
        return Ok(Report::new().table(list(&options)));
    }
    let phc = if context.dry_run { context.open_dry() } else { context.open(Access::ReadWrite) }?;
    options.wire = match &args.wire {
        None => None,
        Some(text) => wire(context, &phc, text)?,
    };
    if context.dry_run {
        return Ok(would(context, &phc, &options));
    }
    let _alone = alone_on(&phc)?;
    tell_who_else_has_it(context, &phc);
    if !args.yes {
        ask(&what_it_does(&phc, &options))?;
    }
    let signals = catch_signals()?;
    let journal = context.begin_journal(&phc);
    let json = context.printer.is_json();
    let mut writer =
        if json { Writer::Json(context.printer) } else { Writer::Ktap(Ktap::new(context.printer)) };
    let mut screen = Screen::new();
    let (end, left) =
        selftest::run_recorded(&phc, &options, Some(&signals), Box::new(journal), |progress| {
            screen.show(&progress);
            writer.write(&progress)
        });
    screen.line.clear();
    tell_end(writer, &screen, end, &left, signals)
}

/// Reports how a run ended, and what couldn't be put back.
fn tell_end(
    mut writer: Writer<'_>,
    screen: &Screen,
    end: io::Result<End>,
    left: &[Change],
    signals: Signals,
) -> Result<Report, Failure> {
    let is_as_before = left.is_empty();
    let put_back = if is_as_before { "all is put back" } else { "not all could be put back" };
    match end {
        Ok(End::Complete { passed, failed, skipped, all_skipped }) => {
            writer.summary(passed, failed, skipped)?;
            screen.sum_up(passed, skipped);
            match failed {
                0 if !is_as_before => {
                    Err(Failure::Failed(format!("{put_back}: the next call reports what is left")))
                }
                0 if all_skipped => Err(Failure::Status(NOT_SHOWN)),
                0 => Ok(Report::new()),
                _ => Err(Failure::Status(1)),
            }
        }
        // A signal makes a blocked writing fail, too.
        Ok(End::Interrupted) => {
            writer.bail_out(&format!("interrupted by a signal; {put_back}"))?;
            Err(Failure::Signal(signals))
        }
        Err(_) if signals.came().is_some() => Err(Failure::Signal(signals)),
        Ok(End::Aborted(error)) => {
            writer.bail_out(&error.to_string())?;
            Err(error.into())
        }
        // Results that couldn't be written don't count as passed.
        Err(error) => Err(Failure::Failed(format!("can't write the results: {error}; {put_back}"))),
    }
}

/// The groups that were chosen.
fn groups(args: &Args) -> Result<Vec<String>, Failure> {
    let is_known = |name: &&String| GROUPS.iter().any(|group| group.name == **name);
    let Some(unknown) = args.only.iter().find(|name| !is_known(name)) else {
        return Ok(args.only.clone());
    };
    let names: Vec<_> = GROUPS.iter().map(|group| group.name).collect();
    let names = names.join(", ");
    Err(Failure::Usage(format!("there is no group '{unknown}': the groups are {names}")))
}

/// Two self-tests on one clock would disturb each other. Closing the file releases the lock.
fn alone_on(phc: &Phc) -> Result<Option<File>, Failure> {
    // A mock with a state file has a lock of its own.
    let Ok(file) = File::open(&phc.name().device) else { return Ok(None) };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            Err(Failure::Failed(format!("another self-test runs on {}", phc.name())))
        }
        _ => Ok(Some(file)),
    }
}

/// A program that follows or steers the clock sees it jump, and disturbs the measurements.
fn tell_who_else_has_it(context: &Context<'_>, phc: &Phc) {
    for holder in find::holders(&phc.name().device) {
        context.printer.aside(&format!(
            "{} ({}) has this clock open: it sees what the checks do, and may disturb their \
             measurements",
            holder.command, holder.process
        ));
    }
}

/// What the chosen checks do to the clock, in the order in which they do it.
fn changes(options: &Options) -> Vec<&'static str> {
    let has_loop = options.wire.is_some();
    let of_group = |group: &'static Group| {
        let needs_loop = ["extts", "perout"].contains(&group.name);
        group.changes.filter(|_| has_loop || !needs_loop)
    };
    options.groups().filter_map(of_group).collect()
}

/// What a person is asked to agree to.
fn what_it_does(phc: &Phc, options: &Options) -> String {
    let name = phc.name();
    let does = match changes(options).as_slice() {
        [] => return format!("the checks ask {name} to do what it must refuse"),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    };
    let does = format!("the checks of {name} {does}, and put it back");
    let uses_loop = options.groups().any(|group| ["extts", "perout"].contains(&group.name));
    match options.wire.as_ref().filter(|_| uses_loop) {
        Some(Loop { from, to }) => {
            let names = [from, to].map(Loop::name_of).join(" and ");
            format!("{does}; what {names} do now is switched off")
        }
        None => does,
    }
}

/// What would be checked, and what it would do.
fn would(context: &Context<'_>, phc: &Phc, options: &Options) -> Report {
    for holder in find::holders(&phc.name().device) {
        let told = format!("{} ({}) has this clock open", holder.command, holder.process);
        context.printer.aside(&told);
    }
    let changes: Vec<_> = changes(options).into_iter().map(str::to_owned).collect();
    let text = if changes.is_empty() { "nothing".into() } else { changes.join(", ") };
    let table = list(options);
    Report::on(phc.name())
        .headline(format!("would be checked, {} checks", table.len()))
        .row("they", text, "changes", changes)
        .table(table)
        .value("dry_run", true)
}

/// The two pins of a loop.
fn wire(context: &Context<'_>, phc: &Phc, text: &str) -> Result<Option<Loop>, Failure> {
    let wrong = |why: &str| Failure::Usage(format!("--loop {text}: {why}"));
    let (from, to) = text.split_once(':').ok_or_else(|| wrong("use OUT:IN, two pins"))?;
    if phc.caps().is_ok_and(|caps| caps.pins == 0) {
        return channels(phc, (from, to)).map(Some).map_err(|why| wrong(&why));
    }
    let (from, to) = match (phc.find_pin(from), phc.find_pin(to)) {
        (Ok(from), Ok(to)) => (from, to),
        (Err(error @ Error::Unable { .. }), _) | (_, Err(error @ Error::Unable { .. })) => {
            return Err(wrong(&error.to_string()));
        }
        // A check reports pins that can't be read.
        (Err(error), _) | (_, Err(error)) => {
            context.printer.aside(&format!("without the loop: {error}"));
            return Ok(None);
        }
    };
    if from.index == to.index {
        return Err(wrong("these are the same pin"));
    }
    Ok(Some(Loop { from, to }))
}

/// The two channels of a loop, of a clock without pins.
fn channels(phc: &Phc, (from, to): (&str, &str)) -> Result<Loop, String> {
    let no_channel = "the clock has no pins: name two channels, 0:0";
    let number = |text: &str| text.parse::<u32>().map_err(|_| no_channel.to_owned());
    let (from, to) = (number(from)?, number(to)?);
    phc.check_perout_channel(from).map_err(|error| error.to_string())?;
    phc.check_extts(to).map_err(|error| error.to_string())?;
    Ok(Loop::of_channels(from, to))
}

/// What runs, without running it.
fn list(options: &Options) -> Table {
    let mut table = Table::new("checks", &[("group", "GROUP"), ("check", "CHECK")]);
    for group in options.groups() {
        for check in group.checks {
            let cell = |text: &str| (text.to_owned(), text.into());
            table.line(vec![cell(group.name), cell(check.name)]);
        }
    }
    table
}

/// Asks the user to agree. Without a terminal to ask at, --yes must have been given.
fn ask(what: &str) -> Result<(), Failure> {
    if !person::can_be_asked() {
        return Err(Failure::Usage(format!("{what}: there is no terminal to ask at, say --yes")));
    }
    if person::agrees(what)? { Ok(()) } else { Err(Failure::Failed("nothing was done".into())) }
}

/// Where the results go.
enum Writer<'a> {
    Ktap(Ktap<&'a mut Printer>),
    Json(&'a mut Printer),
}

impl Writer<'_> {
    fn write(&mut self, progress: &Progress<'_>) -> io::Result<()> {
        match self {
            Self::Ktap(ktap) => match progress {
                Progress::Begins(groups) => ktap.begin(*groups),
                Progress::Group(name, checks) => ktap.group(name, *checks),
                Progress::Checking(..) => Ok(()),
                Progress::Checked { name, outcome, notes, .. } => match outcome {
                    Outcome::Passed => ktap.test(name, ktap::Outcome::Passed, notes),
                    Outcome::Skipped(why) => ktap.test(name, ktap::Outcome::Skipped(why), notes),
                    Outcome::Failed(what) => {
                        let notes: Vec<_> =
                            notes.iter().chain(std::iter::once(what)).cloned().collect();
                        ktap.test(name, ktap::Outcome::Failed, &notes)
                    }
                },
                Progress::GroupEnds(name) => ktap.end_group(name),
            },
            Self::Json(printer) => {
                let Progress::Checked { group, name, outcome, notes } = progress else {
                    return Ok(());
                };
                let (result, reason) = match outcome {
                    Outcome::Passed => ("ok", None),
                    Outcome::Failed(what) => ("not ok", Some(what.clone())),
                    Outcome::Skipped(why) => ("skip", Some(why.clone())),
                };
                let object = [
                    ("group", Value::from(*group)),
                    ("check", (*name).into()),
                    ("result", result.into()),
                    ("reason", reason.into()),
                    ("measured", notes.to_vec().into()),
                ];
                printer.line("", &object)?;
                printer.flush()
            }
        }
    }

    /// Prints the totals in JSON. KTAP has no line for them: its readers count themselves.
    fn summary(&mut self, passed: usize, failed: usize, skipped: usize) -> io::Result<()> {
        let Self::Json(printer) = self else { return Ok(()) };
        let counts = [("passed", passed), ("failed", failed), ("skipped", skipped)];
        let object = counts.map(|(key, number)| (key, Value::from(number)));
        printer.line("", &object)?;
        printer.flush()
    }

    fn bail_out(&mut self, reason: &str) -> io::Result<()> {
        match self {
            Self::Ktap(ktap) => ktap.bail_out(reason),
            Self::Json(printer) => {
                printer.line("", &[("bail_out", reason.into())])?;
                printer.flush()
            }
        }
    }
}

/// What a person at a terminal sees while it goes on.
struct Screen {
    line: StatusLine,
    failed: Vec<String>,
}

impl Screen {
    fn new() -> Self {
        Self { line: StatusLine::new(), failed: Vec::new() }
    }

    fn show(&mut self, progress: &Progress<'_>) {
        match progress {
            Progress::Checking(group, check) => self.line.show(&format!("{group}: {check} …")),
            Progress::Checked { group, name, outcome, .. } => {
                self.line.clear();
                if matches!(outcome, Outcome::Failed(_)) {
                    self.failed.push(format!("\n  {group}: {name}"));
                }
            }
            _ => {}
        }
    }

    /// Prints the totals and the failed checks, which are easily overlooked among a hundred lines.
    fn sum_up(&self, passed: usize, skipped: usize) {
        let (number, failed) = (self.failed.len(), self.failed.concat());
        self.line.leave(&format!("{passed} passed, {skipped} skipped, {number} failed{failed}"));
    }
}
