//! Setting the clock.

use super::bench::{Bench, LAST_SECOND, nanoseconds};
use super::rates::{must_be_near, span, time};
use super::{Check, Group, Stop, Verdict, must_refuse, skip};
use crate::kernel::uapi::timespec;
use crate::phc::Phc;
use nix::errno::Errno;

pub(super) const GROUP: Group = Group {
    name: "set",
    checks: &[
        Check { name: "takes a time in the future", needs: GOES, run: future },
        Check { name: "takes a time in the past", needs: GOES, run: past },
        Check { name: "takes a part of a second", needs: GOES, run: part },
        Check { name: "takes a time after 2038", needs: GOES, run: after_2038 },
        Check { name: "refuses what is no time", needs: GOES, run: no_time },
    ],
};

/// Without a clock that goes evenly nothing can be told.
pub(super) const GOES: &[&str] =
    &["time/advances", "time/is monotonic", "time/keeps the pace of the machine's clock"];

/// Sets the clock and looks whether it goes on from there.
fn must_take(bench: &mut Bench<'_>, to: timespec) -> Verdict {
    let mut call = (0, 0);
    bench.disturb(|bench| {
        let began = bench.monotonic()?;
        let answer = bench.ask(|clock| clock.clock_settime(&to));
        call = (began, bench.monotonic()?);
        match answer {
            Err(Errno::EOPNOTSUPP) => skip("the driver can't set it"),
            answer => answer.map_err(|errno| Stop::Wrong(format!("it was refused: {errno:?}"))),
        }
    })?;
    let after = bench.compare()?;
    let (began, ended) = call;
    // Some time during the call the clock was at `to`.
    let expected = (nanoseconds(to) - ended, nanoseconds(to) - began);
    let off = if after.middle() < expected.0 {
        after.middle() - expected.0
    } else {
        (after.middle() - expected.1).max(0)
    };
    bench.note(format!("the call took {}; off by {}", span(ended - began), time(off)));
    must_be_near(off, after.bound(), || {
        format!("set to {}.{:09} s it was off by {}", to.tv_sec, to.tv_nsec, time(off))
    })
}

/// Whole seconds from now, as the clock shows it.
fn from_now(bench: &Bench<'_>, seconds: i64) -> Result<timespec, Stop> {
    Ok(timespec {
        tv_sec: bench.when_free(Phc::time)?.seconds().saturating_add(seconds),
        tv_nsec: 0,
    })
}

fn future(bench: &mut Bench<'_>) -> Verdict {
    let to = from_now(bench, 1_000)?;
    if to.tv_sec >= LAST_SECOND {
        return skip("the clock is at the end of the kernel's time");
    }
    must_take(bench, to)
}

fn past(bench: &mut Bench<'_>) -> Verdict {
    let to = from_now(bench, -1_000)?;
    if to.tv_sec < 0 {
        return skip("the clock is at the beginning of 1970");
    }
    must_take(bench, to)
}

fn part(bench: &mut Bench<'_>) -> Verdict {
    let to = timespec { tv_nsec: 543_210_987, ..from_now(bench, 0)? };
    must_take(bench, to)
}

fn after_2038(bench: &mut Bench<'_>) -> Verdict {
    // 2039-09-18, beyond 31 bits of seconds.
    must_take(bench, timespec { tv_sec: 2_200_000_000, tv_nsec: 0 })
}

fn no_time(bench: &mut Bench<'_>) -> Verdict {
    for (seconds, part) in [(1, 1_000_000_000), (1, -1), (-1, 0)] {
        let time = timespec { tv_sec: seconds, tv_nsec: part };
        let mut answer = Ok(());
        bench.disturb(|bench| {
            answer = bench.ask(|clock| clock.clock_settime(&time));
            Ok(())
        })?;
        if answer.is_ok() || answer == Err(Errno::EOPNOTSUPP) {
            return skip("this kernel leaves it to the driver what is a time");
        }
        must_refuse(&format!("{seconds} s and {part} ns"), answer, Errno::EINVAL)?;
    }
    Ok(())
}
