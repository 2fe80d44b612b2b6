//! What else of the machine can explain why a clock can't be used: its container, its network
//! namespaces, who has a clock open.

#[cfg(feature = "cli")]
use super::Holder;
#[cfg(feature = "cli")]
use crate::kernel::has_capability;
use libc::{major, minor};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Programs that steer clocks, by the names that the kernel shows.
#[cfg(feature = "cli")]
const STEERING: [&str; 6] = ["phc2sys", "ptp4l", "ts2phc", "chronyd", "timemaster", "satpulsed"];

#[cfg(feature = "cli")]
impl Holder {
    /// Whether it is a program that steers clocks.
    pub(super) fn is_steering(&self) -> bool {
        STEERING.contains(&self.command.as_str())
    }
}

/// The machine as its files show it.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    root: PathBuf,
}

/// The number of `CAP_SYS_TIME` (include/uapi/linux/capability.h).
#[cfg(feature = "cli")]
const CAP_SYS_TIME: u32 = 25;

impl Machine {
    /// The machine that this runs on.
    pub(crate) fn here() -> Self {
        Self::at(Path::new("/"))
    }

    /// A machine whose files are below a folder.
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Whether there is anything to look at.
    #[cfg(feature = "cli")]
    pub(crate) fn has_files(&self) -> bool {
        ["sys", "proc"].into_iter().any(|folder| !self.names(folder).is_empty())
    }

    /// The names in a folder, in order; none where there is no such folder.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).into_iter().flatten().flatten();
        let mut names: Vec<_> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// Where the links in a folder lead.
    #[cfg(feature = "cli")]
    pub(crate) fn links(&self, folder: &str) -> Vec<String> {
        let names = self.names(folder).into_iter();
        let to = |name: String| fs::read_link(self.path(&format!("{folder}/{name}"))).ok();
        names.filter_map(|name| to(name)?.to_str().map(str::to_owned)).collect()
    }

    /// The network interfaces whose card has a clock.
    #[cfg(feature = "cli")]
    pub(crate) fn interfaces_with_a_clock(&self) -> Vec<String> {
        let has_one =
            |name: &String| !self.names(&format!("sys/class/net/{name}/device/ptp")).is_empty();
        self.names("sys/class/net").into_iter().filter(has_one).collect()
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The text of a file, without white space around it.
    pub(crate) fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.path(path)).ok().map(|text| text.trim().to_owned())
    }

    /// The names of other network namespaces, as `ip netns` has them.
    pub(crate) fn network_namespaces(&self) -> Vec<String> {
        self.names("run/netns")
    }

    /// A process in whose network namespace there is an interface of this name, with its number:
    /// `dockerd (123)`.
    pub(crate) fn namespace_of_interface(&self, interface: &str) -> Option<String> {
        let processes = fs::read_dir(self.path("proc")).ok()?.flatten();
        let numbers = processes.filter_map(|entry| {
            entry.file_name().to_str().filter(|name| name.parse::<u32>().is_ok()).map(str::to_owned)
        });
        let has_it = |number: &String| {
            let table = self.text(&format!("proc/{number}/net/dev")).unwrap_or_default();
            let names = table.lines().filter_map(|line| line.split_once(':'));
            names.into_iter().any(|(name, _)| name.trim() == interface)
        };
        let found = numbers.into_iter().find(has_it)?;
        let program = self.text(&format!("proc/{found}/comm"))?;
        Some(format!("{program} ({found})"))
    }

    /// The members of a bridge; none if the interface isn't a bridge.
    pub(crate) fn members_of_bridge(&self, interface: &str) -> Vec<String> {
        self.names(&format!("sys/class/net/{interface}/brif"))
    }

    /// The PHC behind a name in `/dev`, such as the link `ptp_kvm`: `/dev/ptp0`.
    pub(crate) fn linked(&self, name: &str) -> Option<PathBuf> {
        let found = fs::metadata(self.path(&format!("dev/{name}"))).ok()?;
        if !found.file_type().is_char_device() {
            return None;
        }
        let number = format!("{}:{}", major(found.rdev()), minor(found.rdev()));
        let clocks = fs::read_dir(self.path("sys/class/ptp")).ok()?.flatten();
        let names = clocks.filter_map(|entry| entry.file_name().into_string().ok());
        let is_it = |clock: &String| {
            self.text(&format!("sys/class/ptp/{clock}/dev")) == Some(number.clone())
        };
        names.into_iter().find(is_it).map(|clock| PathBuf::from(format!("/dev/{clock}")))
    }
}

