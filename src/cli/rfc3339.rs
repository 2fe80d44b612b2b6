//! Calendar times, as RFC 3339 writes them.

use crate::{Scale, Timestamp, Utc};
use std::time::{Duration, UNIX_EPOCH};

/// The first second of the year 10000, which RFC 3339 can't write.
const YEAR_10000: i64 = 253_402_300_800;

/// A time with all nine decimals, as if on the scale of UTC; `None` outside the years 1970 to 9999.
pub(super) fn format<S: Scale>(time: Timestamp<S>) -> Option<String> {
    if !(0..YEAR_10000).contains(&time.seconds()) {
        return None;
    }
    let seconds = u64::try_from(time.seconds()).ok()?;
    let since = Duration::new(seconds, time.nanoseconds());
    Some(humantime::format_rfc3339_nanos(UNIX_EPOCH + since).to_string())
}

/// Reads `2026-01-31T12:00:00.5+01:00`; the offset from UTC, or `Z`, is needed.
pub(super) fn parse(text: &str) -> Result<Timestamp<Utc>, String> {
    let (local, offset) = split_offset(text)?;
    if local.len() > "2026-01-31T12:00:00.123456789".len() {
        return Err("it has more than nine decimals: the kernel takes whole nanoseconds".into());
    }
    if local.get(17..19) == Some("60") {
        return Err("a leap second has no time of its own in Unix time".into());
    }
    let time = humantime::parse_rfc3339(&format!("{local}Z"))
        .map_err(|error| format!("{error}; write it as 2026-01-31T12:00:00Z"))?;
    let since = time.duration_since(UNIX_EPOCH).map_err(|_| "it is before 1970".to_owned())?;
    i64::try_from(since.as_secs())
        .ok()
        .and_then(|seconds| Timestamp::new(seconds.checked_sub(offset)?, since.subsec_nanos()))
        .ok_or_else(|| "it is out of range".into())
}

/// The local time, and its offset from UTC in seconds.
fn split_offset(text: &str) -> Result<(&str, i64), String> {
    if let Some(local) = text.strip_suffix(['Z', 'z']) {
        return Ok((local, 0));
    }
    let missing = || "it has no offset from UTC: add Z for UTC, or +01:00".to_owned();
    let at = text.len().checked_sub("+01:00".len()).ok_or_else(missing)?;
    let (local, offset) = text.split_at_checked(at).ok_or_else(missing)?;
    let sign = match offset.as_bytes().first() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return Err(missing()),
    };
    let two_digits = |digits: &str, most| {
        let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|number: &i64| plain && *number <= most)
    };
    offset
        .get(1..)
        .and_then(|offset| offset.split_once(':'))
        .and_then(|(hours, minutes)| {
            Some(sign * (two_digits(hours, 23)? * 3_600 + two_digits(minutes, 59)? * 60))
        })
        .map(|offset| (local, offset))
        .ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calendar_time_needs_its_offset() {
        for (text, seconds, nanoseconds) in [
            ("2023-11-14T22:13:20Z", 1_700_000_000, 0),
            ("2023-11-14T23:13:20.5+01:00", 1_700_000_000, 500_000_000),
            ("2023-11-14T16:43:20.000000001-05:30", 1_700_000_000, 1),
            ("1970-01-01T00:00:00Z", 0, 0),
        ] {
            let time = parse(text).expect(text);
            assert_eq!((time.seconds(), time.nanoseconds()), (seconds, nanoseconds), "{text}");
        }
        for text in [
            "",
            "now",
            "2023-11-14T22:13:20",
            "2023-11-14",
            "2023-11-14T22:13:20+1:00",
            "2023-11-14T22:13:20+25:00",
            "2023-13-14T22:13:20Z",
            "2023-11-14T22:13:20.0000000001Z",
            "2016-12-31T23:59:60Z",
            "1969-12-31T23:59:59Z",
            "２０２３-11-14T22:13:20Z",
            "é+01:00",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_outside_the_calendar_has_no_text() {
        let at = |seconds| format(Timestamp::<Utc>::new(seconds, 5).expect("in range"));
        assert_eq!(at(1_700_000_000).as_deref(), Some("2023-11-14T22:13:20.000000005Z"));
        assert_eq!(at(-1), None);
        assert_eq!(at(YEAR_10000), None);
        assert_eq!(at(i64::MAX), None);
    }
}
