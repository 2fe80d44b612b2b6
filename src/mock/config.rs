//! `mock:PROFILE,KEY=VALUE,…`: which clock the mock is and how its world behaves.

use super::bus::Shape;
use super::fault::Faults;
use super::linux::Linux;
use super::outputs::Wants;
use super::profile::{PROFILES, Profile};
use super::replay::Recorded;
use super::{Failure, MockError, When};
use crate::decimal::Decimal;
use crate::kernel::{ENOTSUPP, NoSuchCall};
use crate::{Frequency, Offset};
use nix::errno::Errno;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// What a mock clock is like, read from the text that users give as the device.
///
/// `mock` alone is `mock:full`. After the profile come settings, with commas between them:
///
/// | setting | meaning | default |
/// |---|---|---|
/// | `kernel=6.1` | answer as this Linux does | the newest |
/// | `state=FILE` | keep the clock in this file across calls | forget it |
/// | `time=virtual` | time passes only when it is waited for | the machine's time |
/// | `seed=N` | the seed of random noise and delays | 1 |
/// | `offset=37s` | the clock − UTC at first | 0 |
/// | `unset` | the clock begins at 1970 | |
/// | `freq=12ppb` | the oscillator's frequency offset | 0 |
/// | `drift=1ppb` | its change in a second | 0 |
/// | `noise=20ns` | its phase wanders by this at most | 0 |
/// | `walk=10ppb` | its frequency walks at random; this is its ADEV at 1 s | 0 |
/// | `steered=100ppb` | a servo dials another frequency each second, of this standard deviation | 0 |
/// | `freq-step=10ppm@5s` | its frequency changes by this much, this long after the start | none |
/// | `step=1ms@5s` | the clock is stepped by this much, this long after the start | none |
/// | `read=600ns`, `jitter=400ns` | each way of a reading takes this long, and up to this much more | 600 ns, 400 ns |
/// | `shape=uniform` | how the jitter is spread: `uniform`, `exponential` (of this mean), `pareto`, `bimodal` (all of it or nothing), `bell` (of this standard deviation) | `uniform` |
/// | `edge=20ns` | the standard deviation of a normal time that is added to every way: a soft edge | 0 |
/// | `late=20us` | three of ten ways take up to this much longer | 0 |
/// | `resolution=8ns` | the clock shows multiples of this | 1 ns |
/// | `limit=125`, `others=50` | the card allows this many readings a second, of which other programs take `others`; beyond the limit it answers EBUSY for 1 ms | no limit, 0 |
/// | `driver=ena` | the driver's name in sysfs | none |
/// | `word=32` | the kernel is of a 32-bit processor, and cuts frequencies to 32 bits | 64 |
/// | `reversed` | the system times of extended samples are the wrong way round | |
/// | `signal=1s`, `off` | the period of the signal at every timestamp input | 1 s |
/// | `signal-phase=5ns` | its rising edges come this long after each multiple of the period | 0 |
/// | `signal-width=1ms` | its falling edges come this long after the rising ones | a tenth of the period |
/// | `loop=OUT:IN` | pin OUT is wired to pin IN | no wire |
/// | `servo=100ms` | phase control halves what is left in this time | 100 ms |
/// | `claimed-error=300ns` | the driver claims that the clock is off by this at most | none |
/// | `tai=37s` | TAI − UTC in the system's kernel; 0: not set; unknown: not set, and there is no list of leap seconds | 37 s |
/// | `aux=0` | this auxiliary system clock is switched on | none |
/// | `outputs=phase` | what the driver requires of an output: a `phase`, a start that is `zero`, has `32bit`, is on a `second` or is `ahead`, a period of `1hz`, a duty cycle of `half` | nothing |
/// | `held-by=phc2sys` | a program of this name has it open; several may | none |
/// | `unprivileged` | the caller has no `CAP_SYS_TIME` | it has |
/// | `lax` | the driver refuses every strict request, as old ones do | |
/// | `fault=stuck-time` | the driver doesn't keep its word: one of [`faults`](super::faults) | it does |
/// | `fail=CALL:ERRNO` | the next call of this name fails; `CALL#2`: the one after that; `CALL/20`: every 20th; `CALL~2.5%`: this share of the calls, at random | |
/// | `log=FILE` | append the name of each call that is made, a line each | |
/// | `remove=2s` | the clock goes away this long after it was opened | it stays |
///
/// `mock:replay=FILE` is a clock that was recorded with `ptpctl trace --record`. It has the recorded
/// driver, pins and kernel, its offset and frequency at the beginning, the delays of its readings,
/// and its errors, as often as they were. With `exact` each call gets the recorded answers, one after
/// the other, as long as there are any; `clock=ptp1` names a clock of a recording of several. Other
/// settings come after these.
///
/// # Examples
///
/// ```
/// let config: ptpctl::mock::Config = "mock:igb,kernel=5.4,time=virtual".parse()?;
/// assert!("mock:nosuch".parse::<ptpctl::mock::Config>().is_err());
/// # Ok::<(), ptpctl::mock::MockError>(())
/// ```
#[expect(clippy::struct_excessive_bools, reason = "a clock is like this or not")]
#[derive(Clone, Debug)]
pub struct Config {
    pub(super) profile: &'static Profile,
    pub(super) kernel: Linux,
    pub(super) state: Option<PathBuf>,
    pub(super) virtual_time: bool,
    pub(super) seed: u64,
    pub(super) offset: Offset,
    pub(super) unset: bool,
    pub(super) frequency: Frequency,
    pub(super) drift: Frequency,
    pub(super) noise: Offset,
    pub(super) read: Offset,
    pub(super) jitter: Offset,
    pub(super) walk: Frequency,
    pub(super) steered: Frequency,
    pub(super) frequency_step: Option<(Frequency, Offset)>,
    pub(super) step: Option<(Offset, Offset)>,
    pub(super) shape: Shape,
    pub(super) edge: Offset,
    pub(super) late: Offset,
    pub(super) resolution: Offset,
    pub(super) limit: Option<i64>,
    pub(super) others: i64,
    pub(super) reversed: bool,
    /// How many bits the kernel's `long` has.
    pub(super) bits_of_long: u32,
    pub(super) driver: String,
    pub(super) signal: Option<Offset>,
    pub(super) signal_phase: Offset,
    pub(super) signal_width: Option<Offset>,
    pub(super) wire: Option<(u32, u32)>,
    pub(super) servo: Offset,
    pub(super) claimed_error: Option<Offset>,
    pub(super) tai: i32,
    pub(super) aux: Option<u8>,
    pub(super) unprivileged: bool,
    /// Whether its system has a list of leap seconds.
    pub(super) knows_leap_seconds: bool,
    pub(super) held_by: Vec<String>,
    pub(super) outputs: Vec<Wants>,
    pub(super) strict: bool,
    pub(super) faults: Faults,
    pub(super) fail: Vec<Failure>,
    pub(super) remove: Option<Offset>,
    pub(super) log: Option<PathBuf>,
    /// The recorded clock that it answers as, and whether exactly.
    pub(super) replay: Option<Arc<Recorded>>,
    pub(super) exact: bool,
    /// Whether its readings take as long as the recorded ones: they don't where it is said how long.
    pub(super) has_recorded_delays: bool,
    /// The frequency that is dialled at first.
    pub(super) dialled: Frequency,
}

