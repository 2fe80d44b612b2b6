//! A simulated system clock: `CLOCK_REALTIME` of a machine whose crystal is off, disciplined as the
//! kernel does it.
//!
//! The sources are the kernel's `kernel/time/ntp.c` and `timekeeping.c`. As there, a new frequency
//! acts at once, and an offset is slewed in portions, one a second of the clock's own time.

use super::config::{quantity, whole_seconds};
use super::core::LAST_SECOND;
use super::time::{SECOND, Time, to_timespec};
use crate::kernel::Result;
use crate::kernel::uapi::{timespec, timex, timex_timeval};
use crate::{Frequency, Offset};
use libc::{
    ADJ_ESTERROR, ADJ_FREQUENCY, ADJ_MAXERROR, ADJ_MICRO, ADJ_NANO, ADJ_OFFSET, ADJ_SETOFFSET,
    ADJ_STATUS, ADJ_TAI, ADJ_TICK, ADJ_TIMECONST, STA_CLOCKERR, STA_DEL, STA_FLL, STA_FREQHOLD,
    STA_INS, STA_MODE, STA_NANO, STA_PLL, STA_RONLY, STA_UNSYNC,
};
use nix::errno::Errno;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

/// The clock's time has this many parts of a nanosecond, so that rounding loses nothing
/// (`NTP_SCALE_SHIFT`).
const PARTS: i128 = 1 << 32;
/// `MAXPHASE`: the largest offset that is slewed, in nanoseconds.
const MAX_PHASE: i64 = 500_000_000;
/// `MAXFREQ_SCALED`: 500 ppm, in parts of a nanosecond a second.
const MAX_FREQUENCY: i128 = 500_000 * PARTS;
/// `NTP_PHASE_LIMIT`: what is told of the error where it isn't known, in microseconds.
const PHASE_LIMIT: i64 = 16_000_000;
/// `MAX_TICKADJ`: what `adjtime` slews in a second, in microseconds.
const MAX_SLEW: i64 = 500;
/// By how much the error may grow in a second, in microseconds.
const GROWTH: i64 = 500;
/// `SHIFT_PLL` and `SHIFT_FLL`.
const PLL: u32 = 2;
const FLL: u32 = 2;
/// `MINSEC` and `MAXSEC`: from how many seconds on the frequency-locked loop may and must act.
const MIN_SECONDS: i128 = 256;
const MAX_SECONDS: i128 = 2_048;
/// `MAXTC`.
const MAX_TIME_CONSTANT: i64 = 10;
/// Microseconds in a hundredth of a second, and how many more or fewer there may be.
const TICK: i64 = 10_000;
const MOST_TICKS: i64 = TICK / 10;
const DAY: i128 = 86_400;
/// The worst crystal, in scaled ppm.
const MOST_CRYSTAL: i64 = 1_000 << 16;
/// `MAX_TAI_OFFSET`.
const MAX_TAI: i64 = 100_000;
/// `ADJ_ADJTIME` and `ADJ_OFFSET_READONLY` of the kernel: what makes `adjtime` of `adjtimex`.
const ADJTIME: u32 = 0x8000;
const READ_ONLY: u32 = 0x2000;
/// Scaled ppm have 16 bits below the point: 2^16 of them are a microsecond a second.
const SCALED_PPM: i128 = 1 << 16;

/// `CLOCK_REALTIME` and what disciplines it.
#[derive(Clone, Debug)]
struct SystemClock {
    /// How much too fast the machine's crystal is, in scaled ppm.
    crystal: i64,
    /// A moment of true time in nanoseconds, and what the clock showed then, in parts.
    at: i128,
    shown: i128,
    /// The second of the clock that has begun.
    second: i128,
    tick: i64,
    /// The frequency that was dialled, in parts of a nanosecond a second.
    frequency: i128,
    /// What the loop has left to slew, and what of it in this second, in parts.
    offset: i128,
    portion: i128,
    /// What `adjtime` has left to slew, and what of it in this second, in microseconds.
    slew: i64,
    slewed: i64,
    status: i32,
    constant: i64,
    max_error: i64,
    estimated_error: i64,
    tai: i32,
    /// The second in which the loop was told an offset last.
    reference: i128,
    leap: Leap,
    /// The second in which the leap second is.
    leap_at: Option<i128>,
    /// By how many seconds the clock leaps at the end of this second, whatever its status says.
    due: Option<i32>,
}

