//! All clocks of a machine, or those that are named, measured for as long as a program runs.
//!
//! Each clock is measured against the system clock, and the clocks take turns in being compared with
//! the first one. What is told of a clock is told under a label that stays when its card comes back
//! as another device.

mod label;
mod state;

pub(crate) use super::step::Moment;
pub(crate) use state::State;

use super::meter::Effort;
use super::reading::{Cause, Label, Measurement, Outcome, Reading};
use super::source::{Source, machine_time};
use super::step::Steps;
use crate::find::{self, Holder, Listed};
use crate::kernel::{HardwareTimestamps, hardware_timestamps};
use crate::phc::{Access, Phc, SystemClock};
use crate::{Offset, Rate, RateInterval, Timestamp, Utc};
use label::labels;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often the clocks of the machine are listed again, though none seems to have come or gone: an
/// interface may have been renamed.
const LISTED: Duration = Duration::from_secs(10);
/// How often all processes are looked at for clocks that they have open.
const LOOKED_AT: Duration = Duration::from_mins(1);
/// How often a clock that can't be opened is tried again.
const TRIED: Duration = Duration::from_secs(1);
/// How long a measurement is told, unless the schedule is slower.
const FRESH: Duration = Duration::from_secs(10);

/// What an earlier program measured says nothing of steps after this: in that time, every clock may
/// wander far.
const LATE: Offset = Offset::from_nanoseconds(600_000_000_000);

/// What the system clock is called as a reference.
pub(crate) const SYSTEM: &str = "realtime";

/// The clocks, and what is known of them.
pub(crate) struct Fleet {
    pub(crate) members: Vec<Member>,
    /// When they were read last, by the machine's clock.
    pub(crate) read_at: Option<Timestamp<Utc>>,
    /// Whether all clocks of the machine are meant, and not those that were named.
    is_whole: bool,
    effort: Effort,
    /// How long a measurement is told.
    fresh: Duration,
    /// The devices when they were listed last, and when that was.
    listed: Option<(Vec<String>, Instant)>,
    /// When it was looked last who has clocks open.
    looked: Option<Instant>,
    /// The label of the clock that the others are compared with.
    first: Option<Arc<str>>,
    /// Whose turn it was to be compared with it.
    turn: usize,
}

/// A clock, measured.
pub(crate) struct Member {
    /// Its name as it was given, or one that lasts.
    pub(crate) label: Arc<str>,
    /// What sysfs tells of it, or told while it was there.
    pub(crate) listed: Option<Listed>,
    /// The other processes that have it open, where all processes could be looked at.
    pub(crate) holders: Option<Vec<Holder>>,
    pub(crate) state: State,
    /// Which packets of its interfaces get timestamps.
    pub(crate) timestamps: Vec<(String, HardwareTimestamps)>,
    pub(crate) against_system: Track,
    /// Against the first clock.
    pub(crate) against_first: Track,
    /// How often it went away.
    pub(crate) absences: u64,
    pub(crate) is_there: bool,
    /// Whether it was told that it is absent.
    is_told: bool,
    /// By what it is opened, and not before when.
    name: Option<String>,
    again: Instant,
}

/// What is known of a clock from an earlier program.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) label: String,
    pub(crate) was_there: bool,
    /// How far it was off the system clock.
    pub(crate) last: Option<Moment>,
}

/// What is measured of a clock against one reference.
#[derive(Default)]
pub(crate) struct Track {
    /// What it is measured against: a system clock, or the label of a clock.
    pub(crate) reference: Option<Arc<str>>,
    pub(crate) counts: Counts,
    source: Option<Source>,
    /// The last measurement, and when it came.
    latest: Option<(Reading, Instant)>,
    /// The last measurement of an earlier program.
    before: Option<Moment>,
    /// The last measurements since a step that have a bound, the oldest first.
    lately: VecDeque<(Timestamp<Utc>, Offset, Offset)>,
}

/// How many measurements the rate is averaged over.
const LATELY: usize = 10;

/// What came of the readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// All readings.
    pub(crate) readings: u64,
    /// Those that failed.
    pub(crate) misses: u64,
    /// Those that found a step of the clock or of its reference.
    pub(crate) steps: u64,
}

