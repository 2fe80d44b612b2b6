//! A source's readings as a chart has room for them: thinned, with gaps, steps and absences found, and
//! scaled. For the live screen and for pictures.

#![expect(clippy::float_arithmetic, reason = "places on a chart")]

use super::chart::{Axis, Chart, Style, Unit, base, float};
use crate::Offset;
use crate::watch::{Measurement, Outcome, Reading};
use std::collections::VecDeque;
use std::time::Duration;

/// What comes between an offset and the one before it, the strongest last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Before {
    /// Nothing: a line joins them.
    #[default]
    Nothing,
    /// A time in which nothing was measured.
    Gap,
    /// A step of one of the clocks.
    Step,
    /// The clock was absent.
    Absence,
}

/// What came in a stretch of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    /// The stretch of time, by its beginning.
    place: i128,
    /// When its first offset was, in nanoseconds.
    pub(super) at: i128,
    pub(super) count: u32,
    sum: i128,
    pub(super) low: i64,
    pub(super) high: i64,
    /// The same range with the standard deviations of the guesses.
    pub(super) likely: (i64, i64),
    /// The same range with the bounds.
    pub(super) widest: (i64, i64),
    pub(super) before: Before,
}

impl Stretch {
    fn of(place: i128, point: &Point) -> Self {
        let Point { at, offset, uncertainty, bound, before } = *point;
        let within = |room: i64| (offset.saturating_sub(room), offset.saturating_add(room));
        let (likely, widest) = (within(uncertainty), within(bound));
        let (count, sum, low, high) = (1, i128::from(offset), offset, offset);
        Self { place, at, count, sum, low, high, likely, widest, before }
    }

    fn take(&mut self, point: &Point) {
        let next = Self::of(self.place, point);
        self.count = self.count.saturating_add(1);
        self.sum += next.sum;
        (self.low, self.high) = (self.low.min(next.low), self.high.max(next.high));
        let with = |one: (i64, i64), next: (i64, i64)| (one.0.min(next.0), one.1.max(next.1));
        self.likely = with(self.likely, next.likely);
        self.widest = with(self.widest, next.widest);
        self.before = self.before.max(next.before);
    }

    pub(super) fn mean(&self) -> f64 {
        float(self.sum) / f64::from(self.count)
    }
}

/// An offset, in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Point {
    at: i128,
    offset: i64,
    uncertainty: i64,
    bound: i64,
    before: Before,
}

/// Finds what comes before an offset.
#[derive(Clone, Debug, Default)]
struct Marks {
    is_absent: bool,
    /// When the latest offset was.
    latest: Option<i128>,
    /// The sum of the intervals between offsets, without gaps, and their number.
    apart: (i128, i128),
    /// How many gaps came one after another.
    gaps: u32,
}

/// After so many gaps in a row, the interval has changed: the next one isn't a gap.
const LONG_AGO: u32 = 2;
/// An interval that is this many times the usual one is a gap.
const LONG: i128 = 5;

impl Marks {
    fn before(&mut self, at: i128, stepped: bool) -> Before {
        let was_absent = std::mem::take(&mut self.is_absent);
        let Some(apart) = self.latest.replace(at).map(|before| at.saturating_sub(before)) else {
            return Before::Nothing;
        };
        let (sum, number) = self.apart;
        // A time that goes back begins something new, so that is a gap, too.
        let is_gap = apart < 0 || number >= 3 && apart / LONG > sum / number;
        if !is_gap {
            self.apart = (sum.saturating_add(apart), number + 1);
            self.gaps = 0;
        } else if self.gaps < LONG_AGO {
            self.gaps += 1;
        } else {
            // The interval is longer from now on.
            (self.apart, self.gaps) = ((0, 0), 0);
        }
        match () {
            () if was_absent => Before::Absence,
            () if stepped => Before::Step,
            () if is_gap => Before::Gap,
            () => Before::Nothing,
        }
    }
}

/// The latest of what came, at several widths of time: each four times as wide as the one before.
#[derive(Clone, Debug)]
pub(super) struct Track {
    pub(super) title: String,
    marks: Marks,
    /// The width of the narrowest stretches, in nanoseconds; from the first interval if it isn't
    /// given.
    width: Option<i128>,
    first: Option<Point>,
    levels: Vec<Level>,
}

#[derive(Clone, Debug, Default)]
struct Level {
    stretches: VecDeque<Stretch>,
    /// Whether some were dropped.
    is_cut: bool,
}

/// How many stretches a level keeps: more than a terminal or a picture has columns.
const KEPT: usize = 4_096;
/// The widest is 4^15 times as wide as the narrowest: for a millisecond, twelve days.
pub(super) const LEVELS: usize = 16;

