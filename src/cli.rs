//! The command line: what all commands share. Each has a file in `commands`.

mod advice;
mod alternation;
mod args;
mod arguments;
mod commands;
mod compat;
mod complete;
mod done;
mod drawing;
mod exchanged;
mod failure;
mod frequencies;
mod habits;
mod left;
mod measured;
mod picture;
mod pins;
mod programs;
mod progress;
mod times;
mod told;
mod watching;
mod whole_seconds;

use crate::find::{self, Holder, Listed};
use crate::kernel::ignore_file_size_limit;
use crate::phc::{Access, Error, Phc};
use crate::report::{Printer, Report};
use crate::restore::{Guard, Journal, Left, Writer, left_behind, may_have_left, runs_for_another};
use arguments::{COMMAND_GROUPS, ENVIRONMENT, EXIT_STATUS};
use clap::ArgMatches;
use clap::error::ErrorKind;
use commands::{COMMANDS, Command};
use done::Done;
use failure::{Failure, Known};
use nix::errno::Errno;
use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// What a command runs with.
struct Context<'a> {
    printer: &'a mut Printer,
    device: Named,
    /// Whether this is a dry run: nothing is changed, only checked and reported.
    dry_run: bool,
    /// The clock that the command changes.
    changes: RefCell<Option<String>>,
    /// What the command has done to that clock so far.
    done: Done,
    /// Whether a pin was named.
    has_pin: Cell<bool>,
    /// What else was tried before it failed.
    tried: Cell<&'static str>,
    /// What it could not put back.
    left: RefCell<Vec<Left>>,
    /// In a dry run: why the clock couldn't be opened for writing, which the real run needs.
    cant_write: RefCell<Option<Error>>,
}

/// The clock that the command line names.
#[derive(Default)]
struct Named {
    positional: Option<String>,
    /// By --device.
    option: Option<String>,
}

impl Named {
    fn read(matches: &ArgMatches) -> Self {
        let of = |id| matches.try_get_one::<String>(id).ok().flatten().cloned();
        let [positional, option] = [arguments::POSITIONAL_DEVICE, arguments::DEVICE_OPTION].map(of);
        Self { positional, option }
    }
}

/// What no dry run can find out.
const NOT_TRIED: &str = "not tried: whether the kernel and the driver accept it";

/// The clock where none is named.
const DEFAULT_DEVICE: &str = "/dev/ptp0";
/// The environment variable that names a clock.
const DEVICE_VARIABLE: &str = "PTPCTL_DEVICE";

impl<'a> Context<'a> {
    fn new(printer: &'a mut Printer, device: Named) -> Self {
        Self {
            printer,
            device,
            dry_run: false,
            changes: RefCell::default(),
            done: Done::default(),
            has_pin: Cell::default(),
            tried: Cell::default(),
            left: RefCell::default(),
            cant_write: RefCell::default(),
        }
    }

    /// Prints what came of the command, and returns the exit status.
    fn finish(&mut self, outcome: Result<Report, Failure>) -> ExitCode {
        let outcome = outcome.map(|report| self.with_doubts(report)).and_then(|report| {
            let printed = self.printer.report(&report).map_err(Failure::Output);
            // The process ends soon: freeing the report would only take time.
            std::mem::forget(report);
            printed
        });
        match outcome {
            Ok(()) => {
                self.tell_afterwards();
                ExitCode::SUCCESS
            }
            // To report a signal ends the process, so what is left is reported first.
            Err(failure @ Failure::Signal(_)) => {
                self.tell_afterwards();
                failure.tell(self.printer, &Known::default())
            }
            Err(failure) => {
                let known = Known { done: self.done.told(), ..self.known() };
                let status = failure.tell(self.printer, &known);
                self.tell_afterwards();
                status
            }
        }
    }
}

