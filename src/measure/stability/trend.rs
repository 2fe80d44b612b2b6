//! The frequency offset and the drift of a clock, by least squares.

#![expect(clippy::float_arithmetic, reason = "statistics")]

use super::{float, float_of, float_of_sum};

/// What a parabola through offsets tells, by least squares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// How much faster the clock goes than its reference, in ppb: the slope of a straight line.
    pub frequency_ppb: f64,
    /// Its standard deviation, by how the offsets leave the parabola; `None` of fewer than eight.
    pub frequency_uncertainty_ppb: Option<f64>,
    /// How much faster it gets, in ppb a day: twice the quadratic term of a parabola.
    pub drift_ppb_per_day: f64,
    /// Its standard deviation, as the frequency's.
    pub drift_uncertainty_ppb_per_day: Option<f64>,
    /// The parabola, in nanoseconds and numbers of offsets from the middle.
    parabola: [f64; 3],
    middle: f64,
}

/// A day in nanoseconds.
const DAY: f64 = 86_400e9;

/// The trend of offsets that are `distance` nanoseconds apart; `None` for fewer than three, and
/// where they have no distance.
///
/// # Examples
///
/// ```
/// let offsets: Vec<i64> = (0..100).map(|second| 25 * second).collect();
/// let trend = ptpctl::measure::stability::trend(&offsets, 1_000_000_000).expect("a trend");
/// assert_eq!(format!("{:.6}", trend.frequency_ppb), "25.000000");
/// ```
pub fn trend(offsets: &[i64], distance: u64) -> Option<Trend> {
    let number = offsets.len();
    if number < 3 || distance == 0 {
        return None;
    }
    let (count, first) = (float(number), offsets.first().copied()?);
    let middle = (count - 1.0) / 2.0;
    // From the middle, odd and even powers don't mix.
    let (mut s0, mut s1, mut s2) = (0.0, 0.0, 0.0);
    for (place, offset) in offsets.iter().enumerate() {
        let (t, x) = (float(place) - middle, float_of_sum(i128::from(*offset) - i128::from(first)));
        s0 += x;
        s1 += x * t;
        s2 += x * t * t;
    }
    let t2 = count * (count * count - 1.0) / 12.0;
    let t4 = t2 * (3.0 * count * count - 7.0) / 20.0;
    let slope = s1 / t2;
    let curve = (s2 - s0 * t2 / count) / (t4 - t2 * t2 / count);
    let level = (s0 - curve * t2) / count;
    let distance = float_of(distance);
    let mut trend = Trend {
        frequency_ppb: slope / distance * 1e9,
        frequency_uncertainty_ppb: None,
        drift_ppb_per_day: 2.0 * curve / distance / distance * 1e9 * DAY,
        drift_uncertainty_ppb_per_day: None,
        parabola: [level, slope, curve],
        middle,
    };
    if number >= FEWEST {
        let deviation = scatter(offsets, first, &trend).sqrt();
        let of_curve = deviation / (t4 - t2 * t2 / count).sqrt();
        trend.frequency_uncertainty_ppb = Some(deviation / t2.sqrt() / distance * 1e9);
        trend.drift_uncertainty_ppb_per_day =
            Some(2.0 * of_curve / distance / distance * 1e9 * DAY);
    }
    Some(trend)
}

/// Fewer offsets don't tell how sure their trend is.
const FEWEST: usize = 8;
/// Offsets that were cut to whole nanoseconds vary by this at least.
const CUT_VARIANCE: f64 = 1.0 / 12.0;
/// Neighbours that are alike to this part or more are hardly two.
const MOST_ALIKE: f64 = 0.99;

/// How offsets scatter around a parabola: their variance, as large as it takes for that of as many that
/// are independent. Where one is like the one before by the correlation *r*, there are fewer by
/// (1 − r) / (1 + r) (first-order autoregression; Box, Jenkins, "Time Series Analysis", 1970).
fn scatter(offsets: &[i64], first: i64, trend: &Trend) -> f64 {
    let (mut squares, mut products, mut last) = (0.0, 0.0, None);
    for (place, offset) in offsets.iter().enumerate() {
        let offset = float_of_sum(i128::from(*offset) - i128::from(first));
        let rest = offset - trend.quadratic_at(float(place));
        squares += rest * rest;
        products += last.map_or(0.0, |last: f64| last * rest);
        last = Some(rest);
    }
    let alike = if squares > 0.0 { products / squares } else { 0.0 };
    let alike = alike.clamp(0.0, MOST_ALIKE);
    let variance = squares / (float(offsets.len()) - 3.0).max(1.0);
    variance.max(CUT_VARIANCE) * (1.0 + alike) / (1.0 - alike)
}

impl Trend {
    /// The parabola at an offset's number, in nanoseconds from the first offset.
    pub(super) fn quadratic_at(&self, place: f64) -> f64 {
        let [level, slope, curve] = self.parabola;
        let t = place - self.middle;
        (curve * t + slope) * t + level
    }
}
