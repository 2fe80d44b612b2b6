//! What the clock says that it can do.

use super::{Check, Group};
use crate::kernel::Version;
use crate::kernel::uapi::{pin_desc, ptp_clock_caps};
use crate::selftest::bench::Bench;
use crate::selftest::verdict::{Stop, Verdict, must, must_refuse, skip};
use nix::errno::Errno;

pub(super) static GROUP: Group =
    Group { name: "caps", changes: None, checks: &[&AGREE_WITH_SYSFS, &CROSS_TIMESTAMPS, &PINS] };

/// An attribute, and the field of the caps that says the same.
type Field = (&'static str, fn(&ptp_clock_caps) -> i32);

const FIELDS: [Field; 6] = [
    ("max_adjustment", |caps| caps.max_adj),
    ("n_alarms", |caps| caps.n_alarm),
    ("n_external_timestamps", |caps| caps.n_ext_ts),
    ("n_periodic_outputs", |caps| caps.n_per_out),
    ("n_programmable_pins", |caps| caps.n_pins),
    ("pps_available", |caps| caps.pps),
];

pub(super) static AGREE_WITH_SYSFS: Check =
    Check { group: &GROUP, name: "agree with sysfs", needs: &[], run: agree_with_sysfs };

fn agree_with_sysfs(bench: &mut Bench<'_>) -> Verdict {
    if bench.clock.ask(|clock| clock.attribute("clock_name")).is_err() {
        return skip("there is no sysfs");
    }
    let caps = bench
        .clock
        .ask(|clock| clock.getcaps(Version::V1))
        .map_err(|errno| Stop::Wrong(format!("GETCAPS: {errno:?}")))?;
    for (name, of) in FIELDS {
        let Ok(shown) = bench.clock.ask(|clock| clock.attribute(name)) else { continue };
        must(shown == of(&caps).to_string(), || {
            format!("sysfs has {shown} for {name}, the caps have {}", of(&caps))
        })?;
    }
    if let Ok(shown) = bench.clock.ask(|clock| clock.attribute("max_phase_adjustment")) {
        must(caps.adjust_phase != 0 && shown == caps.max_phase_adj.to_string(), || {
            format!(
                "sysfs has max_phase_adjustment {shown}, the caps have adjust_phase {} and \
                 max_phase_adj {}",
                caps.adjust_phase, caps.max_phase_adj
            )
        })?;
    }
    Ok(())
}

/// No driver can help it if the machine's clock source can't be cross-stamped.
pub(super) const CANT_CROSS: &str = "this machine's own clock can't be cross-stamped: ENODEV";

pub(super) static CROSS_TIMESTAMPS: Check = Check {
    group: &GROUP,
    name: "promise cross timestamps that work",
    needs: &[],
    run: cross_timestamps,
};

fn cross_timestamps(bench: &mut Bench<'_>) -> Verdict {
    let answer = bench.clock.ask(|clock| clock.sys_offset_precise(Version::V1));
    if answer.as_ref().err() == Some(&Errno::ENOTTY) {
        return skip("this kernel has no cross timestamps");
    }
    if answer.as_ref().err() == Some(&Errno::ENODEV) {
        // If the clock has gone instead, the next reading reports that.
        return skip(CANT_CROSS);
    }
    if bench.caps.cross_timestamping {
        return answer.map(drop).map_err(|errno| {
            Stop::Wrong(format!("the caps promise cross timestamps, but the call fails: {errno:?}"))
        });
    }
    must_refuse("a cross timestamp that the caps deny", answer, Errno::EOPNOTSUPP)
}

pub(super) static PINS: Check =
    Check { group: &GROUP, name: "promise pins that can be read", needs: &[], run: pins };

fn pins(bench: &mut Bench<'_>) -> Verdict {
    let get =
        |index| bench.clock.ask(|clock| clock.pin_getfunc(Version::V1, &mut pin_desc(index, 0, 0)));
    for index in 0..bench.caps.pins {
        get(index).map_err(|errno| {
            let last = bench.caps.pins - 1;
            Stop::Wrong(format!(
                "the caps promise pins 0 to {last}, but reading pin {index} fails: {errno:?}"
            ))
        })?;
    }
    must_refuse("a pin beyond the last", get(bench.caps.pins), Errno::EINVAL)
}
