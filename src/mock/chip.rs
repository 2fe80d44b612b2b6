//! The simulated chip: its counter, its phase control, its outputs and inputs.

use super::fault::{Fault, Faults};
use super::oscillator::{Oscillator, PARTS, slewed};
use super::time::SECOND;
use crate::kernel::uapi::{
    ExttsEvent, PTP_EXT_OFFSET, PTP_EXTTS_EVENT_VALID, PTP_FALLING_EDGE, PTP_MAX_TIMESTAMPS,
    PTP_RISING_EDGE, clock_time,
};
use std::collections::BTreeMap;

/// The state of the chip, as a function of true time (nanoseconds since 1970).
#[derive(Clone, Debug)]
pub(super) struct Chip {
    pub(super) oscillator: Oscillator,
    /// When the oscillator started.
    pub(super) birth: i128,
    /// When the counter was last set or dialled, and what it had then, in [`PARTS`].
    pub(super) anchor: (i128, i128),
    /// The frequency dialled, in scaled ppm.
    pub(super) dialled: i64,
    pub(super) phase: PhaseControl,
    /// Channel → output that runs.
    pub(super) outputs: BTreeMap<u32, Output>,
    /// Channel → flags of the external timestamps that are on.
    pub(super) inputs: BTreeMap<u32, u32>,
    pub(super) pps: bool,
    pub(super) faults: Faults,
}

/// The phase control: a servo that halves what is left of a phase offset again and again.
#[derive(Clone, Copy, Debug)]
pub(super) struct PhaseControl {
    /// The offset written last, in nanoseconds.
    pub(super) register: i64,
    /// When it was written.
    pub(super) since: i128,
    /// The time that half of the rest takes.
    pub(super) half_life: i128,
}

/// A periodic output, in the clock's own nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Output {
    pub(super) start: i128,
    pub(super) period: i128,
    pub(super) width: i128,
    pub(super) one_shot: bool,
}

/// A signal from outside, in true time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signal {
    pub(super) period: i128,
    pub(super) phase: i128,
    pub(super) width: i128,
}

/// Where an input's edges come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    Outside(Signal),
    Loop(Output),
    Nowhere,
}

/// The largest count, in nanoseconds: far beyond 64 bits, where a driver's own counter ends.
const FARTHEST_COUNT: i128 = 1 << 90;

impl PhaseControl {
    /// How much of the offset the clock has been moved by, in [`PARTS`].
    fn moved(&self, now: i128) -> i128 {
        let offset = i128::from(self.register) * PARTS;
        let elapsed = (now - self.since).max(0);
        let halvings = elapsed / self.half_life;
        if offset == 0 || halvings > 60 {
            return offset;
        }
        let rest = offset >> halvings;
        offset - (rest - rest / 2 * (elapsed % self.half_life) / self.half_life)
    }
}

impl Chip {
    pub(super) fn new(
        oscillator: Oscillator,
        now: i128,
        start: i128,
        half_life: i128,
        faults: Faults,
    ) -> Self {
        Self {
            oscillator,
            birth: now,
            anchor: (now, start * PARTS),
            dialled: 0,
            phase: PhaseControl { register: 0, since: now, half_life },
            outputs: BTreeMap::new(),
            inputs: BTreeMap::new(),
            pps: false,
            faults,
        }
    }

    fn parts(&self, now: i128) -> i128 {
        let (since, parts) = self.anchor;
        let elapsed = now - since;
        let astray = |at: i128| self.oscillator.phase_error(at - self.birth);
        parts + elapsed * PARTS + slewed(elapsed, self.effect()) + astray(now) - astray(since)
            + self.phase.moved(now)
            - self.phase.moved(since)
    }

    /// The frequency that the driver makes of the one that was dialled.
    fn effect(&self) -> i64 {
        let dialled = self.dialled;
        if self.faults.has(Fault::FreqSign) {
            -dialled
        } else if self.faults.has(Fault::FreqDouble) {
            2 * dialled
        } else {
            dialled
        }
    }

    /// What the clock shows, in nanoseconds.
    pub(super) fn shows(&self, now: i128) -> i128 {
        let now = if self.faults.has(Fault::StuckTime) { self.anchor.0 } else { now };
        self.parts(now).div_euclid(PARTS)
    }

    /// What the free-running counter shows: the oscillator alone, from 0 at its start.
    pub(super) fn cycles(&self, now: i128) -> i128 {
        let elapsed = now - self.birth;
        elapsed + self.oscillator.phase_error(elapsed).div_euclid(PARTS)
    }

