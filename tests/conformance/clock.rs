//! `clock_gettime`, `clock_settime`, `clock_getres`.

use crate::check::{Suite, answers, holds, is, refuses, works};
use crate::world::nanoseconds;
use nix::errno::Errno;
use ptpctl::kernel::uapi::timespec;
use ptpctl::mock::Feature;
use std::time::Duration;

const KTIME_SECONDS: i64 = i64::MAX / 1_000_000_000;
const LAST_SECOND: i64 = KTIME_SECONDS - 30 * 365 * 24 * 3_600;

pub(crate) fn cases(suite: &mut Suite) {
    suite.case("getres is 1 ns, whatever the hardware has", |w| {
        let resolution = works(w.ask(|clock| clock.clock_getres()))?;
        is("the resolution", (resolution.tv_sec, resolution.tv_nsec), (0, 1))
    });
    suite.case("getres works on a read-only handle", |w| {
        works(w.open(false)?.clock_getres()).map(drop)
    });
    suite.case("gettime answers nanoseconds within a second", |w| {
        for _ in 0..100 {
            let time = works(w.ask(|clock| clock.clock_gettime()))?;
            holds("0 <= tv_nsec < 10^9", (0..1_000_000_000).contains(&time.tv_nsec))?;
        }
        Ok(())
    });
    suite.case("gettime works on a read-only handle", |w| {
        works(w.open(false)?.clock_gettime()).map(drop)
    });
    suite.case("gettime never goes back", |w| {
        let mut last = w.shows()?;
        for _ in 0..100 {
            let next = w.shows()?;
            holds("a reading is not before the one before", next >= last)?;
            last = next;
        }
        Ok(())
    });
    suite.case("gettime goes on while time passes", |w| {
        let before = w.shows()?;
        w.pass(Duration::from_millis(20));
        holds("20 ms have passed", w.shows()? - before >= 20_000_000)
    });
    suite.case("two handles show one clock", |w| {
        let other = w.open(false)?;
        let before = w.shows()?;
        let between = nanoseconds(works(other.clock_gettime())?);
        let after = w.shows()?;
        holds("the other's reading is between the two", (before..=after).contains(&between))
    });
    let invalid = Some(Errno::EINVAL);
    for (seconds, part, expected) in [
        (0, 0, None),
        (1, 999_999_999, None),
        (1_700_000_000, 123_456_789, None),
        (4_294_967_296, 0, None),
        (1, 1_000_000_000, invalid),
        (1, i64::MAX, invalid),
        (1, -1, invalid),
        (1, i64::MIN, invalid),
        (-1, 0, invalid),
        (-1, 999_999_999, invalid),
        (i64::MIN, 0, invalid),
        (KTIME_SECONDS, 0, invalid),
        (i64::MAX, 0, invalid),
    ] {
        suite.case(format!("settime of {seconds} s and {part} ns"), move |w| {
            let time = timespec { tv_sec: seconds, tv_nsec: part };
            // A 32-bit kernel cuts the nanoseconds, to 0 here. A 64-bit kernel takes 32 bits of them
            // from a 32-bit program.
            let is_cut = part == i64::MIN && (usize::BITS == 32 || w.as_long(part) == 0);
            let expected = expected.filter(|_| !is_cut);
            answers(w.ask(|clock| clock.clock_settime(&time)), expected)?;
            if expected.is_none() {
                let time = if is_cut { timespec { tv_nsec: 0, ..time } } else { time };
                let after = w.shows()? - nanoseconds(time);
                holds("the clock goes on from there", (0..500_000_000).contains(&after))?;
            }
            Ok(())
        });
    }
    for seconds in [LAST_SECOND, KTIME_SECONDS - 1] {
        suite.case(format!("settime of {seconds} s, beyond the machine's own limit"), move |w| {
            let time = timespec { tv_sec: seconds, tv_nsec: 0 };
            let expected = w.has(Feature::TimeLimit).then_some(Errno::EINVAL);
            answers(w.ask(|clock| clock.clock_settime(&time)), expected)
        });
    }
    suite.case("settime of the last second that the machine's own clock has", |w| {
        let time = timespec { tv_sec: LAST_SECOND - 1, tv_nsec: 0 };
        works(w.ask(|clock| clock.clock_settime(&time)))
    });
    suite.case("settime on a read-only handle", |w| {
        let reader = w.open(false)?;
        refuses(reader.clock_settime(&timespec { tv_sec: 5, tv_nsec: 0 }), Errno::EACCES)?;
        holds("the clock is untouched", w.shows()? > 1_000_000_000_000_000_000)
    });
    suite.case("settime looks at the time before it looks at the handle", |w| {
        let reader = w.open(false)?;
        refuses(reader.clock_settime(&timespec { tv_sec: -1, tv_nsec: 0 }), Errno::EINVAL)
    });
    suite.case("settime leaves the dialled frequency", |w| {
        works(w.adjtime(libc::ADJ_FREQUENCY, |timex| timex.freq = 6_553_600))?;
        let time = timespec { tv_sec: 1_000, tv_nsec: 0 };
        works(w.ask(|clock| clock.clock_settime(&time)))?;
        is("the frequency", w.dialled()?, 6_553_600)
    });
    suite.case("settime at one handle is seen at another", |w| {
        let other = w.open(true)?;
        works(other.clock_settime(&timespec { tv_sec: 77, tv_nsec: 0 }))?;
        is("the second", w.shows()? / 1_000_000_000, 77)
    });
}
