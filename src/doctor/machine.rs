//! What of a machine stands in the way of good time, as its files show it.

use super::processors::Processors;
use super::{Finding, Programs};
use crate::find::Machine;
use crate::{Timestamp, Utc};

/// Governors that change a processor's frequency while it works.
const CHANGING: [&str; 4] = ["powersave", "ondemand", "conservative", "schedutil"];
/// From 1900, where a list of leap seconds counts from, to 1970.
const SECONDS_1900_TO_1970: i64 = 2_208_988_800;

/// All that the machine's files show; `now` is needed to know what has expired.
pub(super) fn findings(machine: &Machine, now: Timestamp<Utc>) -> Vec<Finding> {
    let mut all = Vec::new();
    all.extend(governors(machine));
    all.extend(clock_source(machine));
    all.extend(leap_seconds(machine, now));
    all.extend(system_clock(machine));
    let isolated = isolated(machine);
    if !isolated.is_empty() {
        for interface in machine.interfaces_with_a_clock() {
            all.extend(interrupts(machine, &interface, &isolated));
            all.extend(packet_steering(machine, &interface, &isolated));
        }
        all.extend(default_steering(machine, &isolated));
    }
    all
}

fn governors(machine: &Machine) -> Option<Finding> {
    let (mut governor, mut processors) = (None, Processors::default());
    for name in machine.names("sys/devices/system/cpu") {
        let Some(number) = name.strip_prefix("cpu").and_then(|number| number.parse().ok()) else {
            continue;
        };
        let path = format!("sys/devices/system/cpu/{name}/cpufreq/scaling_governor");
        let found = machine.text(&path).filter(|found| CHANGING.contains(&found.as_str()));
        if let Some(found) = found {
            processors.add(&Processors::one(number));
            governor.get_or_insert(found);
        }
    }
    Some(Finding::Governor { governor: governor?, processors })
}

/// Only a processor that has a TSC can be measured with it.
fn clock_source(machine: &Machine) -> Option<Finding> {
    let information = machine.text("proc/cpuinfo")?;
    let flags = information.lines().find(|line| line.starts_with("flags"))?;
    flags.split_whitespace().find(|flag| *flag == "tsc")?;
    let folder = "sys/devices/system/clocksource/clocksource0";
    let current = machine.text(&format!("{folder}/current_clocksource"))?;
    let available = machine.text(&format!("{folder}/available_clocksource")).unwrap_or_default();
    let is_offered = available.split_whitespace().any(|name| name == "tsc");
    (current != "tsc").then_some(Finding::ClockSource { current, is_offered })
}

/// A list that has expired says nothing of today.
fn leap_seconds(machine: &Machine, now: Timestamp<Utc>) -> Option<Finding> {
    let path = "usr/share/zoneinfo/leap-seconds.list";
    let list = machine.text(path)?;
    let until =
        list.lines().find_map(|line| line.strip_prefix("#@")?.trim().parse::<i64>().ok())?;
    let expired = Timestamp::new(until.checked_sub(SECONDS_1900_TO_1970)?, 0)?;
    (expired.seconds() < now.seconds())
        .then(|| Finding::LeapSeconds { path: format!("/{path}"), expired })
}

/// Several programs that steer the system clock.
fn system_clock(machine: &Machine) -> Option<Finding> {
    let programs = Programs::of(machine).steering_the_system_clock();
    (programs.len() > 1).then_some(Finding::SystemClockFoughtOver { programs })
}

/// The processors that are kept free of other work.
fn isolated(machine: &Machine) -> Processors {
    let mut all = Processors::default();
    for name in ["isolated", "nohz_full"] {
        let path = format!("sys/devices/system/cpu/{name}");
        if let Some(some) = machine.text(&path).and_then(|text| Processors::of_list(&text)) {
            all.add(&some);
        }
    }
    all
}

