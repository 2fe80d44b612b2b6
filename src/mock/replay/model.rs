//! What a recorded clock was like, without what the program did to it: pure functions of its calls.

use super::recorded::system_time;
use crate::kernel::{Exchange, Traced};
use crate::mock::oscillator::{PARTS, slewed};
use crate::mock::time::{SECOND, nanoseconds};
use libc::{ADJ_FREQUENCY, ADJ_SETOFFSET};

/// A clock, as far as its readings and what was done to it show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::mock) struct Model {
    /// Clock - system clock at its first good reading, in nanoseconds.
    pub(in crate::mock) offset: i128,
    /// How much faster it went than the system clock, without what was dialled, in scaled ppm.
    pub(in crate::mock) frequency: i64,
    /// The frequency that was dialled at first, in scaled ppm.
    pub(in crate::mock) dialled: i64,
    /// How far the clock was from a straight line at each call, as far as the delays of its samples
    /// don't explain that, in nanoseconds.
    pub(super) wander: Vec<i128>,
    /// How long both ways of each sample took, in nanoseconds.
    pub(super) ways: Vec<(i128, i128)>,
    /// Whether the system times of extended samples are the wrong way round.
    pub(in crate::mock) reversed: bool,
}

/// What one call showed of the offset.
#[derive(Clone, Debug)]
struct Shown {
    /// When: nanoseconds since the recording began.
    at: i128,
    /// The delay of each sample, and clock - system clock without what was dialled and stepped, in
    /// nanoseconds. The first sample has the shortest delay.
    samples: Vec<(i128, i128)>,
}

impl Shown {
    /// The sample with the shortest delay.
    fn best(&self) -> (i128, i128) {
        self.samples.first().copied().unwrap_or_default()
    }

    /// The mean offset of the half of the samples with the shorter delays.
    fn offset(&self) -> i128 {
        let half = self.samples.len().div_ceil(2).max(1);
        let better = self.samples.iter().take(half).map(|(_, offset)| offset);
        better.sum::<i128>() / i128::try_from(half).unwrap_or(1)
    }

    fn is_near(&self, other: &Self) -> bool {
        (self.best().1 - other.best().1).abs() < FARTHEST
    }
}

/// The shortest time over which a frequency can be told.
const SHORTEST: i128 = SECOND / 10;
/// Offsets that are farther apart than this, in nanoseconds, are compared with nothing: the clock
/// was set by somebody else.
const FARTHEST: i128 = 1_000_000_000_000_000;
/// The longest delay of a sample that can be played, in nanoseconds.
pub(super) const LONGEST: i128 = 10 * SECOND;
/// The largest frequency that a mock's crystal, or its dial, can have, in scaled ppm: a tenth.
const MOST_FREQUENCY: i64 = 100_000 << 16;

