//! The kernel's PTP core as the mock has it: [`Calls`] over the simulated chip.

mod adjust;
mod attributes;
mod readings;
mod requests;

use super::fault::Fault;
use super::linux::Feature;
use super::profile::Profile;
use super::time::{LAST, SECOND, nanoseconds, to_timespec};
use super::{Asked, Config, Mock, World};
use crate::kernel::uapi::{
    self, CLOCK_AUX, ExttsEvent, MAX_AUX_CLOCKS, PTP_MAX_SAMPLES, PTP_PF_NONE, name_pin, pin_desc,
    ptp_clock_caps, ptp_extts_request, ptp_perout_request, ptp_pin_desc, ptp_sys_offset,
    ptp_sys_offset_extended, ptp_sys_offset_precise, timespec, timex,
};
use crate::kernel::{Call, Calls, Result, Version, Wait};
use nix::errno::Errno;
use nix::poll::{PollFd, PollTimeout, poll};
pub(super) use readings::sampled;
use std::time::Duration;

/// `KTIME_SEC_MAX`: the kernel has no time from this second on.
const KTIME_SECONDS: i128 = i64::MAX as i128 / SECOND;
/// `TIME_SETTOD_SEC_MAX`: a clock can be set only to times up to 30 years before that.
pub(super) const LAST_SECOND: i128 = KTIME_SECONDS - 30 * 365 * 24 * 3_600;
/// `PTP_DEFAULT_MAX_VCLOCKS`.
pub(super) const MOST_VIRTUAL_CLOCKS: u32 = 20;

pub(super) fn pins_at_first(config: &Config) -> Vec<ptp_pin_desc> {
    let profile: &Profile = config.profile;
    if let Some(recorded) = &config.replay
        && recorded.facts().pins.len() == profile.n_pins as usize
    {
        return recorded.facts().pins.clone();
    }
    (0..profile.n_pins)
        .map(|index| {
            let mut pin = pin_desc(index, PTP_PF_NONE, 0);
            name_pin(&mut pin, &format!("{}{index}", profile.pin_name));
            pin
        })
        .collect()
}

impl Mock {
    /// Makes one call, unless it was asked to fail or the clock is gone.
    fn call<T>(
        &self,
        asked: impl Into<Asked>,
        make: impl FnOnce(&mut World) -> Result<T>,
    ) -> Result<T> {
        let mut world = self.lock();
        world.time.begin_call();
        world.catch_up();
        world.failure(asked)?;
        if world.is_gone() {
            return Err(Errno::ENODEV);
        }
        make(&mut world)
    }

    /// As [`Mock::call`], for calls that change the clock.
    fn change<T>(
        &self,
        asked: impl Into<Asked>,
        make: impl FnOnce(&mut World) -> Result<T>,
    ) -> Result<T> {
        self.call(asked, |world| {
            // Events from before the change have the time of the clock as it was then.
            world.emit();
            let answer = make(world)?;
            let now = world.time.now();
            world.emitted = (now, world.chip.shows(now));
            world.save()?;
            Ok(answer)
        })
    }

    /// Whether it can be opened once more.
    pub(super) fn may_open(&self, write: bool) -> Result<()> {
        self.call(Asked { which: u32::from(write), ..Call::Open.into() }, |world| {
            if write && world.config.profile.read_only { Err(Errno::EACCES) } else { Ok(()) }
        })
    }

    fn may_write(&self, world: &World, always_checked: bool) -> Result<()> {
        let checked = always_checked || world.config.kernel.has(Feature::ReadOnlyChecks);
        if checked && !self.write { Err(Errno::EACCES) } else { Ok(()) }
    }

