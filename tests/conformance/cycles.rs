//! The ioctls of the free-running cycle counter.

use crate::check::{Stop, Suite, answers, holds, skip, works};
use crate::world::World;
use nix::errno::Errno;
use ptpctl::kernel::uapi::sys_offset_extended;
use ptpctl::mock::Feature;
use std::time::Duration;

pub(crate) fn cases(suite: &mut Suite) {
    suite.case("cycles: precise, from 6.18 on", |w| {
        answers(w.ask(|clock| clock.sys_offset_precise_cycles()), expected(w))
    });
    suite
        .case("cycles: extended, from 6.18 on", |w| answers(extended(w, 1).map(drop), expected(w)));
    suite.case("cycles: a step leaves the counter alone", |w| {
        if expected(w).is_some() {
            return skip("no cycle counter");
        }
        let before = counter(w)?;
        let step = |timex: &mut ptpctl::kernel::uapi::timex| timex.time.tv_sec = 1_000;
        works(w.adjtime(libc::ADJ_SETOFFSET, step))?;
        holds("no 1 000 s have passed", counter(w)? - before < 500_000_000_000)
    });
    suite.case("cycles: the counter goes on", |w| {
        if expected(w).is_some() {
            return skip("no cycle counter");
        }
        let before = counter(w)?;
        w.pass(Duration::from_millis(10));
        holds("10 ms have passed", counter(w)? - before >= 9_000_000)
    });
}

/// The simulated chip has a counter; cards have none.
fn expected(w: &World) -> Option<Errno> {
    if !w.has(Feature::Cycles) {
        return Some(Errno::ENOTTY);
    }
    (!w.is_simulated()).then_some(Errno::EOPNOTSUPP)
}

fn extended(w: &World, number: u32) -> Result<i128, Errno> {
    let mut samples = sys_offset_extended(number, 0);
    w.ask(|clock| clock.sys_offset_extended_cycles(&mut samples))?;
    let [[_, shown, _], ..] = samples.ts;
    Ok(i128::from(shown.sec) * 1_000_000_000 + i128::from(shown.nsec))
}

fn counter(w: &World) -> Result<i128, Stop> {
    works(extended(w, 1))
}
