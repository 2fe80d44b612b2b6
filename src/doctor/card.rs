//! What is wrong with the card of a clock and its interfaces.

use super::Finding;
use super::known::refuses_changes;
use crate::find::{Kind, Listed, Machine};
use crate::kernel::{Errno, hardware_timestamps, in_words};

/// Filters that stamp no event of version 2 of PTP: `HWTSTAMP_FILTER_PTP_V1_L4_…` and `…_NTP_ALL` of
/// `include/uapi/linux/net_tstamp.h`.
const OF_OTHERS: [i32; 4] = [3, 4, 5, 15];
/// The class of a network card on PCI: the first of three bytes is 2.
const NETWORK: &str = "0x02";

pub(super) fn findings(listed: &Listed, all: &[Listed], machine: &Machine) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (interface, _) in &listed.interfaces {
        findings.extend(timestamps(interface));
        if machine.text(&format!("sys/class/net/{interface}/operstate")).as_deref() == Some("down")
        {
            findings.push(Finding::LinkDown { interface: interface.clone() });
        }
        findings.extend(two_clocks(interface, all).filter(|_| is_first(listed, interface, all)));
    }
    findings.extend(elsewhere(listed, machine));
    let release = machine.text("proc/sys/kernel/osrelease").unwrap_or_default();
    if let Some(source) = refuses_changes(&release) {
        findings.push(Finding::KernelRefusesChanges { release, source });
    }
    findings
}

/// Whether an interface stamps what PTP needs.
fn timestamps(interface: &str) -> Option<Finding> {
    let timestamps = match hardware_timestamps(interface) {
        Ok(timestamps) => timestamps,
        // Many drivers can't tell, and some kernels; the interface may have gone.
        Err(Errno::EOPNOTSUPP | Errno::ENOTTY | Errno::ENODEV) => return None,
        Err(errno) => {
            let why = format!("SIOCGHWTSTAMP of {interface}: {}", in_words(&errno.into()));
            let what = "which packets it stamps";
            return Some(Finding::NotRead { what, why, errno: Some(errno) });
        }
    };
    let interface = interface.to_owned();
    if timestamps.transmit == 0 || timestamps.receive == 0 {
        return Some(Finding::TimestampsOff { interface, timestamps });
    }
    OF_OTHERS
        .contains(&timestamps.receive)
        .then_some(Finding::TimestampsOfOthers { interface, timestamps })
}

/// The clocks that can stamp the packets of an interface, where there are several.
fn two_clocks(interface: &str, all: &[Listed]) -> Option<Finding> {
    let of_it = |clock: &Listed| {
        let (_, source) = clock.interfaces.iter().find(|(name, _)| name == interface)?;
        Some((clock.device.clone(), *source))
    };
    let clocks: Vec<_> = all.iter().filter_map(of_it).collect();
    (clocks.len() > 1).then(|| Finding::TwoClocks { interface: interface.to_owned(), clocks })
}

/// It is told once, of the first of its clocks.
fn is_first(listed: &Listed, interface: &str, all: &[Listed]) -> bool {
    let has_it = |clock: &&Listed| clock.interfaces.iter().any(|(name, _)| name == interface);
    all.iter().find(has_it).is_some_and(|first| first.device == listed.device)
}

/// A network card without an interface here has it elsewhere.
fn elsewhere(listed: &Listed, machine: &Machine) -> Option<Finding> {
    let name = listed.device.strip_prefix("/dev/")?;
    let class = machine.text(&format!("sys/class/ptp/{name}/device/class"))?;
    let is_bare = listed.kind == Kind::Physical && listed.interfaces.is_empty();
    (is_bare && class.starts_with(NETWORK))
        .then(|| Finding::InterfaceElsewhere { namespaces: machine.network_namespaces() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::find::Source;
    use crate::find::made::Made;

    fn card(device: &str, interfaces: &[(&str, Option<Source>)]) -> Listed {
        let interfaces = interfaces.iter().map(|(name, source)| ((*name).to_owned(), *source));
        Listed {
            device: device.into(),
            clock_name: None,
            driver: None,
            bus_address: None,
            interfaces: interfaces.collect(),
            kind: Kind::Physical,
            virtual_clocks: None,
            holders: Vec::new(),
        }
    }

    fn found(name: &str, all: &[Listed], files: &[(&str, &str)]) -> Vec<Finding> {
        let made = Made::with(&format!("doctor-card-{name}"), files);
        all.iter().flat_map(|listed| findings(listed, all, &made.machine())).collect()
    }

    // No interface of the machine has these names.
    const ONE: &str = "doctor0";

    #[test]
    fn an_interface_that_does_not_tell_what_it_stamps_is_found() {
        let long = "no interface has a name as long as this";
        let all = [card("/dev/ptp0", &[(long, None)])];
        let found = found("stamps", &all, &[]);
        let [Finding::NotRead { why, errno, .. }] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert!(why.contains(long) && *errno == Some(Errno::EINVAL), "{why}");
    }

    #[test]
    fn a_link_that_is_down_is_found() {
        let all = [card("/dev/ptp0", &[(ONE, None)])];
        let state = |text| found("link", &all, &[("sys/class/net/doctor0/operstate", text)]);
        assert_eq!(state("down\n"), [Finding::LinkDown { interface: ONE.into() }]);
        assert_eq!(state("up\n"), []);
    }

    #[test]
    fn an_interface_with_a_clock_in_its_phy_too_is_found_once() {
        let (mac, phy) = (Some(Source::Mac), Some(Source::Phy(None)));
        let all = [card("/dev/ptp0", &[(ONE, mac)]), card("/dev/ptp1", &[(ONE, phy)])];
        let clocks = vec![("/dev/ptp0".into(), mac), ("/dev/ptp1".into(), phy)];
        assert_eq!(found("two", &all, &[]), [Finding::TwoClocks { interface: ONE.into(), clocks }]);
        assert_eq!(found("one", &all[..1], &[]), []);
    }

    #[test]
    fn a_network_card_without_an_interface_here_is_found() {
        let files = [("sys/class/ptp/ptp0/device/class", "0x020000\n"), ("run/netns/blue", "")];
        let elsewhere = Finding::InterfaceElsewhere { namespaces: vec!["blue".into()] };
        assert_eq!(found("elsewhere", &[card("/dev/ptp0", &[])], &files), [elsewhere]);
        assert_eq!(found("here", &[card("/dev/ptp0", &[(ONE, None)])], &files), []);
        // A timing card has no interface anywhere.
        let files = [("sys/class/ptp/ptp0/device/class", "0x118000\n")];
        assert_eq!(found("timing", &[card("/dev/ptp0", &[])], &files), []);
    }

    #[test]
    fn a_kernel_that_refuses_changes_is_found() {
        let with = |release: &str| {
            found("kernel", &[card("/dev/ptp0", &[])], &[("proc/sys/kernel/osrelease", release)])
        };
        let source = refuses_changes("6.12.34").expect("one that refuses");
        let refuses = Finding::KernelRefusesChanges { release: "6.12.34".into(), source };
        assert_eq!(with("6.12.34\n"), [refuses]);
        assert_eq!(with("6.12.35\n"), []);
    }
}