    /// Sleeps until something may have happened, `most` at most; `true` where `wake` is ready or
    /// a signal came.
    fn sleep(&self, wake: &[PollFd<'_>], most: Duration) -> Result<bool> {
        let (until, is_virtual) = {
            let mut world = self.lock();
            let now = world.time.now();
            let removal = world.removal.map(|removal| removal - now);
            let next = world.until_next_event().into_iter().chain(removal).min();
            (next.map(|next| next.max(0)), world.time.is_virtual())
        };
        let most = i128::try_from(most.as_nanos()).unwrap_or(i128::MAX);
        let duration = until.map_or(most, |until| until.min(most));
        let milliseconds = if is_virtual { 0 } else { (duration + 999_999) / 1_000_000 };
        let timeout = PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX);
        match poll(&mut wake.to_vec(), timeout) {
            Ok(0) => {}
            Ok(_) | Err(Errno::EINTR) => return Ok(true),
            Err(errno) => return Err(errno),
        }
        if is_virtual {
            self.lock().time.pass(duration);
        }
        Ok(false)
    }

    /// The number of this handle's queue.
    pub(super) fn queue(&self, world: &World) -> u64 {
        if world.config.kernel.has(Feature::QueuePerHandle) { self.handle } else { 0 }
    }
}

/// A number in 32 bits, or in all 64.
fn low_bits(number: i64, bits: u32) -> i64 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    if bits == 64 { number } else { i32::from_le_bytes([a, b, c, d]).into() }
}

impl World {
    fn has(&self, feature: Feature) -> bool {
        self.config.kernel.has(feature)
    }

    /// What the kernel's `long` holds of a number.
    fn as_long(&self, number: i64) -> i64 {
        low_bits(number, self.config.bits_of_long)
    }

    /// Version 2 requests are unknown to old kernels.
    fn knows(&self, version: Version) -> Result<()> {
        if version == Version::V2 && !self.has(Feature::Version2) {
            return Err(Errno::ENOTTY);
        }
        Ok(())
    }

    /// The number of pins that the driver reports.
    fn promised_pins(&self) -> u32 {
        self.config.profile.n_pins + u32::from(self.config.faults.has(Fault::CapsPins))
    }

    fn runs_freely(&self) -> bool {
        self.virtual_clocks > 0 && !self.config.profile.cycles
    }

    fn read_clock(&mut self) -> Result<i128> {
        self.count_a_reading()?;
        Ok(self.read_for_itself())
    }

    /// A reading that the driver makes for itself; the card's limit doesn't count it.
    fn read_for_itself(&mut self) -> i128 {
        let now = self.pass_a_reading();
        self.readings += 1;
        let shows = self.resolved(self.chip.shows(now));
        let has = |fault| self.config.faults.has(fault);
        if has(Fault::Backwards) && self.readings.is_multiple_of(100) {
            shows - 1_000_000
        } else if has(Fault::Torn) && shows.rem_euclid(SECOND) < 20_000 {
            shows - SECOND
        } else {
            shows
        }
    }
}

impl Calls for Mock {
    fn reopen(&self, write: bool) -> Result<Box<dyn Calls>> {
        self.may_open(write)?;
        Ok(Box::new(self.again(write)))
    }

    fn bits_of_long(&self) -> u32 {
        self.lock().config.bits_of_long
    }

    fn clock_gettime(&self) -> Result<timespec> {
        self.call(Call::ClockGettime, |world| match world.recorded_time()? {
            Some(recorded) => Ok(recorded),
            None => to_timespec(world.read_clock()?),
        })
    }

    fn clock_settime(&self, time: &timespec) -> Result<()> {
        let seconds = i128::from(time.tv_sec);
        self.change(Call::ClockSettime, |world| {
            // Of a 32-bit program, any kernel takes 32 bits of nanoseconds.
            let bits = usize::BITS.min(world.config.bits_of_long);
            let time = timespec { tv_nsec: low_bits(time.tv_nsec, bits), ..*time };
            let is_time = (0..SECOND).contains(&i128::from(time.tv_nsec))
                && (0..KTIME_SECONDS).contains(&seconds);
            // The timekeeping core looks at the time first, the PTP core last.
            if !is_time && world.has(Feature::TimeChecks) {
                return Err(Errno::EINVAL);
            }
            self.may_write(world, true)?;
            if world.runs_freely() {
                return Err(Errno::EBUSY);
            }
            if world.has(Feature::TimeLimit) && seconds >= LAST_SECOND {
                return Err(Errno::EINVAL);
            }
            let now = world.pass_a_reading();
            // A driver has 64 bits for it.
            let to = nanoseconds(time).clamp(i64::MIN.into(), i64::MAX.into());
            world.chip.set(now, to);
            Ok(())
        })
    }

