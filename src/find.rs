//! A clock as people name it: `0`, `ptp0`, `/dev/ptp0`, `eth0`, a clock's own name, `mock`.

#[cfg(feature = "cli")]
mod lasting;
mod leap_seconds;
mod list;
mod machine;

#[cfg(feature = "cli")]
pub(crate) use crate::kernel::Source;
#[cfg(feature = "cli")]
pub(crate) use lasting::LastingName;
#[cfg(fuzzing)]
pub(crate) use leap_seconds::read_leap_seconds;
pub use leap_seconds::tai_offset;
pub use list::{Holder, Kind, Listed, Listing, list};
#[cfg(feature = "cli")]
pub(crate) use list::{device_names, list_without_holders};
pub(crate) use machine::Machine;
#[cfg(all(test, feature = "cli"))]
pub(crate) use machine::made;

use crate::kernel::{PhcOfInterface, phc_of_interface};
#[cfg(feature = "mock")]
use crate::mock::{Mock, MockError};
use crate::phc::{Access, Error, Phc};
use nix::errno::Errno;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Opens the clock that people call `name`.
///
/// A name with a slash is a path. `mock…` is the [mock](crate::mock). A number N and `ptpN` are
/// `/dev/ptpN`; any other name is an interface or what a clock calls itself. A name that fits
/// several clocks is refused.
///
/// # Errors
///
/// [`FindError`].
pub fn open(name: &str, access: Access) -> Result<Phc, FindError> {
    #[cfg(feature = "mock")]
    if is_mock(name) {
        return open_mock(name, &name.parse()?, access);
    }
    open_device(name, access)
}

/// As [`open`], read-only, and nothing is written, not even a mock's log.
///
/// # Errors
///
/// [`FindError`].
pub fn open_untouched(name: &str) -> Result<Phc, FindError> {
    #[cfg(feature = "mock")]
    if is_mock(name) {
        let config: crate::mock::Config = name.parse()?;
        return open_mock(name, &config.without_log(), Access::ReadOnly);
    }
    open_device(name, Access::ReadOnly)
}

/// The files that the named clock uses besides a device: a mock's state and its log. The name may
/// be a pair of clocks, with a colon between them.
#[cfg(feature = "cli")]
pub(crate) fn files_of(name: &str) -> Vec<PathBuf> {
    let mocks = name.match_indices("mock").filter_map(|(at, _)| name.get(at..)?.parse().ok());
    mocks.flat_map(|mock: crate::mock::Config| mock.files().cloned().collect::<Vec<_>>()).collect()
}

/// What the clocks of the machine are called: their devices, the interfaces that show them, and what
/// they call themselves.
#[cfg(feature = "cli")]
pub(crate) fn names_of_clocks() -> Vec<String> {
    let clocks = list::names().unwrap_or_default();
    let devices = clocks.iter().map(|(device, _)| format!("/dev/{device}"));
    let interfaces = list::interfaces().0.into_values().flatten().map(|(interface, _)| interface);
    let mut names: Vec<_> = devices.chain(interfaces).collect();
    names.extend(clocks.iter().map(|(_, name)| name.clone()).filter(|name| !name.is_empty()));
    names.dedup();
    names
}

/// The other processes that have a clock open, as far as this one may see.
#[cfg(feature = "cli")]
pub(crate) fn holders(device: &str) -> Vec<Holder> {
    if is_mock(device) {
        return of_mock(device);
    }
    let path = fs::canonicalize(device).unwrap_or_default();
    let clocks = list().map_or(Vec::new(), |listing| listing.clocks);
    let this = clocks.into_iter().filter(|clock| path.as_os_str() == clock.device.as_str());
    let others = |holder: &Holder| holder.process != std::process::id();
    this.flat_map(|clock| clock.holders).filter(others).collect()
}

/// The other processes that have a clock open and steer it. Only programs with known names are
/// looked at.
#[cfg(feature = "cli")]
pub(crate) fn steering(device: &str) -> Vec<Holder> {
    if is_mock(device) {
        return of_mock(device).into_iter().filter(Holder::is_steering).collect();
    }
    Machine::here().steering(device)
}

/// Whether this process may not do with a clock what needs `CAP_SYS_TIME`, as far as can be known.
#[cfg(feature = "cli")]
pub(crate) fn lacks_privilege(device: &str) -> bool {
    if is_mock(device) {
        return device.parse::<crate::mock::Config>().is_ok_and(|config| config.is_unprivileged());
    }
    Machine::here().may_set_the_system_clock() == Some(false)
}

/// Whether this process may not write to a clock's files in sysfs, which are root's.
#[cfg(feature = "cli")]
pub(crate) fn lacks_root(device: &str) -> bool {
    if is_mock(device) { lacks_privilege(device) } else { !nix::unistd::geteuid().is_root() }
}

