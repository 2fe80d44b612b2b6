//! Times as other programs write them.

use crate::{FineOffset, Timestamp, rfc3339};

/// Reads seconds with decimals, as nanoseconds.
pub(super) fn seconds(text: &str) -> Option<i128> {
    number(text, 0)
}

/// Reads a number whose unit is 10^`unit` seconds, as nanoseconds.
pub(super) fn number(text: &str, unit: i32) -> Option<i128> {
    // The digits of a nanosecond are kept for times up to 2100.
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if text.contains(['e', 'E']) {
        return Some(FineOffset::parse(text, unit)?.attoseconds() / 1_000_000_000);
    }
    let power = u32::try_from(9 + unit).ok()?;
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = whole.strip_prefix('-').unwrap_or(whole);
    if unsigned.is_empty() || unsigned.len() > 20 || !is_digits(unsigned) || !is_digits(fraction) {
        return None;
    }
    let scale = 10_i128.pow(power);
    let part =
        FineOffset::parse(&format!("0.{}", if fraction.is_empty() { "0" } else { fraction }), 0)?;
    let part = part.attoseconds() / 10_i128.pow(18_u32.checked_sub(power)?);
    let value = unsigned.parse::<i128>().ok()? * scale + part;
    Some(if whole.starts_with('-') { -value } else { value })
}

/// A date and a time of UTC, in nanoseconds.
pub(super) fn date(day: &str, time: &str) -> Option<i128> {
    instant(&format!("{day}T{time}Z"))
}

/// A date and a time with their zone, in nanoseconds.
pub(super) fn instant(text: &str) -> Option<i128> {
    rfc3339::parse(text).ok().map(Timestamp::total_nanoseconds)
}