/// The settings that say how long a reading takes.
const DELAYS: [&str; 5] = ["read", "jitter", "shape", "edge", "late"];
/// The widest that the mock's oscillator and its delays may be set to.
const MOST_NOISE: i64 = 1_000_000;
const MOST_DELAY: i64 = 1_000_000_000;
/// The largest step of its frequency, in ppb.
pub(super) const MOST_FREQUENCY_STEP: i32 = 1_000_000;
/// The shortest period of a signal: a faster signal would keep the machine too busy.
const SHORTEST_SIGNAL: i64 = 1_000;

impl FromStr for Config {
    type Err = MockError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |why: String| MockError::Config { text: text.to_owned(), why };
        let settings = match text.strip_prefix("mock") {
            Some("") => "full",
            Some(rest) => rest.strip_prefix(':').unwrap_or(rest),
            None => return Err(refuse("a mock's name begins with 'mock'".into())),
        };
        if let Some(rest) = settings.strip_prefix("replay=") {
            return Self::replaying(rest).map_err(refuse);
        }
        if settings.split(',').next() == Some("replay") {
            return Err(refuse("it takes a recording: mock:replay=FILE".into()));
        }
        let (profile, settings) = settings.split_once(',').unwrap_or((settings, ""));
        let profile = if profile.is_empty() { "full" } else { profile };
        let found = PROFILES.iter().find(|known| known.name == profile).ok_or_else(|| {
            let names: Vec<_> = PROFILES.iter().map(|profile| profile.name).collect();
            refuse(format!("'{profile}' is none of its profiles, {}", names.join(", ")))
        })?;
        Self::of(found).with(settings).map_err(refuse)
    }
}

