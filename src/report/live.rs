//! Offsets as they come, live in a terminal.

#![expect(clippy::float_arithmetic, reason = "statistics, and places on a chart")]

use super::chart::{Axis, Canvas, Chart, Style, Unit, base, float, short, span};
use super::statistics::Statistics;
use super::terminal::{Key, Terminal};
use crate::Offset;
use crate::watch::Measurement;
use std::collections::VecDeque;
use std::fmt::Write;
use std::io;
use std::time::Duration;

/// What came at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    /// In nanoseconds of UTC.
    at: i128,
    /// The offset, its bound, and whether a clock was stepped before; `None` for a loss.
    offset: Option<(Offset, Option<Offset>, bool)>,
}

impl Point {
    pub(crate) fn of(at: i128, outcome: &Result<Measurement, String>) -> Self {
        let offset = outcome.as_ref().ok().map(|one| (one.offset, one.bound, one.stepped));
        Self { at, offset }
    }
}

/// What came in a stretch of time.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    start: i128,
    count: u32,
    sum: i128,
    low: i64,
    high: i64,
    /// With the bounds.
    widest: (i64, i64),
    stepped: bool,
    lost: bool,
}

impl Bucket {
    fn of(start: i128) -> Self {
        let (low, high) = (i64::MAX, i64::MIN);
        let (count, sum, widest, stepped, lost) = (0, 0, (low, high), false, false);
        Self { start, count, sum, low, high, widest, stepped, lost }
    }

    fn take(&mut self, point: &Point) {
        let Some((offset, bound, stepped)) = point.offset else {
            self.lost = true;
            return;
        };
        let (offset, bound) = (offset.nanoseconds(), bound.unwrap_or_default().nanoseconds());
        self.count += 1;
        self.sum += i128::from(offset);
        (self.low, self.high) = (self.low.min(offset), self.high.max(offset));
        let (least, most) = (offset.saturating_sub(bound), offset.saturating_add(bound));
        self.widest = (self.widest.0.min(least), self.widest.1.max(most));
        self.stepped |= stepped;
    }

    fn mean(&self) -> f64 {
        float(self.sum) / f64::from(self.count.max(1))
    }
}

/// The latest of what came, at several widths of time: each four times as wide as the one before.
#[derive(Clone, Debug)]
struct History {
    /// In nanoseconds.
    width: i128,
    levels: Vec<VecDeque<Bucket>>,
}

/// A level keeps so many stretches of time: more than a terminal has columns of dots.
const KEPT: usize = 2_048;
/// The widest is 4^15 times as wide as the narrowest: for a millisecond, twelve days.
const LEVELS: usize = 16;

impl History {
    fn new(interval: Duration) -> Self {
        let width = i128::try_from(interval.as_nanos()).unwrap_or(i128::MAX).max(1);
        Self { width, levels: vec![VecDeque::new(); LEVELS] }
    }

    /// The width of a level's stretches, in nanoseconds.
    fn width(&self, level: usize) -> i128 {
        self.width << (2 * level)
    }

    fn add(&mut self, point: &Point) {
        for level in 0..self.levels.len() {
            let width = self.width(level);
            let start = point.at.div_euclid(width) * width;
            let Some(buckets) = self.levels.get_mut(level) else { continue };
            // A system clock that is stepped back begins anew.
            if buckets.back().is_some_and(|last| last.start > start) {
                buckets.clear();
            }
            if buckets.back().is_none_or(|last| last.start < start) {
                if buckets.len() == KEPT {
                    buckets.pop_front();
                }
                buckets.push_back(Bucket::of(start));
            }
            if let Some(last) = buckets.back_mut() {
                last.take(point);
            }
        }
    }

    /// The narrowest level on which all that came fits so many columns.
    fn fitting(&self, columns: usize) -> usize {
        let columns = i128::try_from(columns).unwrap_or(i128::MAX);
        let fits = |level: &usize| {
            let Some(buckets) = self.levels.get(*level) else { return true };
            let ends = buckets.front().zip(buckets.back());
            let first = self.levels.last().and_then(|all| all.front()).map(|first| first.start);
            ends.is_none_or(|(front, back)| {
                // What was dropped doesn't fit.
                let width = self.width(*level);
                let whole = buckets.len() < KEPT || first.is_some_and(|first| front.start <= first);
                whole && back.start - front.start < columns * width
            })
        };
        (0..LEVELS).find(fits).unwrap_or(LEVELS - 1)
    }
}

/// A source as it is shown.
#[derive(Clone, Debug)]
struct Track {
    title: String,
    history: History,
    statistics: Statistics,
    /// What was measured last; `None` while the clock is lost.
    last: Option<(Offset, Option<Offset>)>,
    /// The latest moment, and the shortest time from one to the next.
    at: Option<i128>,
    distance: Option<i128>,
}

