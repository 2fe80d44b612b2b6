//! How sure a deviation is: its degrees of freedom, and the interval that follows.
//!
//! Source: C. A. Greenhall and W. J. Riley, "Uncertainty of stability variances based on finite
//! differences", Proc. 35th PTTI Meeting (2003): the combined algorithm and its tables.

#![expect(clippy::float_arithmetic, reason = "statistics")]

use super::noise::Candidates;
use super::{Kind, Noise, float};
use statrs::distribution::{ChiSquared, ContinuousCDF};

/// The probability that a normal variable is more than one standard deviation below its mean.
const BELOW: f64 = 0.158_655_253_931_457_05;

/// The confidence interval of 68.3 % of a deviation, by the χ² distribution of its variance, which
/// is the mean of `terms` squares: the widest one of all types of noise that it may be.
pub(super) fn interval(
    kind: Kind,
    noises: Candidates,
    factor: usize,
    terms: usize,
    value: f64,
) -> (f64, f64) {
    let freedom = |noise| Variance::of(kind, noise, factor, terms).degrees_of_freedom();
    let least = noises.all().map(freedom).fold(f64::INFINITY, f64::min);
    // A mean of squares has one degree at least.
    scaled(value, least.max(1.0))
}

/// Beyond this many degrees of freedom, the cube root of χ² is practically normal, and the
/// numerical search for a quantile fails.
const MANY: f64 = 1_000.0;

/// The interval of a deviation whose variance has this many degrees of freedom.
fn scaled(value: f64, freedom: f64) -> (f64, f64) {
    if freedom > MANY {
        // E. B. Wilson and M. M. Hilferty, "The distribution of chi-square" (1931).
        let ninth = 2.0 / 9.0 / freedom;
        let at = |deviations: f64| {
            value / (deviations.mul_add(ninth.sqrt(), 1.0 - ninth)).powi(3).sqrt()
        };
        return (at(1.0), at(-1.0));
    }
    let Ok(distribution) = ChiSquared::new(freedom.max(f64::MIN_POSITIVE)) else {
        return (0.0, f64::INFINITY);
    };
    let at = |probability| value * (freedom / distribution.inverse_cdf(probability)).sqrt();
    (at(1.0 - BELOW), at(BELOW))
}

/// A variance of differences, with the paper's symbols.
struct Variance {
    alpha: i8,
    /// Which difference of phases: 2 for Allan, 3 for Hadamard.
    d: i32,
    /// The averaging factor.
    m: f64,
    /// The filter factor: 1 where phases are averaged, else `m`.
    f: f64,
    /// How many differences there are.
    count: f64,
    modified: bool,
}

/// Sums with more terms are left to the tables.
const LONGEST_SUM: f64 = 100.0;

impl Variance {
    fn of(kind: Kind, noise: Noise, factor: usize, terms: usize) -> Self {
        let modified = matches!(kind, Kind::ModifiedAllan | Kind::Time);
        let d = if kind == Kind::Hadamard { 3 } else { 2 };
        let m = float(factor);
        let f = if modified { 1.0 } else { m };
        // Overlapping: the differences are one offset apart, `m` of them in an averaging time.
        Self { alpha: noise.alpha(), d, m, f, count: float(terms.max(1)), modified }
    }

