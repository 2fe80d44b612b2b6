//! Deviations over averaging times, on axes of decades, with the limits that they are judged by.

#![expect(clippy::float_arithmetic, reason = "places and numbers of a picture")]

use super::super::chart::{Axis, Canvas, Chart, Style, Unit, averaging};
use super::{Drawn, GREY, letters, spaced};
use plotters::coord::Shift;
use plotters::prelude::*;

/// A deviation over averaging times.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    pub(crate) name: String,
    /// In nanoseconds; else without a unit.
    pub(crate) is_time: bool,
    pub(crate) points: Vec<Point>,
}

/// τ in seconds, a deviation, and its interval where there is one.
type Point = (f64, f64, Option<(f64, f64)>);

/// A picture over averaging times.
type OverDecades<'a, B> = ChartContext<'a, B, Cartesian2d<LogCoord<f64>, LogCoord<f64>>>;

/// A limit over averaging times, in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    pub(crate) name: String,
    /// The name of the curve that it limits.
    pub(crate) over: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// What is drawn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deviations {
    pub(crate) title: String,
    /// Where it comes from: how many offsets, how far apart, when.
    pub(crate) source: String,
    pub(crate) curves: Vec<Curve>,
    pub(crate) limits: Vec<Limit>,
    /// What came of each mask, a line each.
    pub(crate) verdicts: Vec<String>,
}

/// Colours that everybody can tell apart: M. Okabe and K. Ito, "Color Universal Design" (2008).
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(120, 94, 0),
];
/// The height of a line of the head, in points.
const HEAD_LINE: u32 = 22;

/// The colour of the curve at a place.
fn colour(place: usize) -> RGBColor {
    COLOURS.get(place % COLOURS.len()).copied().unwrap_or(BLACK)
}

/// How many lines a chart of characters has.
const ROWS: usize = 22;
/// Letters for curves on a chart of characters.
const LETTERS: [char; 5] = ['A', 'M', 'H', 'T', 'I'];

impl Deviations {
    pub(super) fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn
    where
        B::ErrorType: 'static,
    {
        let (head, below) = area.split_vertically(64 + self.more());
        head.draw(&Text::new(spaced(&self.title), (18, 12), letters(22)))?;
        for (line, y) in std::iter::once(&self.source).chain(&self.verdicts).zip((40..).step_by(22))
        {
            head.draw(&Text::new(spaced(line), (18, y), letters(15)))?;
        }
        let halves = below.split_evenly((1, 2));
        for (half, is_time) in halves.iter().zip([false, true]) {
            self.draw_half(half, is_time)?;
        }
        Ok(())
    }

    /// How much higher the picture is for its verdicts.
    pub(super) fn more(&self) -> u32 {
        u32::try_from(self.verdicts.len()).unwrap_or(0).saturating_mul(HEAD_LINE)
    }

    fn curves(&self, is_time: bool) -> Vec<&Curve> {
        self.curves
            .iter()
            .filter(|curve| curve.is_time == is_time && !drawable(curve).is_empty())
            .collect()
    }

    /// The axes of one half: they cover the curves, and the limits at the averaging times of the
    /// curves.
    fn axes(&self, is_time: bool) -> Option<(Axis, Axis)> {
        let curves = self.curves(is_time);
        let points = || curves.iter().flat_map(|curve| drawable(curve));
        let least = |values: &mut dyn Iterator<Item = f64>| values.reduce(f64::min);
        let most = |values: &mut dyn Iterator<Item = f64>| values.reduce(f64::max);
        let x =
            (least(&mut points().map(|point| point.0))?, most(&mut points().map(|point| point.0))?);
        let mut low = least(&mut points().map(|point| point.2.map_or(point.1, |(low, _)| low)))?;
        let mut high = most(&mut points().map(|point| point.2.map_or(point.1, |(_, high)| high)))?;
        if is_time {
            let limits = self.limits.iter().flat_map(|limit| &limit.points);
            for (_, limit) in limits.filter(|(tau, _)| x.0 <= *tau && *tau <= x.1) {
                (low, high) = (low.min(*limit), high.max(*limit));
            }
        }
        // At most nine decades are shown: a perfect clock's deviations go towards 0.
        let low = low.max(high * 1e-9);
        Some((Axis::decades(x.0, x.1.max(x.0 * 2.0)), Axis::decades(low, high)))
    }

