//! What commands that run other programs share.

use super::failure::Failure;
use crate::kernel::supervision::start::end_by;
use crate::report::Printer;
use crate::supervise::Ended;
use clap::{Arg, value_parser};
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::Pid;
use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStringExt;

/// The program and its arguments: all that follows.
pub(super) fn argument() -> Arg {
    Arg::new("program")
        .value_name("PROGRAM")
        .help("The program and its arguments")
        .required(true)
        .num_args(1..)
        .trailing_var_arg(true)
        .allow_hyphen_values(true)
        .value_parser(value_parser!(OsString))
}

/// The words of a program, as the kernel takes them.
pub(super) fn words(program: Vec<OsString>) -> Result<Vec<CString>, Failure> {
    let words = program.into_iter().map(|word| CString::new(word.into_vec()));
    words
        .collect::<Result<_, _>>()
        .map_err(|_| Failure::Usage("an argument of a program has no NUL".into()))
}

/// Says which processes of a program go on after it.
pub(super) fn tell_who_goes_on(printer: &Printer, left: &[(Pid, String)]) {
    let names: Vec<_> = left.iter().map(|(process, name)| format!("{name} ({process})")).collect();
    printer.aside(&format!(
        "the program has ended, but goes on as {}: so does this, until they end",
        names.join(", ")
    ));
}

/// Ends as the program has ended: with its status, or by its signal. Where that can't be, with the
/// status that shells show for it.
pub(super) fn end_as(ended: Ended) -> Failure {
    Failure::Status(match ended {
        Ended::Exited(status) => u8::try_from(status).unwrap_or(1),
        Ended::Killed(signal) => {
            // The program has dumped its core, if it was to.
            let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
            end_by(signal);
            u8::try_from(signal + 128).unwrap_or(1)
        }
    })
}
