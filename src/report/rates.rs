//! Rates with their uncertainty, as people and programs read them.

use super::Value;
use crate::Rate;
use crate::measure::UncertainRate;

/// A rate is left out if its uncertainty is larger than this, unless the rate is at least `SURE`
/// times as large.
const SAYS_NOTHING: Rate = Rate::from_ppb(1_000);
const SURE: i128 = 3;

/// A rate, rounded to its uncertainty; `None` if it isn't significant.
pub(crate) fn told_rate(measured: UncertainRate) -> Option<String> {
    let UncertainRate { rate, uncertainty } = measured;
    let is_sure = uncertainty.micro_ppb().saturating_mul(SURE) <= rate.abs().micro_ppb();
    if uncertainty > SAYS_NOTHING && !is_sure {
        return None;
    }
    // Two digits of the uncertainty: 12 345 678 millionths of a ppb become 12 ppb.
    let digits = uncertainty.micro_ppb().unsigned_abs().checked_ilog10().unwrap_or(0) + 1;
    let places = usize::try_from(8_u32.saturating_sub(digits)).unwrap_or(0).min(6);
    Some(format!("{rate:+.places$} ±{uncertainty:.places$}").replacen(" ppb ±", " ±", 1))
}

/// A number with two digits of its uncertainty, rounded to its uncertainty.
#[expect(clippy::cast_possible_truncation, reason = "the logarithm of a number is small")]
pub(crate) fn rounded(value: f64, uncertainty: f64) -> String {
    let places = 1 - uncertainty.max(1e-12).log10().floor() as i32;
    let places = usize::try_from(places).unwrap_or(0).min(12);
    format!("{value:+.places$} ±{uncertainty:.places$}")
}

/// A rate for programs.
pub(crate) fn rate_values(measured: Option<UncertainRate>) -> Vec<(&'static str, Value)> {
    let value = |rate: Option<Rate>| {
        rate.map_or(Value::Null, |rate| {
            Value::Decimal(rate.to_string().trim_end_matches(" ppb").to_owned())
        })
    };
    vec![
        ("rate_ppb", value(measured.map(|measured| measured.rate))),
        ("rate_uncertainty_ppb", value(measured.map(|measured| measured.uncertainty))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(micro_ppb: i128, uncertainty: i128) -> Option<String> {
        told_rate(UncertainRate {
            rate: Rate::from_micro_ppb(micro_ppb),
            uncertainty: Rate::from_micro_ppb(uncertainty),
        })
    }

    #[test]
    fn a_rate_is_rounded_to_its_uncertainty() {
        assert_eq!(told(-31_204_567, 421_234).as_deref(), Some("-31.2 ±0.42 ppb"));
        assert_eq!(told(12_345_678_901, 1_234_567_890).as_deref(), Some("+12346 ±1235 ppb"));
        assert_eq!(told(0, 12).as_deref(), Some("0 ±0.000012 ppb"));
    }

    #[test]
    fn a_number_is_rounded_to_its_uncertainty() {
        assert_eq!(rounded(2.007_912, 0.001_234), "+2.0079 ±0.0012");
        assert_eq!(rounded(-456_705.399_9, 23_456.7), "-456705 ±23457");
        assert_eq!(rounded(0.0, 0.0), "+0.000000000000 ±0.000000000000");
    }

    #[test]
    fn a_rate_that_says_nothing_is_left_out() {
        assert_eq!(told(12_911_140_724_000, 124_510_778_640_000), None);
        assert_eq!(told(-10_001_000_000, 5_466_000_000), None);
        assert!(told(0, 900_000_000).is_some(), "that it is no larger says something");
    }
}
