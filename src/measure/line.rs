//! The feasible lines: all straight lines that pass through every sample.
//!
//! A sample says that the clock's offset was between two values when the clock showed a time. With
//! steady rates, the offset is a line, *offset = α + β · time*, that passes between the two values
//! of every sample. All such lines together are what the samples prove of clocks with steady rates:
//! a range of rates, and at each moment a range of offsets. This range is far narrower than that of
//! the best sample, as its upper end comes from the samples that were quick on the way there, and
//! its lower end from those that were quick on the way back.
//!
//! Only the corners of two convex hulls matter: the lower hull of all upper ends, and the upper hull
//! of all lower ends. They grow sample by sample (Andrew's monotone chain, 1979). The method is that
//! of Duda, Harrus, Haddad and Bernard ("Estimating global time in distributed systems", ICDCS 1987),
//! who drew it between the messages of two computers.

#![expect(
    clippy::float_arithmetic,
    reason = "which corners there are is exact; what they say is not"
)]

/// A point, in nanoseconds from the first sample's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Point {
    clock: i64,
    offset: i64,
}

/// The farthest that a point may be, 30 years: distances fit 64 bits, and their products 128 bits.
pub(super) const FARTHEST_POINT: i64 = 1_000_000_000_000_000_000;
/// With more corners, a hull is taken to allow no line, so that every loop below ends soon.
const MOST_CORNERS: usize = 2_000;

/// Twice the signed area of the triangle of three points: positive where they turn to the left.
fn turn(a: Point, b: Point, c: Point) -> i128 {
    let product = |one: i64, other: i64| i128::from(one) * i128::from(other);
    product(b.clock - a.clock, c.offset - a.offset)
        - product(b.offset - a.offset, c.clock - a.clock)
}

/// A convex chain of corners, of points that come in the order of the clock: the upper hull of them
/// or the lower one.
#[derive(Clone, Debug, Default)]
struct Hull<const UPPER: bool> {
    corners: Vec<Point>,
    /// The last point. Most points are no corner any more once the next has come, and aren't added.
    last: Option<Point>,
}

impl<const UPPER: bool> Hull<UPPER> {
    /// Adds a point.
    fn push(&mut self, point: Point) {
        let Some(last) = self.last.replace(point) else { return };
        if last.clock == point.clock {
            // Of two points at one moment, the tighter one counts.
            if (point.offset > last.offset) != UPPER {
                self.last = Some(last);
            }
            return;
        }
        if self.corners.last().is_none_or(|corner| Self::is_corner(*corner, last, point)) {
            Self::join(&mut self.corners, last);
        }
    }

    /// Whether the middle one of three points is a corner beside the others.
    fn is_corner(a: Point, b: Point, c: Point) -> bool {
        let turn = turn(a, b, c);
        if UPPER { turn < 0 } else { turn > 0 }
    }

    /// Makes a point the last corner, and removes those that are no corners any more.
    fn join(corners: &mut Vec<Point>, point: Point) {
        while let [.., a, b] = corners.as_slice()
            && !Self::is_corner(*a, *b, point)
        {
            corners.pop();
        }
        corners.push(point);
    }

    /// All corners, the last point among them.
    fn into_corners(self) -> Vec<Point> {
        let mut corners = self.corners;
        if let Some(last) = self.last {
            Self::join(&mut corners, last);
        }
        corners
    }
}

/// A rate: a fraction with a denominator above 0.
#[derive(Clone, Copy, Debug)]
struct Slope {
    rise: i128,
    run: i128,
}

impl Slope {
    /// Between two points of different moments.
    fn between(a: Point, b: Point) -> Self {
        let (rise, run) = (b.offset - a.offset, b.clock - a.clock);
        Self { rise: i128::from(rise * run.signum()), run: i128::from(run.abs()) }
    }

    fn is_above(self, other: Self) -> bool {
        self.rise * other.run > other.rise * self.run
    }

    #[expect(clippy::cast_precision_loss, reason = "what it loses is below a part in 10^15")]
    fn float(self) -> f64 {
        self.rise as f64 / self.run as f64
    }
}

/// Takes samples, and finds the lines through all of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Hulls {
    /// Upper hull of the lower ends.
    lows: Hull<true>,
    /// Lower hull of the upper ends.
    highs: Hull<false>,
}

/// All lines that pass through every sample. There is one at least.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    lows: Vec<Point>,
    highs: Vec<Point>,
    rates: Option<Range>,
}

