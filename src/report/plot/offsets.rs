//! Offsets over time with the band of their bounds, beside the distribution of delays.

#![expect(clippy::float_arithmetic, reason = "places and numbers of a picture")]

use super::super::chart::{Axis, Canvas, Chart, Style, Unit, base, float, short, span};
use super::super::printable;
use super::{BAND, BLUE, Drawn, GREY, letters};
use crate::watch::Measurement;
use crate::{Offset, Timestamp, Unknown, rfc3339};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::collections::BTreeMap;

/// Offsets of sources, as many as there may be, in little memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offsets {
    tracks: Vec<Track>,
}

#[derive(Clone, Debug)]
struct Track {
    title: String,
    /// Each of as many points as `merged` says.
    points: Vec<Point>,
    merged: u32,
    last: u32,
    /// How many delays there are of a size.
    delays: BTreeMap<i64, u64>,
    /// Whether the clock is lost.
    is_lost: bool,
    /// When the latest offset was.
    latest: Option<i128>,
    /// All the time from one to the next, without gaps, and how often that was.
    apart: (i128, i128),
    /// How many gaps came one after another.
    gaps: u32,
}

/// What comes between a point and the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Before {
    /// Nothing: a line joins them.
    #[default]
    Nothing,
    /// A time in which nothing was measured.
    Gap,
    /// A step of one of the clocks.
    Step,
    /// A loss of the clock.
    Loss,
}

/// One offset, or what several have in common.
#[derive(Clone, Copy, Debug)]
struct Point {
    before: Before,
    at: i128,
    low: i64,
    high: i64,
    widest: (i64, i64),
}

impl Point {
    /// Seconds from a start.
    fn seconds(&self, start: i128) -> f64 {
        float(self.at.saturating_sub(start)) * 1e-9
    }

    fn with(self, other: Self) -> Self {
        Self {
            before: if self.before == Before::Nothing { other.before } else { self.before },
            at: self.at,
            low: self.low.min(other.low),
            high: self.high.max(other.high),
            widest: (self.widest.0.min(other.widest.0), self.widest.1.max(other.widest.1)),
        }
    }
}

/// More points are merged: a picture has fewer columns.
const MOST: usize = 8_192;
const HEIGHT: u32 = 420;
/// More gaps one after another are none.
const LONG_AGO: u32 = 2;
/// So many times the usual distance is a gap.
const LONG: i128 = 5;
/// More sources are left out.
const MOST_TRACKS: usize = 20;
/// When this century began, on UTC.
const CENTURY: i64 = 946_684_800;
/// How many lines a chart of characters has.
const ROWS: usize = 18;

impl Offsets {
    /// Makes room for one more source, and answers its place.
    pub(crate) fn begin(&mut self, title: &str) -> usize {
        self.tracks.push(Track {
            // A picture is a text, too, that not every character may be in.
            title: printable(title).into_owned(),
            points: Vec::new(),
            merged: 1,
            last: 0,
            delays: BTreeMap::new(),
            is_lost: false,
            latest: None,
            apart: (0, 0),
            gaps: 0,
        });
        self.tracks.len() - 1
    }

    /// Takes a measurement of the source at a place, or its loss.
    pub(crate) fn add(&mut self, source: usize, at: i128, outcome: &Result<Measurement, String>) {
        let Some(track) = self.tracks.get_mut(source) else { return };
        match outcome {
            Ok(one) => {
                let before = track.before(at, one.stepped);
                track.take(at, one.offset, one.bound, one.delay, before);
            }
            Err(_) => track.is_lost = true,
        }
    }

    /// Takes a sample of the source at a place.
    pub(crate) fn add_sample(
        &mut self,
        source: usize,
        at: i128,
        offset: Offset,
        bound: Option<Offset>,
        delay: Option<Offset>,
    ) {
        if let Some(track) = self.tracks.get_mut(source) {
            track.take(at, offset, bound, delay, Before::Nothing);
        }
    }

