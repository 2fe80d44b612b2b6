//! Signals that end a command: caught, so that it can put back what it changed first.

#![expect(unsafe_code, reason = "installs a signal handler and lends its pipe to it")]

use super::Result;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::pipe2;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

/// The signals that end a process by default, except SIGKILL, those that a processor fault raises,
/// and the real-time signals.
const ENDING: [libc::c_int; 13] = [
    libc::SIGINT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGXCPU,
    libc::SIGVTALRM,
    libc::SIGPROF,
    libc::SIGIO,
    libc::SIGPWR,
    libc::SIGABRT,
    libc::SIGALRM,
];

fn caught() -> impl Iterator<Item = libc::c_int> {
    // Some architectures don't have this signal; nothing in the kernel sends it.
    #[cfg(not(any(target_arch = "mips", target_arch = "mips64", target_arch = "sparc64")))]
    let more = [libc::SIGSTKFLT];
    #[cfg(any(target_arch = "mips", target_arch = "mips64", target_arch = "sparc64"))]
    let more = [];
    ENDING.into_iter().chain(more).chain(libc::SIGRTMIN()..=libc::SIGRTMAX())
}

/// The signal that came; 0 for none.
static CAME: AtomicI32 = AtomicI32::new(0);
/// The pipe's end that the handler writes to; -1 for none.
static PIPE: AtomicI32 = AtomicI32::new(-1);

extern "C" fn handle(signal: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: the kernel hands a valid struct to a handler with SA_SIGINFO.
    let is_from_the_kernel = unsafe { info.as_ref() }.is_some_and(|info| info.si_code > 0);
    if signal == libc::SIGALRM && is_from_the_kernel {
        return; // From our timer, whose only purpose is to interrupt a blocked call.
    }
    let errno = Errno::last_raw();
    CAME.store(signal, Ordering::SeqCst);
    // SAFETY: `write` is async-signal-safe; a full or closed pipe only answers an errno.
    unsafe { libc::write(PIPE.load(Ordering::SeqCst), [0_u8].as_ptr().cast(), 1) };
    Errno::set_raw(errno);
}

/// From now on, writing beyond the limit of a file's size (`ulimit -f`) fails with `EFBIG`, as
/// writing to a full disk does, instead of ending the process by SIGXFSZ.
///
/// # Errors
///
/// None that are known.
pub fn ignore_file_size_limit() -> Result<()> {
    let ignored = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    // SAFETY: no handler is installed.
    unsafe { sigaction(Signal::SIGXFSZ, &ignored) }.map(drop)
}

/// Whether this process was stopped and continued.
static WENT_ON: AtomicBool = AtomicBool::new(false);

extern "C" fn note_going_on(_: libc::c_int) {
    WENT_ON.store(true, Ordering::SeqCst);
}

/// From now on, notes when the process is continued after a stop (SIGCONT).
///
/// # Errors
///
/// The errors of `sigaction`.
pub fn notice_going_on() -> Result<()> {
    let handler = SigHandler::Handler(note_going_on);
    let noted = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler only touches an atomic.
    unsafe { sigaction(Signal::SIGCONT, &noted) }.map(drop)
}

/// Whether the process was stopped and continued since the last call of this.
pub fn went_on() -> bool {
    WENT_ON.swap(false, Ordering::SeqCst)
}

/// Makes SIGALRM come every second, or stops it.
fn tick(on: bool) {
    let every = libc::timeval { tv_sec: on.into(), tv_usec: 0 };
    let timer = libc::itimerval { it_interval: every, it_value: every };
    // SAFETY: `timer` outlives the call; the old value isn't asked for.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
}

/// The signals that end a process, caught while this lives.
///
/// A blocked call is interrupted by them, and [`Signals::fd`] becomes readable for `poll`. As long
/// as this lives, a timer interrupts blocked calls every second as well: a signal may come just
/// before a call blocks, and before Linux 6.7 another reader can take the events that a `read`
/// waits for. There can be one of these at a time.
#[derive(Debug)]
pub struct Signals {
    before: Vec<(libc::c_int, libc::sigaction)>,
    reader: OwnedFd,
    _writer: OwnedFd,
}

