//! Makes offsets at even distances out of offsets as they were measured.

use super::points::{Points, in_units, unit};
use super::slot::{Slot, Stretch};
use crate::{FineOffset, Offset};

/// What a step counts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Steps {
    /// A part of what the clock does. No other choice shows a clock as bad as it was.
    #[default]
    Keep,
    /// It is removed: the offsets after it continue where the rate before it leads.
    Remove,
    /// Offsets before and after it have nothing to do with each other.
    Split,
}

/// Offsets at even distances. Where none was measured there is none; nothing is filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// From one place to the next, in nanoseconds.
    pub distance: u64,
    /// How many decimal digits of a nanosecond its offsets have.
    pub decimals: u8,
    /// When the first was measured, in nanoseconds.
    pub start: i128,
    /// The offsets. Those of different stretches aren't compared.
    pub stretches: Vec<Stretch>,
    /// How many points are left out, since they come too soon after another.
    pub crowded: usize,
    /// How many steps there were.
    pub steps: usize,
    /// How often the reference's time went back, or an offset was 36 years or more from the first
    /// of its stretch: another stretch begins there.
    pub breaks: usize,
    /// Whether the points come at even distances, apart from those that are missing.
    pub pattern: Pattern,
}

/// How points come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// At even distances.
    Even,
    /// In pairs: the first of each pair counts.
    Pairs,
    /// At different distances in different parts, in nanoseconds.
    Changing {
        /// The shorter one.
        from: u64,
        /// The longer one.
        to: u64,
    },
}

impl Series {
    /// Offsets that were all measured, from one moment on.
    ///
    /// # Examples
    ///
    /// ```
    /// use ptpctl::measure::stability::{Kind, Series};
    ///
    /// // Phases of the nine frequencies in annex 8.E of NBS Monograph 140, summed up.
    /// let phases = [0, 892, 1701, 2524, 3322, 3993, 4637, 5520, 6423, 7100];
    /// let allan = Series::even(1, phases).deviations(Kind::Allan, &[1, 2]);
    /// let values: Vec<_> = allan.iter().map(|one| format!("{:.5}", one.value)).collect();
    /// assert_eq!(values, ["91.22945", "85.95287"]);
    /// ```
    pub fn even(distance: u64, offsets: impl IntoIterator<Item = i64>) -> Self {
        let mut series = Self { distance, ..Self::empty() };
        let mut first = None;
        for (place, offset) in (0_u64..).zip(offsets) {
            let is_far = first.is_some_and(|first: i64| first.abs_diff(offset) >= FARTHEST_POINT);
            if is_far || first.is_none() {
                series.breaks += usize::from(is_far);
                series.stretches.push(Stretch::at(place));
                first = Some(offset);
            }
            series.stretches.last_mut().into_iter().for_each(|stretch| stretch.push(1, offset));
        }
        series
    }

    fn empty() -> Self {
        Self {
            distance: 0,
            decimals: 0,
            start: 0,
            stretches: Vec::new(),
            crowded: 0,
            steps: 0,
            breaks: 0,
            pattern: Pattern::Even,
        }
    }

    /// How many offsets it has.
    pub fn measured(&self) -> usize {
        self.stretches.iter().map(Stretch::number).sum()
    }

    /// How many places have none, between the first and the last of a stretch.
    pub fn missing(&self) -> usize {
        self.stretches.iter().map(|stretch| stretch.missing).sum()
    }

    /// How many places the longest stretch has.
    pub fn places(&self) -> usize {
        self.stretches.iter().map(|stretch| stretch.slots.len()).max().unwrap_or(0)
    }

    /// The longest gap, in places without an offset.
    pub fn longest_gap(&self) -> usize {
        let gaps = |stretch: &Stretch| {
            let runs = stretch.slots.chunk_by(|a, b| a.offset().is_none() && b.offset().is_none());
            runs.filter(|run| run.first().is_some_and(|slot| slot.offset().is_none()))
                .map(<[Slot]>::len)
                .max()
        };
        self.stretches.iter().filter_map(gaps).max().unwrap_or(0)
    }

    /// How many places there are from the first to the last offset of all.
    pub fn span(&self) -> u64 {
        self.stretches.last().map_or(0, Stretch::end)
    }

