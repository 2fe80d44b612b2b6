//! All clocks of the machine, as sysfs shows them.

use super::FindError;
use crate::kernel::{
    CLASS, PhcOfInterface, Source, phc_major, phc_of_interface, timestamp_providers,
};
#[cfg(feature = "cli")]
use crate::phc::Phc;
use libc::{major, minor};
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// One clock of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// `/dev/ptp0`.
    pub device: String,
    /// What it calls itself.
    pub clock_name: Option<String>,
    /// The driver of its card.
    pub driver: Option<String>,
    /// The card's address on its bus.
    pub bus_address: Option<String>,
    /// The network interfaces that it stamps for, and where it sits: in the MAC or in the PHY.
    pub interfaces: Vec<(String, Option<Source>)>,
    /// Physical, or virtual on a physical one.
    pub kind: Kind,
    /// How many virtual clocks it has; `None` if it can't have any or the kernel doesn't report it.
    pub virtual_clocks: Option<u32>,
    /// The processes that have it open, as far as this one may see.
    pub holders: Vec<Holder>,
}

#[cfg(feature = "cli")]
impl Listed {
    /// Whether it stands on another clock.
    pub(crate) fn is_virtual(&self) -> bool {
        matches!(self.kind, Kind::Virtual { .. })
    }

    /// An open clock that sysfs doesn't list: a mock.
    pub(crate) fn unlisted(phc: &Phc) -> Self {
        Self {
            device: phc.name().device.clone(),
            clock_name: phc.name().clock_name.clone(),
            driver: None,
            bus_address: None,
            interfaces: Vec::new(),
            kind: Kind::Unknown,
            virtual_clocks: phc.virtual_clocks().ok().map(|clocks| clocks.number),
            holders: Vec::new(),
        }
    }
}

/// What a clock is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A clock of its own.
    Physical,
    /// A virtual clock on this device.
    Virtual {
        /// `/dev/ptp0`.
        of: String,
    },
    /// Unknown: not in sysfs, such as a mock.
    Unknown,
}

/// A process that has a clock open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub process: u32,
    /// Its name.
    pub command: String,
}

/// The clocks of a machine, and whether every source of information on them could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The clocks, in the order of their numbers.
    pub clocks: Vec<Listed>,
    /// Whether the clocks come from sysfs; otherwise they come from `/dev`, and little is known of
    /// them.
    pub clocks_are_complete: bool,
    /// Whether all interfaces could be asked for their clock.
    pub interfaces_are_complete: bool,
    /// Whether the open files of all processes could be looked at.
    pub holders_are_complete: bool,
}

/// The device and clock names of all clocks, in order.
pub(super) fn names() -> Result<Vec<(String, String)>, FindError> {
    if !sysfs_tells() {
        return Err(FindError::Unreadable { path: CLASS.into(), errno: Errno::ENOENT });
    }
    let names = folders()?.into_iter();
    Ok(names.filter_map(|(name, folder)| Some((name, attribute(&folder, "clock_name")?))).collect())
}

/// Whether sysfs is there and lists all clocks. A kernel without clocks has no such class.
fn sysfs_tells() -> bool {
    // A path that can't be checked counts as there.
    let is_there = |path: &Path| path.try_exists().unwrap_or(true);
    let class = Path::new(CLASS);
    is_there(class) || class.parent().is_some_and(is_there) && devices().is_empty()
}

/// The clocks that are in `/dev`, with their numbers: as far as one can tell without sysfs.
fn devices() -> Vec<(u32, u64)> {
    let Ok(Some(major_of_phcs)) = phc_major() else { return Vec::new() };
    let names = entries(Path::new("/dev")).unwrap_or_default().into_iter();
    let numbers = names.filter_map(|name| name.strip_prefix("ptp")?.parse().ok());
    let mut devices: Vec<(u32, u64)> = numbers
        .filter_map(|number: u32| {
            let found = fs::metadata(format!("/dev/ptp{number}")).ok()?;
            let is_phc = found.file_type().is_char_device() && major(found.rdev()) == major_of_phcs;
            is_phc.then_some((number, found.rdev()))
        })
        .collect();
    devices.sort_unstable();
    devices
}

