//! The offset of a clock from readings between two readings of a system clock.

use crate::Offset;
use crate::phc::Sample;

/// What samples say of a clock's offset.
///
/// The clock was read somewhere between the two system times of a sample, so its true offset at
/// that moment is within half of their distance of *clock − middle*: that is the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Clock − system clock.
    pub offset: Offset,
    /// From the system time before the reading to the one after it, in the best sample.
    pub delay: Offset,
    /// The offset is off by this at most: half the delay, rounded up.
    pub bound: Offset,
    /// The middle of the best sample on the system clock, in nanoseconds.
    pub at: i128,
    /// How many samples there were.
    pub samples: usize,
    /// How many of them were useless: the system clock went backwards in between.
    pub useless: usize,
}

/// Finds the sample with the shortest delay, the first of several, among those that it is given.
#[derive(Clone, Copy, Debug, Default)]
pub struct Estimator {
    best: Option<(Offset, Sample)>,
    samples: usize,
    useless: usize,
}

impl Estimator {
    /// Takes one more sample.
    pub fn add(&mut self, sample: Sample) {
        self.samples += 1;
        match sample.after.since(sample.before) {
            Some(delay) if delay >= Offset::ZERO => {
                if self.best.is_none_or(|(shortest, _)| delay < shortest) {
                    self.best = Some((delay, sample));
                }
            }
            _ => self.useless += 1,
        }
    }

    /// What the samples so far say.
    ///
    /// `None` where no sample is of use: there are none, the system clock went backwards in each,
    /// or the offset doesn't fit 64 bits of nanoseconds.
    pub fn estimate(&self) -> Option<Estimate> {
        let (delay, best) = self.best?;
        // Twice the middle is a whole number; the offset from the middle is rounded down.
        let twice_the_middle = best.before.total_nanoseconds() + best.after.total_nanoseconds();
        let twice_the_offset = 2 * best.phc.total_nanoseconds() - twice_the_middle;
        Some(Estimate {
            offset: Offset::from_nanoseconds(i64::try_from(twice_the_offset.div_euclid(2)).ok()?),
            delay,
            bound: Offset::from_nanoseconds(delay.nanoseconds() / 2 + delay.nanoseconds() % 2),
            at: twice_the_middle.div_euclid(2),
            samples: self.samples,
            useless: self.useless,
        })
    }
}

/// What samples say, by an [`Estimator`].
///
/// # Examples
///
/// ```
/// use ptpctl::{Timestamp, measure::estimate, phc::Sample};
///
/// let at = |nanoseconds| Timestamp::new(1_700_000_000, nanoseconds).expect("in range");
/// let samples = [
///     Sample { before: at(0), phc: at(5_000), after: at(2_000) },
///     Sample { before: at(9_000), phc: at(13_600), after: at(10_000) },
/// ];
/// let estimate = estimate(&samples).expect("a sample is of use");
/// assert_eq!(estimate.offset.to_string(), "4.1 us");
/// assert_eq!(estimate.bound.to_string(), "500 ns");
/// ```
pub fn estimate(samples: &[Sample]) -> Option<Estimate> {
    let mut estimator = Estimator::default();
    for sample in samples {
        estimator.add(*sample);
    }
    estimator.estimate()
}

/// One clock − another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// First clock − second clock.
    pub offset: Offset,
    /// The offset is off by this at most.
    pub bound: Offset,
}

/// The first clock's offset at the moment of the second's, between an estimate of the first
/// before and one after, minus the second's. The bounds add up.
///
/// `None` where the difference doesn't fit 64 bits of nanoseconds.
pub fn difference(before: &Estimate, second: &Estimate, after: &Estimate) -> Option<Difference> {
    let (from, to) = (before.offset.nanoseconds(), after.offset.nanoseconds());
    let span = after.at - before.at;
    let gone = (second.at - before.at).clamp(0, span.max(0));
    let moved = i128::from(to) - i128::from(from);
    let (share, rounded) = match span {
        1.. => ((moved * gone).div_euclid(span), i64::from((moved * gone) % span != 0)),
        _ => (0, 0),
    };
    let first = i128::from(from) + share;
    let offset = i64::try_from(first - i128::from(second.offset.nanoseconds())).ok()?;
    let bound = before.bound.max(after.bound).nanoseconds().checked_add(rounded)?;
    Some(Difference {
        offset: Offset::from_nanoseconds(offset),
        bound: Offset::from_nanoseconds(bound.checked_add(second.bound.nanoseconds())?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    fn sample(before: i128, phc: i128, after: i128) -> Sample {
        let at = |time| Timestamp::from_total_nanoseconds(time).expect("in range");
        Sample { before: at(before), phc: at(phc), after: at(after) }
    }

    #[test]
    fn the_shortest_delay_wins_and_half_of_it_is_the_bound() {
        let samples =
            [sample(0, 600, 1_000), sample(2_000, 2_153, 2_301), sample(5_000, 5_900, 6_000)];
        let estimate = estimate(&samples).expect("an estimate");
        assert_eq!(estimate.offset.nanoseconds(), 2); // 2153 - 2150.5, rounded down
        assert_eq!(estimate.delay.nanoseconds(), 301);
        assert_eq!(estimate.bound.nanoseconds(), 151);
        assert_eq!((estimate.samples, estimate.useless), (3, 0));
    }

    #[test]
    fn samples_in_which_the_system_clock_went_backwards_are_of_no_use() {
        let backwards = sample(1_000, 600, 900);
        let best = estimate(&[backwards, sample(2_000, 2_200, 2_300)]).expect("an estimate");
        assert_eq!((best.offset.nanoseconds(), best.useless), (50, 1));
        assert_eq!(estimate(&[backwards]), None);
        assert_eq!(estimate(&[]), None);
    }

    #[test]
    fn the_difference_is_taken_at_the_second_clocks_moment() {
        let at = |sample| estimate(&[sample]).expect("an estimate");
        let first = at(sample(0, 1_005, 10)); // +1000 at 5
        let second = at(sample(100, 305, 110)); // +200 at 105
        let later = at(sample(200, 1_215, 210)); // +1010 at 205
        let difference = difference(&first, &second, &later).expect("a difference");
        assert_eq!(difference.offset.nanoseconds(), 805);
        assert_eq!(difference.bound.nanoseconds(), 10);
    }

    proptest::proptest! {
        #[test]
        fn the_bound_holds_the_truth_wherever_in_its_sample_the_clock_was_read(
            truth in -1_000_000_000_000_i64..1_000_000_000_000,
            delays in proptest::collection::vec((0_i128..20_000, 0_i128..20_000), 1..50),
        ) {
            let mut now = 1_700_000_000_000_000_000;
            let samples: Vec<_> = delays.iter().map(|(there, back)| {
                let before = now;
                now += there + back;
                sample(before, before + there + i128::from(truth), now)
            }).collect();
            let estimate = estimate(&samples).expect("an estimate");
            let error = estimate.offset.nanoseconds().abs_diff(truth);
            proptest::prop_assert!(error <= estimate.bound.nanoseconds().unsigned_abs());
        }
    }
}
