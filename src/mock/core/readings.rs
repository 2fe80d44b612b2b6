//! Readings of the clock together with readings of a system clock.

use crate::kernel::Result;
use crate::kernel::uapi::{
    self, CLOCK_AUX, PTP_MAX_SAMPLES, clock_time, ptp_clock_time, ptp_sys_offset_extended,
    ptp_sys_offset_precise,
};
use crate::mock::World;
use crate::mock::fault::Fault;
use crate::mock::linux::Feature;
use crate::mock::time::SECOND;
use nix::errno::Errno;

/// How long the second system time of a reversed sample is before the first.
const REVERSED: i128 = 2 * SECOND;

impl World {
    /// Reads the clock (or its counter) between two readings of a system clock.
    pub(super) fn extended(
        &mut self,
        samples: &mut ptp_sys_offset_extended,
        cycles: bool,
    ) -> Result<()> {
        let clock = samples.clockid;
        let known = match clock {
            libc::CLOCK_REALTIME => true,
            libc::CLOCK_MONOTONIC | libc::CLOCK_MONOTONIC_RAW => self.has(Feature::ClockId),
            _ => self.has(Feature::AuxiliaryClocks) && self.aux_is_on(clock),
        };
        if samples.n_samples > PTP_MAX_SAMPLES || samples.rsv != [0; 2] || !known {
            return Err(Errno::EINVAL);
        }
        self.time.look_at_the_clocks();
        if self.recorded_extended(samples)? {
            return Ok(());
        }
        for sample in samples.ts.iter_mut().take(samples.n_samples as usize) {
            self.count_a_reading()?;
            let before = self.time.now();
            let read = self.pass_a_reading();
            let mut after = self.pass_a_reading();
            if self.config.reversed {
                after = before - REVERSED;
            }
            let shown = if cycles { self.chip.cycles(read) } else { self.chip.shows(read) };
            let shown = self.resolved(shown);
            let before = self.shown(clock, before)?;
            let after = self.shown(clock, after)?;
            *sample = [sampled(before)?, sampled(shown)?, sampled(after)?];
        }
        Ok(())
    }

    pub(super) fn precise(&mut self, cycles: bool) -> Result<ptp_sys_offset_precise> {
        self.time.look_at_the_clocks();
        if let Some(recorded) = self.recorded_precise()? {
            return Ok(recorded);
        }
        self.count_a_reading()?;
        let now = self.pass_a_reading();
        let shown = if cycles { self.chip.cycles(now) } else { self.chip.shows(now) };
        let shown = self.resolved(shown);
        let late = if self.config.faults.has(Fault::PreciseLate) { 10_000_000 } else { 0 };
        let mut answer = uapi::sys_offset_precise();
        answer.device = sampled(shown - late)?;
        answer.sys_realtime = sampled(self.shown(libc::CLOCK_REALTIME, now)?)?;
        answer.sys_monoraw = sampled(self.shown(libc::CLOCK_MONOTONIC_RAW, now)?)?;
        Ok(answer)
    }

    pub(super) fn aux_is_on(&self, clock: libc::clockid_t) -> bool {
        self.config.aux.is_some_and(|aux| clock == CLOCK_AUX + libc::clockid_t::from(aux))
    }

    /// What a system clock shows. An auxiliary clock that is on shows true time.
    pub(in crate::mock) fn shown(&self, clock: libc::clockid_t, at: i128) -> Result<i128> {
        if self.aux_is_on(clock) {
            return Ok(at);
        }
        self.time.shown(clock, at).ok_or(Errno::EINVAL)
    }
}

pub(in crate::mock) fn sampled(nanoseconds: i128) -> Result<ptp_clock_time> {
    let seconds = nanoseconds.div_euclid(SECOND).try_into().map_err(|_| Errno::EOVERFLOW)?;
    let part = nanoseconds.rem_euclid(SECOND).try_into().map_err(|_| Errno::EOVERFLOW)?;
    Ok(clock_time(seconds, part))
}