#[cfg(feature = "cli")]
impl Machine {
    /// What kind of container this runs in: "docker", "podman", "lxc".
    pub(crate) fn container(&self) -> Option<String> {
        if let Some(name) = self.text("run/systemd/container").filter(|name| !name.is_empty()) {
            return Some(name);
        }
        if self.path("run/.containerenv").exists() {
            return Some("podman".into());
        }
        if self.path(".dockerenv").exists() {
            return Some("docker".into());
        }
        let groups = self.text("proc/1/cgroup").unwrap_or_default();
        let known = [("kubepods", "kubernetes"), ("docker", "docker"), ("lxc", "lxc")];
        known.iter().find(|(sign, _)| groups.contains(sign)).map(|(_, name)| (*name).to_owned())
    }

    /// Whether this process has `CAP_SYS_TIME`; `None` where that is unknown.
    pub(crate) fn may_set_the_system_clock(&self) -> Option<bool> {
        has_capability(&self.text("proc/self/status")?, CAP_SYS_TIME)
    }

    /// The device number that sysfs has for `/dev/ptpN`, as people write it: `249:0`.
    pub(crate) fn number_in_sysfs(&self, device: &str) -> Option<String> {
        let name = Path::new(device).file_name()?.to_str()?;
        name.strip_prefix("ptp")?.parse::<u32>().ok()?;
        self.text(&format!("sys/class/ptp/{name}/dev"))
    }

    /// Programs that steer clocks and have this one open. Only their files are looked at.
    pub(crate) fn steering(&self, device: &str) -> Vec<Holder> {
        let Ok(number) = fs::metadata(device).map(|found| found.rdev()) else { return Vec::new() };
        let processes = fs::read_dir(self.path("proc")).into_iter().flatten().flatten();
        let mut holders: Vec<_> = processes
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
            .filter_map(|process| {
                let command = self.text(&format!("proc/{process}/comm"))?;
                Some(Holder { process, command }).filter(Holder::is_steering)
            })
            .filter(|holder| self.has_open(holder.process, number))
            .collect();
        holders.sort_by_key(|holder| holder.process);
        holders
    }

    fn has_open(&self, process: u32, number: u64) -> bool {
        let files = fs::read_dir(self.path(&format!("proc/{process}/fd")));
        files.into_iter().flatten().flatten().any(|file| {
            fs::metadata(file.path())
                .is_ok_and(|found| found.file_type().is_char_device() && found.rdev() == number)
        })
    }
}

/// Machines that tests make.
#[cfg(all(test, feature = "cli"))]
#[expect(clippy::expect_used, reason = "a test that can't run has failed")]
pub(crate) mod made {
    use super::*;

    /// A machine with these files, below a folder that is deleted with it.
    pub(crate) struct Made(pub(crate) PathBuf);