    fn draw_half<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, is_time: bool) -> Drawn
    where
        B::ErrorType: 'static,
    {
        let Some((x, mut y)) = self.axes(is_time) else { return Ok(()) };
        // Room for the legend above them.
        let keys = self.curves(true).len() + self.limits.len();
        let room = 0.2 + 0.05 * f64::from(u32::try_from(keys).unwrap_or(0).min(12));
        y.high *= if is_time { (y.high / y.low).powf(room).max(2.0) } else { 1.0 };
        let caption = if is_time { "time deviations" } else { "frequency deviations" };
        let mut chart = ChartBuilder::on(area)
            .caption(spaced(caption), letters(18))
            .margin(14)
            .x_label_area_size(46)
            .y_label_area_size(84)
            .build_cartesian_2d((x.low..x.high).log_scale(), (y.low..y.high).log_scale())?;
        let number = |value: &f64| spaced(&written(*value, is_time));
        chart
            .configure_mesh()
            .light_line_style(GREY.mix(0.12))
            .bold_line_style(GREY.mix(0.35))
            .x_labels(8)
            .y_labels(8)
            .x_desc(spaced("averaging time τ"))
            .y_desc(if is_time { "deviation".into() } else { spaced("deviation (no unit)") })
            .label_style(letters(15))
            .axis_desc_style(letters(15))
            .x_label_formatter(&|tau| spaced(&averaging(*tau)))
            .y_label_formatter(&number)
            .draw()?;
        self.draw_curves(&mut chart, is_time, &y)?;
        if is_time {
            self.draw_limits(&mut chart, &x, &y)?;
        }
        chart
            .configure_series_labels()
            .position(if is_time {
                SeriesLabelPosition::UpperLeft
            } else {
                SeriesLabelPosition::UpperRight
            })
            .background_style(WHITE.mix(0.85))
            .border_style(GREY)
            .label_font(letters(15))
            .draw()?;
        Ok(())
    }

    fn draw_curves<'a, B: DrawingBackend + 'a>(
        &self,
        chart: &mut OverDecades<'a, B>,
        is_time: bool,
        y: &Axis,
    ) -> Drawn
    where
        B::ErrorType: 'static,
    {
        for (place, curve) in self.curves(is_time).into_iter().enumerate() {
            let points = drawable(curve);
            let line = || points.iter().map(|(tau, value, _)| (*tau, *value));
            let style = colour(place).stroke_width(2);
            let name = spaced(&curve.name);
            // Curves may lie on top of each other: those after the second are dashed.
            if place < 2 {
                let series = chart.draw_series(LineSeries::new(line(), style))?;
                series.label(name).legend(move |(x, y)| shape((x + 10, y), place));
            } else {
                let series = chart.draw_series(DashedLineSeries::new(line(), 7, 6, style))?;
                series.label(name).legend(move |(x, y)| shape((x + 10, y), place));
            }
            chart.draw_series(line().map(|at| shape(at, place)))?;
            let bars = points.iter().filter_map(|(tau, value, interval)| {
                let (low, high) = (*interval)?;
                Some(ErrorBar::new_vertical(
                    *tau,
                    low.max(y.low),
                    *value,
                    high.min(y.high),
                    colour(place).stroke_width(1),
                    8,
                ))
            });
            chart.draw_series(bars)?;
        }
        Ok(())
    }

    /// The limits in the colours of what they limit.
    fn draw_limits<'a, B: DrawingBackend + 'a>(
        &self,
        chart: &mut OverDecades<'a, B>,
        x: &Axis,
        y: &Axis,
    ) -> Drawn
    where
        B::ErrorType: 'static,
    {
        for limit in &self.limits {
            let over = self.curves(true).iter().position(|curve| curve.name == limit.over);
            let Some(place) = over else { continue };
            let inside = limit.points.iter().copied().filter(|(tau, value)| {
                (x.low..=x.high).contains(tau) && (y.low..=y.high).contains(value)
            });
            let style = colour(place).stroke_width(3);
            let dashes = DashedLineSeries::new(inside, 14, 6, style);
            let series = chart.draw_series(dashes)?;
            let key = move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style);
            series.label(spaced(&format!("limit of {}", limit.name))).legend(key);
        }
        Ok(())
    }

    pub(super) fn text(&self, width: usize) -> Canvas {
        let mut top = 2 + self.verdicts.len();
        let mut canvas = Canvas::new(width, top + 2 * (ROWS + 1));
        canvas.write(0, 0, &self.title, Style::Strong);
        for (line, row) in std::iter::once(&self.source).chain(&self.verdicts).zip(1..) {
            canvas.write(0, row, line, Style::Plain);
        }
        for is_time in [false, true] {
            let Some((x, y)) = self.axes(is_time) else { continue };
            let curves = self.curves(is_time);
            let letter = |place: usize| {
                LETTERS.get(place + if is_time { 3 } else { 0 }).copied().unwrap_or('*')
            };
            let names = curves.iter().enumerate();
            let mut head: Vec<_> =
                names.map(|(place, curve)| format!("{} {}", letter(place), curve.name)).collect();
            if is_time {
                head.extend(self.limits.iter().map(|limit| format!("- - {}", limit.name)));
            }
            canvas.write(0, top, &head.join("   "), Style::Plain);
            let number = |value: f64| written(value, is_time);
            let mut chart =
                Chart::new(&mut canvas, top + 1..top + ROWS, (x, &averaging), (y, &number));
            if is_time {
                for limit in &self.limits {
                    for pair in limit.points.chunks_exact(2) {
                        let [from, to] = pair else { continue };
                        if x.low <= from.0 && to.0 <= x.high && y.low <= from.1 && from.1 <= y.high
                        {
                            chart.line(*from, *to, Style::Mark);
                        }
                    }
                }
            }
            for (place, curve) in curves.into_iter().enumerate() {
                let points = drawable(curve);
                for (from, to) in points.iter().zip(points.iter().skip(1)) {
                    chart.line((from.0, from.1), (to.0, to.1), Style::Line);
                }
                for point in &points {
                    chart.letter((point.0, point.1), letter(place));
                }
            }
            top += ROWS + 1;
        }
        canvas
    }
}

/// A deviation on an axis.
fn written(value: f64, is_time: bool) -> String {
    if is_time { Unit::Fitting.write(value) } else { format!("{value:.0e}") }
}

/// The points that logarithmic axes can show.
fn drawable(curve: &Curve) -> Vec<Point> {
    curve.points.iter().copied().filter(|point| point.1 > 0.0).collect()
}

/// A shape that distinguishes a curve from the others, at a place of a chart or of its legend.
fn shape<DB: DrawingBackend, C>(at: C, place: usize) -> DynElement<'static, DB, C>
where
    C: Clone + 'static,
    DB::ErrorType: 'static,
{
    let colour = colour(place);
    match place % 5 {
        0 => Circle::new(at, 4, colour.filled()).into_dyn(),
        1 => TriangleMarker::new(at, 6, colour.filled()).into_dyn(),
        2 => Cross::new(at, 5, colour.stroke_width(2)).into_dyn(),
        3 => TriangleMarker::new(at, 7, colour.stroke_width(2)).into_dyn(),
        _ => Circle::new(at, 5, colour.stroke_width(2)).into_dyn(),
    }
}