    fn degrees_of_freedom(&self) -> f64 {
        let (stride, r) = (self.m, self.count / self.m);
        let d = f64::from(self.d);
        if !self.modified && self.alpha >= 2 {
            return self.of_white_phase_noise(r);
        }
        let terms = self.count.min((d + 1.0) * stride);
        if terms <= LONGEST_SUM {
            // An infinite filter is as good as a long one, and its sums don't lose digits by
            // cancellation.
            let filter = match self.modified {
                true => self.f,
                false if self.alpha == 1 || self.m * (d + 1.0) <= LONGEST_SUM => self.m,
                false => f64::INFINITY,
            };
            return self.of_sum(terms, self.count, stride, filter);
        }
        if r > d + 1.0 {
            let (a0, a1) = self.table(if self.modified { &MODIFIED } else { &UNMODIFIED });
            let scale = match self.alpha {
                1 if !self.modified => {
                    let (b0, b1) = FLICKER_PHASE.get(self.d_place()).copied().unwrap_or_default();
                    (b0 + b1 * self.m.ln()).powi(2)
                }
                _ => 1.0,
            };
            return scale * r / (a0 - a1 / r);
        }
        let m = LONGEST_SUM / r;
        let filter = match (self.modified, self.alpha) {
            (true, _) => 1.0,
            (false, 1) => m,
            (false, _) => f64::INFINITY,
        };
        if !self.modified && self.alpha == 1 {
            let (b0, b1) = FLICKER_PHASE.get(self.d_place()).copied().unwrap_or_default();
            let sum = self.basic_sum(LONGEST_SUM, LONGEST_SUM, m, filter);
            return (b0 + b1 * self.m.ln()).powi(2) * LONGEST_SUM / sum;
        }
        self.of_sum(LONGEST_SUM, LONGEST_SUM, m, filter)
    }

    /// For white phase noise: offsets are independent, so that only differences at whole averaging
    /// times from each other are correlated.
    fn of_white_phase_noise(&self, r: f64) -> f64 {
        let d = self.d;
        let whole = binomial(2 * d, d).powi(2);
        let limit = r.ceil();
        if limit > f64::from(d) {
            let a0 = binomial(4 * d, 2 * d) / whole;
            return self.count / (a0 - f64::from(d) / 2.0 / r);
        }
        let shares = (1..d)
            .take_while(|k| f64::from(*k) < limit)
            .map(|k| (1.0 - f64::from(k) / r) * binomial(2 * d, d - k).powi(2));
        self.count / (1.0 + 2.0 / whole * shares.sum::<f64>())
    }

    fn of_sum(&self, terms: f64, count: f64, stride: f64, filter: f64) -> f64 {
        let at_zero = self.s_z(0.0, filter).powi(2);
        at_zero * count / self.basic_sum(terms, count, stride, filter)
    }

    /// The squared autocovariances of the differences, over all their distances.
    fn basic_sum(&self, terms: f64, count: f64, stride: f64, filter: f64) -> f64 {
        let square = |distance: f64| self.s_z(distance / stride, filter).powi(2);
        let mut sum = square(0.0) + (1.0 - terms / count) * square(terms);
        let mut distance = 1.0;
        while distance < terms {
            sum += 2.0 * (1.0 - distance / count) * square(distance);
            distance += 1.0;
        }
        sum
    }

    /// The autocovariance of the `d`-th differences of filtered phases.
    fn s_z(&self, t: f64, filter: f64) -> f64 {
        let at = |k: i32| {
            let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
            sign * binomial(2 * self.d, self.d + k) * self.s_x(t + f64::from(k), filter)
        };
        (-self.d..=self.d).map(at).sum()
    }

    /// The autocovariance of phases that were averaged over `1 / filter`.
    fn s_x(&self, t: f64, filter: f64) -> f64 {
        if filter.is_infinite() {
            return s_w(t, self.alpha + 2);
        }
        let (before, after) =
            (s_w(t - filter.recip(), self.alpha), s_w(t + filter.recip(), self.alpha));
        filter.powi(2) * (2.0 * s_w(t, self.alpha) - before - after)
    }

    fn d_place(&self) -> usize {
        usize::from(self.d == 3)
    }

    fn table(&self, table: &[[(f64, f64); 2]; 7]) -> (f64, f64) {
        let row = usize::try_from(2 - self.alpha).unwrap_or(0);
        table.get(row).and_then(|row| row.get(self.d_place())).copied().unwrap_or((1.0, 0.0))
    }
}

/// The generalized autocovariance of a pure power law, up to a constant factor.
fn s_w(t: f64, alpha: i8) -> f64 {
    let t = t.abs();
    let power = t.powi(3 - i32::from(alpha));
    match alpha {
        2 => -t,
        0 | -2 | -4 => power,
        _ if t == 0.0 => 0.0,
        _ => power * t.ln(),
    }
}

fn binomial(n: i32, k: i32) -> f64 {
    (1..=k).map(|i| f64::from(n - k + i) / f64::from(i)).product()
}