/// The names of all settings, with = where they take a value.
#[cfg(feature = "cli")]
pub(crate) fn settings() -> impl Iterator<Item = &'static str> {
    [
        "kernel=",
        "state=",
        "time=",
        "seed=",
        "offset=",
        "unset",
        "freq=",
        "drift=",
        "noise=",
        "read=",
        "jitter=",
        "walk=",
        "steered=",
        "freq-step=",
        "step=",
        "shape=",
        "edge=",
        "late=",
        "resolution=",
        "limit=",
        "others=",
        "driver=",
        "reversed",
        "word=",
        "signal=",
        "signal-phase=",
        "signal-width=",
        "loop=",
        "servo=",
        "claimed-error=",
        "tai=",
        "aux=",
        "outputs=",
        "held-by=",
        "unprivileged",
        "lax",
        "fault=",
        "fail=",
        "log=",
        "remove=",
    ]
    .into_iter()
}

/// The names of all profiles.
#[cfg(feature = "cli")]
pub(crate) fn profiles() -> impl Iterator<Item = &'static str> {
    PROFILES.iter().map(|profile| profile.name)
}

impl Config {
    /// The file that keeps the clock's state.
    pub fn state(&self) -> Option<&PathBuf> {
        self.state.as_ref()
    }

    /// Whether its system has a list of leap seconds.
    pub(crate) fn knows_leap_seconds(&self) -> bool {
        self.knows_leap_seconds
    }

    /// Whether the caller lacks `CAP_SYS_TIME`.
    #[cfg(feature = "cli")]
    pub(crate) fn is_unprivileged(&self) -> bool {
        self.unprivileged
    }

    /// How many ends a wire can have, and what they are: without pins, channels are wired.
    pub(crate) fn ends(&self) -> (u32, &'static str) {
        match self.profile.n_pins {
            0 if self.profile.n_ext_ts > 0 => {
                (self.profile.n_ext_ts.min(self.profile.n_per_out), "channels")
            }
            pins => (pins, "pins"),
        }
    }

    /// How many pins, or channels where there are none, can have a signal; and what they are.
    #[cfg(feature = "cli")]
    pub(crate) fn inputs(&self) -> (u32, &'static str) {
        match self.profile.n_pins {
            _ if self.profile.n_ext_ts == 0 => (0, "inputs"),
            0 => (self.profile.n_ext_ts, "channels"),
            pins => (pins, "pins"),
        }
    }

    /// The calls that are to fail.
    #[cfg(feature = "cli")]
    pub(crate) fn failing(&self) -> impl Iterator<Item = crate::kernel::Call> {
        self.fail.iter().map(|failure| failure.call)
    }

    /// The driver's name.
    #[cfg(feature = "cli")]
    pub(crate) fn driver(&self) -> Option<&str> {
        Some(self.driver.as_str()).filter(|driver| !driver.is_empty())
    }

    /// Whether time passes only when it is waited for.
    #[cfg(feature = "cli")]
    pub(crate) fn is_virtual(&self) -> bool {
        self.virtual_time
    }

    /// The programs that have the clock open, as `list` and notes show them.
    #[cfg(feature = "cli")]
    pub(crate) fn held_by(&self) -> &[String] {
        &self.held_by
    }

