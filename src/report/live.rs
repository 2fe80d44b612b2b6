//! Offsets as they come, live in a terminal.

#![expect(clippy::float_arithmetic, reason = "statistics, and places on a chart")]

use super::chart::{Axis, Canvas, Chart, Style, Unit, float, span};
use super::rates::told_rate;
use super::terminal::{Key, Terminal};
use super::track::{self, LEVELS, Scale, Track};
use crate::Offset;
use crate::measure::Statistics;
use crate::watch::{Measurement, Outcome, Reading};
use std::fmt::Write;
use std::io;
use std::time::Duration;

/// A source as it is shown.
#[derive(Clone, Debug)]
struct Shown {
    track: Track,
    statistics: Statistics,
    /// What came last.
    last: Option<Last>,
}

/// What came last of a source.
#[derive(Clone, Debug)]
enum Last {
    Offset { offset: Offset, uncertainty: Option<Offset>, bound: Option<Offset> },
    Missed(String),
    Absent(String),
}

/// What is shown, and how.
#[derive(Debug)]
pub(crate) struct View {
    tracks: Vec<Shown>,
    paused: bool,
    /// The level of zoom; `None` shows everything.
    zoom: Option<usize>,
    unit: Unit,
    band: bool,
    /// The sources as they were when the view was paused.
    shown: Vec<Shown>,
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

/// The time that a column of dots covers at first, unless the interval is longer.
const READABLE: Duration = Duration::from_millis(40);

const HELP: &str = "q quit  space pause  + - zoom  0 all  u unit  b band  r restart";

impl View {
    /// Shows one more source, by this title.
    pub(crate) fn begin(&mut self, title: String, interval: Option<Duration>) {
        match interval {
            // The view covers some seconds at least: a faster one can't be read.
            Some(interval) => {
                let shows = |level: &u32| interval.saturating_mul(4_u32.pow(*level)) >= READABLE;
                self.zoom = (0..8).find(shows).and_then(|level| usize::try_from(level).ok());
            }
            None => self.zoom = None,
        }
        let track = Track::new(title, interval);
        self.tracks.push(Shown { track, statistics: Statistics::default(), last: None });
    }

    pub(crate) fn take(&mut self, source: usize, reading: &Reading) {
        let Some(shown) = self.tracks.get_mut(source) else { return };
        shown.track.take(reading);
        reading.enter(&mut shown.statistics);
        shown.last = Some(match &reading.outcome {
            Outcome::Measured(Measurement { offset, uncertainty, bound, .. }) => {
                Last::Offset { offset: *offset, uncertainty: *uncertainty, bound: *bound }
            }
            Outcome::Missed(cause) => Last::Missed(cause.to_string()),
            Outcome::Absent(cause) => Last::Absent(cause.to_string()),
        });
    }

    /// The figures of each source, for when the screen is gone.
    pub(crate) fn summary(&self) -> Vec<String> {
        self.tracks.iter().map(|shown| self.figures(shown, true)).collect()
    }

