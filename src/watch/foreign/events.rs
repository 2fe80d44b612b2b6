//! Events of external timestamps, as `ptpctl extts --json` prints them: the clock's time at each edge of
//! a signal, such as a PPS.
//!
//! The signal counts as true. Its edges are at whole multiples of its period: the first one is at
//! the nearest multiple, and each next one is as many periods later as the clock went on by.

use super::{Entry, Told};
use crate::FineOffset;
use serde_json::Value;
use std::collections::HashMap;

/// The state of each channel so far.
#[derive(Debug, Default)]
pub(super) struct Events {
    channels: HashMap<(String, u32), Channel>,
    number: u64,
    /// How many events came between the edges.
    strays: u64,
}

/// The last edge: the clock's time, and when it was by the signal, in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Channel {
    time: i128,
    at: i128,
    /// How many events came since that aren't edges.
    strays: u32,
}

/// What a line says.
struct Line {
    device: String,
    channel: u32,
    /// The clock's time, in nanoseconds.
    time: i128,
}

impl Line {
    /// `None` where the line isn't such an event.
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

/// When this many events in a row aren't at the edges, that isn't chance: the clock was stepped.
const STEPPED: u32 = 3;

impl Events {
    /// The clock less the signal, whose period is one second unless `period` is given.
    pub(super) fn take(&mut self, line: &str, period: Option<u64>) -> Told {
        let Some(Line { device, channel, time }) = Line::read(line) else { return Told::Other };
        self.number += 1;
        let period = i128::from(period.unwrap_or(SECOND).max(1));
        let nearest = |time: i128| (time + period / 2).div_euclid(period) * period;
        let reference = format!("channel {channel}");
        let first = Channel { time, at: nearest(time), strays: 0 };
        let (edge, stepped) = match self.channels.get(&(device.clone(), channel)) {
            None => (first, false),
            Some(last) => {
                let (gone, edges) = (time - last.time, nearest(time - last.time));
                let strays = last.strays + 1;
                if edges > 0 && (gone - edges).abs() <= period / 4 {
                    (Channel { at: last.at + edges, ..first }, false)
                } else if strays < STEPPED {
                    (Channel { strays, ..*last }, false)
                } else {
                    (Channel { at: last.at + i128::from(strays) * period, ..first }, true)
                }
            }
        };
        self.channels.insert((device.clone(), channel), edge);
        if edge.strays > 0 {
            self.strays += 1;
            return Told::Other;
        }
        let offset = FineOffset::from_attoseconds((time - edge.at).saturating_mul(1_000_000_000));
        let (at, bound, turned) = (Some(edge.at), None, false);
        Told::Offset(Entry { device, reference, at, offset, bound, stepped, turned })
    }

    /// Why the events aren't edges one period apart, where that is so.
    pub(super) fn trouble(&self) -> Option<&'static str> {
        (self.strays * 4 > self.number).then_some(
            "some of its events come between the periods: they are both edges of the signal (extts \
             --edge), or it has another period (--interval)",
        )
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
                Some((entry.at.expect("a time"), entry.offset.attoseconds() / 1_000_000_000))
            }
            _ => None,
        };
        times.iter().filter_map(entry).collect()
    }

    #[test]
    fn a_step_of_the_clock_is_one_after_a_few_events() {
        let times: Vec<(u32, i64)> =
            (0..8).map(|turn| (0, turn * 1_000 + if turn < 4 { 0 } else { 400 })).collect();
        let found = taken(&times, Some(1_000));
        assert_eq!((found.len(), found[3], found[4]), (6, (3_000, 0), (6_000, 400)));
    }

    #[test]
    fn both_edges_are_no_periods() {
        for apart in [100, 500] {
            let mut events = Events::default();
            for turn in 0..10 {
                events.take(&line(0, turn * 1_000), Some(1_000));
                events.take(&line(0, turn * 1_000 + apart), Some(1_000));
            }
            assert!(events.trouble().is_some_and(|told| told.contains("both edges")));
        }
        let mut events = Events::default();
        (0..20).for_each(|turn| drop(events.take(&line(0, turn * 100), Some(1_000))));
        assert!(events.trouble().is_some(), "ten in a period");
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
