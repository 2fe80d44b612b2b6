//! All clocks of the machine, as sysfs shows them.

use crate::kernel::{PhcOfInterface, Source, phc_of_interface, timestamp_providers};
use libc::{major, minor};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

const CLASS: &str = "/sys/class/ptp";

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
    /// How many virtual clocks it has; `None` where it can't have any or the kernel doesn't tell.
    pub virtual_clocks: Option<u32>,
    /// The processes that have it open, as far as this one may see.
    pub holders: Vec<Holder>,
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
    /// Sysfs doesn't tell: a mock.
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

/// The device and clock names of all clocks, in order.
pub(super) fn names() -> Vec<(String, String)> {
    folders()
        .into_iter()
        .filter_map(|(name, folder)| Some((name, attribute(&folder, "clock_name")?)))
        .collect()
}

/// All clocks of the machine, in the order of their numbers; none where there is no sysfs.
///
/// Returns as well whether the processes of all users could be looked at.
pub fn list() -> (Vec<Listed>, bool) {
    let folders = folders();
    if folders.is_empty() {
        return (Vec::new(), true);
    }
    // Interfaces and processes are gone through once, however many clocks there are.
    let mut interfaces = interfaces();
    let (mut holders, complete) = holders();
    let clocks = folders
        .into_iter()
        .map(|(name, folder)| {
            let parent = fs::canonicalize(folder.join("device")).ok();
            let of = parent
                .as_deref()
                .and_then(file_name)
                .filter(|_| folder.join("device/clock_name").exists());
            let card = parent.filter(|_| of.is_none());
            let number: Option<u32> =
                name.strip_prefix("ptp").and_then(|number| number.parse().ok());
            let mut on_it =
                number.and_then(|number| interfaces.remove(&number)).unwrap_or_default();
            if on_it.is_empty() && of.is_none() {
                // A driver may show its clock only while the link is up.
                let names = entries(&folder.join("device/net"));
                on_it = names.into_iter().map(|name| (name, None)).collect();
            }
            Listed {
                device: format!("/dev/{name}"),
                clock_name: attribute(&folder, "clock_name"),
                driver: card.as_ref().and_then(|card| {
                    fs::canonicalize(card.join("driver")).ok().as_deref().and_then(file_name)
                }),
                bus_address: card.as_deref().and_then(file_name),
                interfaces: on_it,
                kind: match of {
                    Some(of) => Kind::Virtual { of: format!("/dev/{of}") },
                    None => Kind::Physical,
                },
                virtual_clocks: attribute(&folder, "n_vclocks").and_then(|text| text.parse().ok()),
                holders: attribute(&folder, "dev")
                    .and_then(|device| holders.remove(&device))
                    .unwrap_or_default(),
            }
        })
        .collect();
    (clocks, complete)
}

/// `ptpN` and its folder, in the order of N.
fn folders() -> Vec<(String, PathBuf)> {
    let mut names = entries(Path::new(CLASS));
    names
        .sort_by_key(|name| name.strip_prefix("ptp").and_then(|number| number.parse::<u32>().ok()));
    names.into_iter().map(|name| (name.clone(), Path::new(CLASS).join(name))).collect()
}

/// PHC number → interfaces.
fn interfaces() -> BTreeMap<u32, Vec<(String, Option<Source>)>> {
    let mut interfaces: BTreeMap<u32, Vec<_>> = BTreeMap::new();
    if let Ok(providers) = timestamp_providers() {
        for provider in providers {
            let of = interfaces.entry(provider.phc_index).or_default();
            of.push((provider.interface, provider.source));
        }
        return interfaces;
    }
    // Kernels before 5.12 have to be asked for each interface.
    for interface in entries(Path::new("/sys/class/net")) {
        if let Ok(PhcOfInterface::Index(number)) = phc_of_interface(&interface) {
            interfaces.entry(number).or_default().push((interface, None));
        }
    }
    interfaces
}

/// Device number, `249:0` → processes that have it open; and whether all could be looked at.
fn holders() -> (BTreeMap<String, Vec<Holder>>, bool) {
    let mut holders: BTreeMap<String, Vec<Holder>> = BTreeMap::new();
    let mut complete = true;
    let processes = entries(Path::new("/proc")).into_iter().filter_map(|name| name.parse().ok());
    for process in processes {
        let folder = PathBuf::from(format!("/proc/{process}"));
        let Ok(files) = fs::read_dir(folder.join("fd")) else {
            // It may also have ended by now.
            complete &= !folder.exists();
            continue;
        };
        let devices = files.flatten().filter_map(|file| {
            let found = fs::metadata(file.path()).ok()?;
            let number = found.rdev();
            let is_device = found.file_type().is_char_device();
            is_device.then(|| format!("{}:{}", major(number), minor(number)))
        });
        let mut devices: Vec<String> = devices.collect();
        devices.sort();
        devices.dedup();
        for device in devices {
            let command = attribute(&folder, "comm").unwrap_or_default();
            holders.entry(device).or_default().push(Holder { process, command });
        }
    }
    (holders, complete)
}

/// The names in a folder, in order; none where there is no such folder.
fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

fn attribute(folder: &Path, name: &str) -> Option<String> {
    let text = fs::read(folder.join(name)).ok()?;
    Some(String::from_utf8_lossy(&text).trim_end_matches('\n').to_owned())
}

fn file_name(path: &Path) -> Option<String> {
    path.file_name()?.to_str().map(str::to_owned)
}
