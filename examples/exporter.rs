//! The loop of an exporter: reads clocks once a second and prints what a scrape would show.
//!
//! `cargo run --example exporter mock`; it ends after three seconds.

#![expect(clippy::print_stdout, reason = "an example for a terminal")]

use ptpctl::measure::Statistics;
use ptpctl::phc::SystemClock;
use ptpctl::watch::{Effort, Isolation, Label, Outcome, Sampler, Schedule, Source};
use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let interval = Duration::from_secs(1);
    let mut sources = Vec::new();
    for name in &names {
        sources.push(Source::open(name, None, SystemClock::Realtime, Effort::every(interval))?);
    }
    let schedule = Schedule::every(interval).lasting(Duration::from_secs(3));
    let sampler = Sampler::start(sources, schedule, Isolation::default())?;
    let mut all: HashMap<Arc<Label>, Statistics> = HashMap::new();
    while let Some(readings) = sampler.next(interval) {
        for reading in readings {
            let statistics = all.entry(Arc::clone(&reading.source)).or_default();
            reading.enter(statistics);
            let device = &reading.source.device;
            println!("ptp_misses_total{{device=\"{device}\"}} {}", statistics.misses);
            println!("ptp_absences_total{{device=\"{device}\"}} {}", statistics.absences);
            if let Outcome::Measured(one) = &reading.outcome {
                let nanoseconds = one.offset.nanoseconds();
                println!("ptp_offset_nanoseconds{{device=\"{device}\"}} {nanoseconds}");
            }
        }
    }
    Ok(())
}
