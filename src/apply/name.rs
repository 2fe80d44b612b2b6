//! Names that a clock keeps when the machine boots again, or its card comes back.

use crate::find::{Kind, Listed};
use std::fmt;

/// What a file calls a clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// What the hardware says.
    Lasting {
        /// Of its card.
        bus_address: Option<String>,
        /// What the clock calls itself.
        clock_name: Option<String>,
    },
    /// A name as the command line has it: a device, an interface, a mock.
    Device(String),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lasting { bus_address, clock_name } => {
                let parts: Vec<_> = [bus_address, clock_name].into_iter().flatten().collect();
                f.write_str(&parts.into_iter().map(String::as_str).collect::<Vec<_>>().join(" "))
            }
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
    /// Where the clock is, among all of the machine. A virtual clock has no such name.
    pub(crate) fn place(&self, all: &[Listed]) -> Place {
        let Self::Lasting { bus_address, clock_name } = self else {
            return Place::At(self.to_string());
        };
        let fits =
            |wanted: &Option<String>, has: &Option<String>| wanted.is_none() || wanted == has;
        let mut found: Vec<_> = all
            .iter()
            .filter(|clock| is_physical(clock))
            .filter(|clock| fits(bus_address, &clock.bus_address))
            .filter(|clock| fits(clock_name, &clock.clock_name))
            .map(|clock| clock.device.clone())
            .collect();
        match found.len() {
            0 => Place::Absent,
            1 => Place::At(found.remove(0)),
            _ => Place::Several(found),
        }
    }

    /// The name of a clock; its device where it has no other of its own.
    pub(crate) fn of(clock: &Listed, all: &[Listed]) -> Self {
        let Listed { bus_address, clock_name, device, .. } = clock;
        let clock_name = clock_name.clone().filter(|name| !name.is_empty());
        let names = [
            (bus_address.clone(), None),
            (bus_address.clone(), clock_name.clone()),
            (None, clock_name),
        ];
        let names = names.into_iter().filter(|(address, name)| address.is_some() || name.is_some());
        let names =
            names.map(|(bus_address, clock_name)| Self::Lasting { bus_address, clock_name });
        let its_own = |name: &Self| name.place(all) == Place::At(device.clone());
        names.into_iter().find(its_own).unwrap_or_else(|| Self::Device(device.clone()))
    }
}

/// Whether a clock stands for itself, not on another.
pub(crate) fn is_physical(clock: &Listed) -> bool {
    !matches!(clock.kind, Kind::Virtual { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

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
        Name::Lasting { bus_address, clock_name }
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