/// The programs that a mock pretends to be open in (`held-by=`).
#[cfg(feature = "cli")]
fn of_mock(device: &str) -> Vec<Holder> {
    let Ok(config) = device.parse::<crate::mock::Config>() else { return Vec::new() };
    // There are no such processes: 0 stands for their ID.
    let holder = |command: &String| Holder { process: 0, command: command.clone() };
    config.held_by().iter().map(holder).collect()
}

/// Whether a clock of this name is a mock.
pub(crate) fn is_mock(name: &str) -> bool {
    name == "mock" || name.starts_with("mock:") || name.starts_with("mock,")
}

#[cfg(feature = "mock")]
fn open_mock(name: &str, config: &crate::mock::Config, access: Access) -> Result<Phc, FindError> {
    match Mock::open(config, access == Access::ReadWrite) {
        Ok(mock) => Ok(Phc::over(Box::new(mock), name).opened_for(access)),
        Err(MockError::Open(errno)) => Err(FindError::Clock(Error::Call {
            asked: crate::phc::Task::Open,
            name: crate::phc::DeviceName { device: name.to_owned(), clock_name: None },
            call: crate::kernel::Call::Open,
            errno,
            number: errno as i32,
        })),
        Err(error) => Err(error.into()),
    }
}

fn open_device(name: &str, access: Access) -> Result<Phc, FindError> {
    if name.is_empty() {
        return Err(FindError::Empty);
    }
    if name.contains('/') && !is_mock(name) {
        return Ok(Phc::open(Path::new(name), access)?);
    }
    let path = path_of(name)?;
    Ok(Phc::open(&path, access)?)
}

fn path_of(name: &str) -> Result<PathBuf, FindError> {
    let mut found = Vec::new();
    let number = name.strip_prefix("ptp").unwrap_or(name);
    if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
        let path = PathBuf::from(format!("/dev/ptp{number}"));
        if path.exists() {
            found.push((format!("the device {}", path.display()), path));
        }
    }
    let machine = Machine::here();
    if let Some(path) = machine.linked(name) {
        found.push((format!("the link /dev/{name} to {}", path.display()), path));
    }
    let mut without_phc = None;
    match phc_of_interface(name) {
        Ok(PhcOfInterface::Index(number)) => {
            let path = PathBuf::from(format!("/dev/ptp{number}"));
            found.push((format!("the interface {name} with {}", path.display()), path));
        }
        Ok(PhcOfInterface::None) | Err(Errno::EOPNOTSUPP) => {
            without_phc = Some(without_clock(name, &machine));
        }
        // There is no such interface, or the name can't be an interface's.
        Err(Errno::ENODEV | Errno::EINVAL) => {}
        // If a clock was found already, this error doesn't matter.
        Err(errno) if found.is_empty() => {
            return Err(FindError::Unasked { name: name.to_owned(), errno });
        }
        Err(_) => {}
    }
    let clocks = match list::names() {
        Err(error) if found.is_empty() => return Err(error),
        clocks => clocks.unwrap_or_default(),
    };
    for (device, clock_name) in &clocks {
        if clock_name == name {
            let path = PathBuf::from(format!("/dev/{device}"));
            found.push((format!("the clock that {} calls itself", path.display()), path));
        }
    }
    // A clock that is found in two ways is one clock.
    found.sort_by(|a, b| a.1.cmp(&b.1));
    found.dedup_by(|a, b| a.1 == b.1);
    let mut found = found.into_iter();
    match (found.next(), found.next(), without_phc) {
        (Some((_, path)), None, _) => Ok(path),
        (Some(first), Some(second), _) => {
            let all = [first, second].into_iter().chain(found).map(|(what, _)| what).collect();
            Err(FindError::Ambiguous { name: name.to_owned(), all })
        }
        (None, _, Some(without_phc)) => Err(without_phc),
        (None, _, None) => Err(FindError::Unknown {
            name: name.to_owned(),
            there: clocks
                .into_iter()
                .map(|(device, clock_name)| format!("/dev/{device} ({clock_name})"))
                .collect(),
            namespace: machine.namespace_of_interface(name),
            namespaces: machine.network_namespaces(),
        }),
    }
}

/// Why an interface has no clock.
fn without_clock(interface: &str, machine: &Machine) -> FindError {
    let interface = interface.to_owned();
    let members = machine.members_of_bridge(&interface);
    if members.is_empty() {
        let is_down = is_down(&interface);
        return FindError::NoPhc { interface, is_down };
    }
    let clock = |member: String| {
        let index = match phc_of_interface(&member) {
            Ok(PhcOfInterface::Index(number)) => Some(format!("/dev/ptp{number}")),
            _ => None,
        };
        (member, index)
    };
    FindError::Bridge { interface, members: members.into_iter().map(clock).collect() }
}