/// From the lowest to the highest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Range {
    pub(super) fn middle(self) -> f64 {
        f64::midpoint(self.low, self.high)
    }

    /// The intersection of both ranges; this range where that is empty.
    pub(super) fn within(self, other: Self) -> Self {
        let common = Self { low: self.low.max(other.low), high: self.high.min(other.high) };
        if common.low <= common.high { common } else { self }
    }
}

impl Hulls {
    /// Adds a sample, in nanoseconds from the first one's: the clock's time, which doesn't go back,
    /// and the two values between which its offset was, none of them farther than
    /// [`FARTHEST_POINT`].
    pub(super) fn push(&mut self, clock: i64, low: i64, high: i64) {
        self.lows.push(Point { clock, offset: low });
        self.highs.push(Point { clock, offset: high });
    }

    /// The lines through all samples; `None` where there are none.
    pub(super) fn lines(self) -> Option<Lines> {
        let (lows, highs) = (self.lows.into_corners(), self.highs.into_corners());
        if lows.len() > MOST_CORNERS || highs.len() > MOST_CORNERS {
            return None;
        }
        let (mut lowest, mut highest): (Option<Slope>, Option<Slope>) = (None, None);
        // A line is above each lower end and below each upper end. Each pair of ends limits its
        // slope, from above or from below.
        for low in &lows {
            for high in &highs {
                if low.clock == high.clock {
                    if low.offset > high.offset {
                        return None;
                    }
                    continue;
                }
                let slope = Slope::between(*low, *high);
                if low.clock < high.clock {
                    if highest.is_none_or(|highest| highest.is_above(slope)) {
                        highest = Some(slope);
                    }
                } else if lowest.is_none_or(|lowest| slope.is_above(lowest)) {
                    lowest = Some(slope);
                }
            }
        }
        let rates = match (lowest, highest) {
            (Some(lowest), Some(highest)) if lowest.is_above(highest) => return None,
            (Some(lowest), Some(highest)) => {
                Some(Range { low: lowest.float(), high: highest.float() })
            }
            // All samples are of one moment.
            _ => None,
        };
        Some(Lines { lows, highs, rates })
    }
}

impl Lines {
    /// The rates of all lines; `None` where all samples are of one moment.
    pub(super) fn rates(&self) -> Option<Range> {
        self.rates
    }

    /// The offsets at a moment of all lines whose rates are in this range, which must have at least
    /// one.
    pub(super) fn offsets(&self, at: f64, rates: Range) -> Range {
        // The highest offset of a line at this moment is a concave function of its rate, and the
        // lowest is a convex one: each has its extreme at the hull's own slope there, or at the
        // rate nearest to it.
        let slope_in = |hull: &[Point]| slope_at(hull, at).clamp(rates.low, rates.high);
        let (low_rate, high_rate) = (slope_in(&self.lows), slope_in(&self.highs));
        let shifted =
            |point: &Point, rate: f64| float(point.offset) - rate * (float(point.clock) - at);
        let lows = self.lows.iter().map(|point| shifted(point, low_rate));
        let highs = self.highs.iter().map(|point| shifted(point, high_rate));
        Range {
            low: lows.fold(f64::NEG_INFINITY, f64::max),
            high: highs.fold(f64::INFINITY, f64::min),
        }
    }
}

/// The slope of a hull's side at a moment; of the nearest side where it doesn't reach so far.
fn slope_at(hull: &[Point], at: f64) -> f64 {
    let sides = || hull.iter().zip(hull.iter().skip(1));
    let side = sides().find(|(_, end)| at <= float(end.clock)).or_else(|| sides().next_back());
    side.map_or(0.0, |(a, b)| Slope::between(*a, *b).float())
}

