//! `PTP_CLOCK_GETCAPS`, and the same in sysfs.

use crate::check::{Suite, holds, is, refuses, skip, works};
use crate::world::World;
use nix::errno::Errno;
use ptpctl::kernel::Version;
use ptpctl::kernel::uapi::ptp_clock_caps;
use ptpctl::mock::Feature;

/// A field of the caps, and its attribute.
type Field = (&'static str, fn(&ptp_clock_caps) -> i32, &'static str);

const FIELDS: [Field; 6] = [
    ("max_adj", |caps| caps.max_adj, "max_adjustment"),
    ("n_alarm", |caps| caps.n_alarm, "n_alarms"),
    ("n_ext_ts", |caps| caps.n_ext_ts, "n_external_timestamps"),
    ("n_per_out", |caps| caps.n_per_out, "n_periodic_outputs"),
    ("n_pins", |caps| caps.n_pins, "n_programmable_pins"),
    ("pps", |caps| caps.pps, "pps_available"),
];

/// All fields of the caps, with the reserved words.
pub(crate) fn words(caps: &ptp_clock_caps) -> Vec<i32> {
    let mut words: Vec<_> = FIELDS.iter().map(|(_, of, _)| of(caps)).collect();
    words.extend([caps.cross_timestamping, caps.adjust_phase, caps.max_phase_adj]);
    words.extend(caps.rsv);
    words
}

fn attribute(w: &World, name: &str) -> Result<String, Errno> {
    w.ask(|clock| clock.attribute(name))
}

pub(crate) fn cases(suite: &mut Suite) {
    for (field, of, name) in FIELDS {
        suite.case(format!("caps: {field} is sysfs's {name}"), move |w| {
            is(name, works(attribute(w, name))?, of(&w.caps()).to_string())
        });
    }
    for (field, of, name) in FIELDS {
        suite.case(format!("sysfs: {name} can't be written"), move |w| {
            let value = of(&w.caps()).to_string();
            refuses(w.ask(|clock| clock.set_attribute(name, &value)), Errno::EACCES)?;
            holds(&format!("{field} is as before"), of(&w.caps()).to_string() == value)
        });
    }
    suite.case("caps: this driver's, field by field", |w| {
        // The mock has the same caps as the driver. On a real clock these are the driver's.
        let found = words(&w.caps());
        let expected = if w.is_simulated() {
            let limit = if w.has(Feature::MaxPhase) { 500_000_000 } else { 0 };
            [100_000_000, 1, 4, 4, 4, 1, 1, 1, limit]
        } else {
            [w.caps().max_adj, 0, 0, 0, 0, 0, 0, 0, 0]
        };
        is("what they say", found.get(..9).map(<[i32]>::to_vec), Some(expected.to_vec()))
    });
    suite.case("caps: the mock of this driver has its limit of frequencies", |w| {
        let found = w.caps().max_adj;
        // igb; e1000e of newer and of older kernels; the simulated chip.
        let known = [999_999_881, 599_999_900, 599_999_999, 100_000_000];
        holds(&format!("{found} is a known limit"), known.contains(&found))
    });
    suite.case("caps: version 2 says the same", |w| {
        let second = works(w.ask(|clock| clock.getcaps(Version::V2)))?;
        is("version 2", words(&second), words(&w.caps()))
    });
    for version in [Version::V1, Version::V2] {
        suite.case(format!("caps: a read-only handle may ask, {version:?}"), move |w| {
            works(w.open(false)?.getcaps(version)).map(drop)
        });
    }
    suite.case("caps: reserved words are 0", |w| is("rsv", w.caps().rsv, [0; 11]));
    suite.case("caps: the largest phase offset is told from 6.5 on", |w| {
        if w.caps().adjust_phase == 0 {
            return skip("no phase control");
        }
        is("whether it is told", w.caps().max_phase_adj != 0, w.has(Feature::MaxPhase))
    });
    suite.case("sysfs: max_phase_adjustment is there with its limit", |w| {
        if w.caps().max_phase_adj == 0 {
            return refuses(attribute(w, "max_phase_adjustment"), Errno::ENOENT);
        }
        let limit = w.caps().max_phase_adj.to_string();
        is("the attribute", works(attribute(w, "max_phase_adjustment"))?, limit)
    });
    suite.case("sysfs: every clock has a name", |w| {
        holds("it isn't empty", !works(attribute(w, "clock_name"))?.is_empty())
    });
    suite.case("sysfs: an attribute that isn't there", |w| {
        refuses(attribute(w, "no_such_attribute"), Errno::ENOENT)
    });
    suite.case("sysfs: a pin that isn't there", |w| {
        refuses(attribute(w, "pins/no_such_pin"), Errno::ENOENT)
    });
    for name in ["n_vclocks", "max_vclocks"] {
        suite.case(format!("sysfs: {name} is there from 5.14 on"), move |w| {
            is("whether it is", attribute(w, name).is_ok(), w.has(Feature::VirtualClocks))
        });
    }
}
