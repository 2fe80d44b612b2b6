//! Offsets over time with the band of their bounds, beside the distribution of delays.

#![expect(clippy::float_arithmetic, reason = "places and numbers of a picture")]

use super::super::chart::{Axis, Canvas, Chart, Style, Unit, float, short, span};
use super::super::printable;
use super::super::track::{self, Before, Scale, Stretch, Track};
use super::{BAND, BLUE, Drawn, GREY, letters, spaced};
use crate::watch::{Measurement, Reading};
use crate::{Offset, Timestamp, Utc, rfc3339};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use std::collections::BTreeMap;

/// Offsets of sources, in little memory, however many there are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offsets {
    tracks: Vec<Drawing>,
    /// Whether the bands of uncertainty and bound are left out.
    without_band: bool,
    /// How many sources are drawn, and how many are left out.
    drawn: usize,
    left_out: usize,
}

/// A source's part of the picture.
#[derive(Clone, Debug)]
struct Drawing {
    track: Track,
    /// How many delays there are of each size.
    delays: BTreeMap<i64, u64>,
    is_left_out: bool,
}

const HEIGHT: u32 = 420;
/// The most sources that are drawn: more are left out.
const MOST_TRACKS: usize = 20;
/// When this century began, on UTC.
const CENTURY: i64 = 946_684_800;
/// About how many bins a distribution has at most.
const BINS: i128 = 30;
/// How many lines a chart of characters has.
const ROWS: usize = 18;
/// The colour of the band of the uncertainty, within the band of the bound.
const LIKELY: RGBColor = RGBColor(130, 172, 210);

impl Offsets {
    /// Makes room for one more source, and answers its place.
    pub(crate) fn begin(&mut self, title: &str) -> usize {
        // An SVG picture is text, in which not every character is allowed.
        let track = Track::new(printable(title).into_owned(), None);
        self.tracks.push(Drawing { track, delays: BTreeMap::new(), is_left_out: false });
        self.tracks.len() - 1
    }

    /// The same, with or without the bands.
    pub(crate) fn with_band(self, band: bool) -> Self {
        Self { without_band: !band, ..self }
    }

    /// Takes a reading of the source at a place.
    pub(crate) fn take(&mut self, source: usize, reading: &Reading) {
        let measured = reading.outcome.measured();
        let is_first = self.tracks.get(source).is_some_and(|one| one.track.is_empty());
        // A source that has only failed so far takes no room.
        if is_first && measured.is_none() {
            return;
        }
        let Some(drawing) = self.room(source) else { return };
        drawing.track.take(reading);
        if let Some(delay) = measured.and_then(|one| one.delay) {
            drawing.count(delay);
        }
    }

    /// Takes a sample of the source at a place, with its time in nanoseconds.
    pub(crate) fn take_sample(&mut self, source: usize, at: i128, sample: &Measurement) {
        let Some(drawing) = self.room(source) else { return };
        drawing.track.add(at, sample);
        if let Some(delay) = sample.delay {
            drawing.count(delay);
        }
    }

    /// Where a source is drawn; `None` where others take all the room.
    fn room(&mut self, source: usize) -> Option<&mut Drawing> {
        let drawing = self.tracks.get_mut(source).filter(|drawing| !drawing.is_left_out)?;
        if drawing.track.is_empty() {
            if self.drawn == MOST_TRACKS {
                drawing.is_left_out = true;
                self.left_out += 1;
                return None;
            }
            self.drawn += 1;
        }
        Some(drawing)
    }

    /// What is not in the picture.
    pub(super) fn note(&self) -> Option<String> {
        let left_out = self.left_out;
        (left_out > 0)
            .then(|| format!("a picture has room for {MOST_TRACKS} clocks; left out: {left_out}"))
    }

    /// The sources that were measured, as many as a picture has room for.
    fn shown(&self) -> Vec<&Drawing> {
        self.tracks.iter().filter(|one| !one.track.is_empty()).take(MOST_TRACKS).collect()
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
                track.draw_offsets(row, !self.without_band)?;
                continue;
            }
            let (left, right) = row.split_horizontally(840);
            track.draw_offsets(&left, !self.without_band)?;
            track.draw_delays(&right)?;
        }
        Ok(())
    }

    pub(super) fn text(&self, width: usize) -> Canvas {
        let tracks = self.shown();
        let mut canvas = Canvas::new(width, tracks.len() * (ROWS + 1));
        for (place, track) in tracks.into_iter().enumerate() {
            track.write(&mut canvas, place * (ROWS + 1), !self.without_band);
        }
        canvas
    }
}

