//! The mock: a PTP hardware clock in the process, at the seam.
//!
//! It answers as the kernel's PTP core does, errno by errno, over a simulated chip: an oscillator
//! that runs, phase control that acts, outputs that can be wired to inputs. The sources are
//! `drivers/ptp/ptp_chardev.c`, `ptp_clock.c` and `ptp_sysfs.c` of Linux.

mod bus;
mod chip;
mod config;
mod core;
mod fault;
#[cfg(feature = "cli")]
mod incident;
mod linux;
mod oscillator;
mod outputs;
#[cfg(feature = "cli")]
mod pace;
mod profile;
mod queue;
pub(crate) mod recording;
mod replay;
mod state;
#[cfg(feature = "cli")]
mod system;
mod time;
#[cfg(feature = "cli")]
mod wire;

pub use config::Config;
#[cfg(feature = "cli")]
pub(crate) use config::{profiles, settings};
pub use fault::faults;
#[cfg(feature = "cli")]
pub(crate) use incident::{CHANGEABLE, Incident};
pub use linux::{Feature, Linux};
#[cfg(feature = "cli")]
pub(crate) use pace::Pace;
#[cfg(feature = "cli")]
pub(crate) use system::{SharedClock, SystemConfig};
#[cfg(feature = "cli")]
pub(crate) use wire::Wire;

use crate::Offset;
use crate::files::{self, Identity};
use crate::kernel::{self, Call, uapi::ptp_pin_desc};
use bus::{Limit, Way};
use chip::{Chip, Output, Signal, Source};
use fault::Fault;
use nix::errno::Errno;
use oscillator::{Oscillator, Random, Wandered};
use queue::Queue;
use replay::Replay;
use state::StateFile;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use time::Time;

/// One open handle of a mock clock. Dropping it closes the handle.
pub struct Mock {
    world: Arc<Mutex<World>>,
    handle: u64,
    write: bool,
}

/// A failure that the user asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Failure {
    call: Call,
    number: i32,
    when: When,
}

/// Which calls fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// One call, after this many that succeed; then no more.
    Once(u32),
    /// Every n-th call; and how many have succeeded since the last that failed.
    Every(u32, u32),
    /// This many of a million calls, at random.
    Random(u32),
}

/// A call, and what tells it from others of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Asked {
    call: Call,
    /// The version of a request; 0 where there is only one.
    version: u8,
    /// The pin or the channel; the modes of `clock_adjtime`; 1 for switching on, or for writing.
    which: u32,
}

impl From<Call> for Asked {
    fn from(call: Call) -> Self {
        Self { call, version: 0, which: 0 }
    }
}

impl Asked {
    fn of(call: Call, version: kernel::Version, which: u32) -> Self {
        let version = if version == kernel::Version::V1 { 1 } else { 2 };
        Self { call, version, which }
    }
}

/// A mock clock and everything around it.
struct World {
    config: Config,
    time: Time,
    random: Random,
    chip: Chip,
    pins: Vec<ptp_pin_desc>,
    virtual_clocks: u32,
    /// One queue for each handle; before Linux 6.7 one for all of them, under handle 0.
    queues: BTreeMap<u64, Queue>,
    handles: u64,
    /// Up to when events have been made: true time, and what the clock showed.
    emitted: (i128, i128),
    /// How many readings and events there were: some faults act only now and then.
    readings: u32,
    events: u32,
    /// How often the clock may be read.
    limit: Option<Limit>,
    /// Counts of readings that somebody began.
    #[cfg(feature = "cli")]
    paces: Vec<pace::Pace>,
    /// Pins, or channels where there are none, whose signal has stopped.
    silent: BTreeSet<u32>,
    /// Those that another clock's output is wired to.
    wired: BTreeSet<u32>,
    /// An event that is delivered after the next one.
    held: Option<kernel::uapi::ExttsEvent>,
    failures: Vec<Failure>,
    removal: Option<i128>,
    /// The recorded clock that it answers as.
    replay: Option<Replay>,
    file: Option<StateFile>,
    log: Option<File>,
}

