//! How a command fails: what it prints, and its exit status.

use super::advice::{Here, advice};
use crate::find::FindError;
use crate::kernel::{Call, Signals, in_words};
use crate::phc::Error;
use crate::report::{Printer, Report, Value};
use crate::supervise::RunError;
use crate::watch::{Cause, SamplerError};
use nix::errno::Errno;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// The exit status for neither passed nor failed: kselftest's status of a skipped test.
pub(super) const NOT_SHOWN: u8 = 4;

/// Why a command didn't do what was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// It was called wrongly.
    Usage(String),
    /// There is no such clock, or it can't be opened.
    Find(FindError),
    /// The clock didn't do it.
    Clock(Error),
    /// Something else failed.
    Failed(String),
    /// It waited for something that didn't come.
    InVain(String),
    /// There is too little data to answer what was asked.
    NotShown(String),
    /// Another program can't be run.
    Run(RunError),
    /// The result can't be written.
    Output(io::Error),
    /// It has a result, which is a verdict, and ends with this status.
    Verdict(Box<Report>, u8),
    /// It has printed everything itself, and ends with this status.
    Status(u8),
    /// A signal ended it.
    Signal(Signals),
    /// A self-test didn't get to its end. Its statuses are kselftest's: 2 would be an expected
    /// failure there. Results that couldn't be written don't count as passed.
    Test(Box<Failure>),
}

/// The statuses of a program that was not run, which are those of env(1) and timeout(1): ptpctl
/// could not run it, it can't be executed, there is no such program.
const NOT_STARTED: u8 = 125;
const NOT_RUN: u8 = 126;
const NO_PROGRAM: u8 = 127;

/// What a command knows besides its failure.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// What had been changed by then: a user who tries again would do it twice.
    pub(super) done: Option<String>,
    /// Whether a pin was named.
    pub(super) has_pin: bool,
    /// What else was tried before it failed.
    pub(super) tried: &'static str,
}

/// Catches the signals that end a program, for as long as the result lives.
pub(super) fn catch_signals() -> Result<Signals, Failure> {
    Signals::catch().map_err(|errno| Failure::Failed(format!("can't catch signals: {errno}")))
}

impl From<FindError> for Failure {
    fn from(error: FindError) -> Self {
        match error {
            FindError::Clock(error) => Self::Clock(error),
            other => Self::Find(other),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Clock(error)
    }
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Clock(error) => Self::Clock(error),
            Cause::Find(error) => error.into(),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<SamplerError> for Failure {
    fn from(error: SamplerError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl Failure {
    /// What couldn't be done with a file: to `open`, `read` or `write` it.
    pub(super) fn of_file(verb: &str, path: &Path, error: &io::Error) -> Self {
        Self::Failed(format!("can't {verb} {}: {}", path.display(), in_words(error)))
    }

    /// Prints the failure on standard error and returns the exit status.
    pub(super) fn tell(self, printer: &mut Printer, told: &Known) -> ExitCode {
        let status = if told.done.is_some() { 1 } else { self.status() };
        printer.end_progress();
        match self {
            Self::Status(status) => ExitCode::from(status),
            Self::Verdict(report, status) => match printer.report(&report) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    Self::Output(error).tell(printer, told)
                }
                // The verdict stands even if nobody reads all of it.
                _ => ExitCode::from(status),
            },
            Self::Test(failure) => failure.tell_with(status, printer, told),
            // The reader has closed the pipe: it has read enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Self::Signal(signals) => {
                signals.end_by_it();
                ExitCode::from(status)
            }
            failure => failure.tell_with(status, printer, told),
        }
    }

    fn tell_with(self, status: u8, printer: &mut Printer, told: &Known) -> ExitCode {
        let done = told.done.as_deref();
        let advice = match &self {
            Self::Clock(error) => {
                let tried = if told.tried.is_empty() { "" } else { "; " };
                let advice = advice(error, told.has_pin, &Here);
                advice.map(|advice| format!("{advice}{tried}{}", told.tried))
            }
            Self::Signal(_) | Self::Status(_) | Self::Test(_) | Self::Verdict(..) => {
                return self.tell(printer, told);
            }
            _ => None,
        };
        let text = self.text();
        let shown = done.map_or(String::new(), |done| format!("{done}; but then it failed: "));
        let advice_line = advice.as_ref().map_or(String::new(), |advice| format!("\n  {advice}"));
        let shown = format!("{shown}{text}{advice_line}");
        let mut object = vec![("error", Value::from(text))];
        if let Self::Clock(error) = &self {
            object.extend([
                ("asked", error.asked().to_string().into()),
                ("device", error.name().device.as_str().into()),
                ("clock_name", error.name().clock_name.clone().into()),
                ("call", error.call().map(Call::name).into()),
                ("errno", error.errno_name().into()),
                ("errno_number", error.raw_os_error().into()),
            ]);
        }
        object.extend([
            ("advice", advice.into()),
            ("done", done.is_some().into()),
            ("did", done.into()),
            ("exit_status", i32::from(status).into()),
        ]);
        printer.error(&shown, &object);
        ExitCode::from(status)
    }

    /// What happened, in words; nothing where the result says it.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Usage(text) | Self::Failed(text) | Self::InVain(text) | Self::NotShown(text) => {
                text.clone()
            }
            Self::Find(error) => error.to_string(),
            Self::Run(error) => error.to_string(),
            Self::Clock(error) => error.to_string(),
            Self::Output(error) => format!("can't write the output: {}", in_words(error)),
            Self::Signal(_) | Self::Status(_) | Self::Test(_) | Self::Verdict(..) => String::new(),
        }
    }

    /// The exit status.
    pub(super) fn status(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Clock(Error::Invalid { .. }) => 2,
            Self::Find(FindError::Empty) => 2,
            #[cfg(feature = "mock")]
            Self::Find(FindError::Mock(crate::mock::MockError::Config { .. })) => 2,
            Self::Clock(error) if error.is_unsupported() => 3,
            Self::Clock(_) | Self::Find(_) | Self::Failed(_) | Self::Output(_) => 1,
            Self::Signal(_) | Self::Test(_) => 1,
            Self::Status(status) | Self::Verdict(_, status) => *status,
            Self::NotShown(_) => NOT_SHOWN,
            Self::Run(RunError::Setting(..)) => 2,
            Self::Run(RunError::Program(_, Errno::ENOENT)) => NO_PROGRAM,
            Self::Run(RunError::Program(..)) => NOT_RUN,
            Self::Run(_) => NOT_STARTED,
            Self::InVain(_) => 5,
        }
    }
}