    /// Does what a key asks for; returns whether to go on.
    pub(crate) fn press(&mut self, key: Key, columns: usize) -> bool {
        let level = || {
            let fitting = |shown: &Shown| shown.track.fitting(columns);
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
                for shown in &mut self.tracks {
                    shown.statistics = Statistics::default();
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
        for (place, shown) in tracks.iter().enumerate() {
            if place < fits && each >= 6 {
                self.draw_track(&mut canvas, row..row + each, shown);
                row += each;
            } else {
                canvas.write(0, row, &self.figures(shown, true), Style::Plain);
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

    fn draw_track(&self, canvas: &mut Canvas, rows: std::ops::Range<usize>, shown: &Shown) {
        let track = &shown.track;
        let columns = canvas_columns(canvas);
        let level = self.zoom.unwrap_or_else(|| track.fitting(columns));
        let width = track.width(level);
        let newest = track.stretches(level).next_back().map_or(0, |last| last.at);
        let seconds = |at: i128| float(at.saturating_sub(newest)) * 1e-9;
        let length = float(width) * float(i128::try_from(columns).unwrap_or(1)) * 1e-9;
        let x = Axis { low: -length, high: float(width) * 1e-9, logarithmic: false };
        let visible: Vec<_> =
            track.stretches(level).filter(|one| seconds(one.at) >= x.low).copied().collect();
        let scale = Scale::of(&visible, self.band);
        let title = scale.heading_in(&track.title, canvas.width());
        canvas.write(0, rows.start, &title, Style::Strong);
        let lines = wrapped(&self.figures(shown, false), canvas.width());
        let figures = rows.end.saturating_sub(lines.len()).max(rows.start + 1);
        let write_y = |value: f64| self.unit.mark(value);
        let mut chart =
            Chart::new(canvas, rows.start + 1..figures, (x, &span), (scale.axis, &write_y));
        track::draw(&mut chart, &visible, &scale, self.band, seconds);
        for (line, row) in lines.iter().zip(figures..rows.end) {
            canvas.write(0, row, line, Style::Plain);
        }
    }

    /// The figures of a source in a line.
    fn figures(&self, shown: &Shown, with_title: bool) -> String {
        let statistics = &shown.statistics;
        let unit = |offset: Offset| self.unit.write(float(offset.nanoseconds().into()));
        let write = |value: Option<f64>| value.map_or("-".into(), |value| self.unit.write(value));
        let now = match &shown.last {
            Some(Last::Offset { offset, uncertainty, bound }) => {
                let guess = uncertainty.map_or(String::new(), |one| format!(" ±{}", unit(one)));
                let bound =
                    bound.map_or(String::new(), |bound| format!(", within {}", unit(bound)));
                format!("{}{guess}{bound}", unit(*offset))
            }
            Some(Last::Missed(why)) => format!("missed: {why}"),
            Some(Last::Absent(why)) => format!("absent: {why}"),
            None => "-".into(),
        };
        let range = statistics.peak_to_peak().map(|range| float(range.into()));
        let rate = statistics.rate().and_then(told_rate).unwrap_or("-".into());
        let title = if with_title { format!("{}: ", shown.track.title) } else { " ".into() };
        let mut line = format!(
            "{title}now {now}  mean {}  sd {}  p-p {}  rate {rate}  n {}",
            write(statistics.mean()),
            write(statistics.deviation()),
            write(range),
            statistics.count,
        );
        for (name, number) in [
            ("steps", statistics.steps),
            ("misses", statistics.misses),
            ("absences", statistics.absences),
        ] {
            if number > 0 {
                let _ = write!(line, "  {name} {number}");
            }
        }
        line
    }
}

/// A line of figures in as many lines as it takes; figures that belong together stay together.
fn wrapped(line: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for figure in line.trim_start().split("  ") {
        let length = figure.chars().count();
        match lines.last_mut() {
            Some(last) if last.chars().count() + 2 + length <= width => {
                last.push_str("  ");
                last.push_str(figure);
            }
            _ => lines.push(format!(" {figure}")),
        }
    }
    lines
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

/// The time between two frames: how often the view is drawn and keys are read.
pub(crate) const FRAME: Duration = Duration::from_millis(100);

impl Live {
    /// Shows one more source, by this title; takes the terminal the first time. Without an
    /// interval, the source is a recording: all of it is shown.
    pub(crate) fn begin(&mut self, title: String, interval: Option<Duration>) -> io::Result<()> {
        self.view.begin(title, interval);
        if self.terminal.is_none() {
            self.terminal = Some(Terminal::take()?);
        }
        Ok(())
    }

    pub(crate) fn take(&mut self, source: usize, reading: &Reading) {
        self.view.take(source, reading);
    }

    /// Leaves the terminal as it was; returns the figures of each source.
    pub(crate) fn end(self) -> Vec<String> {
        self.view.summary()
    }

    /// Does what keys ask for, and draws; returns whether to go on.
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
    use crate::Timestamp;
    use crate::watch::{Cause, Recorded};
    use std::sync::Arc;

    fn reading(second: i64, outcome: Outcome) -> Reading {
        let at = Timestamp::new(second, 0).expect("in range");
        Reading { source: Arc::default(), at, outcome }
    }

    fn offset(second: i64, nanoseconds: i64) -> Reading {
        let (offset, bound) =
            (Offset::from_nanoseconds(nanoseconds), Some(Offset::from_nanoseconds(100)));
        reading(second, Outcome::Measured(Measurement { offset, bound, ..Measurement::default() }))
    }

    fn cause() -> Cause {
        Cause::Recorded(Recorded { why: "no answer".into(), ..Recorded::default() })
    }

    fn view(readings: impl Iterator<Item = Reading>) -> View {
        let mut view = View::default();
        view.begin("eth0 - realtime".into(), Some(Duration::from_secs(1)));
        readings.for_each(|reading| view.take(0, &reading));
        view
    }

    fn text(view: &View, width: usize) -> String {
        view.draw(width, 24).lines(false).join("\n")
    }

    #[test]
    fn every_size_of_a_terminal_can_be_drawn_on() {
        let view = view((0..500).map(|second| offset(second, second)));
        for (width, height) in [(80, 24), (200, 60), (1, 1), (0, 0), (20, 5), (13, 9), (80, 2)] {
            let lines = view.draw(width, height).lines(false);
            assert!(lines.len() <= height.max(1), "{width} {height}");
            assert!(lines.iter().all(|line| line.chars().count() <= width));
        }
    }

    #[test]
    fn forty_columns_lose_no_figure() {
        let mut view = view((0..20).map(|second| offset(second, 1_234 * second)));
        view.take(0, &reading(20, Outcome::Missed(cause())));
        let narrow = text(&view, 40);
        for figure in ["missed: no answer", "mean", "sd", "p-p", "rate", "n 20", "misses 1"] {
            assert!(narrow.contains(figure), "{figure}: {narrow}");
        }
    }

    #[test]
    fn an_absence_and_a_step_are_marked() {
        let mut view = view((0..20).map(|second| offset(second, 5)));
        view.take(0, &reading(20, Outcome::Absent(cause())));
        (24..34).for_each(|second| view.take(0, &offset(second, 5)));
        let stepped = Measurement { stepped: true, ..Measurement::default() };
        view.take(0, &reading(34, Outcome::Measured(stepped)));
        let text = text(&view, 80);
        assert!(text.contains('×') && text.contains('╎'), "{text}");
        assert!(text.contains("steps 1") && text.contains("absences 1"), "{text}");
    }

    #[test]
    fn why_there_is_no_offset_is_said() {
        let mut view = view((0..3).map(|second| offset(second, 5)));
        view.take(0, &reading(3, Outcome::Missed(cause())));
        assert!(text(&view, 80).contains("now missed: no answer"));
        view.take(0, &reading(4, Outcome::Absent(cause())));
        assert!(text(&view, 80).contains("now absent: no answer"));
    }

    #[test]
    fn offsets_far_from_0_are_written_from_a_round_number_near_them() {
        let view = view((0..20).map(|second| offset(second, 37_000_000_512)));
        let text = text(&view, 80);
        assert!(text.contains("eth0 - realtime, from +37 s"), "{text}");
    }

    #[test]
    fn keys_do_what_the_help_says() {
        let mut view = view((0..20).map(|second| offset(second, 5)));
        assert!(view.press(Key::Character(' '), 100) && view.paused);
        view.take(0, &offset(20, 6));
        let text = text(&view, 80);
        assert!(text.contains("n 20") && text.contains("paused"), "{text}");
        assert!(view.press(Key::Character('-'), 100) && view.zoom == Some(1));
        assert!(view.press(Key::Character('0'), 100) && view.zoom.is_none());
        assert!(view.press(Key::Character('u'), 100) && view.unit == Unit::Nanoseconds);
        assert!(view.press(Key::Character('r'), 100));
        assert_eq!(view.tracks.first().map(|shown| shown.statistics.count), Some(0));
        assert!(!view.press(Key::Character('q'), 100));
    }
}
