//! Offsets at even distances from offsets as they were measured.

use crate::Offset;

/// A measured offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// When, in nanoseconds on the reference's scale.
    pub at: i128,
    /// What was measured.
    pub offset: Offset,
    /// Whether one of the clocks was stepped since the point before.
    pub stepped: bool,
}

/// Offsets at even distances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// From one to the next on the average, in nanoseconds.
    pub distance: u64,
    /// When the first was measured, in nanoseconds.
    pub start: i128,
    /// In nanoseconds.
    pub offsets: Vec<i64>,
    /// How many of them weren't measured: they lie on the line between their neighbours.
    pub filled: usize,
    /// How many points are left out, since they lie beyond a step or a gap.
    pub left_out: usize,
    /// How many points are left out, since they come too soon after another.
    pub crowded: usize,
}

/// So many measurements in a row may be missing and are filled in.
const LONGEST_GAP: i128 = 10;
/// Of all offsets one in so many may be filled in: more would be told of than was measured.
const FEW: usize = 10;
/// An offset must not be farther than this from the first one.
const FARTHEST_POINT: i64 = 1 << 60;

/// The longest stretch of points without a step or a long gap, at even distances.
///
/// Measurements come a little late now and then: each is moved to its place in the row along the
/// mean rate of its stretch. Up to ten that are missing in a row are filled in, but no more than a
/// tenth of all: where more are missing a gap ends a stretch. Of two that fall on one place the
/// first counts.
///
/// `None` where no stretch has two points, and where one was measured more than 2^90 ns from 1970:
/// no clock shows that.
pub fn series(points: &[Point]) -> Option<Series> {
    if points.iter().any(|point| point.at.unsigned_abs() > 1 << 90) {
        return None;
    }
    let usual = usual_distance(points)?;
    let longest = |gap| longest_stretch(points, usual, gap);
    let with_gaps = longest(LONGEST_GAP);
    let has_few = with_gaps.filled() * FEW <= with_gaps.placed.len();
    let Stretch { placed: stretch, crowded } = if has_few { with_gaps } else { longest(0) };
    let (first, last) = (*stretch.first()?, *stretch.last()?);
    let span = last.point.at - first.point.at;
    if last.place == 0 || span <= 0 {
        return None;
    }
    let neighbours = || stretch.iter().zip(stretch.iter().skip(1));
    // Behind a gap it may go on at other moments than those before would have led to; and one that
    // is late says nothing.
    let (sum, number) = neighbours()
        .filter(|(a, b)| b.place - a.place == 1)
        .map(|(a, b)| b.point.at - a.point.at)
        .filter(|distance| (distance - usual).abs() <= usual / 4)
        .fold((0, 0), |(sum, number), distance| (sum + distance, number + 1));
    let (sum, number) = if number > 0 { (sum, number) } else { (span, last.place) };
    let distance = round((sum + number / 2) / number, last.place, usual);
    let base = first.point.offset.nanoseconds();
    let from_first = |point: &Point| point.offset.nanoseconds().checked_sub(base);
    let moved = i128::from(from_first(last.point)?);
    // Where a point belongs, its offset is what the mean rate makes of it there.
    let on_its_place = |placed: &Placed<'_>| {
        let late = placed.point.at - first.point.at - placed.place * distance;
        let offset = i128::from(from_first(placed.point)?) - late.checked_mul(moved)? / span;
        i64::try_from(offset)
            .ok()
            .filter(|offset| offset.unsigned_abs() < FARTHEST_POINT.unsigned_abs())
    };
    let mut offsets = vec![0_i64];
    for (a, b) in neighbours() {
        let steps = b.place - a.place;
        let from = offsets.last().copied()?;
        let to = on_its_place(b)?;
        let between = |step: i128| i128::from(from) + i128::from(to - from) * step / steps;
        for step in 1..=steps {
            offsets.push(i64::try_from(between(step)).ok()?);
        }
    }
    for offset in &mut offsets {
        *offset = offset.checked_add(base)?;
    }
    Some(Series {
        distance: u64::try_from(distance).ok()?,
        start: first.point.at,
        filled: offsets.len() - stretch.len(),
        left_out: points.len() - stretch.len() - crowded,
        crowded,
        offsets,
    })
}

