//! A picture of samples.

use crate::measure::{DifferenceEstimator, Estimate};
use crate::phc::Method;
use crate::report::plot::Offsets;
use crate::watch::Measurement;
use crate::{Offset, Rate, Sample};

/// A picture of samples: each is drawn at the middle of its bound.
pub(super) struct SamplesDrawing {
    pub(super) offsets: Offsets,
    of: Option<Method>,
    title: String,
    /// The delays of the first samples: one that takes ten times their median was interrupted.
    first: Vec<i64>,
}

/// How many delays the median is taken of.
const USUAL_OF: usize = 101;

impl SamplesDrawing {
    pub(super) fn new(title: String) -> Self {
        let mut offsets = Offsets::default();
        offsets.begin(&title);
        Self { offsets, of: None, title, first: Vec::new() }
    }

    /// Takes samples of a method. When the method changes, the samples of the one before are
    /// dropped.
    pub(super) fn take(&mut self, method: Method, samples: &[Sample]) {
        if self.of.replace(method).is_some_and(|before| before != method) {
            self.offsets = Offsets::default();
            self.offsets.begin(&self.title);
        }
        for sample in samples {
            let Some(delay) = sample.delay().filter(|delay| *delay >= Offset::ZERO) else {
                continue;
            };
            let half = delay.half();
            let at = sample.before.total_nanoseconds() + i128::from(half.nanoseconds());
            let Ok(offset) = i64::try_from(sample.phc.total_nanoseconds() - at) else { continue };
            let offset = Offset::from_nanoseconds(offset);
            self.take_one(at, offset, half, delay, sample.before != sample.after);
        }
    }

    /// Takes the samples of two clocks, in pairs of neighbours. The first clock's rate is within
    /// `limit`.
    pub(super) fn take_pairs(&mut self, limit: Rate, ones: &[Sample], others: &[Sample]) {
        for (one, other) in ones.iter().zip(others) {
            let mut both = DifferenceEstimator::new(limit);
            both.add(*one, *other);
            let Some(Estimate { at, offset, bound, delay, .. }) = both.estimate() else { continue };
            let is_told = [one, other].iter().all(|sample| sample.before != sample.after);
            self.take_one(at.total_nanoseconds(), offset, bound, delay, is_told);
        }
    }

    fn take_one(&mut self, at: i128, offset: Offset, bound: Offset, delay: Offset, is_told: bool) {
        if self.first.len() < USUAL_OF {
            self.first.push(delay.nanoseconds());
            self.first.sort_unstable();
        }
        let usual = self.first.get(self.first.len() / 2).copied().unwrap_or(0);
        if delay.nanoseconds() > usual.saturating_mul(10).max(1) {
            return;
        }
        let (bound, delay) = (is_told.then_some(bound), is_told.then_some(delay));
        let sample = Measurement { offset, bound, delay, ..Measurement::default() };
        self.offsets.take_sample(0, at, &sample);
    }
}