impl Context<'_> {
    /// Opens the clock that the command line names, else the one that the environment names, else
    /// `/dev/ptp0`. Reports what an earlier program left on it.
    fn open(&self, access: Access) -> Result<Phc, Failure> {
        self.open_named(&self.device()?, access)
    }

    /// As [`Context::open`], by name.
    fn open_named(&self, name: &str, access: Access) -> Result<Phc, Failure> {
        // A dry run writes nothing.
        let phc =
            if self.dry_run { find::open_untouched(name)? } else { find::open(name, access)? };
        self.tell_what_is_left(&phc);
        Ok(phc)
    }

    /// Opens the clock for a dry run, and finds out whether this user may change it.
    fn open_dry(&self) -> Result<Phc, Failure> {
        let phc = self.open(Access::ReadOnly)?;
        // To open the clock for writing changes nothing, but shows whether this user may.
        if let Err(error) = phc.reopen(Access::ReadWrite) {
            self.cant_write.replace(Some(error));
        }
        Ok(phc)
    }

    /// As [`Context::open`], for a command that changes the clock; read-only in a dry run. The
    /// command may put right what was left on the clock, so what is left is reported only after the
    /// command has ended.
    fn open_to_change(&self) -> Result<Writer, Failure> {
        if self.dry_run {
            return Ok(self.writer(self.open_dry()?));
        }
        let device = self.device()?;
        let phc = find::open(&device, Access::ReadWrite)?;
        self.changes.replace(Some(device));
        Ok(self.writer(phc))
    }

    /// Adds to a dry run's report what would prevent the change, and what a dry run can't find out.
    fn with_doubts(&self, report: Report) -> Report {
        let report = match self.cant_write.take() {
            Some(error) => report.note(format!("this user can't do it: {error}")),
            None => report,
        };
        if self.dry_run { report.note(NOT_TRIED) } else { report }
    }

    /// Says in a dry run that this process may not do what needs `CAP_SYS_TIME`.
    fn with_privilege(&self, report: Report, phc: &Phc) -> Report {
        if self.dry_run && find::lacks_privilege(&phc.name().device) {
            report.note("this user can't do it: the capability CAP_SYS_TIME is needed")
        } else {
            report
        }
    }

    /// Returns a writer that logs each change, so that a command that fails later can report what
    /// it changed.
    fn writer(&self, phc: Phc) -> Writer {
        self.done.name.replace(Some(phc.name().clone()));
        Writer::new(phc, self.dry_run, &self.done.log)
    }

    /// Reports what an earlier program has not put back, because it was killed or failed to.
    fn tell_what_is_left(&self, phc: &Phc) {
        for left in left_behind(phc, !self.dry_run) {
            self.tell_left(&left, &phc.name().device);
        }
    }

    fn tell_left(&self, left: &Left, device: &str) {
        self.printer.aside(&left::told(left, device));
    }

    /// Begins a journal of what the command switches on for a while. Prints a note if there can be
    /// none.
    fn begin_journal(&self, phc: &Phc) -> Journal {
        let journal = Journal::begin(phc);
        if let Some(why) = journal.is_missing() {
            self.printer.aside(&format!(
                "no journal can be kept ({why}): if this command is killed, no later one can \
                 report what it left on"
            ));
        }
        journal
    }

    /// What the message of a failure needs to know, except what was done.
    fn known(&self) -> Known {
        Known { done: None, has_pin: self.has_pin.get(), tried: self.tried.get() }
    }

    /// Puts back what the command has changed for a while, and returns the command's outcome. What
    /// can't be put back is reported at the end. If putting back fails as well as the command, the
    /// command's own failure is reported first.
    fn end<T>(&mut self, mut guard: Guard<'_>, outcome: Result<T, Failure>) -> Result<T, Failure> {
        let undone = guard.put_back();
        self.left.borrow_mut().extend(guard.finish().into_iter().map(Left::from));
        match (outcome, undone) {
            (outcome, Ok(())) => outcome,
            // A clock that has gone has nothing left on.
            (Err(failure), Err(error)) if error.errno() == Some(Errno::ENODEV) => Err(failure),
            (Ok(_), Err(error)) => Err(error.into()),
            (Err(failure), Err(error)) => {
                if !matches!(failure, Failure::Output(_) | Failure::Signal(_)) {
                    failure.tell(self.printer, &self.known());
                }
                Err(error.into())
            }
        }
    }

    /// Reports what is left on a clock that the command has changed, and which programs may undo
    /// the change.
    fn tell_afterwards(&self) {
        let Some(device) = self.changes.take() else { return };
        if self.done.has_moved() {
            let path = self.done.name.borrow().as_ref().map(|name| name.device.clone());
            for Holder { process, command } in find::steering(&path.unwrap_or_default()) {
                self.printer.aside(&format!(
                    "{command} ({process}) has this clock open: if it steers the clock, it will \
                     soon undo the change"
                ));
            }
        }
        let mut all = self.left.take();
        if may_have_left(&device)
            && let Ok(phc) = find::open(&device, Access::ReadOnly)
        {
            let known = left_behind(&phc, !self.dry_run);
            // A journal, if there is one, knows more about a change.
            all.retain(|own| known.iter().all(|left| left.change.part() != own.change.part()));
            all.splice(0..0, known);
        }
        // A mock without a file is forgotten with all that is left on it.
        if !find::is_mock(&device) || may_have_left(&device) {
            for left in &all {
                self.tell_left(left, &device);
            }
        }
    }

    fn device(&self) -> Result<String, Failure> {
        if let Some(name) = self.named_device()? {
            return Ok(name);
        }
        match std::env::var(DEVICE_VARIABLE) {
            // A user who runs this with another user's rights must not make it write that user's
            // files.
            Ok(name) if runs_for_another() && !find::files_of(&name).is_empty() => {
                Err(Failure::Usage(format!(
                    "{DEVICE_VARIABLE} names a file, and this runs with another user's rights: \
                     name the clock on the command line"
                )))
            }
            Ok(name) => Ok(name),
            Err(std::env::VarError::NotPresent) => Ok(DEFAULT_DEVICE.into()),
            Err(error) => Err(Failure::Usage(format!("{DEVICE_VARIABLE}: {error}"))),
        }
    }

    /// The clock that the command line names.
    fn named_device(&self) -> Result<Option<String>, Failure> {
        match (&self.device.positional, &self.device.option) {
            (Some(one), Some(other)) if one != other => Err(Failure::Usage(format!(
                "two clocks are named, '{one}' and with --device '{other}': name one"
            ))),
            (one, other) => Ok(one.as_ref().or(other.as_ref()).cloned()),
        }
    }

    /// The clocks that the command line names, for a command that takes any number.
    fn named_devices(&self, positional: &[String]) -> Vec<String> {
        positional.iter().chain(&self.device.option).cloned().collect()
    }

    /// The same, and the clocks of the machine. Clocks that are named, such as mocks, need no list.
    fn named_and_listed(
        &self,
        positional: &[String],
    ) -> Result<(Vec<String>, Vec<Listed>), Failure> {
        let names = self.named_devices(positional);
        match find::list_without_holders() {
            Ok(listing) => Ok((names, listing.clocks)),
            Err(_) if !names.is_empty() => Ok((names, Vec::new())),
            Err(error) => Err(error.into()),
        }
    }

    /// Refuses a clock, for a command that uses none.
    fn without_clock(&self) -> Result<(), Failure> {
        match &self.device.option {
            Some(name) => {
                Err(Failure::Usage(format!("this command uses no clock: leave out '{name}'")))
            }
            None => Ok(()),
        }
    }

    /// The files of the mocks among the clocks that are named, these and others.
    fn files_of_clocks<'b>(&self, names: impl IntoIterator<Item = &'b String>) -> Vec<PathBuf> {
        let told = std::env::var(DEVICE_VARIABLE).ok();
        let own = [&self.device.positional, &self.device.option, &told].into_iter().flatten();
        let of_others = names.into_iter().flat_map(|name| find::files_of(name));
        own.flat_map(|name| find::files_of(name)).chain(of_others).collect()
    }
}