    /// Subtracts an offset from all offsets.
    pub fn move_by(&mut self, less: Offset) {
        let less = in_units(less.into(), self.decimals);
        for slot in self.stretches.iter_mut().flat_map(|stretch| &mut stretch.slots) {
            if let Some(offset) = slot.offset() {
                *slot = Slot::of(offset.saturating_sub(less));
            }
        }
    }

    /// What one unit of its offsets is, in nanoseconds.
    pub(super) fn unit(&self) -> f64 {
        10_f64.powi(-i32::from(self.decimals))
    }

    /// The offset at each place, from the first place to the last; `None` where it is missing.
    pub fn at_places(&self) -> impl Iterator<Item = Option<FineOffset>> {
        let unit = unit(self.decimals);
        let mut next = 0;
        let stretches = self.stretches.iter().flat_map(move |stretch| {
            let between = stretch.place.saturating_sub(std::mem::replace(&mut next, stretch.end()));
            let between = usize::try_from(between).unwrap_or(usize::MAX);
            std::iter::repeat_n(Slot::MISSING, between).chain(stretch.slots.iter().copied())
        });
        stretches.map(move |slot| {
            slot.offset().map(|offset| FineOffset::from_attoseconds(i128::from(offset) * unit))
        })
    }

    /// The offsets, in units of its last decimal digit.
    pub fn offsets(&self) -> impl Iterator<Item = i64> {
        self.stretches.iter().flat_map(Stretch::measured).map(|(_, offset)| offset)
    }
}

/// An offset that is at least this far from the first of its stretch begins another one.
const FARTHEST_POINT: u64 = 1 << 60;
/// Puts points on places at even distances.
///
/// Measurements come a little late now and then: each is moved to its place along the mean rate
/// between the steps around it. Where two fall on one place, the first counts. A gap with more
/// places than there are points begins another stretch: no averaging time that the points allow
/// spans it.
///
/// `None` where there are no two points at different moments.
pub fn series(points: &Points, steps: Steps) -> Option<Series> {
    let (usual, pattern) = usual_distance(points)?;
    let longest_gap = longest_gap(points, usual);
    let placed = || Placing::of(points, usual, longest_gap);
    let distance = mean_distance(placed(), usual)?;
    let runs = runs(placed());
    let mut filled = Filled::new(steps, distance);
    let mut runs = runs.into_iter();
    let mut run = Run::default();
    for placed in placed() {
        if placed.begins_run() {
            run = runs.next().unwrap_or_default();
        }
        filled.take(&placed, &run);
    }
    let (start, decimals) = (points.start(), points.decimals());
    let distance = u64::try_from(distance).ok()?;
    let series = Series { distance, decimals, start, pattern, ..filled.series };
    (series.span() > 1).then_some(series)
}

/// A point, and how far its place is after that of the point before.
#[derive(Clone, Copy, Debug)]
struct Placed {
    /// When it was measured, in nanoseconds from the first one.
    at: i128,
    /// Its offset, in units of the last decimal digit.
    offset: i64,
    link: Link,
    /// Whether there was a step since the last one that has a place of its own.
    stepped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// This many places later.
    Places(i128),
    /// On the same place.
    Crowded,
    /// This many places later, which is too far to be compared.
    Gap(i128),
    /// Time went back, or the offset is too far away: the number of places is unknown.
    Break,
    /// It is the first.
    First,
}

impl Placed {
    /// Whether the rate before says nothing about it.
    fn begins_run(&self) -> bool {
        match self.link {
            Link::Crowded => false,
            Link::Places(_) => self.stepped,
            Link::Gap(_) | Link::Break | Link::First => true,
        }
    }
}

/// Finds the place of one point after the other.
struct Placing<Points> {
    points: Points,
    usual: i128,
    longest_gap: i128,
    /// The moment of the last point's place, judging by all points so far, and the first offset of
    /// its stretch.
    due: Option<(i128, i64)>,
    stepped: bool,
}

/// The places that follow are moved by a delay divided by this.
const FOLLOW: i128 = 8;

impl Placing<()> {
    fn of(points: &Points, usual: i128, longest_gap: i128) -> impl Iterator<Item = Placed> {
        Placing { points: points.units(), usual, longest_gap, due: None, stepped: false }
    }
}

impl<Points: Iterator<Item = (i64, i64, bool)>> Iterator for Placing<Points> {
    type Item = Placed;

