//! What a command has switched on and means to switch off again, in a file that outlives it: a
//! program that is killed can't do it, and the next one tells.
//!
//! A journal is locked as long as its command lives. One that can be locked is a dead one's. Only
//! those of the same user and of root count, and nothing is read or written through a link: it
//! tells commands to type, to root as well.

use crate::mock::Config;
use crate::phc::{Phc, Pin};
use crate::selftest::Change;
use crate::watch::Measured;
use crate::{Frequency, Offset};
use nix::unistd::geteuid;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

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
    /// How the clock is as long as it isn't put right, where that can be seen, in any of these
    /// ways: "pin 1 extts 0|pin 1 none 0".
    seen: String,
    /// What people read: "external timestamps of channel 0 may be on".
    pub(super) what: String,
    /// The command that puts it right, without the clock's name.
    pub(super) how: String,
}

impl Entry {
    /// External timestamps that stay on.
    pub(super) fn extts(channel: u32) -> Self {
        Self {
            key: format!("extts {channel}"),
            seen: String::new(),
            what: format!("external timestamps of channel {channel} may be on"),
            how: format!("extts --off --channel {channel}"),
        }
    }

    /// A periodic output that stays on.
    pub(super) fn perout(channel: u32) -> Self {
        Self {
            key: format!("perout {channel}"),
            seen: String::new(),
            what: format!("the periodic output of channel {channel} may be on"),
            how: format!("perout --off --channel {channel}"),
        }
    }

    /// A pin that has another function.
    pub(super) fn pin(was: &Pin, asked: &[Pin]) -> Self {
        let empty = Pin { function: crate::phc::PinFunction::None, channel: 0, ..was.clone() };
        // A change that failed half-way leaves it with nothing.
        let states: Vec<_> = asked.iter().chain([&empty]).filter(|pin| *pin != was).collect();
        let seen: Vec<_> = states.iter().map(|pin| seen_pin(pin)).collect();
        let Pin { index, name, function, channel } = was;
        let how = if *function == crate::phc::PinFunction::None {
            format!("pin {index} none")
        } else {
            format!("pin {index} {function} --channel {channel}")
        };
        Self {
            key: pin_key(*index),
            seen: seen.join("|"),
            what: format!("pin {index} ({name}) had {}", has(was)),
            how,
        }
    }

    fn frequency(was: Frequency, asked: &[Frequency]) -> Self {
        let seen: Vec<_> = asked.iter().copied().map(seen_frequency).collect();
        Self {
            key: FREQUENCY.into(),
            seen: seen.join("|"),
            what: format!("the frequency was {was:+}"),
            how: format!("adjfreq {}ppb", was.ppb()),
        }
    }

    /// A time that may be off; what it was off from the system's by before.
    fn time(was: Offset) -> Self {
        Self {
            key: TIME.into(),
            seen: was.nanoseconds().to_string(),
            what: "the time may be off".into(),
            how: "adjtime 0ns".into(),
        }
    }

    fn phase() -> Self {
        Self {
            key: PHASE.into(),
            seen: String::new(),
            what: "a phase offset may be being taken out".into(),
            how: "adjphase 0ns".into(),
        }
    }

    /// What a self-test has to put back. Its time can be told where its offset before is known.
    pub(super) fn of_change(change: &Change, offset: Option<Offset>) -> Option<Self> {
        Some(match change {
            Change::Time => Self::time(offset?),
            Change::Frequency { was, asked } => Self::frequency(*was, asked),
            Change::Phase => Self::phase(),
            Change::Pin { was, asked } => Self::pin(was, asked),
            Change::Extts(channel) => Self::extts(*channel),
            Change::Perout(channel) => Self::perout(*channel),
        })
    }

    fn line(&self) -> String {
        format!("{}\t{}\t{}\t{}\n", self.key, self.seen, self.what, self.how)
    }

    fn of(line: &str) -> Option<Self> {
        let mut fields = line.split('\t').map(str::to_owned);
        let mut next = || fields.next();
        Some(Self { key: next()?, seen: next()?, what: next()?, how: next()? })
    }

