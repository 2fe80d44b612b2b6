//! What a descriptor of a clock is, and what stays of it when it is copied and passed on.

use super::Case;
use libc::{ptp_clock_caps, ptp_clock_time, ptp_sys_offset_extended};
use nix::errno::Errno;
use std::ffi::CString;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// An open clock of the program.
pub(crate) struct Clock(pub(crate) OwnedFd);

/// The answer of a system call.
pub(crate) fn answer(answered: libc::c_long) -> Result<libc::c_long, Errno> {
    Errno::result(answered)
}

/// The number of a request, whose type differs between C libraries.
pub(crate) fn number(request: libc::Ioctl) -> u64 {
    let [a, b, c, d, ..] = request.to_le_bytes();
    u32::from_le_bytes([a, b, c, d]).into()
}

impl Clock {
    pub(crate) fn open(number: u32) -> Self {
        Self::open_with(number, libc::O_RDWR).expect("a clock")
    }

    pub(crate) fn open_with(number: u32, flags: i32) -> Result<Self, Errno> {
        Self::at(&format!("/dev/ptp{number}"), flags)
    }

    pub(crate) fn at(path: &str, flags: i32) -> Result<Self, Errno> {
        let path = CString::new(path).expect("a path");
        // SAFETY: the path outlives the call.
        let fd = unsafe { libc::open(path.as_ptr(), flags) };
        // SAFETY: a new descriptor.
        Errno::result(fd).map(|fd| Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Its clock id: `FD_TO_CLOCKID` of the kernel's posix-timers.h.
    pub(crate) fn id(&self) -> libc::clockid_t {
        (!self.fd() << 3) | 3
    }

    pub(crate) fn ioctl(&self, request: u64, argument: u64) -> Result<libc::c_long, Errno> {
        // SAFETY: the callers pass the struct of the request, or an address where nothing is.
        answer(unsafe { libc::syscall(libc::SYS_ioctl, self.fd(), request, argument) })
    }

    /// An ioctl on a struct.
    pub(crate) fn request<T>(
        &self,
        request: libc::Ioctl,
        argument: &mut T,
    ) -> Result<libc::c_long, Errno> {
        self.ioctl(number(request), &raw mut *argument as u64)
    }

    pub(crate) fn caps(&self) -> Result<ptp_clock_caps, Errno> {
        // SAFETY: integers, which may be 0.
        let mut caps: ptp_clock_caps = unsafe { std::mem::zeroed() };
        self.request(libc::PTP_CLOCK_GETCAPS, &mut caps).map(|_| caps)
    }

    pub(crate) fn time(&self) -> Result<i128, Errno> {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the kernel writes one `timespec`.
        Errno::result(unsafe { libc::clock_gettime(self.id(), &raw mut time) })?;
        Ok(i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec))
    }

    fn adjust(&self, change: impl FnOnce(&mut libc::timex)) -> Result<libc::timex, Errno> {
        // SAFETY: integers, which may be 0.
        let mut timex: libc::timex = unsafe { std::mem::zeroed() };
        change(&mut timex);
        // SAFETY: the struct of this call.
        Errno::result(unsafe { libc::clock_adjtime(self.id(), &raw mut timex) })?;
        Ok(timex)
    }

    pub(crate) fn step(&self, seconds: i64) -> Result<(), Errno> {
        let stepped = self.adjust(|timex| {
            timex.modes = libc::ADJ_SETOFFSET | libc::ADJ_NANO;
            timex.time.tv_sec = seconds;
        });
        stepped.map(drop)
    }

    pub(crate) fn dial(&self, frequency: i64) -> Result<(), Errno> {
        let dialled = self.adjust(|timex| {
            timex.modes = libc::ADJ_FREQUENCY;
            timex.freq = frequency;
        });
        dialled.map(drop)
    }

    pub(crate) fn frequency(&self) -> Result<i64, Errno> {
        self.adjust(|_| ()).map(|timex| timex.freq)
    }

    pub(crate) fn extended(&self, samples: u32) -> Result<Vec<[ptp_clock_time; 3]>, Errno> {
        // SAFETY: integers, which may be 0.
        let mut request: ptp_sys_offset_extended = unsafe { std::mem::zeroed() };
        request.n_samples = samples;
        self.request(libc::PTP_SYS_OFFSET_EXTENDED, &mut request)?;
        Ok(request.ts.into_iter().take(samples as usize).collect())
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let full: &[&str] = &["full"];
    vec![
        Case { name: "a copy of a descriptor is the same clock", clocks: full, program: copied },
        Case { name: "a child has its parent's clock", clocks: full, program: inherited },
        Case { name: "a program that is started has the clock", clocks: full, program: executed },
        Case {
            name: "a clock that must not be passed on isn't",
            clocks: full,
            program: not_passed,
        },
        Case { name: "a descriptor goes over a socket", clocks: full, program: sent },
        Case { name: "each of eight threads reads the clock", clocks: full, program: threads },
        Case { name: "a closed descriptor is no clock", clocks: full, program: closed },
        Case { name: "a thousand descriptors are a thousand handles", clocks: full, program: many },
        Case { name: "other files are left alone", clocks: full, program: others },
        Case {
            name: "the number of a closed clock is another file's",
            clocks: full,
            program: again,
        },
    ]
}

fn copied() {
    let clock = Clock::open(0);
    clock.step(1_000).expect("stepped");
    let copy = Clock(clock.0.try_clone().expect("a copy"));
    drop(clock);
    assert!(copy.caps().is_ok() && copy.time().is_ok());
}

/// Ends a child process with a verdict.
pub(crate) fn in_child(child: impl FnOnce()) {
    // SAFETY: this process has one thread.
    match unsafe { libc::fork() } {
        0 => {
            child();
            std::process::exit(0);
        }
        process => {
            let mut status = 0;
            // SAFETY: the kernel writes one `int`.
            unsafe { libc::waitpid(process, &raw mut status, 0) };
            assert_eq!(status, 0, "the child failed");
        }
    }
}

fn inherited() {
    let clock = Clock::open(0);
    in_child(|| clock.step(1_000).expect("stepped"));
    let other = Clock::open(0);
    assert!(other.time().expect("a time") - system_time() > 900_000_000_000);
}

/// `CLOCK_REALTIME`.
pub(crate) fn system_time() -> i128 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("now");
    i128::try_from(since.as_nanos()).expect("a time")
}

/// Says in the arguments of this program that it was started by the case.
fn told() -> Option<RawFd> {
    std::env::args().nth(3)?.parse().ok()
}

fn start_again(clock: &Clock) -> bool {
    let own = std::env::current_exe().expect("this program");
    let name = std::env::args().nth(2).expect("a case");
    let mut command = std::process::Command::new(own);
    command.args(["--guest", &name, &clock.fd().to_string()]);
    command.status().expect("started").success()
}

fn executed() {
    if let Some(fd) = told() {
        // SAFETY: the parent has passed it on.
        let clock = Clock(unsafe { OwnedFd::from_raw_fd(fd) });
        assert!(clock.caps().is_ok() && clock.time().is_ok());
        return;
    }
    assert!(start_again(&Clock::open(0)));
}

fn not_passed() {
    if let Some(fd) = told() {
        // SAFETY: asks for flags only.
        assert_eq!(unsafe { libc::fcntl(fd, libc::F_GETFD) }, -1);
        return;
    }
    let clock = Clock::open_with(0, libc::O_RDWR | libc::O_CLOEXEC).expect("a clock");
    assert!(start_again(&clock));
}

fn sent() {
    use nix::sys::socket::{
        AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg,
        sendmsg, socketpair,
    };
    let flags = SockFlag::empty();
    let (one, other) =
        socketpair(AddressFamily::Unix, SockType::Stream, None, flags).expect("a socket");
    in_child(|| {
        let clock = Clock::open(0);
        let fds = [clock.fd()];
        let rights = [ControlMessage::ScmRights(&fds)];
        let bytes = [std::io::IoSlice::new(b"x")];
        sendmsg::<()>(one.as_raw_fd(), &bytes, &rights, MsgFlags::empty(), None).expect("sent");
    });
    let mut space = nix::cmsg_space!(RawFd);
    let mut byte = [0];
    let mut bytes = [std::io::IoSliceMut::new(&mut byte)];
    let received =
        recvmsg::<()>(other.as_raw_fd(), &mut bytes, Some(&mut space), MsgFlags::empty());
    let received = received.expect("received");
    let fd = received.cmsgs().expect("messages").find_map(|message| match message {
        ControlMessageOwned::ScmRights(fds) => fds.first().copied(),
        _ => None,
    });
    // SAFETY: the message brought it.
    let clock = Clock(unsafe { OwnedFd::from_raw_fd(fd.expect("a descriptor")) });
    assert!(clock.time().is_ok() && clock.caps().is_ok());
}

fn threads() {
    let clock = Clock::open(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let own = Clock::open(0);
                for _ in 0..500 {
                    clock.time().expect("a time");
                    own.extended(3).expect("samples");
                }
            });
        }
    });
}

