//! `clock_adjtime`: steps, frequencies, phase offsets, and what it refuses.

use crate::check::{Check, Stop, Suite, answers, holds, is, refuses, skip, works};
use crate::world::World;
use nix::errno::Errno;
use ptpctl::mock::Feature;
use std::time::Duration;

const SET: u32 = libc::ADJ_SETOFFSET;
const NANO: u32 = libc::ADJ_NANO;
const FREQUENCY: u32 = libc::ADJ_FREQUENCY;
const OFFSET: u32 = libc::ADJ_OFFSET;

pub(crate) fn cases(suite: &mut Suite) {
    modes(suite);
    steps(suite);
    frequencies(suite);
    phases(suite);
}

fn modes(suite: &mut Suite) {
    suite.case("modes 0 reads the frequency: 0 at first", |w| is("it", w.dialled()?, 0));
    suite.case("modes 0 works on a read-only handle", |w| {
        let mut timex = ptpctl::kernel::uapi::timex();
        works(w.open(false)?.clock_adjtime(&mut timex))
    });
    for (name, modes) in [
        ("MAXERROR", libc::ADJ_MAXERROR),
        ("ESTERROR", libc::ADJ_ESTERROR),
        ("STATUS", libc::ADJ_STATUS),
        ("TIMECONST", libc::ADJ_TIMECONST),
        ("TAI", libc::ADJ_TAI),
        ("MICRO", libc::ADJ_MICRO),
        ("NANO", NANO),
        ("TICK", libc::ADJ_TICK),
        ("STATUS and NANO", libc::ADJ_STATUS | NANO),
    ] {
        suite.case(format!("modes {name} alone does nothing that a PHC can"), move |w| {
            refuses(w.adjtime(modes, |_| {}), Errno::EOPNOTSUPP)
        });
    }
    for (name, modes) in [
        ("SETOFFSET", SET),
        ("FREQUENCY", FREQUENCY),
        ("STATUS", libc::ADJ_STATUS),
        ("all that acts", SET | FREQUENCY | OFFSET),
    ] {
        suite.case(format!("modes {name} on a read-only handle"), move |w| {
            let mut timex = ptpctl::kernel::uapi::timex();
            timex.modes = modes;
            refuses(w.open(false)?.clock_adjtime(&mut timex), Errno::EACCES)
        });
    }
    suite.case("SETOFFSET goes before FREQUENCY, which is ignored", |w| {
        let both = |timex: &mut ptpctl::kernel::uapi::timex| {
            timex.time.tv_sec = 10;
            timex.freq = 65_536;
        };
        let moved = w.moved(|w| works(w.adjtime(SET | FREQUENCY, both)).map(drop))?;
        near("the clock moved", moved, 10_000_000_000)?;
        is("the frequency", w.dialled()?, 0)
    });
    suite.case("FREQUENCY goes before OFFSET, which is ignored", |w| {
        w.needs_simulated()?;
        let both = |timex: &mut ptpctl::kernel::uapi::timex| {
            timex.offset = 500;
            timex.freq = 65_536;
        };
        works(w.adjtime(FREQUENCY | OFFSET | NANO, both))?;
        is("the frequency", w.dialled()?, 65_536)?;
        is("the phase register", w.phase_register(), Some(0))
    });
    suite.case("OFFSET goes before STATUS, which is ignored", |w| {
        needs_phase(w)?;
        works(w.adjtime(OFFSET | NANO | libc::ADJ_STATUS, |timex| timex.offset = 500))?;
        is("the phase register", w.phase_register(), Some(500))
    });
}

