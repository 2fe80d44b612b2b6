//! The frequency offset and the drift of a clock, by least squares.

#![expect(clippy::float_arithmetic, reason = "statistics")]

use super::slot::Stretch;
use super::{Series, float, float_of, float_of_sum};

/// What a parabola through offsets tells, by least squares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// How much faster the clock goes than its reference, in ppb: the slope of a straight line.
    pub frequency_ppb: f64,
    /// Its standard deviation, by how the offsets scatter around the parabola; `None` where there
    /// are fewer than eight.
    pub frequency_uncertainty_ppb: Option<f64>,
    /// How much faster it gets, in ppb a day: twice the quadratic term of a parabola; `None` where
    /// there are two offsets.
    pub drift_ppb_per_day: Option<f64>,
    /// Its standard deviation, as for the frequency.
    pub drift_uncertainty_ppb_per_day: Option<f64>,
}

/// A day in nanoseconds.
const DAY: f64 = 86_400e9;

/// Fewer offsets don't tell how sure their trend is.
const FEWEST: usize = 8;
/// The least variance of offsets that were cut to whole nanoseconds.
const CUT_VARIANCE: f64 = 1.0 / 12.0;
/// The largest correlation of neighbours that is counted: beyond it, two are hardly more than one.
const MOST_ALIKE: f64 = 0.99;

/// A line and a parabola through stretches of offsets, in nanoseconds and places. All stretches
/// have the same slope and the same curve, and each has a level of its own.
pub(super) struct Parabola {
    /// The slope of the straight line.
    line_slope: f64,
    slope: f64,
    curve: f64,
    /// The place from which places are counted.
    middle: f64,
    levels: Vec<f64>,
    /// The weights of the slopes and the curve: the sums that least squares divides by.
    line_weight: f64,
    curve_weight: f64,
    number: usize,
}

impl Parabola {
    /// `None` where no stretch has two offsets.
    pub(super) fn through(stretches: &[Stretch]) -> Option<Self> {
        let places = stretches.last().map_or(0, Stretch::end);
        let middle = (float_of(places) - 1.0) / 2.0;
        let all: Vec<Sums> = stretches.iter().map(|stretch| Sums::of(stretch, middle)).collect();
        let sum = |of: fn(&Sums) -> f64| all.iter().map(of).sum::<f64>();
        let (tt, tq, qq) = (sum(Sums::tt), sum(Sums::tq), sum(Sums::qq));
        let (tx, qx) = (sum(Sums::tx), sum(Sums::qx));
        if tt <= 0.0 {
            return None;
        }
        let curve_weight = qq - tq * tq / tt;
        // With two offsets, only rounding errors are left.
        let curve = if curve_weight > qq * 1e-9 { (qx - tq * tx / tt) / curve_weight } else { 0.0 };
        let slope = (tx - curve * tq) / tt;
        let level = |sums: &Sums| sums.level(slope, curve);
        Some(Self {
            line_slope: tx / tt,
            slope,
            curve,
            middle,
            levels: all.iter().map(level).collect(),
            line_weight: tt,
            curve_weight: if curve_weight > qq * 1e-9 { curve_weight } else { 0.0 },
            number: stretches.iter().map(Stretch::number).sum(),
        })
    }

    /// How far each place is from the parabola, NaN where there is no offset; NaN stands between
    /// stretches, too.
    pub(super) fn rests(&self, stretches: &[Stretch]) -> Vec<f64> {
        let mut rests = Vec::new();
        for (stretch, level) in stretches.iter().zip(&self.levels) {
            if !rests.is_empty() {
                rests.push(f64::NAN);
            }
            let first = first(stretch);
            rests.extend(stretch.places().map(|(place, slot)| {
                let t = float_of(place) - self.middle;
                let offset = slot.offset().map(|offset| from(offset, first));
                offset.map_or(f64::NAN, |x| x - (self.curve * t + self.slope) * t - level)
            }));
        }
        rests
    }