    /// The files that the mock reads or writes: its state, its log and its recording.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let recording = self.replay.as_deref().map(Recorded::path);
        self.state.iter().chain(&self.log).chain(recording)
    }

    /// The same mock, which doesn't write its log.
    #[must_use]
    pub fn without_log(self) -> Self {
        Self { log: None, ..self }
    }

    fn of(profile: &'static Profile) -> Self {
        Self {
            profile,
            kernel: Linux::NEWEST,
            state: None,
            virtual_time: false,
            seed: 1,
            offset: Offset::ZERO,
            unset: profile.is_virtual,
            frequency: Frequency::ZERO,
            drift: Frequency::ZERO,
            noise: Offset::ZERO,
            read: Offset::from_nanoseconds(600),
            jitter: Offset::from_nanoseconds(400),
            walk: Frequency::ZERO,
            steered: Frequency::ZERO,
            frequency_step: None,
            step: None,
            shape: Shape::default(),
            edge: Offset::ZERO,
            late: Offset::ZERO,
            resolution: Offset::from_nanoseconds(1),
            limit: None,
            others: 0,
            reversed: false,
            bits_of_long: 64,
            driver: String::new(),
            signal: Some(Offset::from_nanoseconds(1_000_000_000)),
            signal_phase: Offset::ZERO,
            signal_width: None,
            wire: None,
            servo: Offset::from_nanoseconds(100_000_000),
            claimed_error: None,
            tai: 37,
            aux: None,
            unprivileged: false,
            knows_leap_seconds: true,
            held_by: Vec::new(),
            outputs: Vec::new(),
            strict: profile.strict,
            faults: Faults::default(),
            fail: Vec::new(),
            remove: None,
            log: None,
            replay: None,
            exact: false,
            has_recorded_delays: false,
            dialled: Frequency::ZERO,
        }
    }

    /// The same with these settings.
    fn with(mut self, settings: &str) -> Result<Self, String> {
        for setting in settings.split(',').filter(|setting| !setting.is_empty()) {
            let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
            self.set(key, value).map_err(|why| format!("{setting}: {why}"))?;
        }
        if self.limit.is_some_and(|limit| self.others >= limit) {
            return Err("other programs take all readings: others must be below limit".into());
        }
        Ok(self)
    }

    /// A clock that answers as a recorded one: `FILE,exact,clock=ptp1` and other settings.
    fn replaying(text: &str) -> Result<Self, String> {
        let (path, settings) = text.split_once(',').unwrap_or((text, ""));
        let of_replay = |setting: &&str| *setting == "exact" || setting.starts_with("clock=");
        let (own, rest): (Vec<_>, Vec<_>) = settings.split(',').partition(of_replay);
        let clock = own.iter().find_map(|setting| setting.strip_prefix("clock="));
        let recorded = Recorded::open(Path::new(path), clock)
            .and_then(|recorded| Self::of_recorded(recorded, own.contains(&"exact")))
            .map_err(|why| format!("the recording {path} can't be played: {why}"))?;
        recorded.with(&rest.join(","))
    }

    /// A clock that answers as a recorded one.
    pub(super) fn of_recorded(recorded: Recorded, exact: bool) -> Result<Self, String> {
        let (model, signal) = (recorded.model(), recorded.signal());
        let config = Self {
            offset: Offset::from_nanoseconds(i64::try_from(model.offset).unwrap_or(i64::MAX)),
            frequency: Frequency::from_scaled_ppm(model.frequency.saturating_sub(model.dialled)),
            dialled: Frequency::from_scaled_ppm(model.dialled),
            signal: signal.map(|(period, _)| Offset::from_nanoseconds(period)),
            signal_phase: Offset::from_nanoseconds(signal.map_or(0, |(_, phase)| phase)),
            kernel: recorded.kernel().unwrap_or(Linux::NEWEST),
            driver: recorded.facts().driver.clone().filter(|it| is_name(it)).unwrap_or_default(),
            unset: false,
            exact,
            reversed: model.reversed,
            has_recorded_delays: true,
            ..Self::of(recorded.profile()?)
        };
        Ok(Self { replay: Some(Arc::new(recorded)), ..config })
    }

    #[expect(clippy::too_many_lines, reason = "a table: a line or a few for each setting")]
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        self.has_recorded_delays &= !DELAYS.contains(&key);
        match key {
            "kernel" => self.kernel = value.parse()?,
            "state" if !value.is_empty() => self.state = Some(value.into()),
            "time" => {
                self.virtual_time = match value {
                    "virtual" => true,
                    "real" => false,
                    _ => return Err("use real or virtual".into()),
                }
            }
            "seed" => self.seed = value.parse().map_err(|_| "use a whole number".to_owned())?,
            "offset" => self.offset = quantity(value)?,
            "unset" if value.is_empty() => self.unset = true,
            "freq" => self.frequency = slow(value, 100_000_000)?,
            "drift" => self.drift = slow(value, 1_000)?,
            "noise" => self.noise = within(value, 0, MOST_NOISE)?,
            "read" => self.read = within(value, 0, MOST_DELAY)?,
            "jitter" => self.jitter = within(value, 0, MOST_DELAY)?,
            "walk" => self.walk = slow(value, 1_000)?,
            "steered" => self.steered = slow(value, 10_000)?,
            "freq-step" => {
                let (by, at) = then(value)?;
                self.frequency_step = Some((slow(by, MOST_FREQUENCY_STEP)?, at));
            }
            "step" => {
                let (by, at) = then(value)?;
                self.step = Some((quantity(by)?, at));
            }
            "shape" => self.shape = value.parse()?,
            "edge" => self.edge = within(value, 0, MOST_DELAY)?,
            "late" => self.late = within(value, 0, MOST_DELAY)?,
            "resolution" => self.resolution = within(value, 1, 1_000_000_000)?,
            "limit" if value == "off" => self.limit = None,
            "limit" => self.limit = Some(number(value, 1, 1_000_000)?),
            "others" => self.others = number(value, 0, 1_000_000)?,
            "driver" if !value.is_empty() && !is_name(value) => {
                return Err("it is the name of a driver".into());
            }
            "driver" => value.clone_into(&mut self.driver),
            "word" => {
                self.bits_of_long = match value {
                    "32" => 32,
                    "64" => 64,
                    _ => return Err("it is 32 or 64".into()),
                }
            }
            "reversed" if value.is_empty() => self.reversed = true,
            "signal" if value == "off" => self.signal = None,
            "signal" => self.signal = Some(within(value, SHORTEST_SIGNAL, i64::MAX)?),
            "signal-phase" => self.signal_phase = within(value, 0, i64::MAX)?,
            "signal-width" => self.signal_width = Some(within(value, 1, i64::MAX)?),
            "loop" => {
                let (ends, what) = self.ends();
                let end = |text: &str| text.parse().ok().filter(|end| *end < ends);
                self.wire =
                    value.split_once(':').and_then(|(from, to)| Some((end(from)?, end(to)?)));
                if self.wire.is_none() {
                    return Err(format!("use OUT:IN, two of its {ends} {what}"));
                }
            }
            "servo" => self.servo = within(value, 1_000, i64::MAX)?,
            "claimed-error" => self.claimed_error = Some(within(value, 0, i64::MAX)?),
            "tai" if value == "unknown" => (self.tai, self.knows_leap_seconds) = (0, false),
            "tai" => self.tai = whole_seconds(value)?,
            "aux" => {
                let clock = value.parse().ok().filter(|clock| *clock < 8);
                self.aux = Some(clock.ok_or("use a number from 0 to 7")?);
            }
            "outputs" => self.outputs.push(value.parse()?),
            "held-by" if !value.is_empty() => self.held_by.push(value.into()),
            "held-by" => return Err("it takes a program's name: held-by=phc2sys".into()),
            "unprivileged" if value.is_empty() => self.unprivileged = true,
            "lax" if value.is_empty() => self.strict = false,
            "unset" | "unprivileged" | "lax" | "reversed" => return Err("it takes no value".into()),
            "log" if !value.is_empty() => self.log = Some(value.into()),
            "log" => return Err("it takes a file: log=FILE".into()),
            "state" => return Err("it takes a file: state=FILE".into()),
            "fault" => self.faults.add(value.parse()?),
            "fail" => self.fail.push(value.parse()?),
            "replay" | "exact" => {
                return Err(
                    "a recording takes the place of the profile: mock:replay=FILE,exact".into()
                );
            }
            "remove" => self.remove = Some(within(value, 0, i64::MAX)?),
            _ => return Err("there is no such setting: ptpctl-mock(7) has them all".into()),
        }
        Ok(())
    }
}

