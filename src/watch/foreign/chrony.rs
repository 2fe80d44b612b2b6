//! chronyd's logs. Each line has a source; offsets are in seconds.
//!
//! The offset of a reference clock is that clock less the system clock, like ours. That of tracking.log and
//! statistics.log is chronyd's estimate, in its own sign.
//!
//! Source: chrony.conf(5), directive `log`.

use super::{Entry, number};
use crate::FineOffset;

/// `DATE TIME REFID DP L P RAW COOKED DISPERSION`: the raw offset, which no filter has touched.
pub(super) fn refclock(line: &str) -> Option<Entry> {
    entry(line, 6, 9)
}

/// `DATE TIME ADDRESS ST FREQ SKEW OFFSET …`.
pub(super) fn tracking(line: &str) -> Option<Entry> {
    entry(line, 6, 14)
}

/// `DATE TIME ADDRESS DEVIATION OFFSET …`.
pub(super) fn statistics(line: &str) -> Option<Entry> {
    entry(line, 4, 13)
}

/// The offset in one of so many columns at least.
fn entry(line: &str, column: usize, columns: usize) -> Option<Entry> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let &[day, time, source, ..] = words.as_slice() else { return None };
    let offset = words.get(column).filter(|_| words.len() >= columns)?;
    Some(Entry {
        device: source.to_owned(),
        reference: "realtime".into(),
        at: Some(number::date(day, time)?),
        offset: FineOffset::parse(offset, 0)?,
        stepped: false,
        turned: false,
    })
}
