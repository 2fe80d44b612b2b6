//! Both versions of each ioctl must say the same.

use super::{Check, Group, caps};
use crate::kernel::Version;
use crate::kernel::uapi::{
    pin_desc, ptp_clock_caps, ptp_clock_time, sys_offset, sys_offset_extended,
};
use crate::phc::Phc;
use crate::selftest::bench::Bench;
use crate::selftest::verdict::{Stop, Verdict, must, skip};
use nix::errno::Errno;

pub(super) static GROUP: Group =
    Group { name: "versions", changes: None, checks: &[&CAPS, &PINS, &BASIC, &EXTENDED, &PRECISE] };

/// The answer of version 2, where the kernel has that.
fn second<T>(answer: Result<T, Errno>) -> Result<T, Stop> {
    match answer {
        Ok(answer) => Ok(answer),
        Err(Errno::ENOTTY) => skip("this kernel has no version 2 of the ioctls"),
        Err(errno) => Err(Stop::Wrong(format!("version 1 works, version 2 answers {errno:?}"))),
    }
}

fn fields(caps: &ptp_clock_caps) -> [(&'static str, i32); 9] {
    [
        ("max_adj", caps.max_adj),
        ("n_alarm", caps.n_alarm),
        ("n_ext_ts", caps.n_ext_ts),
        ("n_per_out", caps.n_per_out),
        ("pps", caps.pps),
        ("n_pins", caps.n_pins),
        ("cross_timestamping", caps.cross_timestamping),
        ("adjust_phase", caps.adjust_phase),
        ("max_phase_adj", caps.max_phase_adj),
    ]
}

pub(super) static CAPS: Check =
    Check { group: &GROUP, name: "agree on the caps", needs: &[], run: caps };

fn caps(bench: &mut Bench<'_>) -> Verdict {
    let first = bench.clock.ask(|clock| clock.getcaps(Version::V1));
    let first = first.map_err(|errno| Stop::Wrong(format!("GETCAPS: {errno:?}")))?;
    let second = second(bench.clock.ask(|clock| clock.getcaps(Version::V2)))?;
    for ((name, first), (_, second)) in fields(&first).into_iter().zip(fields(&second)) {
        must(first == second, || format!("{name}: version 1 says {first}, version 2 {second}"))?;
    }
    Ok(())
}

pub(super) static PINS: Check =
    Check { group: &GROUP, name: "agree on the pins", needs: &[&caps::PINS], run: pins };

fn pins(bench: &mut Bench<'_>) -> Verdict {
    if bench.caps.pins == 0 {
        return skip("the clock has no pins");
    }
    for index in 0..bench.caps.pins {
        let get = |version| {
            let mut pin = pin_desc(index, 0, 0);
            bench.clock.ask(|clock| clock.pin_getfunc(version, &mut pin))?;
            Ok((pin.name, pin.func, pin.chan))
        };
        let first = get(Version::V1).map_err(|errno: Errno| Stop::Wrong(format!("{errno:?}")))?;
        let second = second(get(Version::V2))?;
        must(first == second, || {
            format!("pin {index}: version 1 says {:?}, version 2 {:?}", first.1, second.1)
        })?;
    }
    Ok(())
}

/// Makes the call in both versions. Both times must be near to each other, and to a reading after
/// them.
fn in_order(
    bench: &Bench<'_>,
    what: &str,
    ask: impl Fn(Version) -> Result<ptp_clock_time, Errno>,
) -> Verdict {
    let first = match ask(Version::V1) {
        Ok(first) => first,
        Err(Errno::EOPNOTSUPP | Errno::ENOTTY) => {
            return skip(format!("the clock has no {what}"));
        }
        // If the clock has gone instead, the next reading reports that.
        Err(Errno::ENODEV) => return skip(super::caps::CANT_CROSS),
        Err(errno) => return Err(Stop::Wrong(format!("version 1 answers {errno:?}"))),
    };
    let second = second(ask(Version::V2))?;
    let key = |time: ptp_clock_time| (time.sec, time.nsec);
    let last = bench.clock.when_free(Phc::time)?;
    let gone = (second.sec - first.sec).abs();
    must(gone <= 10 && (last.seconds() - second.sec).abs() <= 10, || {
        let (first, second) = (key(first), key(second));
        format!("version 1 shows {first:?}, version 2 {second:?}, a later reading {last}")
    })
}

pub(super) static BASIC: Check =
    Check { group: &GROUP, name: "agree on basic samples", needs: &[], run: basic };

fn basic(bench: &mut Bench<'_>) -> Verdict {
    in_order(bench, "basic samples", |version| {
        let mut samples = sys_offset(1);
        bench.clock.ask_when_free(|clock| clock.sys_offset(version, &mut samples))?;
        let [_, shown, ..] = samples.ts;
        Ok(shown)
    })
}

pub(super) static EXTENDED: Check =
    Check { group: &GROUP, name: "agree on extended samples", needs: &[], run: extended };

fn extended(bench: &mut Bench<'_>) -> Verdict {
    in_order(bench, "extended samples", |version| {
        let mut samples = sys_offset_extended(1, 0);
        bench.clock.ask_when_free(|clock| clock.sys_offset_extended(version, &mut samples))?;
        let [[_, shown, _], ..] = samples.ts;
        Ok(shown)
    })
}

pub(super) static PRECISE: Check =
    Check { group: &GROUP, name: "agree on cross timestamps", needs: &[], run: precise };

fn precise(bench: &mut Bench<'_>) -> Verdict {
    in_order(bench, "cross timestamps", |version| {
        Ok(bench.clock.ask_when_free(|clock| clock.sys_offset_precise(version))?.device)
    })
}