impl Mock {
    /// Opens a new mock clock for reading and writing.
    ///
    /// # Errors
    ///
    /// [`MockError`] where the state file can't be used or the profile is read-only.
    pub fn new(config: &Config) -> Result<Self, MockError> {
        Self::open(config, true)
    }

    /// Opens a new mock clock; without `write` nothing can be changed, and the state file stays as
    /// it is.
    ///
    /// # Errors
    ///
    /// [`MockError`] where the state file can't be used or the profile is read-only.
    pub fn open(config: &Config, write: bool) -> Result<Self, MockError> {
        let fails =
            |failure: &&Failure| failure.call == Call::Open && failure.when == When::Once(0);
        if let Some(failure) = config.fail.iter().find(fails) {
            return Err(MockError::Open(kernel::answer_with(failure.number)));
        }
        if write && config.profile.read_only {
            return Err(MockError::Open(Errno::EACCES));
        }
        let mut world = World::new(config, write)?;
        let asked = Asked { which: u32::from(write), ..Call::Open.into() };
        world.recorded_failure(asked).map_err(MockError::Open)?;
        let first = Self { world: Arc::new(Mutex::new(world)), handle: 0, write };
        Ok(first.again(write))
    }

    /// Opens the same clock again: another handle, with a queue of its own.
    #[must_use]
    pub fn again(&self, write: bool) -> Self {
        let mut world = self.lock();
        // Events from before it was opened aren't for the new handle.
        world.emit();
        world.handles += 1;
        let handle = world.handles;
        if world.config.kernel.has(Feature::QueuePerHandle) {
            world.queues.insert(handle, Queue::default());
        }
        Self { world: Arc::clone(&self.world), handle, write }
    }

    /// Makes the next call of this method fail.
    pub fn fail_next(&self, call: Call, errno: Errno) {
        let number = errno as i32;
        self.lock().failures.push(Failure { call, number, when: When::Once(0) });
    }

    /// Takes the clock away: whatever is called from now on answers `ENODEV`.
    pub fn remove(&self) {
        let mut world = self.lock();
        world.removal = Some(world.time.now());
    }