    impl Made {
        pub(crate) fn with(name: &str, files: &[(&str, &str)]) -> Self {
            let root = std::env::temp_dir().join(format!("ptpctl-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&root);
            fs::create_dir_all(&root).expect("made");
            for (path, text) in files {
                let path = root.join(path);
                fs::create_dir_all(path.parent().expect("a folder")).expect("made");
                fs::write(path, text).expect("written");
            }
            Self(root)
        }

        pub(crate) fn machine(&self) -> Machine {
            Machine::at(&self.0)
        }
    }

    impl Drop for Made {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

#[cfg(feature = "cli")]
#[cfg(test)]
mod tests {
    use super::made::Made;
    use super::*;

    #[test]
    fn a_container_is_known_by_what_it_leaves() {
        for (file, text, name) in [
            ("run/systemd/container", "systemd-nspawn\n", Some("systemd-nspawn")),
            ("run/.containerenv", "", Some("podman")),
            (".dockerenv", "", Some("docker")),
            ("proc/1/cgroup", "0::/kubepods/burstable/pod1\n", Some("kubernetes")),
            ("proc/1/cgroup", "0::/init.scope\n", None),
        ] {
            let made = Made::with("container", &[(file, text)]);
            assert_eq!(made.machine().container().as_deref(), name, "{file}");
        }
    }

    #[test]
    fn a_capability_is_read_from_the_kernels_mask() {
        for (mask, may) in [("000001ffffffffff", true), ("00000000a80425fb", false)] {
            let status = format!("Name:\tx\nCapEff:\t{mask}\n");
            let made = Made::with("capability", &[("proc/self/status", &status)]);
            assert_eq!(made.machine().may_set_the_system_clock(), Some(may));
        }
    }

    #[test]
    fn a_clock_without_a_node_is_in_sysfs() {
        let made = Made::with("node", &[("sys/class/ptp/ptp3/dev", "249:3\n")]);
        assert_eq!(made.machine().number_in_sysfs("/dev/ptp3").as_deref(), Some("249:3"));
        for other in ["/dev/ptp4", "/dev/ptp", "/dev/null", ""] {
            assert_eq!(made.machine().number_in_sysfs(other), None, "{other}");
        }
    }

    #[test]
    fn a_bridge_has_members_and_namespaces_have_names() {
        let files = [
            ("sys/class/net/br0/brif/eth1/port_no", "1"),
            ("sys/class/net/br0/brif/eth0/port_no", "2"),
            ("sys/class/net/eth0/operstate", "up"),
            ("run/netns/blue", ""),
        ];
        let made = Made::with("bridge", &files);
        assert_eq!(made.machine().members_of_bridge("br0"), ["eth0", "eth1"]);
        assert!(made.machine().members_of_bridge("eth0").is_empty());
        assert_eq!(made.machine().network_namespaces(), ["blue"]);
    }

    #[test]
    fn a_process_shows_what_interfaces_its_namespace_has() {
        let table = "Inter-|   Receive  |  Transmit\n face |bytes\n    lo: 0 0\n  eth0: 5 6\n";
        let files = [
            ("proc/12/net/dev", "  lo: 0 0\n"),
            ("proc/13/net/dev", table),
            ("proc/13/comm", "pod\n"),
        ];
        let made = Made::with("namespace", &files);
        let namespace = |name: &str| made.machine().namespace_of_interface(name);
        assert_eq!(namespace("eth0").as_deref(), Some("pod (13)"));
        assert_eq!(namespace("eth1"), None);
    }

    #[test]
    fn who_steers_a_clock_is_known_by_name_and_open_files() {
        let made =
            Made::with("steering", &[("proc/12/comm", "phc2sys\n"), ("proc/13/comm", "cat\n")]);
        for process in [12, 13] {
            let folder = made.0.join(format!("proc/{process}/fd"));
            fs::create_dir_all(&folder).expect("made");
            std::os::unix::fs::symlink("/dev/null", folder.join("3")).expect("linked");
        }
        let steering = made.machine().steering("/dev/null");
        assert_eq!(steering, [Holder { process: 12, command: "phc2sys".into() }]);
        assert!(made.machine().steering("/dev/zero").is_empty());
    }

    #[test]
    fn a_link_in_dev_is_the_clock_that_it_points_to() {
        let made = Made::with("linked", &[("sys/class/ptp/ptp7/dev", "1:3\n"), ("dev/text", "")]);
        std::os::unix::fs::symlink("/dev/null", made.0.join("dev/ptp_kvm")).expect("linked");
        std::os::unix::fs::symlink("/dev/zero", made.0.join("dev/other")).expect("linked");
        let linked = |name| made.machine().linked(name);
        assert_eq!(linked("ptp_kvm"), Some("/dev/ptp7".into()));
        assert_eq!([linked("other"), linked("text"), linked("none")], [None, None, None]);
    }
}
