//! What a command has done so far, in words: if it fails later, its error reports this.

use crate::TaiOffset;
use crate::phc::{DeviceName, Pin};
use crate::restore::{self, Log};
use std::cell::RefCell;

/// What a command has done by now, and to which clock.
#[derive(Default)]
pub(super) struct Done {
    pub(super) name: RefCell<Option<DeviceName>>,
    pub(super) log: Log,
    files: RefCell<Option<Files>>,
}

/// What was done to files.
pub(super) enum Files {
    /// How many pages were written, and to which folder.
    Pages(usize, String),
    /// How many lines were added, and to which recording.
    Lines(u64, String),
}

impl Done {
    /// Notes what was done to files.
    pub(super) fn to_files(&self, files: Files) {
        self.files.replace(Some(files));
    }

    /// Whether a clock's time or frequency was changed.
    pub(super) fn has_moved(&self) -> bool {
        use restore::Done;
        let moves = |done: &Done| match done {
            Done::Time(_)
            | Done::SystemTime(_)
            | Done::Step(_)
            | Done::Frequency(_)
            | Done::Phase(_) => true,
            Done::Pin(_)
            | Done::Extts(..)
            | Done::Perout(..)
            | Done::Pps(_)
            | Done::VirtualClocks(_)
            | Done::System(_) => false,
        };
        self.log.borrow().iter().any(moves)
    }

    /// All of it in words, where anything was done.
    pub(super) fn told(&self) -> Option<String> {
        let name = self.name.borrow().as_ref().map(ToString::to_string).unwrap_or_default();
        let mut all: Vec<_> = self.log.borrow().iter().map(|done| in_words(done, &name)).collect();
        all.extend(self.files.borrow().as_ref().map(|files| match files {
            Files::Pages(number, folder) => format!("{number} pages written to {folder}"),
            Files::Lines(number, name) => lines_added(*number, name),
        }));
        // The clock is named once.
        let prefix = format!("{name}: ");
        for words in all.iter_mut().skip(1) {
            *words = words.strip_prefix(&prefix).unwrap_or(words).to_owned();
        }
        (!all.is_empty()).then(|| all.join(", "))
    }
}

/// What was added to a recording.
pub(super) fn lines_added(number: u64, name: &str) -> String {
    let lines = if number == 1 { "line" } else { "lines" };
    format!("{number} {lines} added to {name}")
}

fn in_words(done: &restore::Done, name: &str) -> String {
    use restore::Done;
    let switched = |on: &bool| if *on { "on" } else { "off" };
    match done {
        Done::Time(time) => format!("{name}: set to {time} s"),
        Done::SystemTime(TaiOffset(0)) => format!("{name}: set to the system clock in UTC"),
        Done::SystemTime(_) => format!("{name}: set to the system clock in TAI"),
        Done::Step(offset) => format!("{name}: stepped by {offset:+}"),
        Done::Frequency(frequency) => format!("{name}: dialled to {frequency:+}"),
        Done::Phase(offset) => {
            format!("{name}: phase offset of {offset:+} handed to its phase control")
        }
        Done::Pin(Pin { index, name: pin, function, .. }) => {
            format!("{name}: pin {index} ({pin}) has the function {function}")
        }
        Done::Extts(channel, on) => {
            format!("{name}: external timestamps of channel {channel} {}", switched(on))
        }
        Done::Perout(channel, on) => {
            format!("{name}: periodic output of channel {channel} {}", switched(on))
        }
        Done::Pps(on) => format!("{name}: PPS to the kernel switched {}", switched(on)),
        Done::VirtualClocks(number) => {
            format!("{name}: the number of virtual clocks set to {number}")
        }
        Done::System(step) => format!("the system clock was moved by {step:+}, from {name}"),
    }
}
