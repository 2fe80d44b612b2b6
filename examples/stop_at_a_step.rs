//! Watches two clocks, ten times a second, until one of them is stepped.
//!
//! `cargo run --example stop_at_a_step /dev/ptp0 /dev/ptp1`; without names, on two mock clocks.

#![expect(clippy::print_stdout, reason = "an example for a terminal")]

use ptpctl::phc::SystemClock;
use ptpctl::watch::{Effort, Isolation, Outcome, Sampler, Schedule, Source};
use std::error::Error;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() {
        names = vec!["mock:igb".into(), "mock:e1000e,step=1ms@2s".into()];
    }
    let interval = Duration::from_millis(100);
    let open =
        |name: &String| Source::open(name, None, SystemClock::Realtime, Effort::every(interval));
    let sources = names.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let sampler = Sampler::start(sources, Schedule::every(interval), Isolation::default())?;
    while let Some(readings) = sampler.next(Duration::from_secs(1)) {
        for reading in readings {
            match reading.outcome {
                Outcome::Measured(one) if one.stepped => {
                    println!("{} was stepped: it is {:+} now", reading.source, one.offset);
                    return Ok(());
                }
                Outcome::Measured(one) => println!("{}: {:+}", reading.source, one.offset),
                Outcome::Missed(why) => println!("{}: this reading failed: {why}", reading.source),
                Outcome::Absent(why) => println!("{} has gone: {why}", reading.source),
            }
        }
    }
    Ok(())
}
