//! Readings of a clock between readings of a system clock.

use super::{Error, Phc};
use crate::kernel::uapi::{self, CLOCK_AUX, MAX_AUX_CLOCKS, PTP_MAX_SAMPLES, ptp_clock_time};
use crate::kernel::{self, Version};
use crate::{Timestamp, Unknown};
use nix::errno::Errno;
use std::ops::ControlFlow;
use std::{fmt, str::FromStr};

/// How a clock and a system clock are read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `PTP_SYS_OFFSET_PRECISE`: hardware reads both at one instant.
    Precise,
    /// `PTP_SYS_OFFSET_EXTENDED`: the driver reads the system clock right around the register.
    Extended,
    /// `PTP_SYS_OFFSET`: the kernel reads the system clock before and after asking the driver.
    Basic,
}

impl Method {
    /// The best first.
    pub const ALL: [Self; 3] = [Self::Precise, Self::Extended, Self::Basic];
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Precise => "precise",
            Self::Extended => "extended",
            Self::Basic => "basic",
        })
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

/// One reading of a clock between two readings of a system clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The system clock before.
    pub before: Timestamp<Unknown>,
    /// The clock.
    pub phc: Timestamp<Unknown>,
    /// The system clock after; the same as before where one instant was read.
    pub after: Timestamp<Unknown>,
}

impl Sample {
    /// From the kernel's times; `None` where one of them is no time.
    fn of(before: &ptp_clock_time, phc: &ptp_clock_time, after: &ptp_clock_time) -> Option<Self> {
        let time = |time: &ptp_clock_time| Timestamp::new(time.sec, time.nsec);
        Some(Self { before: time(before)?, phc: time(phc)?, after: time(after)? })
    }
}

