//! The kernel's structs and numbers: `libc`'s where it has them, ours where it lacks them.
//!
//! The source is the kernel's `include/uapi/linux/ptp_clock.h`.

#![expect(unsafe_code, reason = "reads the unions of the kernel's perout request")]

pub use libc::{
    PTP_MAX_SAMPLES, PTP_PF_EXTTS, PTP_PF_NONE, PTP_PF_PEROUT, PTP_PF_PHYSYNC, ptp_clock_caps,
    ptp_clock_time, ptp_extts_request, ptp_perout_request, ptp_pin_desc, ptp_sys_offset,
    ptp_sys_offset_extended, ptp_sys_offset_precise,
};

/// The type of an ioctl number; it differs between C libraries.
#[cfg(not(target_env = "musl"))]
pub type Request = libc::c_ulong;
/// The type of an ioctl number; it differs between C libraries.
#[cfg(target_env = "musl")]
pub type Request = libc::c_int;

/// `PTP_ENABLE_FEATURE` of an external timestamp request.
pub const PTP_ENABLE_FEATURE: u32 = 1 << 0;
/// `PTP_RISING_EDGE`.
pub const PTP_RISING_EDGE: u32 = 1 << 1;
/// `PTP_FALLING_EDGE`.
pub const PTP_FALLING_EDGE: u32 = 1 << 2;
/// `PTP_STRICT_FLAGS`: the driver must refuse what it can't do.
pub const PTP_STRICT_FLAGS: u32 = 1 << 3;
/// `PTP_EXT_OFFSET`: the event carries an offset, not a time.
pub const PTP_EXT_OFFSET: u32 = 1 << 4;
/// `PTP_EXTTS_EDGES`.
pub const PTP_EXTTS_EDGES: u32 = PTP_RISING_EDGE | PTP_FALLING_EDGE;

/// `PTP_EXTTS_EVENT_VALID`: in every event's flags from Linux 6.9 on.
pub const PTP_EXTTS_EVENT_VALID: u32 = 1 << 0;

/// `PTP_PEROUT_ONE_SHOT`.
pub const PTP_PEROUT_ONE_SHOT: u32 = 1 << 0;
/// `PTP_PEROUT_DUTY_CYCLE`: the pulse width is in `on`.
pub const PTP_PEROUT_DUTY_CYCLE: u32 = 1 << 1;
/// `PTP_PEROUT_PHASE`: the request has a phase instead of a start time.
pub const PTP_PEROUT_PHASE: u32 = 1 << 2;

/// `PTP_MAX_CHANNELS`: the number of channels in an event mask.
pub const PTP_MAX_CHANNELS: u32 = 2048;
/// `PTP_MAX_TIMESTAMPS`: the slots of an event queue, one of which stays empty.
pub const PTP_MAX_TIMESTAMPS: usize = 128;
/// `PTP_BUF_TIMESTAMPS`: the most events that one `read` answers.
pub const PTP_BUF_TIMESTAMPS: usize = 30;

/// `PTP_MASK_CLEAR_ALL`.
pub const PTP_MASK_CLEAR_ALL: Request = libc::_IO(PTP_CLK_MAGIC, 19);
/// `PTP_MASK_EN_SINGLE`.
pub const PTP_MASK_EN_SINGLE: Request = libc::_IOW::<u32>(PTP_CLK_MAGIC, 20);
/// `PTP_SYS_OFFSET_PRECISE_CYCLES`.
pub const PTP_SYS_OFFSET_PRECISE_CYCLES: Request =
    libc::_IOWR::<ptp_sys_offset_precise>(PTP_CLK_MAGIC, 21);
/// `PTP_SYS_OFFSET_EXTENDED_CYCLES`.
pub const PTP_SYS_OFFSET_EXTENDED_CYCLES: Request =
    libc::_IOWR::<ptp_sys_offset_extended>(PTP_CLK_MAGIC, 22);

/// `PTP_CLK_MAGIC`: the type of all PTP ioctls.
pub(crate) const PTP_CLK_MAGIC: u32 = b'=' as u32;

/// `SIOCETHTOOL`: asks a network interface.
pub(crate) const SIOCETHTOOL: u16 = 0x8946;
/// `SIOCGHWTSTAMP`: tells which packets of an interface get timestamps.
#[cfg(feature = "cli")]
pub(crate) const SIOCGHWTSTAMP: u16 = 0x89b1;
/// `ETHTOOL_GET_TS_INFO`: which PHC an interface has.
pub(crate) const ETHTOOL_GET_TS_INFO: u32 = 0x41;