/// The state of a leap second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leap {
    None,
    /// One is to be inserted at the end of the day.
    Insert,
    Delete,
    /// It is being inserted.
    InProgress,
    /// It has happened; the status still asks for it.
    Happened,
}

/// How a simulated system clock begins: `offset=1ms,freq=50ppm,tai=37s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SystemConfig {
    offset: Offset,
    frequency: Frequency,
    tai: i32,
}

impl FromStr for SystemConfig {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let mut config = Self { offset: Offset::ZERO, frequency: Frequency::ZERO, tai: 37 };
        for setting in text.split(',').filter(|setting| !setting.is_empty()) {
            let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
            let read = match key {
                "offset" => quantity(value).map(|offset| config.offset = offset),
                "freq" => quantity(value).map(|frequency| config.frequency = frequency),
                "tai" => whole_seconds(value).map(|tai| config.tai = tai),
                _ => Err("the settings are offset, freq and tai".to_owned()),
            };
            read.map_err(|why| format!("{setting}: {why}"))?;
        }
        if config.frequency.scaled_ppm().abs() > MOST_CRYSTAL {
            return Err("freq: a crystal is off by 1000 ppm at most".into());
        }
        Ok(config)
    }
}

/// The system clock that all clocks of a run are in, and the programs.
#[derive(Clone, Debug)]
pub(crate) struct SharedClock(Arc<Mutex<(Time, SystemClock)>>);

impl SharedClock {
    /// # Errors
    ///
    /// Those of reading the machine's clocks.
    pub(crate) fn new(config: &SystemConfig) -> Result<Self> {
        let mut time = Time::real()?;
        time.never_wait();
        let now = time.now();
        let shown = now + i128::from(config.offset.nanoseconds());
        let clock = SystemClock::new(now, shown, config.frequency.scaled_ppm(), config.tai);
        Ok(Self(Arc::new(Mutex::new((time, clock)))))
    }

    /// Makes a call at this moment of true time.
    fn now<T>(&self, call: impl FnOnce(&mut SystemClock, i128) -> T) -> T {
        let mut both = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (time, clock) = &mut *both;
        call(clock, time.now())
    }

    /// What it shows at a moment of true time.
    pub(crate) fn shows_at(&self, at: i128) -> i128 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.shows(at)
    }

    /// `clock_gettime` of `CLOCK_REALTIME`, or of `CLOCK_TAI`.
    ///
    /// # Errors
    ///
    /// `EOVERFLOW`.
    pub(crate) fn gettime(&self, is_tai: bool) -> Result<timespec> {
        to_timespec(self.now(|clock, now| {
            let tai = if is_tai { clock.tai } else { 0 };
            clock.shows(now) + i128::from(tai) * SECOND
        }))
    }

    /// `clock_settime` of `CLOCK_REALTIME`.
    ///
    /// # Errors
    ///
    /// `EINVAL`.
    pub(crate) fn settime(&self, to: &timespec) -> Result<()> {
        self.now(|clock, now| clock.set(now, to))
    }

    /// `clock_adjtime` of `CLOCK_REALTIME`: answers the state of the clock.
    ///
    /// # Errors
    ///
    /// `EINVAL`.
    pub(crate) fn adjtime(&self, timex: &mut timex) -> Result<i32> {
        self.now(|clock, now| clock.adjust(now, timex))
    }
}

impl SharedClock {
    /// Somebody steps the clock.
    pub(crate) fn step(&self, by: Offset) {
        self.now(|clock, now| {
            let to = clock.shows(now) + i128::from(by.nanoseconds());
            clock.jump_to(to);
        });
    }

    /// The machine's crystal changes its frequency.
    pub(crate) fn change_crystal(&self, by: Frequency) {
        self.now(|clock, now| {
            clock.advance(now);
            let most = MOST_CRYSTAL;
            clock.crystal = clock.crystal.saturating_add(by.scaled_ppm()).clamp(-most, most);
        });
    }

    /// A leap second comes at the end of the present second: one is inserted, or left out.
    pub(crate) fn leap(&self, is_inserted: bool) {
        self.now(|clock, now| {
            clock.advance(now);
            clock.due = Some(if is_inserted { -1 } else { 1 });
        });
    }
}

