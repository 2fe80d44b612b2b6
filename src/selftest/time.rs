//! The clock can be read, and goes.

use super::bench::{Bench, ppm, within};
use super::{Check, Group, Stop, Verdict, must};
use std::time::Duration;

pub(super) const GROUP: Group = Group {
    name: "time",
    checks: &[
        Check { name: "advances", needs: &[], run: advances },
        Check { name: "is monotonic", needs: &["time/advances"], run: is_monotonic },
        Check {
            name: "keeps the pace of the machine's clock",
            needs: &["time/advances", "time/is monotonic"],
            run: keeps_pace,
        },
    ],
};

/// How far a free-running oscillator may be off, in millionths of a ppb: more than any is.
const WORST: i128 = 500_000_000_000;

fn advances(bench: &mut Bench<'_>) -> Verdict {
    let before = bench.shows()?;
    bench.sleep(Duration::from_millis(20))?;
    let after = bench.shows()?;
    must(before != after, || format!("it stands at {after} ns"))
}

fn is_monotonic(bench: &mut Bench<'_>) -> Verdict {
    let mut last = bench.shows()?;
    let began = bench.monotonic()?;
    for number in 1..=2_000 {
        bench.go_on()?;
        // A clock on a slow bus isn't read so often.
        if number > 10 && bench.monotonic()? - began > 500_000_000 {
            break;
        }
        let next = bench.shows()?;
        must(next >= last, || format!("reading {number} is {} ns before the last", last - next))?;
        last = next;
    }
    Ok(())
}

fn keeps_pace(bench: &mut Bench<'_>) -> Verdict {
    let dialled = bench.frequency_before().micro_ppb();
    let pace = bench.measure_pace(Duration::from_secs(1))?;
    let (middle, bound) = (ppm(pace.middle()), within(pace.bound()));
    bench.note(format!("measured {middle} within {bound}, dialled {}", ppm(dialled)));
    bench.pace = Some(pace);
    let off = (pace.middle() - dialled).abs();
    if off <= WORST && pace.bound() <= WORST {
        Ok(())
    } else if off - pace.bound() <= WORST {
        Err(Stop::Busy(format!("the pace is measured within {bound} only")))
    } else {
        Err(Stop::Wrong(format!("its pace is off by {middle}, dialled are {}", ppm(dialled))))
    }
}
