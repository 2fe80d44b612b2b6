//! Charts of characters: dots of braille, axes with round numbers, for terminals and pipes.

#![expect(clippy::float_arithmetic, reason = "places on a chart, and numbers on its axes")]

use crate::printable::is_obeyed;

/// How a cell is shown. A later style is drawn over an earlier one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Style {
    #[default]
    Plain,
    /// The band in which the true offset lies; and what is of minor importance.
    Faint,
    /// What was measured.
    Line,
    /// A step, a loss, a limit.
    Mark,
    /// Titles, and letters at points.
    Strong,
}

impl Style {
    /// The terminal's sequence for it.
    fn sequence(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Faint => "\x1b[2m",
            Self::Line => "\x1b[36m",
            Self::Mark => "\x1b[33m",
            Self::Strong => "\x1b[1m",
        }
    }
}

/// Cells of characters.
#[derive(Clone, Debug)]
pub(crate) struct Canvas {
    width: usize,
    height: usize,
    cells: Vec<(char, Style)>,
}

/// The first of the characters that have eight dots each.
const BRAILLE: u32 = 0x2800;
/// The dots of a character, by row and column.
const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

impl Canvas {
    pub(crate) fn new(width: usize, height: usize) -> Self {
        Self { width, height, cells: vec![(' ', Style::Plain); width * height] }
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Writes a text, cut at the right edge.
    pub(crate) fn write(&mut self, column: usize, row: usize, text: &str, style: Style) {
        for (place, c) in text.chars().enumerate() {
            if let Some(cell) = self.cell(column + place, row) {
                *cell = (if is_obeyed(c) { '\u{fffd}' } else { c }, style);
            }
        }
    }

    fn cell(&mut self, column: usize, row: usize) -> Option<&mut (char, Style)> {
        if column >= self.width || row >= self.height {
            return None;
        }
        self.cells.get_mut(row * self.width + column)
    }

    /// Sets a dot. A cell has two dots across and four down.
    fn dot(&mut self, x: usize, y: usize, style: Style) {
        let bit = DOTS.get(y % 4).and_then(|row| row.get(x % 2)).copied().unwrap_or(0);
        if let Some((c, of)) = self.cell(x / 2, y / 4) {
            let before = u32::from(*c).checked_sub(BRAILLE).filter(|bits| *bits < 256);
            // The more important style keeps the cell to itself, so that the chart is legible
            // without colours.
            let before = before.filter(|_| *of >= style).unwrap_or(0);
            if *of > style && before != 0 {
                return;
            }
            let bits = before | u32::from(bit);
            *c = char::from_u32(BRAILLE + bits).unwrap_or(' ');
            *of = style.max(*of);
        }
    }

    /// As text; with a terminal's sequences where `colour`.
    pub(crate) fn lines(&self, colour: bool) -> Vec<String> {
        let line = |cells: &[(char, Style)]| {
            let end = cells.iter().rposition(|(c, _)| *c != ' ').map_or(0, |last| last + 1);
            let mut line = String::new();
            let mut now = Style::Plain;
            for (c, style) in cells.get(..end).unwrap_or_default() {
                if colour && *style != now {
                    line.push_str("\x1b[0m");
                    line.push_str(style.sequence());
                    now = *style;
                }
                line.push(*c);
            }
            if now != Style::Plain {
                line.push_str("\x1b[0m");
            }
            line
        };
        self.cells.chunks(self.width.max(1)).map(line).collect()
    }
}

/// The range of an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Axis {
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// Whether it is logarithmic. Then both ends are above 0.
    pub(crate) logarithmic: bool,
}

impl Axis {
    /// An axis around values, with a little room beside them.
    pub(crate) fn around(low: f64, high: f64) -> Self {
        let room = ((high - low) * 0.05).max(0.5);
        Self { low: low - room, high: high + room, logarithmic: false }
    }

    /// A logarithmic axis around values above 0, with a little room beside them.
    pub(crate) fn decades(low: f64, high: f64) -> Self {
        let (low, high) = (low.max(f64::MIN_POSITIVE), high.max(f64::MIN_POSITIVE));
        Self { low: low / 1.3, high: high * 1.3, logarithmic: true }
    }

    /// Where a value is, from 0 to 1.
    pub(crate) fn place(&self, value: f64) -> f64 {
        if self.logarithmic {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        }
    }