    fn next(&mut self) -> Option<Placed> {
        let (at, offset, stepped) = self.points.next()?;
        let at = i128::from(at);
        let link = match self.due {
            None => Link::First,
            Some((due, first)) => {
                let places = (at - due + self.usual / 2).div_euclid(self.usual);
                if places < 0 || first.abs_diff(offset) >= FARTHEST_POINT {
                    Link::Break
                } else if places == 0 {
                    Link::Crowded
                } else if places > self.longest_gap {
                    Link::Gap(places)
                } else {
                    Link::Places(places)
                }
            }
        };
        self.due = match (link, self.due) {
            (Link::Places(places), Some((due, first))) => {
                // A single late point says little about when the next is due; all of them together
                // tell it.
                let due = due + places * self.usual;
                Some((due + (at - due) / FOLLOW, first))
            }
            (Link::Crowded, due) => due,
            _ => Some((at, offset)),
        };
        let stepped = self.stepped || stepped;
        self.stepped = stepped && link == Link::Crowded;
        Some(Placed { at, offset, link, stepped })
    }
}

/// Series with no more places than this are made whatever the gaps are.
const FEW_PLACES: i128 = 10_000_000;
/// Other series have at most this many places for each point.
const PLACES_A_POINT: i128 = 8;

/// The longest gap that stays within a stretch, in places: as many as there are points, or fewer
/// where all gaps together would make many more places than points.
fn longest_gap(points: &Points, usual: i128) -> i128 {
    let number = i128::try_from(points.len()).unwrap_or(i128::MAX);
    let most = FEW_PLACES.max(number * PLACES_A_POINT);
    let mut longest = number;
    while longest > 1 {
        let places = Placing::of(points, usual, longest).map(|placed| match placed.link {
            Link::Places(places) => places,
            _ => 0,
        });
        if places.sum::<i128>() <= most {
            break;
        }
        longest /= 2;
    }
    longest
}

/// The mean distance from one place to the next, by neighbouring points only: after a gap, points
/// may come at other moments than those before would lead to, and a late point says nothing.
fn mean_distance(all: impl Iterator<Item = Placed>, usual: i128) -> Option<i128> {
    let mut places = 0;
    let (mut sum, mut number) = (0, 0);
    let mut last: Option<i128> = None;
    for one in all {
        if let (Link::Places(steps), Some(last)) = (one.link, last) {
            places += steps;
            let apart = one.at - last;
            if steps == 1 && (apart - usual).abs() <= usual / 4 {
                sum += apart;
                number += 1;
            }
        }
        if one.link != Link::Crowded {
            last = Some(one.at);
        }
    }
    let distance = if number > 0 { (sum + number / 2) / number } else { usual };
    Some(round(distance, places, usual)).filter(|distance| *distance > 0)
}

/// A distance without the digits that late first and last measurements put into it: to three
/// digits, where all places together are moved by less than a thousandth of one.
fn round(distance: i128, places: i128, usual: i128) -> i128 {
    let unit = 10_i128.pow(distance.checked_ilog10().unwrap_or(0).saturating_sub(2));
    let rounded = (distance + unit / 2) / unit * unit;
    let moved = (rounded - distance).abs().saturating_mul(places);
    if moved <= usual / 1_000 { rounded } else { distance }
}

/// Points without a step between them: where they begin, and how far their offsets go.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    start: i128,
    /// How far the offset goes from the first to the last, in units of offsets, and in how many
    /// nanoseconds.
    moved: i128,
    span: i128,
}

impl Run {
    /// How far it goes in a time, at its mean rate.
    fn over(&self, time: i128) -> i128 {
        let product = time.checked_mul(self.moved).unwrap_or(0);
        if self.span > 0 { product / self.span } else { 0 }
    }
}

fn runs(placed: impl Iterator<Item = Placed>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut first = 0;
    for one in placed {
        if one.begins_run() {
            first = one.offset;
            runs.push(Run { start: one.at, ..Run::default() });
        } else if let Some(run) = runs.last_mut() {
            run.span = one.at - run.start;
            run.moved = i128::from(one.offset) - i128::from(first);
        }
    }
    runs
}

/// A series that is being filled.
struct Filled {
    series: Series,
    steps: Steps,
    distance: i128,
    /// Which place the last point has, counted from the start of its run and of all.
    in_run: i128,
    place: u64,
    /// The last offset, the rate that led to it, and what steps have been taken out so far.
    last: Option<(i128, Run)>,
    removed: i128,
    /// The first offset of the stretch.
    first: Option<i128>,
}

