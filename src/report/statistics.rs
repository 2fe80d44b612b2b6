//! Mean, deviation, range and rate of offsets as they come.

#![expect(clippy::float_arithmetic, reason = "statistics")]

use super::chart::{Unit, float};
use super::{Cell, Value};
use crate::Offset;

/// What offsets have in common, kept in little memory: exact but for the squares.
///
/// A step and a loss begin it anew: a mean over them says nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statistics {
    /// How many offsets there were in all.
    pub(crate) all: u64,
    /// How many there were since the last step or loss.
    pub(crate) count: u64,
    /// Of the first one; all others count from it.
    first: Option<(i128, i64)>,
    mean: f64,
    /// The mean of the times.
    mean_time: f64,
    squares: f64,
    time_squares: f64,
    products: f64,
    low: i64,
    high: i64,
    pub(crate) steps: u64,
    pub(crate) losses: u64,
}

impl Statistics {
    /// Takes an offset.
    pub(crate) fn add(&mut self, at: i128, offset: Offset, stepped: bool) {
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
        let (x, t) = (float(i128::from(offset) - i128::from(base)), float(at - start));
        let number = float(i128::from(self.count));
        let (from_mean, from_mean_time) = (x - self.mean, t - self.mean_time);
        self.mean += from_mean / number;
        self.mean_time += from_mean_time / number;
        self.squares += from_mean * (x - self.mean);
        self.time_squares += from_mean_time * (t - self.mean_time);
        self.products += from_mean_time * (x - self.mean);
    }

    /// Counts a loss: what comes back may be another clock.
    pub(crate) fn lose(&mut self) {
        self.begin_anew();
        self.losses += 1;
    }

    fn begin_anew(&mut self) {
        let Self { all, steps, losses, .. } = *self;
        *self = Self { all, steps, losses, ..Self::default() };
    }

    /// In nanoseconds.
    pub(crate) fn mean(&self) -> Option<f64> {
        self.first.map(|(_, base)| float(base.into()) + self.mean)
    }

    /// In nanoseconds.
    pub(crate) fn deviation(&self) -> Option<f64> {
        (self.count > 1).then(|| (self.squares / float(i128::from(self.count) - 1)).sqrt())
    }

    /// In nanoseconds.
    pub(crate) fn peak_to_peak(&self) -> Option<u64> {
        self.first.map(|_| self.high.abs_diff(self.low))
    }

    /// The slope of the line of least squares, in ppb.
    pub(crate) fn rate(&self) -> Option<f64> {
        (self.time_squares > 0.0).then(|| self.products / self.time_squares * 1e9)
    }

    /// A line of a table.
    pub(crate) fn cells(&self, device: &str, reference: &str) -> Vec<Cell> {
        let told = |value: Option<f64>| {
            let text = value.map_or("-".into(), |value| Unit::Fitting.write(value));
            (text, value.map_or(Value::Null, |value| Value::Decimal(format!("{value:.3}"))))
        };
        let range = self.peak_to_peak();
        vec![
            (device.to_owned(), device.into()),
            (reference.to_owned(), reference.into()),
            (self.all.to_string(), self.all.into()),
            (self.count.to_string(), self.count.into()),
            told(self.mean()),
            told(self.deviation()),
            (
                range.map_or("-".into(), |range| Unit::Fitting.write(float(range.into()))),
                range.into(),
            ),
            (self.steps.to_string(), self.steps.into()),
            (self.losses.to_string(), self.losses.into()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::chart::short;

    const SECOND: i128 = 1_000_000_000;

    #[test]
    fn statistics_are_those_of_the_offsets() {
        let mut statistics = Statistics::default();
        for (second, offset) in [(0, 2), (1, 4), (2, 4), (3, 6)] {
            let offset = Offset::from_nanoseconds(37_000_000_000 + offset);
            statistics.add(second * SECOND, offset, false);
        }
        assert_eq!(statistics.mean().map(short), Some("37000000004".into()));
        assert_eq!(statistics.deviation().map(short), Some("1.633".into()));
        assert_eq!(statistics.peak_to_peak(), Some(4));
        assert_eq!(statistics.rate().map(short), Some("1.2".into()));
    }

    #[test]
    fn a_step_begins_the_statistics_anew() {
        let mut statistics = Statistics::default();
        statistics.add(0, Offset::from_nanoseconds(5), false);
        statistics.add(SECOND, Offset::from_nanoseconds(5_000), true);
        assert_eq!((statistics.all, statistics.count, statistics.steps), (2, 1, 1));
        assert_eq!(statistics.mean().map(short), Some("5000".into()));
    }

    #[test]
    fn a_loss_begins_the_statistics_anew() {
        let mut statistics = Statistics::default();
        statistics.add(0, Offset::from_nanoseconds(5), false);
        statistics.lose();
        assert_eq!((statistics.count, statistics.mean()), (0, None));
        statistics.add(SECOND, Offset::from_nanoseconds(5_000), false);
        assert_eq!((statistics.all, statistics.count, statistics.losses), (2, 1, 1));
        assert_eq!(statistics.mean().map(short), Some("5000".into()));
    }
}