impl Model {
    /// The model of the clock of these calls, while the system's clock was steered by those.
    pub(super) fn of(calls: &[Traced], system: &[Traced], began: i128) -> Self {
        let mut own = Steered::default();
        let dialled = own.begin(calls);
        let mut others = Steered::default();
        others.begin(system);
        let mut changes = system.iter().filter(|call| call.answer.is_ok()).peekable();
        let is_sampled =
            |call: &Traced| call.answer.is_ok() && !samples_of(&call.exchange).is_empty();
        let has_samples = calls.iter().any(is_sampled);
        let mut stretches: Vec<Vec<Shown>> = vec![Vec::new()];
        for call in calls.iter().filter(|call| call.answer.is_ok()) {
            let now = since_began(call);
            while let Some(change) = changes.next_if(|change| since_began(change) <= now) {
                if others.take(change) {
                    stretches.push(Vec::new());
                }
            }
            if own.take(call) {
                stretches.push(Vec::new());
            }
            // A reading of the clock alone is much coarser.
            let mut samples = match &call.exchange {
                Exchange::ClockGettime(time) if !has_samples => {
                    vec![(0, alone(nanoseconds(*time) - system_time(call, began), call))]
                }
                exchange => samples_of(exchange),
            };
            if samples.is_empty() {
                continue;
            }
            samples.sort_unstable();
            let steered = (own.phase(now) - others.phase(now)) / PARTS;
            for (_, offset) in &mut samples {
                *offset -= steered;
            }
            let shown = Shown { at: now, samples };
            match stretches.last_mut() {
                Some(stretch) if stretch.first().is_none_or(|first| shown.is_near(first)) => {
                    stretch.push(shown);
                }
                _ => stretches.push(vec![shown]),
            }
        }
        let longest = stretches.iter().max_by_key(|stretch| stretch.len());
        let longest = longest.map_or(&[][..], Vec::as_slice);
        let line = Line::of(&better_half(longest));
        // The clock begins where the line through its first readings does.
        let first = stretches.iter().find(|stretch| !stretch.is_empty());
        let offset = first.map_or(0, |first| {
            let begins = first.first().map_or(0, |shown| shown.at);
            Line::of(&better_half(first)).at(begins)
        });
        let (mut wander, mut ways) = (Vec::new(), Vec::new());
        for shown in longest {
            let (moved, of_samples) = apart(shown, line.at(shown.at));
            wander.push(moved);
            // A cross timestamp and a reading of the clock alone have no ways.
            let played = |(there, back): &(i128, i128)| (1..=LONGEST).contains(&(there + back));
            ways.extend(of_samples.into_iter().filter(played));
        }
        let reversed = calls.iter().any(is_reversed);
        Self { offset, frequency: line.slope, dialled, wander, ways, reversed }
    }
}

/// The half of the readings with the shorter delays: an interrupted reading shows the offset badly.
fn better_half(stretch: &[Shown]) -> Vec<Shown> {
    let mut delays: Vec<_> = stretch.iter().map(|shown| shown.best().0).collect();
    delays.sort_unstable();
    let median = delays.get(delays.len() / 2).copied().unwrap_or(0);
    stretch.iter().filter(|shown| shown.best().0 <= median).cloned().collect()
}

/// Tells apart why samples aren't on the line: their two ways were of different length, and where
/// that doesn't explain it, the clock has moved. Answers by how much, and the ways of each sample.
fn apart(shown: &Shown, on_line: i128) -> (i128, Vec<(i128, i128)>) {
    let off = |offset: i128| offset - on_line;
    let least = shown.samples.iter().map(|(delay, offset)| off(*offset) - delay / 2).max();
    let most = shown.samples.iter().map(|(delay, offset)| off(*offset) + delay / 2).min();
    let moved = match (least, most) {
        (Some(least), Some(most)) if least <= most => 0.clamp(least, most),
        // The clock has moved between the samples.
        (Some(least), Some(most)) => i128::midpoint(least, most),
        _ => 0,
    };
    let ways = shown.samples.iter().map(|(delay, offset)| {
        let there = (delay / 2 + off(*offset) - moved).clamp(0, *delay);
        (there, delay - there)
    });
    (moved, ways.collect())
}

/// The offset that a reading of the clock alone shows: none, where it is less than the time that
/// the reading took.
fn alone(offset: i128, call: &Traced) -> i128 {
    let took = i128::try_from(call.took.as_nanos()).unwrap_or(0);
    if offset.abs() <= took { 0 } else { offset }
}

fn is_reversed(call: &Traced) -> bool {
    let is_extended = matches!(call.exchange, Exchange::SysOffsetExtended(..));
    is_extended
        && call.answer.is_ok()
        && call.exchange.samples().iter().any(|(delay, _)| *delay < 0)
}

fn since_began(call: &Traced) -> i128 {
    i128::try_from((call.at + call.took / 2).as_nanos()).unwrap_or(0)
}

/// What was dialled and stepped so far.
#[derive(Clone, Copy, Debug, Default)]
struct Steered {
    /// The frequency that is dialled, relative to the first one, in scaled ppm, and since when.
    frequency: i64,
    since: i128,
    /// The frequency that was dialled first.
    first: i64,
    /// The phase that this has made by then, in [`PARTS`].
    phase: i128,
}

