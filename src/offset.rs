//! Offsets: signed, exact nanoseconds.

use crate::decimal::Decimal;
use std::{fmt, str::FromStr};

/// A signed difference between two times, in whole nanoseconds: about ±292 years.
///
/// An offset of a clock is always *clock − reference*: positive means that the clock is ahead.
///
/// # Examples
///
/// ```
/// use ptpctl::Offset;
///
/// let offset: Offset = "-1.5us".parse()?;
/// assert_eq!(offset.nanoseconds(), -1500);
/// assert_eq!(offset.to_string(), "-1.5 us");
/// assert!("0.5ns".parse::<Offset>().is_err(), "whole nanoseconds only");
/// assert!("500".parse::<Offset>().is_err(), "a unit is needed");
/// # Ok::<(), ptpctl::ParseQuantityError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(i64);

/// The units of time that people may write, in nanoseconds.
const UNITS: [(&str, i128); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000), // micro sign
    ("μs", 1_000), // Greek mu
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
];

impl Offset {
    /// No offset.
    pub const ZERO: Self = Self(0);

    /// An offset of this many nanoseconds.
    pub const fn from_nanoseconds(nanoseconds: i64) -> Self {
        Self(nanoseconds)
    }

    /// This offset in nanoseconds.
    pub const fn nanoseconds(self) -> i64 {
        self.0
    }

    /// This offset without its sign.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// The sum, or `None` where it doesn't fit 64 bits.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The difference, or `None` where it doesn't fit 64 bits.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Self(difference)),
            None => None,
        }
    }

    /// The sum; the largest or smallest offset where it doesn't fit.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference; the largest or smallest offset where it doesn't fit.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Half of it, rounded away from zero: the bound that a delay gives.
    #[must_use]
    pub const fn half(self) -> Self {
        Self(self.0 / 2 + self.0 % 2)
    }

    /// Whole seconds, rounded down, and the 0…999 999 999 nanoseconds that remain: −1 ns is
    /// (−1, 999 999 999), as the kernel wants it.
    pub const fn seconds_and_nanoseconds(self) -> (i64, u32) {
        #[expect(clippy::cast_possible_truncation, reason = "0..10^9 fits")]
        let nanoseconds = self.0.rem_euclid(1_000_000_000) as u32;
        (self.0.div_euclid(1_000_000_000), nanoseconds)
    }
}

impl FromStr for Offset {
    type Err = ParseQuantityError;

    /// Reads a number with its unit: `500ns`, `-1.5us`, `37s`, or a bare `0`.
    ///
    /// # Errors
    ///
    /// Everything else: no unit, a fraction of a nanosecond, an exponent, more than 64 bits.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |why: String| ParseQuantityError { what: "offset", text: text.into(), why };
        let (number, unit) = Decimal::split(text).map_err(|why| refuse(why.to_string()))?;
        if unit.is_empty() {
            return if number.is_zero() {
                Ok(Self::ZERO)
            } else {
                Err(refuse(format!(
                    "it has no unit: write {text}ns for nanoseconds or {text}s for seconds"
                )))
            };
        }
        let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(refuse(match unit {
                "ps" | "fs" => {
                    "offsets are whole nanoseconds: the kernel takes nothing finer".into()
                }
                _ => format!("'{unit}' is no unit of time: use ns, us, ms or s"),
            }));
        };
        let nanoseconds = number.scaled_exactly(*scale).ok_or_else(|| {
            refuse(
                "it isn't a whole number of nanoseconds, and rounding it would write another \
                 offset than you asked for"
                    .into(),
            )
        })?;
        i64::try_from(nanoseconds)
            .map(Self)
            .map_err(|_| refuse("it doesn't fit 64 bits of nanoseconds (about 292 years)".into()))
    }
}

impl fmt::Display for Offset {
    /// Writes the offset exactly, in the largest unit that it reaches: `1.5 us`, `-37 s`.
    /// With `+`, positive offsets carry their sign.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        let (unit, scale, width) = match magnitude {
            0..1_000 => ("ns", 1, 0),
            1_000..1_000_000 => ("us", 1_000, 3),
            1_000_000..1_000_000_000 => ("ms", 1_000_000, 6),
            _ => ("s", 1_000_000_000, 9),
        };
        let sign = match self.0.signum() {
            -1 => "-",
            1 if f.sign_plus() => "+",
            _ => "",
        };
        let fraction = format!("{:0width$}", magnitude % scale);
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        write!(f, "{sign}{}{point}{fraction} {unit}", magnitude / scale)
    }
}

/// Why a text is no quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseQuantityError {
    pub(crate) what: &'static str,
    pub(crate) text: String,
    pub(crate) why: String,
}

impl fmt::Display for ParseQuantityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is no {}: {}", self.text, self.what, self.why)
    }
}

impl std::error::Error for ParseQuantityError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanoseconds(text: &str) -> Result<i64, String> {
        text.parse::<Offset>().map(Offset::nanoseconds).map_err(|error| error.to_string())
    }

    #[test]
    fn a_number_with_a_unit_is_exact() {
        for (text, expected) in [
            ("500ns", 500),
            ("-500ns", -500),
            ("-1.5us", -1_500),
            ("1.5µs", 1_500),
            ("0.000001ms", 1),
            ("37s", 37_000_000_000),
            ("0", 0),
            ("-0", 0),
            ("0.000000015s", 15),
            ("1700000000.123456789s", 1_700_000_000_123_456_789),
            ("9223372036.854775807s", i64::MAX),
            ("-9223372036.854775808s", i64::MIN),
        ] {
            assert_eq!(nanoseconds(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_exact_or_not_clear_is_refused_with_the_reason() {
        for (text, reason) in [
            ("500", "write 500ns for nanoseconds or 500s for seconds"),
            ("0.5ns", "whole number of nanoseconds"),
            ("500ps", "whole nanoseconds"),
            ("5ns3us", "'ns3us' is no unit"),
            ("5 ns", "' ns' is no unit"),
            ("9223372036.854775808s", "64 bits"),
            ("5NS", "'NS' is no unit"),
        ] {
            let message = nanoseconds(text).expect_err(text);
            assert!(message.contains(reason), "{text}: {message}");
        }
    }

    #[test]
    fn an_offset_prints_exactly_in_its_largest_unit() {
        for (nanoseconds, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (-1_500, "-1.5 us"),
            (1_000_001, "1.000001 ms"),
            (37_000_000_000, "37 s"),
            (i64::MIN, "-9223372036.854775808 s"),
        ] {
            assert_eq!(Offset::from_nanoseconds(nanoseconds).to_string(), text);
        }
        assert_eq!(format!("{:+}", Offset::from_nanoseconds(5)), "+5 ns");
    }

    #[test]
    fn the_kernel_gets_seconds_rounded_down_and_positive_nanoseconds() {
        assert_eq!(Offset::from_nanoseconds(-1).seconds_and_nanoseconds(), (-1, 999_999_999));
        assert_eq!(Offset::from_nanoseconds(1).seconds_and_nanoseconds(), (0, 1));
    }

    proptest::proptest! {
        #[test]
        fn what_is_printed_is_read_back(nanoseconds: i64) {
            let offset = Offset::from_nanoseconds(nanoseconds);
            let text = offset.to_string().replace(' ', "");
            proptest::prop_assert_eq!(text.parse(), Ok(offset));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            let _ = text.parse::<Offset>();
        }
    }
}
