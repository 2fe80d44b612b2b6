//! Mean, deviation, range and rate of offsets as they come.

#![expect(clippy::float_arithmetic, reason = "statistics")]

use super::UncertainRate;
use crate::{Offset, Rate, Timestamp, Utc};

/// Statistics of offsets, in little memory: exact except for the squares.
///
/// A step or an absence restarts them: a mean across it says nothing. A miss is one offset that is
/// missing.
///
/// # Examples
///
/// ```
/// use ptpctl::measure::Statistics;
/// use ptpctl::{Offset, Timestamp};
///
/// let mut statistics = Statistics::default();
/// for (second, nanoseconds) in [(0, 2), (1, 4), (2, 4), (3, 6)] {
///     let at = Timestamp::new(1_700_000_000 + second, 0).expect("in range");
///     statistics.add(at, Offset::from_nanoseconds(nanoseconds), false);
/// }
/// assert_eq!((statistics.mean(), statistics.peak_to_peak()), (Some(4.0), Some(4)));
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// How many offsets there were in all.
    pub all: u64,
    /// How many there were since the last step or absence.
    pub count: u64,
    /// The time and the offset of the first; all others are relative to it.
    first: Option<(Timestamp<Utc>, i64)>,
    mean: f64,
    /// The mean of the times.
    mean_time: f64,
    squares: f64,
    time_squares: f64,
    products: f64,
    low: i64,
    high: i64,
    /// How often one of the clocks was stepped.
    pub steps: u64,
    /// How many readings failed.
    pub misses: u64,
    /// How often the clock went away.
    pub absences: u64,
}

impl Statistics {
    /// Takes an offset.
    pub fn add(&mut self, at: Timestamp<Utc>, offset: Offset, stepped: bool) {
        if stepped {
            self.begin_anew();
            self.steps += 1;
        }
        self.all += 1;
        let offset = offset.nanoseconds();
        let (start, base) = *self.first.get_or_insert((at, offset));
        if self.count == 0 {
            (self.low, self.high) = (offset, offset);
        }
        self.count += 1;
        (self.low, self.high) = (self.low.min(offset), self.high.max(offset));
        // Welford's recurrence, for both and their product.
        let (x, t) = (
            float(i128::from(offset) - i128::from(base)),
            float(at.total_nanoseconds() - start.total_nanoseconds()),
        );
        let number = float(i128::from(self.count));
        let (from_mean, from_mean_time) = (x - self.mean, t - self.mean_time);
        self.mean += from_mean / number;
        self.mean_time += from_mean_time / number;
        self.squares += from_mean * (x - self.mean);
        self.time_squares += from_mean_time * (t - self.mean_time);
        self.products += from_mean_time * (x - self.mean);
    }

    /// Counts a reading that failed.
    pub fn miss(&mut self) {
        self.misses += 1;
    }

    /// Counts an absence: what comes back may be another clock.
    pub fn absent(&mut self) {
        self.begin_anew();
        self.absences += 1;
    }

    fn begin_anew(&mut self) {
        let Self { all, steps, misses, absences, .. } = *self;
        *self = Self { all, steps, misses, absences, ..Self::default() };
    }

    /// The mean, in nanoseconds.
    pub fn mean(&self) -> Option<f64> {
        self.first.map(|(_, base)| float(base.into()) + self.mean)
    }

    /// The standard deviation, in nanoseconds.
    pub fn deviation(&self) -> Option<f64> {
        (self.count > 1).then(|| (self.squares / float(i128::from(self.count) - 1)).sqrt())
    }

    /// From the smallest offset to the largest, in nanoseconds.
    pub fn peak_to_peak(&self) -> Option<u64> {
        self.first.map(|_| self.high.abs_diff(self.low))
    }

    /// The slope of the line of least squares, and its standard deviation, as if offsets varied
    /// independently of each other.
    #[expect(clippy::cast_possible_truncation, reason = "a cast from float saturates")]
    pub fn rate(&self) -> Option<UncertainRate> {
        if self.count < 3 || self.time_squares <= 0.0 {
            return None;
        }
        let slope = self.products / self.time_squares;
        let rest = (self.squares - slope * self.products).max(0.0);
        let variance = rest / float(i128::from(self.count) - 2) / self.time_squares;
        let of = |rate: f64| Rate::from_micro_ppb((rate * 1e15).round() as i128);
        Some(UncertainRate { rate: of(slope), uncertainty: of(variance.sqrt()) })
    }
}

#[expect(clippy::cast_precision_loss, reason = "what it loses is below a part in 10^15")]
fn float(number: i128) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp<Utc> {
        Timestamp::new(second, 0).expect("in range")
    }

    fn of(offsets: &[(i64, i64)]) -> Statistics {
        let mut statistics = Statistics::default();
        for (second, offset) in offsets {
            statistics.add(at(*second), Offset::from_nanoseconds(*offset), false);
        }
        statistics
    }

    fn rounded(value: Option<f64>) -> String {
        value.map_or("-".into(), |value| format!("{value:.3}"))
    }

    #[test]
    fn statistics_are_those_of_the_offsets() {
        let far = 37_000_000_000;
        let statistics = of(&[(0, far + 2), (1, far + 4), (2, far + 4), (3, far + 6)]);
        assert_eq!(rounded(statistics.mean()), "37000000004.000");
        assert_eq!(rounded(statistics.deviation()), "1.633");
        assert_eq!(statistics.peak_to_peak(), Some(4));
        let rate = statistics.rate().expect("a rate");
        assert_eq!(rate.rate, Rate::from_micro_ppb(1_200_000));
        // Residuals of -0.2, 0.6, -0.6 and 0.2 over two degrees of freedom; the squares of the
        // times sum to 5.
        assert_eq!(rate.uncertainty, Rate::from_micro_ppb(282_843));
    }

    #[test]
    fn a_step_begins_the_statistics_anew() {
        let mut statistics = of(&[(0, 5)]);
        statistics.add(at(1), Offset::from_nanoseconds(5_000), true);
        assert_eq!((statistics.all, statistics.count, statistics.steps), (2, 1, 1));
        assert_eq!(rounded(statistics.mean()), "5000.000");
    }

    #[test]
    fn an_absence_begins_the_statistics_anew_and_a_miss_does_not() {
        let mut statistics = of(&[(0, 5), (1, 7)]);
        statistics.miss();
        assert_eq!(
            (statistics.count, statistics.misses, rounded(statistics.mean())),
            (2, 1, "6.000".into())
        );
        statistics.absent();
        assert_eq!((statistics.count, statistics.absences, statistics.mean()), (0, 1, None));
        statistics.add(at(2), Offset::from_nanoseconds(5_000), false);
        assert_eq!(
            (statistics.all, statistics.count, rounded(statistics.mean())),
            (3, 1, "5000.000".into())
        );
    }
}
