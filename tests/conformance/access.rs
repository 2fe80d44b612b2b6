//! What a handle that was opened only for reading may do.

use crate::check::{Check, Suite, answers, is};
use crate::world::World;
use nix::errno::Errno;
use ptpctl::kernel::uapi::{
    PTP_ENABLE_FEATURE, PTP_PF_EXTTS, PTP_PF_NONE, PTP_RISING_EDGE, PeroutTimes, clock_time,
    perout_request, pin_desc, ptp_extts_request,
};
use ptpctl::kernel::{Calls, Version};
use ptpctl::mock::Feature;

const ON: u32 = PTP_ENABLE_FEATURE | PTP_RISING_EDGE;

/// A request, and whether this clock has the channel or pin that it is for.
type Request = (&'static str, fn(&dyn Calls, Version) -> Result<(), Errno>, fn(&World) -> bool);

const REQUESTS: [Request; 6] = [
    (
        "extts on",
        |clock, version| {
            let asked = ptp_extts_request { index: 0, flags: ON, rsv: [0; 2] };
            clock.extts_request(version, &asked)
        },
        |w| w.caps().n_ext_ts > 0,
    ),
    (
        "extts off",
        |clock, version| {
            let asked = ptp_extts_request { index: 0, flags: 0, rsv: [0; 2] };
            clock.extts_request(version, &asked)
        },
        |w| w.caps().n_ext_ts > 0,
    ),
    ("perout on", |clock, version| perout(clock, version, 1), |w| w.caps().n_per_out > 0),
    ("perout off", |clock, version| perout(clock, version, 0), |w| w.caps().n_per_out > 0),
    (
        "setfunc extts",
        |clock, version| clock.pin_setfunc(version, &pin_desc(0, PTP_PF_EXTTS, 0)),
        |w| w.caps().n_pins > 0,
    ),
    (
        "setfunc none",
        |clock, version| clock.pin_setfunc(version, &pin_desc(0, PTP_PF_NONE, 0)),
        |w| w.caps().n_pins > 0,
    ),
];

fn perout(clock: &dyn Calls, version: Version, seconds: i64) -> Result<(), Errno> {
    let zero = clock_time(0, 0);
    let times = PeroutTimes { start_or_phase: zero, on: zero };
    clock.perout_request(version, &perout_request(0, 0, clock_time(seconds, 0), times))
}

pub(crate) fn cases(suite: &mut Suite) {
    for version in [Version::V1, Version::V2] {
        for (name, ask, offered) in REQUESTS {
            suite.case(format!("{name} {version:?} on a read-only handle"), move |w| {
                let reader = w.open(false)?;
                let expected = if w.has(Feature::ReadOnlyChecks) {
                    Some(Errno::EACCES)
                } else {
                    // Older kernels accept it from such a handle, and refuse only what the clock
                    // doesn't have.
                    (!offered(w)).then_some(Errno::EINVAL)
                };
                answers(ask(reader.as_ref(), version), expected)?;
                if expected.is_some() {
                    nothing_is_on(w)?;
                }
                Ok(())
            });
        }
        suite.case(format!("pps {version:?} on a read-only handle"), move |w| {
            let reader = w.open(false)?;
            let expected = if w.has(Feature::ReadOnlyChecks) {
                Some(Errno::EACCES)
            } else {
                (w.caps().pps == 0).then_some(Errno::EOPNOTSUPP)
            };
            answers(reader.enable_pps(version, true), expected)
        });
    }
}

fn nothing_is_on(w: &World) -> Check {
    is("what is on", (w.extts_that_are_on(), w.perouts_that_are_on()), (vec![], vec![]))
}