/// `CLOCK_AUX`: the first of the eight auxiliary clocks of Linux 6.17.
pub const CLOCK_AUX: libc::clockid_t = 16;
/// The number of auxiliary clocks.
pub const MAX_AUX_CLOCKS: libc::clockid_t = 8;

/// `struct ptp_extts_event`, whose fields `libc` keeps private.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct ExttsEvent {
    /// The time of the event, or the offset where [`PTP_EXT_OFFSET`] is in `flags`.
    pub t: ptp_clock_time,
    /// The channel.
    pub index: u32,
    /// 0 before Linux 6.9.
    pub flags: u32,
    /// Reserved.
    pub rsv: [u32; 2],
}

const _: () = assert!(size_of::<ExttsEvent>() == size_of::<libc::ptp_extts_event>());

impl ExttsEvent {
    /// An event with every field 0.
    pub const ZERO: Self = Self { t: clock_time(0, 0), index: 0, flags: 0, rsv: [0; 2] };
}

/// A time of the PTP interface.
pub const fn clock_time(sec: i64, nsec: u32) -> ptp_clock_time {
    ptp_clock_time { sec, nsec, reserved: 0 }
}

/// A time in nanoseconds.
#[cfg(feature = "mock")]
pub(crate) fn total(time: ptp_clock_time) -> i128 {
    i128::from(time.sec) * 1_000_000_000 + i128::from(time.nsec)
}

/// Caps with every field 0.
pub const fn clock_caps() -> ptp_clock_caps {
    ptp_clock_caps {
        max_adj: 0,
        n_alarm: 0,
        n_ext_ts: 0,
        n_per_out: 0,
        pps: 0,
        n_pins: 0,
        cross_timestamping: 0,
        adjust_phase: 0,
        max_phase_adj: 0,
        rsv: [0; 11],
    }
}

/// A pin without a name.
pub const fn pin_desc(index: u32, func: u32, chan: u32) -> ptp_pin_desc {
    ptp_pin_desc { name: [0; 64], index, func, chan, rsv: [0; 5] }
}

/// The name of a pin, up to its end.
pub(crate) fn pin_name(pin: &ptp_pin_desc) -> Vec<u8> {
    let name = pin.name.iter().take_while(|byte| **byte != 0);
    name.map(|byte| u8::from_ne_bytes(byte.to_ne_bytes())).collect()
}

