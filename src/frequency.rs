//! Frequency offsets: the kernel's scaled ppm, exactly.

use crate::decimal::{Decimal, divide_to_nearest};
use crate::offset::ParseQuantityError;
use std::{fmt, str::FromStr};

/// A frequency offset as the kernel dials it: parts per million times 2^16, so one step is about
/// 0.015 ppb. Positive makes the clock run faster.
///
/// # Examples
///
/// ```
/// use ptpctl::Frequency;
///
/// let frequency: Frequency = "12.5ppb".parse()?;
/// assert_eq!(frequency.scaled_ppm(), 819); // 12.5 × 65.536 = 819.2
/// assert_eq!(frequency.to_string(), "12.496948 ppb");
/// # Ok::<(), ptpctl::ParseQuantityError>(())
/// ```
#[doc(alias = "ADJ_FREQUENCY")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frequency(i64);

impl Frequency {
    /// The nominal frequency.
    pub const ZERO: Self = Self(0);

    /// From the kernel's scaled ppm.
    pub const fn from_scaled_ppm(scaled_ppm: i64) -> Self {
        Self(scaled_ppm)
    }

    /// From whole parts per billion, rounded to the nearest step.
    pub fn from_ppb(ppb: i32) -> Self {
        let steps = divide_to_nearest(i128::from(ppb) * 65_536, 1_000);
        Self(i64::try_from(steps).unwrap_or_default())
    }

    /// Parts per million times 2^16.
    pub const fn scaled_ppm(self) -> i64 {
        self.0
    }

    /// Parts per billion as the kernel's limit check rounds them: `((scaled_ppm + 1) × 125) >> 13`.
    pub const fn kernel_ppb(self) -> i128 {
        ((self.0 as i128 + 1) * 125) >> 13
    }

    /// Parts per billion times 10^6, rounded to the nearest: finer than one step.
    pub fn micro_ppb(self) -> i128 {
        divide_to_nearest(i128::from(self.0) * 1_000_000_000, 65_536)
    }

    /// Parts per billion.
    #[expect(clippy::cast_precision_loss, clippy::float_arithmetic, reason = "for programs")]
    pub fn ppb(self) -> f64 {
        self.micro_ppb() as f64 / 1e6
    }

    /// Parts per million.
    #[expect(clippy::cast_precision_loss, clippy::float_arithmetic, reason = "for programs")]
    pub fn ppm(self) -> f64 {
        self.micro_ppb() as f64 / 1e9
    }

    /// Reads a frequency, and tells whether it could be read exactly: the kernel has steps of
    /// 2^-16 ppm.
    ///
    /// # Errors
    ///
    /// As for its [`FromStr`].
    #[cfg(any(feature = "cli", test))]
    pub(crate) fn read(text: &str) -> Result<(Self, bool), ParseQuantityError> {
        let frequency: Self = text.parse()?;
        let is_exact = Decimal::split(text).is_ok_and(|(number, unit)| {
            let steps = if unit == "ppb" { 65_536 } else { 65_536 * 1_000 };
            number.scaled_exactly(steps) == Some(i128::from(frequency.0) * 1_000)
        });
        Ok((frequency, is_exact))
    }

    /// Parts per billion, written with six decimals at most.
    pub(crate) fn ppb_text(self) -> String {
        fixed(self.micro_ppb(), 6)
    }

    /// Parts per million, written with nine decimals at most.
    #[cfg(any(feature = "cli", test))]
    pub(crate) fn ppm_text(self) -> String {
        fixed(self.micro_ppb(), 9)
    }
}

/// `value / 10^places` without trailing zeros.
pub(crate) fn fixed(value: i128, places: u32) -> String {
    let scale = 10_u128.pow(places);
    let magnitude = value.unsigned_abs();
    let sign = if value < 0 { "-" } else { "" };
    let width = places as usize;
    let fraction = format!("{:0width$}", magnitude % scale);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction}", magnitude / scale)
}

impl FromStr for Frequency {
    type Err = ParseQuantityError;