    pub(super) fn set(&mut self, now: i128, to: i128) {
        let part = to.rem_euclid(SECOND);
        let to = if self.faults.has(Fault::SetPart) {
            to - part
        } else if self.faults.has(Fault::Set31Bits) {
            to.div_euclid(SECOND).rem_euclid(1 << 31) * SECOND + part
        } else {
            to
        };
        self.anchor = (now, to * PARTS);
    }

    pub(super) fn step(&mut self, now: i128, by: i128) {
        let part = by.rem_euclid(SECOND);
        let carries = self.shows(now).rem_euclid(SECOND) + part >= SECOND;
        let by = if self.faults.has(Fault::StepPart) && by > 0 {
            by - part
        } else if self.faults.has(Fault::StepBack) && by < 0 && part != 0 {
            by - SECOND
        } else if self.faults.has(Fault::StepCarry) && by > 0 && carries {
            by + SECOND
        } else {
            by
        };
        let by = by.clamp(-FARTHEST_COUNT, FARTHEST_COUNT);
        let to = self.parts(now) + by * PARTS;
        self.anchor = (now, to.clamp(-FARTHEST_COUNT * PARTS, FARTHEST_COUNT * PARTS));
    }

    pub(super) fn dial(&mut self, now: i128, scaled_ppm: i64) {
        self.anchor = (now, self.parts(now));
        self.dialled = scaled_ppm;
    }

    pub(super) fn adjust_phase(&mut self, now: i128, offset: i32) {
        self.anchor = (now, self.parts(now));
        self.phase = PhaseControl { register: offset.into(), since: now, ..self.phase };
    }

    /// The events of `channel` from after `from` up to `to`, in true time; the newest ones where
    /// they are more than any queue holds. `shown` is what the clock showed at `from`. With each
    /// comes the clock's time of the edge, which an offset event doesn't carry.
    pub(super) fn events(
        &self,
        channel: u32,
        source: Source,
        (from, shown): (i128, i128),
        to: i128,
    ) -> Vec<(i128, ExttsEvent)> {
        let Some(flags) = self.inputs.get(&channel).copied() else {
            return Vec::new();
        };
        let mut times = Vec::new();
        for (flag, falling) in [(PTP_RISING_EDGE, false), (PTP_FALLING_EDGE, true)] {
            if flags & flag == 0 {
                continue;
            }
            match source {
                Source::Nowhere => {}
                Source::Outside(signal) => {
                    let phase = signal.phase + if falling { signal.width } else { 0 };
                    let edges = edges(phase, signal.period, from, to);
                    times.extend(edges.map(|at| self.shows(at)));
                }
                Source::Loop(output) => {
                    let start = output.start + if falling { output.width } else { 0 };
                    // In the clock's own time; nothing comes before the start.
                    let first = shown.max(start - 1);
                    let last = if output.one_shot { start } else { i128::MAX };
                    let edges = edges(start, output.period, first, self.shows(to).min(last));
                    times.extend(edges.map(|edge| self.late(edge, output)));
                }
            }
        }
        times.sort_unstable();
        let offset = flags & PTP_EXT_OFFSET;
        times.into_iter().map(|time| (time, event(channel, time, offset))).collect()
    }

    /// The event of an edge that comes from another clock at a moment of true time; none where the
    /// channel doesn't want it.
    #[cfg(feature = "cli")]
    pub(super) fn event_at(&self, channel: u32, at: i128, falls: bool) -> Option<ExttsEvent> {
        let flags = *self.inputs.get(&channel)?;
        let wanted = if falls { PTP_FALLING_EDGE } else { PTP_RISING_EDGE };
        (flags & wanted != 0).then(|| event(channel, self.shows(at), flags & PTP_EXT_OFFSET))
    }

    /// An edge of an output, as a faulty driver makes it.
    fn late(&self, edge: i128, output: Output) -> i128 {
        let odd = (edge - output.start).div_euclid(output.period) % 2 != 0;
        let by = if self.faults.has(Fault::PeroutPhase) {
            250_000
        } else if self.faults.has(Fault::PeroutPeriod) && odd {
            50_000
        } else {
            0
        };
        edge + by
    }

