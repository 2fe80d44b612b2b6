//! The progress of measuring, or of reading a file: elapsed time, time left, and the last offset.

use super::Context;
use crate::Offset;
use crate::watch::record::Reader;
use crate::watch::{Outcome, Reading, Schedule};
use std::time::{Duration, Instant};

/// The progress of measuring.
pub(super) struct Measuring {
    began: Instant,
    schedule: Schedule,
    sources: u64,
    readings: u64,
}

impl Measuring {
    /// Of this number of sources, from now on.
    pub(super) fn of(sources: usize, schedule: Schedule) -> Self {
        let sources = u64::try_from(sources).unwrap_or(u64::MAX).max(1);
        Self { began: Instant::now(), schedule, sources, readings: 0 }
    }

    /// Takes one more reading, and shows it now and then.
    pub(super) fn take(&mut self, context: &Context<'_>, reading: &Reading) {
        self.readings += 1;
        context.printer.progress(|elapsed| {
            let left = left(self.schedule, self.began.elapsed(), self.readings / self.sources);
            let last = match &reading.outcome {
                Outcome::Measured(one) => format!("{:+}", one.offset),
                Outcome::Missed(_) => "missed".into(),
                Outcome::Absent(_) => "absent".into(),
            };
            text(elapsed, left, self.readings, &last)
        });
    }
}

/// After how many lines the progress is updated.
const LINES: u64 = 1_024;

/// Shows the progress of reading a file from time to time; `lines` were read, and `last` is the
/// last offset.
pub(super) fn of_file(
    context: &Context<'_>,
    reader: &Reader<'_>,
    lines: u64,
    last: Option<Offset>,
) {
    if !lines.is_multiple_of(LINES) {
        return;
    }
    context.printer.progress(|elapsed| {
        let left = reader.place().and_then(|(read, all)| left_of_file(elapsed, read, all));
        text(elapsed, left, lines, &last.map_or("none".into(), |last| format!("{last:+}")))
    });
}

/// How long a schedule still takes, after `elapsed` and `readings` of each source.
fn left(schedule: Schedule, elapsed: Duration, readings: u64) -> Option<Duration> {
    let by_count = schedule.count.map(|count| {
        let missing = u32::try_from(count.saturating_sub(readings)).unwrap_or(u32::MAX);
        schedule.interval.saturating_mul(missing)
    });
    let by_duration = schedule.duration.map(|duration| duration.saturating_sub(elapsed));
    by_count.into_iter().chain(by_duration).min()
}

/// The time left, if the rest is read as fast as what was read.
fn left_of_file(elapsed: Duration, read: u64, all: u64) -> Option<Duration> {
    let rest = u128::from(all.saturating_sub(read));
    let left = (elapsed.as_millis() * rest).checked_div(read.into())?;
    Some(Duration::from_millis(u64::try_from(left).ok()?))
}

fn text(elapsed: Duration, left: Option<Duration>, readings: u64, last: &str) -> String {
    let seconds = |seconds| humantime::format_duration(Duration::from_secs(seconds)).to_string();
    let left = left.map(|left| seconds(left.as_secs() + u64::from(left.subsec_nanos() > 0)));
    let left = left.map_or(String::new(), |left| format!(", {left} left"));
    format!("{}{left}: {readings} readings, the last {last}", seconds(elapsed.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_takes_yet_what_the_first_end_leaves() {
        let every = Schedule::every(SECOND / 10);
        assert_eq!(left(every, SECOND, 10), None);
        let counted = Schedule { count: Some(100), ..every };
        assert_eq!(left(counted, SECOND, 10), Some(9 * SECOND));
        let both = Schedule { duration: Some(5 * SECOND), ..counted };
        assert_eq!(left(both, SECOND, 10), Some(4 * SECOND));
        assert_eq!(left(both, 7 * SECOND, 10), Some(Duration::ZERO));
    }

    #[test]
    fn the_rest_of_a_file_takes_as_long_as_its_beginning() {
        assert_eq!(left_of_file(2 * SECOND, 100, 400), Some(6 * SECOND));
        assert_eq!(left_of_file(2 * SECOND, 0, 400), None);
        assert_eq!(
            left_of_file(2 * SECOND, 500, 400),
            Some(Duration::ZERO),
            "it was cut meanwhile"
        );
    }

    #[test]
    fn it_says_for_how_long_and_how_long_yet() {
        assert_eq!(
            text(61 * SECOND, Some(5 * SECOND), 660, "+5 ns"),
            "1m 1s, 5s left: 660 readings, the last +5 ns"
        );
        assert_eq!(text(SECOND, None, 10, "missed"), "1s: 10 readings, the last missed");
    }
}
