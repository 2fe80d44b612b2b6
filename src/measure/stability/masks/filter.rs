//! The filter of 0.1 Hz that ITU-T G.8273.2 and G.8271.1 apply to time errors, and what it removes.

#![expect(clippy::float_arithmetic, reason = "a filter")]

use super::super::slot::Stretch;
use super::super::{Series, float_of, float_of_signed};
use super::judge::Lack;
use std::f64::consts::TAU;

/// Time errors after a filter.
#[derive(Clone, Debug)]
pub struct Filtered {
    /// The time errors in picoseconds, without those from while the filter settles.
    pub series: Series,
    /// The largest error while the filter settled, in nanoseconds.
    pub settling: f64,
}

/// How long the filter settles, in nanoseconds: at the beginning, and after a gap of that length.
const SETTLES: u64 = 10_000_000_000;
/// The filter's bandwidth, in Hz.
const BANDWIDTH: f64 = 0.1;
/// The longest distance of offsets that the filter takes, in nanoseconds: one offset a second, with
/// a margin for clocks that run fast or slow.
const LONGEST_DISTANCE: u64 = 1_010_000_000;
/// Offsets within this distance of the first one fit 64 bits of picoseconds.
const FARTHEST_ERROR: f64 = 1e15;

/// Time errors after a first-order low-pass filter of 0.1 Hz, without the ten seconds in which it
/// settles. Missing offsets stay missing: the filter takes the time that passed into account.
///
/// # Errors
///
/// Why the offsets don't allow it: they are too far apart, or too few.
pub fn low_pass(series: &Series) -> Result<Filtered, Lack> {
    pass(series, |_, low| low)
}

/// What the low-pass filter of 0.1 Hz removes.
///
/// # Errors
///
/// As for [`low_pass`].
pub fn high_pass(series: &Series) -> Result<Filtered, Lack> {
    pass(series, |error, low| error - low)
}

/// Applies `made` to each error and to the low-pass filter's output at that moment.
fn pass(series: &Series, made: impl Fn(f64, f64) -> f64) -> Result<Filtered, Lack> {
    if series.distance > LONGEST_DISTANCE {
        return Err(Lack::TooFarApart { needs: 1.0 });
    }
    let unit = series.unit();
    let settles = SETTLES / series.distance.max(1);
    let mut settling: f64 = 0.0;
    let mut stretches = Vec::new();
    for stretch in &series.stretches {
        let first = stretch.measured().next().map_or(0, |(_, first)| first);
        let base = float_of_signed(first) * unit;
        let (mut low, mut last, mut since) = (0.0, None, 0);
        let mut filtered = Stretch::at(stretch.place);
        for (place, offset) in stretch.measured() {
            let error = float_of_signed(offset) * unit - base;
            if error.abs() > FARTHEST_ERROR || base.abs() > FARTHEST_ERROR {
                return Err(Lack::TooFar);
            }
            let places = last.map_or(0, |last| place - last);
            if places > settles || last.is_none() {
                (low, since) = (error, place);
            }
            let time = float_of(places) * float_of(series.distance) * 1e-9;
            low += (1.0 - (-TAU * BANDWIDTH * time).exp()) * (error - low);
            last = Some(place);
            let error = made(error + base, low + base);
            if place - since < settles {
                settling = settling.max(error.abs());
                continue;
            }
            let places = if filtered.slots().is_empty() {
                filtered.place = place;
                1
            } else {
                usize::try_from(place + 1 - filtered.end()).unwrap_or(usize::MAX)
            };
            filtered.push(places, picoseconds(error));
        }
        stretches.extend((filtered.number() > 0).then_some(filtered));
    }
    if stretches.is_empty() {
        return Err(Lack::TooShort { needs: 2.0 * float_of(SETTLES) * 1e-9 });
    }
    let Series { distance, start, crowded, steps, breaks, pattern, .. } = *series;
    let series =
        Series { distance, decimals: 3, start, stretches, crowded, steps, breaks, pattern };
    Ok(Filtered { series, settling })
}

#[expect(clippy::cast_possible_truncation, reason = "a cast from float saturates")]
fn picoseconds(nanoseconds: f64) -> i64 {
    (nanoseconds * 1e3).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_of_a_tenth_of_a_hertz_wants_an_offset_a_second() {
        let series = |distance| Series::even(distance, (0..1_000).map(|place| 10 * (place % 2)));
        assert!(matches!(low_pass(&series(2_000_000_000)), Err(Lack::TooFarApart { .. })));
        assert!(matches!(low_pass(&series(1_000_000)), Err(Lack::TooShort { .. })));
        // What is faster than it doesn't get through.
        let smooth = low_pass(&series(100_000_000)).expect("filtered").series;
        let (least, most) = (smooth.offsets().min(), smooth.offsets().max());
        let (least, most) = (least.expect("one"), most.expect("one"));
        assert!(most - least < 700 && (4_000..6_000).contains(&least), "{least} {most}");
        // The high-pass filter passes what the low-pass filter removes.
        let rough = high_pass(&series(100_000_000)).expect("filtered").series;
        let both: Vec<i64> = smooth.offsets().zip(rough.offsets()).map(|(a, b)| a + b).collect();
        assert!(both.iter().all(|sum| sum % 10_000 < 2 || sum % 10_000 > 9_998), "{both:?}");
    }

    #[test]
    fn what_is_missing_stays_missing_and_a_long_gap_settles_again() {
        let mut series = Series::even(100_000_000, (0..1_000).map(|_| 7));
        let stretch = series.stretches.first_mut().expect("one");
        stretch.push(5, 7);
        stretch.push(500, 7);
        for _ in 0..200 {
            stretch.push(1, 7);
        }
        let smooth = low_pass(&series).expect("filtered").series;
        // Four and 499 that were missing, and the 100 in which it settles.
        assert_eq!((smooth.measured(), smooth.missing()), (1_000 - 100 + 1 + 101, 4 + 499 + 100));
        assert!(smooth.offsets().all(|offset| offset == 7_000));
    }
}