/// Interrupts of a card that come on isolated processors.
fn interrupts(machine: &Machine, interface: &str, isolated: &Processors) -> Option<Finding> {
    let (mut numbers, mut processors) = (Vec::new(), Processors::default());
    let device = format!("sys/class/net/{interface}/device");
    let mut of_card = machine.names(&format!("{device}/msi_irqs"));
    if of_card.is_empty() {
        // Without message-signalled interrupts it has one; 0 stands for none.
        of_card.extend(machine.text(&format!("{device}/irq")).filter(|number| number != "0"));
    }
    for number in of_card {
        let affinity = |name| {
            let list = machine.text(&format!("proc/irq/{number}/{name}"))?;
            Processors::of_list(&list).filter(|processors| !processors.is_empty())
        };
        let set = affinity("effective_affinity_list").or_else(|| affinity("smp_affinity_list"));
        let both = set.unwrap_or_default().and(isolated);
        if !both.is_empty() {
            numbers.push(number);
            processors.add(&both);
        }
    }
    let interface = interface.to_owned();
    (!numbers.is_empty()).then_some(Finding::Interrupts { interface, numbers, processors })
}

/// Received packets that are handed to isolated processors.
fn packet_steering(machine: &Machine, interface: &str, isolated: &Processors) -> Option<Finding> {
    let (mut queues, mut processors) = (Vec::new(), Processors::default());
    let folder = format!("sys/class/net/{interface}/queues");
    for queue in machine.names(&folder).into_iter().filter(|name| name.starts_with("rx-")) {
        let mask = machine.text(&format!("{folder}/{queue}/rps_cpus"));
        let set = mask.and_then(|mask| Processors::of_mask(&mask));
        let both = set.unwrap_or_default().and(isolated);
        if !both.is_empty() {
            queues.push(queue);
            processors.add(&both);
        }
    }
    let interface = interface.to_owned();
    (!queues.is_empty()).then_some(Finding::PacketSteering { interface, queues, processors })
}

