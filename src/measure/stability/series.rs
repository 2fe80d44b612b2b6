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
    /// From one to the next, in nanoseconds; to three digits, where they tell no more.
    pub distance: u64,
    /// When the first was measured, in nanoseconds.
    pub start: i128,
    /// In nanoseconds.
    pub offsets: Vec<i64>,
    /// How many of them weren't measured: they lie on the line between their neighbours.
    pub filled: usize,
    /// How many points are left out: they lie beyond a step or a gap.
    pub left_out: usize,
}

/// So many measurements in a row may be missing and are filled in.
const LONGEST_GAP: i128 = 10;
/// An offset must not be farther than this from the first one.
const FARTHEST: i64 = 1 << 60;

/// The longest stretch of points without a step or a long gap, at even distances.
///
/// Measurements come a little late now and then: each is moved to its place in the row along the
/// mean rate of its stretch. Up to ten that are missing in a row are filled in.
///
/// `None` where no stretch has two points.
pub fn series(points: &[Point]) -> Option<Series> {
    let usual = usual_distance(points)?;
    let places = |a: &Point, b: &Point| (b.at - a.at + usual / 2) / usual;
    let goes_on = |a: &Point, b: &Point| {
        !b.stepped
            && (1..=LONGEST_GAP + 1).contains(&places(a, b))
            && a.offset.nanoseconds().abs_diff(b.offset.nanoseconds()) < FARTHEST.unsigned_abs()
    };
    let longest = points.chunk_by(goes_on).max_by_key(|stretch| stretch.len())?;
    let (first, last) = (longest.first()?, longest.last()?);
    let neighbours = || longest.iter().zip(longest.iter().skip(1));
    let number: i128 = neighbours().map(|(a, b)| places(a, b)).sum();
    let span = last.at - first.at;
    if number == 0 || span <= 0 {
        return None;
    }
    let distance = (span + number / 2) / number;
    let from_first =
        |point: &Point| point.offset.nanoseconds().checked_sub(first.offset.nanoseconds());
    let moved = i128::from(from_first(last)?);
    // Where a point belongs, its offset is what the mean rate makes of it there.
    let on_its_place = |point: &Point, place: i128| {
        let late = point.at - first.at - place * distance;
        let offset = i128::from(from_first(point)?) - late.checked_mul(moved)? / span;
        i64::try_from(offset).ok().filter(|offset| offset.unsigned_abs() < FARTHEST.unsigned_abs())
    };
    let base = first.offset.nanoseconds();
    let mut offsets = vec![0_i64];
    let mut place = 0;
    for (a, b) in neighbours() {
        let steps = places(a, b);
        place += steps;
        let from = offsets.last().copied()?;
        let to = on_its_place(b, place)?;
        let between = |step: i128| i128::from(from) + i128::from(to - from) * step / steps;
        for step in 1..=steps {
            offsets.push(i64::try_from(between(step)).ok()?);
        }
    }
    for offset in &mut offsets {
        *offset = offset.checked_add(base)?;
    }
    Some(Series {
        distance: round(u64::try_from(distance).ok()?),
        start: first.at,
        filled: offsets.len() - longest.len(),
        left_out: points.len() - longest.len(),
        offsets,
    })
}

/// A distance without the digits that late first and last measurements put into it: to three
/// digits where that is within half a thousandth.
fn round(distance: u64) -> u64 {
    let unit = 10_u64.saturating_pow(distance.checked_ilog10().unwrap_or(0).saturating_sub(2));
    let rounded = distance.saturating_add(unit / 2) / unit * unit;
    if rounded.abs_diff(distance) <= distance / 2_000 { rounded } else { distance }
}

/// The median of the distances.
fn usual_distance(points: &[Point]) -> Option<i128> {
    let neighbours = points.iter().zip(points.iter().skip(1));
    let distances = neighbours.map(|(a, b)| b.at - a.at).filter(|distance| *distance > 0);
    let mut distances: Vec<_> = distances.collect();
    let middle = distances.len() / 2;
    (!distances.is_empty()).then(|| *distances.select_nth_unstable(middle).1)
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
    fn a_distance_has_three_digits_where_more_say_nothing() {
        assert_eq!(
            [10_000_474, 99_999_998, 33_333_333, 7].map(round),
            [10_000_000, 100_000_000, 33_333_333, 7]
        );
        assert_eq!(round(1_004_900_000), 1_004_900_000);
    }

    #[test]
    fn few_that_are_missing_are_filled_in() {
        let series = series(&points(&[(0, 0), (10, 1), (20, 2), (50, 8), (60, 9)])).expect("one");
        assert_eq!((series.filled, series.left_out), (2, 0));
        assert_eq!(series.offsets, [0, 1, 2, 4, 6, 8, 9]);
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
    fn one_point_alone_is_no_series() {
        assert_eq!(series(&points(&[(0, 0)])), None);
        assert_eq!(series(&points(&[(5, 0), (5, 0)])), None);
    }
}