fn steps(suite: &mut Suite) {
    for (seconds, part, modes, by) in [
        (0, 0, NANO, 0),
        (1, 0, NANO, 1_000_000_000),
        (-1, 0, NANO, -1_000_000_000),
        (0, 999_999_999, NANO, 999_999_999),
        (-1, 999_999_999, NANO, -1),
        (-2, 500_000_000, NANO, -1_500_000_000),
        (86_400, 1, NANO, 86_400_000_000_001),
        (37, 0, 0, 37_000_000_000),
        (0, 999_999, 0, 999_999_000),
        (-1, 1, 0, -999_999_000),
    ] {
        let unit = if modes == NANO { "ns" } else { "us" };
        suite.case(format!("a step by {seconds} s and {part} {unit}"), move |w| {
            let moved = w.moved(|w| step(w, seconds, part, modes, None))?;
            near("the clock moved", moved, by)
        });
    }
    for (part, modes) in [
        (1_000_000_000, NANO),
        (-1, NANO),
        (i64::MAX, NANO),
        (i64::MIN, NANO),
        (1_000_000, 0),
        (-1, 0),
    ] {
        let unit = if modes == NANO { "ns" } else { "us" };
        suite.case(format!("a step by 0 s and {part} {unit}"), move |w| {
            let is_cut = w.as_long(part) == 0;
            let expected = if is_cut { None } else { Some(Errno::EINVAL) };
            let moved = w.moved(|w| step(w, 0, part, modes, expected))?;
            near("the clock moved", moved, 0)
        });
    }
    suite.case("a step to before 1970", |w| {
        let expected = w.has(Feature::TimeLimit).then_some(Errno::EINVAL);
        step(w, -3_000_000_000, 0, NANO, expected)
    });
    suite.case("a step beyond the machine's own limit", |w| {
        let expected = w.has(Feature::TimeLimit).then_some(Errno::EINVAL);
        step(w, 7_000_000_000, 0, NANO, expected)
    });
    suite.case("a step there and back", |w| {
        let moved = w.moved(|w| {
            step(w, 5, 123_456_789, NANO, None)?;
            step(w, -6, 1_000_000_000 - 123_456_789, NANO, None)
        })?;
        near("the clock moved", moved, 0)
    });
    suite.case("a step leaves the frequency", |w| {
        works(w.adjtime(FREQUENCY, |timex| timex.freq = 65_536))?;
        step(w, 1, 0, NANO, None)?;
        is("the frequency", w.dialled()?, 65_536)
    });
}

fn frequencies(suite: &mut Suite) {
    for freq in [0, 1, -1, 65_536, -65_536, 8_192_000, -8_192_001] {
        suite.case(format!("a frequency of {freq} scaled ppm reads back"), move |w| {
            works(w.adjtime(FREQUENCY, |timex| timex.freq = freq))?;
            is("the frequency", w.dialled()?, freq)
        });
    }
    // The kernel compares ((freq + 1) * 125) >> 13 with the limit.
    let ppb = |freq: i64| ((i128::from(freq) + 1) * 125) >> 13;
    let largest = move |limit: i32| {
        let near = i64::from(limit) * 8_192 / 125;
        (near - 200..near + 200).rev().find(|freq| ppb(*freq) <= i128::from(limit))
    };
    let smallest = move |limit: i32| {
        let near = -i64::from(limit) * 8_192 / 125;
        (near - 200..near + 200).find(|freq| ppb(*freq) >= -i128::from(limit))
    };
    suite.case("the largest frequency, and one past it", move |w| {
        let most = largest(w.caps().max_adj).unwrap_or(0);
        needs_bits(w, most)?;
        works(w.adjtime(FREQUENCY, |timex| timex.freq = most))?;
        refuses(w.adjtime(FREQUENCY, |timex| timex.freq = most + 1), Errno::ERANGE)?;
        is("the frequency", w.dialled()?, most)
    });
    suite.case("the smallest frequency, and one past it", move |w| {
        let least = smallest(w.caps().max_adj).unwrap_or(0);
        needs_bits(w, least)?;
        works(w.adjtime(FREQUENCY, |timex| timex.freq = least))?;
        refuses(w.adjtime(FREQUENCY, |timex| timex.freq = least - 1), Errno::ERANGE)?;
        is("the frequency", w.dialled()?, least)
    });
    for freq in [1_i64 << 40, -(1_i64 << 40)] {
        suite.case(format!("a frequency of {freq} scaled ppm"), move |w| {
            let held = w.as_long(freq);
            let expected = (held == freq).then_some(Errno::ERANGE);
            answers(w.adjtime(FREQUENCY, |timex| timex.freq = freq), expected)?;
            is("the frequency", w.dialled()?, if expected.is_some() { 0 } else { held })
        });
    }
    for ppm in [50_000_i128, -50_000] {
        suite.case(format!("a frequency of {ppm} ppm is seen in the clock's pace"), move |w| {
            let before = pace(w)?;
            let freq = i64::try_from(ppm * 65_536).unwrap_or(0);
            let ppm = i128::from(w.as_long(freq) / 65_536);
            works(w.adjtime(FREQUENCY, |timex| timex.freq = freq))?;
            // An emulated card's clock has a rate of its own, so compare the ratio.
            let gained = (pace(w)? - before) * 1_000_000 / before;
            let near = (ppm - 10_000..=ppm + 10_000).contains(&gained);
            holds(&format!("{gained} ppm are {ppm} ppm, within 1 %"), near)
        });
    }
    suite.case("a frequency at one handle is read at another", |w| {
        works(w.adjtime(FREQUENCY, |timex| timex.freq = 4_242))?;
        let mut timex = ptpctl::kernel::uapi::timex();
        works(w.open(false)?.clock_adjtime(&mut timex))?;
        is("the frequency", timex.freq, 4_242)
    });
}