impl Drawing {
    fn count(&mut self, delay: Offset) {
        *self.delays.entry(coarse(delay.nanoseconds())).or_default() += 1;
    }

    fn draw_offsets<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, band: bool) -> Drawn
    where
        B::ErrorType: 'static,
    {
        let all = self.track.all();
        let scale = Scale::of(&all, band);
        let y = scale.axis;
        let title = scale.heading(&self.track.title);
        let span_of_time = Span::of(&all);
        let beyond = scale.note().map_or(String::new(), |note| format!("; {note}"));
        // The font of a picture has no triangle.
        let beyond = beyond.replace('▲', "triangle,");
        let mut chart = ChartBuilder::on(area)
            .caption(spaced(&title), letters(fitting(&title)))
            .margin(14)
            .x_label_area_size(44)
            .y_label_area_size(92)
            .build_cartesian_2d(span_of_time.times(), y.low..y.high)?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .bold_line_style(GREY.mix(0.25))
            .x_labels(7)
            .y_labels(8)
            .x_desc(spaced(&(span_of_time.beginning() + marks(&all) + &beyond)))
            .y_desc(spaced(if band {
                "offset (dark: uncertainty, light: bound)"
            } else {
                "offset"
            }))
            .label_style(letters(15))
            .axis_desc_style(letters(15))
            .x_label_formatter(&|seconds| spaced(&span(*seconds)))
            .y_label_formatter(&|offset| spaced(&Unit::Fitting.mark(*offset)))
            .draw()?;
        let view = View { span: span_of_time, scale };
        view.draw_bands(&mut chart, &all, band)?;
        view.draw_marks(&mut chart, &all)?;
        view.draw_line(&mut chart, &all)
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
            .caption(spaced("delays of the samples that were used"), letters(17))
            .margin(14)
            .x_label_area_size(44)
            .y_label_area_size(62)
            .build_cartesian_2d(
                float(start - width)..float(end + width),
                0.0..float(most.into()) * 1.05,
            )?;
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
            .x_desc(spaced(&note))
            .y_desc("measurements")
            .label_style(letters(15))
            .axis_desc_style(letters(15))
            .x_label_formatter(&|delay| spaced(&Unit::Fitting.write(*delay)))
            .y_label_formatter(&|number| short(*number))
            .draw()?;
        let bar = |(from, number): &(i128, u64)| {
            let (from, to) = (float(*from), float(*from + width));
            Rectangle::new([(from, 0.0), (to, float((*number).into()))], GREY.filled())
        };
        chart.draw_series(bins.iter().map(bar))?;
        Ok(())
    }

    /// The delays in bins, the width of a bin, and the number of delays that are left out: the
    /// longest, at most two in a hundred.
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
        // A bin is at least as wide as the resolution of the delays: a narrower one could never
        // have any.
        let kept = i128::from(kept_apart(most));
        let least = i128::from(*least).div_euclid(kept) * kept;
        let width = ((i128::from(most) - least) / BINS).max(1);
        let width = (width + kept - 1) / kept * kept;
        let mut bins = BTreeMap::new();
        for (delay, number) in self.delays.range(..=most) {
            let delay = i128::from(*delay);
            *bins.entry(least + (delay - least) / width * width).or_insert(0) += number;
        }
        (bins.into_iter().collect(), width, all - seen)
    }

    fn write(&self, canvas: &mut Canvas, top: usize, band: bool) {
        let all = self.track.all();
        let scale = Scale::of(&all, band);
        let title = scale.heading_in(&self.track.title, canvas.width());
        canvas.write(0, top, &title, Style::Strong);
        let time = Span::of(&all);
        let x = Axis { low: 0.0, high: time.length * 1.001, logarithmic: false };
        let write_y = |value: f64| Unit::Fitting.mark(value);
        let mut chart = Chart::new(canvas, top + 1..top + ROWS, (x, &span), (scale.axis, &write_y));
        track::draw(&mut chart, &all, &scale, band, |at| time.seconds(at));
    }
}

