//! `PTP_SYS_OFFSET`, `…_EXTENDED`, `…_PRECISE`.

use crate::check::{Check, Suite, answers, holds, is, refuses, skip, works};
use crate::world::World;
use nix::errno::Errno;
use ptpctl::kernel::Version;
use ptpctl::kernel::uapi::{ptp_clock_time, sys_offset, sys_offset_extended};
use ptpctl::mock::Feature;

const VERSIONS: [Version; 2] = [Version::V1, Version::V2];

pub(crate) fn cases(suite: &mut Suite) {
    for version in VERSIONS {
        basic(suite, version);
        extended(suite, version);
        precise(suite, version);
    }
}

fn total(time: ptp_clock_time) -> i128 {
    i128::from(time.sec) * 1_000_000_000 + i128::from(time.nsec)
}

fn ascending(what: &str, times: &[i128]) -> Check {
    holds(what, times.windows(2).all(|pair| pair.first() <= pair.last()))
}

fn basic(suite: &mut Suite, version: Version) {
    for number in [0, 1, 2, 25] {
        suite.case(format!("basic {version:?}: {number} samples"), move |w| {
            let mut samples = sys_offset(number);
            works(w.ask(|clock| clock.sys_offset(version, &mut samples)))?;
            is("n_samples", samples.n_samples, number)?;
            let last = 2 * number as usize;
            let of = |odd| samples.ts.iter().take(last + 1).skip(odd).step_by(2);
            let system: Vec<_> = of(0).map(|time| total(*time)).collect();
            let clock: Vec<_> = of(1).map(|time| total(*time)).collect();
            is("system times", system.len(), number as usize + 1)?;
            holds("each is a time", system.iter().all(|time| *time > 0))?;
            ascending("the system's times ascend", &system)?;
            ascending("the clock's times ascend", &clock)?;
            let rest = samples.ts.iter().skip(last + 1);
            holds("the rest is untouched", rest.into_iter().all(|time| total(*time) == 0))
        });
    }
    for number in [26, u32::MAX] {
        suite.case(format!("basic {version:?}: {number} samples are too many"), move |w| {
            let mut samples = sys_offset(number);
            refuses(w.ask(|clock| clock.sys_offset(version, &mut samples)), Errno::EINVAL)
        });
    }
    suite.case(format!("basic {version:?}: on a read-only handle"), move |w| {
        works(w.open(false)?.sys_offset(version, &mut sys_offset(1)))
    });
    suite.case(format!("basic {version:?}: reserved words are ignored"), move |w| {
        let mut samples = sys_offset(1);
        samples.rsv = [1, 2, 3];
        works(w.ask(|clock| clock.sys_offset(version, &mut samples)))
    });
    suite.case(format!("basic {version:?}: shows the clock's time"), move |w| {
        let before = w.shows()?;
        let mut samples = sys_offset(1);
        works(w.ask(|clock| clock.sys_offset(version, &mut samples)))?;
        let [_, between, ..] = samples.ts;
        let after = w.shows()?;
        holds("between two readings", (before..=after).contains(&total(between)))
    });
}

