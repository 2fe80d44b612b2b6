//! The offset and the rate of a clock from readings between two readings of a system clock.

use super::line::{FARTHEST, Line};
use crate::decimal::divide_to_nearest;
use crate::frequency::fixed;
use crate::phc::Sample;
use crate::{Offset, Timestamp, Unknown};

/// What samples say of a clock's offset, at the moment for which they say the most.
///
/// The clock was read somewhere between the two system times of a sample. Where both clocks go
/// evenly, one straight line passes through all samples; what all lines that do have in common
/// holds the truth. It is proven as far as each sample's times are, and as the two clocks were
/// steady meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Clock − system clock.
    pub offset: Offset,
    /// The offset is off by this at most.
    pub bound: Offset,
    /// From the system time before the reading to the one after it, in the best sample.
    ///
    /// Half of it is what no number of samples improves: nobody can tell how much of it is on the
    /// way there and how much on the way back.
    pub delay: Offset,
    /// When, on the system clock, in nanoseconds.
    pub at: i128,
    /// How the offset was found.
    pub way: Way,
    /// How fast the clock goes beside the system clock; `None` where a line doesn't tell.
    pub pace: Option<Pace>,
    /// How many samples there were.
    pub samples: usize,
    /// How many of them were useless: the system clock went backwards in between.
    pub useless: usize,
    /// How often one of the clocks was stepped in between: what was before a step doesn't count.
    pub steps: usize,
}

/// How an offset was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By all straight lines through all samples.
    Line,
    /// No straight line passes through all samples, because one of the clocks wanders or is being
    /// slewed: by the sample with the shortest delay alone, at its own moment.
    BestSample,
}

/// How much faster one clock goes than another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// In millionths of a ppb.
    pub micro_ppb: i128,
    /// It is off by this at most, in millionths of a ppb.
    pub bound: i128,
}

impl Pace {
    /// In ppb, written with three decimals at most.
    pub fn ppb(&self) -> String {
        fixed(divide_to_nearest(self.micro_ppb, 1_000), 3)
    }

    /// The bound in ppb, rounded up to three decimals.
    pub fn bound_ppb(&self) -> String {
        fixed(-(-self.bound).div_euclid(1_000), 3)
    }
}

impl Estimate {
    /// The part of the bound that no number of samples improves, as far as that can be told: half
    /// of the shortest delay at most.
    pub fn asymmetry(&self) -> Offset {
        let delay = self.delay.nanoseconds();
        self.bound.min(Offset::from_nanoseconds(delay / 2 + delay % 2))
    }
}

/// Finds the offset of a clock from the samples that it is given, one by one. However many they
/// are, it needs little memory.
#[derive(Clone, Debug, Default)]
pub struct Estimator {
    /// The first sample since the last step.
    first: Option<Sample>,
    last: Reading,
    /// The shortest delay, and its reading.
    best: (i64, Reading),
    line: Line,
    samples: usize,
    useless: usize,
    steps: usize,
}

/// A sample, in nanoseconds from the first one's clock and the first one's system time.
#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    clock: i64,
    before: i64,
    after: i64,
}

/// A clock that goes by another hundredth than the system's from one sample to the next was
/// stepped.
const FASTEST: i64 = 100;

/// Times are cut to whole nanoseconds: a moment is up to this later than its time.
const CUT: i64 = 1;

impl Estimator {
    /// Takes one more sample.
    pub fn add(&mut self, sample: Sample) {
        self.samples += 1;
        if sample.after < sample.before {
            self.useless += 1;
            return;
        }
        let reading = match self.first {
            // What is as far away as that was stepped, too.
            Some(first) => Reading::of(&sample, &first).filter(|next| !self.last.is_step(next)),
            None => None,
        };
        let reading = if let Some(reading) = reading {
            if reading.delay() < self.best.0 {
                self.best = (reading.delay(), reading);
            }
            reading
        } else {
            self.steps += usize::from(self.first.is_some());
            let Some(reading) = Reading::of(&sample, &sample) else {
                self.useless += 1;
                return;
            };
            (self.first, self.line) = (Some(sample), Line::default());
            self.best = (reading.delay(), reading);
            reading
        };
        self.last = reading;
        self.line.push(reading.clock, reading.before - CUT, reading.after + CUT);
    }

