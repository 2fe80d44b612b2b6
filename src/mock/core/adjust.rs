//! `clock_adjtime`: steps, frequencies and phase offsets.

use super::LAST_SECOND;
use crate::Frequency;
use crate::kernel::Result;
use crate::kernel::uapi::timex;
use crate::mock::World;
use crate::mock::fault::Fault;
use crate::mock::linux::Feature;
use crate::mock::time::SECOND;
use nix::errno::Errno;

impl World {
    pub(super) fn adjtime(&mut self, timex: &mut timex) -> Result<()> {
        let profile = self.config.profile;
        let acts = libc::ADJ_SETOFFSET | libc::ADJ_FREQUENCY | libc::ADJ_OFFSET;
        let acts = timex.modes & acts != 0 || !self.has(Feature::ReadsWhileFree);
        if acts && self.runs_freely() {
            return Err(Errno::EBUSY);
        }
        let nano = timex.modes & libc::ADJ_NANO != 0;
        if timex.modes & libc::ADJ_SETOFFSET != 0 {
            let part = i128::from(self.as_long(timex.time.tv_usec)) * if nano { 1 } else { 1_000 };
            if !(0..SECOND).contains(&part) {
                return Err(Errno::EINVAL);
            }
            let by = i128::from(timex.time.tv_sec) * SECOND + part;
            let to = self.read_for_itself() + by;
            if self.has(Feature::TimeLimit) && !(0..LAST_SECOND * SECOND).contains(&to) {
                return Err(Errno::EINVAL);
            }
            let now = self.time.now();
            self.chip.step(now, by);
            Ok(())
        } else if timex.modes & libc::ADJ_FREQUENCY != 0 {
            let limit = i128::from(profile.max_adj(self.config.kernel));
            let frequency = self.as_long(timex.freq);
            let ppb = Frequency::from_scaled_ppm(frequency).kernel_ppb();
            if !(-limit..=limit).contains(&ppb) {
                return Err(Errno::ERANGE);
            }
            if self.config.faults.has(Fault::FreqLimit) && ppb.abs() > limit / 2 {
                return Err(Errno::ERANGE);
            }
            let now = self.pass_a_reading();
            self.chip.dial(now, frequency);
            Ok(())
        } else if timex.modes & libc::ADJ_OFFSET != 0 {
            let limit = profile.max_phase.filter(|_| self.has(Feature::AdjPhase));
            let limit = limit.ok_or(Errno::EOPNOTSUPP)?;
            // The kernel cuts the value to 32 bits before it looks at it.
            let [a, b, c, d, ..] = i128::from(timex.offset).to_le_bytes();
            let offset = i32::from_le_bytes([a, b, c, d]);
            let offset = if nano { offset } else { offset.wrapping_mul(1_000) };
            if offset.unsigned_abs() > limit.unsigned_abs() && self.has(Feature::MaxPhase) {
                return Err(Errno::ERANGE);
            }
            if self.config.faults.has(Fault::PhaseLimit)
                && offset.unsigned_abs() > limit.unsigned_abs() / 2
            {
                return Err(Errno::ERANGE);
            }
            let now = self.pass_a_reading();
            self.chip.adjust_phase(now, offset.clamp(-limit, limit));
            Ok(())
        } else if timex.modes == 0 {
            timex.freq = self.chip.dialled;
            Ok(())
        } else {
            Err(Errno::EOPNOTSUPP)
        }
    }
}