impl Track {
    /// A track for readings at this interval.
    pub(super) fn new(title: String, interval: Option<Duration>) -> Self {
        let width =
            interval.map(|interval| i128::try_from(interval.as_nanos()).unwrap_or(i128::MAX));
        let levels = vec![Level::default(); LEVELS];
        Self { title, marks: Marks::default(), width, first: None, levels }
    }

    /// Takes a reading. A miss leaves a gap where it is long.
    pub(super) fn take(&mut self, reading: &Reading) {
        match &reading.outcome {
            Outcome::Measured(one) => {
                self.add(reading.at.total_nanoseconds(), one);
            }
            Outcome::Absent(_) => self.marks.is_absent = true,
            Outcome::Missed(_) => {}
        }
    }

    /// Takes an offset.
    pub(super) fn add(&mut self, at: i128, one: &Measurement) {
        let before = self.marks.before(at, one.stepped);
        let told = |offset: Option<Offset>| offset.unwrap_or_default().nanoseconds();
        let (uncertainty, bound) = (told(one.uncertainty), told(one.bound));
        let point = Point { at, offset: one.offset.nanoseconds(), uncertainty, bound, before };
        if self.width.is_none() {
            // The interval of the first two sets the width of the narrowest stretches.
            let Some(first) = self.first.filter(|first| first.at != at) else {
                self.first = self.first.or(Some(point));
                return self.show_alone(point);
            };
            self.width = Some(at.abs_diff(first.at).try_into().unwrap_or(i128::MAX));
            self.levels = vec![Level::default(); LEVELS];
            self.spread(first);
        }
        self.spread(point);
    }

    /// Shows a single offset, too.
    fn show_alone(&mut self, point: Point) {
        for level in &mut self.levels {
            match level.stretches.back_mut() {
                Some(last) => last.take(&point),
                None => level.stretches.push_back(Stretch::of(point.at, &point)),
            }
        }
    }

    fn spread(&mut self, point: Point) {
        for number in 0..LEVELS {
            let width = self.width(number);
            let place = point.at.div_euclid(width).saturating_mul(width);
            let Some(level) = self.levels.get_mut(number) else { continue };
            // On the narrowest level, an offset with a mark begins a stretch of its own, so that
            // the mark shows.
            let is_here = |last: &&mut Stretch| {
                last.place == place && (point.before == Before::Nothing || number > 0)
            };
            if let Some(last) = level.stretches.back_mut().filter(is_here) {
                last.take(&point);
                continue;
            }
            if level.stretches.len() == KEPT {
                level.stretches.pop_front();
                level.is_cut = true;
            }
            level.stretches.push_back(Stretch::of(place, &point));
        }
    }

    /// The width of a level's stretches, in nanoseconds.
    pub(super) fn width(&self, level: usize) -> i128 {
        self.width.unwrap_or(1).max(1).saturating_mul(1 << (2 * level.min(LEVELS)))
    }

    pub(super) fn stretches(&self, level: usize) -> impl DoubleEndedIterator<Item = &Stretch> {
        self.levels.get(level).into_iter().flat_map(|level| &level.stretches)
    }

    /// The narrowest level on which all that came fits so many columns.
    pub(super) fn fitting(&self, columns: usize) -> usize {
        let columns = i128::try_from(columns).unwrap_or(i128::MAX);
        let fits = |level: &usize| {
            let is_whole = self.levels.get(*level).is_none_or(|level| !level.is_cut);
            let ends = self.stretches(*level).next().zip(self.stretches(*level).next_back());
            is_whole
                && ends.is_none_or(|(first, last)| {
                    last.place.saturating_sub(first.place) < columns * self.width(*level)
                })
        };
        (0..LEVELS).find(fits).unwrap_or(LEVELS - 1)
    }

    /// All that came, as finely as it was kept.
    pub(super) fn all(&self) -> Vec<Stretch> {
        let whole =
            (0..LEVELS).find(|level| self.levels.get(*level).is_some_and(|one| !one.is_cut));
        self.stretches(whole.unwrap_or(LEVELS - 1)).copied().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stretches(0).next().is_none()
    }
}

/// The base that offsets are written relative to, and the range that is visible.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    pub(super) base: i64,
    pub(super) axis: Axis,
    /// What is seen, from the lowest to the highest offset.
    seen: (i64, i64),
    /// The farthest offset of those that are beyond, and how many stretches have one.
    farthest: i64,
    beyond: usize,
    /// How many of the other stretches have bounds that go beyond.
    wide: usize,
}

/// With fewer stretches than this, all of them are visible.
const MANY: usize = 50;
/// On each side, one in this many stretches may be out of view, if the others would be too small
/// otherwise.
const RARE: usize = 100;
/// The others are too small if the range of all is this many times theirs.
const SMALL: i128 = 4;

