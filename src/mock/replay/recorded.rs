//! A recording of one clock, ready to be played.

use super::model::Model;
use crate::files;
use crate::kernel::uapi::{ExttsEvent, PTP_ENABLE_FEATURE, ptp_clock_caps, total};
use crate::kernel::{Call, Exchange, Traced};
use crate::mock::Asked;
use crate::mock::linux::Linux;
use crate::mock::profile::{FULL, Profile};
use crate::mock::recording::{Facts, Line, read};
use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// What one clock did.
#[derive(Debug)]
pub(in crate::mock) struct Recorded {
    path: PathBuf,
    pub(super) calls: Vec<Traced>,
    /// The calls of each kind, in their order.
    pub(super) answers: HashMap<Asked, Vec<usize>>,
    /// The events of each channel.
    pub(super) events: BTreeMap<u32, Vec<Event>>,
    pub(super) model: Model,
    facts: Facts,
}

/// An event that was recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    /// How long after its channel was switched on it was read, in nanoseconds.
    pub(super) after: i128,
    pub(super) told: ExttsEvent,
    /// When it was read, by the system's clock.
    pub(super) read_at: i128,
}

/// The longest recording, in bytes.
const LONGEST: u64 = 1 << 30;
/// More pins than any card has.
const MOST_PINS: i32 = 1_024;

impl Recorded {
    /// Reads the recording of a clock; of the first one where none is named.
    ///
    /// # Errors
    ///
    /// Why it can't be played.
    pub(in crate::mock) fn open(path: &Path, clock: Option<&str>) -> Result<Self, String> {
        let in_words = |error: io::Error| crate::kernel::in_words(&error);
        let file = files::open_to_read(path).map_err(in_words)?;
        let recorded = Self::of(BufReader::new(file.take(LONGEST)), clock)?;
        Ok(Self { path: path.to_owned(), ..recorded })
    }

    pub(in crate::mock) fn of(lines: impl BufRead, clock: Option<&str>) -> Result<Self, String> {
        let mut facts: Option<Facts> = None;
        let (mut calls, mut system) = (Vec::new(), Vec::new());
        let mut lines = lines;
        let (mut number, mut text) = (0, String::new());
        loop {
            text.clear();
            let read_on =
                lines.read_line(&mut text).map_err(|error| crate::kernel::in_words(&error));
            if read_on? == 0 {
                break;
            }
            number += 1;
            let line = match read(&text) {
                Ok(line) => line,
                // The last line of a recording may have been cut off.
                Err(_) if number > 1 && !text.ends_with('\n') => break,
                Err(why) => return Err(format!("line {number} is none of a recording: {why}")),
            };
            match line {
                Line::Clock(found) if clock.is_none_or(|clock| clock == found.clock) => {
                    facts.get_or_insert(*found);
                }
                Line::Call(call) if call.clock == "system" => system.push(*call),
                Line::Call(call) => calls.push(*call),
                Line::Clock(_) => {}
            }
        }
        let facts = facts.ok_or_else(|| match clock {
            Some(clock) => format!("it has no clock {clock}"),
            None => "it has no clock".to_owned(),
        })?;
        calls.retain(|call| call.clock == facts.clock);
        let mut answers: HashMap<Asked, Vec<usize>> = HashMap::new();
        for (place, call) in calls.iter().enumerate() {
            if let Some(asked) = asked(&call.exchange) {
                answers.entry(asked).or_default().push(place);
            }
        }
        let events = events(&calls, facts.began_ns.into());
        let model = Model::of(&calls, &system, facts.began_ns.into());
        Ok(Self { path: PathBuf::new(), calls, answers, events, model, facts })
    }

    /// By the system's clock, the middle of a call in nanoseconds.
    pub(super) fn system_time(&self, call: &Traced) -> i128 {
        system_time(call, self.facts.began_ns.into())
    }

    pub(in crate::mock) fn path(&self) -> &PathBuf {
        &self.path
    }

    pub(in crate::mock) fn model(&self) -> &Model {
        &self.model
    }

    pub(in crate::mock) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The kernel that was recorded, as far as it is known. Linux tells the limit of the phase
    /// control from 6.5 on.
    pub(in crate::mock) fn kernel(&self) -> Option<Linux> {
        if self.caps().is_some_and(|caps| caps.adjust_phase != 0 && caps.max_phase_adj == 0) {
            return Some(Linux::of(6, 4, u16::MAX));
        }
        let release = self.facts.kernel.split(|c: char| c != '.' && !c.is_ascii_digit()).next()?;
        let version: Vec<_> = release.split('.').take(3).filter(|part| !part.is_empty()).collect();
        version.join(".").parse().ok()
    }

    fn caps(&self) -> Option<ptp_clock_caps> {
        let told = self.calls.iter().find_map(|call| match (&call.exchange, &call.answer) {
            (Exchange::GetCaps(_, caps), Ok(_)) => Some(*caps),
            _ => None,
        });
        self.facts.caps.or(told)
    }

