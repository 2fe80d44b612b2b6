//! What to do about a failed call, judged by what can be looked up on the machine.

use super::left::quoted;
use crate::find::{self, Machine};
use crate::kernel::{Call, Errno};
use crate::phc::{Access, Error, Task};
use nix::unistd::geteuid;

/// What advice looks at.
pub(super) trait Surroundings {
    /// Whether this is root.
    fn is_root(&self) -> bool;
    /// What kind of container this runs in.
    fn container(&self) -> Option<String>;
    /// The number of a clock's device in sysfs, `249:0`.
    fn number_in_sysfs(&self, device: &str) -> Option<String>;
    /// How many virtual clocks a clock has, where that is known.
    fn virtual_clocks(&self, device: &str) -> Option<u32>;
    /// How many pins it has, where that is known.
    fn pins(&self, device: &str) -> Option<usize>;
    /// Who else has it open: "phc2sys (12)".
    fn holders(&self, device: &str) -> Vec<String>;
}

/// The machine that this runs on.
pub(super) struct Here;

impl Surroundings for Here {
    fn is_root(&self) -> bool {
        geteuid().is_root()
    }

    fn container(&self) -> Option<String> {
        Machine::here().container()
    }

    fn number_in_sysfs(&self, device: &str) -> Option<String> {
        Machine::here().number_in_sysfs(device)
    }

    fn virtual_clocks(&self, device: &str) -> Option<u32> {
        let phc = find::open_untouched(device).ok()?;
        Some(phc.virtual_clocks().ok()?.number)
    }

    fn pins(&self, device: &str) -> Option<usize> {
        let phc = find::open(device, Access::ReadOnly).ok()?;
        usize::try_from(phc.caps().ok()?.pins).ok()
    }

    fn holders(&self, device: &str) -> Vec<String> {
        let holders = find::holders(device).into_iter();
        holders.map(|holder| format!("{} ({})", holder.command, holder.process)).collect()
    }
}

/// What to do about a failure, if anything helps. `has_pin` says whether a pin was named.
pub(super) fn advice(error: &Error, has_pin: bool, around: &dyn Surroundings) -> Option<String> {
    let Error::Call { name, call, errno, .. } = error else {
        return None;
    };
    let device = name.device.as_str();
    match call {
        Call::Open => about_opening(device, *errno, around),
        Call::Attribute | Call::SetAttribute | Call::VirtualClocks => {
            about_sysfs(device, *errno, around)
        }
        _ => match errno {
            Errno::EACCES => {
                Some("the clock is open read-only: write access to the device is needed".into())
            }
            Errno::EPERM => Some(about_privilege(device, around)),
            Errno::EBUSY => Some(about_business(error, *call, has_pin, around)),
            _ => about_the_call(device, *call, *errno),
        },
    }
}

/// Whether a clock is a mock: its name isn't a path.
fn is_mock(device: &str) -> bool {
    !device.starts_with('/')
}

fn about_opening(device: &str, errno: Errno, around: &dyn Surroundings) -> Option<String> {
    let quoted = quoted(device);
    Some(match errno {
        Errno::EACCES if is_mock(device) => {
            "this clock may be opened for reading only: commands that only look work".into()
        }
        Errno::EACCES => format!(
            "give yourself access to {device}: join its group (ls -l {quoted}), or have an \
             administrator add a udev rule such as SUBSYSTEM==\"ptp\", GROUP=\"ptp\", \
             MODE=\"0660\". Commands that only look need read access alone"
        ),
        Errno::EPERM => match (around.container(), around.is_root()) {
            (Some(container), _) => format!(
                "the device cgroup of this container ({container}) denies it, to root as well: \
                 start the container with --device {quoted}, or allow the device in its \
                 devices.allow"
            ),
            (None, true) => "root is denied it, too: by a device cgroup (DeviceAllow=char-ptp rw \
                in the unit of a service allows it) or a security module"
                .into(),
            (None, false) => format!(
                "more rights don't help where a device cgroup denies it; what allows it is \
                 DeviceAllow=char-ptp rw in the unit of a service, --device {quoted} for a \
                 container"
            ),
        },
        Errno::ENOENT => match (around.number_in_sysfs(device), around.container()) {
            (Some(_), Some(container)) => format!(
                "the clock is there, as sysfs shows; its node is missing in this container \
                 ({container}): start it with --device {quoted}"
            ),
            (Some(number), None) => format!(
                "the clock is there, as sysfs shows; its node is missing: mknod {quoted} c {}",
                number.replace(':', " ")
            ),
            (None, _) => "there is no such device: 'ptpctl list' shows what is there".into(),
        },
        Errno::ENODEV | Errno::ENXIO => gone(),
        Errno::ENODATA => "mount -t sysfs sysfs /sys".into(),
        Errno::ENOTTY => "'ptpctl list' shows the clocks that there are".into(),
        Errno::EBUSY => "something else uses it: 'ptpctl list' shows who has the clock open".into(),
        _ => return None,
    })
}