    /// Reads a number with its unit, `12.5ppb` or `-3ppm`, or a bare `0`; rounds it once to the
    /// nearest step of 2^-16 ppm.
    ///
    /// # Errors
    ///
    /// Everything else: no unit, an exponent, more than 64 bits.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |why: String| ParseQuantityError { what: "frequency", text: text.into(), why };
        let (number, unit) = Decimal::split(text).map_err(|why| refuse(why.to_string()))?;
        let denominator = match unit {
            "ppb" => 1_000,
            "ppm" => 1,
            "" if number.is_zero() => return Ok(Self::ZERO),
            "" => {
                return Err(refuse(format!(
                    "it has no unit: write {text}ppb for parts per billion or {text}ppm for parts \
                     per million"
                )));
            }
            _ => return Err(refuse(format!("'{unit}' is no unit of frequency: use ppb or ppm"))),
        };
        number
            .scaled_to_nearest(65_536, denominator)
            .and_then(|steps| i64::try_from(steps).ok())
            .map(Self)
            .ok_or_else(|| refuse("it doesn't fit the kernel's 64 bits of scaled ppm".into()))
    }
}

impl fmt::Display for Frequency {
    /// Writes parts per billion with six decimals at most. With `+`, positive ones carry a sign.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if f.sign_plus() && self.0 > 0 { "+" } else { "" };
        write!(f, "{sign}{} ppb", self.ppb_text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_with_a_unit_is_rounded_once_to_the_nearest_step() {
        for (text, steps) in [
            ("0", 0),
            ("1ppm", 65_536),
            ("-3ppm", -196_608),
            ("12.5ppb", 819),
            ("-12.5ppb", -819),
            ("0.0076ppb", 0),
            ("0.0077ppb", 1),
            ("1000000ppm", 65_536_000_000),
        ] {
            assert_eq!(text.parse(), Ok(Frequency(steps)), "{text}");
        }
    }

    #[test]
    fn what_was_rounded_is_told() {
        let is_exact = |text| Frequency::read(text).expect("a frequency").1;
        for text in ["0", "1ppm", "-3ppm", "0.5ppm", "1000ppb", "0.0000152587890625ppm"] {
            assert!(is_exact(text), "{text}");
        }
        for text in ["12.5ppb", "0.001ppb", "1ppb", "0.1ppm"] {
            assert!(!is_exact(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_frequency_is_refused_with_the_reason() {
        for (text, reason) in [
            ("5", "write 5ppb for parts per billion or 5ppm for parts per million"),
            ("5ns", "'ns' is no unit of frequency"),
            ("1e9ppb", "exponents"),
            ("nanppb", "doesn't begin with a number"),
            ("999999999999999ppm", "64 bits"),
        ] {
            let message = text.parse::<Frequency>().expect_err(text).to_string();
            assert!(message.contains(reason), "{text}: {message}");
        }
    }

    #[test]
    fn the_limit_check_rounds_as_the_kernel_does() {
        assert_eq!(Frequency(65_536).kernel_ppb(), 1_000);
        assert_eq!(Frequency(-65_536).kernel_ppb(), -1_000);
        assert_eq!(Frequency(65).kernel_ppb(), 1);
        assert_eq!(Frequency(0).kernel_ppb(), 0);
        assert_eq!(Frequency(-1).kernel_ppb(), 0);
    }

    #[test]
    fn ppb_and_ppm_print_exactly_enough_to_tell_steps_apart() {
        assert_eq!(Frequency(1).ppb_text(), "0.015259");
        assert_eq!(Frequency(-1).ppm_text(), "-0.000015259");
        assert_eq!(Frequency(65_536).to_string(), "1000 ppb");
        assert_eq!(format!("{:+}", Frequency(65_536)), "+1000 ppb");
    }

    proptest::proptest! {
        #[test]
        fn what_is_printed_is_read_back(steps in -(1_i64 << 46)..(1_i64 << 46)) {
            let frequency = Frequency(steps);
            proptest::prop_assert_eq!(format!("{}ppb", frequency.ppb_text()).parse(), Ok(frequency));
            proptest::prop_assert_eq!(format!("{}ppm", frequency.ppm_text()).parse(), Ok(frequency));
        }
    }
}
