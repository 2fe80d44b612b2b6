//! What the program is to see, and the answers to its calls.

use super::clocks::{Clock, Clocks};
use super::guest::{Guest, Identity, is_descriptor};
use super::handles::Handles;
use super::log::Made;
use super::script::Side;
use super::sysfs::Sysfs;
use super::{RunError, WireSpec, network, requests, system, vdso};
use crate::kernel::Result;
use crate::kernel::supervision::abi::{Syscall, Word, known};
use crate::kernel::supervision::listener::{Listener, Notification};
use crate::kernel::supervision::ptp_request::PtpRequest;
use crate::kernel::supervision::status::{self, Status};
use crate::kernel::uapi::PTP_CLK_MAGIC;
use crate::mock::{Mock, MockError, SharedClock, Wire};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// What becomes of a call.
pub(super) enum Answer {
    /// The kernel makes it.
    Native,
    Answered(Result<i64>),
    /// It returns a descriptor of this file.
    File(OwnedFd, OFlag),
    /// It returns a descriptor of this clock.
    Clock(Identity, OwnedFd, OFlag),
}

/// What a path of the program's leads to.
enum Found {
    /// The clock at this place.
    Clock(usize),
    /// A file of sysfs.
    File(Status),
}

/// All that the program is to see, and what it has open of it.
pub(super) struct Supervisor {
    pub(super) clocks: Clocks,
    pub(super) handles: Handles,
    wires: Vec<Wire>,
    /// How the cards are wired.
    wiring: Vec<WireSpec>,
    sysfs: Sysfs,
    /// The major number of the clocks' character devices.
    major: u32,
    /// The simulated system clock, where there is one.
    system: Option<SharedClock>,
    /// The call that was answered last, where it was one on a clock.
    pub(super) made: Option<Made>,
    /// Why a program can't see it.
    pub(super) unseen: Option<Errno>,
    /// A thread whose memory can't be read.
    pub(super) unreadable: Option<i32>,
}

/// Where a program wants a file's status: the argument that points there.
#[derive(Clone, Copy)]
enum StatusAt {
    Stat(usize),
    Statx(usize),
}

impl StatusAt {
    fn put(self, guest: &Guest<'_>, found: &Status) -> Result<i64> {
        let (argument, bytes) = match self {
            Self::Stat(argument) => (argument, status::stat(guest.abi.stat, found)),
            Self::Statx(argument) => (argument, status::statx(found)),
        };
        guest.write_bytes(guest.argument(argument), &bytes).map(|()| 0)
    }
}

impl Supervisor {
    /// # Errors
    ///
    /// [`RunError::Setting`] for wires that can't be.
    pub(super) fn new(
        clocks: Clocks,
        wiring: &[WireSpec],
        sysfs: Sysfs,
        major: u32,
        system: Option<SharedClock>,
    ) -> std::result::Result<Self, RunError> {
        Ok(Self {
            wires: clocks.connect(wiring)?,
            clocks,
            wiring: wiring.to_vec(),
            handles: Handles::default(),
            sysfs,
            major,
            system,
            made: None,
            unseen: None,
            unreadable: None,
        })
    }

    /// Passes on the events up to now; answers how long until the next one may come.
    pub(super) fn pass_events(&mut self) -> Option<Duration> {
        self.wires.iter_mut().for_each(Wire::pass);
        let mut next = self.wires.iter().filter_map(Wire::until_next).min();
        for (place, clock) in self.clocks.0.iter_mut().enumerate() {
            let until = clock.mock.until_next_event();
            if clock.mock.has_gone() && !std::mem::replace(&mut clock.is_away, true) {
                self.handles.end_events(place);
                self.sysfs.remove(clock);
            }
            // Events of a channel that was switched off have come before that.
            if until.is_some() || clock.had_events || !self.wires.is_empty() {
                self.handles.pass_events(place);
            }
            clock.had_events = until.is_some();
            next = next.into_iter().chain(until).chain(clock.mock.until_it_goes()).min();
        }
        next
    }

