//! Stepping the clock: in both directions, and across a second, where drivers get the carry wrong.

use super::set::GOES;
use super::{Check, Group, time};
use crate::selftest::bench::Bench;
use crate::selftest::comparator::must_be_near;
use crate::selftest::verdict::Verdict;
use crate::selftest::words::time;

pub(super) static GROUP: Group = Group {
    name: "step",
    changes: Some("step it"),
    checks: &[&FORWARDS, &BACK, &PART, &PART_BACK, &ACROSS, &ACROSS_BACK],
};

const MILLISECOND: i128 = 1_000_000;
const SECOND: i128 = 1_000 * MILLISECOND;

pub(super) static FORWARDS: Check =
    Check { group: &GROUP, name: "goes forwards by seconds", needs: &GOES, run: forwards };

fn forwards(bench: &mut Bench<'_>) -> Verdict {
    must_step(bench, 2 * SECOND)
}

pub(super) static BACK: Check =
    Check { group: &GROUP, name: "goes back by seconds", needs: &GOES, run: back };

fn back(bench: &mut Bench<'_>) -> Verdict {
    must_step(bench, -2 * SECOND)
}

pub(super) static PART: Check =
    Check { group: &GROUP, name: "goes forwards by a part of a second", needs: &GOES, run: part };

fn part(bench: &mut Bench<'_>) -> Verdict {
    bench.clock.wait_for(50..600)?;
    must_step(bench, 250 * MILLISECOND)
}

pub(super) static PART_BACK: Check =
    Check { group: &GROUP, name: "goes back by a part of a second", needs: &GOES, run: part_back };

fn part_back(bench: &mut Bench<'_>) -> Verdict {
    bench.clock.wait_for(300..850)?;
    must_step(bench, -250 * MILLISECOND)
}

pub(super) static ACROSS: Check = Check {
    group: &GROUP,
    name: "goes forwards across a second",
    needs: &[&PART, &time::ADVANCES],
    run: across,
};

fn across(bench: &mut Bench<'_>) -> Verdict {
    bench.clock.wait_for(600..900)?;
    must_step(bench, 500 * MILLISECOND)
}

pub(super) static ACROSS_BACK: Check = Check {
    group: &GROUP,
    name: "goes back across a second",
    needs: &[&PART_BACK, &time::ADVANCES],
    run: across_back,
};

fn across_back(bench: &mut Bench<'_>) -> Verdict {
    bench.clock.wait_for(50..400)?;
    must_step(bench, -500 * MILLISECOND)
}

/// Steps the clock, which must move as far as it was asked to.
fn must_step(bench: &mut Bench<'_>, by: i128) -> Verdict {
    let moved = bench.account.step(by)?;
    let bound = moved.bound;
    bench.note(format!("asked {}, moved {} within {bound} ns", time(by), time(moved.middle)));
    must_be_near(moved.middle - by, bound, || {
        format!("a step by {} moved the clock by {}", time(by), time(moved.middle))
    })
}
