//! What a command has switched on and means to switch off again, in a file that outlives it: a
//! program that is killed can't do it, and the next one tells.
//!
//! A journal is locked as long as its command lives; one that isn't is a dead one's. It is of one
//! clock, known by its device's number and its place in sysfs, under whatever names, and of one boot
//! of the machine: what is another clock's or another boot's is left alone.
//!
//! It tells commands to type, to root as well. So only journals of the same user and of root count,
//! in folders and files that nobody else may write to, and nothing is read or written through a link.

use super::runs_for_another;
use crate::files;
use crate::find::is_mock;
use crate::kernel::{has_writer, lock_as_writer};
use crate::mock::Config;
use crate::phc::SystemClock;
use crate::phc::{Phc, Pin, PinFunction};
use crate::selftest::Change;
use crate::{Frequency, Offset};
use nix::errno::Errno;
use nix::unistd::geteuid;
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
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
        let empty = Pin { function: PinFunction::None, channel: 0, ..was.clone() };
        // A change that failed half-way leaves it with nothing.
        let states: Vec<_> = asked.iter().chain([&empty]).filter(|pin| *pin != was).collect();
        let seen: Vec<_> = states.iter().map(|pin| seen_pin(pin)).collect();
        let Pin { index, name, function, channel } = was;
        let how = if *function == PinFunction::None {
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

    /// The pin as it was, where this is of a pin.
    pub(super) fn pin_before(&self) -> Option<PinBefore> {
        let mut words = self.how.strip_prefix("pin ")?.split(' ');
        let index = words.next()?.parse().ok()?;
        let name = words.next()?;
        let function = PinFunction::ALL.into_iter().find(|known| known.to_string() == name)?;
        let channel = match words.next() {
            None => 0,
            Some(_) => words.next()?.parse().ok()?,
        };
        Some(PinBefore { index, function, channel })
    }

    fn frequency(was: Frequency, asked: &[Frequency]) -> Self {
        let seen: Vec<_> = asked.iter().copied().map(seen_frequency).collect();
        Self {
            key: FREQUENCY.into(),
            seen: seen.join("|"),
            what: format!("the frequency was {was:+}"),
            how: format!("adjfreq {}ppb", was.ppb_text()),
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
        let Ok(measured) = phc.offset(SystemClock::Realtime) else { return Some(self) };
        let offset = measured.estimate.offset.nanoseconds();
        let off = offset.saturating_sub(was);
        // Both clocks went on meanwhile, each at its own rate.
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

/// What a pin had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PinBefore {
    pub(super) index: u32,
    pub(super) function: PinFunction,
    pub(super) channel: u32,
}

/// The last line of a journal.
const END: &str = "end";
/// The same, where its command is about to put all back.
const LEAVING: &str = "leaving";

/// The keys of what can be settled.
pub(super) const TIME: &str = "time";
pub(super) const FREQUENCY: &str = "frequency";
pub(super) const PHASE: &str = "phase";

pub(super) fn pin_key(index: u32) -> String {
    format!("pin {index}")
}

fn has(pin: &Pin) -> String {
    if pin.function == PinFunction::None {
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
    /// The clock's device.
    device: String,
    /// Which clock it is of, as its first line.
    clock: String,
    /// Why there is none, where there should be one.
    missing: Option<String>,
}

impl Journal {
    /// Begins a journal, where there is a place for one.
    pub(super) fn begin(phc: &Phc, entries: &[Entry]) -> Self {
        let device = phc.name().device.clone();
        let mut journal = Self { kept: None, device, clock: String::new(), missing: None };
        for place in places(&journal.device) {
            match begin_in(&place, entries) {
                Ok(kept) => {
                    journal.kept = Some(kept);
                    journal.clock = place.clock.line();
                    journal.missing = None;
                    break;
                }
                Err(error) => {
                    let why = format!("{}: {error}", place.folder.display());
                    journal.missing.get_or_insert(why);
                }
            }
        }
        journal
    }

    /// Why no journal could be begun, though this clock outlives the command.
    pub(super) fn is_missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }

    /// Puts these entries in the place of those that there were.
    pub(super) fn now(&mut self, entries: &[Entry]) {
        let Some((_, file)) = &self.kept else { return };
        // What can't be written there is lost, and so is what it would have told.
        let _ = write(file, &self.clock, entries, END);
    }

    /// Notes that the command is about to put these back. Answers what others that live will put
    /// back at their own end, where they have this key, too.
    pub(super) fn leave(&mut self, entries: &[Entry], key: &str) -> Vec<Entry> {
        let Some((own, file)) = &self.kept else { return Vec::new() };
        // Two that leave at once don't wait for each other.
        let _ = write(file, &self.clock, entries, LEAVING);
        with_key(key, found(&self.device, |found| found.path != *own && found.stays()))
    }

    /// Ends it; what couldn't be put back is left for the next command to tell. A clock that has
    /// gone has nothing left on: it is another when it comes back.
    pub(super) fn end(mut self, phc: &Phc, left: &[Entry]) {
        let has_gone = || phc.time().is_err_and(|error| error.errno() == Some(Errno::ENODEV));
        if !left.is_empty() && !has_gone() {
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

/// What living commands have on together with this key, which they will put back.
pub(super) fn of_the_living(phc: &Phc, key: &str) -> Vec<Entry> {
    with_key(key, found(&phc.name().device, Found::stays))
}

/// All entries of those that have one of a key.
fn with_key(key: &str, all: Vec<Found>) -> Vec<Entry> {
    let with_key = all.into_iter().filter(|one| one.entries.iter().any(|entry| entry.key == key));
    with_key.flat_map(|one| one.entries).collect()
}

/// Begins a journal in a place.
fn begin_in(place: &Place, entries: &[Entry]) -> io::Result<(PathBuf, File)> {
    if place.is_ours {
        make_folder(&place.folder)?;
    } else {
        files::check_place(&place.folder.join(&place.prefix))?;
    }
    if !is_trusted_place(place) {
        return Err(io::Error::other("others may write to it"));
    }
    let mut answer = Err(io::ErrorKind::AlreadyExists.into());
    for number in 0..100 {
        answer = new_file(place, number);
        if !matches!(&answer, Err(error) if error.kind() == io::ErrorKind::AlreadyExists) {
            break;
        }
    }
    let (path, file) = answer?;
    // Locked: others may read it now, and can't lock it.
    let written = write(&file, &place.clock.line(), entries, END)
        .and_then(|()| file.set_permissions(Permissions::from_mode(0o644)));
    match written {
        Ok(()) => Ok((path, file)),
        Err(error) => {
            let _ = fs::remove_file(&path);
            Err(error)
        }
    }
}

/// Makes this program's folder, in which its user alone may make files, whatever the umask.
fn make_folder(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o755).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(folder)?;
    let is_own = found.is_dir() && found.uid() == geteuid().as_raw();
    if is_own && found.mode() & 0o777 != 0o755 {
        fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// A new file that is locked and still has its name. A dead command may have had the same number.
fn new_file(place: &Place, number: u32) -> io::Result<(PathBuf, File)> {
    let name = format!("{}.{}.{number}", place.prefix, std::process::id());
    let path = place.folder.join(name);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600).custom_flags(OPEN_FLAGS);
    let file = options.open(&path)?;
    let taken = || io::Error::from(io::ErrorKind::AlreadyExists);
    let locked = lock_as_writer(&file).map_err(io::Error::from);
    // Between its making and its locking somebody may have taken it for a dead one's.
    let is_there = |locked: bool| {
        let there = locked
            && fs::symlink_metadata(&path).is_ok_and(|named| {
                file.metadata().is_ok_and(|opened| node(&named) == node(&opened))
            });
        if there { Ok(()) } else { Err(taken()) }
    };
    match locked.and_then(is_there) {
        Ok(()) => Ok((path, file)),
        Err(error) => {
            let _ = fs::remove_file(&path);
            Err(error)
        }
    }
}

fn node(found: &fs::Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

/// Whoever is killed in between, or finds the disk full, leaves what was there before or what is
/// there now, perhaps with a rest of the old behind its end.
fn write(file: &File, clock: &str, entries: &[Entry], end: &str) -> io::Result<()> {
    let lines: String = entries.iter().map(Entry::line).collect();
    let text = format!("{clock}\n{lines}{end}\n");
    file.write_all_at(text.as_bytes(), 0)?;
    file.set_len(text.len() as u64)
}

/// Whether there may be something to tell of a clock.
pub(super) fn may_have_left(device: &str) -> bool {
    if is_mock(device) { device.contains("state=") } else { run_folders().any(|one| one.exists()) }
}

/// What commands that were killed have left behind on a clock. What has been put right meanwhile
/// is forgotten, where that may be written.
pub(super) fn left_behind(phc: &Phc, may_forget: bool) -> Vec<Entry> {
    let mut all = Vec::new();
    let mut seen = None;
    for dead in dead(&phc.name().device) {
        let seen = seen.get_or_insert_with(|| what_is_seen(phc));
        let before = dead.entries.len();
        let age = dead.age;
        let left: Vec<_> =
            dead.entries.iter().cloned().filter_map(|entry| entry.now(phc, seen, age)).collect();
        if may_forget && left.len() < before {
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

/// The journal of another command, or of one that is no more.
struct Found {
    path: PathBuf,
    file: File,
    clock: String,
    entries: Vec<Entry>,
    is_living: bool,
    is_leaving: bool,
    /// In nanoseconds.
    age: i128,
}

impl Found {
    /// Whether its command lives, and isn't about to end.
    fn stays(&self) -> bool {
        self.is_living && !self.is_leaving
    }

    /// Forgets the other entries. Where that isn't permitted they are told once more.
    fn keep(&self, is_left: impl Fn(&Entry) -> bool) {
        let left: Vec<_> = self.entries.iter().filter(|entry| is_left(entry)).cloned().collect();
        if left.is_empty() {
            let _ = fs::remove_file(&self.path);
        } else if left.len() < self.entries.len() {
            let modified = self.file.metadata().and_then(|found| found.modified());
            let _ = write(&self.file, &self.clock, &left, END);
            // Its age counts from when it was left.
            let _ = modified.and_then(|then| self.file.set_modified(then));
        }
    }
}

/// Never through a link, and never waiting for whoever is at the other end of a pipe.
const OPEN_FLAGS: i32 = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
/// The longest that a journal can be.
const LONGEST: u64 = 64 << 10;

fn dead(device: &str) -> Vec<Found> {
    found(device, |found| !found.is_living)
}

/// The journals of a clock that count.
fn found(device: &str, is_wanted: impl Fn(&Found) -> bool) -> Vec<Found> {
    let mut all = Vec::new();
    // Mostly there is nothing, and a script's thousand calls needn't look for it twice.
    if !may_have_left(device) {
        return all;
    }
    for place in places(device) {
        if !is_trusted_place(&place) {
            continue;
        }
        let Ok(folder) = fs::read_dir(&place.folder) else { continue };
        for entry in folder.flatten() {
            let name = entry.file_name();
            let is_of_clock = name.to_str().is_some_and(|name| {
                let rest = name.strip_prefix(&place.prefix).and_then(|rest| rest.strip_prefix('.'));
                rest.is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
            });
            if is_of_clock {
                all.extend(read(&entry.path(), &place.clock).filter(&is_wanted));
            }
        }
    }
    all
}

/// Reads a journal, unless it doesn't count or is of another clock.
fn read(path: &Path, clock: &Clock) -> Option<Found> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OPEN_FLAGS);
    let file = options.clone().write(true).open(path).or_else(|_| options.open(path)).ok()?;
    let found = file.metadata().ok()?;
    // A second name of another's file is no journal.
    let is_alone = found.nlink() == 1 && found.mode() & OTHERS_WRITE == 0;
    if !found.is_file() || !is_trusted(found.uid()) || !is_alone {
        return None;
    }
    let is_living = has_writer(&file).ok()?;
    let mut text = Vec::new();
    (&file).take(LONGEST).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines();
    let first = lines.next().filter(|first| clock.is(first))?;
    let is_end = |line: &&str| *line == END || *line == LEAVING;
    let entries: Vec<_> =
        lines.clone().take_while(|line| !is_end(line)).filter_map(Entry::of).collect();
    let is_leaving = lines.find(is_end) == Some(LEAVING);
    let age = found.modified().ok().and_then(|then| SystemTime::now().duration_since(then).ok());
    let age = age.map_or(0, |age| i128::try_from(age.as_nanos()).unwrap_or(i128::MAX));
    let (path, clock) = (path.to_owned(), first.to_owned());
    Some(Found { path, file, clock, entries, is_living, is_leaving, age })
}

/// What root or this user has written is taken at its word.
fn is_trusted(user: u32) -> bool {
    user == 0 || user == geteuid().as_raw()
}

/// The permissions of those who could write something else.
const OTHERS_WRITE: u32 = 0o022;
/// In a folder with this, everybody has only their own files.
const STICKY: u32 = 0o1000;

/// Whether nobody else can put a journal into a place, or take one away.
fn is_trusted_place(place: &Place) -> bool {
    fs::symlink_metadata(&place.folder).is_ok_and(|found| {
        // A mock's state may be in a folder where everybody has files.
        let is_shared = !place.is_ours && found.mode() & STICKY != 0;
        let is_closed = found.mode() & OTHERS_WRITE == 0 || is_shared;
        found.is_dir() && is_trusted(found.uid()) && is_closed
    })
}

/// Where the journals of a clock may be.
struct Place {
    folder: PathBuf,
    /// Their names, before the process's number.
    prefix: String,
    /// Whether the folder is this program's own.
    is_ours: bool,
    clock: Clock,
}

/// Which clock a journal is of.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Clock {
    /// The one whose state is in the file that the journal's name has.
    Mock,
    /// A device, by its number, under which boot of the machine, and by its place in sysfs: one that
    /// comes again there is another. What can't be told is `-`.
    Device { number: String, boot: String, place: String },
}

const NOT_TOLD: &str = "-";

impl Clock {
    fn of_device(found: &fs::Metadata) -> Self {
        let device = found.rdev();
        let number = format!("{}:{}", libc::major(device), libc::minor(device));
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id");
        let boot = boot.map_or(NOT_TOLD.into(), |boot| boot.trim().to_owned());
        let place = fs::canonicalize(format!("/sys/dev/char/{number}")).ok().and_then(|path| {
            Some(format!("{} {}", fs::metadata(&path).ok()?.ino(), path.display()))
        });
        Self::Device { number, boot, place: place.unwrap_or(NOT_TOLD.into()) }
    }

    fn line(&self) -> String {
        match self {
            Self::Mock => "mock".into(),
            Self::Device { number, boot, place } => format!("clock\t{number}\t{boot}\t{place}"),
        }
    }

    /// Whether a journal's first line tells this clock.
    fn is(&self, line: &str) -> bool {
        let Self::Device { number, boot, place } = self else { return line == self.line() };
        let mut fields = line.split('\t');
        let mut next_is = |own: &str| {
            fields.next().is_some_and(|told| told == own || [told, own].contains(&NOT_TOLD))
        };
        next_is("clock") && next_is(number) && next_is(boot) && next_is(place)
    }
}

fn places(device: &str) -> Vec<Place> {
    if is_mock(device) {
        // A mock is forgotten unless it has a file.
        let state = device.parse::<Config>().ok().and_then(|config| config.state().cloned());
        let place = state.and_then(|state| {
            let state = files::resolved(&state).ok()?;
            Some(Place {
                folder: state.parent()?.to_owned(),
                prefix: format!("{}.left-on", state.file_name()?.to_str()?),
                is_ours: false,
                clock: Clock::Mock,
            })
        });
        return place.into_iter().collect();
    }
    let Ok(found) = fs::metadata(device) else { return Vec::new() };
    let clock = Clock::of_device(&found);
    let number = found.rdev();
    let prefix = format!("clock-{}-{}", libc::major(number), libc::minor(number));
    run_folders()
        .map(|folder| Place { folder, prefix: prefix.clone(), is_ours: true, clock: clock.clone() })
        .collect()
}

/// The folders of this program among those of what runs: for root, and for others.
fn run_folders() -> impl Iterator<Item = PathBuf> {
    // What another user's environment names is that one's.
    let own = std::env::var_os("XDG_RUNTIME_DIR").filter(|_| !runs_for_another());
    folders_with(own.map(PathBuf::from))
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

    #[test]
    fn a_clock_is_known_by_number_boot_and_place_as_far_as_they_are_told() {
        let clock = |number: &str, boot: &str, place: &str| Clock::Device {
            number: number.into(),
            boot: boot.into(),
            place: place.into(),
        };
        let here = clock("249:0", "b1", "7 /sys/devices/card/ptp/ptp0");
        assert!(here.is(&here.line()));
        for other in [
            clock("249:1", "b1", "7 /sys/devices/card/ptp/ptp0"),
            clock("249:0", "b2", "7 /sys/devices/card/ptp/ptp0"),
            clock("249:0", "b1", "8 /sys/devices/card/ptp/ptp0"),
            clock("249:0", "b1", "7 /sys/devices/other/ptp/ptp0"),
        ] {
            assert!(!here.is(&other.line()), "{other:?}");
        }
        assert!(here.is(&clock("249:0", "b1", NOT_TOLD).line()), "without sysfs");
        assert!(clock("249:0", NOT_TOLD, NOT_TOLD).is(&here.line()));
        for line in ["", "mock", "node 5:7", "clock", "clock\t249:0"] {
            assert!(!here.is(line), "{line}");
        }
    }

    #[test]
    fn what_others_may_write_to_is_not_believed() {
        let folder = std::env::temp_dir().join(format!("ptpctl-trust-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        make_folder(&folder).expect("made");
        let place = |is_ours| Place {
            folder: folder.clone(),
            prefix: "mock.left-on".into(),
            is_ours,
            clock: Clock::Mock,
        };
        let mode = |mode| {
            fs::set_permissions(&folder, Permissions::from_mode(mode)).expect("set");
            [true, false].map(|is_ours| is_trusted_place(&place(is_ours)))
        };
        assert_eq!([0o755, 0o700].map(mode), [[true; 2]; 2]);
        assert_eq!([0o777, 0o775, 0o757].map(mode), [[false; 2]; 3]);
        assert_eq!(mode(0o1777), [false, true], "of a mock, in a folder like /tmp");
        make_folder(&folder).expect("there");
        assert!(is_trusted_place(&place(true)), "one's own folder is closed again");
        let path = folder.join("mock.left-on.1.0");
        fs::write(&path, "mock\nextts 0\t\tx may be on\textts --off --channel 0\nend\n")
            .expect("made");
        let counts = |mode| {
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set");
            read(&path, &Clock::Mock).is_some()
        };
        assert_eq!([0o600, 0o644].map(counts), [true; 2]);
        assert_eq!([0o666, 0o620, 0o602].map(counts), [false; 3]);
        let _ = fs::remove_dir_all(&folder);
    }

    #[test]
    fn a_pin_is_told_as_it_was() {
        let pin = |function, channel| Pin { index: 3, name: "SDP3".into(), function, channel };
        for (function, channel) in [(PinFunction::None, 0), (PinFunction::Perout, 2)] {
            let entry = Entry::pin(&pin(function, channel), &[pin(PinFunction::Extts, 1)]);
            let before = PinBefore { index: 3, function, channel };
            assert_eq!(Entry::of(entry.line().trim_end()), Some(entry.clone()));
            assert_eq!(entry.pin_before(), Some(before));
        }
        assert_eq!(Entry::extts(0).pin_before(), None);
    }

    /// A clock with a place for journals, and the folder that it is in.
    fn clock(name: &str) -> (Phc, PathBuf) {
        let folder = std::env::temp_dir().join(format!("ptpctl-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        make_folder(&folder).expect("made");
        let device = format!("mock:full,state={}", folder.join("clock").display());
        (crate::find::open(&device, crate::phc::Access::ReadOnly).expect("a mock"), folder)
    }

    #[test]
    fn who_ends_leaves_to_those_who_stay_what_they_have_on_too() {
        let (phc, folder) = clock("stay");
        let (first, second) = ([Entry::extts(0)], [Entry::extts(0), Entry::extts(1)]);
        let key = &first[0].key;
        let mut one = Journal::begin(&phc, &first);
        assert_eq!(of_the_living(&phc, key), first);
        assert_eq!(of_the_living(&phc, "extts 7"), []);
        let mut other = Journal::begin(&phc, &second);
        assert_eq!(one.is_missing().or(other.is_missing()), None);
        assert!(left_behind(&phc, true).is_empty(), "both live");
        assert_eq!(one.leave(&first, key), second);
        assert_eq!(other.leave(&second, key), [], "the last one");
        assert_eq!(one.leave(&first, key), [], "two that leave at once don't wait for each other");
        one.end(&phc, &[]);
        other.end(&phc, &second[1..]);
        assert_eq!(left_behind(&phc, true), second[1..], "what couldn't be put back");
        settle(&phc, &[&second[1].key]);
        assert!(left_behind(&phc, true).is_empty());
        fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn a_dry_run_forgets_nothing_that_was_put_right() {
        let (phc, folder) = clock("forget");
        let pin = |function| Pin { index: 1, name: "SDP1".into(), function, channel: 0 };
        // The pin isn't as it would be if nobody had put it right.
        let asked = Pin { channel: 1, ..pin(PinFunction::Extts) };
        let entry = Entry { seen: seen_pin(&asked), ..Entry::pin(&pin(PinFunction::Perout), &[]) };
        Journal::begin(&phc, &[]).end(&phc, &[entry]);
        let journals = || fs::read_dir(&folder).expect("listed").flatten().count();
        assert!(left_behind(&phc, false).is_empty() && journals() == 1);
        assert!(left_behind(&phc, true).is_empty() && journals() == 0);
        fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn where_there_is_no_place_for_a_journal_it_says_why() {
        let (phc, folder) = clock("place");
        fs::set_permissions(&folder, Permissions::from_mode(0o777)).expect("set");
        let journal = Journal::begin(&phc, &[Entry::extts(0)]);
        assert!(journal.is_missing().is_some_and(|why| why.contains("others may write to it")));
        let forgotten = crate::find::open("mock", crate::phc::Access::ReadOnly).expect("a mock");
        assert_eq!(Journal::begin(&forgotten, &[]).is_missing(), None, "nothing is left of it");
        fs::remove_dir_all(folder).expect("removed");
    }
}
