//! The library with the largest values: it gives a result or none, and never panics or overflows.
//! These tests run with overflow checks.

#![cfg(feature = "stability")]
#![expect(clippy::expect_used, reason = "a test that can't run has failed")]

use proptest::collection::vec;
use proptest::prelude::*;
use ptpctl::measure::stability::{
    Evidence, Point, Steps, Terms, TimeErrors, low_pass, masks, octaves, series,
};
use ptpctl::measure::{DifferenceEstimator, Estimator, Gaps, estimate};
use ptpctl::{Frequency, Offset, Rate, Sample, Scale, Timestamp};

/// Numbers at both ends of their range, numbers near the times of real clocks, and any others.
fn numbers() -> impl Strategy<Value = i64> {
    prop_oneof![
        Just(i64::MIN),
        Just(i64::MAX),
        Just(i64::MAX / 1_000_000_000),
        -5_i64..5,
        1_700_000_000_i64..1_700_000_005,
        any::<i64>(),
    ]
}

fn times<S: Scale>() -> impl Strategy<Value = Timestamp<S>> {
    (numbers(), 0_u32..1_000_000_000)
        .prop_map(|(seconds, part)| Timestamp::new(seconds, part).expect("in range"))
}

fn samples() -> impl Strategy<Value = Vec<Sample>> {
    let sample = (times(), times(), times());
    vec(sample.prop_map(|(before, phc, after)| Sample { before, phc, after }), 1..8)
}

proptest! {
    #[test]
    fn of_samples(first in samples(), second in samples(), third in samples()) {
        let mut estimator = Estimator::default();
        for sample in &first {
            estimator.add(*sample);
        }
        for limit in [Rate::ZERO, Rate::from_ppb(1_000_000), Rate::from_micro_ppb(i128::MAX)] {
            let mut both = DifferenceEstimator::new(limit);
            for (one, other) in second.iter().zip(&third) {
                both.add(*one, *other);
            }
            let _ = both.estimate();
        }
        let all = [estimator.estimate(), estimate(&second), estimate(&third)];
        for one in all.iter().flatten() {
            let _ = one.rate.map(|rate| (rate.rate.ppb(), rate.uncertainty.to_string()));
        }
    }

    #[test]
    fn of_offsets(points in vec((numbers(), numbers(), any::<bool>()), 0..30)) {
        let point = |&(at, offset, stepped): &(i64, i64, bool)| Point {
            at: i128::from(at) * 1_000_000_000,
            offset: Offset::from_nanoseconds(offset).into(),
            stepped,
        };
        let points: Vec<_> = points.iter().map(point).collect();
        for steps in [Steps::Keep, Steps::Remove, Steps::Split] {
            let Some(series) = series(&points.iter().copied().collect(), steps) else { continue };
            let _ = low_pass(&series);
            let _ = series.trend();
            let _ = series.all_deviations(&octaves(series.places()));
            let mut errors = TimeErrors::default();
            for point in &points {
                errors.add(point.offset, Some(point.offset.outwards()));
            }
            let evidence = Evidence { series: &series, errors: &errors, noise: Some(f64::MAX) };
            for mask in masks() {
                let _ = mask.judge(&evidence, Terms { partial: true, symmetric: false });
            }
        }
    }

    #[test]
    fn of_times(one in times::<ptpctl::Utc>(), other in times(), number in numbers()) {
        let offset = Offset::from_nanoseconds(number);
        let _ = (one.since(other), one.plus(offset), one.to_string());
        let _ = (offset.seconds_and_nanoseconds(), offset.to_string());
        let frequency = Frequency::from_scaled_ppm(number);
        let _ = (frequency.ppb(), frequency.ppm(), frequency.kernel_ppb(), frequency.to_string());
    }

    #[test]
    fn of_events(times: Vec<i128>) {
        let mut gaps = Gaps::default();
        for time in times {
            gaps.next(time);
        }
    }
}
