//! Phase control: what it accepts, and what it refuses.

use super::set::GOES;
use super::{Check, Group};
use crate::kernel::uapi;
use crate::phc::PhaseControl;
use crate::restore::{Change, Part};
use crate::selftest::bench::Bench;
use crate::selftest::clock::Clock;
use crate::selftest::verdict::{Stop, Verdict, must_refuse, skip};
use nix::errno::Errno;

pub(super) static GROUP: Group = Group {
    name: "phase",
    changes: Some("try its phase control"),
    checks: &[&SIGNS, &LIMITS, &PAST_LIMITS],
};

/// A clock whose caps deny phase control is sent nothing: some kernels crash on it.
fn limit(bench: &Bench<'_>) -> Result<Option<i64>, Stop> {
    match bench.caps.phase_control {
        PhaseControl::NotOffered => skip("the clock has no phase control"),
        PhaseControl::Offered { limit } => Ok(limit.map(crate::Offset::nanoseconds)),
    }
}

fn told_limit(bench: &Bench<'_>) -> Result<i64, Stop> {
    match limit(bench)? {
        Some(limit) => Ok(limit),
        None => skip("this kernel doesn't tell the limit"),
    }
}

fn write(clock: &Clock<'_>, nanoseconds: i64) -> Result<(), Errno> {
    let mut timex = uapi::timex();
    timex.modes = libc::ADJ_OFFSET | libc::ADJ_NANO;
    timex.offset = nanoseconds;
    clock.ask(|clock| clock.clock_adjtime(&mut timex))
}

/// Writes an offset, and 0 right after it. How far that moved the clock is measured later.
fn write_and_take_back(
    bench: &mut Bench<'_>,
    nanoseconds: i64,
    judge: impl FnOnce(Result<(), Errno>) -> Verdict,
) -> Verdict {
    bench.account.disturb(|account| {
        account.guard.will(Change::Phase);
        let answer = write(&account.comparator.clock, nanoseconds);
        let back = write(&account.comparator.clock, 0);
        judge(answer)?;
        back.map_err(|errno| Stop::Wrong(format!("0 was refused: {errno:?}")))
    })?;
    bench.account.guard.forget(Part::Phase);
    Ok(())
}

fn taken(nanoseconds: i64) -> impl FnOnce(Result<(), Errno>) -> Verdict {
    move |answer| {
        answer.map_err(|errno| Stop::Wrong(format!("{nanoseconds} ns was refused: {errno:?}")))
    }
}

pub(super) static SIGNS: Check =
    Check { group: &GROUP, name: "takes offsets of either sign", needs: &GOES, run: signs };

fn signs(bench: &mut Bench<'_>) -> Verdict {
    let most = limit(bench)?.unwrap_or(100).min(100);
    for nanoseconds in [0, most, -most] {
        write_and_take_back(bench, nanoseconds, taken(nanoseconds))?;
    }
    Ok(())
}

pub(super) static LIMITS: Check =
    Check { group: &GROUP, name: "takes its limits", needs: &GOES, run: limits };

fn limits(bench: &mut Bench<'_>) -> Verdict {
    let limit = told_limit(bench)?;
    for nanoseconds in [limit, -limit] {
        write_and_take_back(bench, nanoseconds, taken(nanoseconds))?;
    }
    Ok(())
}

pub(super) static PAST_LIMITS: Check = Check {
    group: &GROUP,
    name: "refuses an offset beyond its limits",
    needs: &GOES,
    run: past_limits,
};

fn past_limits(bench: &mut Bench<'_>) -> Verdict {
    let limit = told_limit(bench)?;
    if limit >= i64::from(i32::MAX) {
        return skip("the limit is the largest offset that the kernel can pass on");
    }
    for nanoseconds in [limit + 1, -limit - 1] {
        write_and_take_back(bench, nanoseconds, |answer| {
            must_refuse(&format!("{nanoseconds} ns"), answer, Errno::ERANGE)
        })?;
    }
    Ok(())
}
