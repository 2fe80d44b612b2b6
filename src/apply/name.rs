//! What a file calls a clock, and which clock that is.

use crate::find::{LastingName, Listed};
use std::fmt;

/// What a file calls a clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// A name that stays when the machine boots again.
    Lasting(LastingName),
    /// A name as the command line has it: a device, an interface, a mock.
    Device(String),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lasting(name) => f.write_str(&name.join(" ")),
            Self::Device(name) => f.write_str(name),
        }
    }
}

/// Where the clock of a name is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Its device, or the name that stands for one.
    At(String),
    /// Not there.
    Absent,
    /// These have the name.
    Several(Vec<String>),
}

impl Name {
    /// Where the clock is, among all of the machine.
    pub(crate) fn place(&self, all: &[Listed]) -> Place {
        let name = match self {
            Self::Lasting(name) => name,
            Self::Device(name) => return Place::At(name.clone()),
        };
        let found = all.iter().filter(|clock| name.fits(clock)).map(|clock| clock.device.clone());
        let mut found: Vec<_> = found.collect();
        match found.len() {
            0 => Place::Absent,
            1 => Place::At(found.remove(0)),
            _ => Place::Several(found),
        }
    }

    /// The name of a clock; its device where it has no other of its own.
    pub(crate) fn of(clock: &Listed, all: &[Listed]) -> Self {
        let its_own = |name: &Self| name.place(all) == Place::At(clock.device.clone());
        let lasting = LastingName::of(clock, all).map(Self::Lasting).filter(its_own);
        lasting.unwrap_or_else(|| Self::Device(clock.device.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::find::Kind;

    fn clock(device: &str, address: Option<&str>, name: &str, of: Option<&str>) -> Listed {
        Listed {
            device: device.into(),
            clock_name: Some(name.into()),
            driver: None,
            bus_address: address.map(str::to_owned),
            interfaces: Vec::new(),
            kind: of.map_or(Kind::Physical, |of| Kind::Virtual { of: of.into() }),
            virtual_clocks: None,
            holders: Vec::new(),
        }
    }

    fn named(address: Option<&str>, name: Option<&str>) -> Name {
        let [bus_address, clock_name] = [address, name].map(|text| text.map(str::to_owned));
        Name::Lasting(LastingName { bus_address, clock_name })
    }

    #[test]
    fn a_clock_has_the_shortest_name_that_is_its_own() {
        let all = [
            clock("/dev/ptp0", Some("0000:01:00.0"), "igb", None),
            clock("/dev/ptp1", Some("0000:02:00.0"), "tod0", None),
            clock("/dev/ptp2", Some("0000:02:00.0"), "tod1", None),
            clock("/dev/ptp3", None, "KVM virtual PTP", None),
            clock("/dev/ptp4", Some("ptp0"), "ptp4_virt", Some("/dev/ptp0")),
            clock("/dev/ptp5", None, "twin", None),
            clock("/dev/ptp6", None, "twin", None),
        ];
        let expected = [
            (0, named(Some("0000:01:00.0"), None)),
            (1, named(Some("0000:02:00.0"), Some("tod0"))),
            (2, named(Some("0000:02:00.0"), Some("tod1"))),
            (3, named(None, Some("KVM virtual PTP"))),
            (5, Name::Device("/dev/ptp5".into())),
        ];
        for (number, name) in expected {
            assert_eq!(Name::of(&all[number], &all), name, "{number}");
            assert_eq!(name.place(&all), Place::At(all[number].device.clone()));
        }
    }

    #[test]
    fn a_name_that_fits_none_or_several_is_told() {
        let all = [
            clock("/dev/ptp1", Some("0000:02:00.0"), "tod0", None),
            clock("/dev/ptp2", Some("0000:02:00.0"), "tod1", None),
            clock("/dev/ptp4", None, "ptp4_virt", Some("/dev/ptp1")),
        ];
        assert_eq!(named(Some("0000:03:00.0"), None).place(&all), Place::Absent);
        assert_eq!(named(Some("0000:02:00.0"), Some("tod7")).place(&all), Place::Absent);
        assert_eq!(named(None, Some("ptp4_virt")).place(&all), Place::Absent);
        let both = Place::Several(vec!["/dev/ptp1".into(), "/dev/ptp2".into()]);
        assert_eq!(named(Some("0000:02:00.0"), None).place(&all), both);
    }
}