    /// Takes the clock away after `duration`: a call that is waiting then answers `ENODEV`, too.
    pub fn remove_after(&self, duration: std::time::Duration) {
        let mut world = self.lock();
        let nanoseconds = i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX);
        world.removal = Some(world.time.now().saturating_add(nanoseconds));
    }

    /// From now on no call waits for longer than half a millisecond: a reading that takes longer
    /// has late times, but its answer comes at once.
    #[cfg(feature = "cli")]
    pub(crate) fn never_wait(&self) {
        self.lock().time.never_wait();
    }

    /// A clock that nobody has opened yet: [`Mock::open_again`] opens it for the first time.
    ///
    /// # Errors
    ///
    /// [`MockError`] where the state file can't be used.
    #[cfg(feature = "cli")]
    pub(crate) fn unopened(config: &Config) -> Result<Self, MockError> {
        let mut world = World::new(config, !config.profile.read_only)?;
        world.failures.clone_from(&config.fail);
        Ok(Self { world: Arc::new(Mutex::new(world)), handle: 0, write: false })
    }

    /// Opens the clock again as [`Calls::reopen`](kernel::Calls::reopen) does.
    #[cfg(feature = "cli")]
    pub(crate) fn open_again(&self, write: bool) -> kernel::Result<Self> {
        self.may_open(write)?;
        Ok(self.again(write))
    }

    /// Takes the events that have come for this handle; answers how many were stored.
    #[cfg(feature = "cli")]
    pub(crate) fn take_events(&self, events: &mut [kernel::uapi::ExttsEvent]) -> usize {
        let mut world = self.lock();
        world.catch_up();
        if world.is_gone() {
            return 0;
        }
        world.emit();
        let own = self.queue(&world);
        world.queues.get_mut(&own).map_or(0, |queue| queue.pop(events))
    }

    /// From now on `CLOCK_REALTIME` is this clock for all calls.
    #[cfg(feature = "cli")]
    pub(crate) fn share_system_clock(&self, clock: &SharedClock) {
        self.lock().time.share(clock);
    }

    /// Whether the clock has gone.
    #[cfg(feature = "cli")]
    pub(crate) fn has_gone(&self) -> bool {
        self.lock().is_gone()
    }

    /// How long until the clock goes; `None` where it stays.
    #[cfg(feature = "cli")]
    pub(crate) fn until_it_goes(&self) -> Option<std::time::Duration> {
        let mut world = self.lock();
        let now = world.time.now();
        let left = world.removal.map(|removal| removal - now).filter(|left| *left > 0)?;
        Some(std::time::Duration::from_nanos(u64::try_from(left).unwrap_or(u64::MAX)))
    }

    /// How long until the next event may come; `None` where none is to come.
    #[cfg(feature = "cli")]
    pub(crate) fn until_next_event(&self) -> Option<std::time::Duration> {
        let next = self.lock().until_next_event()?;
        Some(std::time::Duration::from_nanos(u64::try_from(next).unwrap_or(0)))
    }

    /// Lets time pass. Virtual time is advanced, and stands still in the year 2262, where 64 bits
    /// of nanoseconds end. With the machine's own time, this waits.
    pub fn pass(&self, duration: std::time::Duration) {
        let nanoseconds = i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX);
        self.lock().time.pass(nanoseconds);
    }

    /// The phase offset that the chip was given last, in nanoseconds.
    pub fn phase_register(&self) -> i64 {
        self.lock().chip.phase.register
    }

    /// The clock − true UTC, in nanoseconds: what a measurement should find.
    pub fn true_offset(&self) -> i128 {
        let mut world = self.lock();
        let now = world.time.now();
        world.chip.shows(now) - now
    }

    /// Whether the clock gives the kernel a pulse per second.
    pub fn pps_is_on(&self) -> bool {
        self.lock().chip.pps
    }

    /// The channels whose external timestamps are on.
    pub fn extts_that_are_on(&self) -> Vec<u32> {
        self.lock().chip.inputs.keys().copied().collect()
    }

    /// The channels whose periodic outputs are on.
    pub fn perouts_that_are_on(&self) -> Vec<u32> {
        self.lock().chip.outputs.keys().copied().collect()
    }

    /// Plays these bytes as a recording, for the fuzz targets.
    #[cfg(fuzzing)]
    pub(crate) fn playing(bytes: &[u8], exact: bool) -> Option<Self> {
        let recorded = replay::Recorded::of(bytes, None).ok()?;
        let config = Config::of_recorded(recorded, exact).ok()?;
        Self::new(&Config { virtual_time: true, ..config }).ok()
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let handle = self.handle;
        let mut world = self.lock();
        // As the kernel does, closing a handle switches nothing off.
        if world.config.kernel.has(Feature::QueuePerHandle) {
            world.queues.remove(&handle);
        }
        if handle > 0 && world.time.is_virtual() {
            // Virtual time continues from here the next time. An error can't be reported in `drop`.
            let _ = world.save_if_locked();
        }
    }
}

fn is_one_file(one: &Path, other: Option<&PathBuf>) -> bool {
    let identity = Identity::of(one);
    other.is_some_and(|other| identity.is_ok_and(|identity| identity.is_at(other)))
}

impl When {
    /// Whether this call fails.
    fn fails(&mut self, random: &mut Random) -> bool {
        match self {
            Self::Once(0) => true,
            Self::Once(after) => {
                *after -= 1;
                false
            }
            Self::Every(number, passed) => {
                *passed = (*passed + 1) % *number;
                *passed == 0
            }
            Self::Random(share) => random.up_to(999_999) < i128::from(*share),
        }
    }
}

