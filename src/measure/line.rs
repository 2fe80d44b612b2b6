//! The feasible line: all straight lines that pass through every sample.
//!
//! A sample says that at the clock's time `p` the system clock was between `before` and `after`.
//! Two clocks of steady rates lie on a line, *system = α + β · clock*, that passes between the two
//! bounds of every sample. What all such lines have in common is what the samples prove: a range of
//! rates, and at each moment a range of offsets. It is far narrower than the best sample's own, as
//! the lower bound comes from whichever samples were quick on the way there, and the upper bound
//! from those that were quick on the way back.
//!
//! Only the corners of two convex hulls matter: the upper hull of all lower bounds, and the lower
//! hull of all upper bounds. They grow sample by sample (Andrew's monotone chain, 1979), so that
//! the memory stays small however long it takes. The method is that of Duda, Harrus, Haddad and
//! Bernard ("Estimating global time in distributed systems", ICDCS 1987), who drew it between the
//! messages of two computers.

/// A point, in nanoseconds from the first sample's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Point {
    clock: i64,
    system: i64,
}

/// Points may be so far away, 30 years: their distances fit 64 bits, and products of those 128.
pub(super) const FARTHEST: i64 = 1_000_000_000_000_000_000;
/// Hulls of more corners are of no line, and every loop below ends soon.
const MOST_CORNERS: usize = 2_000;

/// Twice the area that three points go around: above 0 where they turn to the left.
fn turn(a: Point, b: Point, c: Point) -> i128 {
    let product = |one: i64, other: i64| i128::from(one) * i128::from(other);
    product(b.clock - a.clock, c.system - a.system)
        - product(b.system - a.system, c.clock - a.clock)
}

/// A convex chain of corners, of points that come in the order of the clock: the upper hull of them
/// or the lower one.
#[derive(Clone, Debug, Default)]
struct Hull<const UPPER: bool> {
    corners: Vec<Point>,
    /// The last point. Most are no corner any more when the next one has come, and never get there.
    last: Option<Point>,
}

impl<const UPPER: bool> Hull<UPPER> {
    /// Adds a point.
    fn push(&mut self, point: Point) {
        let Some(last) = self.last.replace(point) else { return };
        if last.clock == point.clock {
            // Of two at one moment the tighter one counts.
            if (point.system > last.system) != UPPER {
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

    /// Makes a point the last corner, which leaves out those that are none beside it.
    fn join(corners: &mut Vec<Point>, point: Point) {
        while let [.., a, b] = corners.as_slice()
            && !Self::is_corner(*a, *b, point)
        {
            corners.pop();
        }
        corners.push(point);
    }

    /// All corners, the last point among them.
    fn corners(&self) -> Vec<Point> {
        let mut corners = self.corners.clone();
        if let Some(last) = self.last {
            Self::join(&mut corners, last);
        }
        corners
    }
}

/// A rate *β*, system time by the clock's time: a fraction with a denominator above 0.
#[derive(Clone, Copy, Debug)]
struct Slope {
    rise: i128,
    run: i128,
}

impl Slope {
    fn of(rise: i64, run: i64) -> Self {
        Self { rise: rise.into(), run: run.into() }
    }

    fn is_above(self, other: Self) -> bool {
        self.rise * other.run > other.rise * self.run
    }

    /// How much faster than the system clock the clock goes, in millionths of a ppb, rounded down;
    /// `None` where it doesn't go on.
    fn pace(self) -> Option<i128> {
        (self.rise > 0).then(|| {
            // run / rise − 1, without leaving 128 bits.
            let ahead = self.run - self.rise;
            let unit = 1_000_000_000_000_000;
            ahead / self.rise * unit + (ahead % self.rise * unit).div_euclid(self.rise)
        })
    }
}

/// A line, by its slope and a point that it passes through.
#[derive(Clone, Copy, Debug)]
struct Ray {
    slope: Slope,
    from: Point,
}

impl Ray {
    /// Through two points, the first of which comes first.
    fn through(a: Point, b: Point) -> Self {
        Self { slope: Slope::of(b.system - a.system, b.clock - a.clock), from: a }
    }

    /// Where it is when the clock shows this, rounded down.
    fn floor(&self, clock: i64) -> i128 {
        let Slope { rise, run } = self.slope;
        let gone = i128::from(clock - self.from.clock);
        i128::from(self.from.system) + (rise * gone).div_euclid(run)
    }

    /// Where it is when the clock shows this, rounded up.
    fn ceil(&self, clock: i64) -> i128 {
        let Slope { rise, run } = self.slope;
        let gone = i128::from(clock - self.from.clock);
        i128::from(self.from.system) - (-rise * gone).div_euclid(run)
    }
}

/// What all lines through the samples have in common, where they are closest together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Feasible {
    /// The clock's time there, in nanoseconds from the first sample's.
    pub(super) clock: i64,
    /// The system's time then is between these.
    pub(super) system: (i128, i128),
    /// The clock goes faster than the system's by between these, in millionths of a ppb; `None`
    /// where all samples are of one moment.
    pub(super) pace: Option<(i128, i128)>,
}

/// A line between two hulls that touches both.
#[derive(Clone, Copy, Debug)]
struct Tangent {
    slope: Slope,
    low: Point,
    high: Point,
}

/// All lines through the samples so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    /// Upper hull of the lower bounds.
    lower: Hull<true>,
    /// Lower hull of the upper bounds.
    upper: Hull<false>,
}

impl Line {
    /// Adds a sample, in nanoseconds from the first one's: the clock's time, which doesn't go back,
    /// and the system times before and after it, none of them farther than [`FARTHEST`].
    pub(super) fn push(&mut self, clock: i64, before: i64, after: i64) {
        self.lower.push(Point { clock, system: before });
        self.upper.push(Point { clock, system: after });
    }

