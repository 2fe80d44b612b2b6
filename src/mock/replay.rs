//! A mock that answers as a recorded clock did.
//!
//! As statistics: each call fails as often as it did, readings take as long and scatter as much, and
//! the clock itself is simulated from where the recorded one was, so that it can be steered. Or
//! exactly: the recorded answers of each call, one after the other, as long as there are any.

mod model;
mod recorded;

pub(super) use recorded::Recorded;

use super::oscillator::Random;
use super::time::{SECOND, nanoseconds, to_timespec};
use super::{Asked, World};
use crate::kernel::uapi::{
    self, ExttsEvent, PTP_MAX_SAMPLES, ptp_sys_offset, ptp_sys_offset_extended,
    ptp_sys_offset_precise, timespec, total,
};
use crate::kernel::{self, Exchange, Result, Traced};
use crate::mock::core::sampled;
use model::LONGEST;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A recorded clock that is played.
#[derive(Debug)]
pub(super) struct Replay {
    recorded: Arc<Recorded>,
    is_exact: bool,
    /// How many answers of each kind of call were given.
    given: HashMap<Asked, usize>,
    /// The recorded call whose answer is to be given now.
    now: Option<usize>,
    /// The other way of a reading whose first way has passed.
    way_back: Option<i128>,
    /// By how much the readings of this call are off.
    wander: i128,
    /// True time at the first reading that was given, and when that was recorded.
    origin: Option<(i128, i128)>,
    /// When the timestamps of a channel were switched on, and how many events it has had since.
    channels: BTreeMap<u32, (i128, usize)>,
}

impl Replay {
    pub(super) fn new(recorded: Arc<Recorded>, is_exact: bool) -> Self {
        Self {
            recorded,
            is_exact,
            given: HashMap::new(),
            now: None,
            way_back: None,
            wander: 0,
            origin: None,
            channels: BTreeMap::new(),
        }
    }

    /// A call begins; the number of its errno where it fails.
    fn begin(&mut self, asked: Asked, random: &mut Random) -> Option<i32> {
        (self.now, self.way_back) = (None, None);
        self.wander = random.of(&self.recorded.model.wander).copied().unwrap_or(0);
        let answers = self.recorded.answers.get(&asked)?;
        if self.is_exact {
            let given = self.given.entry(asked).or_default();
            if let Some(call) = answers.get(*given) {
                *given += 1;
                self.now = Some(*call);
                return self.recorded.calls.get(*call)?.answer.err();
            }
        }
        let call = random.of(answers)?;
        self.recorded.calls.get(*call)?.answer.err()
    }

    /// The recorded call whose answer is to be given now.
    fn now(&self) -> Option<&Traced> {
        self.recorded.calls.get(self.now?)
    }

    /// How long the next way of a reading takes; `None` where that wasn't recorded.
    pub(super) fn way(&mut self, random: &mut Random) -> Option<i128> {
        if let Some(back) = self.way_back.take() {
            return Some(back);
        }
        let (there, back) = *random.of(&self.recorded.model.ways)?;
        self.way_back = Some(back);
        Some(there)
    }

    /// By how much the readings of this call are off.
    pub(super) fn wander(&self) -> i128 {
        self.wander
    }

    /// The timestamps of a channel are switched on or off.
    pub(super) fn switch(&mut self, channel: u32, now: Option<i128>) {
        match now {
            Some(now) => drop(self.channels.insert(channel, (now, 0))),
            None => drop(self.channels.remove(&channel)),
        }
    }

    /// Whether the next event of a channel is a recorded one.
    pub(super) fn has_events(&self, channel: u32) -> bool {
        let given = self.channels.get(&channel).map_or(0, |(_, given)| *given);
        let recorded = self.recorded.events.get(&channel).map_or(0, Vec::len);
        self.is_exact && given < recorded
    }

    /// The events that have come by now, and when: true time.
    fn events(&mut self, now: i128) -> Vec<(i128, ExttsEvent, i128)> {
        let mut due = Vec::new();
        if !self.is_exact {
            return due;
        }
        for (channel, (since, given)) in &mut self.channels {
            let events = self.recorded.events.get(channel).map_or(&[][..], Vec::as_slice);
            while let Some(event) = events.get(*given)
                && *since + event.after <= now
            {
                *given += 1;
                due.push((*since + event.after, event.told, event.read_at));
            }
        }
        due
    }

    /// How long until the next event.
    pub(super) fn until_next_event(&self, now: i128) -> Option<i128> {
        if !self.is_exact {
            return None;
        }
        let next = self.channels.iter().filter_map(|(channel, (since, given))| {
            let event = self.recorded.events.get(channel)?.get(*given)?;
            Some((since + event.after - now).max(0))
        });
        next.min()
    }
}

impl World {
    /// Fails a call that failed when it was recorded.
    pub(super) fn recorded_failure(&mut self, asked: Asked) -> Result<()> {
        let Some(replay) = &mut self.replay else { return Ok(()) };
        replay
            .begin(asked, &mut self.random)
            .map_or(Ok(()), |number| Err(kernel::answer_with(number)))
    }

    fn recorded_now(&self) -> Option<&Traced> {
        self.replay.as_ref()?.now()
    }

