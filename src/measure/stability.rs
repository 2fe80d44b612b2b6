//! How steady a clock is: deviations over averaging times, from offsets at even distances.
//!
//! Offsets are whole nanoseconds, so all differences of offsets are exact; only their squares are
//! summed as floating-point numbers. Every estimator overlaps: it uses each of the differences
//! that the offsets have at a distance. One averaging time takes time proportional to the number
//! of offsets, all octaves of it O(n log n).
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

mod freedom;
mod masks;
mod noise;
mod series;
mod trend;

pub use masks::{
    Finding, Limited, MASKS, Mask, Outcome, Requirement, Segment, Verdict, low_pass, overall,
};
pub use noise::Noise;
pub use series::{Point, Series, series};
pub use trend::{Trend, trend};

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
    /// How many distances of offsets the averaging time has.
    pub factor: usize,
    /// How many differences it is the mean of.
    pub terms: usize,
    /// Its value, in [`Kind`]'s unit.
    pub value: f64,
    /// From where to where it lies with a probability of 68.3 %, had the clock been measured
    /// again and again; `None` for MTIE, which is no mean, and for few offsets.
    pub interval: Option<(f64, f64)>,
    /// The noise that the interval supposes.
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

/// Averaging factors that are about as far apart as `a_decade` in each decade, whole numbers, up
/// to `most`.
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

/// A deviation of offsets in nanoseconds that are `distance` nanoseconds apart, at the averaging
/// factors, which ascend; those that are too long for the offsets are left out.
///
/// Offsets count from the first one: where one is 2^60 ns, 36 years, or farther from it, or
/// their distance is 0, there are no deviations.
///
/// # Examples
///
/// ```
/// use ptpctl::measure::stability::{Kind, deviations};
///
/// // Phases of the nine frequencies in annex 8.E of NBS Monograph 140, summed up.
/// let phases = [0, 892, 1701, 2524, 3322, 3993, 4637, 5520, 6423, 7100];
/// let allan = deviations(Kind::Allan, &phases, 1, &[1, 2]);
/// let values: Vec<_> = allan.iter().map(|one| format!("{:.5}", one.value)).collect();
/// assert_eq!(values, ["91.22945", "85.95287"]);
/// ```
pub fn deviations(kind: Kind, offsets: &[i64], distance: u64, factors: &[usize]) -> Vec<Deviation> {
    let is_far = |offset: &i64| {
        offsets.first().is_some_and(|first| offset.abs_diff(*first) >= FARTHEST_OFFSET)
    };
    if distance == 0 || offsets.iter().any(is_far) {
        return Vec::new();
    }
    let fits = |factor: usize| {
        factor > 0 && factor.checked_mul(kind.spans()).is_some_and(|span| span < offsets.len())
    };
    let factors: Vec<_> = factors.iter().copied().filter(|factor| fits(*factor)).collect();
    if kind == Kind::Mtie {
        let of = |(factor, range): (&usize, u64)| Deviation {
            factor: *factor,
            terms: offsets.len() - factor,
            value: float_of(range),
            interval: None,
            noise: None,
        };
        return factors.iter().zip(mtie(offsets, &factors)).map(of).collect();
    }
    let mut noises = noise::Identifier::new(kind, offsets);
    let mut of = |factor: usize| {
        let (sum, terms) = match kind {
            Kind::Allan => sum_of_squares(second_differences(offsets, factor)),
            Kind::Hadamard => sum_of_squares(third_differences(offsets, factor)),
            _ => modified_sum(offsets, factor),
        };
        let value = scaled(kind, sum, terms, factor, distance);
        let noise = noises.at(factor);
        let interval =
            noise.map(|noise| freedom::interval(kind, noise, factor, offsets.len(), value));
        let interval = interval.filter(|(low, high)| *low >= 0.0 && high.is_finite());
        Deviation { factor, terms, value, interval, noise }
    };
    factors.into_iter().map(&mut of).collect()
}

/// Third differences of offsets that are nearer to the first one have room in 64 bits.
const FARTHEST_OFFSET: u64 = 1 << 60;