    /// What the samples so far say.
    ///
    /// `None` where no sample is of use: there are none, the system clock went backwards in each,
    /// or the offset doesn't fit 64 bits of nanoseconds.
    pub fn estimate(&self) -> Option<Estimate> {
        let first = self.first?;
        let (delay, best) = self.best;
        let feasible = self.line.feasible();
        // The system's time when the clock showed its own, between two bounds.
        let (clock, (low, high)) = match feasible {
            Some(feasible) => (feasible.clock, feasible.system),
            None => (best.clock, ((best.before - CUT).into(), (best.after + CUT).into())),
        };
        let clock = first.phc.total_nanoseconds() + i128::from(clock);
        let start = first.before.total_nanoseconds();
        let (low, high) = (start + low, start + high);
        // Twice the middle is a whole number; the offset from the middle is rounded down.
        let twice_the_offset = 2 * clock - low - high;
        let pace = feasible.and_then(|feasible| feasible.pace);
        Some(Estimate {
            offset: Offset::from_nanoseconds(i64::try_from(twice_the_offset.div_euclid(2)).ok()?),
            bound: Offset::from_nanoseconds(i64::try_from((high - low + 1) / 2).ok()?),
            delay: Offset::from_nanoseconds(delay),
            at: (low + high).div_euclid(2),
            way: if feasible.is_some() { Way::Line } else { Way::BestSample },
            pace: pace.map(|(slow, fast)| Pace {
                micro_ppb: i128::midpoint(slow, fast),
                bound: (fast - slow + 1) / 2,
            }),
            samples: self.samples,
            useless: self.useless,
            steps: self.steps,
        })
    }
}

impl Reading {
    /// A sample beside the first one; `None` where it is farther away than a line can be.
    fn of(sample: &Sample, first: &Sample) -> Option<Self> {
        let from = |time: Timestamp<Unknown>, first: Timestamp<Unknown>| {
            let seconds = time.seconds().saturating_sub(first.seconds());
            let part = i64::from(time.nanoseconds()) - i64::from(first.nanoseconds());
            let most = FARTHEST / 1_000_000_000;
            (-most < seconds && seconds < most).then(|| seconds * 1_000_000_000 + part)
        };
        Some(Self {
            clock: from(sample.phc, first.phc)?,
            before: from(sample.before, first.before)?,
            after: from(sample.after, first.before)?,
        })
    }

    fn delay(&self) -> i64 {
        self.after - self.before
    }