    /// Lets time pass as it did between the recorded readings, up to a reading that began then by
    /// the recorded clock of the system. The same rate shows only in the same time. Answers what a
    /// clock of the system shows now.
    fn come_to(&mut self, recorded: i128, clock: libc::clockid_t) -> Result<i128> {
        let now = self.time.now();
        let origin = self.replay.as_mut().map(|it| *it.origin.get_or_insert((now, recorded)));
        let (first, of_first) = origin.unwrap_or((now, recorded));
        let left = first + recorded - of_first - now;
        let most = if self.time.is_virtual() { i128::MAX } else { LONGEST_WAIT };
        if left > 0 {
            self.time.pass(left.min(most));
        }
        let now = self.time.now();
        self.shown(clock, now)
    }

    /// `clock_gettime` as it was recorded: as far from the system's clock. `None` where it wasn't.
    pub(super) fn recorded_time(&mut self) -> Result<Option<timespec>> {
        let Some((call, recorded)) = self.recorded_now().zip(self.replay.as_ref()) else {
            return Ok(None);
        };
        let Exchange::ClockGettime(time) = call.exchange else { return Ok(None) };
        let then = recorded.recorded.system_time(call);
        let now = self.come_to(then, libc::CLOCK_REALTIME)?;
        to_timespec(now + nanoseconds(time) - then).map(Some)
    }

    /// Extended samples as they were recorded: the same offsets and delays, from now on. Answers
    /// whether there are any.
    pub(super) fn recorded_extended(
        &mut self,
        samples: &mut ptp_sys_offset_extended,
    ) -> Result<bool> {
        let told = self.recorded_now().and_then(|call| match &call.exchange {
            Exchange::SysOffsetExtended(_, told) => Some(**told),
            _ => None,
        });
        let Some(told) = told else { return Ok(false) };
        let number = told.n_samples.min(PTP_MAX_SAMPLES) as usize;
        let told: Vec<_> = told.ts.iter().take(number).map(|three| three.map(total)).collect();
        let (Some([first, ..]), Some([.., last])) = (told.first(), told.last()) else {
            return Ok(false);
        };
        let (first, span) = (*first, last - first);
        // Some cards have the system times the wrong way round.
        if span.abs() > LONGEST {
            return Ok(false);
        }
        let now = self.come_to(first, samples.clockid)?;
        let wanted = samples.n_samples.min(PTP_MAX_SAMPLES) as usize;
        // Where more are wanted than there were, they begin anew.
        let all = (0..).flat_map(|round| told.iter().map(move |sample| (round, sample)));
        for (sample, (round, told)) in samples.ts.iter_mut().take(wanted).zip(all) {
            for (to, from) in sample.iter_mut().zip(told) {
                *to = sampled(now + from - first + round * span)?;
            }
        }
        let rounds = i128::try_from(wanted.div_ceil(number)).unwrap_or(1);
        self.time.pass((span * rounds).max(0));
        Ok(true)
    }

    /// Basic samples as they were recorded; answers whether there are any.
    pub(super) fn recorded_basic(&mut self, samples: &mut ptp_sys_offset) -> Result<bool> {
        let told = self.recorded_now().and_then(|call| match &call.exchange {
            Exchange::SysOffset(_, told) if told.n_samples == samples.n_samples => Some(**told),
            _ => None,
        });
        let Some(told) = told else { return Ok(false) };
        let number = 2 * told.n_samples.min(PTP_MAX_SAMPLES) as usize + 1;
        let told: Vec<_> = told.ts.iter().take(number).map(|time| total(*time)).collect();
        let (Some(first), Some(last)) = (told.first(), told.last()) else { return Ok(false) };
        let span = last - first;
        if span.abs() > LONGEST {
            return Ok(false);
        }
        let now = self.come_to(*first, libc::CLOCK_REALTIME)?;
        for (to, from) in samples.ts.iter_mut().zip(&told) {
            *to = sampled(now + from - first)?;
        }
        self.time.pass(span.max(0));
        Ok(true)
    }

    /// A cross timestamp as it was recorded: as far from the system's clock. `None` where it wasn't.
    pub(super) fn recorded_precise(&mut self) -> Result<Option<ptp_sys_offset_precise>> {
        let Some(Exchange::SysOffsetPrecise(_, told)) =
            self.recorded_now().map(|call| &call.exchange)
        else {
            return Ok(None);
        };
        let (device, system) = (total(told.device), total(told.sys_realtime));
        let realtime = self.come_to(system, libc::CLOCK_REALTIME)?;
        let raw = self.shown(libc::CLOCK_MONOTONIC_RAW, self.time.latest())?;
        let mut answer = uapi::sys_offset_precise();
        answer.device = sampled(realtime + device - system)?;
        answer.sys_realtime = sampled(realtime)?;
        answer.sys_monoraw = sampled(raw)?;
        Ok(Some(answer))
    }

    /// The recorded events that have come by now: as far from the system's clock.
    pub(super) fn recorded_events(&mut self, now: i128) -> Vec<ExttsEvent> {
        let due = self.replay.as_mut().map_or(Vec::new(), |replay| replay.events(now));
        let shift = |(when, event, read_at): (i128, ExttsEvent, i128)| {
            let system = self.shown(libc::CLOCK_REALTIME, when).ok()?;
            let t = sampled(total(event.t) - read_at + system).ok()?;
            Some(ExttsEvent { t, ..event })
        };
        due.into_iter().filter_map(shift).collect()
    }
}

/// The longest wait for the moment of a recorded reading, except in virtual time.
const LONGEST_WAIT: i128 = SECOND / 10;