impl Filled {
    fn new(steps: Steps, distance: i128) -> Self {
        let series = Series::empty();
        Self { series, steps, distance, in_run: 0, place: 0, last: None, removed: 0, first: None }
    }

    /// Takes a point that belongs to a run.
    fn take(&mut self, one: &Placed, run: &Run) {
        let begins = one.begins_run();
        let places = match one.link {
            Link::Crowded => {
                self.series.crowded += 1;
                return;
            }
            Link::Places(places) | Link::Gap(places) => places,
            Link::Break => {
                self.series.breaks += 1;
                1
            }
            Link::First => 0,
        };
        let is_step = one.stepped && one.link != Link::First;
        self.series.steps += usize::from(is_step);
        self.in_run = if begins { 0 } else { self.in_run + places };
        // At its place, a point has the offset that the mean rate leads to.
        let late = one.at - run.start - self.in_run * self.distance;
        let offset = i128::from(one.offset) - run.over(late);
        if is_step
            && self.steps == Steps::Remove
            && let Some((last, before)) = self.last
        {
            let leads_to = last + before.over(places * self.distance);
            self.removed += offset - leads_to;
        }
        self.last = Some((offset, *run));
        let splits = match one.link {
            Link::Gap(_) | Link::Break | Link::First => true,
            _ => is_step && self.steps == Steps::Split,
        };
        self.place = self.place.saturating_add(u64::try_from(places).unwrap_or(u64::MAX));
        if splits {
            self.series.stretches.push(Stretch::at(self.place));
            self.first = None;
        }
        let offset = offset - self.removed;
        let far = i128::from(FARTHEST_POINT) - 1;
        let first = *self.first.get_or_insert(offset);
        if let Some(stretch) = self.series.stretches.last_mut() {
            // Moved to its place, an offset may be slightly beyond what is counted.
            let offset = i64::try_from(offset.clamp(first - far, first + far));
            let places = usize::try_from(places).unwrap_or(usize::MAX);
            stretch.push(if splits { 1 } else { places }, offset.unwrap_or(i64::MAX));
        }
    }
}

/// Two parts have different distances where the longer is at least this many quarters of the
/// shorter.
const CHANGED: i128 = 5;
/// How many parts are compared, and how many distances a part has at least.
const PARTS: usize = 8;
const FEWEST_IN_PART: usize = 8;
/// The most distances of a part that are used: more don't make it surer.
const MOST_IN_PART: usize = 1 << 16;
/// Points come in pairs where the longer distances are at least this many times the shorter ones.
/// The factor is above 2: where every third point of an even row is missing, distances of one and
/// two take turns.
const PAIRS: i64 = 4;
/// Points come in pairs where at least this many of ten neighbouring distances take turns.
const TURNS: usize = 8;

/// The usual distance from one point to the next. Gaps and points that come twice don't count.
fn usual_distance(points: &Points) -> Option<(i128, Pattern)> {
    let parts = parts(points);
    let mut all: Vec<i64> = parts.concat();
    let taking_turns = all.clone();
    let (low, high) = quartiles(&mut all)?;
    if high >= low.saturating_mul(PAIRS) && take_turns(&taking_turns, low, high) {
        let neighbours = taking_turns.iter().zip(taking_turns.iter().skip(1));
        let pairs = neighbours.map(|(a, b)| a.saturating_add(*b));
        return Some((mean_near(pairs, low.saturating_add(high))?, Pattern::Pairs));
    }
    let lows = || {
        let long = parts.iter().filter(|part| part.len() >= FEWEST_IN_PART);
        long.filter_map(|part| quartiles(&mut part.clone())).map(|(low, _)| low)
    };
    if let Some((least, most)) = lows().min().zip(lows().max())
        && i128::from(most) * 4 >= i128::from(least) * CHANGED
    {
        let [from, to] = [least, most].map(i64::unsigned_abs);
        let usual = mean_near(all.iter().copied(), least)?;
        return Some((usual, Pattern::Changing { from, to }));
    }
    let usual = if high < low.saturating_mul(2) {
        let inner =
            || all.iter().filter(|one| (low..=high).contains(one)).map(|one| i128::from(*one));
        inner().sum::<i128>() / i128::try_from(inner().count()).ok()?
    } else {
        mean_near(all.iter().copied(), low)?
    };
    Some((usual, Pattern::Even)).filter(|(usual, _)| *usual > 0)
}

