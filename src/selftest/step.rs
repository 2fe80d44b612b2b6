//! Stepping the clock: each way, and across the borders where carrying goes wrong.

use super::bench::Bench;
use super::set::GOES;
use super::{Check, Group, Verdict};

pub(super) const GROUP: Group = Group {
    name: "step",
    checks: &[
        Check { name: "goes forwards by seconds", needs: GOES, run: forwards },
        Check { name: "goes back by seconds", needs: GOES, run: back },
        Check { name: "goes forwards by a part of a second", needs: GOES, run: part },
        Check { name: "goes back by a part of a second", needs: GOES, run: part_back },
        Check {
            name: "goes forwards across a second",
            needs: &["step/goes forwards by a part of a second", "time/advances"],
            run: across,
        },
        Check {
            name: "goes back across a second",
            needs: &["step/goes back by a part of a second", "time/advances"],
            run: across_back,
        },
    ],
};

const MILLISECOND: i128 = 1_000_000;
const SECOND: i128 = 1_000 * MILLISECOND;

fn forwards(bench: &mut Bench<'_>) -> Verdict {
    bench.must_step(2 * SECOND)
}

fn back(bench: &mut Bench<'_>) -> Verdict {
    bench.must_step(-2 * SECOND)
}

fn part(bench: &mut Bench<'_>) -> Verdict {
    bench.wait_for(50..600)?;
    bench.must_step(250 * MILLISECOND)
}

fn part_back(bench: &mut Bench<'_>) -> Verdict {
    bench.wait_for(300..850)?;
    bench.must_step(-250 * MILLISECOND)
}

fn across(bench: &mut Bench<'_>) -> Verdict {
    bench.wait_for(600..900)?;
    bench.must_step(500 * MILLISECOND)
}

fn across_back(bench: &mut Bench<'_>) -> Verdict {
    bench.wait_for(50..400)?;
    bench.must_step(-500 * MILLISECOND)
}
