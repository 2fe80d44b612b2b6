//! Events of external timestamps, as `ptpctl extts --json` prints them: the clock's time at each edge of
//! a signal, as a PPS.
//!
//! The signal counts as true. Its edges belong to the whole multiples of its period: the first one to the
//! nearest, each next one so many periods later as the clock went on.

use super::{Entry, Told};
use crate::FineOffset;
use serde_json::Value;
use std::collections::HashMap;

/// What has been seen of each channel.
#[derive(Debug, Default)]
pub(super) struct Events {
    last: HashMap<(String, u32), Edge>,
}

/// An edge: the clock's time, and when it was by the signal, in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Edge {
    time: i128,
    at: i128,
}

/// What a line says.
struct Line {
    device: String,
    channel: u32,
    /// The clock's time, in nanoseconds.
    time: i128,
}

impl Line {
    /// `None` of what is no such event.
    fn read(line: &str) -> Option<Self> {
        let line: Value = serde_json::from_str(line).ok()?;
        let time = line.get("time")?;
        let seconds = time.get("seconds")?.as_i64()?;
        let part = time.get("nanoseconds")?.as_u64().filter(|part| *part < SECOND)?;
        Some(Self {
            device: line.get("device")?.as_str()?.to_owned(),
            channel: line.get("channel")?.as_u64()?.try_into().ok()?,
            time: i128::from(seconds) * i128::from(SECOND) + i128::from(part),
        })
    }
}

/// The period of a PPS, in nanoseconds.
const SECOND: u64 = 1_000_000_000;

/// Whether a line is such an event.
pub(super) fn is_line(line: &str) -> bool {
    line.trim_start().starts_with('{') && Line::read(line).is_some()
}

impl Events {
    /// The clock less the signal, whose period is one second where nothing else is told.
    pub(super) fn take(&mut self, line: &str, period: Option<u64>) -> Told {
        let Some(Line { device, channel, time }) = Line::read(line) else { return Told::Other };
        let period = i128::from(period.unwrap_or(SECOND).max(1));
        let nearest = |time: i128| (time + period / 2).div_euclid(period) * period;
        let reference = format!("channel {channel}");
        let last = self.last.entry((device.clone(), channel));
        let edge = last
            .and_modify(|last| {
                *last = Edge { time, at: last.at + nearest(time - last.time) };
            })
            .or_insert_with(|| Edge { time, at: nearest(time) });
        let offset = FineOffset::from_attoseconds((time - edge.at).saturating_mul(1_000_000_000));
        let at = Some(edge.at);
        Told::Offset(Entry { device, reference, at, offset, stepped: false, turned: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(channel: u32, nanoseconds: i64) -> String {
        let (seconds, part) =
            (nanoseconds.div_euclid(1_000_000_000), nanoseconds.rem_euclid(1_000_000_000));
        format!(
            "{{\"device\":\"/dev/ptp0\",\"channel\":{channel},\"time\":{{\"seconds\":{seconds},\
             \"nanoseconds\":{part}}},\"interval_ns\":null,\"missing\":0}}"
        )
    }

    /// When, and how far off, in nanoseconds.
    fn taken(times: &[(u32, i64)], period: Option<u64>) -> Vec<(i128, i128)> {
        let mut events = Events::default();
        let entry = |(channel, time): &(u32, i64)| match events.take(&line(*channel, *time), period)
        {
            Told::Offset(entry) => {
                (entry.at.expect("a time"), entry.offset.attoseconds() / 1_000_000_000)
            }
            other => panic!("{other:?}"),
        };
        times.iter().map(entry).collect()
    }

    #[test]
    fn edges_belong_to_whole_seconds() {
        assert_eq!(
            taken(&[(0, 999_999_990), (0, 2_000_000_004), (0, 4_999_999_999)], None),
            [(1_000_000_000, -10), (2_000_000_000, 4), (5_000_000_000, -1)]
        );
    }

    #[test]
    fn a_clock_that_goes_astray_by_more_than_half_a_period_is_followed() {
        let times: Vec<(u32, i64)> = (0..6).map(|turn| (0, turn * 1_200)).collect();
        assert_eq!(taken(&times, Some(1_000)).last(), Some(&(5_000, 1_000)));
    }

    #[test]
    fn channels_go_their_own_ways() {
        assert_eq!(taken(&[(0, 400), (1, 700), (0, 1_500)], Some(1_000))[2], (1_000, 500));
    }

    #[test]
    fn what_is_no_event_does_not_fit() {
        for other in ["{\"device\":\"a\",\"channel\":0,\"offset_ns\":5}", "{}", "x", "{\"at\":1}"] {
            assert_eq!((is_line(other), Events::default().take(other, None)), (false, Told::Other));
        }
    }
}
