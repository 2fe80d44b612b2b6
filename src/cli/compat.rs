//! Other programs' command lines: ptpctl under the name of testptp or `phc_ctl`.
//!
//! What was written for one of them runs on ptpctl. It makes the same calls in the same order and
//! prints the same text, but it refuses what the other program would misread, and it fails where a
//! call fails.

mod calendar;
mod errno;
mod flags;
mod phc_ctl;
mod testptp;

use super::failure::{Failure, Known};
use super::{Context, Named};
use crate::phc::Access;
use crate::report::Report;
use crate::restore::Writer;
use std::ffi::OsString;
use std::path::Path;

/// The programs, and how each is run with its arguments.
pub(super) const PROGRAMS: [(&str, Run); 2] =
    [("testptp", testptp::run), ("phc_ctl", phc_ctl::run)];

type Run = fn(&mut Context<'_>, &[String]) -> Result<Report, Failure>;

/// What the page of testptp says of each flag.
pub(super) use flags::page as page_of_flags;

/// The program whose name ptpctl was called by, such as by a link.
pub(super) fn called_as(arguments: &[OsString]) -> Option<Run> {
    let name = Path::new(arguments.first()?).file_name()?;
    PROGRAMS.iter().find(|(program, _)| name == *program).map(|(_, run)| *run)
}

/// Runs a program with its arguments.
pub(super) fn run(
    context: &mut Context<'_>,
    program: Run,
    arguments: &[OsString],
) -> Result<Report, Failure> {
    let words: Option<Vec<String>> =
        arguments.iter().map(|word| word.to_str().map(str::to_owned)).collect();
    let words = words.ok_or_else(|| Failure::Usage("an argument isn't UTF-8".into()))?;
    program(context, &words)
}

/// Reads a text as the arguments of each program, for the fuzz targets.
#[cfg(fuzzing)]
pub(super) fn read_everything(text: &str) {
    let words: Vec<String> = text.split('\0').map(str::to_owned).collect();
    let _ = flags::read(&words);
    let _ = phc_ctl::read(&words);
}

/// The calls that a program makes, one after the other. A call that fails doesn't keep the next
/// ones from being made, but the program fails at the end.
struct Calls<'c, 'p> {
    context: &'c mut Context<'p>,
    failed: Option<u8>,
}

impl<'c, 'p> Calls<'c, 'p> {
    /// The calls on a clock, which is named as ptpctl's commands name one.
    fn on(context: &'c mut Context<'p>, device: &str) -> Self {
        context.device = Named { positional: None, option: Some(device.to_owned()) };
        Self { context, failed: None }
    }

    /// Opens the clock, for reading only if that is enough.
    fn open(&self, changes: bool) -> Result<Writer, Failure> {
        if changes {
            return self.context.open_to_change();
        }
        self.context.open(Access::ReadOnly).map(|phc| self.context.writer(phc))
    }

    /// Prints what came of a call, or that it failed: first in the program's words, then in
    /// ptpctl's. `call` is the program's name of the call.
    fn made(&mut self, call: &str, outcome: Result<String, Failure>) -> Result<(), Failure> {
        match outcome {
            Ok(text) => Ok(self.context.printer.bytes(text.as_bytes())?),
            Err(failure @ (Failure::Output(_) | Failure::Signal(_))) => Err(failure),
            Err(failure) => {
                tell_in_words(self.context, call, &failure);
                self.failed(failure);
                Ok(())
            }
        }
    }

    /// Prints a failure. The first one gives the program its exit status.
    fn failed(&mut self, failure: Failure) {
        let status = failure.status();
        let known = self.context.known();
        failure.tell(self.context.printer, &known);
        self.failed.get_or_insert(status);
    }

    /// How the program ends.
    fn end(self) -> Result<Report, Failure> {
        self.failed.map_or_else(|| Ok(Report::new()), |status| Err(Failure::Status(status)))
    }
}

/// Prints the system's words for the errno of a failed call, as the programs do.
fn tell_in_words(context: &Context<'_>, call: &str, failure: &Failure) {
    if let Failure::Clock(error) = failure
        && let Some(number) = error.raw_os_error()
    {
        let words = errno::in_words(number);
        context.printer.plain_error(&format!("{call}: {words}"));
    }
}

/// Both programs' exit status where they were called wrongly or can't open the clock.
const WRONG: u8 = 255;

/// Says that a program was called wrongly, and ends with its status for that.
fn wrong_usage(context: &mut Context<'_>, text: &str) -> Failure {
    Failure::Usage(text.to_owned()).tell(context.printer, &Known::default());
    Failure::Status(WRONG)
}

/// A time as the programs print it.
fn shown(seconds: i64, nanoseconds: u32) -> String {
    format!("{seconds}.{nanoseconds:09}")
}