impl Fleet {
    /// The clocks of these names, or all of the machine where none is named; some may be known
    /// already. Each is read every `interval`, with this effort.
    pub(crate) fn new(
        names: &[String],
        known: &[Known],
        effort: Effort,
        interval: Duration,
    ) -> Self {
        let is_whole = names.is_empty();
        let member = |name: &String| {
            let label = name.as_str().into();
            Member { name: Some(name.clone()), ..Member::new(label) }
        };
        let mut members: Vec<_> = names.iter().map(member).collect();
        if is_whole {
            members.extend(known.iter().map(|known| Member::new(known.label.as_str().into())));
        }
        for member in &mut members {
            if let Some(known) = known.iter().find(|known| *known.label == *member.label) {
                member.is_there = known.was_there;
                member.against_system.before = known.last;
            }
        }
        Self {
            members,
            is_whole,
            read_at: None,
            effort,
            fresh: FRESH.max(interval.saturating_mul(3)),
            listed: None,
            looked: None,
            first: None,
            turn: 0,
        }
    }

    /// Reads each clock once, and compares one with the first. A clock's absence is told once.
    pub(crate) fn read(&mut self) -> Vec<Reading> {
        self.look();
        let effort = self.effort;
        let mut readings: Vec<_> =
            self.members.iter_mut().filter_map(|member| member.read(effort)).collect();
        readings.extend(self.compare());
        self.read_at = Some(machine_time());
        readings
    }

    /// The last measurement of a track, as long as it counts.
    pub(crate) fn fresh<'a>(&self, track: &'a Track) -> Option<(&'a Reading, &'a Measurement)> {
        // Each clock has one turn in a round of comparisons.
        let turns = if track.is_of_system() { 1 } else { self.members.len() };
        let is_away =
            |member: &Member| track.reference.as_ref() == Some(&member.label) && !member.is_there;
        if self.members.iter().any(is_away) {
            return None;
        }
        let fresh = self.fresh.saturating_mul(u32::try_from(turns).unwrap_or(u32::MAX));
        let (reading, _) = track.latest.as_ref().filter(|(_, when)| when.elapsed() < fresh)?;
        Some((reading, reading.outcome.measured()?))
    }

    /// An offset less the whole seconds of the member's time scale, and of its reference's.
    pub(crate) fn time_error(&self, member: &Member, track: &Track, offset: Offset) -> Offset {
        let reference =
            self.members.iter().find(|other| track.reference.as_ref() == Some(&other.label));
        let ahead = |member: &Member| i64::from(member.state.ahead_of_utc.unwrap_or(0));
        let seconds = ahead(member) - reference.map_or(0, ahead);
        offset.saturating_sub(Offset::from_nanoseconds(seconds.saturating_mul(1_000_000_000)))
    }

    /// Looks which clocks there are, if that may have changed.
    fn look(&mut self) {
        let is_due = |last: Option<Instant>, every| last.is_none_or(|last| last.elapsed() >= every);
        let devices = find::device_names();
        let known = self.listed.as_ref().filter(|(known, _)| *known == devices);
        if !is_due(known.map(|(_, when)| *when), LISTED) {
            return;
        }
        let looks = is_due(self.looked, LOOKED_AT);
        let listing = if looks { find::list() } else { find::list_without_holders() };
        self.listed = Some((devices, Instant::now()));
        let (clocks, holders_are_complete) = listing
            .map_or_else(|_| (Vec::new(), false), |all| (all.clocks, all.holders_are_complete));
        if self.is_whole {
            self.take_all(&clocks);
        }
        for member in &mut self.members {
            member.is_listed(&clocks);
            if looks {
                member.is_held(holders_are_complete);
            }
        }
        if looks {
            self.looked = Some(Instant::now());
        }
    }

    /// Takes all clocks that are listed, each under its label.
    fn take_all(&mut self, clocks: &[Listed]) {
        for member in &mut self.members {
            member.name = None;
        }
        for (label, listed) in labels(clocks) {
            let place = self.members.iter().position(|member| *member.label == *label);
            let place = place.unwrap_or_else(|| {
                self.members.push(Member::new(label.into()));
                self.members.len() - 1
            });
            if let Some(member) = self.members.get_mut(place) {
                member.is_at(&listed.device);
            }
        }
    }

    /// Compares the clock whose turn it is with the first clock.
    fn compare(&mut self) -> Option<Reading> {
        if self.first.is_none() {
            self.first = first(&self.members);
        }
        let label = self.first.clone()?;
        let first = self.members.iter().find(|member| member.label == label)?;
        let device = first.phc()?.name().device.clone();
        let number = self.members.len();
        let turns = (1..=number).map(|turn| (self.turn + turn) % number);
        let is_ready = |place: &usize| {
            self.members.get(*place).is_some_and(|one| one.label != label && one.phc().is_some())
        };
        self.turn = turns.into_iter().find(is_ready)?;
        let source = match self.members.get_mut(self.turn)?.compared_with(&device) {
            Some(source) => source,
            None => self.pair(&label)?.with_effort(self.effort),
        };
        self.members.get_mut(self.turn)?.compare(&label, source)
    }

    /// The clock whose turn it is, and the first one.
    fn pair(&self, first: &Arc<str>) -> Option<Source> {
        let first = self.members.iter().find(|member| member.label == *first)?;
        let this = self.members.get(self.turn)?;
        let again = |member: &Member| member.phc()?.reopen(Access::ReadOnly).ok();
        Source::between(again(this)?, again(first)?).ok()
    }
}