/// The clocks in `/dev`, where sysfs isn't there.
fn list_devices(holders: impl Fn() -> (Holders, bool)) -> Result<Listing, FindError> {
    let devices = devices();
    if devices.is_empty() {
        return Err(FindError::Unreadable { path: CLASS.into(), errno: Errno::ENOENT });
    }
    let (mut interfaces, interfaces_are_complete) = interfaces();
    let (mut holders, holders_are_complete) = holders();
    let clocks = devices
        .into_iter()
        .map(|(number, device)| Listed {
            device: format!("/dev/ptp{number}"),
            clock_name: None,
            driver: None,
            bus_address: None,
            interfaces: interfaces.remove(&number).unwrap_or_default(),
            kind: Kind::Unknown,
            virtual_clocks: None,
            holders: holders
                .remove(&format!("{}:{}", major(device), minor(device)))
                .unwrap_or_default(),
        })
        .collect();
    let clocks_are_complete = false;
    Ok(Listing { clocks, clocks_are_complete, interfaces_are_complete, holders_are_complete })
}

/// All clocks of the machine; none where the kernel has no such class of devices. Where sysfs isn't
/// there, those that are in `/dev`.
///
/// # Errors
///
/// [`FindError::Unreadable`] where sysfs can't be read, or isn't there and `/dev` has no clock.
pub fn list() -> Result<Listing, FindError> {
    list_with(holders)
}

/// As [`list`], without the processes that have clocks open: looking at all processes takes long.
///
/// # Errors
///
/// As [`list`].
#[cfg(feature = "cli")]
pub(crate) fn list_without_holders() -> Result<Listing, FindError> {
    list_with(|| (BTreeMap::new(), false))
}

/// The names of the clocks that there are, as far as sysfs tells: cheap to ask often.
#[cfg(feature = "cli")]
pub(crate) fn device_names() -> Vec<String> {
    entries(Path::new(CLASS)).unwrap_or_default()
}

fn list_with(holders: impl Fn() -> (Holders, bool)) -> Result<Listing, FindError> {
    if !sysfs_tells() {
        return list_devices(holders);
    }
    let folders = folders()?;
    if folders.is_empty() {
        return Ok(Listing {
            clocks: Vec::new(),
            clocks_are_complete: true,
            interfaces_are_complete: true,
            holders_are_complete: true,
        });
    }
    // Interfaces and processes are gone through once, however many clocks there are.
    let (mut interfaces, mut interfaces_are_complete) = interfaces();
    let (mut holders, holders_are_complete) = holders();
    let clocks = folders
        .into_iter()
        // One that has gone by now has no name any more.
        .filter(|(_, folder)| folder.join("clock_name").try_exists().unwrap_or(true))
        .map(|(name, folder)| {
            let parent = fs::canonicalize(folder.join("device")).ok();
            let is_virtual = folder.join("device/clock_name").try_exists();
            let of = parent.as_deref().and_then(file_name);
            let kind = match (is_virtual, of) {
                (Ok(true), Some(of)) => Kind::Virtual { of: format!("/dev/{of}") },
                (Ok(false), _) => Kind::Physical,
                _ => Kind::Unknown,
            };
            let card = parent.filter(|_| kind == Kind::Physical);
            let number: Option<u32> =
                name.strip_prefix("ptp").and_then(|number| number.parse().ok());
            let mut on_it =
                number.and_then(|number| interfaces.remove(&number)).unwrap_or_default();
            if on_it.is_empty() && kind == Kind::Physical {
                // A driver may show its clock only while the link is up.
                let names = entries(&folder.join("device/net"));
                interfaces_are_complete &= names.is_ok();
                on_it = names.into_iter().flatten().map(|name| (name, None)).collect();
            }
            Listed {
                device: format!("/dev/{name}"),
                clock_name: attribute(&folder, "clock_name"),
                driver: card.as_ref().and_then(|card| {
                    fs::canonicalize(card.join("driver")).ok().as_deref().and_then(file_name)
                }),
                bus_address: card.as_deref().and_then(file_name),
                interfaces: on_it,
                kind,
                virtual_clocks: attribute(&folder, "n_vclocks").and_then(|text| text.parse().ok()),
                holders: attribute(&folder, "dev")
                    .and_then(|device| holders.remove(&device))
                    .unwrap_or_default(),
            }
        })
        .collect();
    let clocks_are_complete = true;
    Ok(Listing { clocks, clocks_are_complete, interfaces_are_complete, holders_are_complete })
}