    /// The simulated system clock.
    pub(super) fn system(&self) -> Option<&SharedClock> {
        self.system.as_ref()
    }

    /// Changes the clock at this place, other than by a call.
    pub(super) fn change_clock(&mut self, place: usize, change: impl FnOnce(&Mock)) {
        self.wires.iter_mut().for_each(Wire::pass);
        if let Some(clock) = self.clocks.get(place) {
            change(&clock.mock);
        }
        self.wires.iter_mut().for_each(Wire::begin);
    }

    /// The card of the clock at this place goes away.
    pub(super) fn take_away(&mut self, place: usize) {
        self.change_clock(place, Mock::remove);
        self.pass_events();
    }

    /// It comes back as the clock of this number.
    ///
    /// # Errors
    ///
    /// [`MockError`] where the mock can't be opened again.
    pub(super) fn bring_back(
        &mut self,
        place: usize,
        number: u32,
    ) -> std::result::Result<(), MockError> {
        self.take_away(place);
        let Some(clock) = self.clocks.0.get_mut(place) else { return Ok(()) };
        clock.come_back(number)?;
        if let Some(system) = &self.system {
            clock.mock.share_system_clock(system);
        }
        // A program that looks for a file that is missing finds none.
        let _ = self.sysfs.add(place, clock);
        // The wires lead to the card that has come back.
        self.wires = self.clocks.connect(&self.wiring).unwrap_or_default();
        Ok(())
    }

    /// How far one clock is ahead of another at present, in nanoseconds; `None` where one is away.
    pub(super) fn offset(&self, of: Side, to: Side) -> Option<i128> {
        let now = self.clocks.0.first()?.mock.moment();
        let shown = |side: Side| match side {
            Side::Clock(place) => {
                let clock = self.clocks.get(place)?;
                (!clock.mock.has_gone()).then(|| clock.mock.shows_at(now))
            }
            Side::System => Some(self.system.as_ref()?.shows_at(now)),
            Side::Utc => Some(now),
        };
        Some(shown(of)? - shown(to)?)
    }

