//! Offsets that other programs have measured, with parts of a nanosecond.

use crate::Offset;

/// A signed difference between two times, in attoseconds: an offset from a file, kept exactly.
/// Offsets that the kernel gives are whole nanoseconds, an [`Offset`].
///
/// # Examples
///
/// ```
/// use ptpctl::FineOffset;
///
/// // In seconds.
/// let offset = FineOffset::parse("-3.7000125e-08", 0).expect("a number");
/// assert_eq!(offset.attoseconds(), -37_000_125_000);
/// // In nanoseconds.
/// assert_eq!(FineOffset::parse("4.5", -9).expect("a number").attoseconds(), 4_500_000_000);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FineOffset(i128);

/// Attoseconds in a nanosecond.
const NANOSECOND: i128 = 1_000_000_000;
/// The decimal places from a second to an attosecond.
const PLACES: i32 = 18;
/// The largest offset that is accepted, 36 years: no clock is off by more.
const FARTHEST: i128 = (1 << 60) * NANOSECOND;

impl FineOffset {
    /// From attoseconds.
    pub const fn from_attoseconds(attoseconds: i128) -> Self {
        Self(attoseconds)
    }

    /// This offset in attoseconds.
    pub const fn attoseconds(self) -> i128 {
        self.0
    }

    /// Reads a decimal number, with or without an exponent. `unit` is the power of ten of a second
    /// that it counts: 0 for seconds, -9 for nanoseconds. Parts of an attosecond are rounded.
    ///
    /// `None` where the text is no number, or beyond 36 years.
    pub fn parse(text: &str, unit: i32) -> Option<Self> {
        let (negative, unsigned) = match text.as_bytes().first()? {
            b'-' => (true, text.get(1..)?),
            b'+' => (false, text.get(1..)?),
            _ => (false, text),
        };
        let (number, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let mut value: i128 = 0;
        let mut dropped = 0;
        for digit in whole.bytes().chain(fraction.bytes()) {
            if !digit.is_ascii_digit() {
                return None;
            }
            // Further digits are below an attosecond in every offset that is accepted.
            match value.checked_mul(10).filter(|value| *value < i128::MAX / 100) {
                Some(shifted) if dropped == 0 => value = shifted + i128::from(digit - b'0'),
                _ => dropped += 1,
            }
        }
        let places = i32::try_from(fraction.len()).ok()?.saturating_sub(dropped);
        let shift = PLACES.saturating_add(unit).saturating_add(exponent).saturating_sub(places);
        let value = scaled(value, shift)?;
        (value <= FARTHEST).then_some(Self(if negative { -value } else { value }))
    }

    /// This offset in whole nanoseconds, rounded away from zero.
    pub fn outwards(self) -> Offset {
        let whole = if self.0 < 0 {
            self.0.div_euclid(NANOSECOND)
        } else {
            -(-self.0).div_euclid(NANOSECOND)
        };
        Offset::from_nanoseconds(whole.try_into().unwrap_or(if whole < 0 {
            i64::MIN
        } else {
            i64::MAX
        }))
    }

    /// This offset with the opposite sign; the most negative one saturates.
    #[must_use]
    pub const fn turned(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl From<Offset> for FineOffset {
    fn from(offset: Offset) -> Self {
        Self(i128::from(offset.nanoseconds()) * NANOSECOND)
    }
}

/// Times a power of ten, rounded to the nearest; `None` beyond 128 bits.
fn scaled(value: i128, shift: i32) -> Option<i128> {
    let power = |places: u32| 10_i128.checked_pow(places);
    if value == 0 {
        return Some(0);
    }
    if shift >= 0 {
        return value.checked_mul(power(shift.unsigned_abs())?);
    }
    let Some(divisor) = power(shift.unsigned_abs()) else { return Some(0) };
    Some(value.checked_add(divisor / 2)? / divisor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attoseconds(text: &str, unit: i32) -> Option<i128> {
        FineOffset::parse(text, unit).map(FineOffset::attoseconds)
    }

    #[test]
    fn decimal_numbers_are_read_to_the_attosecond() {
        for (text, unit, expected) in [
            ("4", -9, 4_000_000_000),
            ("-37", -9, -37_000_000_000),
            ("+4.000000000e-09", 0, 4_000_000_000),
            ("1e-18", 0, 1),
            ("4e-19", 0, 0),
            ("-6E-19", 0, -1),
            (".5", -12, 500_000),
            ("5.", -12, 5_000_000),
            ("0e999999999", 0, 0),
            ("0.00000000123456789012345678901234567890123456789", 0, 1_234_567_890),
            ("123456789.123456789123456789123456789", 0, 123_456_789_123_456_789_123_456_789),
        ] {
            assert_eq!(attoseconds(text, unit), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_offset_is_none() {
        for text in [
            "", "-", ".", "e5", "1e", "1e5.5", "nan", "inf", "0x10", "1 2", "1_000", "--1", "1e40",
            "1e999", "٣",
        ] {
            assert_eq!(attoseconds(text, 0), None, "{text}");
        }
    }

    #[test]
    fn outwards_is_never_nearer() {
        for (attoseconds, expected) in
            [(0, 0), (1, 1), (-1, -1), (1_000_000_000, 1), (1_000_000_001, 2), (-1_000_000_001, -2)]
        {
            let whole = FineOffset::from_attoseconds(attoseconds).outwards();
            assert_eq!(whole.nanoseconds(), expected, "{attoseconds}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whole_nanoseconds_stay_what_they_are(number: i64) {
            let fine = FineOffset::from(Offset::from_nanoseconds(number));
            proptest::prop_assert_eq!(fine.outwards().nanoseconds(), number);
        }

        #[test]
        fn any_text_is_an_offset_or_none(text in "[-+]?[0-9.]{0,60}(e[-+]?[0-9]{0,12})?", unit in -20_i32..5) {
            let _ = FineOffset::parse(&text, unit);
        }
    }
}