impl FromStr for Failure {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (call, errno) = text.split_once(':').ok_or("use CALL:ERRNO")?;
        let (call, when) = when(call)?;
        let call = call
            .parse()
            .map_err(|error: NoSuchCall| format!("there is no call '{call}': {error}"))?;
        let number =
            number_of_errno(errno).ok_or("use the name of an errno, such as EIO, or its number")?;
        Ok(Self { call, number, when })
    }
}

/// Whether a text can be the name of a file.
fn is_name(text: &str) -> bool {
    !["", ".", ".."].contains(&text) && !text.contains('/')
}

/// Reads a frequency within a limit: the clock must run forwards.
pub(super) fn slow(value: &str, limit_ppb: i32) -> Result<Frequency, String> {
    let frequency: Frequency = quantity(value)?;
    if frequency.scaled_ppm().abs() <= Frequency::from_ppb(limit_ppb).scaled_ppm() {
        Ok(frequency)
    } else {
        Err(format!("the limit is ±{limit_ppb} ppb"))
    }
}

/// TAI − UTC.
pub(super) fn whole_seconds(value: &str) -> Result<i32, String> {
    let (seconds, rest) = quantity::<Offset>(value)?.seconds_and_nanoseconds();
    let seconds = i32::try_from(seconds).ok().filter(|_| rest == 0);
    seconds.ok_or_else(|| "use whole seconds, such as 37s".to_owned())
}

