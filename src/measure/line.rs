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
    clock: i128,
    system: i128,
}

/// Points further away than this, 30 years, and hulls of more corners are no measurement: with
/// them every product below fits its 128 bits, and every loop ends soon.
const FARTHEST: i128 = 1_000_000_000_000_000_000;
const MOST_CORNERS: usize = 2_000;

/// Twice the area that three points go around: above 0 where they turn to the left.
fn turn(a: Point, b: Point, c: Point) -> i128 {
    (b.clock - a.clock) * (c.system - a.system) - (b.system - a.system) * (c.clock - a.clock)
}

/// A convex chain of corners, of points that come in the order of the clock.
#[derive(Clone, Debug, Default)]
struct Hull {
    corners: Vec<Point>,
}

impl Hull {
    /// Adds a point; `side` is 1 for an upper hull and −1 for a lower one.
    fn push(&mut self, point: Point, side: i128) {
        if let Some(last) = self.corners.last().copied()
            && last.clock == point.clock
        {
            // Of two at one moment the tighter one counts.
            if (point.system - last.system) * side <= 0 {
                return;
            }
            self.corners.pop();
        }
        while let [.., a, b] = self.corners.as_slice()
            && turn(*a, *b, point) * side >= 0
        {
            self.corners.pop();
        }
        self.corners.push(point);
    }
}

/// A rate *β*, system time by the clock's time: a fraction with a denominator above 0.
#[derive(Clone, Copy, Debug)]
struct Slope {
    rise: i128,
    run: i128,
}

impl Slope {
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
        Self { slope: Slope { rise: b.system - a.system, run: b.clock - a.clock }, from: a }
    }

    /// Where it is when the clock shows this, rounded down.
    fn floor(&self, clock: i128) -> i128 {
        let Slope { rise, run } = self.slope;
        self.from.system + (rise * (clock - self.from.clock)).div_euclid(run)
    }

    /// Where it is when the clock shows this, rounded up.
    fn ceil(&self, clock: i128) -> i128 {
        let Slope { rise, run } = self.slope;
        self.from.system - (rise * (self.from.clock - clock)).div_euclid(run)
    }
}

/// What all lines through the samples have in common, where they are closest together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Feasible {
    /// The clock's time there, in nanoseconds from the first sample's.
    pub(super) clock: i128,
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
    lower: Hull,
    /// Lower hull of the upper bounds.
    upper: Hull,
}

impl Line {
    /// Adds a sample, in nanoseconds from the first one's: the clock's time, which doesn't go back,
    /// and the system times before and after it.
    pub(super) fn push(&mut self, clock: i128, before: i128, after: i128) {
        self.lower.push(Point { clock, system: before }, 1);
        self.upper.push(Point { clock, system: after }, -1);
    }

    /// What the lines have in common; `None` where none passes through all samples.
    pub(super) fn feasible(&self) -> Option<Feasible> {
        let (lower, upper) = (&self.lower.corners, &self.upper.corners);
        let corners = || lower.iter().chain(upper);
        if lower.len() > MOST_CORNERS
            || upper.len() > MOST_CORNERS
            || corners().any(|point| point.clock > FARTHEST || point.system.abs() > FARTHEST)
        {
            return None;
        }
        let Some((flattest, steepest)) = self.tangents()? else {
            // All are of one moment.
            let (low, high) = (lower.last()?, upper.last()?);
            let system = (low.system, high.system);
            return Some(Feasible { clock: low.clock, system, pace: None });
        };
        if flattest.slope.is_above(steepest.slope) {
            return None;
        }
        // The highest that a line may be follows the flattest one, then the hull, then the steepest
        // one; the lowest the other way round. How far apart they are is convex, and turns at
        // corners only.
        let range = |clock: i128| {
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

    /// The flattest and the steepest line; `None` inside where all samples are of one moment, and
    /// outside where they exclude each other.
    #[expect(clippy::option_option, reason = "two ways of there being none")]
    fn tangents(&self) -> Option<Option<(Tangent, Tangent)>> {
        let (mut flattest, mut steepest): (Option<Tangent>, Option<Tangent>) = (None, None);
        // A line is above each lower bound and below each upper one: for every two of them that
        // limits how steeply it may rise, or must.
        for low in &self.lower.corners {
            for high in &self.upper.corners {
                let run = high.clock - low.clock;
                let rise = high.system - low.system;
                let slope = Slope { rise: rise * run.signum(), run: run.abs() };
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
}

/// The line that borders the lines at a moment: a tangent up to where it touches the hull, then the
/// hull's own side, then the other tangent.
fn border(
    hull: &[Point],
    clock: i128,
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

    fn line(samples: &[(i128, i128, i128)]) -> Option<Feasible> {
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
        for at in 0..100_000_i128 {
            all.push(at * 1_000, at * 1_000 + at * at, at * 1_000 + at * at);
        }
        assert_eq!(all.feasible(), None);
    }

    /// Samples of a clock that goes at `pace`, in ppb, whose readings take so long each way; and
    /// when each was read.
    fn samples(pace: i128, delays: &[(i128, i128, i128)]) -> (Vec<(i128, i128, i128)>, Vec<i128>) {
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
            pace in -900_000_000_i128..2_000_000_000,
            delays in
                proptest::collection::vec((0_i128..50_000, 0_i128..20_000, 0_i128..20_000), 1..60),
        ) {
            let (samples, truth) = samples(pace, &delays);
            let all = line(&samples).expect("the truth is feasible");
            let read = samples.iter().position(|(clock, ..)| *clock == all.clock);
            let truth = truth[read.expect("where a sample was read")];
            prop_assert!((all.system.0..=all.system.1).contains(&truth), "{all:?} {truth}");
            if let Some((low, high)) = all.pace {
                let true_pace = pace * 1_000_000;
                prop_assert!(low <= true_pace && true_pace <= high, "{low} {high} {true_pace}");
            }
        }

        /// Every line that touches two bounds, and is within all, is an extreme one.
        #[test]
        fn they_are_as_wide_as_the_extreme_lines_where_those_are_closest(
            delays in proptest::collection::vec((1_i128..3_000, 0_i128..2_000, 0_i128..2_000), 2..7),
        ) {
            let (samples, _) = samples(100_000, &delays);
            prop_assume!(samples.last().map(|last| last.0) > samples.first().map(|first| first.0));
            let corners: Vec<_> =
                samples.iter().flat_map(|(x, low, high)| [(*x, *low), (*x, *high)]).collect();
            let mut lines = Vec::new();
            for (x0, y0) in &corners {
                for (x1, y1) in corners.iter().filter(|(x1, _)| x1 > x0) {
                    let (rise, run) = (y1 - y0, x1 - x0);
                    let at = |x: i128| y0 * run + rise * (x - x0);
                    let is_within = |(x, low, high): &(i128, i128, i128)| {
                        (low * run..=high * run).contains(&at(*x))
                    };
                    if samples.iter().all(is_within) {
                        lines.push((rise, run, *x0, *y0));
                    }
                }
            }
            let range = |clock: i128| {
                let at = |(rise, run, x, y): &(i128, i128, i128, i128)| (y * run + rise * (clock - x), *run);
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