    /// The entry as the clock is now; none where it has been put right.
    fn now(self, phc: &Phc, seen: &Seen, age: i128) -> Option<Self> {
        if self.key != TIME {
            let is_so = self.seen.is_empty() || self.seen.split('|').any(|way| seen.may_be(way));
            return is_so.then_some(self);
        }
        let was: i64 = self.seen.parse().ok()?;
        let Ok(measured) = Measured::from_realtime(phc) else { return Some(self) };
        let offset = measured.estimate.offset.nanoseconds();
        let off = offset.saturating_sub(was);
        // Both clocks went on meanwhile, each at its own pace.
        let goes_astray = 1_000_000 + age / 10_000;
        (i128::from(off).abs() > goes_astray).then(|| {
            let off = Offset::from_nanoseconds(off);
            let back = Offset::from_nanoseconds(off.nanoseconds().saturating_neg());
            Self {
                what: format!("the time is off by {off:+}, by what it was beside the system's"),
                how: format!("adjtime {}", back.to_string().replace(' ', "")),
                ..self
            }
        })
    }
}

/// The last line of a journal.
const END: &str = "end";

/// The keys of what can be settled.
pub(super) const TIME: &str = "time";
pub(super) const FREQUENCY: &str = "frequency";
pub(super) const PHASE: &str = "phase";

pub(super) fn pin_key(index: u32) -> String {
    format!("pin {index}")
}

fn has(pin: &Pin) -> String {
    if pin.function == crate::phc::PinFunction::None {
        return "no function".into();
    }
    format!("{} channel {}", pin.function, pin.channel)
}

fn seen_pin(pin: &Pin) -> String {
    format!("pin {} {} {}", pin.index, pin.function, pin.channel)
}

fn seen_frequency(frequency: Frequency) -> String {
    format!("frequency {}", frequency.scaled_ppm())
}

/// The journal of this command; it goes when the command has switched everything off.
#[derive(Debug)]
pub(super) struct Journal {
    kept: Option<(PathBuf, File)>,
    /// Which clock it is of, as its first line.
    clock: String,
}

impl Journal {
    /// Begins a journal; where there is no place for one there is none, and that is all right.
    pub(super) fn begin(phc: &Phc, entries: &[Entry]) -> Self {
        let mut journal = Self { kept: None, clock: String::new() };
        for place in places(&phc.name().device) {
            if place.is_ours {
                let _ = fs::create_dir(&place.folder);
            }
            if is_trusted_folder(&place.folder) {
                journal.kept = (0..100).find_map(|number| new_file(&place, number));
            }
            if journal.kept.is_some() {
                journal.clock = place.clock;
                break;
            }
        }
        journal.now(entries);
        journal
    }

    /// Puts these entries in the place of those that there were.
    pub(super) fn now(&mut self, entries: &[Entry]) {
        let Some((_, file)) = &self.kept else { return };
        // What can't be written there is lost, and so is what it would have told.
        let _ = write(file, &self.clock, entries);
    }

    /// Ends it; what couldn't be put back is left for the next command to tell.
    pub(super) fn end(mut self, left: &[Entry]) {
        if !left.is_empty() {
            self.now(left);
            self.kept = None;
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if let Some((path, _)) = self.kept.take() {
            let _ = fs::remove_file(path);
        }
    }
}

/// A new file that is locked and still has its name. A dead command may have had the same number.
fn new_file(place: &Place, number: u32) -> Option<(PathBuf, File)> {
    let name = format!("{}.{}.{number}", place.prefix, std::process::id());
    let path = place.folder.join(name);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600).custom_flags(OPEN_FLAGS);
    let file = options.open(&path).ok()?;
    file.try_lock().ok()?;
    // Between its making and its locking somebody may have taken it for a dead one's.
    let node = |found: &fs::Metadata| (found.dev(), found.ino());
    let is_there = fs::symlink_metadata(&path)
        .is_ok_and(|named| file.metadata().is_ok_and(|opened| node(&named) == node(&opened)));
    is_there.then_some((path, file))
}