    /// What the lines have in common; `None` where none passes through all samples.
    pub(super) fn feasible(&self) -> Option<Feasible> {
        let (lower, upper) = (&self.lower.corners(), &self.upper.corners());
        let corners = || lower.iter().chain(upper);
        if lower.len() > MOST_CORNERS || upper.len() > MOST_CORNERS {
            return None;
        }
        let Some((flattest, steepest)) = tangents(lower, upper)? else {
            // All are of one moment.
            let (low, high) = (lower.last()?, upper.last()?);
            let system = (low.system.into(), high.system.into());
            return Some(Feasible { clock: low.clock, system, pace: None });
        };
        if flattest.slope.is_above(steepest.slope) {
            return None;
        }
        // The highest that a line may be follows the flattest one, then the hull, then the steepest
        // one; the lowest the other way round. How far apart they are is convex, and turns at
        // corners only.
        let range = |clock: i64| {
            let low = border(lower, clock, &steepest, &flattest, |tangent| tangent.low);
            let high = border(upper, clock, &flattest, &steepest, |tangent| tangent.high);
            (low.floor(clock), high.ceil(clock))
        };
        let (clock, system) = corners()
            .map(|point| (point.clock, range(point.clock)))
            .min_by_key(|(clock, (low, high))| (high - low, -clock))?;
        let pace = steepest.slope.pace().zip(flattest.slope.pace().map(|pace| pace + 1));
        Some(Feasible { clock, system, pace })
    }
}

/// The flattest and the steepest line; `None` inside where all samples are of one moment, and
/// outside where they exclude each other.
#[expect(clippy::option_option, reason = "two ways of there being none")]
fn tangents(lower: &[Point], upper: &[Point]) -> Option<Option<(Tangent, Tangent)>> {
    let (mut flattest, mut steepest): (Option<Tangent>, Option<Tangent>) = (None, None);
    // A line is above each lower bound and below each upper one: for every two of them that
    // limits how steeply it may rise, or must.
    for low in lower {
        for high in upper {
            let run = high.clock - low.clock;
            let rise = high.system - low.system;
            let slope = Slope::of(rise * run.signum(), run.abs());
            let tangent = Some(Tangent { slope, low: *low, high: *high });
            if run > 0 {
                if steepest.is_none_or(|steepest| steepest.slope.is_above(slope)) {
                    steepest = tangent;
                }
            } else if run < 0 {
                if flattest.is_none_or(|flattest| slope.is_above(flattest.slope)) {
                    flattest = tangent;
                }
            } else if rise < 0 {
                return None;
            }
        }
    }
    Some(flattest.zip(steepest))
}

/// The line that borders the lines at a moment: a tangent up to where it touches the hull, then the
/// hull's own side, then the other tangent.
fn border(
    hull: &[Point],
    clock: i64,
    first: &Tangent,
    last: &Tangent,
    touches: fn(&Tangent) -> Point,
) -> Ray {
    let ray = |tangent: &Tangent| Ray { slope: tangent.slope, from: touches(tangent) };
    if clock <= touches(first).clock {
        return ray(first);
    }
    if clock >= touches(last).clock {
        return ray(last);
    }
    let after = hull.partition_point(|corner| corner.clock < clock);
    match (hull.get(after.wrapping_sub(1)), hull.get(after)) {
        (Some(a), Some(b)) => Ray::through(*a, *b),
        _ => ray(last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(samples: &[(i64, i64, i64)]) -> Option<Feasible> {
        let mut line = Line::default();
        for (clock, before, after) in samples {
            line.push(*clock, *before, *after);
        }
        line.feasible()
    }

    #[test]
    fn one_sample_is_as_wide_as_it_is_and_tells_no_pace() {
        let all = line(&[(0, -700, 500)]).expect("feasible");
        assert_eq!(all, Feasible { clock: 0, system: (-700, 500), pace: None });
    }

    #[test]
    fn bounds_of_several_samples_are_put_together() {
        // The second is quick on the way there, the others on the way back.
        let all = line(&[(0, -10_000, 100), (1_000, 900, 11_000), (2_000, -8_000, 2_100)]);
        let Feasible { clock, system, .. } = all.expect("feasible");
        assert_eq!((clock, system), (1_000, (900, 1_100)));
    }

    #[test]
    fn a_pace_is_what_the_slopes_leave_open() {
        // 1 000 000 ns of the clock in 1 000 100 ± 2 of the system: 100 ppm slow.
        let all = line(&[(0, -1, 1), (1_000_000, 1_000_099, 1_000_101)]).expect("feasible");
        let (low, high) = all.pace.expect("a pace");
        assert!(low <= -99_990_000_000 && high >= -99_990_000_000, "{low} {high}");
        assert!(high - low <= 4_100_000_000, "{low} {high}");
    }

    #[test]
    fn no_line_passes_through_a_step() {
        assert_eq!(line(&[(0, -1, 1), (1_000, 999, 1_001), (2_000, 2_500, 2_502)]), None);
        assert_eq!(line(&[(0, -1, 1), (0, 2, 3)]), None);
    }

    #[test]
    fn what_goes_no_straight_way_ends_soon() {
        let mut all = Line::default();
        for at in 0..5_000_i64 {
            all.push(at * 1_000, at * 1_000 + at * at, at * 1_000 + at * at);
        }
        assert_eq!(all.feasible(), None);
    }

    /// Samples of a clock that goes at `pace`, in ppb, whose readings take so long each way; and
    /// when each was read.
    fn samples(pace: i64, delays: &[(i64, i64, i64)]) -> (Vec<(i64, i64, i64)>, Vec<i64>) {
        let mut system = 0;
        let (mut all, mut truth) = (Vec::new(), Vec::new());
        let mut start = None;
        // A clock that shows whole nanoseconds is up to one late.
        let slack = 1 + 1_000_000_000 / (1_000_000_000 + pace);
        for (wait, there, back) in delays {
            let before = system + wait;
            let read = before + there;
            system = read + back;
            // The first reading is where both begin.
            let start = *start.get_or_insert(read);
            let gone = read - start;
            let clock = gone + (gone * pace).div_euclid(1_000_000_000);
            all.push((clock, before - start - slack, system - start + slack));
            truth.push(gone);
        }
        (all, truth)
    }

    proptest! {
        #[test]
        fn the_truth_is_always_among_them(
            pace in -900_000_000_i64..2_000_000_000,
            delays in
                proptest::collection::vec((0_i64..50_000, 0_i64..20_000, 0_i64..20_000), 1..60),
        ) {
            let (samples, truth) = samples(pace, &delays);
            let all = line(&samples).expect("the truth is feasible");
            let read = samples.iter().position(|(clock, ..)| *clock == all.clock);
            let truth = i128::from(truth[read.expect("where a sample was read")]);
            prop_assert!((all.system.0..=all.system.1).contains(&truth), "{all:?} {truth}");
            if let Some((low, high)) = all.pace {
                let true_pace = i128::from(pace) * 1_000_000;
                prop_assert!(low <= true_pace && true_pace <= high, "{low} {high} {true_pace}");
            }
        }

        /// Every line that touches two bounds, and is within all, is an extreme one.
        #[test]
        fn they_are_as_wide_as_the_extreme_lines_where_those_are_closest(
            delays in proptest::collection::vec((1_i64..3_000, 0_i64..2_000, 0_i64..2_000), 2..7),
        ) {
            let (samples, _) = samples(100_000, &delays);
            prop_assume!(samples.last().map(|last| last.0) > samples.first().map(|first| first.0));
            let corners: Vec<_> =
                samples.iter().flat_map(|(x, low, high)| [(*x, *low), (*x, *high)]).collect();
            let mut lines = Vec::new();
            let wide = i128::from;
            for (x0, y0) in &corners {
                for (x1, y1) in corners.iter().filter(|(x1, _)| x1 > x0) {
                    let (rise, run) = (wide(y1 - y0), wide(x1 - x0));
                    let at = |x: i64| wide(*y0) * run + rise * wide(x - x0);
                    let is_within = |(x, low, high): &(i64, i64, i64)| {
                        (wide(*low) * run..=wide(*high) * run).contains(&at(*x))
                    };
                    if samples.iter().all(is_within) {
                        lines.push((rise, run, *x0, *y0));
                    }
                }
            }
            let range = |clock: i64| {
                let at = |(rise, run, x, y): &(i128, i128, i64, i64)| {
                    (wide(*y) * run + rise * wide(clock - x), *run)
                };
                let low = lines.iter().map(at).map(|(at, run)| at.div_euclid(run)).min();
                let high = lines.iter().map(at).map(|(at, run)| -(-at).div_euclid(run)).max();
                low.zip(high)
            };
            let all = line(&samples).expect("feasible");
            prop_assert_eq!(Some(all.system), range(all.clock));
            for (clock, ..) in samples {
                let (low, high) = range(clock).expect("feasible");
                prop_assert!(all.system.1 - all.system.0 <= high - low, "{all:?} at {clock}");
            }
        }
    }
}