/// What is shown, and how.
#[derive(Debug)]
pub(crate) struct View {
    tracks: Vec<Track>,
    paused: bool,
    /// The level of zoom; `None` shows everything.
    zoom: Option<usize>,
    unit: Unit,
    band: bool,
    /// Held while it is paused.
    shown: Vec<Track>,
}

impl Default for View {
    fn default() -> Self {
        Self {
            tracks: Vec::new(),
            paused: false,
            zoom: Some(0),
            unit: Unit::Fitting,
            band: true,
            shown: Vec::new(),
        }
    }
}

/// A column of dots is this wide at first, or an interval, where that is longer.
const READABLE: Duration = Duration::from_millis(40);

const HELP: &str = "q quit  space pause  + - zoom  0 all  u unit  b band  r restart";

impl View {
    /// Shows one more source, by this title.
    pub(crate) fn begin(&mut self, title: String, interval: Option<Duration>) {
        match interval {
            // Some seconds at least: what goes by faster can't be read.
            Some(interval) => {
                let shows = |level: &u32| interval.saturating_mul(4_u32.pow(*level)) >= READABLE;
                self.zoom = (0..8).find(shows).and_then(|level| usize::try_from(level).ok());
            }
            None => self.zoom = None,
        }
        let history = History::new(interval.unwrap_or(Duration::from_millis(1)));
        let statistics = Statistics::default();
        let (last, at, distance) = (None, None, None);
        self.tracks.push(Track { title, history, statistics, last, at, distance });
    }

    pub(crate) fn add(&mut self, source: usize, point: Point) {
        let Some(track) = self.tracks.get_mut(source) else { return };
        track.history.add(&point);
        if let Some(apart) = track.at.replace(point.at).map(|before| point.at - before)
            && apart > 0
        {
            track.distance = Some(track.distance.map_or(apart, |least| least.min(apart)));
        }
        if let Some((offset, bound, stepped)) = point.offset {
            track.statistics.add(point.at, offset, stepped);
            track.last = Some((offset, bound));
        } else {
            track.statistics.lose();
            track.last = None;
        }
    }

    /// Does what a key asks for; answers whether it goes on.
    pub(crate) fn press(&mut self, key: Key, columns: usize) -> bool {
        let level = || {
            let fitting = |track: &Track| track.history.fitting(columns);
            self.zoom.unwrap_or_else(|| self.tracks.iter().map(fitting).max().unwrap_or(0))
        };
        match key {
            Key::Character('q' | 'Q') | Key::End => return false,
            Key::Character(' ') => {
                self.paused = !self.paused;
                self.shown = if self.paused { self.tracks.clone() } else { Vec::new() };
            }
            Key::Character('+' | '=') => self.zoom = Some(level().saturating_sub(1)),
            Key::Character('-' | '_') => self.zoom = Some((level() + 1).min(LEVELS - 1)),
            Key::Character('0') => self.zoom = None,
            Key::Character('u' | 'U') => self.unit = self.unit.next(),
            Key::Character('b' | 'B') => self.band = !self.band,
            Key::Character('r' | 'R') => {
                for track in &mut self.tracks {
                    track.statistics = Statistics::default();
                }
            }
            _ => {}
        }
        true
    }

    /// Draws everything.
    pub(crate) fn draw(&self, width: usize, height: usize) -> Canvas {
        let mut canvas = Canvas::new(width, height);
        let tracks = if self.paused { &self.shown } else { &self.tracks };
        let rows = height.saturating_sub(1);
        // A chart needs a few rows: those that don't fit have their figures only.
        let fits = (rows / 8).clamp(1, tracks.len().max(1));
        let figures = tracks.len().saturating_sub(fits);
        let each = rows.saturating_sub(figures) / fits;
        let mut row = 0;
        for (place, track) in tracks.iter().enumerate() {
            if place < fits && each >= 6 {
                self.draw_track(&mut canvas, row..row + each, track);
                row += each;
            } else {
                canvas.write(0, row, &self.figures(track, true), Style::Plain);
                row += 1;
            }
        }
        let state = if self.paused { "paused  " } else { "" };
        canvas.write(0, rows, &format!(" {state}{HELP}"), Style::Faint);
        if self.paused {
            canvas.write(1, rows, "paused", Style::Mark);
        }
        canvas
    }