impl SystemClock {
    /// A clock that shows `shown` at the moment `now` of true time, in nanoseconds, and whose
    /// crystal is too fast by `crystal` in scaled ppm.
    fn new(now: i128, shown: i128, crystal: i64, tai: i32) -> Self {
        let second = shown.div_euclid(SECOND);
        Self {
            crystal,
            at: now,
            shown: shown * PARTS,
            second,
            tick: TICK,
            frequency: 0,
            offset: 0,
            portion: 0,
            slew: 0,
            slewed: 0,
            status: STA_UNSYNC,
            constant: 2,
            max_error: PHASE_LIMIT,
            estimated_error: PHASE_LIMIT,
            tai,
            reference: second,
            leap: Leap::None,
            leap_at: None,
            due: None,
        }
    }

    /// What it shows at a moment of true time, in nanoseconds. Before the last moment that was
    /// asked for, it is what the present pace makes of it.
    fn shows(&mut self, now: i128) -> i128 {
        self.advance(now);
        let since = now - self.at;
        (self.shown + since * self.pace() / SECOND).div_euclid(PARTS)
    }

    /// `clock_settime`.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a time that the kernel's clock can't be set to.
    fn set(&mut self, now: i128, time: &timespec) -> Result<()> {
        let (seconds, part) = (i128::from(time.tv_sec), i128::from(time.tv_nsec));
        if !(0..LAST_SECOND).contains(&seconds) || !(0..SECOND).contains(&part) {
            return Err(Errno::EINVAL);
        }
        self.advance(now);
        self.jump_to(seconds * SECOND + part);
        Ok(())
    }

    /// `clock_adjtime`: answers the state of the clock.
    ///
    /// # Errors
    ///
    /// `EINVAL` for what the kernel refuses.
    fn adjust(&mut self, now: i128, timex: &mut timex) -> Result<i32> {
        check(timex)?;
        self.advance(now);
        if timex.modes & ADJTIME == 0 && timex.modes & ADJ_SETOFFSET != 0 {
            let part = i128::from(timex.time.tv_usec);
            let part = if timex.modes & ADJ_NANO == 0 { part * 1_000 } else { part };
            let to = self.shows(now) + i128::from(timex.time.tv_sec) * SECOND + part;
            if !(0..LAST_SECOND * SECOND).contains(&to) {
                return Err(Errno::EINVAL);
            }
            self.jump_to(to);
        }
        if timex.modes & ADJTIME != 0 {
            let left = self.slew;
            if timex.modes & READ_ONLY == 0 {
                self.slew = timex.offset;
            }
            timex.offset = left;
        } else {
            self.obey(timex);
            let nanoseconds = self.offset / PARTS;
            timex.offset =
                as_64(if self.has(STA_NANO) { nanoseconds } else { nanoseconds / 1_000 });
        }
        let shown = self.shows(now);
        self.fill_in(timex, shown);
        Ok(self.state())
    }

    fn has(&self, bit: i32) -> bool {
        self.status & bit != 0
    }

    /// What is asked for, in the kernel's order.
    fn obey(&mut self, timex: &timex) {
        let asks = |mode: u32| timex.modes & mode != 0;
        if asks(ADJ_STATUS) {
            if self.has(STA_PLL) && timex.status & STA_PLL == 0 {
                (self.leap, self.leap_at, self.status) = (Leap::None, None, STA_UNSYNC);
            }
            if !self.has(STA_PLL) && timex.status & STA_PLL != 0 {
                self.reference = self.second;
            }
            self.status = (self.status & STA_RONLY) | (timex.status & !STA_RONLY);
        }
        if asks(ADJ_NANO) {
            self.status |= STA_NANO;
        }
        if asks(ADJ_MICRO) {
            self.status &= !STA_NANO;
        }
        if asks(ADJ_FREQUENCY) {
            let parts = i128::from(timex.freq) * 1_000 * PARTS / SCALED_PPM;
            self.frequency = parts.clamp(-MAX_FREQUENCY, MAX_FREQUENCY);
        }
        if asks(ADJ_MAXERROR) {
            self.max_error = timex.maxerror.clamp(0, PHASE_LIMIT);
        }
        if asks(ADJ_ESTERROR) {
            self.estimated_error = timex.esterror.clamp(0, PHASE_LIMIT);
        }
        if asks(ADJ_TIMECONST) {
            let constant = timex.constant.clamp(0, MAX_TIME_CONSTANT);
            let coarse = if self.has(STA_NANO) { 0 } else { 4 };
            self.constant = (constant + coarse).clamp(0, MAX_TIME_CONSTANT);
        }
        if asks(ADJ_TAI) && (0..=MAX_TAI).contains(&timex.constant) {
            self.tai = i32::try_from(timex.constant).unwrap_or(self.tai);
        }
        if asks(ADJ_OFFSET) {
            self.take_offset(timex.offset);
        }
        if asks(ADJ_TICK) {
            self.tick = timex.tick;
        }
    }

