//! Frequencies in reports.

use crate::Frequency;
use crate::report::{Report, Value};

/// A frequency in every unit that people use.
pub(super) fn rows(report: Report, frequency: Frequency) -> Report {
    let sign = if frequency > Frequency::ZERO { "+" } else { "" };
    report
        .row(
            "frequency offset",
            format!("{frequency:+}"),
            "frequency_ppb",
            Value::Decimal(frequency.ppb_text()),
        )
        .row(
            "",
            format!("{sign}{} ppm", frequency.ppm_text()),
            "frequency_ppm",
            Value::Decimal(frequency.ppm_text()),
        )
        .row(
            "",
            format!("{sign}{} × 2^-16 ppm", frequency.scaled_ppm()),
            "frequency_scaled_ppm",
            frequency.scaled_ppm(),
        )
}