    fn draw_track(&self, canvas: &mut Canvas, rows: std::ops::Range<usize>, track: &Track) {
        let columns = canvas_columns(canvas);
        let level = self.zoom.unwrap_or_else(|| track.history.fitting(columns));
        let width = track.history.width(level);
        let buckets = track.history.levels.get(level);
        let newest = buckets.and_then(|all| all.back()).map_or(0, |last| last.start);
        let seconds = |start: i128| float(start - newest) * 1e-9;
        let length = float(width) * float(i128::try_from(columns).unwrap_or(1)) * 1e-9;
        let x = Axis { low: -length, high: float(width) * 1e-9, logarithmic: false };
        let visible: Vec<_> =
            buckets.into_iter().flatten().filter(|bucket| seconds(bucket.start) >= x.low).collect();
        let full = visible.iter().filter(|bucket| bucket.count > 0);
        let range =
            full.map(|bucket| if self.band { bucket.widest } else { (bucket.low, bucket.high) });
        let (low, high) = range
            .reduce(|(low, high), (other_low, other_high)| {
                (low.min(other_low), high.max(other_high))
            })
            .unwrap_or((-1, 1));
        let base = base(low, high);
        let place = |offset: f64| offset - float(base.into());
        let y = Axis::around(place(float(low.into())), place(float(high.into())));
        let head = match base {
            0 => track.title.clone(),
            base => format!("{}, from {:+}", track.title, Offset::from_nanoseconds(base)),
        };
        canvas.write(0, rows.start, &head, Style::Strong);
        // On a narrow terminal they take two lines.
        let lines = self.figures(track, false);
        let lines = match lines.split_once("  p-p") {
            Some((first, rest)) if lines.chars().count() > canvas.width() => {
                vec![first.to_owned(), format!(" p-p{rest}")]
            }
            _ => vec![lines],
        };
        let figures = rows.end.saturating_sub(lines.len());
        let write_y = |value: f64| self.unit.mark(value);
        let chart_rows = rows.start + 1..figures;
        let mut chart = Chart::new(canvas, chart_rows, (x, &span), (y, &write_y));
        if self.band {
            for bucket in visible.iter().filter(|bucket| bucket.count > 0) {
                let (least, most) = bucket.widest;
                let (least, most) = (place(float(least.into())), place(float(most.into())));
                chart.band(seconds(bucket.start), least, most);
            }
        }
        let gap = 3 * width.max(track.distance.unwrap_or(0));
        let mut before: Option<&Bucket> = None;
        for bucket in visible {
            if bucket.lost {
                chart.mark(seconds(bucket.start), '×');
                before = None;
            }
            if bucket.stepped {
                chart.mark(seconds(bucket.start), '╎');
                before = None;
            }
            if bucket.count == 0 {
                continue;
            }
            let at = seconds(bucket.start);
            chart.bar(at, place(float(bucket.low.into())), place(float(bucket.high.into())));
            // A line over a gap would claim what nobody measured.
            if let Some(before) = before.filter(|before| bucket.start - before.start <= gap) {
                let from = (seconds(before.start), place(before.mean()));
                chart.line(from, (at, place(bucket.mean())), Style::Line);
            }
            before = Some(bucket);
        }
        for (place, line) in lines.iter().enumerate() {
            canvas.write(0, figures + place, line, Style::Plain);
        }
    }

    /// The figures of a source in a line.
    fn figures(&self, track: &Track, with_title: bool) -> String {
        let statistics = &track.statistics;
        let write = |value: Option<f64>| value.map_or("-".into(), |value| self.unit.write(value));
        let now = match track.last {
            Some((offset, bound)) => {
                let bound = bound.map_or(String::new(), |bound| {
                    format!(" ±{}", self.unit.write(float(bound.nanoseconds().into())))
                });
                format!("{}{bound}", self.unit.write(float(offset.nanoseconds().into())))
            }
            None if statistics.losses > 0 => "lost".into(),
            None => "-".into(),
        };
        let range = statistics.peak_to_peak().map(|range| float(range.into()));
        let rate = statistics.rate().map_or("-".into(), |rate| format!("{} ppb", short(rate)));
        let title = if with_title { format!("{}: ", track.title) } else { " ".into() };
        let mut line = format!(
            "{title}now {now}  mean {}  sd {}  p-p {}  rate {rate}  n {}",
            write(statistics.mean()),
            write(statistics.deviation()),
            write(range),
            statistics.count,
        );
        for (name, number) in [("steps", statistics.steps), ("losses", statistics.losses)] {
            if number > 0 {
                let _ = write!(line, "  {name} {number}");
            }
        }
        line
    }
}

/// How many columns of dots a chart on it has.
fn canvas_columns(canvas: &Canvas) -> usize {
    canvas.width().saturating_sub(super::chart::NUMBERS + 1) * 2
}

/// A view on a terminal.
#[derive(Default)]
pub(crate) struct Live {
    view: View,
    terminal: Option<Terminal>,
    drawn: Option<std::time::Instant>,
}

/// It is drawn, and keys are looked at, so often.
pub(crate) const FRAME: Duration = Duration::from_millis(100);

impl Live {
    /// Shows one more source, by this title; takes the terminal the first time. Without an
    /// interval, what is shown is over: everything of it is seen.
    pub(crate) fn begin(&mut self, title: String, interval: Option<Duration>) -> io::Result<()> {
        self.view.begin(title, interval);
        if self.terminal.is_none() {
            self.terminal = Some(Terminal::take()?);
        }
        Ok(())
    }