/// The clock that the others are compared with: a physical one, if there is one; of these the first in
/// the order of labels, which last.
fn first(members: &[Member]) -> Option<Arc<str>> {
    let is_virtual = |member: &Member| member.listed.as_ref().is_some_and(Listed::is_virtual);
    let there = members.iter().filter(|member| member.is_there);
    there
        .min_by_key(|member| (is_virtual(member), &member.label))
        .map(|member| Arc::clone(&member.label))
}

impl Member {
    fn new(label: Arc<str>) -> Self {
        let reference = Some(SYSTEM.into());
        Self {
            label,
            listed: None,
            holders: None,
            state: State::default(),
            timestamps: Vec::new(),
            against_system: Track { reference, ..Track::default() },
            against_first: Track::default(),
            absences: 0,
            is_there: false,
            is_told: false,
            name: None,
            again: Instant::now(),
        }
    }

    /// The clock, while it is open.
    pub(crate) fn phc(&self) -> Option<&Phc> {
        self.against_system.source.as_ref()?.phc()
    }

    /// Its measurements.
    pub(crate) fn tracks(&self) -> [&Track; 2] {
        [&self.against_system, &self.against_first]
    }

    /// Notes the device that it has now.
    fn is_at(&mut self, device: &str) {
        self.name = Some(device.to_owned());
        if self.phc().is_some_and(|phc| phc.name().device != device) {
            // It came back as another one, before its absence was noticed.
            self.close();
        }
    }

    /// Notes what sysfs tells of it, if it does.
    fn is_listed(&mut self, clocks: &[Listed]) {
        let device = self.phc().map(|phc| phc.name().device.as_str()).or(self.name.as_deref());
        let path = device.and_then(|device| std::fs::canonicalize(device).ok());
        let is_it = |clock: &&Listed| {
            path.as_deref().is_some_and(|path| path.as_os_str() == clock.device.as_str())
        };
        if let Some(listed) = clocks.iter().find(is_it) {
            let names = listed.interfaces.iter().map(|(name, _)| name);
            let asked = |name: &String| Some((name.clone(), hardware_timestamps(name).ok()?));
            self.timestamps = names.filter_map(asked).collect();
            self.listed = Some(listed.clone());
        }
    }

    /// Notes who else has it open, if all processes could be looked at.
    fn is_held(&mut self, are_complete: bool) {
        let listed = self.listed.as_ref().filter(|_| are_complete && self.is_there);
        let others = |holder: &&Holder| holder.process != std::process::id();
        self.holders = listed.map(|listed| listed.holders.iter().filter(others).cloned().collect());
    }

    /// Reads it once against the system clock. Its absence is told once.
    fn read(&mut self, effort: Effort) -> Option<Reading> {
        if self.name.is_none() && self.phc().is_none() {
            // sysfs doesn't list it any more.
            self.absences += u64::from(std::mem::take(&mut self.is_there));
        }
        let reading = match self.open(effort) {
            Ok(()) => self.against_system.source.as_mut()?.read(),
            Err(cause) => self.unopened(cause?),
        };
        let was_there = self.is_there;
        self.is_there = !matches!(reading.outcome, Outcome::Absent(_));
        if !self.is_there {
            self.close();
            self.absences += u64::from(was_there);
            let is_told = std::mem::replace(&mut self.is_told, true);
            return (!is_told).then_some(reading);
        }
        self.is_told = false;
        self.against_system.take(&reading);
        let measured = reading.outcome.measured().map(|measured| (reading.at, measured.offset));
        if let Some(phc) = self.against_system.source.as_ref().and_then(Source::phc) {
            self.state.ask(phc, measured);
        }
        Some(reading)
    }