/// A picture of offsets over time.
type OverTime<'a, B> = ChartContext<'a, B, Cartesian2d<Times, RangedCoordf64>>;

/// Where stretches are in a picture.
struct View {
    span: Span,
    scale: Scale,
}

/// The lowest and the highest value of something in a stretch.
type Range = fn(&Stretch) -> (i64, i64);

/// Stretches in a row, without a gap, a step or an absence in between.
fn pieces(all: &[Stretch]) -> impl Iterator<Item = &[Stretch]> {
    all.chunk_by(|_, next| next.before == Before::Nothing)
}

impl View {
    fn place(&self, one: &Stretch, value: i64) -> (f64, f64) {
        (self.span.seconds(one.at), self.scale.place(value))
    }

    /// The area between the lowest and the highest values of a piece.
    fn area(&self, piece: &[Stretch], range: Range, style: ShapeStyle) -> Polygon<(f64, f64)> {
        let there = piece.iter().map(|one| self.place(one, range(one).1));
        let back = piece.iter().rev().map(|one| self.place(one, range(one).0));
        Polygon::new(there.chain(back).collect::<Vec<_>>(), style)
    }

    /// Draws the bands of bound and uncertainty, and the range of offsets that are drawn as one.
    fn draw_bands<B: DrawingBackend>(
        &self,
        chart: &mut OverTime<'_, B>,
        all: &[Stretch],
        band: bool,
    ) -> Drawn
    where
        B::ErrorType: 'static,
    {
        let long = || pieces(all).filter(|piece| piece.len() > 1);
        // A band of one offset alone has no width.
        let alone =
            || pieces(all).filter_map(|piece| if let [one] = piece { Some(one) } else { None });
        let bands: [(Range, RGBColor); 2] = [(|one| one.widest, BAND), (|one| one.likely, LIKELY)];
        for (range, color) in bands.into_iter().filter(|_| band) {
            chart.draw_series(long().map(|piece| self.area(piece, range, color.filled())))?;
            chart.draw_series(alone().map(|one| {
                let (low, high) = range(one);
                let ends = [self.place(one, low), self.place(one, high)];
                PathElement::new(ends, color.stroke_width(2))
            }))?;
        }
        if all.iter().any(|one| one.count > 1) {
            let range = |one: &Stretch| (one.low, one.high);
            chart.draw_series(long().map(|piece| self.area(piece, range, BLUE.filled())))?;
        }
        Ok(())
    }

