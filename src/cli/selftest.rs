//! `ptpctl selftest`: does a driver keep its word?

use super::failure::Failure;
use super::journal::{Entry, Journal};
use super::{Command, Context, arguments};
use crate::Frequency;
use crate::kernel::Signals;
use crate::phc::{Access, Error, Phc};
use crate::report::ktap::{self, Ktap};
use crate::report::{Printer, Report, Table, Value};
use crate::selftest::{self, End, GROUPS, Loop, Options, Outcome, Progress};
use clap::ArgAction;
use std::io::{self, BufRead, IsTerminal, Write};

pub(super) const COMMAND: Command = Command {
    name: "selftest",
    aliases: &[],
    about: "Check that a clock's driver keeps its word (KTAP)",
    arguments,
    run,
};

fn arguments(command: clap::Command) -> clap::Command {
    command
        .arg(arguments::flag("yes", "Change the clock without asking").short('y'))
        .arg(arguments::flag("list", "List the groups and their checks, and do nothing"))
        .arg(
            arguments::option("only", "GROUP", "Run this group only; can be given several times")
                .action(ArgAction::Append),
        )
        .arg(arguments::option(
            "loop",
            "OUT:IN",
            "Two pins (index or name) that are wired together: test outputs and timestamps",
        ))
        .arg(arguments::device())
        .long_about(
            "Checks a clock through its public interface, for whoever writes its driver or brings \
             up its board, and prints the kernel's test format, KTAP version 1: a group for each \
             capability, a line for each check, what was measured as diagnostics before it.\n\n\
             The checks change a live clock: they set, step and dial it, try its phase control \
             and its unused pins. So they ask first, unless --yes is given. At the end, also \
             after Ctrl-C or a failure, the frequency, the pins and the time are as before: every \
             displacement of the time is entered in an account and taken back, and the last group \
             says how well. Pins that are in use are left alone. A phase \
             offset that is still being taken out is ended. Whoever follows the clock \
             meanwhile (ptp4l, phc2sys) sees it jump, and spoils the measurements: stop it \
             first.\n\nWhat a clock hasn't got is skipped. So is a check that fails only because \
             the readings were too far apart: 'this machine is too busy to tell'.\n\nPeriodic \
             outputs and external timestamps are checked where two pins are wired together and \
             --loop names them, the output first. What these pins did before is switched off.\n\n\
             All checks together take less than 40 s; of a clock whose readings are slow the rest is \
             skipped then. It runs under the kernel's kselftest runner as it \
             is: a copy of ptpctl as the test, and 'selftest --yes DEVICE' in the variable \
             KSELFTEST_PTPCTL_ARGS. Its exit status: 0 all passed, 1 a check failed, 4 all were \
             skipped. If the clock goes away, 'Bail out!' and 1.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl selftest --yes mock\n  \
             ptpctl selftest --yes --loop SDP0:SDP1 mock:full,loop=0:1\n  \
             ptpctl selftest --yes --only time --only frequency eth0\n  \
             ptpctl selftest --yes mock:full,fault=stuck-time\n  \
             ptpctl selftest --list",
        )
}

/// The exit status of a run of which every check was skipped, as kselftest has it.
const ALL_SKIPPED: u8 = 4;

fn run(context: &mut Context<'_>) -> Result<Report, Failure> {
    let only: Vec<String> =
        context.matches.get_many("only").into_iter().flatten().cloned().collect();
    if let Some(unknown) = only.iter().find(|name| !GROUPS.iter().any(|group| group.name == *name))
    {
        let names: Vec<_> = GROUPS.iter().map(|group| group.name).collect();
        return Err(Failure::Usage(format!(
            "there is no group '{unknown}': the groups are {}",
            names.join(", ")
        )));
    }
    let mut options = Options { only, wire: None };
    if context.has("list") {
        return Ok(list(&options));
    }
    let phc = context.open(Access::ReadWrite)?;
    options.wire = match context.get::<String>("loop") {
        None => None,
        Some(text) => wire(context, &phc, &text)?,
    };
    if !context.has("yes") {
        ask(&phc.name().to_string())?;
    }
    let signals = Signals::catch()
        .map_err(|errno| Failure::Failed(format!("can't catch signals: {errno}")))?;
    let mut journal = Journal::begin(&phc, &[]);
    let json = context.printer.is_json();
    let mut writer =
        if json { Writer::Json(context.printer) } else { Writer::Ktap(Ktap::new(context.printer)) };
    let mut screen = Screen { on: io::stderr().is_terminal() };
    let frequency = phc.frequency();
    let (end, is_as_before) = selftest::run(&phc, &options, Some(&signals), |progress| {
        screen.show(&progress);
        // After each group everything is as before.
        match &progress {
            Progress::Group(group, _) => {
                journal.now(&left_if_killed(&phc, &options, group, frequency.as_ref().ok()));
            }
            Progress::GroupEnds(_) => journal.now(&[]),
            _ => {}
        }
        writer.write(&progress)
    });
    screen.clear();
    if is_as_before {
        drop(journal);
    } else {
        journal.now(&left_if_killed(&phc, &options, "", frequency.as_ref().ok()));
        journal.leave();
    }
    let end = match end {
        Ok(end) => end,
        // A signal makes a blocked writing fail, too.
        Err(_) if signals.came().is_some() => End::Interrupted,
        Err(error) => return Err(error.into()),
    };
    match end {
        End::Complete { passed, failed, skipped } => {
            writer.summary(passed, failed, skipped)?;
            match (passed, failed) {
                (0, 0) => Err(Failure::Status(ALL_SKIPPED)),
                (_, 0) => Ok(Report::new()),
                _ => Err(Failure::Status(1)),
            }
        }
        End::Interrupted => {
            writer.bail_out(if is_as_before {
                "interrupted by a signal; all is put back"
            } else {
                "interrupted by a signal, and not all could be put back: the next command tells"
            })?;
            Err(Failure::Signal(signals))
        }
        End::Aborted(error) => {
            writer.bail_out(&error.to_string())?;
            // Told as any other, but the statuses of a self-test are kselftest's.
            Failure::from(error).tell(context.printer);
            Err(Failure::Status(1))
        }
    }
}

