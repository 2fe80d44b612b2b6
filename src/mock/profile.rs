//! The clocks that the mock can be, with the caps of their drivers.

use super::linux::Linux;
use crate::kernel::uapi::{
    PTP_EXT_OFFSET, PTP_EXTTS_EDGES, PTP_PEROUT_DUTY_CYCLE, PTP_PEROUT_ONE_SHOT, PTP_PEROUT_PHASE,
    PTP_RISING_EDGE,
};

/// What a driver offers to the kernel's PTP core.
#[expect(clippy::struct_excessive_bools, reason = "a driver has each of these or not")]
#[derive(Debug)]
pub(super) struct Profile {
    pub(super) name: &'static str,
    pub(super) clock_name: &'static str,
    pub(super) max_adj: i32,
    /// What `max_adj` was before this kernel.
    pub(super) older_max_adj: Option<(Linux, i32)>,
    pub(super) n_alarm: i32,
    pub(super) n_ext_ts: u32,
    pub(super) n_per_out: u32,
    pub(super) pps: bool,
    pub(super) n_pins: u32,
    /// The names of the pins, before their number.
    pub(super) pin_name: &'static str,
    /// `getcrosststamp`.
    pub(super) precise: bool,
    /// `gettimex64`.
    pub(super) extended: bool,
    /// A free-running cycle counter beside the clock.
    pub(super) cycles: bool,
    /// `adjphase` with the limit of `getmaxphase`.
    pub(super) max_phase: Option<i32>,
    /// The flags of external timestamps that the driver takes.
    pub(super) extts_flags: u32,
    /// The driver checks flags; else it refuses every strict request.
    pub(super) strict: bool,
    /// The driver checks the edges of version 1 requests, too.
    pub(super) checks_version_1: bool,
    /// External timestamps are refused with `EBUSY` until a pin has this channel's function.
    pub(super) extts_needs_pin: Option<u32>,
    /// The flags of periodic outputs that the driver takes.
    pub(super) perout_flags: u32,
    /// Periodic outputs are one pulse a second, on the second.
    pub(super) perout_is_pps: bool,
    /// How many pins, from the first on, can be outputs; the rest are inputs only.
    pub(super) output_pins: u32,
    /// The device may not be opened for writing.
    pub(super) read_only: bool,
    /// The clock is a virtual one.
    pub(super) is_virtual: bool,
}

/// A clock with everything.
pub(super) const FULL: Profile = Profile {
    name: "full",
    clock_name: "mock PHC",
    max_adj: 100_000_000,
    older_max_adj: None,
    n_alarm: 1,
    n_ext_ts: 4,
    n_per_out: 4,
    pps: true,
    n_pins: 4,
    pin_name: "SDP",
    precise: true,
    extended: true,
    cycles: true,
    max_phase: Some(500_000_000),
    extts_flags: PTP_EXTTS_EDGES | PTP_EXT_OFFSET,
    strict: true,
    checks_version_1: false,
    extts_needs_pin: None,
    perout_flags: PTP_PEROUT_ONE_SHOT | PTP_PEROUT_DUTY_CYCLE | PTP_PEROUT_PHASE,
    perout_is_pps: false,
    output_pins: 3,
    read_only: false,
    is_virtual: false,
};

/// A network card's clock without pins.
const CARD: Profile = Profile {
    n_alarm: 0,
    n_ext_ts: 0,
    n_per_out: 0,
    pps: false,
    n_pins: 0,
    pin_name: "",
    precise: false,
    cycles: false,
    max_phase: None,
    extts_flags: 0,
    strict: false,
    perout_flags: 0,
    output_pins: 0,
    ..FULL
};

pub(super) const PROFILES: [Profile; 7] = [
    FULL,
    // drivers/ptp/ptp_clockmatrix.c
    Profile {
        name: "clockmatrix",
        clock_name: "IDT CM TOD0",
        max_adj: 244_000,
        n_alarm: 0,
        n_per_out: 12,
        pps: false,
        n_pins: 16,
        pin_name: "input_ref",
        precise: false,
        extended: false,
        cycles: false,
        max_phase: Some(107_374_182),
        extts_flags: PTP_RISING_EDGE,
        checks_version_1: true,
        extts_needs_pin: Some(0),
        perout_flags: 0,
        perout_is_pps: true,
        output_pins: 0,
        ..FULL
    },
    // drivers/net/ethernet/intel/igb/igb_ptp.c, the 82576 that emulators have
    Profile { name: "igb", clock_name: "525400123456", max_adj: 999_999_881, ..CARD },
    // drivers/net/ethernet/intel/e1000e/ptp.c, the 82574
    Profile {
        name: "e1000e",
        clock_name: "525400123457",
        max_adj: 599_999_900,
        older_max_adj: Some((Linux::of(6, 9, 0), 599_999_999)),
        ..CARD
    },
    Profile { name: "readonly", read_only: true, ..FULL },
    // drivers/ptp/ptp_vclock.c
    Profile {
        name: "vclock",
        clock_name: "ptp0_virt",
        max_adj: 500_000_000,
        is_virtual: true,
        ..CARD
    },
    // drivers/net/ethernet/ti/am65-cpts.c: channels without pins
    Profile {
        name: "cpts",
        clock_name: "CTPS timer",
        max_adj: 10_000_000,
        n_alarm: 0,
        pps: false,
        n_pins: 0,
        pin_name: "",
        precise: false,
        cycles: false,
        max_phase: None,
        extts_flags: PTP_RISING_EDGE,
        strict: false,
        perout_flags: 0,
        output_pins: 0,
        ..FULL
    },
];

impl Profile {
    /// The driver's limit of frequency offsets, in this kernel.
    pub(super) fn max_adj(&self, kernel: Linux) -> i32 {
        match self.older_max_adj {
            Some((since, older)) if kernel < since => older,
            _ => self.max_adj,
        }
    }
}
