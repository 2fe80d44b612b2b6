//! Virtual clocks, and the physical clock that then runs freely.

use crate::check::{Check, Stop, Suite, answers, is, refuses, skip, works};
use crate::world::World;
use nix::errno::Errno;
use ptpctl::kernel::uapi::timespec;
use ptpctl::mock::Feature;

pub(crate) fn cases(suite: &mut Suite) {
    suite.case("n_vclocks: none at first", |w| {
        needs_virtual_clocks(w)?;
        is("the number", works(w.ask(|clock| clock.attribute("n_vclocks")))?, "0".to_owned())
    });
    suite.case("max_vclocks: 20 at first", |w| {
        needs_virtual_clocks(w)?;
        is("the number", works(w.ask(|clock| clock.attribute("max_vclocks")))?, "20".to_owned())
    });
    for number in ["1", "3", "20"] {
        suite.case(format!("n_vclocks: {number}, and none again"), move |w| {
            needs_virtual_clocks(w)?;
            works(set(w, number))?;
            is("the number", works(w.ask(|clock| clock.attribute("n_vclocks")))?, number.into())?;
            let names = works(w.ask(|clock| clock.virtual_clocks()))?;
            is("their names", names.len().to_string(), number.to_owned())?;
            works(set(w, "0"))?;
            is("their names", works(w.ask(|clock| clock.virtual_clocks()))?, Vec::new())
        });
    }
    for wrong in ["21", "4294967295", "4294967296", "-1", "x", "1 2"] {
        suite.case(format!("n_vclocks: '{wrong}'"), move |w| {
            needs_virtual_clocks(w)?;
            refuses(set(w, wrong), Errno::EINVAL)
        });
    }
    suite.case("n_vclocks: fewer than before", |w| {
        needs_virtual_clocks(w)?;
        works(set(w, "3"))?;
        works(set(w, "1"))?;
        is("names", works(w.ask(|clock| clock.virtual_clocks()))?.len(), 1)
    });
    for (name, modes) in [
        ("SETOFFSET", libc::ADJ_SETOFFSET),
        ("FREQUENCY", libc::ADJ_FREQUENCY),
        ("OFFSET", libc::ADJ_OFFSET),
        ("all three", libc::ADJ_SETOFFSET | libc::ADJ_FREQUENCY | libc::ADJ_OFFSET),
    ] {
        suite.case(format!("free running: {name}"), move |w| {
            let expected = busy(w)?;
            answers(w.adjtime(modes, |_| {}), expected)
        });
    }
    suite.case("free running: STATUS is unknown all the same", |w| {
        let busy = busy(w)?.filter(|_| !w.has(Feature::ReadsWhileFree));
        refuses(w.adjtime(libc::ADJ_STATUS, |_| {}), busy.unwrap_or(Errno::EOPNOTSUPP))
    });
    suite.case("free running: the frequency can be read", |w| {
        let busy = busy(w)?.filter(|_| !w.has(Feature::ReadsWhileFree));
        answers(w.adjtime(0, |_| {}), busy)
    });
    suite.case("free running: settime", |w| {
        let expected = busy(w)?;
        let time = timespec { tv_sec: 1_000, tv_nsec: 0 };
        answers(w.ask(|clock| clock.clock_settime(&time)), expected)
    });
    suite.case("free running: settime looks at the clock before the machine's limit", |w| {
        let beyond = w.has(Feature::TimeLimit).then_some(Errno::EINVAL);
        let expected = busy(w)?.or(beyond);
        let time = timespec { tv_sec: i64::MAX / 1_000_000_000 - 5, tv_nsec: 0 };
        answers(w.ask(|clock| clock.clock_settime(&time)), expected)
    });
    suite.case("free running: it can be read", |w| {
        busy(w)?;
        w.shows().map(drop)
    });
    suite.case("free running ends with the last virtual clock", |w| {
        busy(w)?;
        works(set(w, "0"))?;
        works(w.adjtime(libc::ADJ_FREQUENCY, |timex| timex.freq = 65_536)).map(drop)
    });
}

fn set(w: &World, number: &str) -> Result<(), Errno> {
    w.ask(|clock| clock.set_attribute("n_vclocks", number))
}

fn needs_virtual_clocks(w: &World) -> Check {
    if w.has(Feature::VirtualClocks) { Ok(()) } else { skip("a kernel without virtual clocks") }
}

/// Makes a virtual clock. Returns the errno with which changes of the physical clock fail then, or
/// `None` if it has a cycle counter.
fn busy(w: &World) -> Result<Option<Errno>, Stop> {
    needs_virtual_clocks(w)?;
    works(set(w, "1"))?;
    Ok((!w.is_simulated()).then_some(Errno::EBUSY))
}