    #[expect(clippy::too_many_lines, reason = "a table: what answers each call")]
    pub(super) fn answer(&mut self, listener: &Listener, made: &Notification) -> Answer {
        let Some(abi) = known().iter().find(|abi| abi.arch == made.arch) else {
            return Answer::Native;
        };
        let Some(call) = abi.call(made.number) else { return Answer::Native };
        self.made = None;
        let guest = Guest { call: made, abi, listener };
        let here = libc::AT_FDCWD;
        match call {
            Syscall::Open => self.open(&guest, here, 0, flags(guest.int(1))),
            Syscall::Creat => {
                let told = OFlag::O_CREAT | OFlag::O_WRONLY | OFlag::O_TRUNC;
                self.open(&guest, here, 0, told)
            }
            Syscall::Getxattr => self.attributes(&guest),
            Syscall::Openat => self.open(&guest, guest.int(0), 1, flags(guest.int(2))),
            Syscall::Openat2 => match guest.read::<[u64; 3]>(guest.argument(2)) {
                Ok([how, _, _]) => {
                    let [a, b, c, d, ..] = how.to_le_bytes();
                    let told = flags(i32::from_le_bytes([a, b, c, d]));
                    self.open(&guest, guest.int(0), 1, told)
                }
                Err(_) => Answer::Native,
            },
            Syscall::Stat => self.status(&guest, here, 0, true, StatusAt::Stat(1)),
            Syscall::Lstat => self.status(&guest, here, 0, false, StatusAt::Stat(1)),
            Syscall::Fstat => self.status_of_file(&guest, StatusAt::Stat(1)),
            Syscall::Fstatat => self.status_at(&guest, guest.int(3), StatusAt::Stat(2)),
            Syscall::Statx => self.status_at(&guest, guest.int(2), StatusAt::Statx(4)),
            Syscall::Access => self.access(&guest, here, 0, guest.int(1)),
            Syscall::Faccessat => self.access(&guest, guest.int(0), 1, guest.int(2)),
            Syscall::Readlink => self.readlink(&guest, here, 0),
            Syscall::Readlinkat => self.readlink(&guest, guest.int(0), 1),
            Syscall::Ioctl => self.ioctl(&guest),
            Syscall::ClockGettime(word) if guest.int(0) >= 0 => {
                self.system_call("clock_gettime", |clock| system::gettime(&guest, clock, word))
            }
            Syscall::ClockSettime(word) if guest.int(0) >= 0 => {
                self.system_call("clock_settime", |clock| system::settime(&guest, clock, word))
            }
            Syscall::ClockGettime(word) => {
                self.clock_call(&guest, "clock_gettime", |phc| requests::gettime(&guest, phc, word))
            }
            Syscall::ClockSettime(word) => {
                self.clock_call(&guest, "clock_settime", |phc| requests::settime(&guest, phc, word))
            }
            Syscall::Adjtimex => self.adjtime(&guest, guest.argument(0), abi.word),
            Syscall::ClockAdjtime(word) if guest.int(0) == libc::CLOCK_REALTIME => {
                self.adjtime(&guest, guest.argument(1), word)
            }
            Syscall::Gettimeofday => {
                self.system_call("gettimeofday", |clock| system::gettimeofday(&guest, clock))
            }
            Syscall::Time => self.system_call("time", |clock| system::time(&guest, clock)),
            Syscall::Settimeofday => {
                self.system_call("settimeofday", |clock| system::settimeofday(&guest, clock))
            }
            Syscall::Stime => self.system_call("stime", |clock| system::stime(&guest, clock)),
            Syscall::ArchPrctl | Syscall::SetThreadArea | Syscall::Begin => {
                self.begin_program(&guest)
            }
            Syscall::ClockAdjtime(word) => {
                self.clock_call(&guest, "clock_adjtime", |phc| requests::adjtime(&guest, phc, word))
            }
            Syscall::ClockGetres(word) => {
                self.clock_call(&guest, "clock_getres", |phc| requests::getres(&guest, phc, word))
            }
            Syscall::Socket
            | Syscall::Read
            | Syscall::Seccomp
            | Syscall::IoUringSetup
            | Syscall::ClockNanosleep
            | Syscall::TimerCreate => Answer::Native,
        }
    }

    /// `open`, and its kin: `path` is the number of the argument that points to the path.
    fn open(&mut self, guest: &Guest<'_>, folder: i32, path: usize, told: OFlag) -> Answer {
        let follow = !told.contains(OFlag::O_NOFOLLOW);
        let path = match guest.path(folder, guest.argument(path), follow) {
            Ok(path) => path,
            Err(errno) => {
                if errno == Errno::EPERM {
                    self.unreadable = Some(guest.call.thread);
                }
                return Answer::Native;
            }
        };
        if let Some(place) = self.open_at(&path) {
            return self.open_clock(place, told).unwrap_or_else(Answer::from);
        }
        if let Some(found) = self.clocks.at(&path) {
            let opened = found.and_then(|place| self.open_clock(place, told));
            return opened.unwrap_or_else(Answer::from);
        }
        match self.sysfs.open(&self.clocks, &path, told) {
            Some(Ok(file)) => Answer::File(file, told),
            Some(Err(errno)) => Answer::from(errno),
            None => Answer::Native,
        }
    }

    /// The place of the clock that a process has open by this path, `/proc/PID/fd/N`.
    fn open_at(&self, path: &Path) -> Option<usize> {
        if !is_descriptor(path) {
            return None;
        }
        let found = nix::sys::stat::stat(path).ok()?;
        self.handles.get(Identity::of(&found)).map(|handle| handle.clock)
    }

    /// What there is at a path of the program's, if it is a clock or one of its files.
    fn found(&self, path: &Path, follow: bool) -> Option<Result<Found>> {
        let open = follow.then(|| self.open_at(path)).flatten().map(Ok);
        match open.or_else(|| self.clocks.at(path)) {
            Some(place) => Some(place.map(Found::Clock)),
            None => self.sysfs.status(path, follow).map(|found| found.map(Found::File)),
        }
    }