/// The deviation from the sum of the squares of its differences.
#[expect(clippy::float_arithmetic, reason = "a mean of squares and its root")]
fn scaled(kind: Kind, sum: f64, terms: usize, factor: usize, distance: u64) -> f64 {
    let tau = float(factor) * float_of(distance);
    let mean = sum / float(terms);
    match kind {
        Kind::Hadamard => (mean / 6.0).sqrt() / tau,
        Kind::ModifiedAllan => (mean / 2.0).sqrt() / float(factor) / tau,
        Kind::Time => (mean / 6.0).sqrt() / float(factor),
        Kind::Allan | Kind::Mtie => (mean / 2.0).sqrt() / tau,
    }
}

/// `x[i+2m] - 2x[i+m] + x[i]`.
fn second_differences(offsets: &[i64], m: usize) -> impl Iterator<Item = i64> {
    let (middle, last) = (offsets.iter().skip(m), offsets.iter().skip(2 * m));
    offsets.iter().zip(middle).zip(last).map(|((a, b), c)| (c - b) - (b - a))
}

/// `x[i+3m] - 3x[i+2m] + 3x[i+m] - x[i]`.
fn third_differences(offsets: &[i64], m: usize) -> impl Iterator<Item = i64> {
    let later = offsets.get(m..).unwrap_or_default();
    second_differences(later, m).zip(second_differences(offsets, m)).map(|(b, a)| b - a)
}

#[expect(clippy::float_arithmetic, reason = "a sum of squares")]
fn sum_of_squares(differences: impl Iterator<Item = i64>) -> (f64, usize) {
    let mut terms = 0;
    let mut sum = 0.0;
    for difference in differences {
        let difference = float_of_signed(difference);
        sum += difference * difference;
        terms += 1;
    }
    (sum, terms)
}

/// The squares of the sums of `m` second differences in a row.
#[expect(clippy::float_arithmetic, reason = "a sum of squares of exact sums")]
fn modified_sum(offsets: &[i64], m: usize) -> (f64, usize) {
    let mut moving: i128 = second_differences(offsets, m).take(m).map(i128::from).sum();
    let mut sum = float_of_sum(moving).powi(2);
    let mut terms = 1;
    // One enters the sum, one leaves it: together they are a third difference.
    for change in third_differences(offsets, m) {
        moving += i128::from(change);
        sum += float_of_sum(moving).powi(2);
        terms += 1;
    }
    (sum, terms)
}

