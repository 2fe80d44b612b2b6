//! What a program has switched on and means to switch off again, in a file that outlives it.
//!
//! A program locks its journal as long as it runs. A journal that isn't locked belongs to a program
//! that has ended. A journal belongs to one clock and to one boot of the machine. The clock is
//! known by the number of its device and by its place in sysfs, whatever its names. A journal of
//! another clock or another boot is left alone. Nothing is read or written through a link.

mod line;
mod place;

pub(crate) use place::runs_for_another;

use super::{Change, Part, Record};
use crate::files;
use crate::kernel::{has_writer, in_words, lock_as_writer};
use crate::phc::Phc;
use nix::errno::Errno;
use place::{Place, is_trusted, make_folder, places};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub(crate) use place::may_have_left;

/// The last line of a journal.
const END: &str = "end";
/// The last line of the journal of a program that is about to put everything back.
const LEAVING: &str = "leaving";

/// The journal of this program. It is removed when the program has switched everything off.
#[derive(Debug)]
pub(crate) struct Journal {
    kept: Option<(PathBuf, File)>,
    /// The clock's device.
    device: String,
    /// The first line, which names the clock.
    clock: String,
    /// Its last line.
    end: &'static str,
    /// Why no journal could be begun, where there should be one.
    missing: Option<String>,
}

impl Journal {
    /// Begins a journal, where there is a place for one.
    pub(crate) fn begin(phc: &Phc) -> Self {
        let device = phc.name().device.clone();
        let clock = String::new();
        let mut journal = Self { kept: None, device, clock, end: END, missing: None };
        for place in places(&journal.device).into_iter().filter(Place::is_writable) {
            match begin_in(&place) {
                Ok(kept) => {
                    journal.kept = Some(kept);
                    journal.clock = place.clock.line();
                    journal.missing = None;
                    break;
                }
                Err(error) => {
                    let why = format!("{}: {}", place.folder.display(), in_words(&error));
                    journal.missing.get_or_insert(why);
                }
            }
        }
        journal
    }

    /// Why no journal could be begun, though this clock outlives the program.
    pub(crate) fn is_missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }
}

impl Record for Journal {
    fn now(&mut self, changes: &[Change]) {
        if let Some((_, file)) = &self.kept {
            // If this fails, the next program can't be told of these changes.
            let _ = write(file, &text(&self.clock, changes, self.end));
        }
    }

    fn settle(&self, phc: &Phc, parts: &[Part]) {
        settle(phc, parts);
    }

    fn of_the_living(&self, part: Part) -> Vec<Change> {
        let own = self.kept.as_ref().map(|(path, _)| path);
        with_part(part, found(&self.device, |found| Some(&found.path) != own && found.stays()))
    }

    fn leave(&mut self, changes: &[Change], part: Part) -> Vec<Change> {
        // If two programs leave at once, neither leaves the part to the other: both put it back.
        self.end = LEAVING;
        self.now(changes);
        if self.kept.is_some() { self.of_the_living(part) } else { Vec::new() }
    }

