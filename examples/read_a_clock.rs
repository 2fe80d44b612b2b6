//! Reads a clock: its time, its limits, and its offset from the system clock.
//!
//! `cargo run --example read_a_clock /dev/ptp0`, or `mock`, or an interface.

#![expect(clippy::print_stdout, reason = "an example for a terminal")]

use ptpctl::find;
use ptpctl::phc::{Access, SystemClock};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "/dev/ptp0".into());
    let phc = find::open(&name, Access::ReadOnly)?;
    println!("{} shows {}", phc.name(), phc.time()?);
    println!("its frequency can be adjusted by up to ±{} ppb", phc.caps()?.max_frequency_ppb);
    let measured = phc.offset(SystemClock::Realtime)?;
    let estimate = measured.estimate;
    println!("it is {:+} from the system clock", estimate.offset);
    match measured.bound() {
        Some(bound) => println!("this is wrong by {bound} at most, at {}", estimate.at),
        None => println!("this method has no bound for the error"),
    }
    Ok(())
}