#[expect(clippy::cast_precision_loss, reason = "whole nanoseconds of 100 days are exact")]
pub(super) fn float(nanoseconds: i64) -> f64 {
    nanoseconds as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(samples: &[(i64, i64, i64)]) -> Option<Lines> {
        let mut hulls = Hulls::default();
        for (clock, low, high) in samples {
            hulls.push(*clock, *low, *high);
        }
        hulls.lines()
    }

    const ANY: Range = Range { low: -1e9, high: 1e9 };

    /// What all lines leave open at a moment.
    fn offsets(lines: &Lines, at: i64) -> Range {
        lines.offsets(float(at), lines.rates().unwrap_or(ANY))
    }

    #[test]
    fn one_sample_is_as_wide_as_it_is_and_tells_no_rate() {
        let all = lines(&[(0, -700, 500)]).expect("feasible");
        assert_eq!((all.rates(), offsets(&all, 0)), (None, Range { low: -700.0, high: 500.0 }));
    }

    #[test]
    fn bounds_of_several_samples_are_put_together() {
        // The second is quick on the way there, the others on the way back.
        let all = lines(&[(0, -10_000, 100), (1_000, -100, 10_000), (2_000, -10_000, 100)]);
        assert_eq!(offsets(&all.expect("feasible"), 1_000), Range { low: -100.0, high: 100.0 });
    }

    #[test]
    fn rates_are_what_the_slopes_leave_open() {
        // 100 ± 2 ns of offset in 1 000 000 ns.
        let all = lines(&[(0, -1, 1), (1_000_000, 99, 101)]).expect("feasible");
        let rates = all.rates().expect("rates");
        assert!((rates.low - 98e-6).abs() < 1e-12 && (rates.high - 102e-6).abs() < 1e-12);
    }

    #[test]
    fn no_line_passes_through_a_step() {
        assert!(lines(&[(0, -1, 1), (1_000, -1, 1), (2_000, 500, 502)]).is_none());
        assert!(lines(&[(0, -1, 1), (0, 2, 3)]).is_none());
    }

    #[test]
    fn what_goes_no_straight_way_ends_soon() {
        let mut all = Hulls::default();
        for at in 0..5_000_i64 {
            all.push(at * 1_000, at * at, at * at);
        }
        assert!(all.lines().is_none());
    }

    /// Samples of a clock that goes at `rate`, in ppb, whose readings take so long each way; and
    /// its offset at each of them.
    fn samples(rate: i64, delays: &[(i64, i64, i64)]) -> (Vec<(i64, i64, i64)>, Vec<f64>) {
        let mut now = 0;
        let (mut all, mut truth) = (Vec::new(), Vec::new());
        for (wait, there, back) in delays {
            let read = now + wait + there;
            now = read + back;
            let offset = float(read) * float(rate) / 1e9;
            #[expect(clippy::cast_possible_truncation, reason = "small")]
            let whole = offset.floor() as i64;
            // A clock that shows whole nanoseconds is up to one late.
            all.push((read + whole, whole - back, whole + there + 1));
            truth.push(offset);
        }
        (all, truth)
    }

    proptest! {
        #[test]
        fn the_truth_is_always_among_them(
            rate in -900_000_000_i64..2_000_000_000,
            delays in
                proptest::collection::vec((0_i64..50_000, 2_i64..20_000, 0_i64..20_000), 1..60),
        ) {
            let (samples, truth) = samples(rate, &delays);
            // Seen from the clock's own time, which the truth is a straight line of, too.
            let slack = |one: &(i64, i64, i64)| (one.0, one.1 - 4, one.2 + 4);
            let all = lines(&samples.iter().map(slack).collect::<Vec<_>>());
            let all = all.expect("the truth is feasible");
            for ((clock, ..), truth) in samples.iter().zip(truth) {
                let range = offsets(&all, *clock);
                prop_assert!(range.low - 1e-3 <= truth && truth <= range.high + 1e-3, "{range:?}");
            }
        }

        /// Every line that touches two bounds, and is within all, is an extreme one.
        #[test]
        fn they_are_as_wide_as_the_extreme_lines(
            delays in proptest::collection::vec((1_i64..3_000, 0_i64..2_000, 0_i64..2_000), 2..7),
        ) {
            let (samples, _) = samples(100_000, &delays);
            prop_assume!(samples.last().map(|last| last.0) > samples.first().map(|first| first.0));
            let corners: Vec<_> =
                samples.iter().flat_map(|(x, low, high)| [(*x, *low), (*x, *high)]).collect();
            let mut extremes = Vec::new();
            for (x0, y0) in &corners {
                for (x1, y1) in corners.iter().filter(|(x1, _)| x1 > x0) {
                    let (rise, run) = (y1 - y0, x1 - x0);
                    let is_within = |(x, low, high): &(i64, i64, i64)| {
                        (low * run..=high * run).contains(&(y0 * run + rise * (x - x0)))
                    };
                    if samples.iter().all(is_within) {
                        extremes.push((float(rise) / float(run), *x0, *y0));
                    }
                }
            }
            let all = lines(&samples).expect("feasible");
            for (clock, ..) in samples {
                let at = |(rate, x, y): &(f64, i64, i64)| float(*y) + rate * float(clock - x);
                let low = extremes.iter().map(at).fold(f64::INFINITY, f64::min);
                let high = extremes.iter().map(at).fold(f64::NEG_INFINITY, f64::max);
                let range = offsets(&all, clock);
                prop_assert!((range.low - low).abs() < 1e-3 && (range.high - high).abs() < 1e-3);
            }
        }
    }
}
