//! Requests for external timestamps, periodic outputs and pins.

use crate::kernel::uapi::{
    self, PTP_ENABLE_FEATURE, PTP_EXT_OFFSET, PTP_EXTTS_EDGES, PTP_PEROUT_DUTY_CYCLE,
    PTP_PEROUT_ONE_SHOT, PTP_PEROUT_PHASE, PTP_PF_EXTTS, PTP_PF_NONE, PTP_PF_PEROUT,
    PTP_PF_PHYSYNC, PTP_STRICT_FLAGS, clock_time, ptp_clock_time, ptp_extts_request,
    ptp_perout_request, ptp_pin_desc,
};
use crate::kernel::{Result, Version};
use crate::mock::World;
use crate::mock::chip::Output;
use crate::mock::fault::Fault;
use crate::mock::linux::Feature;
use crate::mock::outputs::Request;
use crate::mock::time::SECOND;
use nix::errno::Errno;

impl World {
    pub(super) fn extts(&mut self, version: Version, request: &ptp_extts_request) -> Result<()> {
        let profile = self.config.profile;
        let mut flags = request.flags;
        let known = PTP_ENABLE_FEATURE | PTP_EXTTS_EDGES;
        if version == Version::V1 {
            flags &= known;
        } else {
            let strict = self.has(Feature::StrictFlags);
            let offset = if self.has(Feature::ExtOffset) { PTP_EXT_OFFSET } else { 0 };
            let known = known | offset | if strict { PTP_STRICT_FLAGS } else { 0 };
            let no_edge = flags & PTP_ENABLE_FEATURE != 0 && flags & PTP_EXTTS_EDGES == 0;
            if flags & !known != 0 || request.rsv != [0; 2] || (strict && no_edge) {
                return Err(Errno::EINVAL);
            }
            if strict {
                flags |= PTP_STRICT_FLAGS;
            }
        }
        if request.index >= profile.n_ext_ts {
            return Err(Errno::EINVAL);
        }
        let enable = flags & PTP_ENABLE_FEATURE != 0;
        let wanted = flags & (PTP_EXTTS_EDGES | PTP_EXT_OFFSET);
        let is_strict = flags & PTP_STRICT_FLAGS != 0;
        let beyond = enable && wanted & !profile.extts_flags != 0;
        if is_strict && !self.config.strict || beyond && (is_strict || profile.checks_version_1) {
            return Err(Errno::EOPNOTSUPP);
        }
        if !enable {
            if !self.config.faults.has(Fault::ExttsStays) {
                self.chip.inputs.remove(&request.index);
            }
            if let Some(replay) = &mut self.replay {
                replay.switch(request.index, None);
            }
            return Ok(());
        }
        if let Some(channel) = profile.extts_needs_pin
            && !self.pins.iter().any(|pin| pin.func == PTP_PF_EXTTS && pin.chan == channel)
        {
            return Err(Errno::EBUSY);
        }
        // Where the request isn't strict, a driver stamps the edges that it can.
        let taken = match wanted & profile.extts_flags {
            0 => profile.extts_flags & PTP_EXTTS_EDGES,
            taken => taken,
        };
        let both = if self.config.faults.has(Fault::EdgesBoth) { PTP_EXTTS_EDGES } else { 0 };
        self.chip.inputs.insert(request.index, taken | both);
        if let Some(replay) = &mut self.replay {
            let now = self.time.now();
            replay.switch(request.index, Some(now));
        }
        Ok(())
    }