impl Steered {
    /// The frequency that was dialled when the recording began.
    fn begin(&mut self, calls: &[Traced]) -> i64 {
        let read = calls.iter().find_map(|call| match (&call.exchange, &call.answer) {
            (Exchange::ClockAdjtime(both), Ok(_)) if both.0.modes & ADJ_FREQUENCY == 0 => {
                Some(both.1.freq)
            }
            // Nobody had asked before.
            (Exchange::ClockAdjtime(_), Ok(_)) => Some(0),
            _ => None,
        });
        self.first = read.unwrap_or(0).clamp(-MOST_FREQUENCY, MOST_FREQUENCY);
        self.first
    }

    /// Takes a call; answers whether the clock was set, so that nothing can be compared across it.
    fn take(&mut self, call: &Traced) -> bool {
        let now = since_began(call);
        match &call.exchange {
            Exchange::ClockSettime(_) => return true,
            Exchange::ClockAdjtime(both) => {
                let asked = &both.0;
                if asked.modes & ADJ_FREQUENCY != 0 {
                    self.phase = self.phase(now);
                    let dialled = asked.freq.clamp(-MOST_FREQUENCY, MOST_FREQUENCY);
                    (self.frequency, self.since) = (dialled - self.first, now);
                }
                if asked.modes & ADJ_SETOFFSET != 0 {
                    self.phase += asked.step() * PARTS;
                }
            }
            _ => {}
        }
        false
    }

    fn phase(&self, now: i128) -> i128 {
        self.phase + slewed(now - self.since, self.frequency)
    }
}

/// The delay of each sample of a call, and the offset from the system's clock that it shows.
fn samples_of(exchange: &Exchange) -> Vec<(i128, i128)> {
    let samples = match exchange {
        Exchange::SysOffsetExtended(_, told) if told.clockid != libc::CLOCK_REALTIME => Vec::new(),
        // The counter is another clock.
        Exchange::SysOffsetExtendedCycles(_) | Exchange::SysOffsetPreciseCycles(_) => Vec::new(),
        exchange => exchange.samples(),
    };
    // Where the system times are the wrong way round, no offset is known.
    samples.into_iter().filter(|(delay, _)| *delay >= 0).collect()
}

/// A line through offsets, as near to them by its squares as there is one.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    /// The middle of it: when, in nanoseconds, and which offset it has there.
    middle: (i128, i128),
    /// In scaled ppm.
    slope: i64,
}

impl Line {
    fn of(shown: &[Shown]) -> Self {
        let (Some(first), Some(last)) = (shown.first(), shown.last()) else {
            return Self::default();
        };
        let number = i128::try_from(shown.len()).unwrap_or(1);
        // In microseconds, so that the products of many hours have room in 128 bits.
        let time = |it: &Shown| (it.at - first.at) / 1_000;
        let offset = |it: &Shown| it.offset() - first.offset();
        let mean_time = shown.iter().map(time).sum::<i128>() / number;
        let mean = shown.iter().map(offset).sum::<i128>() / number;
        let centred = |it: &Shown| (time(it) - mean_time, offset(it) - mean);
        let products = shown.iter().map(centred).map(|(time, offset)| time * offset);
        let squares = shown.iter().map(centred).map(|(time, _)| time * time);
        let (products, squares) = (products.sum::<i128>(), squares.sum::<i128>());
        let is_short = last.at - first.at < SHORTEST || squares == 0;
        let slope = if is_short { 0 } else { products.saturating_mul(1_000 << 16) / squares };
        Self {
            middle: (first.at + 1_000 * mean_time, first.offset() + mean),
            slope: i64::try_from(slope).unwrap_or(0).clamp(-MOST_FREQUENCY, MOST_FREQUENCY),
        }
    }