    /// The sources that were measured, as many as a picture has room for.
    fn shown(&self) -> Vec<&Track> {
        self.tracks.iter().filter(|track| !track.points.is_empty()).take(MOST_TRACKS).collect()
    }

    pub(super) fn height(&self) -> u32 {
        HEIGHT * u32::try_from(self.shown().len()).unwrap_or(1).max(1)
    }

    pub(super) fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn
    where
        B::ErrorType: 'static,
    {
        let tracks = self.shown();
        let rows = area.split_evenly((tracks.len().max(1), 1));
        for (track, row) in tracks.into_iter().zip(&rows) {
            if track.delays.is_empty() {
                track.draw_offsets(row)?;
                continue;
            }
            let (left, right) = row.split_horizontally(840);
            track.draw_offsets(&left)?;
            track.draw_delays(&right)?;
        }
        Ok(())
    }

    pub(super) fn text(&self, width: usize) -> Canvas {
        let tracks = self.shown();
        let mut canvas = Canvas::new(width, tracks.len() * (ROWS + 1));
        for (place, track) in tracks.into_iter().enumerate() {
            track.write(&mut canvas, place * (ROWS + 1));
        }
        canvas
    }
}

impl Track {
    fn take(
        &mut self,
        at: i128,
        offset: Offset,
        bound: Option<Offset>,
        delay: Option<Offset>,
        before: Before,
    ) {
        let (offset, bound) = (offset.nanoseconds(), bound.unwrap_or_default().nanoseconds());
        let widest = (offset.saturating_sub(bound), offset.saturating_add(bound));
        self.add(Point { before, at, low: offset, high: offset, widest });
        if let Some(delay) = delay {
            *self.delays.entry(coarse(delay.nanoseconds())).or_default() += 1;
        }
    }

    /// What comes before an offset at this time.
    fn before(&mut self, at: i128, stepped: bool) -> Before {
        let was_lost = std::mem::take(&mut self.is_lost);
        let Some(apart) = self.latest.replace(at).map(|before| at.saturating_sub(before)) else {
            return Before::Nothing;
        };
        let (sum, number) = self.apart;
        // Where a time goes back, something else begins.
        let is_gap = apart < 0 || number >= 3 && apart / LONG > sum / number;
        if !is_gap {
            self.apart = (sum.saturating_add(apart), number + 1);
            self.gaps = 0;
        } else if self.gaps < LONG_AGO {
            self.gaps += 1;
        } else {
            // It is measured more seldom now.
            (self.apart, self.gaps) = ((0, 0), 0);
        }
        match () {
            () if was_lost => Before::Loss,
            () if stepped => Before::Step,
            () if is_gap => Before::Gap,
            () => Before::Nothing,
        }
    }

    fn add(&mut self, point: Point) {
        if self.last < self.merged
            && self.last > 0
            && point.before == Before::Nothing
            && let Some(last) = self.points.last_mut()
        {
            *last = last.with(point);
            self.last += 1;
            return;
        }
        if self.points.len() == MOST {
            let pairs = self.points.chunks(2);
            self.points =
                pairs.filter_map(|pair| pair.iter().copied().reduce(Point::with)).collect();
            self.merged = self.merged.saturating_mul(2);
        }
        self.points.push(point);
        self.last = 1;
    }

    fn start_at(&self) -> i128 {
        self.points.iter().map(|point| point.at).min().unwrap_or(0)
    }

    /// From when the time counts. What is no time of this century is one since the machine's start.
    fn start(&self) -> String {
        let first = Timestamp::<Unknown>::from_total_nanoseconds(self.start_at());
        match first.filter(|first| first.seconds() >= CENTURY).and_then(rfc3339::format_millis) {
            Some(first) => format!("time from {first}"),
            None => "time from the first sample".into(),
        }
    }