fn is_down(interface: &str) -> bool {
    fs::read_to_string(format!("/sys/class/net/{interface}/operstate"))
        .is_ok_and(|state| state.trim() == "down")
}

/// Why there is no clock of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FindError {
    /// The name is empty.
    Empty,
    /// Nothing has this name.
    Unknown {
        /// The name.
        name: String,
        /// The clocks that there are.
        there: Vec<String>,
        /// A process in another network namespace, which has an interface of that name.
        namespace: Option<String>,
        /// Other network namespaces, in which an interface of that name may be.
        namespaces: Vec<String>,
    },
    /// Several things have this name.
    Ambiguous {
        /// The name.
        name: String,
        /// What they are.
        all: Vec<String>,
    },
    /// The interface shows no PHC.
    NoPhc {
        /// The interface.
        interface: String,
        /// Its link is down: some drivers show their PHC only while it is up.
        is_down: bool,
    },
    /// The interface is a bridge, which has no clock of its own.
    Bridge {
        /// The interface.
        interface: String,
        /// Its members, and the clock of each.
        members: Vec<(String, Option<String>)>,
    },
    /// The kernel couldn't be asked which clock an interface of this name has.
    Unasked {
        /// The name.
        name: String,
        /// What `ETHTOOL_GET_TS_INFO` answered.
        errno: Errno,
    },
    /// A folder of sysfs that lists clocks can't be read.
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// The error from reading it.
        errno: Errno,
    },
    /// The clock is there and can't be opened.
    Clock(Error),
    /// The mock can't be opened.
    #[cfg(feature = "mock")]
    Mock(MockError),
}

impl From<Error> for FindError {
    fn from(error: Error) -> Self {
        Self::Clock(error)
    }
}

#[cfg(feature = "mock")]
impl From<MockError> for FindError {
    fn from(error: MockError) -> Self {
        Self::Mock(error)
    }
}

impl fmt::Display for FindError {
    #[expect(clippy::too_many_lines, reason = "a table: a sentence for each")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str(
                "the name of the clock is empty: use a device, an interface or a clock's name",
            ),
            Self::Unknown { name, there, namespace, namespaces } => {
                match there.as_slice() {
                    [] => write!(
                        f,
                        "there is no clock '{name}', and no PTP hardware clock at all on this machine"
                    )?,
                    there => {
                        write!(f, "there is no clock '{name}'; there are {}", there.join(", "))?;
                    }
                }
                match namespace {
                    Some(process) => write!(
                        f,
                        ". An interface of that name is in the network namespace of {process}"
                    )?,
                    None if namespaces.is_empty() => return Ok(()),
                    None => write!(
                        f,
                        ". An interface of that name may be in another network namespace ({})",
                        namespaces.join(", ")
                    )?,
                }
                f.write_str(
                    ": the clocks are the same in all of them, so name it by its path, /dev/ptpN",
                )
            }
            Self::Ambiguous { name, all } => {
                write!(f, "'{name}' can be {}: use the device's path", all.join(" or "))
            }
            Self::NoPhc { interface, is_down: true } => write!(
                f,
                "the interface {interface} shows no PTP hardware clock. Its link is down, and some \
                 drivers show their clock only while it is up: 'ip link set {interface} up'"
            ),
            Self::NoPhc { interface, is_down: false } => write!(
                f,
                "the interface {interface} has no PTP hardware clock: its driver or its hardware \
                 supports none ('ethtool -T {interface}' shows what it has)"
            ),
            Self::Bridge { interface, members } => {
                let clocks: Vec<_> = members
                    .iter()
                    .map(|(member, clock)| {
                        let clock = clock.as_deref().unwrap_or("no clock");
                        format!("{member} ({clock})")
                    })
                    .collect();
                write!(
                    f,
                    "the bridge {interface} has no clock of its own; its members have: {}. Name one",
                    clocks.join(", ")
                )
            }
            Self::Unasked { name, errno } => write!(
                f,
                "can't ask which clock an interface '{name}' has: ETHTOOL_GET_TS_INFO: {} \
                 ({errno:?}); name the clock by its path, /dev/ptpN",
                errno.desc()
            ),
            Self::Unreadable { path, errno } => write!(
                f,
                "can't look for clocks: reading {}: {} ({errno:?})",
                path.display(),
                errno.desc()
            ),
            Self::Clock(error) => error.fmt(f),
            #[cfg(feature = "mock")]
            Self::Mock(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FindError {}