impl Scale {
    /// A scale that shows all stretches, with or without their bounds, except a few that are so far
    /// away that nothing else would be visible.
    pub(super) fn of(stretches: &[Stretch], with_bounds: bool) -> Self {
        let range = |one: &Stretch| if with_bounds { one.widest } else { (one.low, one.high) };
        let (mut lows, mut highs): (Vec<i64>, Vec<i64>) = stretches.iter().map(range).unzip();
        lows.sort_unstable();
        highs.sort_unstable();
        let ends = |rare: usize| {
            let high = highs.len().checked_sub(rare + 1).and_then(|place| highs.get(place));
            lows.get(rare).zip(high).map_or((-1, 1), |(low, high)| (*low, *high))
        };
        let span = |(low, high): (i64, i64)| i128::from(high) - i128::from(low);
        let all = ends(0);
        let rare = if stretches.len() < MANY { 0 } else { stretches.len().div_ceil(RARE) };
        let most = ends(rare);
        let seen = if span(all) > SMALL * span(most).max(1) {
            let room = i64::try_from(span(most) / 2).unwrap_or(i64::MAX).max(1);
            (most.0.saturating_sub(room).max(all.0), most.1.saturating_add(room).min(all.1))
        } else {
            all
        };
        let base = base(seen.0, seen.1);
        let axis = Axis::around(from_base(seen.0, base), from_base(seen.1, base));
        let mut scale = Self { base, axis, seen, farthest: 0, beyond: 0, wide: 0 };
        let beyond: Vec<i64> = stretches.iter().filter_map(|one| scale.beyond(one)).collect();
        let far = |offset: &&i64| (i128::from(**offset) - i128::from(base)).abs();
        scale.farthest = beyond.iter().max_by_key(far).copied().unwrap_or(0);
        scale.beyond = beyond.len();
        let is_wide = |one: &&Stretch| {
            let (low, high) = range(one);
            scale.beyond(one).is_none() && (low < seen.0 || high > seen.1)
        };
        scale.wide = stretches.iter().filter(is_wide).count();
        scale
    }

    /// The offset of a stretch that is beyond what is seen.
    pub(super) fn beyond(&self, one: &Stretch) -> Option<i64> {
        match self.seen {
            (_, high) if one.high > high => Some(one.high),
            (low, _) if one.low < low => Some(one.low),
            _ => None,
        }
    }

    /// Where an offset is drawn; one that is out of view is drawn at the edge.
    pub(super) fn place(&self, offset: i64) -> f64 {
        from_base(offset, self.base).clamp(self.axis.low, self.axis.high)
    }

    /// A title that says from where offsets are written.
    pub(super) fn heading(&self, title: &str) -> String {
        match self.base {
            0 => title.to_owned(),
            base => format!("{title}, from {:+}", Offset::from_nanoseconds(base)),
        }
    }

    /// The same in this many columns, with the note on what is out of view.
    pub(super) fn heading_in(&self, title: &str, columns: usize) -> String {
        let heading = self.heading(title);
        let Some(note) = self.note() else { return heading };
        let room = columns.saturating_sub(note.chars().count() + 2);
        let heading: String = heading.chars().take(room).collect();
        format!("{heading}  {note}")
    }

    /// The note on offsets and bounds that are out of view.
    pub(super) fn note(&self) -> Option<String> {
        let offsets = (self.beyond > 0).then(|| {
            let farthest = Unit::Fitting.write(float(self.farthest.into()));
            format!("▲ beyond: {}, as far as {farthest}", self.beyond)
        });
        let bounds = (self.wide > 0).then(|| format!("bounds farther: {}", self.wide));
        let notes: Vec<String> = offsets.into_iter().chain(bounds).collect();
        (!notes.is_empty()).then(|| notes.join("; "))
    }
}

/// How far an offset is from the base.
fn from_base(offset: i64, base: i64) -> f64 {
    float(i128::from(offset) - i128::from(base))
}