/// Whoever is killed in between, or finds the disk full, leaves what was there before or what is
/// there now, perhaps with a rest of the old behind its end.
fn write(file: &File, clock: &str, entries: &[Entry]) -> std::io::Result<()> {
    let lines: String = entries.iter().map(Entry::line).collect();
    let text = format!("{clock}\n{lines}{END}\n");
    file.write_all_at(text.as_bytes(), 0)?;
    file.set_len(text.len() as u64)
}

/// Whether there may be something to tell of a clock.
pub(super) fn may_have_left(device: &str) -> bool {
    if is_mock(device) { device.contains("state=") } else { run_folders().any(|one| one.exists()) }
}

/// What commands that were killed have left behind on a clock. What has been put right meanwhile
/// is forgotten.
pub(super) fn left_behind(phc: &Phc) -> Vec<Entry> {
    let mut all = Vec::new();
    let mut seen = None;
    for dead in dead(&phc.name().device) {
        let seen = seen.get_or_insert_with(|| what_is_seen(phc));
        let before = dead.entries.len();
        let age = dead.age;
        let left: Vec<_> =
            dead.entries.iter().cloned().filter_map(|entry| entry.now(phc, seen, age)).collect();
        if left.len() < before {
            let keys: BTreeSet<_> = left.iter().map(|entry| entry.key.as_str()).collect();
            dead.keep(|entry| keys.contains(entry.key.as_str()));
        }
        all.extend(left);
    }
    all.dedup();
    all
}

/// How the clock is, as entries have it.
struct Seen {
    /// None where they can't be read.
    pins: Option<Vec<String>>,
    frequency: Option<String>,
}

impl Seen {
    /// What can't be read isn't put right by that.
    fn may_be(&self, way: &str) -> bool {
        if way.starts_with("pin ") {
            self.pins.as_ref().is_none_or(|pins| pins.iter().any(|pin| pin == way))
        } else {
            self.frequency.as_ref().is_none_or(|frequency| frequency == way)
        }
    }
}

fn what_is_seen(phc: &Phc) -> Seen {
    Seen {
        pins: phc.pins().ok().map(|pins| pins.iter().map(seen_pin).collect()),
        frequency: phc.frequency().ok().map(seen_frequency),
    }
}

/// Something has been put right, whoever had left it.
pub(super) fn settle(phc: &Phc, keys: &[&str]) {
    for dead in dead(&phc.name().device) {
        dead.keep(|entry| !keys.contains(&entry.key.as_str()));
    }
}

/// The journal of a command that is no more.
struct Dead {
    path: PathBuf,
    file: File,
    clock: String,
    entries: Vec<Entry>,
    /// In nanoseconds.
    age: i128,
}

impl Dead {
    /// Forgets the other entries. Where that isn't permitted they are told once more.
    fn keep(&self, is_left: impl Fn(&Entry) -> bool) {
        let left: Vec<_> = self.entries.iter().filter(|entry| is_left(entry)).cloned().collect();
        if left.is_empty() {
            let _ = fs::remove_file(&self.path);
        } else if left.len() < self.entries.len() {
            let modified = self.file.metadata().and_then(|found| found.modified());
            let _ = write(&self.file, &self.clock, &left);
            // Its age counts from when it was left.
            let _ = modified.and_then(|then| self.file.set_modified(then));
        }
    }
}

/// Never through a link, and never waiting for whoever is at the other end of a pipe.
const OPEN_FLAGS: i32 = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
/// The longest that a journal can be.
const LONGEST: u64 = 64 << 10;

fn dead(device: &str) -> Vec<Dead> {
    let mut all = Vec::new();
    // Mostly there is nothing, and a script's thousand calls needn't look for it twice.
    if !may_have_left(device) {
        return all;
    }
    for place in places(device) {
        if !is_trusted_folder(&place.folder) {
            continue;
        }
        let Ok(folder) = fs::read_dir(&place.folder) else { continue };
        for entry in folder.flatten() {
            let name = entry.file_name();
            let is_of_clock = name.to_str().is_some_and(|name| {
                let rest = name.strip_prefix(&place.prefix).and_then(|rest| rest.strip_prefix('.'));
                rest.is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
            });
            if is_of_clock && let Some(journal) = read(&entry.path(), &place.clock) {
                all.push(journal);
            }
        }
    }
    all
}

