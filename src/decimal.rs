//! Decimal numbers as people write them, kept exact until they are rounded once.

use std::fmt;

/// A decimal number: `mantissa / 10^places`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    mantissa: i128,
    places: u32,
}

/// The most digits that a number may have: far beyond any quantity here, and safe in 128 bits
/// even when scaled to the finest unit.
const MOST_DIGITS: usize = 24;

impl Decimal {
    /// Splits `text` into a number and what follows it: `-1.5us` is −1.5 and `us`.
    ///
    /// One sign, ASCII digits, at most one point with a digit on each side. No exponent, no
    /// `inf`, no `nan`, no digit of another script.
    pub(crate) fn split(text: &str) -> Result<(Self, &str), NotADecimal> {
        let (negative, unsigned) = match text.as_bytes().first() {
            None => return Err(NotADecimal::Empty),
            Some(b'-') => (true, text.get(1..).unwrap_or_default()),
            Some(b'+') => (false, text.get(1..).unwrap_or_default()),
            Some(_) => (false, text),
        };
        let (whole, rest) = digits(unsigned);
        if whole.is_empty() {
            return Err(NotADecimal::NoDigits);
        }
        let (fraction, rest) = match rest.strip_prefix('.') {
            None => ("", rest),
            Some(rest) => {
                let (fraction, rest) = digits(rest);
                if fraction.is_empty() {
                    return Err(NotADecimal::BarePoint);
                }
                (fraction, rest)
            }
        };
        if let Some(exponent) = rest.strip_prefix(['e', 'E'])
            && exponent.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+')
        {
            return Err(NotADecimal::Exponent);
        }
        let fraction = fraction.trim_end_matches('0');
        let whole = whole.trim_start_matches('0');
        if whole.len() + fraction.len() > MOST_DIGITS {
            return Err(NotADecimal::TooLong);
        }
        let magnitude = whole
            .bytes()
            .chain(fraction.bytes())
            .fold(0, |sum: i128, digit| sum * 10 + i128::from(digit - b'0'));
        let mantissa = if negative { -magnitude } else { magnitude };
        let places = u32::try_from(fraction.len()).unwrap_or(u32::MAX);
        Ok((Self { mantissa, places }, rest))
    }

    /// This number times `numerator / denominator` as a whole number, or `None` where it isn't one.
    pub(crate) fn scaled_exactly(self, numerator: i128) -> Option<i128> {
        let denominator = 10_i128.checked_pow(self.places)?;
        let product = self.mantissa.checked_mul(numerator)?;
        (product % denominator == 0).then(|| product / denominator)
    }

    /// This number times `numerator / denominator`, rounded once to the nearest whole number,
    /// halves away from zero.
    pub(crate) fn scaled_to_nearest(self, numerator: i128, denominator: i128) -> Option<i128> {
        let denominator = 10_i128.checked_pow(self.places)?.checked_mul(denominator)?;
        let product = self.mantissa.checked_mul(numerator)?;
        Some(divide_to_nearest(product, denominator))
    }

    /// `numerator / (this number × denominator)` as a whole number, or `None` where it isn't one.
    #[cfg(feature = "cli")]
    pub(crate) fn divides_exactly(self, numerator: i128, denominator: i128) -> Option<i128> {
        let numerator = numerator.checked_mul(10_i128.checked_pow(self.places)?)?;
        let denominator = self.mantissa.checked_mul(denominator)?;
        (denominator != 0 && numerator % denominator == 0).then(|| numerator / denominator)
    }

    /// Whether this is exactly zero.
    pub(crate) fn is_zero(self) -> bool {
        self.mantissa == 0
    }
}

/// `dividend / divisor` rounded to the nearest whole number, halves away from zero. The divisor
/// is positive.
pub(crate) fn divide_to_nearest(dividend: i128, divisor: i128) -> i128 {
    let half = divisor / 2;
    if dividend < 0 { (dividend - half) / divisor } else { (dividend + half) / divisor }
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at(end)
}

/// Why a text doesn't begin with a decimal number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotADecimal {
    Empty,
    NoDigits,
    BarePoint,
    Exponent,
    TooLong,
}

impl fmt::Display for NotADecimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::NoDigits => "it doesn't begin with a number (ASCII digits, one sign at most)",
            Self::BarePoint => "the decimal point has no digit after it",
            Self::Exponent => "exponents aren't taken: write the number out, or use a larger unit",
            Self::TooLong => "it has more digits than any clock can hold",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_ends_where_its_unit_begins() {
        for (text, mantissa, places, rest) in [
            ("500ns", 500, 0, "ns"),
            ("-1.5us", -15, 1, "us"),
            ("+007.250", 725, 2, ""),
            ("0", 0, 0, ""),
            ("12e", 12, 0, "e"),
        ] {
            assert_eq!(Decimal::split(text), Ok((Decimal { mantissa, places }, rest)), "{text}");
        }
    }

    #[test]
    fn what_is_no_plain_decimal_is_refused() {
        for (text, why) in [
            ("", NotADecimal::Empty),
            ("nan", NotADecimal::NoDigits),
            ("inf", NotADecimal::NoDigits),
            ("--5ns", NotADecimal::NoDigits),
            (".5s", NotADecimal::NoDigits),
            ("٥ns", NotADecimal::NoDigits),
            ("1.s", NotADecimal::BarePoint),
            ("1e9ns", NotADecimal::Exponent),
            ("1234567890123456789012345", NotADecimal::TooLong),
        ] {
            assert_eq!(Decimal::split(text), Err(why), "{text}");
        }
    }

    #[test]
    fn rounding_is_to_the_nearest_and_away_from_zero_at_halves() {
        for (dividend, divisor, quotient) in
            [(7, 2, 4), (-7, 2, -4), (5, 3, 2), (-5, 3, -2), (4, 3, 1), (0, 9, 0)]
        {
            assert_eq!(divide_to_nearest(dividend, divisor), quotient);
        }
    }
}