/// Reads a text in every way in which an argument is read, for the fuzz targets.
#[cfg(fuzzing)]
pub(crate) fn read_everything(text: &str) {
    arguments::read_everything(text);
    commands::read_everything(text);
    compat::read_everything(text);
    let _ = times::parse(text);
    let _ = crate::rfc3339::parse(text);
    let _ = command().try_get_matches_from(text.split('\0'));
}

/// Runs the command that the process was called with.
pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    run(&arguments)
}

fn run(arguments: &[OsString]) -> ExitCode {
    if arguments.get(1).is_some_and(|word| word == complete::WORD) {
        return complete_words(arguments.get(2..).unwrap_or_default());
    }
    // At the file size limit, a write then fails instead of ending the program by SIGXFSZ,
    // half-way.
    let _ = ignore_file_size_limit();
    if let Some(program) = compat::called_as(arguments) {
        let mut printer = Printer::new(false);
        let mut context = Context::new(&mut printer, Named::default());
        let words = arguments.get(1..).unwrap_or_default();
        let outcome = compat::run(&mut context, program, words);
        return context.finish(outcome);
    }
    // Known before parsing, for the errors of parsing.
    let json = arguments.iter().any(|argument| argument == "--json");
    let arguments = &times::with_tai(&command_first(arguments));
    // Builds only the command that is called, for speed: a script may make a thousand calls. If
    // that doesn't parse, or help is asked for, the whole command line is built, and prints the
    // error or the help.
    let words = arguments.get(1..).unwrap_or_default();
    let called = words.first().and_then(|word| COMMANDS.iter().find(|one| one.is_called(word)));
    if let Some(command) = called {
        let mut parser = command.parser();
        let parsed = parser.try_get_matches_from_mut(words);
        // The process ends soon: freeing the parser would only take time.
        std::mem::forget(parser);
        if let Ok(matches) = parsed {
            return run_command(command, matches, json);
        }
    }
    match command().try_get_matches_from(arguments) {
        Ok(mut all) => match all.remove_subcommand() {
            Some((name, matches)) => {
                let called = COMMANDS.iter().find(|command| command.name == name);
                called.map_or(ExitCode::from(2), |command| run_command(command, matches, json))
            }
            None => ExitCode::from(2),
        },
        Err(error) => end_of_parsing(&error, arguments, json),
    }
}