    /// What the marks mean that are there.
    fn marks(&self) -> &'static str {
        let has = |mark| self.points.iter().any(|point| point.before == mark);
        match (has(Before::Step), has(Before::Loss)) {
            (true, true) => "; upright line: step, cross: the clock was gone",
            (true, false) => "; upright line: step",
            (false, true) => "; cross: the clock was gone",
            (false, false) => "",
        }
    }

    fn length(&self) -> f64 {
        let last = self.points.iter().map(|point| point.at).max().unwrap_or(0);
        float(last.saturating_sub(self.start_at())).max(1e3) * 1e-9
    }

    /// From where the offsets are written, and the axis from there.
    fn vertical(&self) -> (i64, Axis) {
        let low = self.points.iter().map(|point| point.widest.0).min().unwrap_or(-1);
        let high = self.points.iter().map(|point| point.widest.1).max().unwrap_or(1);
        let base = base(low, high);
        let from = |value: i64| float(i128::from(value) - i128::from(base));
        (base, Axis::around(from(low), from(high)))
    }

    fn heading(&self, base: i64) -> String {
        match base {
            0 => self.title.clone(),
            base => format!("{}, from {:+}", self.title, Offset::from_nanoseconds(base)),
        }
    }

    fn draw_offsets<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn
    where
        B::ErrorType: 'static,
    {
        let (base, y) = self.vertical();
        let from = |value: i64| float(i128::from(value) - i128::from(base));
        let mut chart = ChartBuilder::on(area)
            .caption(self.heading(base), letters(fitting(&self.heading(base))))
            .margin(14)
            .x_label_area_size(44)
            .y_label_area_size(92)
            .build_cartesian_2d(0.0..self.length(), y.low..y.high)?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .bold_line_style(GREY.mix(0.25))
            .x_labels(7)
            .y_labels(8)
            .x_desc(self.start() + self.marks())
            .y_desc("offset (band: where the truth can be)")
            .label_style(letters(15))
            .axis_desc_style(letters(15))
            .x_label_formatter(&|seconds| span(*seconds))
            .y_label_formatter(&|offset| Unit::Fitting.mark(*offset))
            .draw()?;
        let start = self.start_at();
        let place = |point: &Point, value: i64| (point.seconds(start), from(value));
        let area = |stretch: &[Point], range: fn(&Point) -> (i64, i64), style: ShapeStyle| {
            let there = stretch.iter().map(|point| place(point, range(point).1));
            let back = stretch.iter().rev().map(|point| place(point, range(point).0));
            Polygon::new(there.chain(back).collect::<Vec<_>>(), style)
        };
        let stretches = || self.stretches().filter(|stretch| stretch.len() > 1);
        chart.draw_series(stretches().map(|all| area(all, |point| point.widest, BAND.filled())))?;
        // A band of one point alone has no width.
        let alone = self.stretches().filter_map(|stretch| match stretch {
            [one] => Some(PathElement::new(
                [place(one, one.widest.0), place(one, one.widest.1)],
                BAND.stroke_width(2),
            )),
            _ => None,
        });
        chart.draw_series(alone)?;
        for (mark, point) in self.points.iter().map(|point| (point.before, point)) {
            let x = point.seconds(start);
            match mark {
                Before::Step => {
                    let line = [(x, y.low), (x, y.high)];
                    chart.draw_series([PathElement::new(line, GREY.stroke_width(1))])?;
                }
                Before::Loss => {
                    chart.draw_series([Cross::new((x, y.low), 5, BLACK.stroke_width(2))])?;
                }
                Before::Nothing | Before::Gap => {}
            }
        }
        if self.merged > 1 {
            let range = |point: &Point| (point.low, point.high);
            chart.draw_series(stretches().map(|all| area(all, range, BLUE.filled())))?;
        }
        for stretch in self.stretches() {
            let line = stretch.iter().map(|point| place(point, point.high));
            chart.draw_series(LineSeries::new(line, BLUE.stroke_width(1)))?;
        }
        let has_dots = self.points.len() <= 200;
        let dots = self.stretches().filter(|stretch| has_dots || stretch.len() == 1).flatten();
        chart.draw_series(
            dots.map(|point| Circle::new(place(point, point.high), 2, BLUE.filled())),
        )?;
        Ok(())
    }

    /// Points between which nothing comes.
    fn stretches(&self) -> impl Iterator<Item = &[Point]> {
        self.points.chunk_by(|_, next| next.before == Before::Nothing)
    }

    fn draw_delays<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn
    where
        B::ErrorType: 'static,
    {
        let (bins, width, beyond) = self.bins();
        let Some(first) = bins.first() else { return Ok(()) };
        let start = first.0;
        let end = bins.last().map_or(start, |last| last.0 + width);
        let most = bins.iter().map(|bin| bin.1).max().unwrap_or(1);
        let mut chart = ChartBuilder::on(area)
            .caption("delays of the samples that counted", letters(17))
            .margin(14)
            .x_label_area_size(44)
            .y_label_area_size(62)
            .build_cartesian_2d(float(start)..float(end), 0.0..float(most.into()) * 1.05)?;
        let note = match beyond {
            0 => "delay".to_owned(),
            beyond => format!("delay ({beyond} longer ones aren't shown)"),
        };
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .bold_line_style(GREY.mix(0.25))
            .disable_x_mesh()
            .x_labels(4)
            .y_labels(6)
            .x_desc(note)
            .y_desc("measurements")
            .label_style(letters(15))
            .axis_desc_style(letters(15))
            .x_label_formatter(&|delay| Unit::Fitting.write(*delay))
            .y_label_formatter(&|number| short(*number))
            .draw()?;
        let bar = |(from, number): &(i128, u64)| {
            let (from, to) = (float(*from), float(*from + width));
            Rectangle::new([(from, 0.0), (to, float((*number).into()))], GREY.filled())
        };
        chart.draw_series(bins.iter().map(bar))?;
        Ok(())
    }

    /// The delays in stretches of a width, without the longest two in a hundred where those are
    /// far away, whose number comes with them.
    fn bins(&self) -> (Vec<(i128, u64)>, i128, u64) {
        let all: u64 = self.delays.values().sum();
        let Some((least, _)) = self.delays.first_key_value() else { return (Vec::new(), 1, 0) };
        let mut seen = 0;
        let mut most = *least;
        for (delay, number) in &self.delays {
            if seen >= all - all / 50 {
                break;
            }
            seen += number;
            most = *delay;
        }
        let least = i128::from(*least);
        let width = ((i128::from(most) - least) / 40).max(1);
        let mut bins = BTreeMap::new();
        for (delay, number) in self.delays.range(..=most) {
            let delay = i128::from(*delay);
            *bins.entry(least + (delay - least) / width * width).or_insert(0) += number;
        }
        (bins.into_iter().collect(), width, all - seen)
    }

    fn write(&self, canvas: &mut Canvas, top: usize) {
        let (base, y) = self.vertical();
        let from = |value: i64| float(i128::from(value) - i128::from(base));
        canvas.write(0, top, &self.heading(base), Style::Strong);
        let x = Axis { low: 0.0, high: self.length() * 1.001, logarithmic: false };
        let write_y = |value: f64| Unit::Fitting.mark(value);
        let mut chart = Chart::new(canvas, top + 1..top + ROWS, (x, &span), (y, &write_y));
        let start = self.start_at();
        for point in &self.points {
            let at = point.seconds(start);
            chart.band(at, from(point.widest.0), from(point.widest.1));
        }
        let mut last: Option<(f64, f64)> = None;
        for point in &self.points {
            let at = point.seconds(start);
            match point.before {
                Before::Step => chart.mark(at, '╎'),
                Before::Loss => chart.mark(at, '×'),
                Before::Nothing | Before::Gap => {}
            }
            chart.bar(at, from(point.low), from(point.high));
            let now = (at, from(i64::midpoint(point.low, point.high)));
            if let Some(last) = last.filter(|_| point.before == Before::Nothing) {
                chart.line(last, now, Style::Line);
            }
            last = Some(now);
        }
    }
}

