//! How steady a clock is: deviations over averaging times, from offsets at even distances.
//!
//! Offsets are whole nanoseconds, so all differences of offsets are exact; only their squares are
//! summed as floating-point numbers. Every estimator overlaps: it uses all differences of offsets
//! at a distance. Where an offset is missing, only the differences that need it are missing. One
//! averaging time takes time proportional to the number of offsets, all
//! octaves of it O(n log n).
//!
//! With `x` the offsets, `N` of them at a distance `τ0`, and `τ = m τ0`:
//!
//! - Allan variance: the mean of `(x[i+2m] - 2x[i+m] + x[i])²`, over `2τ²`;
//! - modified Allan variance: the same of means of `m` offsets in a row;
//! - Hadamard variance: the mean of `(x[i+3m] - 3x[i+2m] + 3x[i+m] - x[i])²`, over `6τ²`;
//! - time variance: `τ²/3` of the modified Allan variance;
//! - MTIE: the largest range of offsets in any window of `m + 1`.
//!
//! Source: W. J. Riley and D. A. Howe, *Handbook of Frequency Stability Analysis*, NIST Special
//! Publication 1065 (2008), section 5; MTIE: ITU-T G.810 (08/1996), II.5.

mod differences;
mod freedom;
mod masks;
mod noise;
mod points;
mod series;
mod slot;
mod trend;

pub use masks::{
    Assumption, Evidence, Filter, Filtered, Finding, ITU, Lack, Limit, Mask, MaskError, Outcome,
    Quantity, Requirement, Segment, Terms, TimeErrors, Verdict, Worst, high_pass, low_pass, masks,
    overall, parse,
};
pub use noise::Noise;
pub use points::{Point, Points};
pub use series::{Pattern, Series, Steps, series};
pub use slot::{Slot, Stretch};
pub use trend::Trend;

use differences::Sum;
use noise::Noises;

/// A deviation's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// ADEV, overlapping; no unit.
    Allan,
    /// MDEV; no unit.
    ModifiedAllan,
    /// HDEV, overlapping; no unit.
    Hadamard,
    /// TDEV, in nanoseconds.
    Time,
    /// MTIE, in nanoseconds.
    Mtie,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Allan, Self::ModifiedAllan, Self::Hadamard, Self::Time, Self::Mtie];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allan => "ADEV",
            Self::ModifiedAllan => "MDEV",
            Self::Hadamard => "HDEV",
            Self::Time => "TDEV",
            Self::Mtie => "MTIE",
        }
    }

    /// Whether it is in nanoseconds; else it has no unit.
    pub const fn is_time(self) -> bool {
        matches!(self, Self::Time | Self::Mtie)
    }

    /// How many distances of `m` one of its differences spans.
    const fn spans(self) -> usize {
        match self {
            Self::Mtie => 1,
            Self::Allan => 2,
            Self::ModifiedAllan | Self::Hadamard | Self::Time => 3,
        }
    }
}

/// A deviation at one averaging time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Deviation {
    /// The averaging time, in distances between two offsets.
    pub factor: usize,
    /// How many differences it is the mean of.
    pub terms: usize,
    /// Its value, in [`Kind`]'s unit.
    pub value: f64,
    /// Its confidence interval of 68.3 %; `None` for MTIE, which is no mean, and where all
    /// differences are 0.
    pub interval: Option<(f64, f64)>,
    /// The noise that the interval assumes; `None` where it can't be identified: then the interval
    /// is the widest of all types of noise.
    pub noise: Option<Noise>,
}

/// The averaging factors 1, 2, 4, … that `offsets` offsets allow.
///
/// # Examples
///
/// ```
/// assert_eq!(ptpctl::measure::stability::octaves(100), [1, 2, 4, 8, 16, 32]);
/// ```
pub fn octaves(offsets: usize) -> Vec<usize> {
    let most = offsets.saturating_sub(1) / 3;
    std::iter::successors(Some(1_usize), |factor| factor.checked_mul(2))
        .take_while(|factor| *factor <= most)
        .collect()
}

/// Averaging factors up to `most`, about `a_decade` of them in each decade. They are whole
/// numbers.
pub fn spread(most: usize, a_decade: u32) -> Vec<usize> {
    let step = 10_f64.powf(f64::from(a_decade).recip());
    let mut factors = Vec::new();
    let mut next = 1_usize;
    while next <= most {
        factors.push(next);
        match next.checked_add(1) {
            Some(least) => next = least.max(rounded(float(next), step)),
            None => break,
        }
    }
    factors
}

