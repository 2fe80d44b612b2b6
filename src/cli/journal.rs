//! What a command has switched on and means to switch off again, in a file that outlives it: a
//! program that is killed can't do it, and the next one tells.
//!
//! A journal is locked as long as its command lives. One that can be locked is a dead one's.

use crate::Frequency;
use crate::mock::Config;
use crate::phc::{Phc, Pin};
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A word as a shell takes it, where it holds anything that a shell looks at.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:=,+@%-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// One thing that a command left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// What it is, for whoever settles it: "extts 0".
    pub(super) key: String,
    /// What people read: "external timestamps of channel 0 are on".
    pub(super) what: String,
    /// The command that puts it right, or that shows how it is, without the clock's name.
    pub(super) how: String,
}

impl Entry {
    /// External timestamps that stay on.
    pub(super) fn extts(channel: u32) -> Self {
        Self {
            key: format!("extts {channel}"),
            what: format!("external timestamps of channel {channel} may be on"),
            how: format!("extts --off --channel {channel}"),
        }
    }

    /// A pin that may get another function; what gives it back the one that it has.
    pub(super) fn pin(pin: &Pin) -> Self {
        let Pin { index, name, function, channel } = pin;
        Self {
            key: format!("pin {index}"),
            what: format!("pin {index} ({name}) had the function {function}"),
            how: format!("pin {index} {function} --channel {channel}"),
        }
    }

    /// A periodic output that stays on.
    pub(super) fn perout(channel: u32) -> Self {
        Self {
            key: format!("perout {channel}"),
            what: format!("the periodic output of channel {channel} may be on"),
            how: format!("perout --off --channel {channel}"),
        }
    }

    /// Another frequency that may be dialled; what dials the one that there is.
    pub(super) fn frequency(frequency: Frequency) -> Self {
        Self {
            key: "frequency".into(),
            what: format!("the frequency was {frequency:+}"),
            how: format!("adjfreq {}ppb", frequency.ppb()),
        }
    }

    /// A time that may be off.
    pub(super) fn time() -> Self {
        Self {
            key: "time".into(),
            what: "the time may be off: look, and set it as this clock keeps it, UTC or TAI".into(),
            how: "offset".into(),
        }
    }

    fn line(&self) -> String {
        format!("{}\t{}\t{}\n", self.key, self.what, self.how)
    }

    fn of(line: &str) -> Option<Self> {
        let mut fields = line.split('\t').map(str::to_owned);
        Some(Self { key: fields.next()?, what: fields.next()?, how: fields.next()? })
    }
}

/// The journal of this command; it goes when the command has switched everything off.
#[derive(Debug)]
pub(super) struct Journal {
    kept: Option<(PathBuf, File)>,
}

impl Journal {
    /// Begins a journal; where there is no place for one there is none, and that is all right.
    pub(super) fn begin(phc: &Phc, entries: &[Entry]) -> Self {
        let open = |place: &Place| {
            let path = place.folder.join(format!("{}.{}", place.prefix, std::process::id()));
            let mut options = OpenOptions::new();
            // A folder that others write to may hold anything under that name.
            options.write(true).create(true).truncate(false);
            let file = options.custom_flags(OPEN_FLAGS).open(&path).ok()?;
            file.metadata().ok().filter(fs::Metadata::is_file)?;
            file.try_lock().ok()?;
            Some((path, file))
        };
        let kept = places(phc).iter().find_map(|place| {
            if place.is_ours {
                let _ = fs::create_dir(&place.folder);
            }
            open(place)
        });
        let mut journal = Self { kept };
        journal.now(entries);
        journal
    }

    /// Puts these entries in the place of those that there were.
    pub(super) fn now(&mut self, entries: &[Entry]) {
        let Some((_, file)) = &mut self.kept else { return };
        let text: String = entries.iter().map(Entry::line).collect();
        // What can't be written there is lost, and so is what it would have told.
        let _ = file.set_len(0).and_then(|()| file.write_all_at(text.as_bytes(), 0));
    }

    /// Leaves it for the next command: something couldn't be switched off.
    pub(super) fn leave(mut self) {
        self.kept = None;
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if let Some((path, _)) = self.kept.take() {
            let _ = fs::remove_file(path);
        }
    }
}

