//! A program of your own, and its test on the mock: a servo that slews a clock towards the
//! system's.
//!
//! `cargo run --example test_on_the_mock`, and `cargo test --example test_on_the_mock`.

#![expect(clippy::print_stdout, reason = "an example for a terminal")]

use ptpctl::mock::Mock;
use ptpctl::phc::SystemClock;
use ptpctl::watch::Cause;
use ptpctl::{Frequency, Offset, Phc};
use std::error::Error;
use std::time::Duration;

/// Slews the clock so that it would reach the system clock in a second. Returns its offset.
fn steer(phc: &Phc) -> Result<Offset, Cause> {
    let offset = phc.offset(SystemClock::Realtime)?.estimate.offset;
    // One nanosecond in a second is one ppb.
    let ppb = i32::try_from(-offset.nanoseconds()).unwrap_or(0).clamp(-100_000, 100_000);
    phc.set_frequency(Frequency::from_ppb(ppb))?;
    Ok(offset)
}

fn steered(mock: &Mock, seconds: u32) -> Result<Offset, Box<dyn Error>> {
    let phc = Phc::over(Box::new(mock.again(true)), "mock");
    let mut offset = Offset::ZERO;
    for _ in 0..seconds {
        offset = steer(&phc)?;
        mock.pass(Duration::from_secs(1));
    }
    Ok(offset)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mock = Mock::new(&"mock:igb,time=virtual,offset=50us".parse()?)?;
    println!("after 5 s it is {:+} from the system clock", steered(&mock, 5)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servo_takes_out_an_offset() -> Result<(), Box<dyn Error>> {
        let mock = Mock::new(&"mock:igb,time=virtual,offset=50us".parse()?)?;
        assert!(steered(&mock, 5)?.abs() < Offset::from_nanoseconds(500));
        Ok(())
    }

    #[test]
    fn a_reading_that_fails_now_and_then_does_not_stop_it() -> Result<(), Box<dyn Error>> {
        let failing = "mock:igb,time=virtual,offset=50us,fail=sys_offset_extended/3:ETIMEDOUT";
        let mock = Mock::new(&failing.parse()?)?;
        assert!(steered(&mock, 5)?.abs() < Offset::from_nanoseconds(500));
        Ok(())
    }
}