    /// How long from `now` until `channel` may have its next event.
    pub(super) fn until_next(&self, channel: u32, source: Source, now: i128) -> Option<i128> {
        let flags = *self.inputs.get(&channel)?;
        let next = |phase: i128, period: i128, now: i128| {
            phase + ((now - phase).div_euclid(period) + 1) * period - now
        };
        let wanted = [(PTP_RISING_EDGE, false), (PTP_FALLING_EDGE, true)];
        wanted
            .into_iter()
            .filter(|(flag, _)| flags & flag != 0)
            .filter_map(|(_, falling)| match source {
                Source::Nowhere => None,
                Source::Outside(signal) => {
                    let phase = signal.phase + if falling { signal.width } else { 0 };
                    Some(next(phase, signal.period, now))
                }
                Source::Loop(output) => {
                    let start = output.start + if falling { output.width } else { 0 };
                    let shown = self.shows(now);
                    if shown < start {
                        Some(start - shown)
                    } else {
                        (!output.one_shot).then(|| next(start, output.period, shown))
                    }
                }
            })
            .min()
    }
}

/// The edges `phase + k × period` from after `from` up to `to`: the last ones, as many as a
/// queue may need.
fn edges(phase: i128, period: i128, from: i128, to: i128) -> impl Iterator<Item = i128> {
    let last = (to - phase).div_euclid(period);
    let kept = i128::try_from(PTP_MAX_TIMESTAMPS).unwrap_or(0);
    let first = ((from - phase).div_euclid(period) + 1).max(last - kept);
    (first..=last).map(move |k| phase + k * period)
}

fn event(channel: u32, time: i128, offset: u32) -> ExttsEvent {
    // An offset event says how far the edge was from the clock's nearest second.
    let value =
        if offset == 0 { time } else { (time + SECOND / 2).rem_euclid(SECOND) - SECOND / 2 };
    let seconds = i64::try_from(value.div_euclid(SECOND)).unwrap_or(i64::MAX);
    let nanoseconds = u32::try_from(value.rem_euclid(SECOND)).unwrap_or(0);
    let flags = PTP_EXTTS_EVENT_VALID | offset;
    ExttsEvent { t: clock_time(seconds, nanoseconds), index: channel, flags, rsv: [0; 2] }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i128 = 1_700_000_000 * SECOND;

    fn chip() -> Chip {
        Chip::new(Oscillator::default(), START, START, SECOND, Faults::default())
    }

    #[test]
    fn a_dialled_frequency_adds_up_and_stays_when_another_is_dialled() {
        let mut chip = chip();
        chip.dial(START, 65_536); // +1 ppm
        chip.dial(START + SECOND, -65_536);
        assert_eq!(chip.shows(START + SECOND) - START, SECOND + 1_000);
        assert_eq!(chip.shows(START + 2 * SECOND) - START, 2 * SECOND);
    }

    #[test]
    fn a_phase_offset_moves_the_clock_by_half_of_the_rest_each_half_life() {
        let mut chip = chip();
        chip.adjust_phase(START, -8_000);
        let moved = |seconds| chip.shows(START + seconds * SECOND) - START - seconds * SECOND;
        assert_eq!([moved(0), moved(1), moved(2), moved(3)], [0, -4_000, -6_000, -7_000]);
        assert_eq!(moved(70), -8_000);
    }

    #[test]
    fn a_new_phase_offset_replaces_what_is_left_of_the_old_one() {
        let mut chip = chip();
        chip.adjust_phase(START, 8_000);
        chip.adjust_phase(START + SECOND, 0);
        assert_eq!(chip.shows(START + 9 * SECOND) - START, 9 * SECOND + 4_000);
    }

    #[test]
    fn an_outside_signal_gives_the_clocks_time_at_each_edge() {
        let mut chip = chip();
        chip.step(START, 5);
        chip.inputs.insert(1, PTP_RISING_EDGE | PTP_FALLING_EDGE);
        let signal = Source::Outside(Signal { period: SECOND, phase: 0, width: 100 });
        let events = chip.events(1, signal, (START, START + 5), START + SECOND + 100);
        let times: Vec<_> = events.iter().map(|(_, event)| (event.t.sec, event.t.nsec)).collect();
        assert_eq!(times, [(1_700_000_000, 105), (1_700_000_001, 5), (1_700_000_001, 105)]);
    }

    #[test]
    fn a_looped_output_gives_its_own_edges_from_its_start() {
        let mut chip = chip();
        chip.inputs.insert(0, PTP_RISING_EDGE);
        let output = Output { start: START + SECOND, period: SECOND, width: 1, one_shot: false };
        let seconds = |source, to: i128| -> Vec<_> {
            let events = chip.events(0, source, (START, START), START + to * SECOND);
            events.iter().map(|(_, event)| event.t.sec - 1_700_000_000).collect()
        };
        assert_eq!(seconds(Source::Loop(output), 3), [1, 2, 3]);
        assert_eq!(seconds(Source::Loop(Output { one_shot: true, ..output }), 3), [1]);
        assert_eq!(chip.until_next(0, Source::Loop(output), START), Some(SECOND));
    }
}
