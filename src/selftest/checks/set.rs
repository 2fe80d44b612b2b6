//! Setting the clock.

use super::{Check, Group, time};
use crate::kernel::uapi::timespec;
use crate::phc::Phc;
use crate::selftest::bench::{Bench, LAST_SECOND};
use crate::selftest::clock::nanoseconds;
use crate::selftest::comparator::must_be_near;
use crate::selftest::verdict::{Stop, Verdict, must_refuse, skip};
use crate::selftest::words::{span, time};
use nix::errno::Errno;

pub(super) static GROUP: Group = Group {
    name: "set",
    changes: Some("set it"),
    checks: &[&FUTURE, &PAST, &PART, &AFTER_2038, &NO_TIME],
};

/// The checks that others need: nothing can be judged on a clock that doesn't run evenly.
pub(super) static GOES: [&Check; 3] = [&time::ADVANCES, &time::IS_MONOTONIC, &time::KEEPS_RATE];

/// Sets the clock, and checks that it goes on from there.
fn must_take(bench: &mut Bench<'_>, to: timespec) -> Verdict {
    let mut call = (0, 0);
    bench.account.disturb(|account| {
        let clock = account.comparator.clock;
        let began = clock.monotonic()?;
        let answer = clock.ask(|clock| clock.clock_settime(&to));
        call = (began, clock.monotonic()?);
        match answer {
            Err(Errno::EOPNOTSUPP) => skip("the driver can't set it"),
            answer => answer.map_err(|errno| Stop::Wrong(format!("it was refused: {errno:?}"))),
        }
    })?;
    let after = bench.comparator().compare()?;
    let (began, ended) = call;
    // At some time during the call the clock was at `to`.
    let expected = (nanoseconds(to) - ended, nanoseconds(to) - began);
    let off = if after.middle() < expected.0 {
        after.middle() - expected.0
    } else {
        (after.middle() - expected.1).max(0)
    };
    bench.note(format!("the call took {}; off by {}", span(ended - began), time(off)));
    must_be_near(off, after.bound(), || {
        format!("set to {}.{:09} s, the clock was off by {}", to.tv_sec, to.tv_nsec, time(off))
    })
}

/// Whole seconds from now, as the clock shows it.
fn from_now(bench: &Bench<'_>, seconds: i64) -> Result<timespec, Stop> {
    Ok(timespec {
        tv_sec: bench.clock.when_free(Phc::time)?.seconds().saturating_add(seconds),
        tv_nsec: 0,
    })
}

pub(super) static FUTURE: Check =
    Check { group: &GROUP, name: "takes a time in the future", needs: &GOES, run: future };

fn future(bench: &mut Bench<'_>) -> Verdict {
    let to = from_now(bench, 1_000)?;
    if to.tv_sec >= LAST_SECOND {
        return skip("the clock is near the last time that the kernel accepts");
    }
    must_take(bench, to)
}

pub(super) static PAST: Check =
    Check { group: &GROUP, name: "takes a time in the past", needs: &GOES, run: past };

fn past(bench: &mut Bench<'_>) -> Verdict {
    let to = from_now(bench, -1_000)?;
    if to.tv_sec < 0 {
        return skip("the clock is at the beginning of 1970");
    }
    must_take(bench, to)
}

pub(super) static PART: Check =
    Check { group: &GROUP, name: "takes a part of a second", needs: &GOES, run: part };

fn part(bench: &mut Bench<'_>) -> Verdict {
    let to = timespec { tv_nsec: 543_210_987, ..from_now(bench, 0)? };
    must_take(bench, to)
}

pub(super) static AFTER_2038: Check =
    Check { group: &GROUP, name: "takes a time after 2038", needs: &GOES, run: after_2038 };

fn after_2038(bench: &mut Bench<'_>) -> Verdict {
    // 2039-09-18, beyond 31 bits of seconds.
    must_take(bench, timespec { tv_sec: 2_200_000_000, tv_nsec: 0 })
}

pub(super) static NO_TIME: Check =
    Check { group: &GROUP, name: "refuses an invalid time", needs: &GOES, run: no_time };

fn no_time(bench: &mut Bench<'_>) -> Verdict {
    for (seconds, part) in [(1, 1_000_000_000), (1, -1), (-1, 0)] {
        let time = timespec { tv_sec: seconds, tv_nsec: part };
        let mut answer = Ok(());
        bench.account.disturb(|account| {
            answer = account.comparator.clock.ask(|clock| clock.clock_settime(&time));
            Ok(())
        })?;
        if answer.is_ok() || answer == Err(Errno::EOPNOTSUPP) {
            return skip("this kernel leaves it to the driver what is a time");
        }
        must_refuse(&format!("{seconds} s and {part} ns"), answer, Errno::EINVAL)?;
    }
    Ok(())
}
