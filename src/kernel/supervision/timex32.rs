//! The clock calls' structs of programs whose times have 32 bits: `struct old_timespec32` and
//! `struct old_timex32` of the kernel's `include/linux/time32.h`.

use crate::kernel::uapi::{self, timespec, timex};

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Timespec32 {
    tv_sec: i32,
    tv_nsec: i32,
}

#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Timex32 {
    modes: u32,
    offset: i32,
    freq: i32,
    maxerror: i32,
    esterror: i32,
    status: i32,
    constant: i32,
    precision: i32,
    tolerance: i32,
    tv_sec: i32,
    tv_usec: i32,
    tick: i32,
    ppsfreq: i32,
    jitter: i32,
    shift: i32,
    stabil: i32,
    jitcnt: i32,
    calcnt: i32,
    errcnt: i32,
    stbcnt: i32,
    tai: i32,
    padding: [i32; 11],
}

const _: () = assert!(size_of::<Timex32>() == 128);

/// What the kernel does with a number that 32 bits can't hold: it cuts it.
pub(crate) fn cut(number: i64) -> i32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

impl Timespec32 {
    pub(crate) fn of(time: timespec) -> Self {
        Self { tv_sec: cut(time.tv_sec), tv_nsec: cut(time.tv_nsec) }
    }
}

impl From<Timespec32> for timespec {
    fn from(narrow: Timespec32) -> Self {
        Self { tv_sec: narrow.tv_sec.into(), tv_nsec: narrow.tv_nsec.into() }
    }
}

impl Timex32 {
    pub(crate) fn widened(&self) -> timex {
        let mut wide = uapi::timex();
        wide.modes = self.modes;
        wide.offset = self.offset.into();
        wide.freq = self.freq.into();
        wide.maxerror = self.maxerror.into();
        wide.esterror = self.esterror.into();
        wide.status = self.status;
        wide.constant = self.constant.into();
        wide.precision = self.precision.into();
        wide.tolerance = self.tolerance.into();
        wide.time.tv_sec = self.tv_sec.into();
        wide.time.tv_usec = self.tv_usec.into();
        wide.tick = self.tick.into();
        wide.ppsfreq = self.ppsfreq.into();
        wide.jitter = self.jitter.into();
        wide.shift = self.shift;
        wide.stabil = self.stabil.into();
        wide.jitcnt = self.jitcnt.into();
        wide.calcnt = self.calcnt.into();
        wide.errcnt = self.errcnt.into();
        wide.stbcnt = self.stbcnt.into();
        wide.tai = self.tai;
        wide
    }

    pub(crate) fn of(wide: &timex) -> Self {
        Self {
            modes: wide.modes,
            offset: cut(wide.offset),
            freq: cut(wide.freq),
            maxerror: cut(wide.maxerror),
            esterror: cut(wide.esterror),
            status: wide.status,
            constant: cut(wide.constant),
            precision: cut(wide.precision),
            tolerance: cut(wide.tolerance),
            tv_sec: cut(wide.time.tv_sec),
            tv_usec: cut(wide.time.tv_usec),
            tick: cut(wide.tick),
            ppsfreq: cut(wide.ppsfreq),
            jitter: cut(wide.jitter),
            shift: wide.shift,
            stabil: cut(wide.stabil),
            jitcnt: cut(wide.jitcnt),
            calcnt: cut(wide.calcnt),
            errcnt: cut(wide.errcnt),
            stbcnt: cut(wide.stbcnt),
            tai: wide.tai,
            padding: [0; 11],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_the_same_after_both_ways() {
        let mut wide = uapi::timex();
        (wide.modes, wide.freq, wide.tick) = (0x2100, -3, 10_000);
        wide.time.tv_sec = -1;
        wide.tai = 37;
        assert_eq!(Timex32::of(&wide).widened(), wide);
        wide.time.tv_sec = 1 << 32;
        assert_eq!(Timex32::of(&wide).widened().time.tv_sec, 0);
    }
}
