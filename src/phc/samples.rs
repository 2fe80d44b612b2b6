//! Readings of a clock between readings of a system clock.

use super::{Error, Phc, Reason, Task};
use crate::kernel::uapi::{self, CLOCK_AUX, MAX_AUX_CLOCKS, PTP_MAX_SAMPLES, ptp_clock_time};
use crate::kernel::{self, Call, Version};
use crate::{Sample, Timestamp};
use nix::errno::Errno;
use std::{fmt, str::FromStr};

/// How a clock and a system clock are read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `PTP_SYS_OFFSET_PRECISE`: hardware reads both at one instant.
    Precise,
    /// `PTP_SYS_OFFSET_EXTENDED`: the driver reads the system clock right before and after reading
    /// the register.
    Extended,
    /// `PTP_SYS_OFFSET`: the kernel reads the system clock before and after asking the driver.
    Basic,
}

impl Method {
    /// The best first.
    pub const ALL: [Self; 3] = [Self::Precise, Self::Extended, Self::Basic];
}

impl Method {
    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Precise => "precise",
            Self::Extended => "extended",
            Self::Basic => "basic",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A clock of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemClock {
    /// `CLOCK_REALTIME`: UTC.
    Realtime,
    /// `CLOCK_MONOTONIC`: time since the start, slewed with the system clock.
    Monotonic,
    /// `CLOCK_MONOTONIC_RAW`: the same, never slewed.
    MonotonicRaw,
    /// `CLOCK_AUX` and the seven after it: 0…7.
    Aux(u8),
}

impl SystemClock {
    /// The kernel's clock id.
    pub fn id(self) -> libc::clockid_t {
        match self {
            Self::Realtime => libc::CLOCK_REALTIME,
            Self::Monotonic => libc::CLOCK_MONOTONIC,
            Self::MonotonicRaw => libc::CLOCK_MONOTONIC_RAW,
            Self::Aux(number) => CLOCK_AUX + libc::clockid_t::from(number),
        }
    }
}

impl fmt::Display for SystemClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Realtime => f.write_str("realtime"),
            Self::Monotonic => f.write_str("monotonic"),
            Self::MonotonicRaw => f.write_str("monotonic-raw"),
            Self::Aux(number) => write!(f, "aux{number}"),
        }
    }
}

impl FromStr for SystemClock {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "realtime" => Ok(Self::Realtime),
            "monotonic" => Ok(Self::Monotonic),
            "monotonic-raw" => Ok(Self::MonotonicRaw),
            _ => text
                .strip_prefix("aux")
                .filter(|number| number.len() == 1)
                .and_then(|number| number.parse().ok())
                .filter(|number| libc::clockid_t::from(*number) < MAX_AUX_CLOCKS)
                .map(Self::Aux)
                .ok_or_else(|| "use realtime, monotonic, monotonic-raw or aux0 to aux7".into()),
        }
    }
}

/// A sample from the kernel's times; `None` where one of them is invalid.
fn sample(before: &ptp_clock_time, phc: &ptp_clock_time, after: &ptp_clock_time) -> Option<Sample> {
    let [before, after] = [before, after].map(|time| Timestamp::new(time.sec, time.nsec));
    Some(Sample { before: before?, phc: Timestamp::new(phc.sec, phc.nsec)?, after: after? })
}

impl Phc {
    /// Reads samples with one method in one call, and appends them: up to 25, or a single precise
    /// one. They are of the clock itself, or with `cycles` of its free-running counter, against
    /// `clock`.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP` where the driver lacks the method, `ENOTTY` where the kernel does, `EINVAL`
    /// for a system clock that the kernel doesn't take here; [`Error::Unable`] for a system clock
    /// that the method never has: only `extended` has all of them, `precise` has realtime and
    /// monotonic-raw, `basic` has realtime. `ENODEV` where the clock has gone, but precise samples
    /// may also answer that where their partner is missing. Any other error may pass: `EBUSY` from
    /// a card that is read too often, `ETIMEDOUT`, `EIO`.
    #[doc(alias = "PTP_SYS_OFFSET")]
    #[doc(alias = "PTP_SYS_OFFSET_EXTENDED")]
    #[doc(alias = "PTP_SYS_OFFSET_PRECISE")]
    #[doc(alias = "PTP_SYS_OFFSET_EXTENDED_CYCLES")]
    #[doc(alias = "PTP_SYS_OFFSET_PRECISE_CYCLES")]
    pub fn batch(
        &self,
        method: Method,
        clock: SystemClock,
        cycles: bool,
        number: u32,
        batch: &mut Vec<Sample>,
    ) -> Result<(), Error> {
        let number = number.clamp(1, PTP_MAX_SAMPLES);
        match method {
            Method::Precise => batch.push(self.precise_sample(clock, cycles)?),
            Method::Extended => self.extended_samples(clock, cycles, number, batch)?,
            Method::Basic => self.basic_samples(clock, cycles, number, batch)?,
        }
        Ok(())
    }

    /// Reads `number` samples, in as many calls as that takes.
    ///
    /// # Errors
    ///
    /// As [`Phc::batch`].
    pub fn samples(
        &self,
        method: Method,
        clock: SystemClock,
        cycles: bool,
        number: usize,
    ) -> Result<Vec<Sample>, Error> {
        let mut samples = Vec::with_capacity(number);
        while samples.len() < number {
            let missing = u32::try_from(number - samples.len()).unwrap_or(u32::MAX);
            self.batch(method, clock, cycles, missing, &mut samples)?;
        }
        Ok(samples)
    }