/// A distance without the digits that late first and last measurements put into it: to three
/// digits, where all places together are moved by less than a thousandth of one.
fn round(distance: i128, places: i128, usual: i128) -> i128 {
    let unit = 10_i128.pow(distance.checked_ilog10().unwrap_or(0).saturating_sub(2));
    let rounded = (distance + unit / 2) / unit * unit;
    let moved = (rounded - distance).abs().saturating_mul(places);
    if moved <= usual / 1_000 { rounded } else { distance }
}

/// A point, and which place in its row it has.
#[derive(Clone, Copy, Debug)]
struct Placed<'a> {
    place: i128,
    point: &'a Point,
}

/// Points without a step or a gap between them, each on a place of its own.
#[derive(Clone, Debug, Default)]
struct Stretch<'a> {
    placed: Vec<Placed<'a>>,
    /// How many have none, since it is taken.
    crowded: usize,
}

impl Stretch<'_> {
    /// How many places have no point.
    fn filled(&self) -> usize {
        let places = self.placed.last().map_or(0, |last| last.place + 1);
        usize::try_from(places).unwrap_or(usize::MAX).saturating_sub(self.placed.len())
    }
}

/// The stretch with the most points.
fn longest_stretch(points: &[Point], usual: i128, longest_gap: i128) -> Stretch<'_> {
    let mut longest = Stretch::default();
    let mut now = Stretch::default();
    // When the place of the last point is, by all that came before.
    let mut due = 0;
    for point in points {
        let places = |last: &Placed<'_>| {
            let goes_on = !point.stepped
                && last.point.offset.nanoseconds().abs_diff(point.offset.nanoseconds())
                    < FARTHEST_POINT.unsigned_abs();
            let places = (point.at.checked_sub(due)?.checked_add(usual / 2)?).div_euclid(usual);
            (goes_on && (0..=longest_gap + 1).contains(&places)).then_some((last.place, places))
        };
        match now.placed.last().and_then(places) {
            Some((_, 0)) => now.crowded += 1,
            Some((place, places)) => {
                // One that is late tells little of when the next is due, all together tell it.
                due += places * usual;
                due += (point.at - due) / FOLLOW;
                now.placed.push(Placed { place: place + places, point });
            }
            None => {
                keep_longer(&mut longest, &mut now);
                due = point.at;
                now.placed.push(Placed { place: 0, point });
            }
        }
    }
    keep_longer(&mut longest, &mut now);
    longest
}

/// The part of a delay by which the places that follow are moved.
const FOLLOW: i128 = 8;

fn keep_longer<'a>(longest: &mut Stretch<'a>, now: &mut Stretch<'a>) {
    let ended = std::mem::take(now);
    if ended.placed.len() > longest.placed.len() {
        *longest = ended;
    }
}