    fn open_clock(&mut self, place: usize, told: OFlag) -> Result<Answer> {
        if told.contains(OFlag::O_CREAT | OFlag::O_EXCL) {
            return Err(Errno::EEXIST);
        }
        if told.contains(OFlag::O_DIRECTORY) {
            return Err(Errno::ENOTDIR);
        }
        self.note(place, "open");
        let clock = self.clocks.get(place).ok_or(Errno::ENODEV)?;
        let write = told.intersects(OFlag::O_WRONLY | OFlag::O_RDWR);
        let mock = clock.mock.open_again(write)?;
        let (identity, theirs) = self.handles.add(place, mock)?;
        Ok(Answer::Clock(identity, theirs, told))
    }

    /// What `stat` says of a path.
    fn status(
        &self,
        guest: &Guest<'_>,
        folder: i32,
        path: usize,
        follow: bool,
        into: StatusAt,
    ) -> Answer {
        let Ok(path) = guest.path(folder, guest.argument(path), follow) else {
            return Answer::Native;
        };
        let Some(found) = self.found(&path, follow) else { return Answer::Native };
        Answer::Answered(found.and_then(|found| match found {
            Found::Clock(place) => into.put(guest, &self.status_of_clock(place)?),
            Found::File(status) => into.put(guest, &status),
        }))
    }

    /// `fstatat` and `statx`, which with an empty path are `fstat`.
    fn status_at(&mut self, guest: &Guest<'_>, told: i32, into: StatusAt) -> Answer {
        let follow = told & libc::AT_SYMLINK_NOFOLLOW == 0;
        let is_empty = told & libc::AT_EMPTY_PATH != 0
            && (guest.argument(1) == 0
                || guest.text(guest.argument(1)).is_ok_and(|path| path.is_empty()));
        if is_empty {
            self.status_of_file(guest, into)
        } else {
            self.status(guest, guest.int(0), 1, follow, into)
        }
    }

    /// `fstat`: the end of a pipe that stands for a clock is its character device.
    fn status_of_file(&mut self, guest: &Guest<'_>, into: StatusAt) -> Answer {
        let Ok(identity) = guest.file(guest.int(0)) else { return Answer::Native };
        let Some(handle) = self.handles.get(identity) else { return Answer::Native };
        let place = handle.clock;
        let found = self.status_of_clock(place);
        Answer::Answered(found.and_then(|found| into.put(guest, &found)))
    }

    /// The character device of a clock, as if it were in /dev.
    fn status_of_clock(&self, place: usize) -> Result<Status> {
        let clock = self.clocks.get(place).ok_or(Errno::ENODEV)?;
        let other = Status::of(&nix::sys::stat::stat("/dev/null")?);
        Ok(other.into_device(self.major, clock.index))
    }

    fn access(&self, guest: &Guest<'_>, folder: i32, path: usize, wanted: i32) -> Answer {
        let Ok(path) = guest.path(folder, guest.argument(path), true) else {
            return Answer::Native;
        };
        let Some(found) = self.found(&path, true) else { return Answer::Native };
        // Nobody executes a clock, and in sysfs only root may write.
        Answer::Answered(found.and_then(|found| {
            let refused = match found {
                Found::Clock(_) => libc::X_OK,
                Found::File(_) => libc::W_OK,
            };
            if wanted & refused == 0 { Ok(0) } else { Err(Errno::EACCES) }
        }))
    }

    /// No file of a clock has extended attributes.
    fn attributes(&self, guest: &Guest<'_>) -> Answer {
        let Ok(path) = guest.path(libc::AT_FDCWD, guest.argument(0), true) else {
            return Answer::Native;
        };
        let found = self.found(&path, true);
        found.map_or(Answer::Native, |found| Answer::from(found.err().unwrap_or(Errno::EOPNOTSUPP)))
    }

