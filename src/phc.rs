//! [`Phc`]: one open PTP hardware clock and all that it can do, in exact quantities.
//!
//! Each method makes the kernel's call that its documentation names. It first refuses what the
//! kernel would wrap, clamp or reject. Its [`Error`] says what was asked, of which device, and what
//! the kernel answered.

mod caps;
mod error;
mod extts;
mod perout;
mod pins;
mod pps;
mod reason;
mod samples;
mod task;
mod vclocks;

pub use caps::{Caps, PhaseControl};
pub use error::{DeviceName, Error};
pub use extts::{Edges, Event, EventKind, ExttsRequest};
pub use perout::{Perout, PeroutLoss, PeroutStart};
pub use pins::{Pin, PinFunction};
pub use reason::Reason;
pub use samples::{Method, SystemClock};
pub use task::Task;
pub use vclocks::VirtualClocks;

use crate::kernel::uapi::{self, timespec};
use crate::kernel::{self, Call, Calls, Device};
use crate::{Frequency, Offset, TaiOffset, Timestamp, Unknown, Utc};
use nix::errno::Errno;
use std::cell::OnceCell;
use std::fmt;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::Duration;

/// An open PTP hardware clock.
///
/// # Examples
///
/// ```no_run
/// use ptpctl::{Phc, phc::Access};
///
/// let phc = Phc::open("/dev/ptp0".as_ref(), Access::ReadOnly)?;
/// println!("{}", phc.time()?);
/// # Ok::<(), ptpctl::Error>(())
/// ```
pub struct Phc {
    calls: Box<dyn Calls>,
    name: DeviceName,
    /// What it was opened for, where that is known.
    access: Option<Access>,
    /// A clock's caps don't change: they are asked for once.
    caps: OnceCell<Caps>,
}

/// How often a call is made in all where it fails in a way that may pass.
pub(crate) const TRIES: u32 = 5;

/// What a clock is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To look: read access to the device is enough.
    ReadOnly,
    /// To change it.
    ReadWrite,
}

impl fmt::Debug for Phc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Phc").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How often a call may be interrupted: a driver that always answers so is told as any other error.
const MOST_INTERRUPTIONS: u32 = 10_000;

impl Phc {
    /// Opens the character device at `path`.
    ///
    /// # Errors
    ///
    /// The errors of `open`; `ENOTTY` where `path` is no PHC.
    pub fn open(path: &Path, access: Access) -> Result<Self, Error> {
        let device = Device::open(path, access == Access::ReadWrite).map_err(|errno| {
            let name = DeviceName { device: path.display().to_string(), clock_name: None };
            let (asked, number) = (Task::Open, errno as i32);
            Error::Call { asked, name, call: Call::Open, errno, number }
        })?;
        Ok(Self::over(Box::new(device), &path.display().to_string()).opened_for(access))
    }

    /// A clock over any implementation of the seam, such as the mock.
    pub fn over(calls: Box<dyn Calls>, device: &str) -> Self {
        let clock_name = calls.attribute("clock_name").ok();
        let name = DeviceName { device: device.to_owned(), clock_name };
        Self { calls, name, access: None, caps: OnceCell::new() }
    }

    /// Notes what the clock was opened for.
    pub(crate) fn opened_for(self, access: Access) -> Self {
        Self { access: Some(access), ..self }
    }

    /// Opens the same clock once more: another handle, with a queue of events of its own.
    ///
    /// # Errors
    ///
    /// The errors of `open`; `ENODEV` where the clock has gone.
    pub fn reopen(&self, access: Access) -> Result<Self, Error> {
        let write = access == Access::ReadWrite;
        let calls = self.call(&Task::Open, Call::Open, || self.calls.reopen(write))?;
        Ok(Self { calls, name: self.name.clone(), access: Some(access), caps: OnceCell::new() })
    }