/// The failures that are still to come when a clock has been opened.
fn after_the_first_open(failures: &[Failure]) -> Vec<Failure> {
    let mut failures = failures.to_vec();
    for failure in failures.iter_mut().filter(|failure| failure.call == Call::Open) {
        if let When::Once(after) = &mut failure.when {
            *after = after.saturating_sub(1);
        }
    }
    failures
}

/// The file that a mock's calls are logged to.
fn log_of(config: &Config) -> Result<Option<File>, MockError> {
    Ok(match &config.log {
        Some(path) if is_one_file(path, config.state.as_ref()) => {
            let why = "it is the mock's state, too".into();
            return Err(MockError::Log { path: path.clone(), why });
        }
        Some(path) => {
            let options = OpenOptions::new().append(true).create(true).clone();
            Some(files::open(path, &options, 0).map_err(|error| MockError::Log {
                path: path.clone(),
                why: kernel::in_words(&error),
            })?)
        }
        None => None,
    })
}

/// How much too fast a clock with that fault is, in scaled ppm: 1 %.
const FAST: i64 = 10_000 << 16;

fn oscillator_of(config: &Config) -> Oscillator {
    let fast = if config.faults.has(Fault::Fast) { FAST } else { 0 };
    let after = |(by, after): (i64, Offset)| (by, i128::from(after.nanoseconds()));
    Oscillator {
        frequency: config.frequency.scaled_ppm() + fast,
        drift: config.drift.scaled_ppm(),
        noise: config.noise.nanoseconds(),
        walk: config.walk.scaled_ppm(),
        steered: config.steered.scaled_ppm(),
        frequency_steps: config
            .frequency_step
            .map(|(by, at)| after((by.scaled_ppm(), at)))
            .into_iter()
            .collect(),
        steps: config.step.map(|(by, at)| after((by.nanoseconds(), at))).into_iter().collect(),
        seed: config.seed,
        wandered: Wandered::default(),
    }
}

impl World {
    fn new(config: &Config, write: bool) -> Result<Self, MockError> {
        let (file, kept) = match &config.state {
            Some(path) => {
                let (file, kept) = StateFile::open(path, write)?;
                (Some(file), kept)
            }
            None => (None, None),
        };
        let log = log_of(config)?;
        let mut time = if config.virtual_time {
            Time::starting_virtual(time::VIRTUAL_START)
        } else {
            Time::real().map_err(MockError::Open)?
        };
        let now = time.now();
        let first = if config.unset { 0 } else { now };
        let first = first + i128::from(config.offset.nanoseconds());
        let servo = config.servo.nanoseconds().into();
        let mut chip = Chip::new(oscillator_of(config), now, first, servo, config.faults);
        chip.dialled = config.dialled.scaled_ppm();
        let mut world = Self {
            time,
            random: Random(config.seed),
            chip,
            pins: core::pins_at_first(config),
            virtual_clocks: 0,
            queues: BTreeMap::new(),
            handles: 0,
            emitted: (now, first),
            readings: 0,
            events: 0,
            limit: config.limit.map(|allowed| Limit::new(allowed, config.others, now)),
            #[cfg(feature = "cli")]
            paces: Vec::new(),
            silent: BTreeSet::new(),
            wired: BTreeSet::new(),
            held: None,
            failures: after_the_first_open(&config.fail),
            removal: None,
            replay: config.replay.as_ref().map(|it| Replay::new(Arc::clone(it), config.exact)),
            file,
            log,
            config: config.clone(),
        };
        if !config.kernel.has(Feature::QueuePerHandle) {
            world.queues.insert(0, Queue::default());
        }
        if let (Some(path), Some(kept)) = (&config.state, kept) {
            state::restore(&mut world, &kept)
                .map_err(|why| MockError::State { path: path.clone(), why })?;
        }
        let now = world.time.now();
        world.removal = config.remove.map(|after| now + i128::from(after.nanoseconds()));
        world.save_if_locked().map_err(MockError::Open)?;
        Ok(world)
    }