/// The same for interfaces that are still to come.
fn default_steering(machine: &Machine, isolated: &Processors) -> Option<Finding> {
    let mask = machine.text("proc/sys/net/core/rps_default_mask")?;
    let processors = Processors::of_mask(&mask)?.and(isolated);
    (!processors.is_empty()).then_some(Finding::DefaultSteering { processors })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::find::Holder;
    use crate::find::made::Made;

    /// 2026-11-27.
    fn now() -> Timestamp<Utc> {
        Timestamp::new(1_795_737_600, 0).expect("a time")
    }

    /// What is found with these files, and with the same files less the fault.
    fn found(name: &str, files: &[(&str, &str)]) -> Vec<Finding> {
        findings(&Made::with(&format!("doctor-{name}"), files).machine(), now())
    }

    #[test]
    fn a_machine_of_which_nothing_is_known_has_no_fault() {
        assert_eq!(found("empty", &[]), []);
    }

    #[test]
    fn governors_that_change_the_frequency_are_found() {
        let governor = |number: u32, name: &'static str| {
            (format!("sys/devices/system/cpu/cpu{number}/cpufreq/scaling_governor"), name)
        };
        let all =
            [governor(0, "performance\n"), governor(1, "schedutil\n"), governor(2, "schedutil\n")];
        let files: Vec<_> = all.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        let processors = Processors::of_list("1-2").expect("a list");
        let governor = "schedutil".to_owned();
        assert_eq!(found("governor", &files), [Finding::Governor { governor, processors }]);
        assert_eq!(found("performance", &files[..1]), []);
    }

    #[test]
    fn a_clock_source_other_than_tsc_is_found_where_there_is_a_tsc() {
        let folder = "sys/devices/system/clocksource/clocksource0";
        let (current, available) =
            (format!("{folder}/current_clocksource"), format!("{folder}/available_clocksource"));
        let with = |name: &str, flags: &str, source: &str| {
            let files = [
                ("proc/cpuinfo", flags),
                (current.as_str(), source),
                (available.as_str(), "tsc hpet acpi_pm\n"),
            ];
            found(name, &files)
        };
        let hpet = Finding::ClockSource { current: "hpet".into(), is_offered: true };
        let x86 = "processor\t: 0\nflags\t\t: fpu tsc msr\n";
        assert_eq!(with("hpet", x86, "hpet\n"), [hpet]);
        assert_eq!(with("tsc", x86, "tsc\n"), []);
        assert_eq!(with("arm", "processor\t: 0\nFeatures\t: fp\n", "arch_sys_counter\n"), []);
    }

    #[test]
    fn a_list_of_leap_seconds_that_has_expired_is_found() {
        let list = |text| found("leap", &[("usr/share/zoneinfo/leap-seconds.list", text)]);
        // 2026-06-28, 2027-06-28.
        let expired = Timestamp::new(1_782_604_800, 0).expect("a time");
        let path = "/usr/share/zoneinfo/leap-seconds.list".into();
        assert_eq!(list("#$\t1\n#@\t3991593600\n"), [Finding::LeapSeconds { path, expired }]);
        assert_eq!(list("#@\t4023129600\n"), []);
        assert_eq!(list("#@\tnonsense\n"), []);
    }

    #[test]
    fn interrupts_and_packets_on_isolated_processors_are_found() {
        let card = "sys/class/net/eth0/device";
        let (clock, interrupt) = (format!("{card}/ptp/ptp0/dev"), format!("{card}/msi_irqs/130"));
        let isolated = ("sys/devices/system/cpu/isolated", "2-3\n");
        let with = |name: &str, affinity: &str, mask: &str, default: &str| {
            let files = [
                (clock.as_str(), "249:0\n"),
                // One that no program has asked for has no files in /proc.
                ("sys/class/net/eth0/device/msi_irqs/129", "msix\n"),
                (interrupt.as_str(), "msix\n"),
                ("proc/irq/130/smp_affinity_list", affinity),
                ("sys/class/net/eth0/queues/rx-0/rps_cpus", mask),
                ("proc/sys/net/core/rps_default_mask", default),
                isolated,
            ];
            found(name, &files)
        };
        let processors = |list| Processors::of_list(list).expect("a list");
        let interface = || "eth0".to_owned();
        let all = [
            Finding::Interrupts {
                interface: interface(),
                numbers: vec!["130".into()],
                processors: processors("3"),
            },
            Finding::PacketSteering {
                interface: interface(),
                queues: vec!["rx-0".into()],
                processors: processors("2"),
            },
            Finding::DefaultSteering { processors: processors("2-3") },
        ];
        assert_eq!(with("isolated", "0-1,3\n", "5\n", "f\n"), all);
        assert_eq!(with("spared", "0-1\n", "3\n", "3\n"), []);
    }

    #[test]
    fn the_one_interrupt_of_an_old_card_on_isolated_processors_is_found() {
        let with = |name: &str, affinity: &str| {
            let files = [
                ("sys/class/net/eth0/device/ptp/ptp0/dev", "249:0\n"),
                ("sys/class/net/eth0/device/irq", "17\n"),
                ("proc/irq/17/effective_affinity_list", affinity),
                ("sys/devices/system/cpu/nohz_full", "3\n"),
            ];
            found(name, &files)
        };
        let processors = Processors::of_list("3").expect("a list");
        let (interface, numbers) = ("eth0".to_owned(), vec!["17".to_owned()]);
        assert_eq!(with("old", "3\n"), [Finding::Interrupts { interface, numbers, processors }]);
        assert_eq!(with("old-spared", "1\n"), []);
    }

    #[test]
    fn programs_that_fight_over_the_system_clock_are_found() {
        let with = |name: &str, chronyd: &str, phc2sys: &str| {
            let files = [
                ("proc/7/comm", "chronyd\n"),
                ("proc/7/cmdline", chronyd),
                ("proc/8/comm", "phc2sys\n"),
                ("proc/8/cmdline", phc2sys),
                ("proc/9/comm", "ptp4l\n"),
            ];
            found(name, &files)
        };
        let holder = |process, command: &str| Holder { process, command: command.into() };
        let programs = vec![holder(7, "chronyd"), holder(8, "phc2sys")];
        let fight = [Finding::SystemClockFoughtOver { programs }];
        let steers = "phc2sys\0-s\0eth0\0-w\0";
        assert_eq!(with("fight", "chronyd\0-F\x001\0", steers), fight);
        assert_eq!(with("watches", "chronyd\0-x\0", steers), []);
        assert_eq!(with("other", "chronyd\0", "phc2sys\0-s\0CLOCK_REALTIME\0-ceth0\0"), []);
        assert_eq!(with("automatic", "chronyd\0", "phc2sys\0-a\0"), []);
        assert_eq!(with("steers", "chronyd\0", "phc2sys\0-a\0-r\0"), fight);
    }
}