    /// The trend in units of time.
    pub(super) fn trend(&self, series: &Series) -> Trend {
        let (distance, unit) = (float_of(series.distance), series.unit());
        let rate = |slope: f64| slope * unit / distance * 1e9;
        let drift = |curve: f64| 2.0 * rate(curve) / distance * DAY;
        let has_curve = self.curve_weight > 0.0;
        let deviation =
            (self.number >= FEWEST).then(|| self.scatter(&self.rests(&series.stretches)).sqrt());
        let of_curve = deviation.filter(|_| has_curve).map(|one| one / self.curve_weight.sqrt());
        Trend {
            frequency_ppb: rate(self.line_slope),
            frequency_uncertainty_ppb: deviation.map(|one| rate(one / self.line_weight.sqrt())),
            drift_ppb_per_day: has_curve.then(|| drift(self.curve)),
            drift_uncertainty_ppb_per_day: of_curve.map(drift),
        }
    }

    /// The variance of the offsets, enlarged as far as they aren't independent. Where *r* is the
    /// correlation of neighbours, they count as fewer independent offsets, by the factor
    /// (1 − r) / (1 + r) (first-order autoregression; Box, Jenkins, "Time Series Analysis", 1970).
    fn scatter(&self, rests: &[f64]) -> f64 {
        let squares: f64 = rests.iter().filter(|rest| !rest.is_nan()).map(|rest| rest * rest).sum();
        let pairs = rests.iter().zip(rests.iter().skip(1));
        let products: f64 = pairs.map(|(a, b)| a * b).filter(|one| !one.is_nan()).sum();
        let alike = if squares > 0.0 { products / squares } else { 0.0 };
        let alike = alike.clamp(0.0, MOST_ALIKE);
        let known = float(self.levels.len()) + 2.0;
        let variance = squares / (float(self.number) - known).max(1.0);
        variance.max(CUT_VARIANCE) * (1.0 + alike) / (1.0 - alike)
    }
}

/// Sums over a stretch, of times *t* from the middle of all and offsets *x* from its own first one.
/// Products are taken of distances from the stretch's own means.
#[derive(Default)]
struct Sums {
    number: f64,
    /// Means of t, t² and x.
    t: f64,
    q: f64,
    x: f64,
    /// Times from their mean: Σu², Σu³, Σu⁴, and with offsets Σux and Σu²x.
    u2: f64,
    u3: f64,
    u4: f64,
    ux: f64,
    u2x: f64,
}

impl Sums {
    fn of(stretch: &Stretch, middle: f64) -> Self {
        let first = first(stretch);
        let times = || stretch.measured().map(|(place, _)| float_of(place) - middle);
        let number = float(stretch.number());
        let mut sums = Self { number, t: times().sum::<f64>() / number, ..Self::default() };
        sums.x = stretch.measured().map(|(_, offset)| from(offset, first)).sum::<f64>() / number;
        for (place, offset) in stretch.measured() {
            let (u, x) = (float_of(place) - middle - sums.t, from(offset, first) - sums.x);
            let square = u * u;
            sums.u2 += square;
            sums.u3 += square * u;
            sums.u4 += square * square;
            sums.ux += u * x;
            sums.u2x += square * x;
        }
        sums.q = sums.u2 / number + sums.t * sums.t;
        sums
    }

    fn tt(&self) -> f64 {
        self.u2
    }

    /// With t² = u² + 2 t̄ u + t̄².
    fn tq(&self) -> f64 {
        self.u3 + 2.0 * self.t * self.u2
    }

    fn qq(&self) -> f64 {
        let twice = 2.0 * self.t;
        self.u4 - self.u2 * self.u2 / self.number + twice * (2.0 * self.u3 + twice * self.u2)
    }

    fn tx(&self) -> f64 {
        self.ux
    }

    fn qx(&self) -> f64 {
        self.u2x + 2.0 * self.t * self.ux
    }

    fn level(&self, slope: f64, curve: f64) -> f64 {
        self.x - slope * self.t - curve * self.q
    }
}

fn first(stretch: &Stretch) -> i64 {
    stretch.slots().first().and_then(|slot| slot.offset()).unwrap_or(0)
}

fn from(offset: i64, first: i64) -> f64 {
    float_of_sum(i128::from(offset) - i128::from(first))
}