    fn clock_adjtime(&self, timex: &mut timex) -> Result<()> {
        let may_read = |world: &World| world.has(Feature::ReadOnlyChecks) || self.write;
        let asked = Asked { which: timex.modes, ..Call::ClockAdjtime.into() };
        if timex.modes == 0 && may_read(&self.lock()) {
            return self.call(asked, |world| world.adjtime(timex));
        }
        self.change(asked, |world| {
            if !world.config.faults.has(Fault::ReadOnly) {
                self.may_write(world, true)?;
            }
            world.adjtime(timex)
        })
    }

    fn clock_getres(&self) -> Result<timespec> {
        self.call(Call::ClockGetres, |_| to_timespec(1))
    }

    fn getcaps(&self, version: Version) -> Result<ptp_clock_caps> {
        self.call(Asked::of(Call::GetCaps, version, 0), |world| {
            world.knows(version)?;
            let profile = world.config.profile;
            let count = |number: u32| libc::c_int::try_from(number).unwrap_or(libc::c_int::MAX);
            let phase = profile.max_phase.filter(|_| world.has(Feature::AdjPhase));
            let has = |fault| world.config.faults.has(fault);
            let precise = profile.precise && world.has(Feature::Precise);
            let less = u32::from(has(Fault::Version2) && version == Version::V2);
            Ok(ptp_clock_caps {
                max_adj: profile.max_adj(world.config.kernel),
                n_alarm: profile.n_alarm + i32::from(has(Fault::CapsSysfs)),
                n_ext_ts: count(profile.n_ext_ts.saturating_sub(less)),
                n_per_out: count(profile.n_per_out),
                pps: profile.pps.into(),
                n_pins: count(world.promised_pins()),
                cross_timestamping: (precise || has(Fault::CapsPrecise)).into(),
                adjust_phase: phase.is_some().into(),
                max_phase_adj: phase.filter(|_| world.has(Feature::MaxPhase)).unwrap_or(0),
                ..uapi::clock_caps()
            })
        })
    }

    fn extts_request(&self, version: Version, request: &ptp_extts_request) -> Result<()> {
        self.change(Asked::of(Call::ExttsRequest, version, request.index), |world| {
            world.knows(version)?;
            self.may_write(world, false)?;
            world.extts(version, request)
        })
    }

    fn perout_request(&self, version: Version, request: &ptp_perout_request) -> Result<()> {
        self.change(Asked::of(Call::PeroutRequest, version, request.index), |world| {
            world.knows(version)?;
            self.may_write(world, false)?;
            world.perout(version, request)
        })
    }

    fn enable_pps(&self, version: Version, enable: bool) -> Result<()> {
        self.change(Asked::of(Call::EnablePps, version, u32::from(enable)), |world| {
            world.knows(version)?;
            self.may_write(world, false)?;
            if world.config.unprivileged {
                return Err(Errno::EPERM);
            }
            if !world.config.profile.pps {
                return Err(Errno::EOPNOTSUPP);
            }
            world.chip.pps = enable;
            Ok(())
        })
    }

    fn sys_offset(&self, version: Version, samples: &mut ptp_sys_offset) -> Result<()> {
        self.call(Asked::of(Call::SysOffset, version, 0), |world| {
            world.knows(version)?;
            if samples.n_samples > PTP_MAX_SAMPLES {
                return Err(Errno::EINVAL);
            }
            world.time.look_at_the_clocks();
            if world.recorded_basic(samples)? {
                return Ok(());
            }
            // System, clock, system, clock, …, system.
            let last = 2 * samples.n_samples as usize;
            for (index, reading) in samples.ts.iter_mut().enumerate().take(last + 1) {
                let shown = if index % 2 == 0 {
                    let now = world.time.now();
                    world.shown(libc::CLOCK_REALTIME, now)?
                } else {
                    let late = world.config.faults.has(Fault::BasicLate);
                    let shown = world.read_clock()? - if late { 10_000_000 } else { 0 };
                    world.pass_a_reading();
                    shown
                };
                *reading = sampled(shown)?;
            }
            Ok(())
        })
    }