fn extended(suite: &mut Suite, version: Version) {
    for number in [0, 1, 25] {
        suite.case(format!("extended {version:?}: {number} samples"), move |w| {
            let mut samples = sys_offset_extended(number, 0);
            works(w.ask(|clock| clock.sys_offset_extended(version, &mut samples)))?;
            is("n_samples", samples.n_samples, number)?;
            let taken = samples.ts.iter().take(number as usize);
            let mut clock = Vec::new();
            let mut system = Vec::new();
            for [before, shown, after] in taken {
                system.extend([total(*before), total(*after)]);
                clock.push(total(*shown));
            }
            ascending("the system's times ascend", &system)?;
            ascending("the clock's times ascend", &clock)?;
            let mut rest = samples.ts.iter().skip(number as usize).flatten();
            holds("the rest is untouched", rest.all(|time| total(*time) == 0))
        });
    }
    for number in [26, u32::MAX] {
        suite.case(format!("extended {version:?}: {number} samples are too many"), move |w| {
            let mut samples = sys_offset_extended(number, 0);
            let ask = w.ask(|clock| clock.sys_offset_extended(version, &mut samples));
            refuses(ask, Errno::EINVAL)
        });
    }
    for word in [0, 1] {
        suite.case(format!("extended {version:?}: reserved word {word}"), move |w| {
            let mut samples = sys_offset_extended(1, 0);
            samples.rsv.iter_mut().skip(word).take(1).for_each(|reserved| *reserved = 1);
            let ask = w.ask(|clock| clock.sys_offset_extended(version, &mut samples));
            refuses(ask, Errno::EINVAL)
        });
    }
    suite.case(format!("extended {version:?}: on a read-only handle"), move |w| {
        works(w.open(false)?.sys_offset_extended(version, &mut sys_offset_extended(1, 0)))
    });
    for clock in [-1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 15, 16, 23, 24, i32::MAX, i32::MIN] {
        suite.case(format!("extended {version:?}: clockid {clock}"), move |w| {
            refuses(against(w, version, clock), Errno::EINVAL)
        });
    }
    for (name, clock) in
        [("monotonic", libc::CLOCK_MONOTONIC), ("monotonic raw", libc::CLOCK_MONOTONIC_RAW)]
    {
        suite.case(format!("extended {version:?}: clockid {name} from 6.12 on"), move |w| {
            let expected = (!w.has(Feature::ClockId)).then_some(Errno::EINVAL);
            answers(against(w, version, clock), expected)
        });
    }
    suite.case(format!("extended {version:?}: monotonic times are the machine's"), move |w| {
        if !w.has(Feature::ClockId) {
            return skip("a kernel without clockid");
        }
        let began = w.monotonic()?.as_nanos();
        let mut samples = sys_offset_extended(1, libc::CLOCK_MONOTONIC_RAW);
        works(w.ask(|clock| clock.sys_offset_extended(version, &mut samples)))?;
        let ended = w.monotonic()?.as_nanos();
        let [[before, _, after], ..] = samples.ts;
        let times = [began.cast_signed(), total(before), total(after), ended.cast_signed()];
        ascending("they are between the machine's own", &times)
    });
}

fn against(w: &World, version: Version, clock: i32) -> Result<(), Errno> {
    let mut samples = sys_offset_extended(1, clock);
    w.ask(|device| device.sys_offset_extended(version, &mut samples))
}

fn precise(suite: &mut Suite, version: Version) {
    suite.case(format!("precise {version:?}: where the caps have it"), move |w| {
        let expected = (w.caps().cross_timestamping == 0).then_some(Errno::EOPNOTSUPP);
        answers(w.ask(|clock| clock.sys_offset_precise(version)), expected)
    });
    suite.case(format!("precise {version:?}: on a read-only handle"), move |w| {
        needs_precise(w)?;
        works(w.open(false)?.sys_offset_precise(version)).map(drop)
    });
    suite.case(format!("precise {version:?}: reserved words are 0"), move |w| {
        needs_precise(w)?;
        is("rsv", works(w.ask(|clock| clock.sys_offset_precise(version)))?.rsv, [0; 4])
    });
    suite.case(format!("precise {version:?}: all three times are of one moment"), move |w| {
        needs_precise(w)?;
        let (before, began) = (w.shows()?, w.monotonic()?.as_nanos());
        let stamp = works(w.ask(|clock| clock.sys_offset_precise(version)))?;
        let (after, ended) = (w.shows()?, w.monotonic()?.as_nanos());
        // The chip converts the machine's counter for its stamp: it is exact to 100 us.
        let within = (before - 100_000..=after + 100_000).contains(&total(stamp.device));
        holds("the clock's is between two readings", within)?;
        let range = began.cast_signed()..=ended.cast_signed();
        holds("the raw one, too", range.contains(&total(stamp.sys_monoraw)))?;
        holds("there is a real time", total(stamp.sys_realtime) > 0)
    });
}

fn needs_precise(w: &World) -> Check {
    if w.caps().cross_timestamping == 0 { skip("no cross timestamps") } else { Ok(()) }
}