/// What commands that were killed have left behind on a clock, as far as it can't be seen to be
/// as it was.
pub(super) fn left_behind(phc: &Phc) -> Vec<Entry> {
    let mut entries: Vec<_> = dead(phc).into_iter().flat_map(|journal| journal.entries).collect();
    if entries.is_empty() {
        return entries;
    }
    let as_it_is: Vec<_> = phc.pins().unwrap_or_default().iter().map(Entry::pin).collect();
    let as_it_is: Vec<_> =
        as_it_is.into_iter().chain(phc.frequency().ok().map(Entry::frequency)).collect();
    entries.retain(|entry| !as_it_is.iter().any(|now| now.how == entry.how));
    entries
}

/// Something has been put right, whoever had left it.
pub(super) fn settle(phc: &Phc, keys: &[&str]) {
    for Dead { path, _lock, entries } in dead(phc) {
        let left = entries.iter().filter(|entry| !keys.contains(&entry.key.as_str()));
        let text: String = left.map(Entry::line).collect();
        // Somebody else's journal may not be ours to write: then it tells once more.
        let _ = if text.is_empty() { fs::remove_file(path) } else { fs::write(path, text) };
    }
}

/// The journal of a command that is no more.
struct Dead {
    path: PathBuf,
    /// Keeps others from it meanwhile.
    _lock: File,
    entries: Vec<Entry>,
}

/// Never through a link, and never waiting for whoever is at the other end of a pipe.
const OPEN_FLAGS: i32 = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
/// The longest that a journal can be.
const LONGEST: u64 = 64 << 10;

fn dead(phc: &Phc) -> Vec<Dead> {
    let mut all = Vec::new();
    // Mostly there is nothing, and a script's thousand calls needn't look for it twice.
    if !is_mock(phc) && !run_folders().any(|folder| folder.exists()) {
        return all;
    }
    for place in places(phc) {
        let Ok(folder) = fs::read_dir(&place.folder) else { continue };
        for entry in folder.flatten() {
            let name = entry.file_name();
            let is_of_clock = name.to_str().is_some_and(|name| {
                let pid = name.strip_prefix(&place.prefix).and_then(|rest| rest.strip_prefix('.'));
                pid.is_some_and(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()))
            });
            if is_of_clock && let Some(journal) = read(&entry.path(), place.since) {
                all.push(journal);
            }
        }
    }
    all
}

/// Reads a dead command's journal. One from before the clock came has nothing to tell any more.
fn read(path: &Path, since: Option<i64>) -> Option<Dead> {
    let file = OpenOptions::new().read(true).custom_flags(OPEN_FLAGS).open(path).ok()?;
    file.metadata().ok().filter(fs::Metadata::is_file)?;
    file.try_lock().ok()?;
    if since.is_some_and(|since| file.metadata().is_ok_and(|journal| journal.mtime() < since)) {
        let _ = fs::remove_file(path);
        return None;
    }
    let mut text = String::new();
    (&file).take(LONGEST).read_to_string(&mut text).ok()?;
    let entries = text.lines().filter_map(Entry::of).collect();
    Some(Dead { path: path.to_owned(), _lock: file, entries })
}

/// Where the journals of a clock may be.
struct Place {
    folder: PathBuf,
    /// Their names, before the process's number.
    prefix: String,
    /// Whether the folder is this program's own.
    is_ours: bool,
    /// When the clock came, in seconds since 1970.
    since: Option<i64>,
}

fn places(phc: &Phc) -> Vec<Place> {
    let device = &phc.name().device;
    if is_mock(phc) {
        // A mock is forgotten unless it has a file.
        let state = device.parse::<Config>().ok().and_then(|config| config.state().cloned());
        let place = state.and_then(|state| {
            let name = state.file_name()?.to_str()?;
            let folder = state.parent().filter(|folder| !folder.as_os_str().is_empty());
            Some(Place {
                folder: folder.unwrap_or(Path::new(".")).to_owned(),
                prefix: format!("{name}.left-on"),
                is_ours: false,
                since: None,
            })
        });
        return place.into_iter().collect();
    }
    let Ok(path) = fs::canonicalize(device) else { return Vec::new() };
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Vec::new() };
    let since = fs::metadata(&path).ok().map(|node| node.ctime());
    run_folders()
        .map(|folder| Place { folder, prefix: name.to_owned(), is_ours: true, since })
        .collect()
}

fn is_mock(phc: &Phc) -> bool {
    phc.name().device.starts_with("mock")
}

/// The folders of this program among those of what runs: for root, and for others.
fn run_folders() -> impl Iterator<Item = PathBuf> {
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let all = [Some(PathBuf::from("/run")), own];
    all.into_iter().flatten().map(|run| run.join("ptpctl"))
}