/// A 32-bit kernel cuts a frequency before it compares it with the limit.
fn needs_bits(w: &World, freq: i64) -> Check {
    if w.as_long(freq) == freq { Ok(()) } else { skip("32 bits for a frequency") }
}

/// How far the clock goes in a second, in nanoseconds, measured over a fifth of one.
fn pace(w: &World) -> Result<i128, Stop> {
    let (before, began) = (w.shows()?, w.monotonic()?);
    w.pass(Duration::from_millis(200));
    let (after, ended) = (w.shows()?, w.monotonic()?);
    let elapsed = ended.saturating_sub(began).as_nanos().cast_signed().max(1);
    Ok((after - before) * 1_000_000_000 / elapsed)
}

fn phases(suite: &mut Suite) {
    for (asked, modes, register) in [
        (0, NANO, 0),
        (500, NANO, 500),
        (-500, NANO, -500),
        (500_000_000, NANO, 500_000_000),
        (-500_000_000, NANO, -500_000_000),
        (7, 0, 7_000),
        (-7, 0, -7_000),
        // The kernel cuts these to 32 bits before it checks them.
        (4_294_967_796, NANO, 500),
        (4_294_967_296, NANO, 0),
        (-4_294_967_796, NANO, -500),
        (i64::MAX, NANO, -1),
        (i64::MIN, NANO, 0),
        // It cuts the product again after it turns microseconds into nanoseconds.
        (4_294_967_296, 0, 0),
    ] {
        let unit = if modes == NANO { "ns" } else { "us" };
        suite.case(format!("a phase offset of {asked} {unit} writes {register} ns"), move |w| {
            needs_phase(w)?;
            works(w.adjtime(OFFSET | modes, |timex| timex.offset = asked))?;
            is("the phase register", w.phase_register(), Some(register))
        });
    }
    for (asked, modes) in [
        (500_000_001, NANO),
        (-500_000_001, NANO),
        (2_147_483_647, NANO),
        (-2_147_483_648, NANO),
        (500_001, 0),
        (-500_001, 0),
    ] {
        let unit = if modes == NANO { "ns" } else { "us" };
        suite.case(format!("a phase offset of {asked} {unit}, beyond the limit"), move |w| {
            needs_phase(w)?;
            if !w.has(Feature::MaxPhase) {
                return skip("a kernel that checks no phase offset");
            }
            refuses(w.adjtime(OFFSET | modes, |timex| timex.offset = asked), Errno::ERANGE)?;
            is("the phase register", w.phase_register(), Some(0))
        });
    }
    suite.case("a phase offset on a read-only handle", |w| {
        needs_phase(w)?;
        let mut timex = ptpctl::kernel::uapi::timex();
        (timex.modes, timex.offset) = (OFFSET | NANO, 500);
        refuses(w.open(false)?.clock_adjtime(&mut timex), Errno::EACCES)?;
        is("the phase register", w.phase_register(), Some(0))
    });
    suite.case("a phase offset for a driver without phase control", |w| {
        // Only for drivers that are known to have no adjphase at all. If a driver lacked only its
        // limit, the kernel would crash.
        if w.is_simulated() {
            return skip("it has phase control");
        }
        refuses(w.adjtime(OFFSET | NANO, |timex| timex.offset = 500), Errno::EOPNOTSUPP)
    });
}

fn needs_phase(w: &World) -> Check {
    if w.caps().adjust_phase == 0 { skip("no phase control") } else { Ok(()) }
}

fn step(w: &World, seconds: i64, part: i64, modes: u32, expected: Option<Errno>) -> Check {
    let set = |timex: &mut ptpctl::kernel::uapi::timex| {
        timex.time.tv_sec = seconds;
        timex.time.tv_usec = part;
    };
    answers(w.adjtime(SET | modes, set), expected)
}

/// The clock moved as far as expected, measured by readings around the move. The tolerance allows
/// for busy machines. A wrong unit or sign is further off, or too small for any clock to show.
fn near(what: &str, found: i128, expected: i128) -> Check {
    if (found - expected).abs() < 40_000_000 {
        return Ok(());
    }
    Err(Stop::Differs(format!("{what} by {found} ns, not by {expected} ns")))
}