    pub(crate) fn add(&mut self, source: usize, point: Point) {
        self.view.add(source, point);
    }

    /// Does what keys ask for, and draws; answers whether it goes on.
    pub(crate) fn show(&mut self) -> io::Result<bool> {
        let Some(terminal) = &mut self.terminal else { return Ok(true) };
        terminal.go_on()?;
        let (width, height) = Terminal::size();
        let mut pressed = false;
        while let Some(key) = terminal.key()? {
            pressed = true;
            if key == Key::Suspend {
                terminal.suspend()?;
                continue;
            }
            if !self.view.press(key, width.saturating_sub(super::chart::NUMBERS + 1) * 2) {
                return Ok(false);
            }
        }
        if pressed || self.drawn.is_none_or(|drawn| drawn.elapsed() >= FRAME) {
            self.drawn = Some(std::time::Instant::now());
            terminal.draw(&self.view.draw(width, height))?;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i128 = 1_000_000_000;

    fn point(at: i128, offset: i64) -> Point {
        let bound = Some(Offset::from_nanoseconds(100));
        Point { at, offset: Some((Offset::from_nanoseconds(offset), bound, false)) }
    }

    fn view(points: impl Iterator<Item = Point>) -> View {
        let mut view = View::default();
        view.begin("eth0 - realtime".into(), Some(Duration::from_secs(1)));
        points.for_each(|point| view.add(0, point));
        view
    }

    #[test]
    fn memory_stays_the_same_however_much_comes() {
        let mut history = History::new(Duration::from_millis(1));
        for millisecond in 0..200_000 {
            history.add(&point(millisecond * 1_000_000, 0));
        }
        assert!(history.levels.iter().all(|level| level.len() <= KEPT));
        assert_eq!(history.levels.first().map(VecDeque::len), Some(KEPT));
    }

    #[test]
    fn zooming_out_far_enough_shows_everything() {
        let view = view((0..5_000).map(|second| point(second * SECOND, 0)));
        let history = &view.tracks.first().expect("a track").history;
        let level = history.fitting(136);
        let buckets = &history.levels[level];
        assert!(buckets.front().is_some_and(|first| first.start == 0) && buckets.len() <= 136);
        assert!(history.width(level - 1) * 136 < 5_000 * SECOND, "not farther than needed");
    }

    #[test]
    fn every_size_of_a_terminal_can_be_drawn_on() {
        let view =
            view((0..500).map(|second| point(second * SECOND, i64::try_from(second).unwrap_or(0))));
        for (width, height) in [(80, 24), (200, 60), (1, 1), (0, 0), (20, 5), (13, 9), (80, 2)] {
            let lines = view.draw(width, height).lines(false);
            assert!(lines.len() <= height.max(1), "{width} {height}");
            assert!(lines.iter().all(|line| line.chars().count() <= width));
        }
    }

    #[test]
    fn a_loss_and_a_step_are_marked() {
        let mut view = view((0..20).map(|second| point(second * SECOND, 5)));
        view.add(0, Point { at: 20 * SECOND, offset: None });
        let stepped = Some((Offset::from_nanoseconds(90), None, true));
        view.add(0, Point { at: 30 * SECOND, offset: stepped });
        let text = view.draw(80, 24).lines(false).join("\n");
        assert!(text.contains('×') && text.contains('╎'), "{text}");
        assert!(text.contains("steps 1") && text.contains("losses 1"), "{text}");
    }

    #[test]
    fn offsets_far_from_0_are_written_from_a_round_number_near_them() {
        let view = view((0..20).map(|second| point(second * SECOND, 37_000_000_512)));
        let text = view.draw(80, 24).lines(false).join("\n");
        assert!(text.contains("eth0 - realtime, from +37 s"), "{text}");
    }

    #[test]
    fn keys_do_what_the_help_says() {
        let mut view = view((0..20).map(|second| point(second * SECOND, 5)));
        assert!(view.press(Key::Character(' '), 100) && view.paused);
        view.add(0, point(20 * SECOND, 6));
        let text = view.draw(80, 24).lines(false).join("\n");
        assert!(text.contains("n 20") && text.contains("paused"), "{text}");
        assert!(view.press(Key::Character('-'), 100) && view.zoom == Some(1));
        assert!(view.press(Key::Character('0'), 100) && view.zoom.is_none());
        assert!(view.press(Key::Character('u'), 100) && view.unit == Unit::Nanoseconds);
        assert!(view.press(Key::Character('r'), 100));
        assert_eq!(view.tracks.first().map(|track| track.statistics.count), Some(0));
        assert!(!view.press(Key::Character('q'), 100));
    }
}