    /// `ntp_update_offset`: the loop takes an offset.
    fn take_offset(&mut self, offset: i64) {
        if !self.has(STA_PLL) {
            return;
        }
        let offset =
            if self.has(STA_NANO) { offset } else { offset.clamp(-1_000_000, 1_000_000) * 1_000 };
        let offset = i128::from(offset.clamp(-MAX_PHASE, MAX_PHASE));
        let held = self.has(STA_FREQHOLD);
        let seconds = if held { 0 } else { self.second - self.reference };
        self.reference = self.second;
        self.status &= !STA_MODE;
        let mut frequency = self.frequency;
        if seconds >= MIN_SECONDS && (self.has(STA_FLL) || seconds > MAX_SECONDS) {
            self.status |= STA_MODE;
            frequency += offset * (PARTS >> FLL) / seconds;
        }
        let constant = self.constant_bits();
        let seconds = seconds.min(1 << (PLL + 1 + constant));
        // 2^32 >> (2 × (4 + constant)), which is at least 2^4.
        frequency += offset * seconds * (PARTS >> (2 * (PLL + 2 + constant)));
        self.frequency = frequency.clamp(-MAX_FREQUENCY, MAX_FREQUENCY);
        self.offset = offset * PARTS;
    }

    fn constant_bits(&self) -> u32 {
        u32::try_from(self.constant).unwrap_or(0)
    }

    /// What every call of `clock_adjtime` answers.
    fn fill_in(&self, timex: &mut timex, shown: i128) {
        timex.freq = as_64(self.frequency * SCALED_PPM / (1_000 * PARTS));
        timex.maxerror = self.max_error;
        timex.esterror = self.estimated_error;
        timex.status = self.status;
        timex.constant = self.constant;
        timex.precision = 1;
        timex.tolerance = 500 << 16;
        timex.tick = self.tick;
        timex.tai = self.tai;
        (timex.ppsfreq, timex.jitter, timex.shift, timex.stabil) = (0, 0, 0, 0);
        (timex.jitcnt, timex.calcnt, timex.errcnt, timex.stbcnt) = (0, 0, 0, 0);
        let part = shown.rem_euclid(SECOND);
        timex.time = timex_timeval {
            tv_sec: as_64(shown.div_euclid(SECOND)),
            tv_usec: as_64(if self.has(STA_NANO) { part } else { part / 1_000 }),
        };
    }

    fn state(&self) -> i32 {
        if self.has(STA_UNSYNC) || self.has(STA_CLOCKERR) {
            return libc::TIME_ERROR;
        }
        match self.leap {
            Leap::None => libc::TIME_OK,
            Leap::Insert => libc::TIME_INS,
            Leap::Delete => libc::TIME_DEL,
            Leap::InProgress => libc::TIME_OOP,
            Leap::Happened => libc::TIME_WAIT,
        }
    }

    /// The time is set, and with that the discipline is forgotten (`ntp_clear`).
    fn jump_to(&mut self, shown: i128) {
        self.shown = shown * PARTS;
        self.second = shown.div_euclid(SECOND);
        (self.slew, self.slewed, self.offset, self.portion) = (0, 0, 0, 0);
        self.status |= STA_UNSYNC;
        (self.max_error, self.estimated_error) = (PHASE_LIMIT, PHASE_LIMIT);
        self.leap_at = None;
    }

    /// How far the clock comes in a second of true time, in parts of a nanosecond.
    fn pace(&self) -> i128 {
        let base = i128::from(self.tick) * 100_000 * PARTS + self.frequency;
        let dialled = base + self.portion + i128::from(self.slewed) * 1_000 * PARTS;
        dialled + dialled * i128::from(self.crystal) / (1_000_000 * SCALED_PPM)
    }

    /// Comes to a moment of true time; a moment before changes nothing.
    fn advance(&mut self, now: i128) {
        while self.at < now {
            let pace = self.pace();
            let rest = (self.second + 1) * SECOND * PARTS - self.shown;
            let left = ceiling(rest * SECOND, pace).max(0);
            if now - self.at < left {
                self.shown += (now - self.at) * pace / SECOND;
                self.at = now;
                return;
            }
            self.shown += left * pace / SECOND;
            self.at += left;
            self.second += 1;
            self.begin_second();
        }
    }

