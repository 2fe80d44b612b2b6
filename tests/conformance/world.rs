//! A clock for the cases: a mock, or a real one with ways to control it from outside.

use crate::check::{Check, Stop, skip, works};
use nix::errno::Errno;
use ptpctl::kernel::uapi::{
    ExttsEvent, PTP_PF_NONE, PeroutTimes, clock_time, perout_request, pin_desc, ptp_clock_caps,
    ptp_extts_request, timespec, timex,
};
use ptpctl::kernel::{Calls, Device, Version, Wait, system_gettime, uapi};
use ptpctl::mock::{Config, Feature, Linux, Mock};
use std::cell::{OnceCell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A clock, opened for writing, and what is around it.
pub(crate) struct World {
    pub(crate) kernel: Linux,
    kind: Kind,
    first: RefCell<Option<Box<dyn Calls>>>,
    caps: OnceCell<ptp_clock_caps>,
}

enum Kind {
    Mock(Mock),
    /// A real clock; the simulated chip has registers.
    Real {
        path: PathBuf,
        registers: Option<PathBuf>,
    },
}

/// The time between events. On the real chip it is so long that none comes by itself.
const REAL_PERIOD: Duration = Duration::from_hours(1);
const MOCK_PERIOD: Duration = Duration::from_millis(100);

impl World {
    /// A new mock clock. Its time is virtual, its readings take no time.
    pub(crate) fn mock(profile: &str, kernel: Linux) -> Self {
        Self::with(profile, kernel, "")
    }

    /// A new mock clock of a kernel like that of a real one.
    pub(crate) fn like(profile: &str, real: &Self) -> Self {
        Self::with(profile, real.kernel, &format!(",word={}", real.bits_of_long()))
    }

    fn bits_of_long(&self) -> u32 {
        self.ask(|calls| Ok(calls.bits_of_long())).unwrap_or(64)
    }

    /// What the kernel's `long` holds of a number.
    pub(crate) fn as_long(&self, number: i64) -> i64 {
        let [a, b, c, d, ..] = number.to_le_bytes();
        if self.bits_of_long() == 64 { number } else { i32::from_le_bytes([a, b, c, d]).into() }
    }

    fn with(profile: &str, kernel: Linux, more: &str) -> Self {
        let text = format!(
            "mock:{profile},kernel={kernel},time=virtual,signal=100ms,signal-phase=50ms{more}"
        );
        let mock = text.parse::<Config>().and_then(|config| Mock::new(&config));
        match mock {
            Ok(mock) => Self {
                kernel,
                first: RefCell::new(Some(Box::new(mock.again(true)))),
                kind: Kind::Mock(mock),
                caps: OnceCell::new(),
            },
            Err(error) => unreachable!("{text}: {error}"),
        }
    }

    /// All real clocks of this machine for which there is a mock.
    pub(crate) fn all_real() -> Vec<(&'static str, Self)> {
        let mut found = Vec::new();
        let class = Path::new("/sys/class/ptp");
        let mut names: Vec<_> = fs::read_dir(class)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort();
        for name in names {
            let folder = class.join(&name);
            let clock_name = fs::read_to_string(folder.join("clock_name")).unwrap_or_default();
            let driver = fs::read_link(folder.join("device/driver"));
            let driver = driver.ok().and_then(|link| link.file_name()?.to_str().map(String::from));
            let simulated = PathBuf::from("/sys/kernel/debug/ptpsim/sim");
            let (profile, registers) = match (clock_name.trim(), driver.as_deref()) {
                ("ptpsim sim", _) => ("full", Some(simulated)),
                (_, Some("igb")) => ("igb", None),
                (_, Some("e1000e")) => ("e1000e", None),
                _ => continue,
            };
            let path = Path::new("/dev").join(&name);
            let kind = Kind::Real { path, registers };
            let (first, caps) = (RefCell::new(None), OnceCell::new());
            let world = Self { kernel: running_kernel(), kind, first, caps };
            world.set("extts_period", &REAL_PERIOD.as_nanos().to_string());
            found.push((profile, world));
        }
        found
    }

    /// Another handle.
    pub(crate) fn open(&self, write: bool) -> Result<Box<dyn Calls>, Stop> {
        match &self.kind {
            Kind::Mock(mock) => Ok(Box::new(mock.again(write))),
            Kind::Real { path, .. } => {
                let device = works(Device::open(path, write))?;
                Ok(Box::new(device))
            }
        }
    }

    /// Makes a call on the handle that is always open.
    pub(crate) fn ask<T>(
        &self,
        ask: impl FnOnce(&dyn Calls) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let mut first = self.first.borrow_mut();
        if first.is_none() {
            *first = self.open(true).ok();
        }
        first.as_deref().map_or(Err(Errno::ENXIO), ask)
    }

    pub(crate) fn caps(&self) -> ptp_clock_caps {
        *self.caps.get_or_init(|| {
            self.ask(|clock| clock.getcaps(Version::V1)).unwrap_or_else(|_| uapi::clock_caps())
        })
    }

    /// Whether this kernel has a feature.
    pub(crate) fn has(&self, feature: Feature) -> bool {
        self.kernel.has(feature)
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, duration: Duration) {
        match &self.kind {
            Kind::Mock(mock) => mock.pass(duration),
            Kind::Real { .. } => std::thread::sleep(duration),
        }
    }

    /// The system's monotonic time.
    pub(crate) fn monotonic(&self) -> Result<Duration, Stop> {
        let time = works(self.ask(|clock| clock.system_gettime(libc::CLOCK_MONOTONIC_RAW)))?;
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        Ok(Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0)))
    }

    /// Whether there is a chip behind the clock whose registers can be seen.
    pub(crate) fn is_simulated(&self) -> bool {
        match &self.kind {
            // The mocks of the cards have no visible registers, just like the real cards.
            Kind::Mock(_) => self.caps().n_pins > 0,
            Kind::Real { registers, .. } => registers.is_some(),
        }
    }

    pub(crate) fn needs_simulated(&self) -> Check {
        if self.is_simulated() { Ok(()) } else { skip("no simulated chip") }
    }

    fn register(&self, name: &str) -> Option<PathBuf> {
        match &self.kind {
            Kind::Real { registers: Some(registers), .. } => Some(registers.join(name)),
            _ => None,
        }
    }

    fn set(&self, register: &str, value: &str) {
        if let Some(path) = self.register(register) {
            let _ = fs::write(path, value);
        }
    }

    fn get(&self, register: &str) -> Option<i64> {
        fs::read_to_string(self.register(register)?).ok()?.trim().parse().ok()
    }

    /// Lets the signal come this many times, on every channel that is on.
    pub(crate) fn emit(&self, times: u32) {
        match &self.kind {
            Kind::Mock(mock) => mock.pass(MOCK_PERIOD * times),
            Kind::Real { .. } => self.set("emit", &times.to_string()),
        }
    }

    /// The time between events.
    pub(crate) fn period(&self) -> Duration {
        match &self.kind {
            Kind::Mock(_) => MOCK_PERIOD,
            Kind::Real { .. } => REAL_PERIOD,
        }
    }

    /// The phase offset that the chip was given last.
    pub(crate) fn phase_register(&self) -> Option<i64> {
        match &self.kind {
            Kind::Mock(mock) => Some(mock.phase_register()),
            Kind::Real { .. } => self.get("phase"),
        }
    }

    /// The outputs that are on.
    pub(crate) fn perouts_that_are_on(&self) -> Vec<u32> {
        match &self.kind {
            Kind::Mock(mock) => mock.perouts_that_are_on(),
            Kind::Real { .. } => bits(self.get("perout").unwrap_or(0)),
        }
    }

    /// The inputs that are on.
    pub(crate) fn extts_that_are_on(&self) -> Vec<u32> {
        match &self.kind {
            Kind::Mock(mock) => mock.extts_that_are_on(),
            Kind::Real { .. } => bits(self.get("extts").unwrap_or(0)),
        }
    }

    pub(crate) fn pps_is_on(&self) -> bool {
        match &self.kind {
            Kind::Mock(mock) => mock.pps_is_on(),
            Kind::Real { .. } => self.get("pps") == Some(1),
        }
    }

    /// Does something while the driver refuses every strict request.
    pub(crate) fn while_lax(&self, run: impl FnOnce(&Self) -> Check) -> Check {
        match &self.kind {
            Kind::Mock(_) => run(&Self::with("full", self.kernel, ",lax")),
            Kind::Real { .. } => {
                self.set("refuse_strict", "1");
                let outcome = run(self);
                self.set("refuse_strict", "0");
                outcome
            }
        }
    }

    /// Takes the clock away after a while, runs something, and brings the clock back.
    pub(crate) fn removed(&self, after: Duration, run: impl FnOnce(&dyn Calls) -> Check) -> Check {
        let handle = self.open(true)?;
        match &self.kind {
            Kind::Mock(mock) => mock.remove_after(after),
            Kind::Real { .. } => {
                let Some(remove) = self.register("remove") else {
                    return skip("no simulated chip");
                };
                self.first.replace(None);
                let pull = move || {
                    std::thread::sleep(after);
                    let _ = fs::write(remove, "1");
                    // The driver takes a while to remove it.
                    std::thread::sleep(Duration::from_millis(30));
                };
                if after.is_zero() {
                    pull();
                } else {
                    std::thread::spawn(pull);
                }
            }
        }
        let outcome = run(handle.as_ref());
        drop(handle);
        self.set("insert", "1");
        outcome
    }

    /// The events that wait at a handle.
    pub(crate) fn drain(handle: &dyn Calls) -> Result<Vec<ExttsEvent>, Stop> {
        let mut all = Vec::new();
        while works(handle.wait(&[], Duration::ZERO))? == Wait::Events {
            let mut events = [ExttsEvent::ZERO; 64];
            let number = works(handle.read(&mut events))?;
            all.extend(events.into_iter().take(number));
        }
        Ok(all)
    }

    /// Puts a real clock into the state that a new mock has.
    pub(crate) fn restored(&self) -> Check {
        let caps = self.caps();
        works(self.ask(|clock| {
            if clock.attribute("n_vclocks").is_ok_and(|number| number != "0") {
                clock.set_attribute("n_vclocks", "0")?;
            }
            for channel in 0..count(caps.n_ext_ts) {
                let off = ptp_extts_request { index: channel, flags: 0, rsv: [0; 2] };
                clock.extts_request(Version::V1, &off)?;
            }
            for channel in 0..count(caps.n_per_out) {
                let zero = clock_time(0, 0);
                let times = PeroutTimes { start_or_phase: zero, on: zero };
                clock.perout_request(Version::V1, &perout_request(channel, 0, zero, times))?;
            }
            for pin in 0..count(caps.n_pins) {
                clock.pin_setfunc(Version::V1, &pin_desc(pin, PTP_PF_NONE, 0))?;
            }
            if caps.pps != 0 {
                clock.enable_pps(Version::V1, false)?;
            }
            let mut dial = uapi::timex();
            dial.modes = libc::ADJ_FREQUENCY;
            clock.clock_adjtime(&mut dial)?;
            if caps.adjust_phase != 0 {
                let mut phase = uapi::timex();
                phase.modes = libc::ADJ_OFFSET;
                clock.clock_adjtime(&mut phase)?;
            }
            clock.clock_settime(&system_gettime(libc::CLOCK_REALTIME)?)
        }))?;
        if caps.n_ext_ts > 0 {
            // Before Linux 6.7 there is one queue, which keeps its events when all handles are
            // closed.
            self.ask(|clock| Ok(Self::drain(clock).map(drop))).unwrap_or(Ok(()))?;
        }
        Ok(())
    }

    /// `clock_adjtime` with what `set` sets.
    pub(crate) fn adjtime(&self, modes: u32, set: impl FnOnce(&mut timex)) -> Result<timex, Errno> {
        let mut timex = uapi::timex();
        timex.modes = modes;
        set(&mut timex);
        self.ask(|clock| clock.clock_adjtime(&mut timex))?;
        Ok(timex)
    }

    /// The frequency that is dialled.
    pub(crate) fn dialled(&self) -> Result<i64, Stop> {
        Ok(works(self.adjtime(0, |_| {}))?.freq)
    }

    /// What the clock shows, in nanoseconds.
    pub(crate) fn shows(&self) -> Result<i128, Stop> {
        Ok(nanoseconds(works(self.ask(|clock| clock.clock_gettime()))?))
    }

    /// How far `change` moves the clock.
    pub(crate) fn moved(&self, change: impl FnOnce(&Self) -> Check) -> Result<i128, Stop> {
        let (before, began) = (self.shows()?, self.monotonic()?);
        change(self)?;
        let (after, ended) = (self.shows()?, self.monotonic()?);
        let elapsed = i128::try_from(ended.saturating_sub(began).as_nanos()).unwrap_or(i128::MAX);
        Ok(after - before - elapsed)
    }
}

/// A number of the caps.
pub(crate) fn count(number: libc::c_int) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

pub(crate) fn nanoseconds(time: timespec) -> i128 {
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}

fn bits(mask: i64) -> Vec<u32> {
    (0..64).filter(|bit| mask >> bit & 1 == 1).collect()
}

/// The exact version of the running kernel. Debian writes it after its own name in this file.
fn running_kernel() -> Linux {
    let version = fs::read_to_string("/proc/sys/kernel/version").unwrap_or_default();
    let exact = version.rsplit("Debian ").next().and_then(|rest| rest.split('-').next());
    exact.and_then(|text| text.parse().ok()).unwrap_or(Linux::NEWEST)
}