pub(super) fn quantity<T: FromStr>(text: &str) -> Result<T, String>
where
    T::Err: ToString,
{
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// Splits what happens from how long after the start it happens: `WHAT@TIME`.
fn then(text: &str) -> Result<(&str, Offset), String> {
    let (what, after) = text.split_once('@').ok_or("use WHAT@TIME, such as 1ms@5s")?;
    Ok((what, within(after, 0, i64::MAX)?))
}

fn number(text: &str, least: i64, most: i64) -> Result<i64, String> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("use {least} to {most}"))
}

fn within(text: &str, least: i64, most: i64) -> Result<Offset, String> {
    let offset: Offset = quantity(text)?;
    if (least..=most).contains(&offset.nanoseconds()) {
        Ok(offset)
    } else {
        Err(format!("use {least} to {most} ns"))
    }
}

/// Splits the name of a call from the part that tells which of its calls fail: `CALL`, `CALL#N`,
/// `CALL/N`, `CALL~P%`.
fn when(text: &str) -> Result<(&str, When), String> {
    let number = |text: &str| text.parse().ok().filter(|number: &u32| *number > 0);
    if let Some((call, place)) = text.split_once('#') {
        let place = number(place).ok_or("use CALL#N:ERRNO; the first call is number 1")?;
        return Ok((call, When::Once(place - 1)));
    }
    if let Some((call, every)) = text.split_once('/') {
        return Ok((
            call,
            When::Every(number(every).ok_or("use CALL/N:ERRNO, such as read/20:EIO")?, 0),
        ));
    }
    if let Some((call, share)) = text.split_once('~') {
        let (share, unit) = Decimal::split(share).map_err(|why| why.to_string())?;
        let millionths = share.scaled_exactly(10_000).and_then(|share| u32::try_from(share).ok());
        return match millionths.filter(|share| unit == "%" && *share <= 1_000_000) {
            Some(share) => Ok((call, When::Random(share))),
            None => Err("use CALL~P%:ERRNO, such as read~2.5%:EIO".into()),
        };
    }
    Ok((text, When::Once(0)))
}

/// The number of an errno, from its name, such as `EIO`, or from its number.
fn number_of_errno(name: &str) -> Option<i32> {
    match name {
        "ENOTSUPP" => Some(ENOTSUPP),
        // The kernel has no larger errno.
        number if number.starts_with(|c: char| c.is_ascii_digit()) => {
            number.parse().ok().filter(|number| (1..4_096).contains(number))
        }
        name => (1..=133).find(|number| format!("{:?}", Errno::from_raw(*number)) == name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_and_settings_are_read() {
        let config: Config =
            "mock:igb,kernel=5.4,seed=7,freq=-3ppm,fail=read#2:EIO".parse().expect("a mock");
        assert_eq!((config.profile.name, config.seed), ("igb", 7));
        assert_eq!(config.frequency.scaled_ppm(), -196_608);
        let when = When::Once(1);
        let failure = Failure { call: crate::kernel::Call::Read, number: libc::EIO, when };
        assert_eq!(config.fail, [failure]);
    }

    #[test]
    fn mistakes_are_told() {
        for (text, reason) in [
            ("mock:nosuch", "its profiles, full, clockmatrix"),
            ("mock:full,colour=red", "no such setting"),
            ("mock:igb,replay=x", "takes the place of the profile"),
            ("mock:replay", "it takes a recording: mock:replay=FILE"),
            ("mock:full,seed=x", "whole number"),
            ("mock:full,freq=5", "no unit"),
            ("mock:full,freq=200000ppm", "limit"),
            ("mock:full,drift=2ppm", "limit"),
            ("mock:igb,loop=0:1", "its 0 pins"),
            ("mock:full,fault=nothing", "the faults are stuck-time"),
            ("mock:full,fail=reed:EIO", "the calls are"),
            ("mock:full,fail=read:EWHAT", "errno"),
            ("mock:full,fail=read#0:EIO", "number 1"),
            ("mock:full,signal=1ns", "1000"),
            ("mock:full,state=", "takes a file"),
            ("mock:full,unprivileged=no", "takes no value"),
            ("mock:full,tai=1.5s", "whole seconds"),
            ("mocking", "profiles"),
        ] {
            let message = text.parse::<Config>().expect_err(text).to_string();
            assert!(message.contains(reason), "{text}: {message}");
        }
    }
}