    /// The file descriptor of the open clock, for programs that wait for other files, too. It is
    /// readable while an event waits. `None` where there is none, as for a mock.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.calls.fd()
    }

    /// The clock's names.
    pub fn name(&self) -> &DeviceName {
        &self.name
    }

    /// Reads something, and tries again where that fails in a way that may pass, such as a busy bus
    /// or a card that is read too often: five times in all, within some milliseconds.
    ///
    /// # Errors
    ///
    /// The last failure.
    pub fn patiently<T>(&self, read: impl Fn(&Self) -> Result<T, Error>) -> Result<T, Error> {
        for attempt in 0..TRIES - 1 {
            match read(self) {
                Err(error) if error.is_passing() => self.pause_after(&error, attempt)?,
                answer => return answer,
            }
        }
        read(self)
    }

    /// Pauses before a call that failed in such a way is made again: longer each time, and longer
    /// where the clock is read too often.
    pub(crate) fn pause_after(&self, error: &Error, attempt: u32) -> Result<(), Error> {
        let is_busy = error.errno() == Some(Errno::EBUSY);
        let pause = Duration::from_millis(if is_busy { 10 } else { 1 }) * 2_u32.pow(attempt);
        self.sleep_until(self.monotonic()?.saturating_add(pause))
    }

    /// The seam below.
    pub fn calls(&self) -> &dyn Calls {
        self.calls.as_ref()
    }

    /// The clock's time, on whatever scale it keeps. Wraps `clock_gettime`.
    ///
    /// # Errors
    ///
    /// `ENODEV` where the clock has gone; the driver's own errors.
    #[doc(alias = "clock_gettime")]
    pub fn time(&self) -> Result<Timestamp<Unknown>, Error> {
        let asked = &Task::ReadTime;
        let time = self.call(asked, Call::ClockGettime, || self.calls.clock_gettime())?;
        self.timestamp(asked, Call::ClockGettime, time)
    }

    /// Sets the clock's time. Wraps `clock_settime`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a time before 1970 or beyond 64 bits of nanoseconds, in the year 2262:
    /// a driver would make another time of it. `EACCES` on a read-only handle, `EBUSY` while the
    /// clock runs freely under virtual clocks, `EINVAL` for a time that the kernel refuses,
    /// `ENODEV` where the clock has gone.
    #[doc(alias = "clock_settime")]
    pub fn set_time(&self, time: Timestamp<Unknown>) -> Result<(), Error> {
        self.check_time(time)?;
        let asked = &Task::SetTime(time);
        let time = timespec { tv_sec: time.seconds(), tv_nsec: time.nanoseconds().into() };
        self.call(asked, Call::ClockSettime, || self.calls.clock_settime(&time))
    }

    /// Refuses a time that [`Phc::set_time`] refuses.
    ///
    /// # Errors
    ///
    /// The first error of [`Phc::set_time`].
    pub fn check_time(&self, time: Timestamp<Unknown>) -> Result<(), Error> {
        self.in_range(&Task::SetTime(time), time.total_nanoseconds())
    }

    /// Refuses a step that [`Phc::step`] refuses, by what the clock shows now.
    ///
    /// # Errors
    ///
    /// The first error of [`Phc::step`]; the errors of [`Phc::time`].
    pub fn check_step(&self, offset: Offset) -> Result<(), Error> {
        let shown = self.patiently(Self::time)?;
        let to = shown.total_nanoseconds() + i128::from(offset.nanoseconds());
        self.in_range(&Task::Step(offset), to)
    }

    /// Refuses a time that a driver can't hold: drivers have 64 bits of nanoseconds, unsigned in
    /// most, signed in some.
    fn in_range(&self, asked: &Task, nanoseconds: i128) -> Result<(), Error> {
        if nanoseconds < 0 {
            Err(self.invalid(asked, Reason::BeforeEpoch))
        } else if nanoseconds > i64::MAX.into() {
            Err(self.invalid(asked, Reason::BeyondNanoseconds))
        } else {
            Ok(())
        }
    }

    /// Steps the clock by `offset`. Wraps `clock_adjtime` with `ADJ_SETOFFSET | ADJ_NANO`.
    ///
    /// # Errors
    ///
    /// As [`Phc::set_time`], for the time that the clock would show then.
    #[doc(alias = "ADJ_SETOFFSET")]
    pub fn step(&self, offset: Offset) -> Result<(), Error> {
        self.check_step(offset)?;
        let mut timex = setoffset(offset);
        self.adjtime(&Task::Step(offset), Call::AdjtimeStep, &mut timex)
    }

    /// The frequency offset dialled last, 0 at first. Wraps `clock_adjtime` without modes.
    ///
    /// Kernels before 6.15 (5.10.249, 6.1.162, 6.12.68) answer this only to a handle that may
    /// write. Where this handle may not, another one that may is opened for the call.
    ///
    /// # Errors
    ///
    /// `EACCES` where opening that handle isn't permitted; `ENODEV` where the clock has gone.
    #[doc(alias = "clock_adjtime")]
    pub fn frequency(&self) -> Result<Frequency, Error> {
        let (asked, call) = (&Task::ReadFrequency, Call::ClockAdjtime);
        let mut timex = uapi::timex();
        match self.adjtime(asked, call, &mut timex) {
            // Older kernels want a handle that may write, even for reading.
            Err(error)
                if error.errno() == Some(Errno::EACCES)
                    && self.access == Some(Access::ReadOnly) =>
            {
                let writer = self.reopen(Access::ReadWrite).map_err(|_| error)?;
                writer.adjtime(asked, call, &mut timex)?;
            }
            answer => answer?,
        }
        Ok(Frequency::from_scaled_ppm(timex.freq))
    }

    /// Dials a frequency offset. Wraps `clock_adjtime` with `ADJ_FREQUENCY`.
    ///
    /// # Errors
    ///
    /// [`Error::Unable`] beyond the clock's limit, and the clock stays untouched; `EACCES` on a
    /// read-only handle, `EBUSY` while the clock runs freely, `ENODEV` where it has gone.
    #[doc(alias = "ADJ_FREQUENCY")]
    pub fn set_frequency(&self, frequency: Frequency) -> Result<(), Error> {
        self.check_frequency(frequency)?;
        let mut timex = uapi::timex();
        timex.modes = libc::ADJ_FREQUENCY;
        timex.freq = frequency.scaled_ppm();
        self.adjtime(&Task::SetFrequency(frequency), Call::AdjtimeFrequency, &mut timex)
    }

    /// Refuses a frequency beyond the clock's limit, rounding as the kernel does, and one that a
    /// 32-bit kernel would cut.
    ///
    /// # Errors
    ///
    /// [`Error::Unable`] with the limit.
    pub fn check_frequency(&self, frequency: Frequency) -> Result<(), Error> {
        let refuse = |why| Err(self.unable(&Task::SetFrequency(frequency), why));
        let limit_ppb = i128::from(self.caps()?.max_frequency_ppb);
        if !(-limit_ppb..=limit_ppb).contains(&frequency.kernel_ppb()) {
            return refuse(Reason::Frequency { limit_ppb });
        }
        let is_cut = i32::try_from(frequency.scaled_ppm()).is_err();
        if is_cut && self.calls.bits_of_long() == 32 {
            return refuse(Reason::FrequencyBits);
        }
        Ok(())
    }

    /// Hands a phase offset to the clock's own phase control. Wraps `clock_adjtime` with
    /// `ADJ_OFFSET | ADJ_NANO`.
    ///
    /// Returns the limit that the value was checked against, `None` where the kernel tells none.
    ///
    /// # Errors
    ///
    /// [`Error::Unable`] where the caps deny phase control — then the call is never made, because
    /// some kernels crash on it — and beyond the clock's limit; [`Error::Invalid`] beyond the 32
    /// bits that the kernel would cut it to. All of these leave the clock untouched. `EACCES` on
    /// a read-only handle, `EBUSY` while the clock runs freely, `ENODEV` where it has gone.
    #[doc(alias = "ADJ_OFFSET")]
    pub fn adjust_phase(&self, offset: Offset) -> Result<Option<Offset>, Error> {
        let limit = self.check_phase(offset)?;
        let asked = &Task::AdjustPhase(offset);
        let mut timex = uapi::timex();
        timex.modes = libc::ADJ_OFFSET | libc::ADJ_NANO;
        timex.offset = offset.nanoseconds();
        self.adjtime(asked, Call::AdjtimePhase, &mut timex)?;
        Ok(limit)
    }

    /// Refuses a phase offset that this clock can't take; returns the limit where one is told.
    ///
    /// # Errors
    ///
    /// The first two errors of [`Phc::adjust_phase`].
    pub fn check_phase(&self, offset: Offset) -> Result<Option<Offset>, Error> {
        let asked = &Task::AdjustPhase(offset);
        let control = self.caps().map(|caps| caps.phase_control);
        if i32::try_from(offset.nanoseconds().unsigned_abs()).is_err() {
            // No kernel hands such an offset on, whatever the clock.
            let limit = match control {
                Ok(PhaseControl::Offered { limit }) => limit,
                _ => None,
            };
            return Err(self.invalid(asked, Reason::PhaseBits { limit }));
        }
        match control? {
            PhaseControl::NotOffered => Err(self.unable(asked, Reason::NoPhaseControl)),
            PhaseControl::Offered { limit: Some(limit) }
                if offset.nanoseconds().unsigned_abs() > limit.nanoseconds().unsigned_abs() =>
            {
                Err(self.unable(asked, Reason::Phase { limit }))
            }
            PhaseControl::Offered { limit } => Ok(limit),
        }
    }

    /// The system's UTC clock, on the machine that this clock is in.
    ///
    /// # Errors
    ///
    /// None that are known.
    pub fn system_time(&self) -> Result<Timestamp<Utc>, Error> {
        let asked = &Task::ReadSystemTime;
        let realtime = || self.calls.system_gettime(libc::CLOCK_REALTIME);
        let time = self.call(asked, Call::SystemGettime, realtime)?;
        Ok(self.timestamp(asked, Call::SystemGettime, time)?.assume())
    }

    /// What one of the system's clocks shows, on the machine that this clock is in.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a clock that the kernel lacks, `ENODEV` for one that is switched off.
    pub fn shown_by(&self, clock: SystemClock) -> Result<Timestamp<Unknown>, Error> {
        let (asked, call) = (&Task::ReadSystemClock(clock), Call::SystemGettime);
        let time = self.call(asked, call, || self.calls.system_gettime(clock.id()))?;
        self.timestamp(asked, call, time)
    }

    /// How long the system of this clock has been up, for measuring how long something takes.
    ///
    /// # Errors
    ///
    /// None that are known.
    pub fn monotonic(&self) -> Result<Duration, Error> {
        let (asked, call) = (&Task::ReadMonotonic, Call::SystemGettime);
        let time = self.call(asked, call, || self.calls.system_gettime(libc::CLOCK_MONOTONIC))?;
        let time = self.timestamp(asked, call, time)?;
        Ok(Duration::new(u64::try_from(time.seconds()).unwrap_or(0), time.nanoseconds()))
    }

    /// Waits until the system of this clock has been up for `uptime`.
    ///
    /// # Errors
    ///
    /// None that are known.
    #[doc(alias = "clock_nanosleep")]
    pub fn sleep_until(&self, uptime: Duration) -> Result<(), Error> {
        let asked = &Task::Sleep;
        let until = timespec {
            tv_sec: i64::try_from(uptime.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: uptime.subsec_nanos().into(),
        };
        self.call(asked, Call::SystemNanosleep, || self.calls.system_nanosleep(&until))
    }

    /// Steps the system's UTC clock, exactly: the kernel adds the offset itself.
    ///
    /// # Errors
    ///
    /// `EPERM` without `CAP_SYS_TIME`, `EINVAL` where the kernel refuses the resulting time.
    #[doc(alias = "ADJ_SETOFFSET")]
    pub fn step_system(&self, offset: Offset) -> Result<(), Error> {
        let asked = &Task::StepSystem(offset);
        let mut timex = setoffset(offset);
        let call = Call::SystemAdjtime;
        self.call(asked, call, || self.calls.system_adjtime(&mut timex))
    }

    /// The most that the clock is off, as its driver claims; `None` where the driver claims
    /// nothing.
    ///
    /// The ENA driver tells it beside the card's other files in sysfs, in nanoseconds.
    #[doc(alias = "phc_error_bound")]
    pub fn claimed_error(&self) -> Option<Offset> {
        let text = self.calls.attribute("device/phc_error_bound").ok()?;
        let nanoseconds = text.trim().parse().ok().filter(|bound: &i64| *bound >= 0)?;
        Some(Offset::from_nanoseconds(nanoseconds))
    }

    /// The driver of the device that the clock is in, where sysfs tells it: `igb`.
    pub fn driver(&self) -> Option<String> {
        let text = self.calls.attribute("device/uevent").ok()?;
        text.lines().find_map(|line| line.strip_prefix("DRIVER=")).map(str::to_owned)
    }

    /// TAI − UTC as the system's kernel has it, `None` where nobody set it.
    pub fn tai_offset(&self) -> Option<TaiOffset> {
        let mut timex = uapi::timex();
        self.calls.system_adjtime(&mut timex).ok()?;
        (timex.tai != 0).then_some(TaiOffset(timex.tai))
    }

    /// Makes a call again as often as signals interrupt it, and turns its errno into an [`Error`].
    fn call<T>(
        &self,
        asked: &Task,
        call: Call,
        mut make: impl FnMut() -> kernel::Result<T>,
    ) -> Result<T, Error> {
        let mut interrupted = 0;
        loop {
            kernel::forget_number();
            match make() {
                Ok(value) => return Ok(value),
                Err(Errno::EINTR) if interrupted < MOST_INTERRUPTIONS => interrupted += 1,
                Err(errno) => return Err(self.failed(asked, call, errno)),
            }
        }
    }

    fn adjtime(&self, asked: &Task, call: Call, timex: &mut uapi::timex) -> Result<(), Error> {
        self.call(asked, call, || self.calls.clock_adjtime(timex))
    }

    /// The error of the last call.
    fn failed(&self, asked: &Task, call: Call, errno: Errno) -> Error {
        let number = kernel::number_of(errno);
        Error::Call { asked: asked.clone(), name: self.name.clone(), call, errno, number }
    }

    fn unable(&self, asked: &Task, why: Reason) -> Error {
        Error::Unable { asked: asked.clone(), name: self.name.clone(), why: Box::new(why) }
    }

    /// The refusal to move a clock that runs freely under this many virtual clocks.
    #[cfg(feature = "cli")]
    pub(crate) fn runs_freely(&self, virtual_clocks: u32) -> Error {
        self.unable(&Task::Change, Reason::RunsFreely { virtual_clocks })
    }

    fn invalid(&self, asked: &Task, why: Reason) -> Error {
        Error::Invalid { asked: asked.clone(), name: self.name.clone(), why: Box::new(why) }
    }

    fn timestamp(
        &self,
        asked: &Task,
        call: Call,
        time: timespec,
    ) -> Result<Timestamp<Unknown>, Error> {
        u32::try_from(time.tv_nsec)
            .ok()
            .and_then(|nanoseconds| Timestamp::new(time.tv_sec, nanoseconds))
            // A driver that answers an invalid time is broken: the call fails instead of guessing a
            // time.
            .ok_or_else(|| self.failed(asked, call, Errno::EPROTO))
    }
}

/// The kernel's form of a step.
fn setoffset(offset: Offset) -> uapi::timex {
    let (seconds, nanoseconds) = offset.seconds_and_nanoseconds();
    let mut timex = uapi::timex();
    timex.modes = libc::ADJ_SETOFFSET | libc::ADJ_NANO;
    timex.time.tv_sec = seconds;
    // With ADJ_NANO this field has nanoseconds.
    timex.time.tv_usec = nanoseconds.into();
    timex
}