    /// Round numbers on it, `most` at most.
    pub(crate) fn ticks(&self, most: usize) -> Vec<f64> {
        let most = u32::try_from(most.max(1)).unwrap_or(u32::MAX);
        if self.logarithmic {
            let first = self.low.log10().ceil();
            if self.high / self.low < 300.0 {
                let decade = |e: f64| [1.0, 2.0, 5.0].map(|factor| factor * 10_f64.powf(e));
                let around = steps(first - 1.0, self.high.log10(), 1.0);
                let all = around.into_iter().flat_map(decade);
                return all.filter(|tick| self.low <= *tick && *tick <= self.high).collect();
            }
            let decades = self.high.log10().floor() - first + 1.0;
            let step = (decades / f64::from(most)).ceil().max(1.0);
            return steps(first, self.high.log10(), step)
                .into_iter()
                .map(|e| 10_f64.powf(e))
                .collect();
        }
        self.steps_of((self.high - self.low) / f64::from(most))
    }

    /// Round times on it, in seconds, `most` at most.
    pub(crate) fn times(&self, most: usize) -> Vec<f64> {
        let least =
            (self.high - self.low) / f64::from(u32::try_from(most.max(1)).unwrap_or(u32::MAX));
        let all =
            TIMES.into_iter().flat_map(|(unit, steps)| steps.iter().map(move |one| one * unit));
        match all.into_iter().find(|step| *step >= least) {
            Some(step) if !self.logarithmic && least >= 1.0 => {
                steps((self.low / step).ceil() * step, self.high, step)
            }
            _ => self.ticks(most),
        }
    }

    /// Multiples of a round number that is at least `least`.
    fn steps_of(&self, least: f64) -> Vec<f64> {
        let decade = 10_f64.powf(least.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * decade);
        let step = step.into_iter().find(|step| *step >= least).unwrap_or(least);
        steps((self.low / step).ceil() * step, self.high, step)
    }
}

/// Steps that people count times in, by their units in seconds.
const TIMES: [(f64, &[f64]); 4] = [
    (1.0, &[1.0, 2.0, 5.0, 10.0, 20.0, 30.0]),
    (60.0, &[1.0, 2.0, 5.0, 10.0, 20.0, 30.0]),
    (3_600.0, &[1.0, 2.0, 3.0, 6.0, 12.0]),
    (86_400.0, &[1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 100.0]),
];

fn steps(first: f64, last: f64, step: f64) -> Vec<f64> {
    let mut ticks = Vec::new();
    let mut tick = first;
    while tick <= last + step * 1e-9 && ticks.len() < 100 && step > 0.0 {
        // No -0.
        ticks.push(if tick.abs() < step / 1e6 { 0.0 } else { tick });
        tick += step;
    }
    ticks
}

/// A chart: two axes, and dots between them.
pub(crate) struct Chart<'a> {
    canvas: &'a mut Canvas,
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
}

/// The columns of the numbers at the left.
pub(crate) const NUMBERS: usize = 11;

impl<'a> Chart<'a> {
    /// A chart in these rows of a canvas, the last one for the numbers of the horizontal axis.
    /// Numbers are written by the two functions.
    pub(crate) fn new(
        canvas: &'a mut Canvas,
        rows: std::ops::Range<usize>,
        (x, write_x): (Axis, &dyn Fn(f64) -> String),
        (y, write_y): (Axis, &dyn Fn(f64) -> String),
    ) -> Self {
        let (top, left) = (rows.start, NUMBERS + 1);
        let width = canvas.width.saturating_sub(left);
        let height = rows.len().saturating_sub(2).max(1);
        for row in top..top + height {
            canvas.write(NUMBERS, row, "│", Style::Faint);
        }
        canvas.write(NUMBERS, top + height, &format!("└{}", "─".repeat(width)), Style::Faint);
        for tick in y.ticks((height / 2).clamp(3, 10)) {
            let row = top + down(&y, tick, height);
            canvas.write(0, row, &format!("{:>NUMBERS$}", write_y(tick)), Style::Plain);
            canvas.write(NUMBERS, row, "┤", Style::Faint);
        }
        let mut free = 0;
        for tick in x.times((width / 14).max(2)) {
            let text = write_x(tick);
            let length = text.chars().count();
            let column = left + across(&x, tick, width);
            let from = column.saturating_sub(length / 2).min((left + width).saturating_sub(length));
            if from >= free {
                canvas.write(from, top + height + 1, &text, Style::Plain);
                canvas.write(column, top + height, "┬", Style::Faint);
                free = from + length + 1;
            }
        }
        Self { canvas, left, top, width, height, x, y }
    }

    fn column(&self, x: f64) -> usize {
        across(&self.x, x, self.width * 2)
    }

    /// Draws from one value to another at a place.
    pub(crate) fn bar(&mut self, x: f64, low: f64, high: f64) {
        let (top, bottom) = self.rows(low, high);
        let column = self.column(x);
        for row in top..=bottom {
            self.canvas.dot(self.left * 2 + column, self.top * 4 + row, Style::Line);
        }
    }

