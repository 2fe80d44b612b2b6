//! chronyd's logs. Each line has a source; offsets are in seconds.
//!
//! The raw offset of a reference clock is that clock less the system clock, like ours. The offsets
//! in tracking.log and statistics.log have the opposite sign: they are positive where the system
//! clock is fast.
//!
//! Source: chrony.conf(5), directive `log`.

use super::{Entry, Told, number};
use crate::FineOffset;

/// `DATE TIME REFID DP L P RAW COOKED DISPERSION`: the raw offset, which no filter has touched.
pub(super) fn refclock(line: &str) -> Told {
    // The filtered sample of a poll has none.
    if line.split_whitespace().nth(6) == Some("-") {
        return Told::Nothing;
    }
    told(entry(line, 6, 9))
}

/// `DATE TIME ADDRESS ST FREQ SKEW OFFSET …`.
pub(super) fn tracking(line: &str) -> Told {
    told(entry(line, 6, 14).map(turned))
}

/// `DATE TIME ADDRESS DEVIATION OFFSET …`.
pub(super) fn statistics(line: &str) -> Told {
    told(entry(line, 4, 13).map(turned))
}

fn turned(entry: Entry) -> Entry {
    Entry { offset: entry.offset.turned(), turned: true, ..entry }
}

fn told(entry: Option<Entry>) -> Told {
    entry.map_or(Told::Other, Told::Offset)
}

/// The offset in a column of a line that has at least `columns` columns.
fn entry(line: &str, column: usize, columns: usize) -> Option<Entry> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let &[day, time, source, ..] = words.as_slice() else { return None };
    let offset = words.get(column).filter(|_| words.len() >= columns)?;
    Some(Entry {
        device: source.to_owned(),
        reference: "realtime".into(),
        at: Some(number::date(day, time)?),
        offset: FineOffset::parse(offset, 0)?,
        bound: None,
        stepped: false,
        turned: false,
    })
}