    /// Opens it, if it isn't open; an error without a cause where it isn't time to try.
    fn open(&mut self, effort: Effort) -> Result<(), Option<Cause>> {
        if self.against_system.source.is_some() {
            return Ok(());
        }
        let name = self.name.as_deref().filter(|_| self.again <= Instant::now()).ok_or(None)?;
        self.again = Instant::now() + TRIED;
        let phc = find::open(name, Access::ReadOnly).map_err(Cause::Find)?;
        self.state = State::of(&phc);
        self.listed.get_or_insert_with(|| Listed::unlisted(&phc));
        let source = Source::of(phc, SystemClock::Realtime).with_effort(effort);
        self.against_system.source = Some(source);
        Ok(())
    }

    fn close(&mut self) {
        self.against_system.close();
        self.against_first.close();
        self.state = State::default();
        self.timestamps.clear();
    }

    /// A reading of a clock that can't be opened.
    fn unopened(&self, cause: Cause) -> Reading {
        let label = Label {
            device: self.name.clone().unwrap_or_default(),
            clock_name: None,
            reference: SYSTEM.to_owned(),
        };
        let is_absence = cause.is_absence();
        let outcome = if is_absence { Outcome::Absent(cause) } else { Outcome::Missed(cause) };
        Reading { source: Arc::new(label), at: machine_time(), outcome }
    }

    /// The source that compares it with a device, if it still has it.
    fn compared_with(&mut self, device: &str) -> Option<Source> {
        let source = self.against_first.source.take()?;
        let is_same =
            |phc: Option<&Phc>, device: &str| phc.is_some_and(|phc| phc.name().device == device);
        let own = &self.phc()?.name().device;
        (is_same(source.phc(), own) && is_same(source.other(), device)).then_some(source)
    }

    /// Compares it with the first clock.
    fn compare(&mut self, label: &Arc<str>, mut source: Source) -> Option<Reading> {
        let track = &mut self.against_first;
        let reading = source.read();
        if !matches!(reading.outcome, Outcome::Absent(_)) {
            track.reference = Some(Arc::clone(label));
            track.source = Some(source);
            track.take(&reading);
            return Some(reading);
        }
        track.close();
        None
    }
}

impl Track {
    /// Whether the reference is a system clock.
    fn is_of_system(&self) -> bool {
        self.reference.as_deref() == Some(SYSTEM)
    }

    /// Notes what came of a reading of a clock that is there.
    fn take(&mut self, reading: &Reading) {
        let measured = reading.outcome.measured();
        self.counts.readings += 1;
        self.counts.misses += u64::from(measured.is_none());
        let Some(measured) = measured else { return };
        let stepped = measured.stepped || self.is_stepped_since_before(reading.at, measured);
        self.counts.steps += u64::from(stepped);
        self.latest = Some((reading.clone(), Instant::now()));
        if stepped {
            self.lately.clear();
        }
        if let Some(bound) = measured.bound {
            self.lately.push_back((reading.at, measured.offset, bound));
        }
        if self.lately.len() > LATELY {
            self.lately.pop_front();
        }
    }

    /// Whether a clock was stepped since an earlier program measured it. The rate is averaged from
    /// there on if it was not.
    fn is_stepped_since_before(&mut self, at: Timestamp<Utc>, measured: &Measurement) -> bool {
        let is_late = |before: &Moment| at.assume().since(before.at).is_none_or(|span| span > LATE);
        let Some(before) = self.before.take().filter(|before| !is_late(before)) else {
            return false;
        };
        let (at, offset, bound) = (at.assume(), measured.offset, measured.bound);
        let mut steps = Steps::default();
        steps.is_step(before);
        let is_step = steps.is_step(Moment { at, offset, bound, rate: None });
        if let (false, Some(bound)) = (is_step, before.bound) {
            self.lately.push_back((before.at.assume(), before.offset, bound));
        }
        is_step
    }

    /// Forgets what was measured, but not how often.
    fn close(&mut self) {
        (self.source, self.latest) = (None, None);
        self.lately.clear();
    }

    /// The average rate over the last measurements, which their bounds leave open.
    pub(crate) fn rate(&self) -> Option<RateInterval> {
        let (from, before, bound) = self.lately.front()?;
        let (to, now, other) = self.lately.back()?;
        let span = to.since(*from).filter(|span| *span > Offset::ZERO)?;
        let middle = Rate::of(now.saturating_sub(*before), span)?;
        Some(RateInterval::around(middle, Rate::of(bound.saturating_add(*other), span)?))
    }
}