/// Gives a pin a name, which is cut where it is too long.
#[cfg(feature = "mock")]
pub(crate) fn name_pin(pin: &mut ptp_pin_desc, name: &str) {
    // The last byte is the end of the name.
    let places = pin.name.len() - 1;
    for (to, from) in pin.name.iter_mut().take(places).zip(name.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
}

/// Room for basic samples.
pub const fn sys_offset(n_samples: u32) -> ptp_sys_offset {
    ptp_sys_offset { n_samples, rsv: [0; 3], ts: [clock_time(0, 0); 51] }
}

/// Room for extended samples against the system clock `clockid`.
pub const fn sys_offset_extended(n_samples: u32, clockid: i32) -> ptp_sys_offset_extended {
    ptp_sys_offset_extended { n_samples, clockid, rsv: [0; 2], ts: [[clock_time(0, 0); 3]; 25] }
}

/// Room for a cross timestamp.
pub const fn sys_offset_precise() -> ptp_sys_offset_precise {
    let zero = clock_time(0, 0);
    ptp_sys_offset_precise { device: zero, sys_realtime: zero, sys_monoraw: zero, rsv: [0; 4] }
}

/// What a perout request's two unions hold.
#[derive(Clone, Copy, Debug)]
pub struct PeroutTimes {
    /// The phase where [`PTP_PEROUT_PHASE`] is set, else the start time.
    pub start_or_phase: ptp_clock_time,
    /// The pulse width where [`PTP_PEROUT_DUTY_CYCLE`] is set, else reserved.
    pub on: ptp_clock_time,
}

/// A perout request.
pub fn perout_request(
    index: u32,
    flags: u32,
    period: ptp_clock_time,
    times: PeroutTimes,
) -> ptp_perout_request {
    ptp_perout_request {
        anonymous_1: libc::__c_anonymous_ptp_perout_request_1 { start: times.start_or_phase },
        period,
        index,
        flags,
        anonymous_2: libc::__c_anonymous_ptp_perout_request_2 { on: times.on },
    }
}

/// Reads both unions of a perout request.
pub fn perout_times(request: &ptp_perout_request) -> PeroutTimes {
    // SAFETY: both members of each union are plain integers of the same size, and
    // `perout_request` or the caller initialised all of its bytes.
    unsafe { PeroutTimes { start_or_phase: request.anonymous_1.start, on: request.anonymous_2.on } }
}

/// `struct __kernel_timespec`: a time with 64 bits for its seconds, on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(8))]
pub struct timespec {
    /// Seconds.
    pub tv_sec: i64,
    /// Nanoseconds.
    pub tv_nsec: i64,
}

/// `struct __kernel_timex_timeval`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(8))]
pub struct timex_timeval {
    /// Seconds.
    pub tv_sec: i64,
    /// Microseconds; with `ADJ_NANO` nanoseconds.
    pub tv_usec: i64,
}

/// `struct __kernel_timex`: what `clock_adjtime` takes and answers, 64 bits wide on every machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(8))]
pub struct timex {
    /// What is to be done: `ADJ_FREQUENCY` and others.
    pub modes: u32,
    padding_1: i32,
    /// Phase offset in microseconds; with `ADJ_NANO` nanoseconds.
    pub offset: i64,
    /// Frequency in scaled ppm.
    pub freq: i64,
    /// Largest error, in microseconds.
    pub maxerror: i64,
    /// Estimated error, in microseconds.
    pub esterror: i64,
    /// Status of the system clock.
    pub status: i32,
    padding_2: i32,
    /// The time constant of the system clock's loop.
    pub constant: i64,
    /// Precision, in microseconds.
    pub precision: i64,
    /// Tolerance of the frequency, in scaled ppm.
    pub tolerance: i64,
    /// The time; with `ADJ_SETOFFSET` the step.
    pub time: timex_timeval,
    /// Microseconds from one tick to the next.
    pub tick: i64,
    /// Frequency of the PPS, in scaled ppm.
    pub ppsfreq: i64,
    /// Jitter of the PPS.
    pub jitter: i64,
    /// Interval of the PPS, as a power of 2, in seconds.
    pub shift: i32,
    padding_3: i32,
    /// Stability of the PPS, in scaled ppm.
    pub stabil: i64,
    /// How often the PPS' jitter was too large.
    pub jitcnt: i64,
    /// How many intervals of the PPS were measured.
    pub calcnt: i64,
    /// How many of them were wrong.
    pub errcnt: i64,
    /// How often the PPS' stability was too bad.
    pub stbcnt: i64,
    /// TAI - UTC in seconds.
    pub tai: i32,
    padding_4: [i32; 11],
}

impl timex {
    /// The step that `ADJ_SETOFFSET` asks for, in nanoseconds.
    #[cfg(feature = "mock")]
    pub(crate) fn step(&self) -> i128 {
        let part = if self.modes & libc::ADJ_NANO == 0 { 1_000 } else { 1 };
        i128::from(self.time.tv_sec) * 1_000_000_000 + i128::from(self.time.tv_usec) * part
    }
}

/// A `timex` with every field 0.
pub fn timex() -> timex {
    timex::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    // The second source: the sizes and numbers that the kernel's header gives on x86-64 and on
    // every architecture with the same ioctl encoding.
    #[test]
    fn structs_have_the_kernels_sizes() {
        assert_eq!(size_of::<ptp_clock_caps>(), 80);
        assert_eq!(size_of::<ptp_extts_request>(), 16);
        assert_eq!(size_of::<ptp_perout_request>(), 56);
        assert_eq!(size_of::<ptp_sys_offset>(), 832);
        assert_eq!(size_of::<ptp_sys_offset_extended>(), 1216);
        assert_eq!(size_of::<ptp_sys_offset_precise>(), 64);
        assert_eq!(size_of::<ptp_pin_desc>(), 96);
        assert_eq!(size_of::<ExttsEvent>(), 32);
        assert_eq!((size_of::<timespec>(), size_of::<timex>()), (16, 208));
        assert_eq!(std::mem::offset_of!(timex, tai), 160);
    }

    #[test]
    fn a_perout_request_gives_back_what_it_was_made_of() {
        let times = PeroutTimes { start_or_phase: clock_time(1, 2), on: clock_time(3, 4) };
        let request = perout_request(5, PTP_PEROUT_DUTY_CYCLE, clock_time(6, 7), times);
        let back = perout_times(&request);
        assert_eq!((back.start_or_phase.sec, back.start_or_phase.nsec), (1, 2));
        assert_eq!((back.on.sec, back.on.nsec), (3, 4));
        assert_eq!((request.period.sec, request.period.nsec, request.index), (6, 7, 5));
    }
}
