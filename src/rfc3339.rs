//! Calendar times, as RFC 3339 writes them.

use crate::{Scale, Timestamp, Utc};
use chrono::{DateTime, SecondsFormat};

/// The first second of the year 10000, which RFC 3339 can't write.
const YEAR_10000: i64 = 253_402_300_800;

/// A time with all nine decimals, as if on the scale of UTC; `None` outside the years 1970 to 9999.
pub(crate) fn format<S: Scale>(time: Timestamp<S>) -> Option<String> {
    Some(calendar(time)?.to_rfc3339_opts(SecondsFormat::Nanos, true))
}

/// The same with three decimals.
pub(crate) fn format_millis<S: Scale>(time: Timestamp<S>) -> Option<String> {
    Some(calendar(time)?.to_rfc3339_opts(SecondsFormat::Millis, true))
}

fn calendar<S: Scale>(time: Timestamp<S>) -> Option<DateTime<chrono::Utc>> {
    // `chrono` has other limits.
    let is_written = (0..YEAR_10000).contains(&time.seconds());
    DateTime::from_timestamp(time.seconds(), time.nanoseconds()).filter(|_| is_written)
}

/// Reads `2026-01-31T12:00:00.5+01:00`; the offset from UTC, or `Z`, is needed.
pub(crate) fn parse(text: &str) -> Result<Timestamp<Utc>, String> {
    let (local, offset) = split_offset(text)?;
    check_form(local)?;
    if local.get(17..19) == Some("60") {
        return Err("a leap second has no time of its own in Unix time".into());
    }
    let time = DateTime::parse_from_rfc3339(&format!("{local}Z"))
        .map_err(|error| format!("{error}; write it as 2026-01-31T12:00:00Z"))?;
    let (seconds, nanoseconds) = (time.timestamp(), time.timestamp_subsec_nanos());
    if seconds < 0 {
        return Err("it is before 1970".into());
    }
    seconds
        .checked_sub(offset)
        .and_then(|seconds| Timestamp::new(seconds, nanoseconds))
        .ok_or_else(|| "it is out of range".into())
}

/// Refuses text that isn't a date, a time and decimals, up to its last character: the parser may
/// accept other forms.
fn check_form(local: &str) -> Result<(), String> {
    const FORM: &[u8] = b"0000-00-00T00:00:00";
    let wrong = || Err("it is no calendar time; write it as 2026-01-31T12:00:00Z".to_owned());
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let Some((whole, decimals)) = local.as_bytes().split_at_checked(FORM.len()) else {
        return wrong();
    };
    let fits = |(byte, form): (&u8, &u8)| if *form == b'0' { is_digit(byte) } else { byte == form };
    if !whole.iter().zip(FORM).all(fits) {
        return wrong();
    }
    match decimals {
        [] => Ok(()),
        [b'.', decimals @ ..] if !decimals.is_empty() && decimals.iter().all(is_digit) => {
            if decimals.len() > 9 {
                return Err(
                    "it has more than nine decimals: the kernel takes whole nanoseconds".into()
                );
            }
            Ok(())
        }
        _ => wrong(),
    }
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
            "2026-01-31T12:00:00Z-23:59",
            "2026-01-31T12:00:00Zfoo+01:00",
            "2026-01-31T12:00:00ZZ",
            "2026-01-31T12:00:00 Z",
            " 2026-01-31T12:00:00Z",
            "2026-01-31T12:00:00Z\n",
            "2026-01-31T12:00:00.Z",
            "2026-01-31T12:00:00.5.5Z",
            "2026-01-31T12:00:00+01:00Z",
            "2026-01-31 12:00:00Z",
            "2026-02-29T12:00:00Z",
            "2026-01-31T24:00:00Z",
            "+2026-01-31T12:00:00Z",
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

    /// A text as another crate reads it, in seconds and nanoseconds.
    fn by_another_crate(text: &str) -> Option<(i64, u32)> {
        let form = &time::format_description::well_known::Rfc3339;
        let time = time::OffsetDateTime::parse(text, form).ok()?;
        Some((time.unix_timestamp(), time.nanosecond()))
    }

    /// A valid text, or one that is nearly so: each part can be anything of its length.
    fn texts() -> impl proptest::strategy::Strategy<Value = String> {
        use proptest::prelude::*;
        let number = |least: u32, most: u32, width: usize| {
            prop_oneof![
                20 => (least..=most).prop_map(move |number| format!("{number:0width$}")),
                1 => "[0-9a-zA-Z+-]{0,5}",
            ]
        };
        let mark = |usual: &'static str| prop_oneof![30 => Just(usual.to_owned()), 1 => "[TtZz:. +-]{0,2}"];
        let date =
            (number(1970, 2262, 4), mark("-"), number(1, 12, 2), mark("-"), number(1, 31, 2));
        let time = (number(0, 23, 2), mark(":"), number(0, 59, 2), mark(":"), number(0, 59, 2));
        let decimals =
            prop_oneof![4 => Just(String::new()), 4 => "\\.[0-9]{1,9}", 1 => "\\.[0-9a]{0,12}"];
        let offset = prop_oneof![
            4 => Just("Z".to_owned()),
            4 => "[+-](0[0-9]|1[0-9]|2[0-3]):[0-5][0-9]",
            1 => "Z?[+-]?[0-9:Zz+-]{0,7}",
        ];
        let rest = prop_oneof![20 => Just(String::new()), 1 => ".{0,3}"];
        (date, mark("T"), time, decimals, offset, rest).prop_map(
            |((a, b, c, d, e), t, (f, g, h, i, j), decimals, offset, rest)| {
                [a, b, c, d, e, t, f, g, h, i, j, decimals, offset, rest].concat()
            },
        )
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(4_000))]

        #[test]
        fn what_is_read_is_what_another_crate_reads(text in texts()) {
            let ours = parse(&text).ok().map(|time| (time.seconds(), time.nanoseconds()));
            let others = by_another_crate(&text);
            if ours.is_some() {
                proptest::prop_assert_eq!(ours, others, "{}", text);
            }
            // The other crate takes more: lower-case letters, a blank, leap seconds, more decimals.
            let is_strict = check_form(text.trim_end_matches(['Z', 'z'])).is_ok()
                || split_offset(&text).is_ok_and(|(local, _)| check_form(local).is_ok());
            let is_leap = text.get(17..19) == Some("60");
            if let Some((seconds, _)) = others
                && is_strict && !is_leap && seconds >= 86_400
            {
                proptest::prop_assert_eq!(ours, others, "{}", text);
            }
        }

        #[test]
        fn what_is_printed_is_read_back(seconds in 0..YEAR_10000, nanoseconds in 0_u32..1_000_000_000) {
            let time = Timestamp::<Utc>::new(seconds, nanoseconds).expect("in range");
            let text = format(time).expect("in the calendar");
            proptest::prop_assert_eq!(parse(&text), Ok(time));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            let _ = parse(&text);
        }
    }
}