    /// `second_overflow`.
    fn begin_second(&mut self) {
        self.leap();
        self.max_error += GROWTH;
        if self.max_error > PHASE_LIMIT {
            self.max_error = PHASE_LIMIT;
            self.status |= STA_UNSYNC;
        }
        self.portion = self.offset / (1 << (PLL + self.constant_bits()));
        self.offset -= self.portion;
        self.slewed = self.slew.clamp(-MAX_SLEW, MAX_SLEW);
        self.slew -= self.slewed;
    }

    /// What the leap second does at the beginning of a second.
    fn leap(&mut self) {
        if let Some(seconds) = self.due.take() {
            let then = if seconds < 0 { Leap::InProgress } else { Leap::Happened };
            return self.skip(seconds, then);
        }
        let second = self.second;
        let is_now = self.leap_at == Some(second);
        match self.leap {
            Leap::None if self.has(STA_INS) => {
                self.leap = Leap::Insert;
                self.leap_at = Some(second + DAY - second.rem_euclid(DAY));
            }
            Leap::None if self.has(STA_DEL) => {
                self.leap = Leap::Delete;
                self.leap_at = Some(second + DAY - (second + 1).rem_euclid(DAY));
            }
            Leap::Insert if !self.has(STA_INS) => (self.leap, self.leap_at) = (Leap::None, None),
            Leap::Delete if !self.has(STA_DEL) => (self.leap, self.leap_at) = (Leap::None, None),
            Leap::Insert if is_now => self.skip(-1, Leap::InProgress),
            Leap::Delete if is_now => self.skip(1, Leap::Happened),
            Leap::InProgress => (self.leap, self.leap_at) = (Leap::Happened, None),
            Leap::Happened if !self.has(STA_INS) && !self.has(STA_DEL) => self.leap = Leap::None,
            Leap::None | Leap::Insert | Leap::Delete | Leap::Happened => {}
        }
    }

    fn skip(&mut self, seconds: i32, then: Leap) {
        self.second += i128::from(seconds);
        self.shown += i128::from(seconds) * SECOND * PARTS;
        self.tai -= seconds;
        (self.leap, self.leap_at) = (then, None);
    }
}

/// What the kernel refuses before it does anything.
fn check(timex: &timex) -> Result<()> {
    let asks = |mode: u32| timex.modes & mode != 0;
    let refused = if asks(ADJTIME) {
        // It stands alone.
        !asks(ADJ_OFFSET)
    } else {
        let parts = if asks(ADJ_NANO) { SECOND } else { SECOND / 1_000 };
        let ticks = (TICK - MOST_TICKS)..=(TICK + MOST_TICKS);
        asks(ADJ_TICK) && !ticks.contains(&timex.tick)
            || asks(ADJ_SETOFFSET) && !(0..parts).contains(&timex.time.tv_usec.into())
    };
    if refused { Err(Errno::EINVAL) } else { Ok(()) }
}

/// A quotient, rounded up.
fn ceiling(number: i128, by: i128) -> i128 {
    number.div_euclid(by) + i128::from(number.rem_euclid(by) != 0)
}