    /// Takes over the changes that another process has made to the clock meanwhile. With virtual
    /// time, each process has a time and a clock of its own.
    fn catch_up(&mut self) {
        if self.time.is_virtual() {
            return;
        }
        let Some(kept) = self.file.as_mut().and_then(StateFile::changed) else { return };
        self.emit();
        let random = self.random;
        // A state that doesn't fit leaves the clock as it is; the next open reports it.
        let _ = state::restore(self, &kept);
        self.random = random;
    }

    /// Logs a call, and fails it where that was asked for, or where the recorded clock failed.
    fn failure(&mut self, asked: impl Into<Asked>) -> kernel::Result<()> {
        let asked = asked.into();
        let call = asked.call;
        if let Some(log) = &mut self.log {
            // Where the log can't be written, as on a full disk, the clock goes on.
            let _ = writeln!(log, "{}", call.method());
        }
        let mut failed = None;
        for (place, failure) in self.failures.iter_mut().enumerate() {
            if failure.call == call && failure.when.fails(&mut self.random) {
                failed = Some((place, failure.number, failure.when));
                break;
            }
        }
        let Some((place, number, when)) = failed else { return self.recorded_failure(asked) };
        if let When::Once(_) = when {
            self.failures.remove(place);
        }
        Err(kernel::answer_with(number))
    }

    fn is_gone(&mut self) -> bool {
        let now = self.time.now();
        self.removal.is_some_and(|removal| removal <= now)
    }

    /// Lets the time pass that one way of a reading takes.
    fn pass_a_reading(&mut self) -> i128 {
        let replay = self.replay.as_mut().filter(|_| self.config.has_recorded_delays);
        let recorded = replay.and_then(|replay| replay.way(&mut self.random));
        if let Some(recorded) = recorded {
            return self.time.pass(recorded);
        }
        let way = Way {
            least: self.config.read.nanoseconds(),
            jitter: self.config.jitter.nanoseconds(),
            shape: self.config.shape,
            edge: self.config.edge.nanoseconds(),
            late: self.config.late.nanoseconds(),
        };
        let time = way.time(&mut self.random);
        self.time.pass(time)
    }

    /// Counts a reading, which the card may not allow.
    fn count_a_reading(&mut self) -> kernel::Result<()> {
        let now = self.time.now();
        #[cfg(feature = "cli")]
        self.paces.iter_mut().for_each(|pace| pace.count(now));
        self.limit.as_mut().map_or(Ok(()), |limit| limit.take(now))
    }

    /// What the clock shows, cut to its resolution.
    fn resolved(&self, shown: i128) -> i128 {
        let step = i128::from(self.config.resolution.nanoseconds().max(1));
        let shown = shown + self.replay.as_ref().map_or(0, Replay::wander);
        shown.div_euclid(step) * step
    }

    /// The channel that a pin has in this function; without pins, channels are wired.
    fn channel_of(&self, pin: u32, function: u32) -> Option<u32> {
        if self.pins.is_empty() {
            return Some(pin);
        }
        let pin = self.pins.get(pin as usize)?;
        (pin.func == function).then_some(pin.chan)
    }

    /// Whether the signal at an input channel has stopped.
    fn is_silent(&self, channel: u32) -> bool {
        self.silent.iter().any(|pin| self.is_input_of(*pin, channel))
    }

    /// Whether what comes to a pin comes to an input channel.
    fn is_input_of(&self, pin: u32, channel: u32) -> bool {
        self.channel_of(pin, kernel::uapi::PTP_PF_EXTTS) == Some(channel)
    }