/// The mean of the middle half of the distances: neither gaps nor what comes twice counts.
fn usual_distance(points: &[Point]) -> Option<i128> {
    let neighbours = points.iter().zip(points.iter().skip(1));
    let distances = neighbours.map(|(a, b)| b.at - a.at).filter(|distance| *distance > 0);
    let mut distances: Vec<_> = distances.collect();
    if distances.is_empty() {
        return None;
    }
    let number = distances.len();
    let (first, last) = (number / 4, number - 1 - number / 4);
    distances.select_nth_unstable(first);
    distances.get_mut(first..)?.select_nth_unstable(last - first);
    let middle = distances.get(first..=last)?;
    let sum: i128 = middle.iter().sum();
    Some(sum / i128::try_from(middle.len()).ok()?).filter(|distance| *distance > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(of: &[(i128, i64)]) -> Vec<Point> {
        let point =
            |&(at, offset)| Point { at, offset: Offset::from_nanoseconds(offset), stepped: false };
        of.iter().map(point).collect()
    }

    #[test]
    fn late_measurements_are_moved_to_their_place_along_the_rate() {
        // One in a thousand ahead; the second comes 100 late.
        let series = series(&points(&[(0, 7), (1_100, 8), (2_000, 9), (3_000, 10)])).expect("one");
        assert_eq!((series.distance, series.offsets), (1_000, vec![7, 8, 9, 10]));
        let series = super::series(&points(&[(0, 0), (1_100, 110), (2_000, 200), (3_000, 300)]));
        assert_eq!(series.expect("one").offsets, [0, 100, 200, 300]);
    }

    #[test]
    fn times_that_come_early_and_late_by_turns_keep_their_mean_distance() {
        let at = |n: i64| i128::from(n) * 1_000 + if n % 2 == 0 { 0 } else { 100 };
        let all: Vec<_> = (0..400).map(|n| (at(n), n)).collect();
        let series = series(&points(&all)).expect("one");
        assert_eq!((series.distance, series.offsets.len(), series.crowded), (1_000, 400, 0));
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
        let series = series(&points(&all)).expect("one");
        assert_eq!((series.distance, series.offsets[199]), (100_040_000, 199 * 10_004));
    }

    #[test]
    fn few_that_are_missing_are_filled_in() {
        let all: Vec<_> =
            (0..40).filter(|n| !(21..24).contains(n)).map(|n| (n.into(), n)).collect();
        let series = series(&points(&all)).expect("one");
        assert_eq!((series.filled, series.left_out), (3, 0));
        assert_eq!(series.offsets, (0..40).collect::<Vec<_>>());
    }

    #[test]
    fn where_many_are_missing_only_what_was_measured_counts() {
        let all: Vec<_> = (0..120).filter(|n| n % 12 < 4).map(|n| (n.into(), n)).collect();
        let series = series(&points(&all)).expect("one");
        assert_eq!((series.offsets, series.filled, series.left_out), (vec![0, 1, 2, 3], 0, 36));
    }

    #[test]
    fn the_longest_stretch_without_step_or_long_gap_counts() {
        let mut all = points(&[(0, 0), (10, 1), (20, 500), (30, 501), (40, 502), (900, 0)]);
        all.get_mut(2).expect("it").stepped = true;
        let series = series(&all).expect("one");
        assert_eq!((series.start, series.left_out), (20, 3));
        assert_eq!(series.offsets, [500, 501, 502]);
    }

    #[test]
    fn one_that_comes_late_or_twice_does_not_end_a_stretch() {
        let even = |second: i128| (second * 1_000, i64::try_from(second).unwrap_or(0));
        let mut all: Vec<_> = (0..20).map(even).collect();
        all[7] = (7_600, 7);
        all.insert(12, all[11]);
        let series = series(&points(&all)).expect("one");
        assert_eq!((series.distance, series.offsets.len(), series.left_out), (1_000, 20, 0));
        assert_eq!((series.filled, series.crowded), (1, 2), "the late one is on the next place");
    }

    #[test]
    fn what_goes_on_after_a_gap_at_other_moments_keeps_the_distance() {
        let at = |n: i128| n * 1_000 + if n < 100 { 0 } else { 5_400 };
        let all: Vec<_> = (0..200).map(|n| (at(n), 7)).collect();
        let series = series(&points(&all)).expect("one");
        assert_eq!((series.distance, series.offsets.len(), series.filled), (1_000, 205, 5));
    }

    #[test]
    fn a_distance_that_is_no_whole_number_of_nanoseconds_loses_no_place() {
        let all: Vec<_> = (0..100_000_i64).map(|n| (i128::from(n) * 10_001 / 10, n)).collect();
        let series = series(&points(&all)).expect("one");
        assert_eq!((series.offsets.len(), series.filled, series.left_out), (100_000, 0, 0));
    }

    #[test]
    fn a_clock_that_is_set_back_begins_a_new_stretch() {
        let all: Vec<_> = (0..20).map(|n| (n % 10 * 1_000, 0)).collect();
        assert_eq!(series(&points(&all)).expect("one").offsets.len(), 10);
    }

    #[test]
    fn moments_that_no_clock_shows_are_no_series() {
        let most = 1_i128 << 90;
        assert_eq!(series(&points(&[(i128::MIN, 0), (i128::MAX, 0), (0, 0)])), None);
        assert_eq!(series(&points(&[(0, 0), (most + 1, 0)])), None);
        // The farthest that are taken don't overflow.
        let _ = series(&points(&[(-most, i64::MIN), (0, i64::MAX), (most, 0), (most, 5)]));
    }

    #[test]
    fn one_point_alone_is_no_series() {
        assert_eq!(series(&points(&[(0, 0)])), None);
        assert_eq!(series(&points(&[(5, 0), (5, 0)])), None);
    }
}