/// Distances in each of a few parts, as many as are needed.
fn parts(points: &Points) -> Vec<Vec<i64>> {
    let part = points.len().div_ceil(PARTS).max(1);
    let skipped = |from: usize| points.distances().skip(from).take(part.min(MOST_IN_PART));
    let forward = |from: usize| skipped(from).filter(|distance| *distance > 0).collect();
    (0..PARTS).map(|place| forward(place * part)).collect()
}

/// The lower and the upper quartile of some distances.
fn quartiles(distances: &mut [i64]) -> Option<(i64, i64)> {
    let number = distances.len();
    let (first, last) = (number / 4, number.checked_sub(1)? - number / 4);
    let (_, low, _) = distances.select_nth_unstable(first);
    let low = *low;
    let (_, high, _) = distances.select_nth_unstable(last);
    Some((low, *high))
}

/// Whether short and long distances take turns.
fn take_turns(distances: &[i64], low: i64, high: i64) -> bool {
    let is_short = |distance: &i64| distance.saturating_sub(low) < high.saturating_sub(*distance);
    let neighbours = distances.iter().zip(distances.iter().skip(1));
    let turns = neighbours.filter(|(a, b)| is_short(a) != is_short(b)).count();
    distances.len() > 2 && turns * 10 >= (distances.len() - 1) * TURNS
}

/// The mean of the distances that are within a quarter of `place` from it.
fn mean_near(distances: impl Iterator<Item = i64>, place: i64) -> Option<i128> {
    let place = i128::from(place);
    let distances = distances.map(i128::from);
    let near = distances.filter(|one| (one - place).abs() <= place / 4);
    let (sum, number) = near.fold((0, 0), |(sum, number), one| (sum + one, number + 1));
    (number > 0).then(|| sum / number)
}

#[cfg(test)]
mod tests {
    use super::super::points::Point;
    use super::*;
    use crate::FineOffset;

    fn points(of: &[(i128, i64)]) -> Vec<Point> {
        let point = |&(at, offset)| Point {
            at,
            offset: Offset::from_nanoseconds(offset).into(),
            stepped: false,
        };
        of.iter().map(point).collect()
    }

    fn series(points: &[Point], steps: Steps) -> Option<Series> {
        super::series(&points.iter().copied().collect(), steps)
    }

    fn kept(points: &[Point]) -> Series {
        series(points, Steps::Keep).expect("a series")
    }

    /// The offsets of each stretch, with what is missing.
    fn slots(series: &Series) -> Vec<Vec<Option<i64>>> {
        let of = |stretch: &Stretch| stretch.slots().iter().map(|slot| slot.offset()).collect();
        series.stretches.iter().map(of).collect()
    }

    fn whole(series: &Series) -> Vec<i64> {
        assert_eq!((series.missing(), series.stretches.len()), (0, 1), "{series:?}");
        series.offsets().collect()
    }

    #[test]
    fn late_measurements_are_moved_to_their_place_along_the_rate() {
        // One in a thousand ahead; the second comes 100 late.
        let series = kept(&points(&[(0, 7), (1_100, 8), (2_000, 9), (3_000, 10)]));
        assert_eq!((series.distance, whole(&series)), (1_000, vec![7, 8, 9, 10]));
        let series = kept(&points(&[(0, 0), (1_100, 110), (2_000, 200), (3_000, 300)]));
        assert_eq!(whole(&series), [0, 100, 200, 300]);
    }

    #[test]
    fn times_that_come_early_and_late_by_turns_keep_their_mean_distance() {
        let at = |n: i64| i128::from(n) * 1_000 + if n % 2 == 0 { 0 } else { 100 };
        let all: Vec<_> = (0..400).map(|n| (at(n), n)).collect();
        let series = kept(&points(&all));
        assert_eq!((series.distance, series.measured(), series.crowded), (1_000, 400, 0));
        assert_eq!(series.pattern, Pattern::Even);
    }

    #[test]
    fn a_distance_has_three_digits_where_more_say_nothing() {
        let rounded = |distance, places| round(distance, places, distance);
        assert_eq!(rounded(99_999_998, 1_000), 100_000_000);
        assert_eq!(rounded(33_333_333, 1_000), 33_333_333);
        assert_eq!(rounded(100_040_000, 20), 100_040_000);
        assert_eq!(rounded(7, 1), 7);
    }