fn as_64(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::uapi;

    const START: i128 = 1_700_000_000 * SECOND;

    fn clock(crystal: i64) -> SystemClock {
        SystemClock::new(START, START, crystal, 37)
    }

    fn asked(modes: u32) -> timex {
        let mut timex = uapi::timex();
        timex.modes = modes;
        timex
    }

    /// How far ahead of true time it is after so many seconds.
    fn ahead(clock: &mut SystemClock, seconds: i128) -> i128 {
        let now = START + seconds * SECOND;
        clock.shows(now) - now
    }

    /// The kernel rounds, too: a slew of 500 ppm makes the second that it lasts as much shorter.
    #[track_caller]
    fn near(found: i128, expected: i128) {
        let most = 1 + expected.abs() / 1_500;
        assert!((found - expected).abs() <= most, "{found} is not {expected}");
    }

    #[test]
    fn a_good_crystal_keeps_true_time() {
        let mut clock = clock(0);
        for seconds in [0, 1, 7, 100_000] {
            assert_eq!(ahead(&mut clock, seconds), 0);
        }
    }

    #[test]
    fn a_fast_crystal_gains() {
        // 50 ppm.
        let mut clock = clock(50 << 16);
        near(ahead(&mut clock, 1_000), 50_000_000);
    }

    #[test]
    fn a_frequency_that_is_dialled_acts_at_once() {
        let mut clock = clock(0);
        let mut timex = asked(ADJ_FREQUENCY);
        timex.freq = -10 << 16;
        assert_eq!(clock.adjust(START, &mut timex), Ok(libc::TIME_ERROR));
        assert_eq!(timex.freq, -10 << 16);
        near(ahead(&mut clock, 10), -100_000);
        // Beyond 500 ppm it is clamped, and told.
        timex = asked(ADJ_FREQUENCY);
        timex.freq = 1_000 << 16;
        clock.adjust(START + 10 * SECOND, &mut timex).expect("dialled");
        assert_eq!(timex.freq, 500 << 16);
    }

    #[test]
    fn a_tick_is_a_hundredth_of_a_second() {
        let mut clock = clock(0);
        let mut timex = asked(ADJ_TICK);
        timex.tick = 10_001;
        clock.adjust(START, &mut timex).expect("set");
        near(ahead(&mut clock, 10), 1_000_000);
        for tick in [8_999, 11_001] {
            timex = asked(ADJ_TICK);
            timex.tick = tick;
            assert_eq!(clock.adjust(START, &mut timex), Err(Errno::EINVAL));
        }
    }

    #[test]
    fn a_step_is_exact() {
        let mut clock = clock(0);
        let mut timex = asked(ADJ_SETOFFSET | ADJ_NANO);
        (timex.time.tv_sec, timex.time.tv_usec) = (-3, 999_999_999);
        clock.adjust(START, &mut timex).expect("stepped");
        assert_eq!(ahead(&mut clock, 0), -2_000_000_001);
        timex = asked(ADJ_SETOFFSET);
        (timex.time.tv_sec, timex.time.tv_usec) = (0, 1_000_000);
        assert_eq!(clock.adjust(START, &mut timex), Err(Errno::EINVAL));
        let time = timespec { tv_sec: 5, tv_nsec: 6 };
        clock.set(START, &time).expect("set");
        assert_eq!(clock.shows(START), 5 * SECOND + 6);
    }

    #[test]
    fn adjtime_slews_half_a_millisecond_a_second() {
        let mut clock = clock(0);
        let mut timex = asked(libc::ADJ_OFFSET_SINGLESHOT);
        timex.offset = 1_200;
        clock.adjust(START, &mut timex).expect("slewed");
        near(ahead(&mut clock, 2), 500_000);
        near(ahead(&mut clock, 10), 1_200_000);
        timex = asked(libc::ADJ_OFFSET_SS_READ);
        clock.adjust(START + 10 * SECOND, &mut timex).expect("read");
        assert_eq!(timex.offset, 0);
    }

    #[test]
    fn the_loop_slews_an_offset_in_portions() {
        let mut clock = clock(0);
        let mut timex = asked(ADJ_STATUS | ADJ_NANO | ADJ_TIMECONST);
        timex.status = STA_PLL | STA_FREQHOLD;
        assert_eq!(clock.adjust(START, &mut timex), Ok(libc::TIME_OK));
        timex = asked(ADJ_OFFSET);
        timex.offset = 1_000_000;
        clock.adjust(START, &mut timex).expect("slewed");
        // A quarter of what is left, each second that begins.
        near(ahead(&mut clock, 2), 250_000);
        near(ahead(&mut clock, 3), 437_500);
        near(ahead(&mut clock, 60), 1_000_000);
    }

    #[test]
    fn a_leap_second_is_inserted_at_the_end_of_the_day() {
        let midnight = START.div_euclid(DAY * SECOND) * DAY * SECOND + DAY * SECOND;
        let mut clock = SystemClock::new(midnight - 10 * SECOND, midnight - 10 * SECOND, 0, 37);
        let mut timex = asked(ADJ_STATUS);
        timex.status = STA_INS;
        clock.adjust(midnight - 10 * SECOND, &mut timex).expect("asked for");
        assert_eq!(clock.shows(midnight - 1), midnight - 1);
        assert_eq!(clock.shows(midnight + SECOND / 2), midnight - SECOND / 2);
        assert_eq!(clock.shows(midnight + SECOND * 3 / 2), midnight + SECOND / 2);
        assert_eq!(clock.tai, 38);
    }
}