/// The largest range in any window of `factor + 1` offsets, for each of the ascending factors.
///
/// The extremes of windows of 2, 4, 8, … offsets come from those of half the size; a window of any
/// other size is two of these that overlap.
fn mtie(offsets: &[i64], factors: &[usize]) -> Vec<u64> {
    let mut least = offsets.to_vec();
    let mut most = offsets.to_vec();
    let mut size = 1;
    let mut ranges = Vec::with_capacity(factors.len());
    for factor in factors {
        let window = factor + 1;
        while size * 2 <= window {
            let left = least.len() - size;
            for place in 0..left {
                // Reads ahead of what it writes.
                if let (Some(low), Some(high)) =
                    (least.get(place + size).copied(), most.get(place + size).copied())
                    && let (Some(this_low), Some(this_high)) =
                        (least.get_mut(place), most.get_mut(place))
                {
                    *this_low = low.min(*this_low);
                    *this_high = high.max(*this_high);
                }
            }
            least.truncate(left);
            most.truncate(left);
            size *= 2;
        }
        let shift = window - size;
        let lows = least.iter().zip(least.iter().skip(shift)).map(|(a, b)| a.min(b));
        let highs = most.iter().zip(most.iter().skip(shift)).map(|(a, b)| a.max(b));
        ranges.push(lows.zip(highs).map(|(low, high)| high.abs_diff(*low)).max().unwrap_or(0));
    }
    ranges
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
        deviations(kind, &published_series(), 1, &[1, 10, 100])
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
            let all = deviations(kind, &phases, 1, &[1, 2]);
            all.iter().map(|one| format!("{:.5}", one.value)).collect()
        };
        assert_eq!(of(Kind::Allan), ["91.22945", "85.95287"]);
        assert_eq!(of(Kind::ModifiedAllan), ["91.22945", "74.78849"]);
        assert_eq!(of(Kind::Time), ["52.67135", "86.35831"]);
        assert_eq!(of(Kind::Hadamard), ["70.80607", "85.61487"]);
    }

    #[test]
    fn a_step_of_the_offset_is_the_mtie_of_every_window() {
        let offsets: Vec<_> = (0..100).map(|place| if place < 50 { 0 } else { -7 }).collect();
        let all = deviations(Kind::Mtie, &offsets, 1, &[1, 2, 3, 50, 99, 100]);
        let found: Vec<_> = all.iter().map(|one| (one.factor, one.value.to_bits())).collect();
        let seven = 7_f64.to_bits();
        assert_eq!(found, [(1, seven), (2, seven), (3, seven), (50, seven), (99, seven)]);
    }

    proptest::proptest! {
        #[test]
        fn mtie_is_the_largest_range_of_any_window(
            offsets in proptest::collection::vec(-1_000_i64..1_000, 2..60),
        ) {
            let factors: Vec<_> = (1..offsets.len()).collect();
            for (factor, found) in factors.iter().zip(mtie(&offsets, &factors)) {
                let range = |window: &[i64]| {
                    let (low, high) = (window.iter().min(), window.iter().max());
                    high.zip(low).map_or(0, |(high, low)| high.abs_diff(*low))
                };
                let expected = offsets.windows(factor + 1).map(range).max();
                proptest::prop_assert_eq!(Some(found), expected);
            }
        }

        #[test]
        #[expect(clippy::float_arithmetic, reason = "the definition, spelled out")]
        fn the_modified_deviation_is_that_of_means(
            offsets in proptest::collection::vec(-1_000_000_i64..1_000_000, 20..60),
            factor in 1_usize..6,
        ) {
            let found = deviations(Kind::ModifiedAllan, &offsets, 1, &[factor]);
            let sums: Vec<i64> =
                offsets.windows(factor).map(|window| window.iter().sum()).collect();
            let squares: Vec<f64> = second_differences(&sums, factor)
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
        let offsets: Vec<i64> = (0..600_000).map(|_| noise()).collect();
        for kind in [Kind::Allan, Kind::ModifiedAllan, Kind::Hadamard, Kind::Time] {
            for one in deviations(kind, &offsets, 1_000_000, &[1, 2, 4]) {
                let (low, high) = one.interval.expect("an interval");
                assert!(0.0 < low && low < one.value && one.value < high, "{kind:?} {one:?}");
            }
        }
    }

    #[test]
    fn offsets_that_no_clock_shows_have_no_deviations() {
        for kind in Kind::ALL {
            let far = [0, i64::MAX, i64::MIN, 0, 5, i64::MAX, 7, 8, 9, 10];
            assert_eq!(deviations(kind, &far, 1, &[1, 2]), []);
            assert_eq!(deviations(kind, &[1; 20], 0, &[1, 2]), []);
            assert_eq!(deviations(kind, &[], 1, &[1, 2]), []);
            let most = (1 << 60) - 1;
            let farthest = [0, most, -most, most, -most, most, -most, 0, most, -most];
            for one in deviations(kind, &farthest, u64::MAX, &[1, 2, 3, usize::MAX]) {
                assert!(one.value.is_finite(), "{kind:?}");
            }
        }
        assert!(
            trend(&[i64::MIN, i64::MAX, i64::MIN, 0], 1)
                .is_some_and(|t| t.frequency_ppb.is_finite())
        );
        assert!(trend(&[1, 2, 3], 0).is_none());
        assert_eq!(spread(usize::MAX, 10).last(), Some(&usize::MAX));
        assert_eq!(spread(100, 0), [1], "none a decade");
    }
}
