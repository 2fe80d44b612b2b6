//! Everything is as it was before.

use super::set::GOES;
use super::{Check, Group};
use crate::phc::Pin;
use crate::selftest::account::WORST;
use crate::selftest::bench::Bench;
use crate::selftest::comparator::WIDEST_UNCERTAINTY;
use crate::selftest::verdict::{Stop, Verdict, must, skip};
use crate::selftest::words::{span, time};

pub(super) static GROUP: Group =
    Group { name: "restore", changes: None, checks: &[&PINS, &FREQUENCY, &RESTORED_TIME] };

pub(super) static PINS: Check =
    Check { group: &GROUP, name: "the pins are as before", needs: &[], run: pins };

fn pins(bench: &mut Bench<'_>) -> Verdict {
    bench.account.guard.put_back_channels()?;
    bench.account.guard.put_back_pins()?;
    if !bench.account.touched.pins {
        return skip("no pin was changed");
    }
    let now = bench.clock.phc.pins()?;
    for (was, now) in bench.pins()?.iter().zip(&now) {
        must(was == now, || {
            let has = |pin: &Pin| format!("{} channel {}", pin.function, pin.channel);
            format!("pin {} ({}) had {}, now has {}", was.index, was.name, has(was), has(now))
        })?;
    }
    Ok(())
}

pub(super) static FREQUENCY: Check =
    Check { group: &GROUP, name: "the frequency is as before", needs: &[], run: frequency };

fn frequency(bench: &mut Bench<'_>) -> Verdict {
    if !bench.account.touched.frequency {
        return skip("no frequency was dialled");
    }
    bench.account.put_back_frequency()?;
    let before = bench.frequency_before();
    let now = bench.clock.phc.frequency()?;
    must(now == before, || format!("it is {now:+}, was {before:+}"))
}

pub(super) static RESTORED_TIME: Check =
    Check { group: &GROUP, name: "the time is as before", needs: &GOES, run: restored_time };

fn restored_time(bench: &mut Bench<'_>) -> Verdict {
    bench.account.guard.put_back_phase()?;
    if !bench.account.touched.time {
        return skip("the time was not changed");
    }
    let (off, uncertainty) = bench.account.give_back()?;
    bench.note(format!(
        "off by {} at most, from the sum of all that moved the clock",
        span(off + uncertainty)
    ));
    must(off <= WORST, || format!("it is off by {}", time(off)))?;
    if uncertainty > WIDEST_UNCERTAINTY {
        return Err(Stop::Unsure(format!(
            "how far it is off is known only within {}",
            span(uncertainty)
        )));
    }
    Ok(())
}
