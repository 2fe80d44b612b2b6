//! Pictures: offsets over time with the distribution of delays, and deviations over averaging
//! times with masks; as SVG or PNG, or of characters.
//!
//! Curves differ by shapes or dashes, not by colour alone.

mod deviations;
mod offsets;

pub(crate) use deviations::{Curve, Deviations, Limit};
pub(crate) use offsets::Offsets;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};
use std::error::Error;
use std::sync::Once;

/// Something to draw.
pub(crate) enum Picture {
    Offsets(Offsets),
    Deviations(Deviations),
}

/// The result of drawing on a backend.
type Drawn = Result<(), Box<dyn Error>>;

const WIDTH: u32 = 1_200;
/// The name of the font in both backends.
const FONT: &str = "sans-serif";
const BLUE: RGBColor = RGBColor(0, 90, 160);
const GREY: RGBColor = RGBColor(110, 110, 110);
const BAND: RGBColor = RGBColor(190, 212, 232);

/// The form of a picture's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Svg,
    Png,
}

impl Picture {
    /// A note on the picture, if there is one.
    pub(crate) fn note(&self) -> Option<String> {
        match self {
            Self::Offsets(offsets) => offsets.note(),
            Self::Deviations(_) => None,
        }
    }

    /// The picture as a file has it.
    pub(crate) fn file(&self, form: Form) -> Result<Vec<u8>, String> {
        static LETTERS: Once = Once::new();
        LETTERS.call_once(|| {
            // A machine in a rack has no fonts.
            let letters = epaint_default_fonts::UBUNTU_LIGHT;
            let _ = register_font(FONT, FontStyle::Normal, letters);
        });
        let drawn = match form {
            Form::Svg => self.svg(),
            Form::Png => self.png(),
        };
        drawn.map_err(|error| error.to_string())
    }

    fn svg(&self) -> Result<Vec<u8>, Box<dyn Error>> {
        let mut text = String::new();
        let area = SVGBackend::with_string(&mut text, (WIDTH, self.height())).into_drawing_area();
        self.draw_on(&area)?;
        drop(area);
        // A viewer has its own font; with single spaces, words can be searched for.
        Ok(text.replace(WIDE_SPACE, " ").into_bytes())
    }

    fn png(&self) -> Result<Vec<u8>, Box<dyn Error>> {
        let (width, height) = (WIDTH, self.height());
        // Red, green and blue of each point.
        let mut points = vec![0; usize::try_from(3 * width * height)?];
        let area = BitMapBackend::with_buffer(&mut points, (width, height)).into_drawing_area();
        self.draw_on(&area)?;
        drop(area);
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, width, height);
        encoder.set_color(png::ColorType::Rgb);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&points)?;
        writer.finish()?;
        Ok(file)
    }

    fn height(&self) -> u32 {
        match self {
            Self::Offsets(offsets) => offsets.height(),
            Self::Deviations(deviations) => 700 + deviations.more(),
        }
    }

    fn draw_on<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn
    where
        B::ErrorType: 'static,
    {
        area.fill(&WHITE)?;
        match self {
            Self::Offsets(offsets) => offsets.draw(area)?,
            Self::Deviations(deviations) => deviations.draw(area)?,
        }
        area.present()?;
        Ok(())
    }

    /// The picture made of characters, `width` columns wide.
    pub(crate) fn text(&self, width: usize) -> String {
        let canvas = match self {
            Self::Offsets(offsets) => offsets.text(width),
            Self::Deviations(deviations) => deviations.text(width),
        };
        let mut text = canvas.lines(false).join("\n");
        text.push('\n');
        text
    }
}

/// A text for a picture, with wide spaces: in this font, a single space is hardly visible.
fn spaced(text: &str) -> String {
    text.replace(' ', WIDE_SPACE)
}

/// A space that doesn't break, and one that does.
const WIDE_SPACE: &str = "\u{a0} ";

/// Letters of a size.
fn letters(size: i32) -> TextStyle<'static> {
    (FONT, size).into_font().color(&BLACK)
}
