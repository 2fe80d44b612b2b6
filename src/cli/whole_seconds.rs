//! Explains offsets of whole seconds.

use crate::{Offset, TaiOffset};

/// TAI − GPS in seconds: GPS − UTC is less than TAI − UTC by this.
const TAI_LESS_GPS: i64 = 19;
const SECOND: i64 = 1_000_000_000;

/// Why a clock is off by whole seconds, and what remains of the offset; `None` if no reason is
/// known. Offsets of TAI - UTC itself are explained elsewhere.
pub(super) fn explained(offset: Offset, tai: TaiOffset) -> Option<(String, Offset)> {
    let tai = i64::from(tai.0);
    let gps = tai - TAI_LESS_GPS;
    let nanoseconds = offset.nanoseconds();
    let rest = |seconds: i64| nanoseconds.checked_sub(seconds.checked_mul(SECOND)?);
    let is = |seconds: i64| rest(seconds).is_some_and(|rest| rest.abs() < SECOND / 2);
    let why = [
        (-tai, "TAI - UTC was subtracted, or added with the wrong sign (phc2sys -O)"),
        (2 * tai, "TAI - UTC was added twice"),
        (-2 * tai, "TAI - UTC was subtracted twice"),
        (gps, "the clock keeps GPS time, which is ahead by GPS - UTC"),
        (-gps, "GPS - UTC was subtracted"),
        (TAI_LESS_GPS, "that is TAI - GPS: GPS time was taken for UTC"),
        (-TAI_LESS_GPS, "that is GPS - TAI: TAI was taken for GPS time"),
    ];
    let (seconds, why) = why.into_iter().find(|(seconds, _)| *seconds != 0 && is(*seconds))?;
    let rest = Offset::from_nanoseconds(rest(seconds)?);
    Some((format!("{seconds:+} s: {why}"), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_that_people_meet_have_a_reason() {
        let told = |text: &str| explained(text.parse().expect("an offset"), TaiOffset(37));
        for (offset, reason) in [
            ("-37.000000012s", "wrong sign"),
            ("74s", "added twice"),
            ("-74.2s", "subtracted twice"),
            ("18s", "GPS time"),
            ("-18s", "GPS - UTC was subtracted"),
            ("19s", "TAI - GPS"),
            ("-19s", "GPS - TAI"),
        ] {
            let (why, rest) = told(offset).expect(offset);
            assert!(why.contains(reason), "{offset}: {why}");
            assert!(rest.abs() < Offset::from_nanoseconds(SECOND / 2), "{offset}: {rest}");
        }
        for offset in ["0", "1us", "36s", "37s", "38s", "-1s", "9223372036s"] {
            assert_eq!(told(offset), None, "{offset}");
        }
    }
}