    #[test]
    fn a_distance_that_is_not_round_tells_the_rate_rightly() {
        // 100 ppm at every 100.04 ms.
        let all: Vec<_> = (0..200_i64).map(|n| (i128::from(n) * 100_040_000, n * 10_004)).collect();
        let series = kept(&points(&all));
        assert_eq!((series.distance, whole(&series)[199]), (100_040_000, 199 * 10_004));
    }

    #[test]
    fn what_is_missing_is_missing() {
        let all: Vec<_> =
            (0..40).filter(|n| !(21..24).contains(n)).map(|n| (n.into(), n)).collect();
        let series = kept(&points(&all));
        assert_eq!((series.measured(), series.missing(), series.span()), (37, 3, 40));
        let there = |n: i64| (!(21..24).contains(&n)).then_some(n);
        assert_eq!(slots(&series), [(0..40).map(there).collect::<Vec<_>>()]);
    }

    #[test]
    fn a_gap_without_end_begins_another_stretch() {
        let series =
            kept(&points(&[(0, 0), (10, 1), (20, 2), (1_000_000_000, 7), (1_000_000_010, 8)]));
        assert_eq!(slots(&series), [vec![Some(0), Some(1), Some(2)], vec![Some(7), Some(8)]]);
        assert_eq!((series.span(), series.breaks), (100_000_002, 0));
    }

    #[test]
    fn many_long_gaps_take_no_more_room_than_the_points_are_worth() {
        let all: Vec<_> = (0..60_000_i128)
            .flat_map(|turn| {
                [(turn * 100_000, 0), (turn * 100_000 + 1, 0), (turn * 100_000 + 2, 0)]
            })
            .collect();
        let series = kept(&points(&all));
        assert_eq!((series.measured(), series.crowded), (180_000, 0));
        assert!(series.missing() < 12_000_000, "{}", series.missing());
    }

    fn with_a_step() -> Vec<Point> {
        let mut all = points(&[(0, 0), (10, 1), (20, 502), (30, 503), (40, 504)]);
        all.get_mut(2).expect("it").stepped = true;
        all
    }

    #[test]
    fn a_step_is_kept_where_nothing_else_is_said() {
        let series = series(&with_a_step(), Steps::default()).expect("one");
        assert_eq!((series.steps, whole(&series)), (1, vec![0, 1, 502, 503, 504]));
    }

    #[test]
    fn a_step_that_is_removed_leaves_the_rate() {
        let series = series(&with_a_step(), Steps::Remove).expect("one");
        assert_eq!((series.steps, whole(&series)), (1, vec![0, 1, 2, 3, 4]));
        let mut twice = with_a_step();
        twice.extend(points(&[(50, 5), (60, 6)]));
        twice.get_mut(5).expect("it").stepped = true;
        let twice = super::series(&twice.into_iter().collect(), Steps::Remove).expect("one");
        assert_eq!((twice.steps, whole(&twice)), (2, vec![0, 1, 2, 3, 4, 5, 6]));
    }

    #[test]
    fn a_step_that_splits_begins_another_stretch() {
        let series = series(&with_a_step(), Steps::Split).expect("one");
        let expected = [vec![Some(0), Some(1)], vec![Some(502), Some(503), Some(504)]];
        assert_eq!((series.steps, slots(&series)), (1, expected.into()));
    }

    #[test]
    fn one_that_comes_late_or_twice_does_not_end_a_stretch() {
        let even = |second: i128| (second * 1_000, i64::try_from(second).unwrap_or(0));
        let mut all: Vec<_> = (0..20).map(even).collect();
        all[7] = (7_600, 7);
        all.insert(12, all[11]);
        let series = kept(&points(&all));
        assert_eq!((series.distance, series.stretches.len()), (1_000, 1));
        assert_eq!((series.missing(), series.crowded), (1, 2), "the late one is on the next place");
    }

    #[test]
    fn what_goes_on_after_a_gap_at_other_moments_keeps_the_distance() {
        let at = |n: i128| n * 1_000 + if n < 100 { 0 } else { 5_400 };
        let all: Vec<_> = (0..200).map(|n| (at(n), 7)).collect();
        let series = kept(&points(&all));
        assert_eq!((series.distance, series.span(), series.missing()), (1_000, 205, 5));
    }