    /// Draws a piece of a band: its edges, and a few dots between them.
    pub(crate) fn band(&mut self, x: f64, low: f64, high: f64) {
        let (top, bottom) = self.rows(low, high);
        let column = self.column(x);
        for row in top..=bottom {
            let is_edge = row == top || row == bottom;
            let sparse = column.is_multiple_of(2) && (row + column).is_multiple_of(4);
            if is_edge || sparse {
                self.canvas.dot(self.left * 2 + column, self.top * 4 + row, Style::Faint);
            }
        }
    }

    fn rows(&self, low: f64, high: f64) -> (usize, usize) {
        (down(&self.y, high, self.height * 4), down(&self.y, low, self.height * 4))
    }

    /// Draws a line from one point to another.
    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), style: Style) {
        let (start, end) = (self.column(from.0), self.column(to.0));
        let rows = self.height * 4;
        let (first, last) = (down(&self.y, from.1, rows), down(&self.y, to.1, rows));
        let steps = start.abs_diff(end).max(first.abs_diff(last)).max(1);
        for step in 0..=steps {
            let between = |a: usize, b: usize| (a * (steps - step) + b * step + steps / 2) / steps;
            let (x, y) = (between(start, end), between(first, last));
            self.canvas.dot(self.left * 2 + x, self.top * 4 + y, style);
        }
    }

    /// Writes a letter at a point.
    pub(crate) fn letter(&mut self, at: (f64, f64), letter: char) {
        let column = self.left + across(&self.x, at.0, self.width);
        let row = self.top + down(&self.y, at.1, self.height);
        self.canvas.write(column, row, letter.encode_utf8(&mut [0; 4]), Style::Strong);
    }

    /// Marks a moment over the whole height.
    pub(crate) fn mark(&mut self, x: f64, c: char) {
        let column = self.left + across(&self.x, x, self.width);
        for row in self.top..self.top + self.height {
            self.canvas.write(column, row, c.encode_utf8(&mut [0; 4]), Style::Mark);
        }
    }
}

/// The place of a value from the left.
fn across(axis: &Axis, value: f64, places: usize) -> usize {
    whole(axis.place(value), places)
}

/// The place of a value from the top.
fn down(axis: &Axis, value: f64, places: usize) -> usize {
    whole(1.0 - axis.place(value), places)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a place on a screen; a cast saturates"
)]
fn whole(share: f64, places: usize) -> usize {
    ((share * places as f64).floor().max(0.0) as usize).min(places.saturating_sub(1))
}

/// What offsets are written relative to: 0, or a round number near them if they are far from 0.
pub(super) fn base(low: i64, high: i64) -> i64 {
    let span = i128::from(high) - i128::from(low);
    let middle = i128::midpoint(low.into(), high.into());
    if middle.abs() < 1_000 * span.max(1) {
        return 0;
    }
    let mut step = 1;
    while step < 10 * span.max(1) {
        step *= 10;
    }
    i64::try_from((middle + step / 2).div_euclid(step) * step).unwrap_or(0)
}

#[expect(clippy::cast_precision_loss, reason = "a place on a chart, or a figure of few digits")]
pub(crate) fn float(number: i128) -> f64 {
    match i64::try_from(number) {
        Ok(number) => number as f64,
        Err(_) => number as f64,
    }
}

/// A unit of time to write with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Unit {
    /// The largest unit that the number reaches.
    #[default]
    Fitting,
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Seconds,
}

impl Unit {
    /// The next unit, cyclically.
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Fitting => Self::Nanoseconds,
            Self::Nanoseconds => Self::Microseconds,
            Self::Microseconds => Self::Milliseconds,
            Self::Milliseconds => Self::Seconds,
            Self::Seconds => Self::Fitting,
        }
    }

    /// The unit that fits a number of nanoseconds.
    fn fitting(self, nanoseconds: f64) -> (f64, &'static str) {
        let size = nanoseconds.abs();
        match self {
            Self::Nanoseconds => (1.0, "ns"),
            Self::Microseconds => (1e3, "us"),
            Self::Milliseconds => (1e6, "ms"),
            Self::Fitting if size < 1e3 => (1.0, "ns"),
            Self::Fitting if size < 1e6 => (1e3, "us"),
            Self::Fitting if size < 1e9 => (1e6, "ms"),
            Self::Fitting | Self::Seconds => (1e9, "s"),
        }
    }

    /// Writes a number of nanoseconds with four digits or so.
    pub(crate) fn write(self, nanoseconds: f64) -> String {
        let (scale, unit) = self.fitting(nanoseconds);
        format!("{} {unit}", short(nanoseconds / scale))
    }

    /// Writes it beside an axis: with a power of ten where there is no room for all digits.
    pub(crate) fn mark(self, nanoseconds: f64) -> String {
        if nanoseconds == 0.0 {
            return "0".into();
        }
        let text = self.write(nanoseconds);
        if text.chars().count() <= NUMBERS {
            return text;
        }
        let (scale, unit) = self.fitting(nanoseconds);
        format!("{} {unit}", power(nanoseconds / scale))
    }
}

