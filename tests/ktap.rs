//! Reads files of KTAP with the strict parser of the tests: `cargo test --test ktap -- FILE…`.

#![expect(clippy::print_stdout, reason = "tells what it read")]

#[path = "cli/ktap.rs"]
mod ktap;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut failed = false;
    for file in std::env::args().skip(1).filter(|argument| !argument.starts_with('-')) {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        match ktap::parse(&text) {
            Ok(document) => {
                let checks = document.tests.iter().map(|group| group.tests.len()).sum::<usize>();
                let bailed_out =
                    document.bailed_out.map_or(String::new(), |why| format!(", {why}"));
                let groups = document.tests.len();
                println!("# the strict parser: {groups} groups, {checks} checks{bailed_out}");
            }
            Err(why) => {
                failed = true;
                println!("not ok - {file}: {why}");
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
