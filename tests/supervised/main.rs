//! Programs under `ptpctl mock run`, seen from inside.
//!
//! Each case is a program: this one, started again under `ptpctl mock run` with the case's name. It
//! makes system calls and says what they must answer, which is what they answer on a real clock.
//! `tests/cli/mock_run.rs` has what people see from outside.

/// Programs of 32 bits have other structs: `tests/cli/mock_run.rs` runs ptpctl itself as one.
#[cfg(target_pointer_width = "64")]
mod suite;

fn main() -> std::process::ExitCode {
    #[cfg(target_pointer_width = "64")]
    return suite::main();
    #[cfg(not(target_pointer_width = "64"))]
    std::process::ExitCode::SUCCESS
}