fn gone() -> String {
    "the clock has gone: was the card or its driver removed? 'ptpctl list' shows what is there"
        .into()
}

/// Whether root's own rights don't suffice. A mock has a caller of its own.
fn is_root(device: &str, around: &dyn Surroundings) -> bool {
    !is_mock(device) && around.is_root()
}

fn about_sysfs(device: &str, errno: Errno, around: &dyn Surroundings) -> Option<String> {
    match errno {
        Errno::EACCES | Errno::EPERM | Errno::EROFS if is_root(device, around) => {
            Some("sysfs may not be written to here, as in most containers".into())
        }
        Errno::EACCES | Errno::EPERM => Some("this needs root: run it with sudo".into()),
        Errno::EBUSY => {
            Some("a virtual clock is in use: 'ptpctl list' shows who has it open".into())
        }
        Errno::ENODEV => Some(gone()),
        _ => None,
    }
}

fn about_privilege(device: &str, around: &dyn Surroundings) -> String {
    if is_root(device, around) {
        return "root lacks the capability CAP_SYS_TIME here: --cap-add SYS_TIME gives it to a \
            container, CapabilityBoundingSet= to a service"
            .into();
    }
    "the capability CAP_SYS_TIME is needed: run it with sudo".into()
}

/// Why a clock is busy.
fn about_business(error: &Error, call: Call, has_pin: bool, around: &dyn Surroundings) -> String {
    let device = error.name().device.as_str();
    let quoted = quoted(device);
    let holders = around.holders(device);
    let holders = match holders.as_slice() {
        [] => String::new(),
        holders => format!("; open in {}", holders.join(", ")),
    };
    match call {
        Call::ClockSettime
        | Call::ClockAdjtime
        | Call::AdjtimeStep
        | Call::AdjtimeFrequency
        | Call::AdjtimePhase => match around.virtual_clocks(device) {
            Some(0) | None => format!(
                "the clock has no virtual clocks, so it isn't free-running: either its firmware \
                 holds it, or this kernel returns EBUSY for every change, as 6.12.34 and 6.16-rc \
                 do{holders}"
            ),
            Some(number) => format!(
                "a clock with virtual clocks is free-running, and this one has {number}: control \
                 those instead, or remove them with 'ptpctl vclocks 0 {quoted}'"
            ),
        },
        Call::ExttsRequest | Call::ExttsRequest2 | Call::PeroutRequest | Call::PeroutRequest2 => {
            if matches!(error.asked(), Task::DisableExtts(_) | Task::DisablePerout(_)) {
                format!("its firmware or another program uses the channel{holders}")
            } else if has_pin {
                format!(
                    "the pin has the channel, but the firmware or another program uses that \
                     channel: try another with --channel{holders}"
                )
            } else if around.pins(device) == Some(0) {
                format!(
                    "this clock has no pins, so its firmware or another program uses the channel: \
                     try another channel with --channel{holders}"
                )
            } else {
                format!(
                    "this clock needs a pin for the channel first: 'ptpctl pins {quoted}' lists \
                     the pins, --pin assigns one"
                )
            }
        }
        Call::ClockGettime
        | Call::SysOffset
        | Call::SysOffsetExtended
        | Call::SysOffsetPrecise
        | Call::SysOffsetExtendedCycles
        | Call::SysOffsetPreciseCycles => {
            "the card limits how often it can be read, or another program is reading it: try again"
                .into()
        }
        _ => format!("something else uses it: 'ptpctl list' shows who has the clock open{holders}"),
    }
}

