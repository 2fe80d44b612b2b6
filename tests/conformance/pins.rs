//! `PTP_PIN_GETFUNC`, `PTP_PIN_SETFUNC`, and the pins in sysfs.

use crate::check::{Check, Stop, Suite, answers, holds, is, refuses, skip, works};
use crate::world::{World, count};
use nix::errno::Errno;
use ptpctl::kernel::Version;
use ptpctl::kernel::uapi::{
    PTP_PF_EXTTS, PTP_PF_NONE, PTP_PF_PEROUT, PTP_PF_PHYSYNC, pin_desc, ptp_pin_desc,
};

const VERSIONS: [Version; 2] = [Version::V1, Version::V2];

pub(crate) fn cases(suite: &mut Suite) {
    for version in VERSIONS {
        reading(suite, version);
        writing(suite, version);
    }
    stealing(suite);
}

fn needs_pins(w: &World) -> Check {
    if w.caps().n_pins == 0 { skip("no pins") } else { Ok(()) }
}

fn get(w: &World, version: Version, index: u32) -> Result<ptp_pin_desc, Errno> {
    let mut pin = pin_desc(index, 9, 9);
    w.ask(|clock| clock.pin_getfunc(version, &mut pin))?;
    Ok(pin)
}

fn uses(w: &World, index: u32) -> Result<(u32, u32), Stop> {
    let pin = works(get(w, Version::V1, index))?;
    Ok((pin.func, pin.chan))
}

fn set(w: &World, version: Version, index: u32, func: u32, chan: u32) -> Result<(), Errno> {
    w.ask(|clock| clock.pin_setfunc(version, &pin_desc(index, func, chan)))
}

fn name(pin: &ptp_pin_desc) -> String {
    let bytes = pin.name.iter().take_while(|byte| **byte != 0);
    bytes.map(|byte| char::from(u8::from_ne_bytes(byte.to_ne_bytes()))).collect()
}

fn reading(suite: &mut Suite, version: Version) {
    suite.case(format!("getfunc {version:?}: each pin has its index and no function"), move |w| {
        needs_pins(w)?;
        for index in 0..count(w.caps().n_pins) {
            let pin = works(get(w, version, index))?;
            is("the pin", (pin.index, pin.func, pin.chan), (index, PTP_PF_NONE, 0))?;
            holds("it has a name", !name(&pin).is_empty())?;
            is("its reserved words", pin.rsv, [0; 5])?;
        }
        Ok(())
    });
    suite.case(format!("getfunc {version:?}: on a read-only handle"), move |w| {
        needs_pins(w)?;
        works(w.open(false)?.pin_getfunc(version, &mut pin_desc(0, 0, 0)))
    });
    for beyond in [0, 1, u32::MAX] {
        suite.case(format!("getfunc {version:?}: a pin {beyond} beyond the last"), move |w| {
            let index = count(w.caps().n_pins).saturating_add(beyond);
            refuses(get(w, version, index), Errno::EINVAL)
        });
    }
    for word in 0..5 {
        suite.case(format!("getfunc {version:?}: reserved word {word}"), move |w| {
            needs_pins(w)?;
            let mut pin = pin_desc(0, 0, 0);
            pin.rsv.iter_mut().skip(word).take(1).for_each(|reserved| *reserved = 1);
            let expected = (version == Version::V2).then_some(Errno::EINVAL);
            answers(w.ask(|clock| clock.pin_getfunc(version, &mut pin)), expected)
        });
    }
}

