//! The cases, and how each is run.

#![expect(unsafe_code, reason = "makes system calls with every kind of pointer")]
#![expect(clippy::print_stdout, reason = "prints its results, as a test does")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that can't run has failed"
)]

mod calls;
mod descriptors;
mod events;
mod files;
mod hostile;
mod network;
mod system;

use std::process::{Command, ExitCode, Stdio};

/// A program and the clocks that it sees.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) clocks: &'static [&'static str],
    pub(crate) program: fn(),
}

/// Begins the name of the case in the arguments of this program when it is the guest.
const GUEST: &str = "--guest";

pub(super) fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let cases: Vec<Case> = [
        calls::cases(),
        descriptors::cases(),
        events::cases(),
        files::cases(),
        hostile::cases(),
        network::cases(),
        system::cases(),
    ]
    .into_iter()
    .flatten()
    .collect();
    match arguments.get(1).map(String::as_str) {
        // A test harness lists tests with this option. This program has none.
        Some("--list") => return ExitCode::SUCCESS,
        Some(GUEST) => {
            let name = arguments.get(2).expect("the name of a case");
            let case = cases.iter().find(|case| case.name == name).expect("a case");
            (case.program)();
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    if let Some(why) = why_not() {
        println!("# skipped: {why}");
        return ExitCode::SUCCESS;
    }
    let wanted = arguments.iter().skip(1).find(|argument| !argument.starts_with('-'));
    let mut failed = 0;
    for case in cases.iter().filter(|case| wanted.is_none_or(|part| case.name.contains(part))) {
        let outcome = run(case);
        match &outcome {
            Ok(told) => {
                println!("ok - {}", case.name);
                told.lines().for_each(|line| println!("#   {line}"));
            }
            Err(why) => {
                println!("not ok - {}\n#   {}", case.name, why.replace('\n', "\n#   "));
                failed += 1;
            }
        }
    }
    println!("# {} cases, {failed} failed", cases.len());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs a program under ptpctl.
pub(crate) fn supervised(clocks: &[&str]) -> Command {
    // In an emulated machine it is somewhere else.
    let ptpctl = std::env::var_os("PTPCTL_PROGRAM");
    let ptpctl = ptpctl.unwrap_or_else(|| env!("CARGO_BIN_EXE_ptpctl").into());
    let mut command = Command::new(ptpctl);
    command.args(["mock", "run"]).stdin(Stdio::null());
    for clock in clocks {
        // What is no clock is an option of its own.
        if clock.starts_with("--") {
            command.arg(clock);
        } else {
            command.args(["--clock", clock]);
        }
    }
    command.arg("--");
    command
}

/// Runs a case; answers what it has to tell.
fn run(case: &Case) -> Result<String, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = supervised(case.clocks);
    let ended = command.arg(own).args([GUEST, case.name]).output();
    let ended = ended.map_err(|error| error.to_string())?;
    let told = String::from_utf8_lossy(&ended.stderr);
    if ended.status.success() && told.is_empty() {
        return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
    }
    Err(format!("{}: {}", ended.status, told.trim_end()))
}

/// Why no program can be run on this machine, in ptpctl's words.
fn why_not() -> Option<String> {
    let ended = supervised(&[]).arg("true").output().expect("ptpctl runs");
    (ended.status.code() == Some(125))
        .then(|| String::from_utf8_lossy(&ended.stderr).trim_end().to_owned())
}