#[expect(clippy::float_arithmetic, reason = "a place on a logarithmic scale")]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small whole number")]
fn rounded(from: f64, step: f64) -> usize {
    (from * step).round() as usize
}

/// With more places than this, threads are worth their cost.
const MANY: usize = 100_000;

#[expect(clippy::float_arithmetic, reason = "from units to nanoseconds")]
impl Series {
    /// A deviation at the averaging factors, which ascend; those that are too long for the offsets are
    /// left out.
    ///
    /// Where the distance is 0, there are no deviations.
    pub fn deviations(&self, kind: Kind, factors: &[usize]) -> Vec<Deviation> {
        // Nothing of MTIE depends on the noise.
        let told = if kind == Kind::Mtie { &[] } else { factors };
        self.deviations_with(kind, factors, &Noises::of(self, told))
    }

    /// All kinds of deviations at the averaging factors; see [`deviations`](Self::deviations).
    pub fn all_deviations(&self, factors: &[usize]) -> [(Kind, Vec<Deviation>); 5] {
        let noises = &Noises::of(self, factors);
        let of = |kind| self.deviations_with(kind, factors, noises);
        // Many offsets take a while; two processors take little more than half of that.
        let kinds = [Kind::Allan, Kind::ModifiedAllan, Kind::Hadamard, Kind::Mtie];
        let [allan, modified, hadamard, mtie] = std::thread::scope(|scope| {
            kinds
                .map(|kind| {
                    let builder = std::thread::Builder::new();
                    let many = self.places() > MANY;
                    let begun = many.then(|| builder.spawn_scoped(scope, move || of(kind)));
                    (kind, begun.and_then(Result::ok))
                })
                .map(|(kind, begun)| match begun {
                    Some(begun) => begun.join().unwrap_or_default(),
                    None => of(kind),
                })
        });
        let time = modified.iter().map(|one| self.time_deviation(*one)).collect();
        [
            (Kind::Allan, allan),
            (Kind::ModifiedAllan, modified),
            (Kind::Hadamard, hadamard),
            (Kind::Time, time),
            (Kind::Mtie, mtie),
        ]
    }

    /// TDEV is MDEV times its averaging time, divided by √3.
    fn time_deviation(&self, modified: Deviation) -> Deviation {
        let factor = float(modified.factor) * float_of(self.distance) / 3_f64.sqrt();
        Deviation {
            value: modified.value * factor,
            interval: modified.interval.map(|(low, high)| (low * factor, high * factor)),
            ..modified
        }
    }

    fn deviations_with(&self, kind: Kind, factors: &[usize], noises: &Noises) -> Vec<Deviation> {
        let fits = |factor: usize| {
            factor > 0 && factor.checked_mul(kind.spans()).is_some_and(|span| span < self.places())
        };
        let factors: Vec<_> = factors.iter().copied().filter(|factor| fits(*factor)).collect();
        if self.distance == 0 {
            return Vec::new();
        }
        match kind {
            Kind::Mtie => return self.mtie(&factors),
            Kind::Time => {
                let modified = self.deviations_with(Kind::ModifiedAllan, &factors, noises);
                return modified.into_iter().map(|one| self.time_deviation(one)).collect();
            }
            Kind::Allan | Kind::ModifiedAllan | Kind::Hadamard => {}
        }
        let of = |factor: &usize| {
            let sum = self.sum(kind, *factor);
            let value = scaled(kind, sum.squares, sum.terms, *factor, self.distance) * self.unit();
            let candidates = noises.at(kind, *factor);
            let interval = freedom::interval(kind, candidates, *factor, sum.terms, value);
            (sum.terms > 0).then_some(Deviation {
                factor: *factor,
                terms: sum.terms,
                value,
                interval: Some(interval).filter(|_| value > 0.0),
                noise: candidates.told(),
            })
        };
        factors.iter().filter_map(of).collect()
    }

    /// The sum over all stretches.
    fn sum(&self, kind: Kind, factor: usize) -> Sum {
        let of = |stretch: &Stretch| match kind {
            Kind::Allan => differences::second(stretch.slots(), factor),
            Kind::Hadamard => differences::third(stretch.slots(), factor),
            _ => differences::modified(stretch, factor),
        };
        self.stretches.iter().map(of).fold(Sum::default(), Sum::and)
    }

