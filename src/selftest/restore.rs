//! Everything is as it was before.

use super::account::WORST;
use super::bench::Bench;
use super::rates::{WIDEST_UNCERTAINTY, span, time};
use super::set::GOES;
use super::{Check, Group, Stop, Verdict, must, skip};
use crate::phc::Pin;

pub(super) const GROUP: Group = Group {
    name: "restore",
    checks: &[
        Check { name: "the pins are as before", needs: &[], run: pins },
        Check { name: "the frequency is as before", needs: &[], run: frequency },
        Check { name: "the time is as before", needs: GOES, run: restored_time },
    ],
};

fn pins(bench: &mut Bench<'_>) -> Verdict {
    bench.account.guard.put_back_channels()?;
    bench.account.guard.put_back_pins()?;
    if !bench.account.touched.pins {
        return skip("no pin was changed");
    }
    let now = bench.phc.pins()?;
    for (was, now) in bench.pins()?.iter().zip(&now) {
        must(was == now, || {
            let has = |pin: &Pin| format!("{} channel {}", pin.function, pin.channel);
            format!("pin {} ({}) had {}, has {}", was.index, was.name, has(was), has(now))
        })?;
    }
    Ok(())
}

fn frequency(bench: &mut Bench<'_>) -> Verdict {
    if !bench.account.touched.frequency {
        return skip("no frequency was dialled");
    }
    bench.account.guard.put_back_frequency()?;
    let before = bench.frequency_before();
    let now = bench.phc.frequency()?;
    must(now == before, || format!("it is {now:+}, was {before:+}"))
}

fn restored_time(bench: &mut Bench<'_>) -> Verdict {
    bench.account.guard.put_back_phase()?;
    if !bench.account.touched.time {
        return skip("the time was not changed");
    }
    let (off, uncertainty) = bench.give_back()?;
    bench.note(format!(
        "off by {} at most, by the account of what moved the clock",
        span(off + uncertainty)
    ));
    must(off <= WORST, || format!("it is off by {}", time(off)))?;
    if uncertainty > WIDEST_UNCERTAINTY {
        return Err(Stop::Unsure(format!(
            "what moved it is known within {} only",
            span(uncertainty)
        )));
    }
    Ok(())
}