    /// Whether one of the clocks was stepped between this one and the next.
    fn is_step(&self, next: &Self) -> bool {
        if next.clock < self.clock || next.before < self.before {
            return true;
        }
        let offsets = |one: &Self| (one.clock - one.after, one.clock - one.before);
        let (low, high) = offsets(self);
        let (next_low, next_high) = offsets(next);
        let apart = (next_low - high).max(low - next_high);
        apart > 2 * CUT && apart > (next.after - self.before) / FASTEST + 2 * CUT
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
/// // The clock is 4 us ahead. Two samples were quick on the way back, the one between on the way
/// // there: neither way alone says where the clock was read.
/// let samples = [
///     Sample { before: at(0), phc: at(5_600), after: at(1_700) },
///     Sample { before: at(9_000), phc: at(13_100), after: at(10_600) },
///     Sample { before: at(18_000), phc: at(23_400), after: at(19_500) },
/// ];
/// let estimate = estimate(&samples).expect("a sample is of use");
/// assert_eq!(estimate.offset.to_string(), "4 us");
/// assert_eq!(estimate.bound.to_string(), "101 ns");
/// assert_eq!(estimate.delay.to_string(), "1.5 us");
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
    /// How much faster the first clock goes than the second, where that is told.
    pub pace: Option<Pace>,
}

/// The first clock's offset at the moment of the second's, between an estimate of the first
/// before and one after, minus the second's. The bounds add up.
///
/// `None` where the difference doesn't fit 64 bits of nanoseconds, or the moments are so far apart
/// that 128 bits don't do on the way.
pub fn difference(before: &Estimate, second: &Estimate, after: &Estimate) -> Option<Difference> {
    let (from, to) = (before.offset.nanoseconds(), after.offset.nanoseconds());
    let span = after.at.checked_sub(before.at)?;
    let gone = second.at.checked_sub(before.at)?.clamp(0, span.max(0));
    let moved = (i128::from(to) - i128::from(from)).checked_mul(gone)?;
    let (share, rounded) = match span {
        1.. => (moved.div_euclid(span), i64::from(moved % span != 0)),
        _ => (0, 0),
    };
    let first = i128::from(from) + share;
    let offset = i64::try_from(first - i128::from(second.offset.nanoseconds())).ok()?;
    let bound = before.bound.max(after.bound).nanoseconds().checked_add(rounded)?;
    Some(Difference {
        offset: Offset::from_nanoseconds(offset),
        bound: Offset::from_nanoseconds(bound.checked_add(second.bound.nanoseconds())?),
        pace: first_pace(before, after).zip(second.pace).and_then(|(first, second)| {
            let micro_ppb = first.micro_ppb.checked_sub(second.micro_ppb)?;
            Some(Pace { micro_ppb, bound: first.bound.checked_add(second.bound)? })
        }),
    })
}

/// The pace of a clock between two estimates of it: the best of what either tells, and of how far
/// the offset has moved from one to the other.
fn first_pace(before: &Estimate, after: &Estimate) -> Option<Pace> {
    let span = after.at.checked_sub(before.at)?;
    let per = |nanoseconds: i64| i128::from(nanoseconds).checked_mul(1_000_000_000_000_000);
    let between = (span > 0).then(|| {
        let moved = after.offset.nanoseconds().checked_sub(before.offset.nanoseconds())?;
        let doubt = before.bound.nanoseconds().checked_add(after.bound.nanoseconds())?;
        Some(Pace { micro_ppb: per(moved)? / span, bound: per(doubt)? / span + 2 })
    });
    [before.pace, after.pace, between.flatten()].into_iter().flatten().min_by_key(|pace| pace.bound)
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
    fn quick_ways_there_and_back_are_put_together() {
        let samples =
            [sample(0, 950, 1_000), sample(2_000, 2_050, 3_000), sample(5_000, 5_950, 6_000)];
        let estimate = estimate(&samples).expect("an estimate");
        assert_eq!((estimate.offset.nanoseconds(), estimate.bound.nanoseconds()), (0, 51));
        assert_eq!((estimate.way, estimate.delay.nanoseconds()), (Way::Line, 1_000));
        assert_eq!((estimate.samples, estimate.useless, estimate.steps), (3, 0, 0));
    }

    #[test]
    fn what_was_before_a_step_does_not_count() {
        // The clock goes a microsecond ahead; then the system clock does.
        let samples = [
            sample(0, 50, 100),
            sample(1_000, 2_050, 1_100),
            sample(2_000, 3_050, 2_100),
            sample(4_000, 4_050, 4_100),
        ];
        let after = |number| estimate(&samples[..number]).expect("an estimate");
        assert_eq!((after(3).steps, after(3).offset.nanoseconds()), (1, 1_000));
        assert_eq!((after(4).steps, after(4).offset.nanoseconds()), (2, 0));
    }

    #[test]
    fn where_no_line_fits_the_best_sample_counts() {
        // A clock that goes to and fro by less than looks like a step.
        let samples = [
            sample(0, 50, 100),
            sample(100_000, 100_550, 100_200),
            sample(200_000, 200_030, 200_060),
        ];
        let estimate = estimate(&samples).expect("an estimate");
        assert_eq!((estimate.way, estimate.pace), (Way::BestSample, None));
        assert_eq!((estimate.offset.nanoseconds(), estimate.bound.nanoseconds()), (0, 31));
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
        assert_eq!(difference.bound.nanoseconds(), 12);
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

    #[test]
    fn estimates_that_are_farther_apart_than_any_clocks_have_no_difference() {
        let estimate = |offset, at| Estimate {
            offset: Offset::from_nanoseconds(offset),
            at,
            ..estimate(&[sample(0, 0, 0), sample(10, 10, 10)]).expect("one")
        };
        let (early, late) = (estimate(i64::MIN, i128::MIN), estimate(i64::MAX, i128::MAX));
        assert_eq!(difference(&early, &late, &late), None);
        let (early, late) = (estimate(i64::MIN, -(1 << 93)), estimate(i64::MAX, 1 << 93));
        assert_eq!(difference(&early, &late, &late), None);
    }
}