fn run_command(command: &Command, matches: ArgMatches, json: bool) -> ExitCode {
    // The arguments of another program are its own.
    let mut printer = Printer::new(json && asks_for_json(&matches));
    let mut context = Context::new(&mut printer, Named::read(&matches));
    context.dry_run = matches.try_get_one("dry-run").ok().flatten().copied().unwrap_or(false);
    let outcome = (command.run)(&mut context, &matches);
    let status = context.finish(outcome);
    // The process ends here: freeing the command line would only take time.
    std::mem::forget(matches);
    status
}

/// Whether `--json` was given to this command, or to the command below it.
fn asks_for_json(matches: &ArgMatches) -> bool {
    let own = matches.try_get_one("json").ok().flatten().copied().unwrap_or(false);
    own || matches.subcommand().is_some_and(|(_, matches)| asks_for_json(matches))
}

/// Moves options that stand before the command behind it, where it has them, too. (Options that
/// clap calls global would cost a copy of all values at each start.)
fn command_first(arguments: &[OsString]) -> Vec<OsString> {
    let mut at = 1;
    while let Some(word) = arguments.get(at).and_then(|word| word.to_str()) {
        at += match word {
            "-d" | "--device" => 2,
            "--json" => 1,
            _ if word.starts_with("--device=") => 1,
            _ if word.starts_with("-d") && !word.starts_with("--") => 1,
            _ => break,
        };
    }
    let mut moved = arguments.to_vec();
    let is_command = |word: &OsString| word != "help" && !word.as_encoded_bytes().starts_with(b"-");
    if arguments.get(at).is_some_and(is_command)
        && let Some(options) = moved.get_mut(1..=at)
    {
        options.rotate_right(1);
    }
    moved
}