fn closed() {
    let clock = Clock::open(0);
    let (id, fd) = (clock.id(), clock.fd());
    drop(clock);
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one `timespec`.
    let answered = unsafe { libc::clock_gettime(id, &raw mut time) };
    assert_eq!(Errno::result(answered), Err(Errno::EINVAL));
    // SAFETY: the descriptor is closed.
    let answered = unsafe { libc::syscall(libc::SYS_ioctl, fd, libc::PTP_CLOCK_GETCAPS, 0) };
    assert_eq!(answer(answered), Err(Errno::EBADF));
}

fn many() {
    let limit = libc::rlimit { rlim_cur: 1_024, rlim_max: 1_024 };
    // SAFETY: the struct is only read.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    for _ in 0..3 {
        let mut clocks = Vec::new();
        let errno = loop {
            match Clock::open_with(0, libc::O_RDWR) {
                Ok(clock) => clocks.push(clock),
                Err(errno) => break errno,
            }
        };
        assert_eq!(errno, Errno::EMFILE);
        assert!(clocks.len() > 1_000, "{}", clocks.len());
        assert!(clocks.iter().all(|clock| clock.time().is_ok()));
    }
}

fn others() {
    let null = std::fs::File::open("/dev/null").expect("open");
    let mut pipe = [0; 2];
    // SAFETY: the kernel writes two descriptors.
    assert_eq!(unsafe { libc::pipe(pipe.as_mut_ptr()) }, 0);
    for fd in [null.as_raw_fd(), pipe[0], 99_999] {
        // SAFETY: no clock; the kernel refuses it.
        let answered = unsafe { libc::syscall(libc::SYS_ioctl, fd, libc::PTP_CLOCK_GETCAPS, 0) };
        let errno = if fd == 99_999 { Errno::EBADF } else { Errno::ENOTTY };
        assert_eq!(answer(answered), Err(errno), "{fd}");
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the kernel writes one `timespec`.
        let answered = unsafe { libc::clock_gettime((!fd << 3) | 3, &raw mut time) };
        assert_eq!(Errno::result(answered), Err(Errno::EINVAL), "{fd}");
    }
}

fn again() {
    let clock = Clock::open(0);
    let fd = clock.fd();
    drop(clock);
    let file = std::fs::File::open("/dev/null").expect("open");
    assert_eq!(file.as_raw_fd(), fd);
    // SAFETY: no clock any more; the kernel refuses it.
    let answered = unsafe { libc::syscall(libc::SYS_ioctl, fd, libc::PTP_CLOCK_GETCAPS, 0) };
    assert_eq!(answer(answered), Err(Errno::ENOTTY));
}