    #[test]
    fn a_distance_that_is_no_whole_number_of_nanoseconds_loses_no_place() {
        let all: Vec<_> = (0..100_000_i64).map(|n| (i128::from(n) * 10_001 / 10, n)).collect();
        assert_eq!(whole(&kept(&points(&all))).len(), 100_000);
    }

    #[test]
    fn of_points_in_pairs_the_first_counts() {
        let all: Vec<_> = (0..100).flat_map(|n| [(n * 1_000, 1), (n * 1_000 + 3, 2)]).collect();
        let series = kept(&points(&all));
        assert_eq!((series.distance, series.crowded, series.pattern), (1_000, 100, Pattern::Pairs));
        assert_eq!(whole(&series), [1; 100]);
    }

    #[test]
    fn of_two_distances_the_shorter_counts() {
        let at = |n: i128| if n < 100 { n * 10 } else { 1_000 + (n - 100) * 100 };
        let all: Vec<_> = (0..200).map(|n| (at(n), 7)).collect();
        let series = kept(&points(&all));
        assert_eq!((series.distance, series.measured()), (10, 200));
        assert_eq!(series.pattern, Pattern::Changing { from: 10, to: 100 });
    }

    #[test]
    fn points_that_are_missing_at_random_come_at_even_distances() {
        for share in [2, 3, 5] {
            let mut random = 1_u64;
            let mut is_there = |_: &i128| {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (random >> 33) % 10 >= share
            };
            let all: Vec<_> = (0..2_000).filter(&mut is_there).map(|n| (n * 1_000, 0)).collect();
            let series = kept(&points(&all));
            let found = (series.distance, series.pattern, series.crowded);
            assert_eq!(found, (1_000, Pattern::Even, 0), "{share} of ten missing");
        }
    }

    #[test]
    fn a_reference_that_is_set_back_begins_another_stretch() {
        let all: Vec<_> = (0..20).map(|n| (n % 10 * 1_000, 0)).collect();
        let series = kept(&points(&all));
        assert_eq!((slots(&series), series.breaks), (vec![vec![Some(0); 10]; 2], 1));
    }

    #[test]
    fn parts_of_a_nanosecond_stay_as_far_as_they_fit() {
        let point = |(at, attoseconds): (i128, i128)| Point {
            at,
            offset: FineOffset::from_attoseconds(attoseconds),
            stepped: false,
        };
        let of = |offsets: [i128; 3]| {
            let all: Vec<Point> = (0..).zip(offsets).map(point).collect();
            let series = kept(&all);
            (series.decimals, whole(&series))
        };
        assert_eq!(of([0, 1_500_000_000, -1_500_000_000]), (1, vec![0, 15, -15]));
        assert_eq!(of([0, 1, 2]), (9, vec![0, 1, 2]));
        // Ten days and a picosecond.
        let far = 864_000 * 1_000_000_000 * 1_000_000_000;
        assert_eq!(of([0, far, 1_000_000]), (3, vec![0, 864_000_000_000_000_000, 1]));
        let rounds =
            |offsets: [i128; 2]| (0..).zip(offsets).map(point).collect::<Points>().is_rounded();
        assert!(!rounds([far, 1_000_000]) && rounds([far, 1_000]) && rounds([1_000, far]));
        let century = 36_525 * 86_400 * 1_000_000_000;
        let times = [0, 2 * century, 3 * century].map(|at| (at, 0));
        assert_eq!(times.map(point).into_iter().collect::<Points>().far(), 1);
    }

    #[test]
    fn moments_that_no_clock_shows_are_no_series() {
        let most = 1_i128 << 90;
        let of = |points: &[Point]| series(points, Steps::Remove);
        assert_eq!(of(&points(&[(i128::MIN, 0), (i128::MAX, 0), (0, 0)])), None);
        assert_eq!(of(&points(&[(0, 0), (most + 1, 0)])), None);
        // The farthest that are taken don't overflow.
        let _ = of(&points(&[(-most, i64::MIN), (0, i64::MAX), (most, 0), (most, 5)]));
    }

    #[test]
    fn one_point_alone_is_no_series() {
        assert_eq!(series(&points(&[(0, 0)]), Steps::Keep), None);
        assert_eq!(series(&points(&[(5, 0), (5, 0)]), Steps::Keep), None);
    }
}