/// The two pins of a loop.
fn wire(context: &Context<'_>, phc: &Phc, text: &str) -> Result<Option<Loop>, Failure> {
    let wrong = |why: &str| Failure::Usage(format!("--loop {text}: {why}"));
    let (from, to) = text.split_once(':').ok_or_else(|| wrong("use OUT:IN, two pins"))?;
    let (from, to) = match (phc.find_pin(from), phc.find_pin(to)) {
        (Ok(from), Ok(to)) => (from, to),
        (Err(error @ Error::Unable { .. }), _) | (_, Err(error @ Error::Unable { .. })) => {
            return Err(wrong(&error.to_string()));
        }
        // Pins that can't be read are what a check finds.
        (Err(error), _) | (_, Err(error)) => {
            context.printer.aside(&format!("without the loop: {error}"));
            return Ok(None);
        }
    };
    if from.index == to.index {
        return Err(wrong("these are one pin"));
    }
    Ok(Some(Loop { from, to }))
}

/// What stays behind if this program is killed in a group of checks; in any, where it is none.
fn left_if_killed(
    phc: &Phc,
    options: &Options,
    group: &str,
    frequency: Option<&Frequency>,
) -> Vec<Entry> {
    let (mut left, any) = (Vec::new(), group.is_empty());
    if any || ["set", "step", "frequency", "phase", "restore"].contains(&group) {
        left.push(Entry::time());
        left.extend(frequency.copied().map(Entry::frequency));
    }
    if any || ["pins", "extts", "perout"].contains(&group) {
        left.extend(phc.pins().unwrap_or_default().iter().map(Entry::pin));
    }
    if (any || ["extts", "perout"].contains(&group))
        && let Some(wire) = &options.wire
        && let Some((output, input)) = wire.channels(phc)
    {
        left.extend([Entry::perout(output), Entry::extts(input)]);
    }
    left
}

/// What runs, without running it.
fn list(options: &Options) -> Report {
    let mut table = Table::new("checks", &[("group", "GROUP"), ("check", "CHECK")]);
    for group in options.groups() {
        for check in group.checks {
            let cell = |text: &str| (text.to_owned(), text.into());
            table.line(vec![cell(group.name), cell(check.name)]);
        }
    }
    Report::new().table(table)
}

/// Has a person agree. Where nobody can be asked, it must have been said before.
fn ask(clock: &str) -> Result<(), Failure> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::Usage(format!(
            "the checks set, step and dial {clock}, and put it back: say --yes"
        )));
    }
    let mut to = io::stderr().lock();
    write!(to, "The checks set, step and dial {clock}, and put it back. Go on? [y/N] ")?;
    to.flush()?;
    let mut answer = Vec::new();
    io::stdin().lock().read_until(b'\n', &mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    if ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()) {
        Ok(())
    } else {
        Err(Failure::Failed("nothing was done".into()))
    }
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

    /// KTAP has no line for it: whoever reads that counts.
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
    on: bool,
}

impl Screen {
    fn show(&mut self, progress: &Progress<'_>) {
        match progress {
            Progress::Checking(group, check) if self.on => {
                // What can't be shown is lost.
                let _ = write!(io::stderr().lock(), "\r\x1b[K{group}: {check} …");
            }
            Progress::Checked { .. } => self.clear(),
            _ => {}
        }
    }

    fn clear(&mut self) {
        if self.on {
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }
}