    /// Draws steps, absences, and marks for offsets beyond the axis.
    fn draw_marks<B: DrawingBackend>(&self, chart: &mut OverTime<'_, B>, all: &[Stretch]) -> Drawn
    where
        B::ErrorType: 'static,
    {
        let y = self.scale.axis;
        for one in all {
            let x = self.span.seconds(one.at);
            match one.before {
                Before::Step => {
                    let line = [(x, y.low), (x, y.high)];
                    chart.draw_series([PathElement::new(line, GREY.stroke_width(1))])?;
                }
                Before::Absence => {
                    chart.draw_series([Cross::new((x, y.low), 5, BLACK.stroke_width(2))])?;
                }
                Before::Nothing | Before::Gap => {}
            }
            if let Some(offset) = self.scale.beyond(one) {
                let place = self.place(one, offset);
                // The corners of plotters' triangle are above its place.
                let size = if place.1 > y.low { 5 } else { -5 };
                chart.draw_series([TriangleMarker::new(place, size, BLACK.filled())])?;
            }
        }
        Ok(())
    }

    /// The offsets themselves.
    fn draw_line<B: DrawingBackend>(&self, chart: &mut OverTime<'_, B>, all: &[Stretch]) -> Drawn
    where
        B::ErrorType: 'static,
    {
        for piece in pieces(all) {
            let line = piece.iter().map(|one| self.place(one, one.high));
            chart.draw_series(LineSeries::new(line, BLUE.stroke_width(1)))?;
        }
        let has_dots = all.len() <= 200;
        let dots = pieces(all).filter(|piece| has_dots || piece.len() == 1).flatten();
        let dot = |one: &Stretch| Circle::new(self.place(one, one.high), 2, BLUE.filled());
        chart.draw_series(dots.map(dot))?;
        Ok(())
    }
}

/// From the first offset to the last.
struct Span {
    start: i128,
    /// In seconds, a microsecond at least.
    length: f64,
}

impl Span {
    fn of(all: &[Stretch]) -> Self {
        let start = all.iter().map(|one| one.at).min().unwrap_or(0);
        let last = all.iter().map(|one| one.at).max().unwrap_or(0);
        Self { start, length: float(last.saturating_sub(start)).max(1e3) * 1e-9 }
    }

    fn times(&self) -> Times {
        Times(Axis { low: 0.0, high: self.length, logarithmic: false })
    }

    fn seconds(&self, at: i128) -> f64 {
        float(at.saturating_sub(self.start)) * 1e-9
    }

    /// When the time axis begins. A time before this century is one since the machine's start.
    fn beginning(&self) -> String {
        let first = Timestamp::<Utc>::from_total_nanoseconds(self.start);
        let first = first.filter(|first| first.seconds() >= CENTURY);
        match first.and_then(rfc3339::format_millis) {
            Some(first) => format!("time from {first}"),
            None => "time from the first sample".into(),
        }
    }
}

/// An axis of time, in seconds, with round times on it.
struct Times(Axis);

/// How many times are written at most.
const MOST_TIMES: usize = 7;

impl Ranged for Times {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    #[expect(clippy::cast_possible_truncation, reason = "a place in a picture")]
    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let length = f64::from(limit.1) - f64::from(limit.0);
        limit.0 + (self.0.place(*value) * length).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.0.times(MOST_TIMES)
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.0.low..self.0.high
    }
}

/// A legend for the marks that are there.
fn marks(all: &[Stretch]) -> &'static str {
    let has = |mark| all.iter().any(|one| one.before == mark);
    match (has(Before::Step), has(Before::Absence)) {
        (true, true) => "; upright line: step, cross: the clock was absent",
        (true, false) => "; upright line: step",
        (false, true) => "; cross: the clock was absent",
        (false, false) => "",
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

/// A delay to eight or nine bits, so that however many there are, few are different.
fn coarse(delay: i64) -> i64 {
    let delay = delay.max(0);
    delay / kept_apart(delay) * kept_apart(delay)
}

/// The resolution of delays of a size.
fn kept_apart(delay: i64) -> i64 {
    let bits = 64 - delay.max(0).leading_zeros();
    1 << bits.saturating_sub(9)
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
            let (bound, delay) = (Some(value(100)), Some(value(100_000)));
            let sample = Measurement { offset: value(10), bound, delay, ..Measurement::default() };
            offsets.take_sample(0, place, &sample);
        }
        offsets
    }

    #[test]
    fn memory_stays_the_same_however_many_delays_come() {
        let offsets = many(1_000_000);
        let drawing = offsets.tracks.first().expect("a track");
        assert!(drawing.delays.len() < 3_000, "{}", drawing.delays.len());
        let all = drawing.track.all();
        assert!(all.iter().all(|one| one.count < 10 || (one.low, one.high) == (0, 9)));
    }

    #[test]
    fn every_delay_is_in_a_stretch_or_told_to_be_beyond() {
        let offsets = many(5_000);
        let (bins, _, beyond) = offsets.tracks.first().expect("a track").bins();
        let shown: u64 = bins.iter().map(|bin| bin.1).sum();
        assert_eq!(shown + beyond, 5_000);
        assert!(bins.len() <= 45 && beyond < 150, "{} {beyond}", bins.len());
    }

    #[test]
    fn a_single_offset_can_be_drawn() {
        let text = many(1).text(80).lines(false).join("\n");
        assert!(text.contains("eth0"), "{text}");
        assert!(super::super::Picture::Offsets(many(1)).file(super::super::Form::Svg).is_ok());
    }

    #[test]
    fn uncertainty_and_bound_are_told_apart() {
        let picture = super::super::Picture::Offsets(many(50)).file(super::super::Form::Svg);
        let text = String::from_utf8(picture.expect("drawn")).expect("text");
        for part in ["dark: uncertainty, light: bound", "#BED4E8", "#82ACD2"] {
            assert!(text.contains(part), "{part}");
        }
    }
}