impl Signals {
    /// Starts to catch the signals. Those that are ignored (`nohup`) stay ignored.
    ///
    /// # Errors
    ///
    /// `EMFILE` where no file descriptor is left, `EBUSY` where they are caught already.
    pub fn catch() -> Result<Self> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        let pipe = writer.as_raw_fd();
        PIPE.compare_exchange(-1, pipe, Ordering::SeqCst, Ordering::SeqCst)
            .map_err(|_| Errno::EBUSY)?;
        CAME.store(0, Ordering::SeqCst);
        let mut signals = Self { before: Vec::new(), reader, _writer: writer };
        for signal in caught() {
            let before = replace_action(signal, None)?;
            if before.sa_sigaction != libc::SIG_IGN {
                replace_action(signal, Some(&ours()))?;
                signals.before.push((signal, before));
            }
        }
        tick(true);
        Ok(signals)
    }

    /// Whether one of the signals came to this process while it caught them.
    pub fn any_came() -> bool {
        CAME.load(Ordering::SeqCst) != 0
    }

    /// Readable once a signal came.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }

    /// The number of the signal that came, if one did.
    pub fn came(&self) -> Option<i32> {
        Some(CAME.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }

    /// Ends the process by the signal that came, as if it had never been caught.
    ///
    /// Returns where no signal came.
    pub fn end_by_it(self) {
        let came = self.came();
        drop(self);
        if let Some(signal) = came {
            // SAFETY: the call takes no pointer.
            unsafe { libc::raise(signal) };
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        tick(false);
        for (signal, before) in &self.before {
            let _ = replace_action(*signal, Some(before));
        }
        PIPE.store(-1, Ordering::SeqCst);
    }
}

/// Our action for the signals. It is without `SA_RESTART`, so that a blocked `read` ends.
fn ours() -> libc::sigaction {
    // SAFETY: `sigaction` is integers and a pointer that may all be 0.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = handle;
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = libc::SA_SIGINFO;
    action
}

/// Returns the action for a signal, and replaces it where `action` is given.
fn replace_action(
    signal: libc::c_int,
    action: Option<&libc::sigaction>,
) -> Result<libc::sigaction> {
    // SAFETY: `sigaction` is integers and a pointer that may all be 0.
    let mut before: libc::sigaction = unsafe { std::mem::zeroed() };
    let action = action.map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: both structs outlive the call; our handler only touches atomics and calls `write`,
    // and every other one was there before.
    Errno::result(unsafe { libc::sigaction(signal, action, &raw mut before) })?;
    Ok(before)
}

/// A file to which a caught signal interrupts writing. A reader that has stopped reading must not
/// keep the program from ending, whether it writes before the signal or after it.
#[derive(Debug)]
pub struct Interruptible<T>(pub T);

/// How much a pipe takes at once where `poll` says that it is writable (`PIPE_BUF`).
const AT_ONCE: usize = 4_096;
/// How long a slow reader has after a signal, in milliseconds.
const GRACE: u16 = 1_000;

impl<T: AsFd> Write for Interruptible<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let ended = || Err(io::Error::other("a signal ended it"));
        let mut bytes = bytes;
        if Signals::any_came() {
            let mut room = [PollFd::new(self.0.as_fd(), PollFlags::POLLOUT)];
            if poll(&mut room, PollTimeout::from(GRACE)).is_ok_and(|ready| ready == 0) {
                return ended();
            }
            bytes = bytes.get(..AT_ONCE).unwrap_or(bytes);
        }
        match nix::unistd::write(&self.0, bytes) {
            Err(Errno::EINTR) if Signals::any_came() => ended(),
            other => other.map_err(io::Error::from),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
