//! Periodic outputs.

use super::{Error, Phc, PinFunction, Reason, Task};
use crate::kernel::uapi::{
    PTP_PEROUT_DUTY_CYCLE, PTP_PEROUT_ONE_SHOT, PTP_PEROUT_PHASE, PeroutTimes, clock_time,
    perout_request, ptp_clock_time,
};
use crate::kernel::{Call, Version};
use crate::{Offset, Timestamp, Unknown};
use nix::errno::Errno;

/// A periodic output. All times are the clock's own.
#[doc(alias = "ptp_perout_request")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Perout {
    /// The channel.
    pub channel: u32,
    /// From one rising edge to the next, above 0.
    pub period: Offset,
    /// How long the output is high, at most a period; the driver's choice where `None`.
    pub pulse_width: Option<Offset>,
    /// When it starts.
    pub start: PeroutStart,
    /// A single pulse.
    pub one_shot: bool,
}

/// When a periodic output starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeroutStart {
    /// At this time of the clock, which must be in the future.
    At(Timestamp<Unknown>),
    /// This long after each multiple of the period: from 0 to less than a period.
    Phase(Offset),
}

/// Which part of a request couldn't be made in the way that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeroutLoss {
    /// Nothing.
    Nothing,
    /// The phase was requested as a start time: a later step of the clock doesn't move the output.
    PhaseAsStart(Timestamp<Unknown>),
}

impl Phc {
    /// Switches a periodic output on. Wraps `PTP_PEROUT_REQUEST2`, or `PTP_PEROUT_REQUEST` where
    /// the kernel has no other and that one can express the same.
    ///
    /// # Errors
    ///
    /// [`Error::Unable`] for a channel that the clock doesn't have, and for a pulse width or a
    /// single pulse that kernel or driver refuse; [`Error::Invalid`] for a period of 0, a width
    /// beyond it, a phase not below it, a start in the past or with its period beyond 64 bits of
    /// nanoseconds, which a driver would wrap; `EACCES` on a read-only handle,
    /// `ENODEV` where the clock has gone.
    #[doc(alias = "PTP_PEROUT_REQUEST2")]
    pub fn enable_perout(&self, perout: Perout) -> Result<PeroutLoss, Error> {
        self.check_perout(perout)?;
        match self.request_perout(perout) {
            Ok(()) => Ok(PeroutLoss::Nothing),
            Err(refused) if refused.is_unsupported() => {
                let PeroutStart::Phase(phase) = perout.start else {
                    return Err(refused);
                };
                let start = self.start_in_phase(perout, phase)?;
                self.request_perout(Perout { start: PeroutStart::At(start), ..perout })?;
                Ok(PeroutLoss::PhaseAsStart(start))
            }
            Err(refused) => Err(refused),
        }
    }

    /// Switches a periodic output off. Wraps `PTP_PEROUT_REQUEST` with a period of 0.
    ///
    /// # Errors
    ///
    /// [`Error::Unable`] for a channel that the clock doesn't have; `EACCES` on a read-only
    /// handle, `ENODEV` where the clock has gone.
    #[doc(alias = "PTP_PEROUT_REQUEST")]
    pub fn disable_perout(&self, channel: u32) -> Result<(), Error> {
        self.check_perout_channel(channel)?;
        let zero = clock_time(0, 0);
        let times = PeroutTimes { start_or_phase: zero, on: zero };
        let request = perout_request(channel, 0, zero, times);
        let call = || self.calls.perout_request(Version::V1, &request);
        self.call(&Task::DisablePerout(channel), Call::PeroutRequest, call)
    }

