//! Everything is as it was before.

use super::account::WORST;
use super::bench::{Bench, time};
use super::set::GOES;
use super::{Check, Group, Stop, Verdict, must, skip};

pub(super) const GROUP: Group = Group {
    name: "restore",
    checks: &[
        Check { name: "the pins are as before", needs: &[], run: pins },
        Check { name: "the frequency is as before", needs: &[], run: frequency },
        Check { name: "the time is as before", needs: GOES, run: restored_time },
    ],
};

fn pins(bench: &mut Bench<'_>) -> Verdict {
    bench.put_back_channels()?;
    bench.put_back_pins()?;
    if !bench.account.touched.pins {
        return skip("no pin was changed");
    }
    let now = bench.phc.pins()?;
    must(now == bench.account.pins, || format!("they are {now:?}, were {:?}", bench.account.pins))
}

fn frequency(bench: &mut Bench<'_>) -> Verdict {
    if !bench.account.touched.frequency {
        return skip("no frequency was dialled");
    }
    bench.put_back_frequency()?;
    let before = bench.frequency_before();
    let now = bench.phc.frequency()?;
    must(now == before, || format!("it is {now:+}, was {before:+}"))
}

fn restored_time(bench: &mut Bench<'_>) -> Verdict {
    bench.put_back_phase()?;
    if !bench.account.touched.time {
        return skip("the time was not changed");
    }
    let (off, doubt) = bench.give_back()?;
    bench.note(format!("all that moved the clock is taken back, to {} ns", off + doubt));
    must(off <= WORST, || format!("it is off by {}", time(off)))?;
    if doubt > WORST {
        return Err(Stop::Busy(format!("what moved the clock was measured to {doubt} ns")));
    }
    Ok(())
}