fn writing(suite: &mut Suite, version: Version) {
    let invalid = Some(Errno::EINVAL);
    // Four channels of each kind; pin 3 is an input only, and none synchronises a PHY.
    for (pin, func, chan, expected) in [
        (0, PTP_PF_NONE, 0, None),
        (0, PTP_PF_NONE, 9, None),
        (0, PTP_PF_EXTTS, 0, None),
        (1, PTP_PF_EXTTS, 3, None),
        (0, PTP_PF_EXTTS, 4, invalid),
        (0, PTP_PF_EXTTS, u32::MAX, invalid),
        (0, PTP_PF_PEROUT, 0, None),
        (2, PTP_PF_PEROUT, 3, None),
        (0, PTP_PF_PEROUT, 4, invalid),
        (0, PTP_PF_PEROUT, u32::MAX, invalid),
        (3, PTP_PF_PEROUT, 0, Some(Errno::EOPNOTSUPP)),
        (3, PTP_PF_PEROUT, 4, invalid),
        (3, PTP_PF_EXTTS, 0, None),
        (0, PTP_PF_PHYSYNC, 0, Some(Errno::EOPNOTSUPP)),
        (0, PTP_PF_PHYSYNC, 1, invalid),
        (0, 4, 0, invalid),
        (0, u32::MAX, 0, invalid),
        (4, PTP_PF_EXTTS, 0, invalid),
        (u32::MAX, PTP_PF_EXTTS, 0, invalid),
        (u32::MAX, PTP_PF_NONE, 0, invalid),
    ] {
        let case = format!("setfunc {version:?}: pin {pin}, function {func}, channel {chan}");
        suite.case(case, move |w| {
            needs_pins(w)?;
            answers(set(w, version, pin, func, chan), expected)?;
            if expected.is_none() {
                is("the pin", uses(w, pin)?, (func, chan))?;
                let attribute = format!("pins/{}", name(&works(get(w, version, pin))?));
                let shown = works(w.ask(|clock| clock.attribute(&attribute)))?;
                return is("sysfs", shown, format!("{func} {chan}"));
            }
            for pin in 0..4 {
                is("a pin", uses(w, pin)?, (PTP_PF_NONE, 0))?;
            }
            Ok(())
        });
    }
    suite.case(format!("setfunc {version:?}: a clock without pins"), move |w| {
        if w.caps().n_pins > 0 {
            return skip("it has pins");
        }
        refuses(set(w, version, 0, PTP_PF_NONE, 0), Errno::EINVAL)
    });
    for word in 0..5 {
        suite.case(format!("setfunc {version:?}: reserved word {word}"), move |w| {
            needs_pins(w)?;
            let mut pin = pin_desc(0, PTP_PF_EXTTS, 0);
            pin.rsv.iter_mut().skip(word).take(1).for_each(|reserved| *reserved = 1);
            let expected = (version == Version::V2).then_some(Errno::EINVAL);
            answers(w.ask(|clock| clock.pin_setfunc(version, &pin)), expected)
        });
    }
    suite.case(format!("setfunc {version:?}: the name that is given is ignored"), move |w| {
        needs_pins(w)?;
        let before = name(&works(get(w, version, 0))?);
        let mut pin = pin_desc(0, PTP_PF_EXTTS, 0);
        pin.name = [libc::c_char::from_ne_bytes([b'x']); 64];
        works(w.ask(|clock| clock.pin_setfunc(version, &pin)))?;
        is("the name", name(&works(get(w, version, 0))?), before)
    });
}

fn stealing(suite: &mut Suite) {
    for (name, func) in [("extts", PTP_PF_EXTTS), ("perout", PTP_PF_PEROUT)] {
        suite.case(format!("a pin that takes {name} from another leaves it with none"), move |w| {
            needs_pins(w)?;
            works(set(w, Version::V2, 0, func, 2))?;
            works(set(w, Version::V2, 1, func, 2))?;
            is("who lost it", uses(w, 0)?, (PTP_PF_NONE, 0))?;
            is("who has it", uses(w, 1)?, (func, 2))
        });
        suite.case(format!("a pin that has {name} already keeps it"), move |w| {
            needs_pins(w)?;
            works(set(w, Version::V2, 1, func, 1))?;
            works(set(w, Version::V2, 1, func, 1))?;
            is("the pin", uses(w, 1)?, (func, 1))
        });
    }
    suite.case("two pins may have two channels", |w| {
        needs_pins(w)?;
        works(set(w, Version::V1, 0, PTP_PF_EXTTS, 0))?;
        works(set(w, Version::V1, 1, PTP_PF_EXTTS, 1))?;
        is("the first", uses(w, 0)?, (PTP_PF_EXTTS, 0))
    });
    suite.case("one channel number may be an input's and an output's", |w| {
        needs_pins(w)?;
        works(set(w, Version::V1, 0, PTP_PF_EXTTS, 0))?;
        works(set(w, Version::V1, 1, PTP_PF_PEROUT, 0))?;
        is("the first", uses(w, 0)?, (PTP_PF_EXTTS, 0))
    });
    suite.case("a refused change leaves the pin that would have lost its function", |w| {
        needs_pins(w)?;
        works(set(w, Version::V1, 0, PTP_PF_PEROUT, 0))?;
        refuses(set(w, Version::V1, 3, PTP_PF_PEROUT, 0), Errno::EOPNOTSUPP)?;
        is("the first", uses(w, 0)?, (PTP_PF_PEROUT, 0))
    });
    suite.case("a pin set at one handle is seen at another", |w| {
        needs_pins(w)?;
        works(w.open(true)?.pin_setfunc(Version::V2, &pin_desc(2, PTP_PF_EXTTS, 3)))?;
        is("the pin", uses(w, 2)?, (PTP_PF_EXTTS, 3))
    });
}