    /// Refuses an output that no clock can make, or that this one can't.
    ///
    /// # Errors
    ///
    /// The first two of [`Phc::enable_perout`].
    pub fn check_perout(&self, perout: Perout) -> Result<(), Error> {
        let asked = &enable(perout);
        let period = perout.period;
        let invalid = |why| Err(self.invalid(asked, why));
        if period <= Offset::ZERO {
            return invalid(Reason::NoPeriod);
        }
        if let Some(width) = perout.pulse_width
            && !(Offset::from_nanoseconds(1)..=period).contains(&width)
        {
            return invalid(Reason::PulseWidth { width, period });
        }
        match perout.start {
            PeroutStart::Phase(phase) => {
                if !(Offset::ZERO..period).contains(&phase) {
                    return invalid(Reason::PhaseOfPeriod { period });
                }
            }
            PeroutStart::At(start) => {
                let now = self.time()?;
                // Some drivers want a start of 0. Any other start must not be in the past.
                if start <= now && start.total_nanoseconds() != 0 {
                    return invalid(Reason::StartInThePast { start, now });
                }
                let second = start.total_nanoseconds() + i128::from(period.nanoseconds());
                if second > i64::MAX.into() {
                    return invalid(Reason::StartBeyond { start: Some(start) });
                }
            }
        }
        self.check_perout_channel(perout.channel)
    }

    /// Refuses a channel that this clock doesn't have.
    ///
    /// # Errors
    ///
    /// [`Error::Unable`] with the channels that there are.
    pub fn check_perout_channel(&self, channel: u32) -> Result<(), Error> {
        let channels = self.caps()?.perout_channels;
        if channel < channels {
            return Ok(());
        }
        let why = Reason::NoChannel { function: PinFunction::Perout, channel, channels };
        Err(self.unable(&Task::UsePerout(channel), why))
    }

    fn request_perout(&self, perout: Perout) -> Result<(), Error> {
        let asked = &enable(perout);
        let (phase_flag, start_or_phase) = match perout.start {
            PeroutStart::At(start) => (0, clock_time(start.seconds(), start.nanoseconds())),
            PeroutStart::Phase(phase) => (PTP_PEROUT_PHASE, split(phase)),
        };
        let duty_flag = if perout.pulse_width.is_some() { PTP_PEROUT_DUTY_CYCLE } else { 0 };
        let one_shot_flag = if perout.one_shot { PTP_PEROUT_ONE_SHOT } else { 0 };
        let flags = phase_flag | duty_flag | one_shot_flag;
        let on = split(perout.pulse_width.unwrap_or_default());
        let times = PeroutTimes { start_or_phase, on };
        let request = perout_request(perout.channel, flags, split(perout.period), times);
        let second = self
            .call(asked, Call::PeroutRequest2, || self.calls.perout_request(Version::V2, &request));
        match second {
            // Version 1 clears the flags: only a request without any means the same there.
            Err(Error::Call { errno: Errno::ENOTTY, .. }) if flags == 0 => {
                self.call(asked, Call::PeroutRequest, || {
                    self.calls.perout_request(Version::V1, &request)
                })
            }
            // Before Linux 5.9 version 2 doesn't know these flags.
            Err(Error::Call {
                errno: errno @ (Errno::EINVAL | Errno::EOPNOTSUPP | Errno::ENOTTY),
                ..
            }) if flags != 0 => {
                let why = Reason::PartOfOutput {
                    errno,
                    phase: phase_flag != 0,
                    pulse_width: duty_flag != 0,
                    one_shot: one_shot_flag != 0,
                };
                Err(self.unable(asked, why))
            }
            other => other,
        }
    }

    /// The first start that is in phase and at least two seconds ahead.
    fn start_in_phase(&self, perout: Perout, phase: Offset) -> Result<Timestamp<Unknown>, Error> {
        let earliest = self.time()?.total_nanoseconds() + 2_000_000_000;
        let period = i128::from(perout.period.nanoseconds());
        let phase = i128::from(phase.nanoseconds());
        let periods = (earliest - phase + period - 1).div_euclid(period);
        let start = periods * period + phase;
        Timestamp::from_total_nanoseconds(start)
            .filter(|_| start + period <= i64::MAX.into())
            .ok_or_else(|| self.invalid(&enable(perout), Reason::StartBeyond { start: None }))
    }
}

/// A non-negative duration in the form of the interface.
fn split(duration: Offset) -> ptp_clock_time {
    let (seconds, nanoseconds) = duration.seconds_and_nanoseconds();
    clock_time(seconds, nanoseconds)
}

fn enable(perout: Perout) -> Task {
    Task::EnablePerout { channel: perout.channel, period: perout.period }
}