fn about_the_call(device: &str, call: Call, errno: Errno) -> Option<String> {
    let quoted = quoted(device);
    Some(match errno {
        Errno::ENODEV if matches!(call, Call::SysOffsetPrecise | Call::SysOffsetPreciseCycles) => {
            "no cross timestamp is available, for want of a partner or of this machine's support: \
             --method extended or basic still reads the clock"
                .into()
        }
        Errno::ENODEV => gone(),
        Errno::ENOTTY => "this kernel is too old for the call; 'ptpctl caps' shows what the \
            clock offers"
            .into(),
        Errno::EOPNOTSUPP => {
            format!("the driver can't do this; 'ptpctl caps {quoted}' shows what it can")
        }
        Errno::EINVAL
            if matches!(call, Call::ClockSettime | Call::AdjtimeStep | Call::SystemAdjtime) =>
        {
            "the kernel accepts no time before 1970 or after 2232".into()
        }
        Errno::EINVAL | Errno::ERANGE
            if matches!(call, Call::PeroutRequest | Call::PeroutRequest2) =>
        {
            "many drivers support only some of the outputs that the interface allows: one pulse a \
             second, one duty cycle, a start on a whole second or some seconds ahead, or a start \
             that the driver chooses. Try --period 1s without --duty and --pulse-width; without \
             --start and --phase, ptpctl tries which start the driver accepts"
                .into()
        }
        Errno::ERANGE => format!(
            "the value is beyond what the driver accepts; 'ptpctl caps {quoted}' shows the limits"
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phc::DeviceName;

    /// A machine with these properties.
    #[derive(Default)]
    struct Told {
        root: bool,
        container: Option<&'static str>,
        node: Option<&'static str>,
        virtual_clocks: Option<u32>,
        pins: Option<usize>,
        holders: Vec<String>,
    }

    impl Surroundings for Told {
        fn is_root(&self) -> bool {
            self.root
        }
        fn container(&self) -> Option<String> {
            self.container.map(str::to_owned)
        }
        fn number_in_sysfs(&self, _: &str) -> Option<String> {
            self.node.map(str::to_owned)
        }
        fn virtual_clocks(&self, _: &str) -> Option<u32> {
            self.virtual_clocks
        }
        fn pins(&self, _: &str) -> Option<usize> {
            self.pins
        }
        fn holders(&self, _: &str) -> Vec<String> {
            self.holders.clone()
        }
    }

    fn told(call: Call, errno: Errno, has_pin: bool, around: &Told) -> String {
        let name = DeviceName { device: "/dev/ptp0".into(), clock_name: None };
        let (asked, number) = (Task::Change, errno as i32);
        let error = Error::Call { asked, name, call, errno, number };
        advice(&error, has_pin, around).unwrap_or_default()
    }

    #[test]
    fn who_is_denied_a_device_is_not_sent_to_sudo() {
        let open = |around: &Told| told(Call::Open, Errno::EPERM, false, around);
        let docker = open(&Told { root: true, container: Some("docker"), ..Told::default() });
        assert!(docker.contains("(docker)") && docker.contains("--device /dev/ptp0"), "{docker}");
        let root = open(&Told { root: true, ..Told::default() });
        assert!(root.contains("DeviceAllow=char-ptp rw"), "{root}");
        for around in [Told::default(), Told { root: true, ..Told::default() }] {
            assert!(!open(&around).contains("sudo"), "{}", open(&around));
        }
    }

    #[test]
    fn a_node_that_is_missing_can_be_made() {
        let open = |around: &Told| told(Call::Open, Errno::ENOENT, false, around);
        let node = Some("249:3");
        assert!(open(&Told { node, ..Told::default() }).ends_with("mknod /dev/ptp0 c 249 3"));
        let podman = open(&Told { node, container: Some("podman"), ..Told::default() });
        assert!(podman.contains("(podman)") && podman.ends_with("--device /dev/ptp0"), "{podman}");
        assert!(open(&Told::default()).contains("no such device"));
    }

    #[test]
    fn root_without_the_capability_is_told_who_gives_it() {
        let pps =
            |root| told(Call::EnablePps, Errno::EPERM, false, &Told { root, ..Told::default() });
        assert!(pps(false).contains("sudo"));
        assert!(pps(true).contains("--cap-add SYS_TIME") && !pps(true).contains("sudo"));
    }

    #[test]
    fn who_may_not_write_to_sysfs_as_root_is_not_sent_to_sudo() {
        for errno in [Errno::EACCES, Errno::EPERM] {
            let write =
                |root| told(Call::SetAttribute, errno, false, &Told { root, ..Told::default() });
            assert!(write(false).contains("sudo"));
            assert!(write(true).contains("containers") && !write(true).contains("sudo"));
        }
    }

    #[test]
    fn a_busy_clock_without_virtual_clocks_is_not_blamed_on_them() {
        let set = |virtual_clocks| {
            let holders = vec!["ptp4l (7)".to_owned()];
            let around = Told { virtual_clocks, holders, ..Told::default() };
            told(Call::ClockSettime, Errno::EBUSY, false, &around)
        };
        assert!(set(Some(2)).contains("ptpctl vclocks 0 /dev/ptp0"));
        let none = set(Some(0));
        assert!(none.contains("firmware") && none.contains("6.12.34"), "{none}");
        assert!(none.contains("ptp4l (7)") && !none.contains("vclocks 0"), "{none}");
    }

    #[test]
    fn who_has_named_a_pin_is_not_told_to_name_one() {
        let request = |has_pin, pins| {
            let around = Told { pins, ..Told::default() };
            told(Call::ExttsRequest2, Errno::EBUSY, has_pin, &around)
        };
        assert!(request(false, Some(4)).contains("--pin assigns one"));
        assert!(request(true, Some(4)).contains("--channel"), "{}", request(true, Some(4)));
        assert!(request(false, Some(0)).contains("has no pins"), "{}", request(false, Some(0)));
    }
}