    /// Keeps the journal of what couldn't be put back, so that the next command can report it. A
    /// clock that has gone has nothing left on. When it comes back it is another clock.
    fn end(&mut self, phc: &Phc, left: &[Change]) {
        let has_gone = || phc.time().is_err_and(|error| error.errno() == Some(Errno::ENODEV));
        if left.iter().any(|change| line::line(change).is_some()) && !has_gone() {
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

/// All changes of the programs that have changed a part.
fn with_part(part: Part, all: Vec<Found>) -> Vec<Change> {
    let has = |one: &Found| one.changes.iter().any(|change| change.part() == part);
    all.into_iter().filter(has).flat_map(|one| one.changes).collect()
}

/// Begins a journal in a place.
fn begin_in(place: &Place) -> io::Result<(PathBuf, File)> {
    if place.is_ours {
        make_folder(&place.folder)?;
    } else {
        files::check_place(&place.folder.join(&place.prefix))?;
    }
    if !place.is_trusted() {
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
    // The file is locked: others may read it now, and can't lock it.
    let written = write(&file, &text(&place.clock.line(), [], END))
        .and_then(|()| file.set_permissions(Permissions::from_mode(0o644)));
    match written {
        Ok(()) => Ok((path, file)),
        Err(error) => {
            let _ = fs::remove_file(&path);
            Err(error)
        }
    }
}

/// Makes a new file and locks it, and checks that the file still has its name. The name may be
/// taken: a program that has ended may have had the same process ID.
fn new_file(place: &Place, number: u32) -> io::Result<(PathBuf, File)> {
    let name = format!("{}.{}.{number}", place.prefix, std::process::id());
    let path = place.folder.join(name);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600).custom_flags(OPEN_FLAGS);
    let file = options.open(&path)?;
    let taken = || io::Error::from(io::ErrorKind::AlreadyExists);
    let locked = lock_as_writer(&file).map_err(io::Error::from);
    // Before the lock was taken, another program may have removed the file as one of a program that
    // has ended.
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

/// A journal's text: its clock, a line a change, its end.
fn text<'a>(clock: &str, changes: impl IntoIterator<Item = &'a Change>, end: &str) -> String {
    let lines = changes.into_iter().filter_map(line::line);
    let lines: String = lines.map(|line| line + "\n").collect();
    format!("{clock}\n{lines}{end}\n")
}

/// Writes a journal's text. If the program is killed in between, or the disk is full, the file has
/// the old text or the new one, perhaps with a rest of the old text after the new end.
fn write(file: &File, text: &str) -> io::Result<()> {
    file.write_all_at(text.as_bytes(), 0)?;
    file.set_len(text.len() as u64)
}

/// Removes these parts from the journals of programs that have ended: the parts are meant to be as
/// they are now.
pub(super) fn settle(phc: &Phc, parts: &[Part]) {
    if parts.is_empty() {
        return;
    }
    for dead in dead(&phc.name().device) {
        dead.keep(|change| !parts.contains(&change.part()));
    }
}

/// The journal of another program, which runs or has ended.
pub(super) struct Found {
    path: PathBuf,
    file: File,
    clock: String,
    /// The owner, where that is a user who isn't trusted.
    pub(super) user: Option<u32>,
    pub(super) changes: Vec<Change>,
    is_living: bool,
    is_leaving: bool,
    /// In nanoseconds.
    pub(super) age: i128,
}

impl Found {
    /// Whether its program lives, and isn't about to end.
    fn stays(&self) -> bool {
        self.is_living && !self.is_leaving
    }

    /// Keeps these changes in the journal and removes the others. Where it may not be written, the
    /// others are reported again.
    pub(super) fn keep(&self, is_left: impl Fn(&Change) -> bool) {
        let left: Vec<_> = self.changes.iter().filter(|change| is_left(change)).collect();
        let number = left.len();
        if number == 0 {
            let _ = fs::remove_file(&self.path);
        } else if number < self.changes.len() {
            let modified = self.file.metadata().and_then(|found| found.modified());
            let _ = write(&self.file, &text(&self.clock, left, END));
            // The age counts from the time at which the changes were left: keep the file's time.
            let _ = modified.and_then(|then| self.file.set_modified(then));
        }
    }
}

/// Never follows a link, and never waits for the other end of a pipe.
const OPEN_FLAGS: i32 = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
/// The longest that a journal can be.
const LONGEST: u64 = 64 << 10;

/// The journals of programs that have ended.
pub(super) fn dead(device: &str) -> Vec<Found> {
    found(device, |found| !found.is_living)
}

/// The journals of a clock that count.
fn found(device: &str, is_wanted: impl Fn(&Found) -> bool) -> Vec<Found> {
    let mut all = Vec::new();
    // Usually there are no journals. Then a script that calls this often is spared the search.
    if !may_have_left(device) {
        return all;
    }
    for place in places(device) {
        if !place.is_trusted() {
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
                all.extend(read(&entry.path(), &place).filter(&is_wanted));
            }
        }
    }
    all
}

/// Reads a journal, unless it doesn't count or is of another clock.
fn read(path: &Path, place: &Place) -> Option<Found> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OPEN_FLAGS);
    let file = options.clone().write(true).open(path).or_else(|_| options.open(path)).ok()?;
    let found = file.metadata().ok()?;
    if !place.counts(&found) {
        return None;
    }
    let is_living = has_writer(&file).ok()?;
    let mut text = Vec::new();
    (&file).take(LONGEST).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines();
    let first = lines.next().filter(|first| place.clock.is(first))?;
    let is_end = |line: &&str| *line == END || *line == LEAVING;
    let changes: Vec<_> =
        lines.clone().take_while(|line| !is_end(line)).filter_map(line::read).collect();
    let is_leaving = lines.find(is_end) == Some(LEAVING);
    let age = found.modified().ok().and_then(|then| SystemTime::now().duration_since(then).ok());
    let age = age.map_or(0, |age| i128::try_from(age.as_nanos()).unwrap_or(i128::MAX));
    let (path, clock) = (path.to_owned(), first.to_owned());
    let user = Some(found.uid()).filter(|user| !is_trusted(*user));
    Some(Found { path, file, clock, user, changes, is_living, is_leaving, age })
}

#[cfg(test)]
mod tests {
    use super::super::left_behind;
    use super::*;
    use crate::phc::{Pin, PinFunction};

