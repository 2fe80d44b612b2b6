//! A wire from an output of one mock clock to a timestamp input of another.

use super::chip::Output;
use super::{Mock, World};
use crate::kernel::uapi::{PTP_PF_EXTTS, PTP_PF_PEROUT};
use std::time::Duration;

/// A wire. Whoever makes calls on its clocks passes on the edges before each of them: a change of a
/// clock is a change from then on.
pub(crate) struct Wire {
    from: Mock,
    /// The pin of the output, or its channel where the clock has no pins.
    output: u32,
    to: Mock,
    input: u32,
    /// Up to when edges have come through: true time, and what the output's clock showed then.
    passed: (i128, i128),
}

impl Wire {
    /// A wire between two pins; between two channels where a clock has no pins.
    pub(crate) fn new(from: &Mock, output: u32, to: &Mock, input: u32) -> Self {
        let now = from.lock().time.now();
        let (from, to) = (from.again(false), to.again(false));
        // No other signal comes to that pin.
        to.lock().wired.insert(input);
        let mut wire = Self { from, output, to, input, passed: (now, 0) };
        wire.begin();
        wire
    }

    /// After a change of the clock: the times that it was stepped over have no edges.
    pub(crate) fn begin(&mut self) {
        self.passed.1 = self.from.lock().chip.shows(self.passed.0);
    }

    /// Passes on the edges up to now.
    pub(crate) fn pass(&mut self) {
        let (now, edges) = {
            let mut world = self.from.lock();
            let now = world.time.now();
            (now, world.edges(self.output, self.passed, now))
        };
        // One clock is locked at a time: two wires may lead both ways.
        self.to.lock().arrive(self.input, &edges);
        let shown = self.from.lock().chip.shows(now);
        self.passed = (now, shown);
    }

    /// How long until the next edge may come.
    pub(crate) fn until_next(&self) -> Option<Duration> {
        let mut world = self.from.lock();
        let output = world.output_at(self.output)?;
        let now = world.time.now();
        let shown = world.chip.shows(now);
        let next = [output.start, output.start + output.width].into_iter().filter_map(|start| {
            if shown < start {
                Some(start - shown)
            } else {
                let next = start + ((shown - start).div_euclid(output.period) + 1) * output.period;
                (!output.one_shot).then_some(next - shown)
            }
        });
        Some(Duration::from_nanos(u64::try_from(next.min()?).unwrap_or(u64::MAX)))
    }
}

/// An edge at a moment of true time, and whether it falls.
type Edge = (i128, bool);

impl World {
    /// The output that runs at a pin.
    fn output_at(&self, pin: u32) -> Option<Output> {
        let channel = self.channel_of(pin, PTP_PF_PEROUT)?;
        self.chip.outputs.get(&channel).copied().filter(Output::is_valid)
    }

    /// The edges of an output from after one moment up to another.
    fn edges(&self, pin: u32, (from, shown): (i128, i128), to: i128) -> Vec<Edge> {
        let Some(output) = self.output_at(pin) else { return Vec::new() };
        let ahead = self.chip.shows(to);
        let mut edges = Vec::new();
        for (start, falls) in [(output.start, false), (output.start + output.width, true)] {
            // Nothing comes before the start.
            let first = (shown.max(start - 1) - start).div_euclid(output.period) + 1;
            let last = (ahead - start).div_euclid(output.period);
            let last = if output.one_shot { last.min(0) } else { last };
            // More than any queue holds need not come.
            for number in first.max(last - MOST)..=last {
                edges.push((self.when_shows(start + number * output.period, from, to), falls));
            }
        }
        edges.sort_unstable();
        edges
    }

    /// The first moment of true time at which the clock shows a time, between two moments.
    fn when_shows(&self, time: i128, mut from: i128, mut to: i128) -> i128 {
        while from + 1 < to {
            let middle = i128::midpoint(from, to);
            if self.chip.shows(middle) < time { from = middle } else { to = middle }
        }
        to
    }

    /// Edges come to a pin.
    fn arrive(&mut self, pin: u32, edges: &[Edge]) {
        let Some(channel) = self.channel_of(pin, PTP_PF_EXTTS) else { return };
        if self.is_silent(channel) {
            return;
        }
        for &(at, falls) in edges {
            let Some(event) = self.chip.event_at(channel, at, falls) else { continue };
            for event in self.as_they_come(event) {
                self.deliver(event);
            }
        }
    }
}

/// The most edges that are passed on at once.
const MOST: i128 = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::uapi::{
        self, ExttsEvent, PTP_ENABLE_FEATURE, PTP_RISING_EDGE, PeroutTimes, clock_time,
    };
    use crate::kernel::{Calls, Version};
    use crate::mock::Config;

    fn mock(settings: &str) -> Mock {
        let config: Config = format!("mock:full,signal=off,{settings}").parse().expect("a mock");
        Mock::new(&config).expect("opened")
    }

    #[test]
    fn an_output_is_seen_at_the_other_clocks_input() {
        let (from, to) = (mock("offset=1ms"), mock("offset=0"));
        let mut pin = uapi::pin_desc(0, PTP_PF_PEROUT, 1);
        from.pin_setfunc(Version::V1, &pin).expect("set");
        pin = uapi::pin_desc(2, PTP_PF_EXTTS, 0);
        to.pin_setfunc(Version::V1, &pin).expect("set");
        let mut request = uapi::perout_request(
            1,
            0,
            clock_time(0, 10_000_000),
            PeroutTimes { start_or_phase: clock_time(0, 0), on: clock_time(0, 0) },
        );
        let start = from.clock_gettime().expect("a time").tv_sec + 1;
        request.anonymous_1.start = clock_time(start, 0);
        from.perout_request(Version::V1, &request).expect("on");
        let flags = PTP_ENABLE_FEATURE | PTP_RISING_EDGE;
        let on = uapi::ptp_extts_request { index: 0, flags, rsv: [0; 2] };
        to.extts_request(Version::V1, &on).expect("on");
        let mut wire = Wire::new(&from, 0, &to, 2);
        assert!(wire.until_next().is_some());
        from.pass(Duration::from_millis(1_100));
        wire.pass();
        let mut events = [ExttsEvent::ZERO; 30];
        let number = to.take_events(&mut events);
        assert!(number >= 5, "{number}");
        for event in &events[..number] {
            // The other clock is 1 ms behind.
            assert_eq!(event.t.nsec % 10_000_000, 9_000_000, "{}", event.t.nsec);
            assert_eq!(event.index, 0);
        }
        while to.take_events(&mut events) > 0 {}
        // Where the pin has another function, nothing comes.
        to.pin_setfunc(Version::V1, &uapi::pin_desc(2, 0, 0)).expect("set");
        from.pass(Duration::from_millis(50));
        wire.pass();
        assert_eq!(to.take_events(&mut events), 0);
    }
}