    /// Whether this kernel reads extended samples against `clock`.
    ///
    /// # Errors
    ///
    /// Other errors of the call: `ENODEV` where the clock has gone, the driver's own errors.
    #[doc(alias = "PTP_SYS_OFFSET_EXTENDED")]
    pub fn takes_clock(&self, clock: SystemClock) -> Result<bool, Error> {
        let ask = || {
            // The kernel checks a request for no samples like any other.
            let mut none = uapi::sys_offset_extended(0, clock.id());
            match self.calls.sys_offset_extended(Version::V1, &mut none) {
                Err(Errno::EINVAL | Errno::EOPNOTSUPP | Errno::ENOTTY) => Ok(false),
                answer => answer.map(|()| true),
            }
        };
        let asked = &Task::ProbeExtendedSamples(clock);
        self.call(asked, Call::SysOffsetExtended, ask)
    }

    /// The auxiliary clocks that are switched on and that extended samples can be read against.
    ///
    /// # Errors
    ///
    /// As [`Phc::takes_clock`]; the errors of reading an auxiliary clock.
    #[doc(alias = "CLOCK_AUX")]
    pub fn auxiliary_clocks(&self) -> Result<Vec<SystemClock>, Error> {
        let mut clocks = Vec::new();
        for clock in (0..8).map(SystemClock::Aux) {
            let read = || match self.calls.system_gettime(clock.id()) {
                // The clock is switched off, or the kernel has none.
                Err(errno @ (Errno::ENODEV | Errno::EINVAL)) => Ok(Err(errno)),
                answer => answer.map(Ok),
            };
            match self.call(&Task::ReadSystemClock(clock), Call::SystemGettime, read)? {
                Ok(_) if self.takes_clock(clock)? => clocks.push(clock),
                Err(Errno::EINVAL) => break,
                _ => {}
            }
        }
        Ok(clocks)
    }

    /// The clock, `CLOCK_REALTIME` and `CLOCK_MONOTONIC_RAW` at one instant.
    ///
    /// # Errors
    ///
    /// As [`Phc::batch`] with precise samples.
    #[cfg(feature = "cli")]
    pub(crate) fn cross_timestamp(&self) -> Result<[ptp_clock_time; 3], Error> {
        let asked = &Task::ReadPreciseSamples(SystemClock::Realtime);
        let read = || self.calls.sys_offset_precise(Version::V1);
        let answer = self.call(asked, Call::SysOffsetPrecise, read)?;
        Ok([answer.device, answer.sys_realtime, answer.sys_monoraw])
    }

    fn precise_sample(&self, clock: SystemClock, cycles: bool) -> Result<Sample, Error> {
        let asked = &Task::ReadPreciseSamples(clock);
        let (name, call): (_, fn(&Self) -> kernel::Result<_>) = if cycles {
            (Call::SysOffsetPreciseCycles, |phc| phc.calls.sys_offset_precise_cycles())
        } else {
            (Call::SysOffsetPrecise, |phc| phc.calls.sys_offset_precise(Version::V1))
        };
        if !matches!(clock, SystemClock::Realtime | SystemClock::MonotonicRaw) {
            return Err(self.unable(asked, Reason::NotPrecise));
        }
        let answer = self.call(asked, name, || call(self))?;
        let system =
            if clock == SystemClock::Realtime { answer.sys_realtime } else { answer.sys_monoraw };
        sample(&system, &answer.device, &system)
            .ok_or_else(|| self.failed(asked, name, Errno::EPROTO))
    }

    fn extended_samples(
        &self,
        clock: SystemClock,
        cycles: bool,
        number: u32,
        batch: &mut Vec<Sample>,
    ) -> Result<(), Error> {
        let asked = &Task::ReadExtendedSamples(clock);
        let name = if cycles { Call::SysOffsetExtendedCycles } else { Call::SysOffsetExtended };
        let mut answer = uapi::sys_offset_extended(number, clock.id());
        let result = self.call(asked, name, || {
            if cycles {
                self.calls.sys_offset_extended_cycles(&mut answer)
            } else {
                self.calls.sys_offset_extended(Version::V1, &mut answer)
            }
        });
        match result {
            Err(error)
                if error.errno() == Some(Errno::EINVAL) && clock != SystemClock::Realtime =>
            {
                let why = match clock {
                    SystemClock::Aux(_) => Reason::NoAuxiliaryClock,
                    _ => Reason::RealtimeOnly,
                };
                return Err(self.unable(asked, why));
            }
            other => other?,
        }
        for [before, phc, after] in answer.ts.iter().take(number as usize) {
            let invalid = || self.failed(asked, name, Errno::EPROTO);
            batch.push(sample(before, phc, after).ok_or_else(invalid)?);
        }
        Ok(())
    }

    fn basic_samples(
        &self,
        clock: SystemClock,
        cycles: bool,
        number: u32,
        batch: &mut Vec<Sample>,
    ) -> Result<(), Error> {
        let asked = &Task::ReadBasicSamples;
        let name = Call::SysOffset;
        if clock != SystemClock::Realtime || cycles {
            return Err(self.unable(asked, Reason::NotBasic));
        }
        let mut answer = uapi::sys_offset(number);
        self.call(asked, name, || self.calls.sys_offset(Version::V1, &mut answer))?;
        // System, clock, system, clock, …, system.
        let readings = answer.ts.windows(3).step_by(2).take(number as usize);
        for reading in readings {
            if let [before, phc, after] = reading {
                let invalid = || self.failed(asked, name, Errno::EPROTO);
                batch.push(sample(before, phc, after).ok_or_else(invalid)?);
            }
        }
        Ok(())
    }
}
