//! How each clock of a machine is told from the others, today and after the next boot.

use crate::find::{Kind, LastingName, Listed};
use std::collections::BTreeSet;

/// The clocks with their labels. A physical clock's is its lasting name, or its device where it has
/// none. A virtual clock's is that of its physical clock, with `/virtual` and a number. No two are
/// the same.
pub(super) fn labels(clocks: &[Listed]) -> Vec<(String, &Listed)> {
    let own = |clock: &Listed| {
        LastingName::of(clock, clocks).map_or_else(|| clock.device.clone(), |name| name.join("/"))
    };
    let mut taken = BTreeSet::new();
    let mut labelled: Vec<(String, &Listed)> = Vec::new();
    for clock in clocks.iter().filter(|clock| !clock.is_virtual()) {
        labelled.push((untaken(own(clock), &mut taken), clock));
    }
    for clock in clocks {
        let Kind::Virtual { of } = &clock.kind else { continue };
        let physical = labelled.iter().find(|(_, physical)| physical.device == *of);
        let label = physical.map_or_else(|| own(clock), |(label, _)| format!("{label}/virtual1"));
        labelled.push((untaken(label, &mut taken), clock));
    }
    labelled
}

/// The label, or one with a higher number at its end if another clock has it.
fn untaken(label: String, taken: &mut BTreeSet<String>) -> String {
    let stem = label.strip_suffix('1').filter(|stem| stem.ends_with("/virtual")).map(str::to_owned);
    let stem = stem.unwrap_or_else(|| format!("{label}/"));
    let others = (2_u32..).map(|number| format!("{stem}{number}"));
    let free = std::iter::once(label).chain(others).find(|label| !taken.contains(label));
    let free = free.unwrap_or(stem);
    taken.insert(free.clone());
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(device: &str, name: &str, address: Option<&str>, of: Option<&str>) -> Listed {
        let of = of.map(|of| Kind::Virtual { of: of.into() });
        Listed {
            device: device.into(),
            clock_name: Some(name.into()),
            driver: None,
            bus_address: address.map(str::to_owned),
            interfaces: Vec::new(),
            kind: of.unwrap_or(Kind::Physical),
            virtual_clocks: None,
            holders: Vec::new(),
        }
    }

    fn of(clocks: &[Listed]) -> Vec<(String, String)> {
        labels(clocks).into_iter().map(|(label, clock)| (clock.device.clone(), label)).collect()
    }

    fn told(clocks: &[Listed], wanted: &[(&str, &str)]) {
        let wanted: Vec<_> =
            wanted.iter().map(|(device, label)| ((*device).into(), (*label).into())).collect();
        assert_eq!(of(clocks), wanted);
    }

    #[test]
    fn a_card_is_known_by_its_bus_address_and_what_has_none_by_its_name() {
        let card = clock("/dev/ptp0", "igb0", Some("0000:01:00.0"), None);
        let other = clock("/dev/ptp1", "igb0", Some("0000:01:00.1"), None);
        let kvm = clock("/dev/ptp2", "KVM virtual PTP", None, None);
        told(
            &[card, other, kvm],
            &[
                ("/dev/ptp0", "0000:01:00.0"),
                ("/dev/ptp1", "0000:01:00.1"),
                ("/dev/ptp2", "KVM virtual PTP"),
            ],
        );
    }

    #[test]
    fn the_clocks_of_one_card_are_told_apart() {
        let one = clock("/dev/ptp0", "tod0", Some("0000:01:00.0"), None);
        let other = clock("/dev/ptp1", "tod1", Some("0000:01:00.0"), None);
        let same = clock("/dev/ptp2", "tod1", Some("0000:01:00.0"), None);
        told(
            &[one, other, same],
            &[
                ("/dev/ptp0", "0000:01:00.0/tod0"),
                ("/dev/ptp1", "0000:01:00.0/tod1"),
                ("/dev/ptp2", "0000:01:00.0/tod1/2"),
            ],
        );
    }

    #[test]
    fn virtual_clocks_are_counted_on_their_physical_one() {
        let card = clock("/dev/ptp7", "igb0", Some("0000:01:00.0"), None);
        let first = clock("/dev/ptp8", "ptp8_virt", None, Some("/dev/ptp7"));
        let second = clock("/dev/ptp9", "ptp9_virt", None, Some("/dev/ptp7"));
        told(
            &[card, first, second],
            &[
                ("/dev/ptp7", "0000:01:00.0"),
                ("/dev/ptp8", "0000:01:00.0/virtual1"),
                ("/dev/ptp9", "0000:01:00.0/virtual2"),
            ],
        );
    }
}