/// A number with four digits or so, without trailing zeros.
pub(crate) fn short(number: f64) -> String {
    let size = number.abs();
    let decimals = match () {
        () if size >= 1_000.0 || number == 0.0 => 0,
        () if size >= 100.0 => 1,
        () if size >= 10.0 => 2,
        () if size >= 1.0 => 3,
        () if size >= 0.1 => 4,
        () if size >= 0.01 => 5,
        () if size >= 0.001 => 6,
        () => return power(number),
    };
    without_zeros(format!("{number:.decimals$}"))
}

/// A number of three digits with a power of ten.
fn power(number: f64) -> String {
    let text = format!("{number:.2e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    format!("{}e{power}", without_zeros(digits.to_owned()))
}

fn without_zeros(mut text: String) -> String {
    if text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    text
}

/// A span of time with the unit that people would say, for an axis: `-5 min`.
pub(crate) fn span(seconds: f64) -> String {
    let size = seconds.abs();
    let (scale, unit) = match () {
        () if size == 0.0 => return "0".into(),
        () if size < 1e-3 => (1e-6, "us"),
        () if size < 1.0 => (1e-3, "ms"),
        () if size < 180.0 => (1.0, "s"),
        () if size < 10_800.0 => (60.0, "min"),
        () if size < 259_200.0 => (3_600.0, "h"),
        () => (86_400.0, "d"),
    };
    format!("{} {unit}", short(seconds / scale))
}

/// An averaging time: in seconds above 1 s, so that decades are easy to read.
pub(crate) fn averaging(seconds: f64) -> String {
    if seconds < 1.0 { span(seconds) } else { format!("{} s", short(seconds)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers_within_the_axis() {
        let ticks = |low, high, most| Axis { low, high, logarithmic: false }.ticks(most);
        let written = |ticks: Vec<f64>| ticks.into_iter().map(short).collect::<Vec<_>>();
        assert_eq!(written(ticks(-7.0, 93.0, 5)), ["0", "20", "40", "60", "80"]);
        assert_eq!(written(ticks(-0.3, 0.3, 4)), ["-0.2", "0", "0.2"]);
        let decades = Axis { low: 0.5, high: 2_000.0, logarithmic: true };
        assert_eq!(written(decades.ticks(9)), ["1", "10", "100", "1000"]);
        assert_eq!(written(decades.ticks(2)), ["1", "100"]);
    }

    #[test]
    fn times_are_counted_in_minutes_hours_and_days() {
        let times = |length| Axis { low: 0.0, high: length, logarithmic: false }.times(5);
        let written = |length| times(length).into_iter().map(span).collect::<Vec<_>>();
        assert_eq!(written(0.05), ["0", "10 ms", "20 ms", "30 ms", "40 ms", "50 ms"]);
        assert_eq!(written(45.0), ["0", "10 s", "20 s", "30 s", "40 s"]);
        assert_eq!(written(1_000.0), ["0", "5 min", "10 min", "15 min"]);
        assert_eq!(written(120_000.0), ["0", "12 h", "24 h"]);
        assert_eq!(written(1e7), ["0", "30 d", "60 d", "90 d"]);
    }

    #[test]
    fn a_line_goes_through_both_of_its_ends() {
        let mut canvas = Canvas::new(NUMBERS + 1 + 4, 4);
        let axis = Axis { low: 0.0, high: 1.0, logarithmic: false };
        let none = |_: f64| String::new();
        let mut chart = Chart::new(&mut canvas, 0..4, (axis, &none), (axis, &none));
        chart.line((0.0, 0.0), (1.0, 1.0), Style::Line);
        let lines = canvas.lines(false);
        let drawn = lines.iter().filter_map(|line| line.get(NUMBERS..)).collect::<Vec<_>>();
        assert!(drawn[0].trim_start_matches(['│', '┤', ' ']).ends_with('⠊'), "{lines:#?}");
    }

    #[test]
    fn numbers_are_short_and_carry_the_unit_that_fits() {
        assert_eq!(Unit::Fitting.write(512.25), "512.2 ns");
        assert_eq!(Unit::Fitting.write(-1_500.0), "-1.5 us");
        assert_eq!(Unit::Microseconds.write(12.0), "0.012 us");
        assert_eq!(Unit::Nanoseconds.write(-37e9), "-37000000000 ns");
        assert_eq!(Unit::Nanoseconds.mark(-37e9), "-3.7e10 ns");
        assert_eq!([8.25, -200.0].map(|ns| Unit::Seconds.write(ns)), ["8.25e-9 s", "-2e-7 s"]);
        assert_eq!(span(-300.0), "-5 min");
        assert_eq!(short(0.0), "0");
    }
}