/// The paper's table 1: for `α` from 2 to −4, for second and third differences.
const MODIFIED: [[(f64, f64); 2]; 7] = [
    [(7.0 / 9.0, 1.0 / 2.0), (22.0 / 25.0, 2.0 / 3.0)],
    [(0.997, 0.616), (1.141, 0.843)],
    [(1.033, 0.607), (1.184, 0.848)],
    [(1.048, 0.534), (1.180, 0.816)],
    [(1.302, 0.535), (1.175, 0.777)],
    [(1.194, 0.703), (1.194, 0.703)],
    [(1.489, 0.702), (1.489, 0.702)],
];

/// The paper's table 2, the same without averaging of phases.
const UNMODIFIED: [[(f64, f64); 2]; 7] = [
    [(35.0 / 18.0, 1.0), (231.0 / 100.0, 3.0 / 2.0)],
    [(790.0, 410.0), (9950.0, 6520.0)],
    [(2.0 / 3.0, 1.0 / 3.0), (7.0 / 9.0, 1.0 / 2.0)],
    [(0.852, 0.375), (0.997, 0.617)],
    [(1.079, 0.368), (1.033, 0.607)],
    [(1.053, 0.553), (1.053, 0.553)],
    [(1.302, 0.535), (1.302, 0.535)],
];

/// The paper's table 3, for flicker phase noise.
const FLICKER_PHASE: [(f64, f64); 2] = [(15.23, 12.0), (47.8, 40.0)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_a_long_sum_agrees_with_it() {
        for (kind, reddest) in [(Kind::Allan, -2), (Kind::ModifiedAllan, -2), (Kind::Hadamard, -4)]
        {
            for (alpha, factor, terms) in (reddest..=2)
                .flat_map(|alpha| [(alpha, 64, 100), (alpha, 200, 400), (alpha, 64, 4_800)])
            {
                let variance = Variance::of(kind, Noise::of_alpha(alpha), factor, terms);
                let stride = variance.m;
                let terms = variance.count.min(f64::from(variance.d + 1) * stride);
                let whole = variance.of_sum(terms, variance.count, stride, variance.f);
                let ratio = variance.degrees_of_freedom() / whole;
                assert!((0.9..1.1).contains(&ratio), "{kind:?} {alpha} {factor} {terms}: {ratio}");
            }
        }
    }

    #[test]
    fn the_interval_is_finite_and_holds_the_value_at_any_number_of_offsets() {
        let mut width_before = f64::INFINITY;
        let mut freedom = 1.0;
        while freedom < 1e9 {
            let (low, high) = scaled(1.0, freedom);
            assert!(0.0 < low && low < 1.0 && 1.0 < high && high.is_finite(), "{freedom}");
            let width = high - low;
            assert!(width < width_before, "{freedom}: {width} after {width_before}");
            width_before = width;
            freedom *= 1.1;
        }
        for (kind, alpha) in [(Kind::Allan, -2), (Kind::ModifiedAllan, 2), (Kind::Hadamard, -4)] {
            for offsets in [1_000, 100_000, 500_000, 1_000_000, 10_000_000, 100_000_000] {
                for factor in [1, 2, 64, 1_000, offsets / 4] {
                    let (low, high) =
                        interval(kind, Candidates::of(alpha), factor, offsets / 4, 1.0);
                    let holds = 0.0 < low && low < 1.0 && 1.0 < high && high.is_finite();
                    assert!(holds, "{kind:?} {alpha} {factor} of {offsets}: {low} to {high}");
                }
            }
        }
    }

    #[test]
    fn both_ways_to_an_interval_meet() {
        let (few, many) = (scaled(1.0, MANY), scaled(1.0, MANY * 1.000_001));
        assert!((few.0 - many.0).abs() < 1e-6 && (few.1 - many.1).abs() < 1e-6, "{few:?} {many:?}");
    }

    #[test]
    fn the_interval_narrows_with_more_offsets() {
        let width = |offsets| {
            let (low, high) = interval(Kind::Allan, Candidates::of(0), 10, offsets, 1.0);
            assert!(low < 1.0 && 1.0 < high, "{low} {high}");
            high - low
        };
        assert!(width(100) > 3.0 * width(10_000));
    }
}