    fn mtie(&self, factors: &[usize]) -> Vec<Deviation> {
        let mut largest = vec![0; factors.len()];
        for stretch in &self.stretches {
            let ranges = differences::ranges(stretch.slots(), factors);
            for (largest, range) in largest.iter_mut().zip(ranges) {
                *largest = range.max(*largest);
            }
        }
        let terms = |factor: usize| {
            let windows = |stretch: &Stretch| stretch.slots().len().saturating_sub(factor);
            self.stretches.iter().map(windows).sum()
        };
        let of = |(factor, range): (&usize, u64)| Deviation {
            factor: *factor,
            terms: terms(*factor),
            value: float_of(range) * self.unit(),
            interval: None,
            noise: None,
        };
        factors.iter().zip(largest).map(of).collect()
    }

    /// The frequency offset and the drift; `None` where there are fewer than two offsets.
    ///
    /// # Examples
    ///
    /// ```
    /// use ptpctl::measure::stability::Series;
    ///
    /// let series = Series::even(1_000_000_000, (0..100).map(|second| 25 * second));
    /// let trend = series.trend().expect("a trend");
    /// assert_eq!(format!("{:.6}", trend.frequency_ppb), "25.000000");
    /// ```
    pub fn trend(&self) -> Option<Trend> {
        let parabola = trend::Parabola::through(&self.stretches)?;
        (self.distance > 0).then(|| parabola.trend(self))
    }
}

