//! Notes on changes of pins.

use crate::phc::{Pin, PinFunction};
use crate::report::Report;

/// Adds notes: which pin lost its function, and what the kernel has switched off.
pub(super) fn note_changes(
    report: Report,
    pin: &Pin,
    loser: Option<&Pin>,
    dry_run: bool,
) -> Report {
    let report = match loser {
        Some(Pin { index, name, .. }) => {
            let lost = if dry_run {
                "would lose this channel and have no function"
            } else {
                "has lost this channel and has no function now"
            };
            report.note(format!("pin {index} ({name}) {lost}"))
        }
        None => report,
    };
    match switched_off(pin) {
        Some(what) => report.note(what),
        None => report,
    }
}

/// What the kernel switches off when a pin gets another function. It can't be switched on again as
/// it was: the kernel doesn't report how it was set up.
pub(super) fn switched_off(pin: &Pin) -> Option<String> {
    let Pin { index, name, function, channel } = pin;
    (*function != PinFunction::None).then(|| {
        format!(
            "pin {index} ({name}) had {function} channel {channel} before: the kernel switches \
             that off when the pin changes, and it stays off"
        )
    })
}