/// The size of letters with which a heading fits beside the delays.
fn fitting(heading: &str) -> i32 {
    match heading.chars().count() {
        0..=70 => 20,
        71..=100 => 14,
        _ => 11,
    }
}

/// A delay to six or seven bits, so that however many there are, few are different.
fn coarse(delay: i64) -> i64 {
    let bits = 64 - delay.max(0).leading_zeros();
    let cut = bits.saturating_sub(7);
    delay.max(0) >> cut << cut
}

#[cfg(test)]
mod tests {
    use super::*;

    fn many(number: i128) -> Offsets {
        let mut offsets = Offsets::default();
        offsets.begin("eth0");
        for place in 0..number {
            let value = |modulus: i128| {
                let value = i64::try_from(place % modulus).unwrap_or(0);
                Offset::from_nanoseconds(value)
            };
            offsets.add_sample(0, place, value(10), Some(value(100)), Some(value(100_000)));
        }
        offsets
    }

    #[test]
    fn memory_stays_the_same_however_many_offsets_come() {
        let offsets = many(1_000_000);
        let track = offsets.tracks.first().expect("a track");
        assert!(track.points.len() <= MOST && track.points.len() > MOST / 2);
        assert!(track.delays.len() < 1_000, "{}", track.delays.len());
        assert!(track.points.iter().all(|point| (point.low, point.high) == (0, 9)));
    }