    fn at(&self, time: i128) -> i128 {
        self.middle.1 + slewed(time - self.middle.0, self.slope) / PARTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Version::V1;
    use crate::kernel::uapi::{clock_time, sys_offset_extended, timex};
    use libc::ADJ_NANO;
    use std::time::Duration;

    /// A successful call at a time in milliseconds.
    fn call(at: u64, exchange: Exchange) -> Traced {
        Traced {
            at: Duration::from_millis(at),
            took: Duration::ZERO,
            program: String::new(),
            process: 1,
            thread: 1,
            clock: "ptp0".into(),
            exchange,
            answer: Ok(0),
        }
    }

    fn time(nanoseconds: i64) -> crate::kernel::uapi::ptp_clock_time {
        let part = nanoseconds.rem_euclid(1_000_000_000);
        clock_time(nanoseconds.div_euclid(1_000_000_000), u32::try_from(part).expect("a part"))
    }

    /// Samples of this offset, both of whose ways take 500 ns.
    fn reading(at: u64, offset: i64) -> Traced {
        let mut samples = sys_offset_extended(2, 0);
        let now = i64::try_from(at).expect("small") * 1_000_000;
        for sample in samples.ts.iter_mut().take(2) {
            *sample = [time(now), time(now + 500 + offset), time(now + 1_000)];
        }
        call(at, Exchange::SysOffsetExtended(V1, Box::new(samples)))
    }

    fn adjusted(at: u64, change: impl FnOnce(&mut timex)) -> Traced {
        let mut asked = crate::kernel::uapi::timex();
        change(&mut asked);
        call(at, Exchange::ClockAdjtime(Box::new((asked, asked))))
    }

    #[test]
    fn a_clock_that_runs_freely_has_its_offset_and_frequency() {
        let calls = [reading(0, 7_000), reading(1_000, 8_030), reading(2_000, 9_000)];
        let model = Model::of(&calls, &[], 0);
        // Where the line through all readings begins.
        assert_eq!((model.offset, model.frequency, model.dialled), (7_010, 65_536, 0));
        assert_eq!(model.wander, [0, 0, 0], "the ways explain it");
        let ways = [(490, 510), (490, 510), (520, 480), (520, 480), (490, 510), (490, 510)];
        assert_eq!(model.ways, ways);
    }

    #[test]
    fn a_clock_has_moved_where_no_ways_explain_what_is_read() {
        let calls = [reading(0, 0), reading(1_000, 6_000), reading(2_000, 0)];
        let model = Model::of(&calls, &[], 0);
        assert_eq!((model.frequency, model.wander), (0, vec![-1_500, 3_500, -1_500]));
        assert!(model.ways.iter().all(|(there, back)| there + back == 1_000));
    }

    #[test]
    fn what_was_dialled_and_stepped_is_not_the_clocks_own() {
        // 1 ppm fast; after a second 2 ppm less are dialled, and it is stepped by 1 us.
        let dial = adjusted(1_000, |timex| {
            (timex.modes, timex.freq) = (ADJ_FREQUENCY, -2 * 65_536);
        });
        let step = adjusted(1_000, |timex| {
            timex.modes = ADJ_SETOFFSET | ADJ_NANO;
            timex.time.tv_usec = 1_000;
        });
        let calls = [reading(0, 0), reading(1_000, 1_000), dial, step, reading(2_000, 1_000)];
        let model = Model::of(&calls, &[], 0);
        assert_eq!((model.frequency, model.wander), (65_536, vec![0, 0, 0]));
        // The same, where the system's clock is steered.
        let dial = adjusted(1_000, |timex| (timex.modes, timex.freq) = (ADJ_FREQUENCY, 65_536));
        let calls = [reading(0, 0), reading(1_000, 1_000), reading(2_000, 1_000)];
        assert_eq!(Model::of(&calls, &[dial], 0).frequency, 65_536);
    }

    #[test]
    fn nothing_is_compared_across_a_setting() {
        let set = call(
            1_500,
            Exchange::ClockSettime(crate::kernel::uapi::timespec { tv_sec: 0, tv_nsec: 0 }),
        );
        let calls = [reading(0, 0), reading(1_000, 1_000), set, reading(2_000, -9_000_000)];
        assert_eq!(Model::of(&calls, &[], 0).frequency, 65_536);
        assert_eq!(Model::of(&[], &[], 0), Model::default());
    }
}