/// `ptpN` and its folder, in the order of N.
fn folders() -> Result<Vec<(String, PathBuf)>, FindError> {
    let class = Path::new(CLASS);
    let unreadable = |error: &io::Error| FindError::Unreadable {
        path: class.to_owned(),
        errno: Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)),
    };
    let mut names = entries(class).map_err(|error| unreadable(&error))?;
    names
        .sort_by_key(|name| name.strip_prefix("ptp").and_then(|number| number.parse::<u32>().ok()));
    Ok(names.into_iter().map(|name| (name.clone(), class.join(name))).collect())
}

pub(super) type Interfaces = BTreeMap<u32, Vec<(String, Option<Source>)>>;

/// PHC number → interfaces; and whether all could be asked.
pub(super) fn interfaces() -> (Interfaces, bool) {
    let mut interfaces = Interfaces::new();
    if let Ok(providers) = timestamp_providers() {
        for provider in providers {
            let of = interfaces.entry(provider.phc_index).or_default();
            of.push((provider.interface, provider.source));
        }
        return (interfaces, true);
    }
    // Kernels before 5.12 have to be asked for each interface.
    let names = entries(Path::new("/sys/class/net"));
    let mut complete = names.is_ok();
    for interface in names.into_iter().flatten() {
        match phc_of_interface(&interface) {
            Ok(PhcOfInterface::Index(number)) => {
                interfaces.entry(number).or_default().push((interface, None));
            }
            // Its driver has none, or it has gone.
            Ok(PhcOfInterface::None) | Err(Errno::EOPNOTSUPP | Errno::ENODEV) => {}
            Err(_) => complete = false,
        }
    }
    (interfaces, complete)
}

/// Device number, `249:0` → processes that have it open.
type Holders = BTreeMap<String, Vec<Holder>>;

/// Who has which clock open; and whether all processes could be looked at.
fn holders() -> (Holders, bool) {
    let mut holders = Holders::new();
    let names = entries(Path::new("/proc"));
    let mut complete = names.is_ok();
    let processes = names.into_iter().flatten().filter_map(|name| name.parse().ok());
    for process in processes {
        let folder = PathBuf::from(format!("/proc/{process}"));
        let Ok(files) = fs::read_dir(folder.join("fd")) else {
            // It may also have ended by now.
            complete &= !folder.try_exists().unwrap_or(true);
            continue;
        };
        let mut devices = Vec::new();
        for file in files {
            match file.and_then(|file| fs::metadata(file.path())) {
                Ok(found) if found.file_type().is_char_device() => {
                    let number = found.rdev();
                    devices.push(format!("{}:{}", major(number), minor(number)));
                }
                Ok(_) => {}
                // Closed by now; or the other end is no file.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => complete = false,
            }
        }
        devices.sort();
        devices.dedup();
        for device in devices {
            match attribute(&folder, "comm") {
                Some(command) => {
                    holders.entry(device).or_default().push(Holder { process, command });
                }
                None => complete &= !folder.try_exists().unwrap_or(true),
            }
        }
    }
    (holders, complete)
}

/// The names in a folder, in order; none where there is no such folder.
fn entries(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let names: io::Result<Vec<_>> =
        entries.map(|entry| Ok(entry?.file_name().into_string().ok())).collect();
    let mut names: Vec<_> = names?.into_iter().flatten().collect();
    names.sort();
    Ok(names)
}

fn attribute(folder: &Path, name: &str) -> Option<String> {
    let text = fs::read(folder.join(name)).ok()?;
    Some(String::from_utf8_lossy(&text).trim_end_matches('\n').to_owned())
}

fn file_name(path: &Path) -> Option<String> {
    path.file_name()?.to_str().map(str::to_owned)
}
