//! One suite for the mock and for real kernels: both get the same calls.
//!
//! Each case makes a call or a few and says what they must answer. `cargo test` runs the cases on
//! mocks of one kernel after the other. In an emulated machine the same program is given real
//! clocks. Then every case runs on the kernel and on a mock of that kernel, and both must answer
//! as the case says:
//!
//! ```text
//! conformance --real [--random N] [--seed N]
//! ```
//!
//! A case that doesn't apply to a clock, because of its caps, is skipped and counted.

#![expect(clippy::print_stdout, reason = "prints its results, as a test does")]
#![expect(clippy::too_many_lines, reason = "a function lists the cases of a subject")]

mod access;
mod adjust;
mod caps;
mod check;
mod clock;
mod cycles;
mod events;
mod extts;
mod freerun;
mod offsets;
mod perout;
mod pins;
mod pps;
mod random;
mod removal;
mod world;

use check::{Stop, Suite};
use ptpctl::mock::Linux;
use std::collections::BTreeMap;
use std::process::ExitCode;
use world::World;

/// The mocks that are compared with real clocks, and the kernels that can be emulated.
const PROFILES: [&str; 3] = ["full", "igb", "e1000e"];
const KERNELS: [&str; 4] = ["5.10", "6.1", "6.12", "7.2"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse::<u64>().ok()
    };
    // A test harness lists tests with this option. This program has none.
    if arguments.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let real = arguments.iter().any(|argument| argument == "--real");
    let sequences = u32::try_from(value("--random").unwrap_or(200)).unwrap_or(u32::MAX);
    let seed = value("--seed").unwrap_or(1);
    let suite = suite();
    let mut table = Table::default();
    let mut failures = 0;
    if real {
        for (profile, clock) in World::all_real() {
            let kernel = clock.kernel;
            let fresh = || World::like(profile, &clock);
            failures += table.run(&suite, &format!("{kernel} {profile}"), fresh, Some(&clock));
            failures += random::side_by_side(profile, &clock, sequences, seed);
            // Leave the clock as it was for the next tests.
            let _ = clock.restored();
        }
    } else {
        for kernel in KERNELS {
            let kernel: Linux = kernel.parse().unwrap_or(Linux::NEWEST);
            for profile in PROFILES {
                let fresh = || World::mock(profile, kernel);
                failures += table.run(&suite, &format!("{kernel} {profile}"), fresh, None);
            }
            failures += random::across_processes(kernel, sequences, seed);
        }
    }
    table.print(real);
    println!("# {} cases, {failures} differences", suite.cases.len());
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn suite() -> Suite {
    let mut suite = Suite::default();
    clock::cases(&mut suite);
    caps::cases(&mut suite);
    adjust::cases(&mut suite);
    offsets::cases(&mut suite);
    cycles::cases(&mut suite);
    pins::cases(&mut suite);
    extts::cases(&mut suite);
    perout::cases(&mut suite);
    pps::cases(&mut suite);
    access::cases(&mut suite);
    freerun::cases(&mut suite);
    events::cases(&mut suite);
    removal::cases(&mut suite);
    suite
}

/// What came of the cases, for each kernel and driver.
#[derive(Default)]
struct Table {
    rows: Vec<(String, usize, BTreeMap<String, usize>)>,
}

impl Table {
    /// Runs all cases on a fresh mock each, and on the real clock where there is one.
    fn run(
        &mut self,
        suite: &Suite,
        name: &str,
        fresh: impl Fn() -> World,
        real: Option<&World>,
    ) -> usize {
        let (mut agreed, mut failures) = (0, 0);
        let mut skipped = BTreeMap::new();
        for case in &suite.cases {
            let on_mock = (case.run)(&fresh());
            let on_real = real.map(|clock| clock.restored().and_then(|()| (case.run)(clock)));
            match (&on_mock, on_real.as_ref().unwrap_or(&on_mock)) {
                (Ok(()), Ok(())) => agreed += 1,
                (Err(Stop::Skip(why)), Err(Stop::Skip(other))) if why == other => {
                    *skipped.entry(why.clone()).or_insert(0) += 1;
                }
                (mock, clock) => {
                    failures += 1;
                    println!("not ok {name}: {}\n#   the mock: {mock:?}", case.name);
                    if real.is_some() {
                        println!("#   the kernel: {clock:?}");
                    }
                }
            }
        }
        self.rows.push((name.to_owned(), agreed, skipped));
        failures
    }

    fn print(&self, real: bool) {
        let agreed = if real { "agreed" } else { "passed" };
        println!("# kernel and driver          {agreed}  skipped");
        for (name, agreed, skipped) in &self.rows {
            let number: usize = skipped.values().sum();
            let why: Vec<_> = skipped.iter().map(|(why, times)| format!("{times} {why}")).collect();
            println!("# {name:26} {agreed:6}  {number:7}  {}", why.join(", "));
        }
    }
}