    pub(super) fn perout(&mut self, version: Version, request: &ptp_perout_request) -> Result<()> {
        let profile = self.config.profile;
        let times = uapi::perout_times(request);
        let (mut flags, mut on) = (request.flags, times.on);
        if version == Version::V1 {
            (flags, on) = (0, clock_time(0, 0));
        } else {
            let newer = PTP_PEROUT_DUTY_CYCLE | PTP_PEROUT_PHASE;
            let newer = if self.has(Feature::DutyCycleAndPhase) { newer } else { 0 };
            if flags & !(PTP_PEROUT_ONE_SHOT | newer) != 0 {
                return Err(Errno::EINVAL);
            }
            let key = |time: ptp_clock_time| (time.sec, time.nsec);
            if flags & PTP_PEROUT_DUTY_CYCLE == 0 {
                if (on.sec, on.nsec, on.reserved) != (0, 0, 0) {
                    return Err(Errno::EINVAL);
                }
            } else if key(on) > key(request.period) {
                return Err(Errno::ERANGE);
            }
            if flags & PTP_PEROUT_PHASE != 0 && key(times.start_or_phase) >= key(request.period) {
                return Err(Errno::ERANGE);
            }
        }
        if request.index >= profile.n_per_out {
            return Err(Errno::EINVAL);
        }
        if flags & !profile.perout_flags != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let value = |time: ptp_clock_time| i128::from(time.sec) * SECOND + i128::from(time.nsec);
        let period = value(request.period);
        if (request.period.sec, request.period.nsec) == (0, 0) {
            if !self.config.faults.has(Fault::PeroutStays) {
                self.chip.outputs.remove(&request.index);
            }
            return Ok(());
        }
        if profile.perout_is_pps && (period != SECOND || times.start_or_phase.nsec != 0) {
            return Err(Errno::ERANGE);
        }
        let start = value(times.start_or_phase);
        let now = self.time.now();
        let asked = Request { flags, period, start, now: self.chip.shows(now) };
        for wants in &self.config.outputs {
            wants.check(asked)?;
        }
        // The kernel's core accepts such a period; a chip can't.
        if period <= 0 {
            return Err(Errno::EINVAL);
        }
        let half = flags & PTP_PEROUT_DUTY_CYCLE == 0 || self.config.faults.has(Fault::PeroutWidth);
        let width = if half { period / 2 } else { value(on) };
        let one_shot = flags & PTP_PEROUT_ONE_SHOT != 0;
        self.chip.outputs.insert(request.index, Output { start, period, width, one_shot });
        Ok(())
    }

    pub(super) fn set_pin(&mut self, request: &ptp_pin_desc) -> Result<()> {
        let profile = self.config.profile;
        let (func, chan) = (request.func, request.chan);
        let holder = self.pins.iter().position(|pin| pin.func == func && pin.chan == chan);
        if holder == Some(request.index as usize) {
            return Ok(());
        }
        let allowed = match func {
            PTP_PF_NONE => true,
            PTP_PF_EXTTS => chan < profile.n_ext_ts,
            PTP_PF_PEROUT => chan < profile.n_per_out,
            PTP_PF_PHYSYNC => chan == 0,
            _ => false,
        };
        if !allowed {
            return Err(Errno::EINVAL);
        }
        let verified = match func {
            PTP_PF_PEROUT => request.index < profile.output_pins,
            PTP_PF_PHYSYNC => false,
            _ => true,
        };
        if !verified {
            return Err(Errno::EOPNOTSUPP);
        }
        if self.config.faults.has(Fault::PinLies) && request.index == 2 {
            return Ok(());
        }
        if let Some(holder) = holder.filter(|_| !self.config.faults.has(Fault::PinKeeps)) {
            self.disable(func, chan);
            if let Some(pin) = self.pins.get_mut(holder) {
                (pin.func, pin.chan) = (PTP_PF_NONE, 0);
            }
        }
        let pin = self.pins.get(request.index as usize).map(|pin| (pin.func, pin.chan));
        if let Some((func, chan)) = pin {
            self.disable(func, chan);
        }
        if let Some(pin) = self.pins.get_mut(request.index as usize) {
            (pin.func, pin.chan) = (func, chan);
        }
        Ok(())
    }

    /// Switches off what a pin did.
    fn disable(&mut self, func: u32, chan: u32) {
        match func {
            PTP_PF_EXTTS => drop(self.chip.inputs.remove(&chan)),
            PTP_PF_PEROUT => drop(self.chip.outputs.remove(&chan)),
            _ => {}
        }
    }
}
