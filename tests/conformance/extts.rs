//! `PTP_EXTTS_REQUEST`: every combination of flags, in both versions.

use crate::check::{Check, Suite, answers, is, refuses, skip, works};
use crate::world::{World, count};
use nix::errno::Errno;
use ptpctl::kernel::Version;
use ptpctl::kernel::uapi::{
    PTP_ENABLE_FEATURE, PTP_EXT_OFFSET, PTP_EXTTS_EDGES, PTP_RISING_EDGE, PTP_STRICT_FLAGS,
    ptp_extts_request,
};
use ptpctl::mock::Feature;

const ON: u32 = PTP_ENABLE_FEATURE | PTP_RISING_EDGE;

pub(crate) fn cases(suite: &mut Suite) {
    for flags in 0..64 {
        suite.case(format!("extts V1: flags {flags:#04x} on channel 1"), move |w| {
            // The kernel checks the flags before the channel, also on a clock without channels.
            // Version 1 drops unknown flags.
            let expected = no_channel(w);
            answers(request(w, Version::V1, 1, flags), expected)?;
            switched(w, expected.is_none() && flags & PTP_ENABLE_FEATURE != 0)
        });
        suite.case(format!("extts V2: flags {flags:#04x} on channel 1"), move |w| {
            let expected = if is_valid(w, flags) { no_channel(w) } else { Some(Errno::EINVAL) };
            answers(request(w, Version::V2, 1, flags), expected)?;
            switched(w, expected.is_none() && flags & PTP_ENABLE_FEATURE != 0)
        });
    }
    for flags in 0..16 {
        suite.case(
            format!("extts V2: flags {flags:#04x}, a driver that refuses strict"),
            move |w| {
                needs_channels(w)?;
                w.while_lax(|w| {
                    let refused =
                        if is_valid(w, flags) { Errno::EOPNOTSUPP } else { Errno::EINVAL };
                    refuses(request(w, Version::V2, 1, flags), refused)?;
                    switched(w, false)?;
                    // A request of version 1 isn't strict.
                    works(request(w, Version::V1, 1, flags & !PTP_STRICT_FLAGS))
                })
            },
        );
    }
    for bit in [6, 7, 8, 15, 16, 30, 31] {
        suite.case(format!("extts V1: unknown flag {bit} is dropped"), move |w| {
            answers(request(w, Version::V1, 0, ON | 1 << bit), no_channel(w))
        });
        suite.case(format!("extts V2: unknown flag {bit}"), move |w| {
            refuses(request(w, Version::V2, 0, ON | 1 << bit), Errno::EINVAL)
        });
    }
    for version in [Version::V1, Version::V2] {
        channels(suite, version);
    }
}

/// What version 2 lets through to the driver.
fn is_valid(w: &World, flags: u32) -> bool {
    let offset = if w.has(Feature::ExtOffset) { PTP_EXT_OFFSET } else { 0 };
    let known = PTP_ENABLE_FEATURE | PTP_EXTTS_EDGES | PTP_STRICT_FLAGS | offset;
    let without_edge = flags & PTP_ENABLE_FEATURE != 0 && flags & PTP_EXTTS_EDGES == 0;
    flags & !known == 0 && !without_edge
}

fn no_channel(w: &World) -> Option<Errno> {
    (w.caps().n_ext_ts == 0).then_some(Errno::EINVAL)
}

fn needs_channels(w: &World) -> Check {
    if w.caps().n_ext_ts == 0 { skip("no extts channels") } else { Ok(()) }
}

fn request(w: &World, version: Version, index: u32, flags: u32) -> Result<(), Errno> {
    let request = ptp_extts_request { index, flags, rsv: [0; 2] };
    w.ask(|clock| clock.extts_request(version, &request))
}

/// Channel 1 is on, or nothing is.
fn switched(w: &World, on: bool) -> Check {
    is("what is on", w.extts_that_are_on(), if on { vec![1] } else { vec![] })
}

fn channels(suite: &mut Suite, version: Version) {
    for beyond in [0, 1, u32::MAX] {
        for flags in [ON, 0] {
            let case = format!("extts {version:?}: {beyond} beyond the last, flags {flags}");
            suite.case(case, move |w| {
                let index = count(w.caps().n_ext_ts).saturating_add(beyond);
                refuses(request(w, version, index, flags), Errno::EINVAL)
            });
        }
    }
    suite.case(format!("extts {version:?}: all channels on, all off"), move |w| {
        needs_channels(w)?;
        for index in 0..4 {
            works(request(w, version, index, ON))?;
        }
        is("what is on", w.extts_that_are_on(), vec![0, 1, 2, 3])?;
        for index in 0..4 {
            works(request(w, version, index, 0))?;
        }
        is("what is on", w.extts_that_are_on(), vec![])
    });
    suite.case(format!("extts {version:?}: off what is off"), move |w| {
        needs_channels(w)?;
        works(request(w, version, 2, 0))
    });
    for word in [0, 1] {
        suite.case(format!("extts {version:?}: reserved word {word}"), move |w| {
            needs_channels(w)?;
            let mut asked = ptp_extts_request { index: 1, flags: ON, rsv: [0; 2] };
            asked.rsv.iter_mut().skip(word).take(1).for_each(|reserved| *reserved = 1);
            let expected = (version == Version::V2).then_some(Errno::EINVAL);
            answers(w.ask(|clock| clock.extts_request(version, &asked)), expected)
        });
    }
    suite.case(format!("extts {version:?}: closing a handle switches nothing off"), move |w| {
        needs_channels(w)?;
        let other = w.open(true)?;
        let asked = ptp_extts_request { index: 1, flags: ON, rsv: [0; 2] };
        works(other.extts_request(version, &asked))?;
        drop(other);
        switched(w, true)
    });
    suite.case(format!("extts {version:?}: one handle may switch off another's"), move |w| {
        needs_channels(w)?;
        works(request(w, version, 1, ON))?;
        let other = w.open(true)?;
        let asked = ptp_extts_request { index: 1, flags: 0, rsv: [0; 2] };
        works(other.extts_request(version, &asked))?;
        switched(w, false)
    });
}