    fn sys_offset_extended(
        &self,
        version: Version,
        samples: &mut ptp_sys_offset_extended,
    ) -> Result<()> {
        self.call(Asked::of(Call::SysOffsetExtended, version, 0), |world| {
            world.knows(version)?;
            if !world.has(Feature::Extended) {
                return Err(Errno::ENOTTY);
            }
            if !world.config.profile.extended {
                return Err(Errno::EOPNOTSUPP);
            }
            world.extended(samples, false)
        })
    }

    fn sys_offset_precise(&self, version: Version) -> Result<ptp_sys_offset_precise> {
        self.call(Asked::of(Call::SysOffsetPrecise, version, 0), |world| {
            world.knows(version)?;
            if !world.has(Feature::Precise) {
                return Err(Errno::ENOTTY);
            }
            if !world.config.profile.precise || world.config.faults.has(Fault::CapsPrecise) {
                return Err(Errno::EOPNOTSUPP);
            }
            world.precise(false)
        })
    }

    fn pin_getfunc(&self, version: Version, pin: &mut ptp_pin_desc) -> Result<()> {
        self.call(Asked::of(Call::PinGetFunc, version, pin.index), |world| {
            world.knows(version)?;
            if version == Version::V2 && pin.rsv != [0; 5] {
                return Err(Errno::EINVAL);
            }
            *pin = *world.pins.get(pin.index as usize).ok_or(Errno::EINVAL)?;
            Ok(())
        })
    }

    fn pin_setfunc(&self, version: Version, pin: &ptp_pin_desc) -> Result<()> {
        self.change(Asked::of(Call::PinSetFunc, version, pin.index), |world| {
            world.knows(version)?;
            self.may_write(world, false)?;
            let reserved = version == Version::V2 && pin.rsv != [0; 5];
            if reserved || pin.index >= world.config.profile.n_pins {
                return Err(Errno::EINVAL);
            }
            world.set_pin(pin)
        })
    }

    fn mask_clear_all(&self) -> Result<()> {
        self.call(Call::MaskClearAll, |world| {
            if !world.has(Feature::QueuePerHandle) {
                return Err(Errno::ENOTTY);
            }
            world.emit();
            world.queues.entry(self.handle).or_default().clear_mask();
            Ok(())
        })
    }

    fn mask_en_single(&self, channel: u32) -> Result<()> {
        self.call(Asked { which: channel, ..Call::MaskEnSingle.into() }, |world| {
            if !world.has(Feature::QueuePerHandle) {
                return Err(Errno::ENOTTY);
            }
            world.emit();
            let wanted = world.queues.entry(self.handle).or_default().want(channel);
            if wanted { Ok(()) } else { Err(Errno::EFAULT) }
        })
    }

    fn sys_offset_precise_cycles(&self) -> Result<ptp_sys_offset_precise> {
        self.call(Call::SysOffsetPreciseCycles, |world| {
            if !world.has(Feature::Cycles) {
                return Err(Errno::ENOTTY);
            }
            if !(world.config.profile.cycles && world.config.profile.precise) {
                return Err(Errno::EOPNOTSUPP);
            }
            world.precise(true)
        })
    }

    fn sys_offset_extended_cycles(&self, samples: &mut ptp_sys_offset_extended) -> Result<()> {
        self.call(Call::SysOffsetExtendedCycles, |world| {
            if !world.has(Feature::Cycles) {
                return Err(Errno::ENOTTY);
            }
            if !world.config.profile.cycles {
                return Err(Errno::EOPNOTSUPP);
            }
            world.extended(samples, true)
        })
    }