/// Prints the completions of the last word, one per line.
fn complete_words(words: &[OsString]) -> ExitCode {
    let words: Option<Vec<String>> =
        words.iter().map(|word| word.to_str().map(str::to_owned)).collect();
    let all = complete::candidates(&words.unwrap_or_default());
    // An error doesn't matter: then the shell has gone away.
    let _ = Printer::new(false).bytes(all.join("\n").as_bytes());
    ExitCode::SUCCESS
}

/// Prints help or the version. Reports any other error, with exit status 2, or 1 for selftest.
fn end_of_parsing(error: &clap::Error, arguments: &[OsString], json: bool) -> ExitCode {
    let mut printer = Printer::new(json);
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return match printer.bytes(error.to_string().as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => Failure::Output(error).tell(&mut printer, &Known::default()),
        };
    }
    let mistake = Failure::Usage(told_mistake(&error.to_string(), arguments));
    let is_option = |argument: &OsString| argument.as_encoded_bytes().starts_with(b"-");
    let mut words = arguments.iter().skip(1);
    let command = loop {
        match words.next() {
            Some(option) if option == "-d" || option == "--device" => drop(words.next()),
            Some(option) if is_option(option) => {}
            word => break word,
        }
    };
    let is_test = command.is_some_and(|name| name == commands::SELFTEST);
    let failure = if is_test { Failure::Test(Box::new(mistake)) } else { mistake };
    failure.tell(&mut printer, &Known::default())
}

/// The text of a usage error, with the line to type instead if it is known. clap's tips on `--` are
/// left out: they lead to other errors.
fn told_mistake(text: &str, arguments: &[OsString]) -> String {
    let text = text.trim_start_matches("error: ").split("\n\nFor more").next().unwrap_or_default();
    let words: Option<Vec<String>> =
        arguments.iter().skip(1).map(|word| word.to_str().map(str::to_owned)).collect();
    let line = words.and_then(|words| habits::line(&words));
    let is_tip = |line: &&str| line.trim_start().starts_with("tip: to pass");
    let mut lines: Vec<_> = text.trim_end().lines().filter(|line| !is_tip(line)).collect();
    // Drops the empty line that a removed tip leaves.
    lines.dedup_by(|one, next| one.is_empty() && next.is_empty());
    match line {
        Some(line) => format!("{}\n  ptpctl {line}", lines.first().copied().unwrap_or_default()),
        None => lines.join("\n"),
    }
}

/// The whole command line.
fn command() -> clap::Command {
    let long_about = "Controls PTP hardware clocks (PHCs): the clocks behind /dev/ptpN in network \
        cards, timing cards and jitter attenuators.\n\nDEVICE is /dev/ptp0, any other path to a \
        PHC, ptp0, 0, an interface (eth0), what the clock calls itself (\"IDT CM TOD0\"), or a \
        mock clock (mock, mock:igb, …; see ptpctl-mock(7)).";
    let root = clap::Command::new("ptpctl")
        .subcommand_required(true)
        .args(arguments::for_every_command())
        .about("Controls PTP hardware clocks")
        .long_about(long_about)
        .after_help(COMMAND_GROUPS)
        .after_long_help(format!("{COMMAND_GROUPS}\n\n{ENVIRONMENT}\n\n{EXIT_STATUS}"))
        .version(env!("CARGO_PKG_VERSION"))
        .arg_required_else_help(true);
    root.subcommands(COMMANDS.iter().map(|command| {
        let parser = clap::Command::new(command.name).about(command.about);
        parser
            .args(arguments::for_every_command())
            .visible_aliases(command.aliases.iter().copied())
            .defer(command.arguments)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        let mut command = command();
        command.build();
        command.debug_assert();
    }

    #[test]
    fn every_command_has_examples_and_json() {
        let mut command = command();
        command.build();
        for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
            let name = command.get_name();
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(after.contains("Examples:"), "{name} has no examples");
            assert!(command.get_arguments().any(|a| a.get_id() == "json"), "{name} has no --json");
        }
    }
}