/// Draws stretches into a chart of characters: the bounds as a band, what was measured as a line,
/// and marks. `seconds` returns the place of a time.
pub(super) fn draw(
    chart: &mut Chart<'_>,
    stretches: &[Stretch],
    scale: &Scale,
    with_bounds: bool,
    seconds: impl Fn(i128) -> f64,
) {
    if with_bounds {
        for one in stretches {
            let (least, most) = one.widest;
            chart.band(seconds(one.at), scale.place(least), scale.place(most));
        }
    }
    let mut last: Option<(f64, f64)> = None;
    for one in stretches {
        let at = seconds(one.at);
        match one.before {
            Before::Step => chart.mark(at, '╎'),
            Before::Absence => chart.mark(at, '×'),
            Before::Nothing | Before::Gap => {}
        }
        chart.bar(at, scale.place(one.low), scale.place(one.high));
        let mean = (one.mean() - float(scale.base.into())).clamp(scale.axis.low, scale.axis.high);
        let now = (at, mean);
        // A line over a gap would claim what nobody measured.
        if let Some(last) = last.filter(|_| one.before == Before::Nothing) {
            chart.line(last, now, Style::Line);
        }
        last = Some(now);
    }
    for one in stretches {
        match scale.beyond(one) {
            Some(offset) if offset > scale.seen.1 => {
                chart.letter((seconds(one.at), scale.axis.high), '▲');
            }
            Some(_) => chart.letter((seconds(one.at), scale.axis.low), '▼'),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i128 = 1_000_000_000;

    fn track(times: impl Iterator<Item = i128>) -> Track {
        let mut track = Track::new("eth0".into(), None);
        times.for_each(|at| track.add(at, &Measurement::default()));
        track
    }

    #[test]
    fn memory_stays_the_same_however_much_comes() {
        let track = track((0..200_000).map(|millisecond| millisecond * 1_000_000));
        assert!(track.levels.iter().all(|level| level.stretches.len() <= KEPT));
        let all = track.all();
        assert!(all.len() > KEPT / 4 && all.iter().map(|one| one.count).sum::<u32>() == 200_000);
    }

    #[test]
    fn the_narrowest_level_that_fits_shows_everything() {
        let track = track((0..5_000).map(|second| second * SECOND));
        let level = track.fitting(136);
        let stretches: Vec<_> = track.stretches(level).collect();
        assert!(stretches.first().is_some_and(|first| first.at == 0) && stretches.len() <= 136);
        assert!(track.width(level - 1) * 136 < 5_000 * SECOND, "not farther than needed");
    }

    #[test]
    fn gaps_steps_and_absences_are_found() {
        let mut track = track((0..10).chain(40..50).map(|second| second * SECOND));
        track.add(50 * SECOND, &Measurement { stepped: true, ..Measurement::default() });
        track.marks.is_absent = true;
        track.add(51 * SECOND, &Measurement::default());
        track.add(0, &Measurement::default());
        let found: Vec<_> = track
            .all()
            .iter()
            .map(|one| one.before)
            .filter(|one| *one != Before::Nothing)
            .collect();
        assert_eq!(found, [Before::Gap, Before::Step, Before::Absence, Before::Gap]);
    }

    #[test]
    fn what_is_far_away_and_rare_does_not_squeeze_the_rest() {
        let offset = |place: i128| match place {
            17 => 50_000,
            71 => -9_000,
            _ => i64::try_from(place % 10).expect("small"),
        };
        let track = |number: i128| {
            let mut track = Track::new("eth0".into(), None);
            for place in 0..number {
                let offset = Offset::from_nanoseconds(offset(place));
                track.add(place * SECOND, &Measurement { offset, ..Measurement::default() });
            }
            track.all()
        };
        let scale = Scale::of(&track(200), true);
        assert!(scale.axis.high < 20.0 && scale.axis.low > -20.0, "{scale:?}");
        assert_eq!(scale.note().as_deref(), Some("▲ beyond: 2, as far as 50 us"));
        let few = Scale::of(&track(40), true);
        assert!(few.axis.high > 50_000.0 && few.note().is_none(), "{few:?}");
    }

    #[test]
    fn bounds_that_go_farther_than_is_seen_are_told() {
        let mut track = Track::new("eth0".into(), None);
        for place in 0..200 {
            let bound = Some(Offset::from_nanoseconds(if place == 9 { 50_000 } else { 600 }));
            track.add(place * SECOND, &Measurement { bound, ..Measurement::default() });
        }
        let note = |band| Scale::of(&track.all(), band).note();
        assert_eq!((note(true).as_deref(), note(false)), (Some("bounds farther: 1"), None));
    }

    #[test]
    fn a_clock_that_was_stepped_is_seen_on_both_sides() {
        let mut track = Track::new("eth0".into(), None);
        for place in 0..200 {
            let offset = Offset::from_nanoseconds(if place < 190 { 0 } else { 1_000_000 });
            track.add(place * SECOND, &Measurement { offset, ..Measurement::default() });
        }
        let scale = Scale::of(&track.all(), true);
        assert!(scale.axis.high > 1e6 && scale.note().is_none(), "{scale:?}");
    }

    #[test]
    fn no_times_are_too_far_apart() {
        let track = track([i128::MIN, i128::MAX, 0, 1, i128::MIN, i128::MAX].into_iter());
        assert!(!track.all().is_empty() && track.fitting(1) < LEVELS);
    }
}