    #[test]
    fn every_delay_is_in_a_stretch_or_told_to_be_beyond() {
        let offsets = many(5_000);
        let (bins, _, beyond) = offsets.tracks.first().expect("a track").bins();
        let shown: u64 = bins.iter().map(|bin| bin.1).sum();
        assert_eq!(shown + beyond, 5_000);
        assert!(bins.len() <= 45 && beyond < 150, "{} {beyond}", bins.len());
    }

    /// Offsets of 0, a second apart.
    fn seconds(offsets: &mut Offsets, seconds: std::ops::Range<i128>, stepped: bool) {
        for (place, second) in seconds.enumerate() {
            let measurement = Measurement {
                at: second * 1_000_000_000,
                offset: Offset::default(),
                bound: None,
                delay: None,
                method: None,
                stepped: stepped && place == 0,
                failed: None,
            };
            offsets.add(0, measurement.at, &Ok(measurement));
        }
    }

    #[test]
    fn no_line_goes_over_what_was_not_measured() {
        let mut offsets = Offsets::default();
        offsets.begin("eth0");
        seconds(&mut offsets, 0..10, false);
        seconds(&mut offsets, 40..50, false);
        seconds(&mut offsets, 50..60, true);
        offsets.add(0, 60_000_000_000, &Err("gone".into()));
        seconds(&mut offsets, 90..100, false);
        seconds(&mut offsets, 0..10, false);
        let track = offsets.tracks.first().expect("a track");
        let marks: Vec<_> = track.stretches().map(|stretch| stretch[0].before).collect();
        let gap = Before::Gap;
        assert_eq!(marks, [Before::Nothing, gap, Before::Step, Before::Loss, gap]);
        assert!(track.length() > 98.0 && track.length() < 100.0, "{}", track.length());
        let text = offsets.text(80).lines(false).join("\n");
        assert!(text.contains('×') && text.contains('╎'), "{text}");
    }

    #[test]
    fn a_single_offset_can_be_drawn() {
        let text = many(1).text(80).lines(false).join("\n");
        assert!(text.contains("eth0"), "{text}");
    }
}