    fn readlink(&self, guest: &Guest<'_>, folder: i32, path: usize) -> Answer {
        let Ok(link) = guest.path(folder, guest.argument(path), false) else {
            return Answer::Native;
        };
        let to = match self.clocks.at(&link) {
            Some(found) => Err(found.err().unwrap_or(Errno::EINVAL)),
            None => match self.sysfs.link_at(&link) {
                Some(to) => to,
                None => return Answer::Native,
            },
        };
        Answer::Answered(to.and_then(|to| {
            let room = usize::try_from(guest.int(path + 2)).map_err(|_| Errno::EINVAL)?;
            let bytes = to.as_bytes();
            let bytes = bytes.get(..room).unwrap_or(bytes);
            guest.write_bytes(guest.argument(path + 1), bytes)?;
            i64::try_from(bytes.len()).map_err(|_| Errno::EINVAL)
        }))
    }

    fn ioctl(&mut self, guest: &Guest<'_>) -> Answer {
        let request = guest.int(1).cast_unsigned();
        if request >> 8 & 0xff != PTP_CLK_MAGIC {
            return network::ioctl(guest, &mut self.clocks)
                .map_or(Answer::Native, Answer::Answered);
        }
        let name = PtpRequest::of(request).map_or("ioctl", |(_, name)| name);
        self.on_clock(guest, guest.int(0), name, |phc| requests::ioctl(guest, phc))
    }

    /// A call on a clock, by its id.
    fn clock_call(
        &mut self,
        guest: &Guest<'_>,
        name: &'static str,
        call: impl FnOnce(&Mock) -> Result<i64>,
    ) -> Answer {
        // CLOCKID_TO_FD of the kernel's posix-timers.h.
        self.on_clock(guest, !(guest.int(0) >> 3), name, call)
    }

    /// A call on the clock that is open as this descriptor.
    fn on_clock(
        &mut self,
        guest: &Guest<'_>,
        descriptor: i32,
        name: &'static str,
        call: impl FnOnce(&Mock) -> Result<i64>,
    ) -> Answer {
        let Ok(identity) = guest.file(descriptor) else { return Answer::Native };
        let Some(handle) = self.handles.get(identity) else { return Answer::Native };
        self.wires.iter_mut().for_each(Wire::pass);
        let (place, answered) = (handle.clock, call(&handle.mock));
        // The call may have changed the clock: its outputs go on from what it shows now.
        self.wires.iter_mut().for_each(Wire::begin);
        self.note(place, name);
        Answer::Answered(answered)
    }

    /// A call on the simulated system clock.
    fn system_call(
        &mut self,
        name: &'static str,
        call: impl FnOnce(&SharedClock) -> Result<i64>,
    ) -> Answer {
        let Some(system) = &self.system else { return Answer::Native };
        self.made = Some(Made { clock: "system".into(), call: name });
        Answer::Answered(call(system))
    }

    fn adjtime(&mut self, guest: &Guest<'_>, at: u64, word: Word) -> Answer {
        if self.system.is_none() {
            return Answer::Answered(system::adjtime_of_machine(guest, at, word));
        }
        self.system_call("clock_adjtime", |clock| system::adjtime(guest, clock, at, word))
    }

    /// Notes a call on the clock at this place, for the log.
    fn note(&mut self, place: usize, call: &'static str) {
        let clock = self.clocks.get(place).map(Clock::name).unwrap_or_default();
        self.made = Some(Made { clock, call });
    }

    /// A program has begun, or a thread of i386. Where its vDSO can't be replaced, it sees the
    /// machine's clock, which is told.
    fn begin_program(&mut self, guest: &Guest<'_>) -> Answer {
        if let Err(errno) = vdso::replace(guest)
            && errno != Errno::ENOENT
            && errno != Errno::ESRCH
        {
            self.unseen.get_or_insert(errno);
        }
        Answer::Native
    }
}

impl From<Errno> for Answer {
    fn from(errno: Errno) -> Self {
        Self::Answered(Err(errno))
    }
}

/// The flags of `open`, those that this program doesn't know among them.
fn flags(told: i32) -> OFlag {
    OFlag::from_bits_retain(told)
}
