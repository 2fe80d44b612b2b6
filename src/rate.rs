//! Rates: how fast one clock gains on another, as it was measured.

use crate::decimal::divide_to_nearest;
use crate::frequency::fixed;
use crate::offset::Offset;
use std::fmt;

/// How fast an offset grows: how much faster one clock goes than another, in millionths of a ppb.
/// It is measured; what a clock is told to do is a [`Frequency`](crate::Frequency).
///
/// # Examples
///
/// ```
/// use ptpctl::{Offset, Rate};
///
/// let second = Offset::from_nanoseconds(1_000_000_000);
/// let rate = Rate::of(Offset::from_nanoseconds(-25), second).expect("time has passed");
/// assert_eq!(rate.to_string(), "-25 ppb");
/// assert_eq!(rate.over(second), Some(Offset::from_nanoseconds(-25)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(i128);

/// A rate of one nanosecond per nanosecond, in millionths of a ppb.
const WHOLE: i128 = 1_000_000_000_000_000;

impl Rate {
    /// Neither clock gains on the other.
    pub const ZERO: Self = Self(0);

    /// A rate of this many millionths of a ppb.
    pub const fn from_micro_ppb(micro_ppb: i128) -> Self {
        Self(micro_ppb)
    }

    /// A rate of this many ppb.
    pub const fn from_ppb(ppb: i64) -> Self {
        Self(ppb as i128 * 1_000_000)
    }

    /// This rate in millionths of a ppb.
    pub const fn micro_ppb(self) -> i128 {
        self.0
    }

    /// This rate in ppb. It is exact to 15 digits.
    #[expect(clippy::cast_precision_loss, clippy::float_arithmetic, reason = "for programs")]
    pub fn ppb(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// The rate at which an offset moved by `moved` in `span`, rounded to the nearest; `None` where
    /// no time has passed.
    pub fn of(moved: Offset, span: Offset) -> Option<Self> {
        let (moved, span) = (i128::from(moved.nanoseconds()), i128::from(span.nanoseconds()));
        (span > 0).then(|| Self(divide_to_nearest(moved * WHOLE, span)))
    }

    /// How far an offset moves in `span`, rounded to the nearest nanosecond; `None` where that
    /// doesn't fit an [`Offset`].
    pub fn over(self, span: Offset) -> Option<Offset> {
        let moved = self.0.checked_mul(span.nanoseconds().into())?;
        i64::try_from(divide_to_nearest(moved, WHOLE)).ok().map(Offset::from_nanoseconds)
    }

    /// This rate without its sign.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// The sum; the largest or smallest rate where it doesn't fit.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference; the largest or smallest rate where it doesn't fit.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Rate {
    /// Writes parts per billion with six decimals at most. With `+`, positive ones carry a sign;
    /// with a precision, that many decimals, rounded to the nearest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = u32::try_from(f.precision().unwrap_or(6)).unwrap_or(6).min(6);
        let rounded = divide_to_nearest(self.0, 10_i128.pow(6 - places));
        let sign = if f.sign_plus() && rounded > 0 { "+" } else { "" };
        write!(f, "{sign}{} ppb", fixed(rounded, places))
    }
}

/// The rates that are possible: from the lowest to the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateInterval {
    /// The lowest.
    pub lowest: Rate,
    /// The highest.
    pub highest: Rate,
}

impl RateInterval {
    /// All rates within `distance` of `middle`.
    pub const fn around(middle: Rate, distance: Rate) -> Self {
        Self { lowest: middle.saturating_sub(distance), highest: middle.saturating_add(distance) }
    }

    /// The rate in the middle.
    pub const fn middle(&self) -> Rate {
        Rate(i128::midpoint(self.lowest.0, self.highest.0))
    }

    /// How far the true rate is from the middle at most.
    pub const fn bound(&self) -> Rate {
        Rate(self.highest.0.saturating_sub(self.lowest.0).saturating_add(1) / 2)
    }

    /// The interval of the differences between a rate of this interval and a rate of another.
    #[must_use]
    pub const fn minus(&self, other: &Self) -> Self {
        Self {
            lowest: self.lowest.saturating_sub(other.highest),
            highest: self.highest.saturating_sub(other.lowest),
        }
    }

    /// The smallest interval that holds both.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        Self { lowest: self.lowest.min(other.lowest), highest: self.highest.max(other.highest) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_what_moved_in_the_time() {
        let offset = Offset::from_nanoseconds;
        assert_eq!(Rate::of(offset(1), offset(3)).map(Rate::micro_ppb), Some(333_333_333_333_333));
        assert_eq!(Rate::of(offset(5), Offset::ZERO), None);
        assert_eq!(Rate::from_ppb(1_000).over(offset(500_000)), Some(offset(1)), "half is away");
        assert_eq!(Rate::from_micro_ppb(i128::MAX).over(offset(2)), None);
    }

    #[test]
    fn a_rate_is_printed_with_as_many_decimals_as_are_asked_for() {
        let rate = Rate::from_micro_ppb(-31_204_567);
        assert_eq!(rate.to_string(), "-31.204567 ppb");
        assert_eq!(format!("{rate:+.1}"), "-31.2 ppb");
        assert_eq!(format!("{:+.0}", Rate::from_ppb(7)), "+7 ppb");
    }
}
