//! Pictures: offsets over time with the distribution of delays, and deviations over averaging
//! times with masks; as SVG or PNG, or of characters.
//!
//! What tells things apart is a shape or a dash, not a colour alone.

mod deviations;
mod offsets;

pub(crate) use deviations::{Curve, Deviations, Limit};
pub(crate) use offsets::Offsets;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};
use std::error::Error;
use std::path::Path;
use std::sync::Once;

/// Something to draw.
pub(crate) enum Picture {
    Offsets(Offsets),
    Deviations(Deviations),
}

/// What a drawing of a backend answers.
type Drawn = Result<(), Box<dyn Error>>;

const WIDTH: u32 = 1_200;
/// The name that both backends know letters by.
const FONT: &str = "sans-serif";
const BLUE: RGBColor = RGBColor(0, 90, 160);
const GREY: RGBColor = RGBColor(110, 110, 110);
const BAND: RGBColor = RGBColor(190, 212, 232);

impl Picture {
    /// Draws into a file; its name tells whether as SVG or as PNG.
    pub(crate) fn draw(&self, path: &Path) -> Result<(), String> {
        static LETTERS: Once = Once::new();
        LETTERS.call_once(|| {
            // A machine in a rack has no fonts.
            let letters = epaint_default_fonts::UBUNTU_LIGHT;
            let _ = register_font(FONT, FontStyle::Normal, letters);
        });
        let size = (WIDTH, self.height());
        let drawn = if path.extension().is_some_and(|extension| extension == "svg") {
            self.draw_on(&SVGBackend::new(path, size).into_drawing_area())
        } else {
            self.draw_on(&BitMapBackend::new(path, size).into_drawing_area())
        };
        drawn.map_err(|error| error.to_string())
    }

    fn height(&self) -> u32 {
        match self {
            Self::Offsets(offsets) => offsets.height(),
            Self::Deviations(_) => 700,
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

    /// The same of characters, so many columns wide.
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

/// Letters of a size.
fn letters(size: i32) -> TextStyle<'static> {
    (FONT, size).into_font().color(&BLACK)
}