    #[test]
    fn what_others_may_write_to_is_not_believed() {
        let folder = std::env::temp_dir().join(format!("ptpctl-trust-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        make_folder(&folder).expect("made");
        let place = |is_ours| Place {
            folder: folder.clone(),
            prefix: "mock.left-on".into(),
            is_ours,
            user: None,
            clock: place::Clock::Mock,
        };
        let mode = |mode| {
            fs::set_permissions(&folder, Permissions::from_mode(mode)).expect("set");
            [true, false].map(|is_ours| place(is_ours).is_trusted())
        };
        assert_eq!([0o755, 0o700].map(mode), [[true; 2]; 2]);
        assert_eq!([0o777, 0o775, 0o757].map(mode), [[false; 2]; 3]);
        assert_eq!(mode(0o1777), [false, true], "the state file of a mock, in a folder like /tmp");
        make_folder(&folder).expect("there");
        assert!(place(true).is_trusted(), "the program's own folder gets its permissions back");
        let path = folder.join("mock.left-on.1.0");
        fs::write(&path, "mock\nextts\t0\nend\n").expect("made");
        let counts = |mode| {
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set");
            read(&path, &place(false)).is_some()
        };
        assert_eq!([0o600, 0o644].map(counts), [true; 2]);
        assert_eq!([0o666, 0o620, 0o602].map(counts), [false; 3]);
        let _ = fs::remove_dir_all(&folder);
    }

    /// A clock with a place for journals, and the folder that it is in.
    fn clock(name: &str) -> (Phc, PathBuf) {
        let folder = std::env::temp_dir().join(format!("ptpctl-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        make_folder(&folder).expect("made");
        let device = format!("mock:full,state={}", folder.join("clock").display());
        (crate::find::open(&device, crate::phc::Access::ReadOnly).expect("a mock"), folder)
    }

    /// A journal that has these changes.
    fn journal(phc: &Phc, changes: &[Change]) -> Journal {
        let mut journal = Journal::begin(phc);
        assert_eq!(journal.is_missing(), None);
        journal.now(changes);
        journal
    }

    #[test]
    fn who_ends_leaves_to_those_who_stay_what_they_have_on_too() {
        let (phc, folder) = clock("stay");
        let (first, second) = ([Change::Extts(0)], [Change::Extts(0), Change::Extts(1)]);
        let part = first[0].part();
        let mut one = journal(&phc, &first);
        let mut other = journal(&phc, &second);
        assert_eq!(other.of_the_living(part), first);
        assert_eq!(other.of_the_living(Part::Extts(7)), []);
        assert!(left_behind(&phc, true).is_empty(), "both live");
        assert_eq!(one.leave(&first, part), second);
        assert_eq!(other.leave(&second, part), [], "the last one");
        assert_eq!(one.leave(&first, part), [], "of two that leave at once both put it back");
        one.end(&phc, &[]);
        drop(one);
        other.end(&phc, &second[1..]);
        let left: Vec<_> = left_behind(&phc, true).into_iter().map(|left| left.change).collect();
        assert_eq!(left, second[1..], "what couldn't be put back");
        settle(&phc, &[second[1].part()]);
        assert!(left_behind(&phc, true).is_empty());
        fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn a_dry_run_forgets_nothing_that_was_put_right() {
        let (phc, folder) = clock("forget");
        let was = Pin { index: 1, name: "SDP1".into(), function: PinFunction::Perout, channel: 0 };
        // The pin has no function, as a change that failed half-way leaves it. Then it is put
        // right.
        let change = Change::pin(&was, PinFunction::Extts, 1);
        Journal::begin(&phc).end(&phc, std::slice::from_ref(&change));
        let journals = || fs::read_dir(&folder).expect("listed").flatten().count();
        assert_eq!(left_behind(&phc, true), [change.into()]);
        let writer = phc.reopen(crate::phc::Access::ReadWrite).expect("opened");
        writer.set_pin(&was, PinFunction::Perout, 0).expect("set");
        assert!(left_behind(&phc, false).is_empty() && journals() == 2, "{}", journals());
        assert!(left_behind(&phc, true).is_empty() && journals() == 1, "the clock's own file");
        fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn where_there_is_no_place_for_a_journal_it_says_why() {
        let (phc, folder) = clock("place");
        fs::set_permissions(&folder, Permissions::from_mode(0o777)).expect("set");
        let journal = Journal::begin(&phc);
        assert!(journal.is_missing().is_some_and(|why| why.contains("others may write to it")));
        let forgotten = crate::find::open("mock", crate::phc::Access::ReadOnly).expect("a mock");
        assert_eq!(Journal::begin(&forgotten).is_missing(), None, "a mock leaves nothing");
        fs::remove_dir_all(folder).expect("removed");
    }
}