/// The deviation from the sum of the squares of its differences.
#[expect(clippy::float_arithmetic, reason = "a mean of squares and its root")]
fn scaled(kind: Kind, sum: f64, terms: usize, factor: usize, distance: u64) -> f64 {
    let tau = float(factor) * float_of(distance);
    let mean = sum / float(terms);
    match kind {
        Kind::Hadamard => (mean / 6.0).sqrt() / tau,
        Kind::ModifiedAllan => (mean / 2.0).sqrt() / float(factor) / tau,
        Kind::Allan | Kind::Time | Kind::Mtie => (mean / 2.0).sqrt() / tau,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number of offsets has less than 53 bits")]
fn float(number: usize) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "what it loses is below a part in 10^15")]
fn float_of(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "what it loses is below a part in 10^15")]
fn float_of_signed(number: i64) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "what it loses is below a part in 10^15")]
fn float_of_sum(number: i128) -> f64 {
    match i64::try_from(number) {
        Ok(number) => number as f64,
        Err(_) => number as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The 1000 frequencies of the portable test suite in NIST SP 1065, summed up to
    /// phases, in units of 1/2147483647.
    fn published_series() -> Vec<i64> {
        let mut number = 1_234_567_890_i64;
        let mut phases = vec![0];
        for _ in 0..1_000 {
            phases.push(phases.last().copied().unwrap_or(0) + number);
            number = number * 16_807 % 2_147_483_647;
        }
        phases
    }

    #[expect(clippy::float_arithmetic, reason = "from the series' unit")]
    fn of_published_series(kind: Kind) -> Vec<String> {
        Series::even(1, published_series())
            .deviations(kind, &[1, 10, 100])
            .iter()
            .map(|deviation| format!("{:.6e}", deviation.value / 2_147_483_647.0))
            .collect()
    }

    #[test]
    fn the_published_series_of_1000_points_has_its_published_deviations() {
        // NIST SP 1065, the test suite: τ of 1, 10 and 100.
        assert_eq!(of_published_series(Kind::Allan), ["2.922319e-1", "9.159953e-2", "3.241343e-2"]);
        let modified = ["2.922319e-1", "6.172376e-2", "2.170921e-2"];
        assert_eq!(of_published_series(Kind::ModifiedAllan), modified);
        assert_eq!(of_published_series(Kind::Time), ["1.687202e-1", "3.563623e-1", "1.253382e0"]);
        let hadamard = ["2.943883e-1", "9.581083e-2", "3.237638e-2"];
        assert_eq!(of_published_series(Kind::Hadamard), hadamard);
    }

    #[test]
    fn the_published_nbs_series_has_its_published_deviations() {
        // Annex 8.E of NBS Monograph 140; the values: NIST SP 1065, the test suite.
        let phases = [0, 892, 1_701, 2_524, 3_322, 3_993, 4_637, 5_520, 6_423, 7_100];
        let of = |kind| -> Vec<_> {
            let all = Series::even(1, phases).deviations(kind, &[1, 2]);
            all.iter().map(|one| format!("{:.5}", one.value)).collect()
        };
        assert_eq!(of(Kind::Allan), ["91.22945", "85.95287"]);
        assert_eq!(of(Kind::ModifiedAllan), ["91.22945", "74.78849"]);
        assert_eq!(of(Kind::Time), ["52.67135", "86.35831"]);
        assert_eq!(of(Kind::Hadamard), ["70.80607", "85.61487"]);
    }

    #[test]
    fn a_step_of_the_offset_is_the_mtie_of_every_window() {
        let offsets = (0..100).map(|place| if place < 50 { 0 } else { -7 });
        let all = Series::even(1, offsets).deviations(Kind::Mtie, &[1, 2, 3, 50, 99, 100]);
        let found: Vec<_> = all.iter().map(|one| (one.factor, one.value.to_bits())).collect();
        let seven = 7_f64.to_bits();
        assert_eq!(found, [(1, seven), (2, seven), (3, seven), (50, seven), (99, seven)]);
    }

    proptest::proptest! {
        #[test]
        #[expect(clippy::float_arithmetic, reason = "the definition, spelled out")]
        fn the_modified_deviation_is_that_of_means(
            offsets in proptest::collection::vec(-1_000_000_i64..1_000_000, 20..60),
            factor in 1_usize..6,
        ) {
            let found = Series::even(1, offsets.iter().copied()).deviations(Kind::ModifiedAllan, &[factor]);
            let sums: Vec<i64> =
                offsets.windows(factor).map(|window| window.iter().sum()).collect();
            let squares: Vec<f64> = sums
                .windows(2 * factor + 1)
                .map(|all| all[2 * factor] - 2 * all[factor] + all[0])
                .map(|difference| float_of_signed(difference).powi(2))
                .collect();
            let mean = squares.iter().sum::<f64>() / float(squares.len());
            let expected = (mean / 2.0).sqrt() / float(factor).powi(2);
            let value = found.first().map_or(0.0, |one| one.value);
            proptest::prop_assert!((value - expected).abs() <= expected * 1e-12 + 1e-12);
        }
    }

    #[test]
    fn deviations_of_very_many_offsets_have_their_intervals() {
        let mut random = 1_u32;
        let mut noise = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            i64::from(random >> 24)
        };
        let series = Series::even(1_000_000, (0..600_000).map(|_| noise()));
        for kind in [Kind::Allan, Kind::ModifiedAllan, Kind::Hadamard, Kind::Time] {
            for one in series.deviations(kind, &[1, 2, 4]) {
                let (low, high) = one.interval.expect("an interval");
                assert!(0.0 < low && low < one.value && one.value < high, "{kind:?} {one:?}");
            }
        }
    }

    #[test]
    fn offsets_that_no_clock_shows_have_finite_deviations_or_none() {
        let most = (1 << 60) - 1;
        let far = [0, i64::MAX, i64::MIN, 0, 5, i64::MAX, 7, 8, 9, 10];
        let farthest = [0, most, -most, most, -most, most, -most, 0, most, -most];
        for kind in Kind::ALL {
            assert_eq!(Series::even(0, [1; 20]).deviations(kind, &[1, 2]), []);
            assert_eq!(Series::even(1, []).deviations(kind, &[1, 2]), []);
            for series in [Series::even(1, far), Series::even(u64::MAX, farthest)] {
                for one in series.deviations(kind, &[1, 2, 3, usize::MAX]) {
                    assert!(one.value.is_finite(), "{kind:?}");
                }
            }
        }
        let trend = Series::even(1, [i64::MIN, i64::MAX, i64::MIN, 0, 1]).trend();
        assert!(trend.is_none_or(|trend| trend.frequency_ppb.is_finite()));
        assert_eq!(Series::even(0, [1, 2, 3]).trend(), None);
        assert_eq!(spread(usize::MAX, 10).last(), Some(&usize::MAX));
        assert_eq!(spread(100, 0), [1], "none a decade");
    }

    #[test]
    fn what_is_missing_takes_away_the_differences_that_it_is_part_of_alone() {
        // One gap of 11 in 2000.
        let points: Points = (0..2_000_i64)
            .filter(|place| !(1_000..1_011).contains(place))
            .map(|place| Point {
                at: place.into(),
                offset: crate::Offset::from_nanoseconds(place % 7).into(),
                stepped: false,
            })
            .collect();
        let series = series(&points, Steps::Keep).expect("a series");
        let terms = |kind, factor| series.deviations(kind, &[factor]).first().map(|one| one.terms);
        assert_eq!(terms(Kind::Allan, 1), Some(2_000 - 2 - 13));
        assert_eq!(terms(Kind::Allan, 16), Some(2_000 - 32 - 33));
        assert_eq!(terms(Kind::Hadamard, 1), Some(2_000 - 3 - 14));
        // A mean of 32 has half of its offsets at least.
        assert_eq!(terms(Kind::ModifiedAllan, 32), Some(2_000 - 95));
    }
}