    /// Where the edges at an input channel come from.
    fn source(&self, channel: u32) -> Source {
        let is_wired = self.wired.iter().any(|pin| self.is_input_of(*pin, channel));
        if is_wired || self.is_silent(channel) {
            return Source::Nowhere;
        }
        if let Some((from, to)) = self.config.wire
            && self.channel_of(to, kernel::uapi::PTP_PF_EXTTS) == Some(channel)
        {
            let output = self.channel_of(from, kernel::uapi::PTP_PF_PEROUT);
            let output = output.and_then(|channel| self.chip.outputs.get(&channel));
            return output.map_or(Source::Nowhere, |output| Source::Loop(*output));
        }
        if self.replay.as_ref().is_some_and(|replay| replay.has_events(channel)) {
            return Source::Nowhere;
        }
        let Some(period) = self.config.signal.map(|period| i128::from(period.nanoseconds())) else {
            return Source::Nowhere;
        };
        let width =
            self.config.signal_width.map_or(period / 10, |width| width.nanoseconds().into());
        Source::Outside(Signal {
            period,
            phase: self.config.signal_phase.nanoseconds().into(),
            width,
        })
    }

    /// Makes the events up to now and puts them into the queues.
    fn emit(&mut self) {
        let now = self.time.now();
        let channels: Vec<u32> = self.chip.inputs.keys().copied().collect();
        let mut events: Vec<_> = channels
            .into_iter()
            .flat_map(|channel| self.chip.events(channel, self.source(channel), self.emitted, now))
            .collect();
        events.sort_by_key(|(time, _)| *time);
        events.extend(self.recorded_events(now).into_iter().map(|event| (now, event)));
        let marks = self.config.kernel.has(Feature::ExtOffset);
        for (_, mut event) in events {
            if !marks {
                event.flags = 0;
            }
            for event in self.as_they_come(event) {
                self.deliver(event);
            }
        }
        self.emitted = (now, self.chip.shows(now));
    }

    /// An event as a faulty driver passes it on: late, or not at all.
    fn as_they_come(&mut self, event: kernel::uapi::ExttsEvent) -> Vec<kernel::uapi::ExttsEvent> {
        self.events += 1;
        let now_and_then = self.events % 5 == 4;
        let has = |fault| self.config.faults.has(fault) && now_and_then;
        if has(Fault::EventsLost) {
            Vec::new()
        } else if has(Fault::EventsOrder) {
            self.held.replace(event).into_iter().collect()
        } else {
            std::iter::once(event).chain(self.held.take()).collect()
        }
    }

    fn deliver(&mut self, event: kernel::uapi::ExttsEvent) {
        let readers = if self.config.faults.has(Fault::OneReader) { 1 } else { usize::MAX };
        self.queues.values_mut().take(readers).for_each(|queue| queue.push(event));
    }

    /// How long until the next event may come.
    fn until_next_event(&mut self) -> Option<i128> {
        let now = self.time.now();
        let channels = self.chip.inputs.keys();
        let simulated = channels
            .filter_map(|channel| self.chip.until_next(*channel, self.source(*channel), now));
        let recorded = self.replay.as_ref().and_then(|replay| replay.until_next_event(now));
        simulated.chain(recorded).min()
    }

    fn save(&mut self) -> kernel::Result<()> {
        let state = self.file.is_some().then(|| state::of(self));
        match (&mut self.file, state) {
            (Some(file), Some(state)) => file.write(&state),
            _ => Ok(()),
        }
    }

    /// Saves only where this handle may write: a reader leaves the file as it is.
    fn save_if_locked(&mut self) -> kernel::Result<()> {
        if self.file.as_ref().is_some_and(StateFile::is_locked) { self.save() } else { Ok(()) }
    }
}

impl Output {
    fn is_valid(&self) -> bool {
        self.period > 0
    }
}

/// Why a mock clock can't be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MockError {
    /// The text doesn't describe one.
    Config {
        /// The text.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// The state file can't be used. It was left alone.
    State {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// The log can't be written.
    Log {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// What a real device would have answered to `open`.
    Open(Errno),
}

impl fmt::Display for MockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config { text, why } => write!(f, "'{text}' is no mock clock: {why}"),
            Self::State { path, why } => {
                write!(f, "can't use the mock's state in {}: {why}", path.display())
            }
            Self::Log { path, why } => {
                write!(f, "can't write the mock's log to {}: {why}", path.display())
            }
            Self::Open(errno) => write!(f, "can't open the mock clock: {errno}"),
        }
    }
}

impl std::error::Error for MockError {}
