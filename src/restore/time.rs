//! A clock's offset from the system clock, to see later whether the time was moved.

use crate::Offset;
use crate::phc::{Error, Phc};

/// The number of readings, of which the shortest counts.
const READINGS: usize = 10;

/// The clock − the system's UTC clock, from plain readings. The error is well below a millisecond.
pub(crate) fn beside_system(phc: &Phc) -> Result<Offset, Error> {
    let reading = |phc: &Phc| {
        let before = phc.system_time()?.total_nanoseconds();
        let shown = phc.time()?.total_nanoseconds();
        let after = phc.system_time()?.total_nanoseconds();
        Ok((after - before, shown - i128::midpoint(before, after)))
    };
    let mut best = phc.patiently(reading)?;
    for _ in 1..READINGS {
        best = best.min(phc.patiently(reading)?);
    }
    let offset = best.1.clamp(i64::MIN.into(), i64::MAX.into());
    Ok(Offset::from_nanoseconds(i64::try_from(offset).unwrap_or(i64::MAX)))
}