impl Phc {
    /// Reads `number` samples with one method, against `clock`, of the clock itself or of its
    /// free-running counter (`cycles`). `take` is handed what each of the kernel's calls gives, up
    /// to 25 samples, and may end it with [`ControlFlow::Break`].
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP` where the driver lacks the method, `ENOTTY` where the kernel does, `EINVAL`
    /// for a system clock that the kernel doesn't take here; [`Error::Unable`] for a system clock
    /// that the method never has: only `extended` has all of them, `precise` has realtime and
    /// monotonic-raw, `basic` has realtime.
    #[doc(alias = "PTP_SYS_OFFSET")]
    #[doc(alias = "PTP_SYS_OFFSET_EXTENDED")]
    #[doc(alias = "PTP_SYS_OFFSET_PRECISE")]
    #[doc(alias = "PTP_SYS_OFFSET_EXTENDED_CYCLES")]
    #[doc(alias = "PTP_SYS_OFFSET_PRECISE_CYCLES")]
    pub fn each_batch(
        &self,
        method: Method,
        clock: SystemClock,
        cycles: bool,
        number: usize,
        take: &mut dyn FnMut(&[Sample]) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let most = if method == Method::Precise { 1 } else { PTP_MAX_SAMPLES };
        let mut batch = Vec::with_capacity(most as usize);
        let mut missing = number;
        while missing > 0 {
            let now = u32::try_from(missing).unwrap_or(u32::MAX).min(most);
            batch.clear();
            match method {
                Method::Precise => batch.push(self.precise_sample(clock, cycles)?),
                Method::Extended => self.extended_samples(clock, cycles, now, &mut batch)?,
                Method::Basic => self.basic_samples(clock, cycles, now, &mut batch)?,
            }
            if take(&batch).is_break() {
                break;
            }
            missing -= now as usize;
        }
        Ok(())
    }

    /// Reads samples as [`Phc::each_batch`] does, and keeps them.
    ///
    /// # Errors
    ///
    /// As [`Phc::each_batch`].
    pub fn samples(
        &self,
        method: Method,
        clock: SystemClock,
        cycles: bool,
        number: usize,
    ) -> Result<Vec<Sample>, Error> {
        let mut samples = Vec::new();
        self.each_batch(method, clock, cycles, number, &mut |batch| {
            samples.extend_from_slice(batch);
            ControlFlow::Continue(())
        })?;
        Ok(samples)
    }

    /// Reads samples with the best method that works. Samples of a method that fails half-way are
    /// handed to `take` with that method, before those of the next.
    ///
    /// Returns the method, and the failure of a better one that the clock has.
    ///
    /// # Errors
    ///
    /// As [`Phc::each_batch`], when no method is left.
    pub fn each_batch_by_best_method(
        &self,
        clock: SystemClock,
        cycles: bool,
        number: usize,
        take: &mut dyn FnMut(Method, &[Sample]) -> ControlFlow<()>,
    ) -> Result<(Method, Option<Error>), Error> {
        let mut unsupported = None;
        let mut failed = None;
        for method in Method::ALL {
            let mut take = |batch: &[Sample]| take(method, batch);
            match self.each_batch(method, clock, cycles, number, &mut take) {
                Ok(()) => return Ok((method, failed)),
                // Why there is no extended method is of most use: it alone has every clock.
                Err(error) if error.is_unsupported() => {
                    unsupported = unsupported.filter(|_| method == Method::Basic).or(Some(error));
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        let none = || self.unable("read samples", "it has no method".into());
        Err(failed.or(unsupported).unwrap_or_else(none))
    }

    /// Whether extended samples can be had against `clock` on this kernel.
    ///
    /// # Errors
    ///
    /// What else the call answers: `ENODEV` where the clock has gone, the driver's own.
    #[doc(alias = "PTP_SYS_OFFSET_EXTENDED")]
    pub fn takes_clock(&self, clock: SystemClock) -> Result<bool, Error> {
        let ask = || {
            // No sample at all is checked like any number of them.
            let mut none = uapi::sys_offset_extended(0, clock.id());
            match self.calls.sys_offset_extended(Version::V1, &mut none) {
                Err(Errno::EINVAL | Errno::EOPNOTSUPP | Errno::ENOTTY) => Ok(false),
                answer => answer.map(|()| true),
            }
        };
        let asked = format!("ask for extended samples against {clock}");
        self.call(asked, "PTP_SYS_OFFSET_EXTENDED", ask)
    }

    /// The auxiliary clocks that are switched on and that extended samples can be had against.
    ///
    /// # Errors
    ///
    /// As [`Phc::takes_clock`]; what reading an auxiliary clock answers.
    #[doc(alias = "CLOCK_AUX")]
    pub fn auxiliary_clocks(&self) -> Result<Vec<SystemClock>, Error> {
        let mut clocks = Vec::new();
        for clock in (0..8).map(SystemClock::Aux) {
            let read = || match self.calls.system_gettime(clock.id()) {
                // One that is switched off, and a kernel that has none.
                Err(errno @ (Errno::ENODEV | Errno::EINVAL)) => Ok(Err(errno)),
                answer => answer.map(Ok),
            };
            match self.call(format!("read {clock}"), "clock_gettime", read)? {
                Ok(_) if self.takes_clock(clock)? => clocks.push(clock),
                Err(Errno::EINVAL) => break,
                _ => {}
            }
        }
        Ok(clocks)
    }

    fn precise_sample(&self, clock: SystemClock, cycles: bool) -> Result<Sample, Error> {
        let asked = format!("read a precise sample against {clock}");
        let (name, call): (_, fn(&Self) -> kernel::Result<_>) = if cycles {
            ("PTP_SYS_OFFSET_PRECISE_CYCLES", |phc| phc.calls.sys_offset_precise_cycles())
        } else {
            ("PTP_SYS_OFFSET_PRECISE", |phc| phc.calls.sys_offset_precise(Version::V1))
        };
        if !matches!(clock, SystemClock::Realtime | SystemClock::MonotonicRaw) {
            let why = "the precise method has realtime and monotonic-raw only";
            return Err(self.unable(&asked, why.into()));
        }
        let answer = self.call(&asked, name, || call(self))?;
        let system =
            if clock == SystemClock::Realtime { answer.sys_realtime } else { answer.sys_monoraw };
        Sample::of(&system, &answer.device, &system)
            .ok_or_else(|| self.failed(&asked, name, Errno::EPROTO))
    }

    fn extended_samples(
        &self,
        clock: SystemClock,
        cycles: bool,
        number: u32,
        batch: &mut Vec<Sample>,
    ) -> Result<(), Error> {
        let asked = format_args!("read extended samples against {clock}");
        let name =
            if cycles { "PTP_SYS_OFFSET_EXTENDED_CYCLES" } else { "PTP_SYS_OFFSET_EXTENDED" };
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
                    SystemClock::Aux(_) => {
                        "the auxiliary clock is switched off, or this kernel (before 6.17) has \
                         none"
                    }
                    _ => "this kernel (before 6.12) reads samples against realtime only",
                };
                return Err(self.unable(&asked.to_string(), why.into()));
            }
            other => other?,
        }
        for [before, phc, after] in answer.ts.iter().take(number as usize) {
            let invalid = || self.failed("read extended samples", name, Errno::EPROTO);
            batch.push(Sample::of(before, phc, after).ok_or_else(invalid)?);
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
        let asked = "read basic samples";
        let name = "PTP_SYS_OFFSET";
        if clock != SystemClock::Realtime || cycles {
            let why = "the basic method has the clock itself against realtime only";
            return Err(self.unable(asked, why.into()));
        }
        let mut answer = uapi::sys_offset(number);
        self.call(asked, name, || self.calls.sys_offset(Version::V1, &mut answer))?;
        // System, clock, system, clock, …, system.
        let readings = answer.ts.windows(3).step_by(2).take(number as usize);
        for reading in readings {
            if let [before, phc, after] = reading {
                let invalid = || self.failed(asked, name, Errno::EPROTO);
                batch.push(Sample::of(before, phc, after).ok_or_else(invalid)?);
            }
        }
        Ok(())
    }
}