/// Reads a dead command's journal. One of a clock that has gone since has nothing to tell.
fn read(path: &Path, clock: &str) -> Option<Dead> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OPEN_FLAGS);
    let file = options.clone().write(true).open(path).or_else(|_| options.open(path)).ok()?;
    let found = file.metadata().ok()?;
    // A second name of another's file is no journal.
    if !found.is_file() || !is_trusted(found.uid()) || found.nlink() != 1 {
        return None;
    }
    // Those who only look don't hide it from each other.
    file.try_lock_shared().ok()?;
    let mut text = Vec::new();
    (&file).take(LONGEST).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines();
    let is_of_clock = lines.next() == Some(clock);
    let entries: Vec<_> = lines.take_while(|line| *line != END).filter_map(Entry::of).collect();
    if !is_of_clock || entries.is_empty() {
        let _ = fs::remove_file(path);
        return None;
    }
    let age = found.modified().ok().and_then(|then| SystemTime::now().duration_since(then).ok());
    let age = age.map_or(0, |age| i128::try_from(age.as_nanos()).unwrap_or(i128::MAX));
    Some(Dead { path: path.to_owned(), file, clock: clock.to_owned(), entries, age })
}

/// What root or this user has written is taken at its word.
fn is_trusted(user: u32) -> bool {
    user == 0 || user == geteuid().as_raw()
}

fn is_trusted_folder(folder: &Path) -> bool {
    let found = fs::symlink_metadata(folder);
    found.is_ok_and(|found| found.is_dir() && is_trusted(found.uid()))
}

/// Where the journals of a clock may be.
struct Place {
    folder: PathBuf,
    /// Their names, before the process's number.
    prefix: String,
    /// Whether the folder is this program's own.
    is_ours: bool,
    /// Which clock it is: one that comes again under the same name is another.
    clock: String,
}

fn places(device: &str) -> Vec<Place> {
    if is_mock(device) {
        // A mock is forgotten unless it has a file.
        let state = device.parse::<Config>().ok().and_then(|config| config.state().cloned());
        let place = state.and_then(|state| {
            let name = state.file_name()?.to_str()?;
            let folder = state.parent().filter(|folder| !folder.as_os_str().is_empty());
            Some(Place {
                folder: fs::canonicalize(folder.unwrap_or(Path::new("."))).ok()?,
                prefix: format!("{name}.left-on"),
                is_ours: false,
                clock: "mock".into(),
            })
        });
        return place.into_iter().collect();
    }
    let Ok(path) = fs::canonicalize(device) else { return Vec::new() };
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Vec::new() };
    let Ok(node) = fs::metadata(&path) else { return Vec::new() };
    let clock = format!("node {}:{}", node.dev(), node.ino());
    run_folders()
        .map(|folder| Place {
            folder,
            prefix: name.to_owned(),
            is_ours: true,
            clock: clock.clone(),
        })
        .collect()
}

fn is_mock(device: &str) -> bool {
    device == "mock" || device.starts_with("mock:") || device.starts_with("mock,")
}

/// The folders of this program among those of what runs: for root, and for others.
fn run_folders() -> impl Iterator<Item = PathBuf> {
    folders_with(std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from))
}

fn folders_with(own: Option<PathBuf>) -> impl Iterator<Item = PathBuf> {
    // Anything else would be a folder of wherever this is called.
    let own = own.filter(|folder| folder.is_absolute());
    [Some(PathBuf::from("/run")), own].into_iter().flatten().map(|run| run.join("ptpctl"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_wherever_this_is_called_holds_no_journals() {
        for own in ["", ".", "run"] {
            let all: Vec<_> = folders_with(Some(own.into())).collect();
            assert_eq!(all, [PathBuf::from("/run/ptpctl")], "{own:?}");
        }
        assert_eq!(folders_with(Some("/run/user/1".into())).count(), 2);
    }
}