    /// What its driver offers. It is kept for as long as the process runs, as the other profiles are.
    ///
    /// # Errors
    ///
    /// Where that isn't known.
    pub(in crate::mock) fn profile(&self) -> Result<&'static Profile, String> {
        let caps = self.caps().ok_or("it doesn't say what the clock can do")?;
        if caps.n_pins > MOST_PINS {
            return Err(format!("no clock has {} pins", caps.n_pins));
        }
        let count = |number: i32| u32::try_from(number).unwrap_or(0);
        let works = |wanted: Call| {
            let mut calls = self.answers.iter().filter(|(asked, _)| asked.call == wanted);
            let succeeded =
                |place: &usize| self.calls.get(*place).is_some_and(|it| it.answer.is_ok());
            calls.any(|(_, places)| places.iter().any(succeeded))
        };
        let name = self.facts.clock_name.clone().unwrap_or_else(|| "recorded clock".into());
        let limit = if caps.max_phase_adj == 0 { i32::MAX } else { caps.max_phase_adj };
        Ok(Box::leak(Box::new(Profile {
            name: "replay",
            clock_name: Box::leak(name.into_boxed_str()),
            max_adj: caps.max_adj,
            n_alarm: caps.n_alarm,
            n_ext_ts: count(caps.n_ext_ts),
            n_per_out: count(caps.n_per_out),
            pps: caps.pps != 0,
            n_pins: count(caps.n_pins),
            pin_name: "pin",
            precise: caps.cross_timestamping != 0 || works(Call::SysOffsetPrecise),
            cycles: works(Call::SysOffsetExtendedCycles) || works(Call::SysOffsetPreciseCycles),
            max_phase: (caps.adjust_phase != 0).then_some(limit),
            output_pins: count(caps.n_pins),
            ..FULL
        })))
    }

    /// The signal that its events show: the time from one to the next, as it is most of the time,
    /// and how long after a multiple of that they come, both in nanoseconds of true time.
    pub(in crate::mock) fn signal(&self) -> Option<(i64, i64)> {
        let period = i64::try_from(self.period()?).ok()?;
        let first = self.events.values().flatten().next()?;
        let phase = (total(first.told.t) - self.model.offset).rem_euclid(period.into());
        Some((period, i64::try_from(phase).ok()?))
    }

    fn period(&self) -> Option<i128> {
        let mut spans: Vec<i128> = self
            .events
            .values()
            .flat_map(|events| events.windows(2))
            .filter_map(|two| match two {
                [one, next] => Some(total(next.told.t) - total(one.told.t)),
                _ => None,
            })
            .filter(|span| *span >= 1_000)
            .collect();
        spans.sort_unstable();
        spans.get(spans.len() / 2).copied()
    }
}

pub(super) fn system_time(call: &Traced, began: i128) -> i128 {
    let middle = call.at + call.took / 2;
    began + i128::try_from(middle.as_nanos()).unwrap_or(0)
}

/// What a recorded call asked.
fn asked(exchange: &Exchange) -> Option<Asked> {
    let plain = |call: Call, which| Asked { which, ..call.into() };
    Some(match exchange {
        Exchange::Open { write } => plain(Call::Open, u32::from(*write)),
        Exchange::ClockGettime(_) => Call::ClockGettime.into(),
        Exchange::ClockSettime(_) => Call::ClockSettime.into(),
        Exchange::ClockGetres(_) => Call::ClockGetres.into(),
        Exchange::ClockAdjtime(both) => plain(Call::ClockAdjtime, both.0.modes),
        Exchange::GetCaps(version, _) => Asked::of(Call::GetCaps, *version, 0),
        Exchange::ExttsRequest(version, it) => Asked::of(Call::ExttsRequest, *version, it.index),
        Exchange::PeroutRequest(version, it) => Asked::of(Call::PeroutRequest, *version, it.index),
        Exchange::EnablePps(version, it) => Asked::of(Call::EnablePps, *version, u32::from(*it)),
        Exchange::PinGetFunc(version, pin) => Asked::of(Call::PinGetFunc, *version, pin.index),
        Exchange::PinSetFunc(version, pin) => Asked::of(Call::PinSetFunc, *version, pin.index),
        Exchange::SysOffset(version, _) => Asked::of(Call::SysOffset, *version, 0),
        Exchange::SysOffsetExtended(version, _) => Asked::of(Call::SysOffsetExtended, *version, 0),
        Exchange::SysOffsetPrecise(version, _) => Asked::of(Call::SysOffsetPrecise, *version, 0),
        Exchange::SysOffsetExtendedCycles(_) => Call::SysOffsetExtendedCycles.into(),
        Exchange::SysOffsetPreciseCycles(_) => Call::SysOffsetPreciseCycles.into(),
        Exchange::MaskClearAll => Call::MaskClearAll.into(),
        Exchange::MaskEnSingle(channel) => plain(Call::MaskEnSingle, *channel),
        Exchange::Read(_) => Call::Read.into(),
        Exchange::Other(_) => return None,
    })
}

/// The events of each channel, after it was switched on.
fn events(calls: &[Traced], began: i128) -> BTreeMap<u32, Vec<Event>> {
    let mut events: BTreeMap<u32, Vec<Event>> = BTreeMap::new();
    let mut since = BTreeMap::new();
    for call in calls.iter().filter(|call| call.answer.is_ok()) {
        let ended = i128::try_from((call.at + call.took).as_nanos()).unwrap_or(0);
        match &call.exchange {
            Exchange::ExttsRequest(_, told) if told.flags & PTP_ENABLE_FEATURE != 0 => {
                since.entry(told.index).or_insert(ended);
            }
            Exchange::Read(read) => {
                for event in read {
                    let since = since.get(&event.index).copied().unwrap_or(0);
                    let event =
                        Event { after: ended - since, told: *event, read_at: began + ended };
                    events.entry(event.told.index).or_default().push(event);
                }
            }
            _ => {}
        }
    }
    events
}
