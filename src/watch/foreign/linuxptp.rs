//! Lines of phc2sys, ptp4l and ts2phc: whole nanoseconds, the clock that is steered less its source.
//!
//! phc2sys' `CLOCK_REALTIME phc offset` is the system clock less the PHC, with the opposite sign of
//! ours; its `eth0 sys offset` is a PHC less the system clock, with the same sign. The times are
//! seconds since the machine's start.

use super::{Entry, Told, number};
use crate::FineOffset;

const PROGRAMS: [&str; 3] = ["phc2sys", "ptp4l", "ts2phc"];

/// Whether a line is from one of these programs.
pub(super) fn is_line(line: &str) -> bool {
    parts(line).is_some()
}

/// The program, its time and what it says.
fn parts(line: &str) -> Option<(&'static str, i128, &str)> {
    let (program, rest) = PROGRAMS.iter().find_map(|program| {
        let at = line.find(program)?;
        Some((*program, line.get(at + program.len()..)?))
    })?;
    // [TIME]: on a terminal; `: [TIME]` or `[PID]: [TIME]` in syslog and the journal.
    let mut rest = rest;
    for _ in 0..2 {
        let (inside, behind) =
            rest.trim_start_matches([':', ' ']).strip_prefix('[')?.split_once(']')?;
        let time = inside.split(':').next().unwrap_or(inside);
        rest = behind;
        if inside.contains('.')
            && let Some(time) = number::seconds(time)
        {
            return Some((program, time, behind.trim_start_matches(':').trim()));
        }
    }
    None
}

/// Reads the lines. A line can tell that the next offset comes after a step.
#[derive(Debug, Default)]
pub(super) struct Steps {
    jumps: bool,
}

impl Steps {
    pub(super) fn take(&mut self, line: &str) -> Told {
        let Some((program, at, text)) = parts(line) else {
            // A journal has lines of other programs, too.
            let is_ours = PROGRAMS.iter().any(|program| line.contains(program));
            return if is_ours && line.contains(" offset ") { Told::Other } else { Told::Nothing };
        };
        let mut words: Vec<&str> = text.split_whitespace().collect();
        // [file] of -m, or of several in one process.
        while words.first().is_some_and(|word| word.starts_with('[')) {
            words.remove(0);
        }
        if let Some(place) = words.iter().position(|word| *word == "rms") {
            let most = words.iter().position(|word| *word == "max").unwrap_or(place);
            return Told::Summary(words.get(most + 1).and_then(|most| most.parse().ok()));
        }
        let place = words.iter().position(|word| *word == "offset");
        let Some((before, [_, value, behind @ ..])) = place.map(|place| words.split_at(place))
        else {
            return Told::Nothing;
        };
        // "updating UTC offset to 37".
        if value.starts_with(|first: char| first.is_ascii_alphabetic()) {
            return Told::Nothing;
        }
        let is_whole = value.parse::<i64>().is_ok();
        let Some(offset) = FineOffset::parse(value, -9).filter(|_| is_whole) else {
            return Told::Other;
        };
        // A line that was cut off may have lost digits. The state of the servo follows a whole
        // number.
        let Some(state) = behind.first().filter(|state| ["s0", "s1", "s2", "s3"].contains(state))
        else {
            return Told::Other;
        };
        let stepped = std::mem::replace(&mut self.jumps, *state == "s1");
        let (device, reference, turned) = match before {
            ["CLOCK_REALTIME", source] => (*source, "realtime", true),
            [sink, "sys"] => (*sink, "realtime", false),
            [sink, source] => (*sink, *source, false),
            ["master"] => (program, "master", false),
            [sink] => (*sink, "reference", false),
            _ => (program, "reference", false),
        };
        Told::Offset(Entry {
            device: device.to_owned(),
            reference: reference.to_owned(),
            at: Some(at),
            offset: if turned { offset.turned() } else { offset },
            bound: None,
            stepped,
            turned,
        })
    }
}