    fn read(&self, events: &mut [ExttsEvent]) -> Result<usize> {
        self.call(Call::Read, |_| Ok(()))?;
        loop {
            {
                let mut world = self.lock();
                if world.is_gone() {
                    return Err(Errno::ENODEV);
                }
                world.emit();
                let queue = self.queue(&world);
                if let Some(queue) = world.queues.get_mut(&queue)
                    && !queue.is_empty()
                {
                    return Ok(queue.pop(events));
                }
                // Virtual time would stand still for ever.
                let nothing_comes = world.until_next_event().is_none() && world.removal.is_none();
                if world.time.is_virtual() && nothing_comes {
                    return Err(Errno::EINTR);
                }
            }
            // No other file is polled here, so only a signal can wake it.
            if self.sleep(&[], Duration::from_secs(1))? {
                return Err(Errno::EINTR);
            }
        }
    }

    fn wait(&self, wake: &[PollFd<'_>], timeout: Duration) -> Result<Wait> {
        self.lock().failure(Call::Wait)?;
        let timeout = i128::try_from(timeout.as_nanos()).unwrap_or(i128::MAX);
        let deadline = {
            let mut world = self.lock();
            let deadline = world.time.now().saturating_add(timeout);
            // Virtual time goes no farther.
            if world.time.is_virtual() { deadline.min(LAST) } else { deadline }
        };
        loop {
            let left = {
                let mut world = self.lock();
                if world.is_gone() {
                    return Ok(Wait::Gone);
                }
                world.emit();
                let queue = self.queue(&world);
                if world.queues.get(&queue).is_some_and(|queue| !queue.is_empty()) {
                    return Ok(Wait::Events);
                }
                deadline - world.time.now()
            };
            let left = u64::try_from(left.max(0)).unwrap_or(u64::MAX);
            if self.sleep(wake, Duration::from_nanos(left))? {
                return Ok(Wait::Woken);
            }
            if left == 0 {
                return Ok(Wait::TimedOut);
            }
        }
    }

    fn attribute(&self, name: &str) -> Result<String> {
        self.call(Call::Attribute, |world| world.attribute(name))
    }

    fn set_attribute(&self, name: &str, value: &str) -> Result<()> {
        self.change(Call::SetAttribute, |world| {
            if world.config.unprivileged {
                return Err(Errno::EACCES);
            }
            world.set_attribute(name, value)
        })
    }

    fn virtual_clocks(&self) -> Result<Vec<String>> {
        self.call(Call::VirtualClocks, |world| {
            Ok((1..=world.virtual_clocks).map(|number| format!("ptp{number}")).collect())
        })
    }

    fn system_gettime(&self, clock: libc::clockid_t) -> Result<timespec> {
        let mut world = self.lock();
        world.failure(Call::SystemGettime)?;
        let now = world.time.now();
        let is_auxiliary = (CLOCK_AUX..CLOCK_AUX + MAX_AUX_CLOCKS).contains(&clock);
        if is_auxiliary && world.has(Feature::AuxiliaryClocks) && !world.aux_is_on(clock) {
            return Err(Errno::ENODEV);
        }
        to_timespec(world.shown(clock, now)?)
    }

    fn system_nanosleep(&self, until: &timespec) -> Result<()> {
        let left = {
            let mut world = self.lock();
            world.failure(Call::SystemNanosleep)?;
            let now = world.time.now();
            let left = nanoseconds(*until) - world.shown(libc::CLOCK_MONOTONIC, now)?;
            if world.time.is_virtual() && left > 0 {
                world.time.pass(left);
                return Ok(());
            }
            u64::try_from(left.max(0)).unwrap_or(u64::MAX)
        };
        std::thread::sleep(Duration::from_nanos(left));
        Ok(())
    }

    fn system_adjtime(&self, timex: &mut timex) -> Result<()> {
        let mut world = self.lock();
        world.failure(Call::SystemAdjtime)?;
        timex.tai = world.config.tai;
        if timex.modes == 0 {
            return Ok(());
        }
        if world.config.unprivileged {
            return Err(Errno::EPERM);
        }
        // Steps to the nanosecond are all that the program asks for.
        if timex.modes != libc::ADJ_SETOFFSET | libc::ADJ_NANO {
            return Err(Errno::EOPNOTSUPP);
        }
        let part = i128::from(timex.time.tv_usec);
        if !(0..SECOND).contains(&part) {
            return Err(Errno::EINVAL);
        }
        world.time.step += i128::from(timex.time.tv_sec) * SECOND + part;
        world.save()
    }
}
