//! Signals that end a command: caught, so that it can put back what it changed first.

#![expect(unsafe_code, reason = "installs a signal handler and lends its pipe to it")]

use super::Result;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};
use nix::unistd::pipe2;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

const CAUGHT: [Signal; 5] =
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGALRM];

/// The signal that came; 0 for none.
static CAME: AtomicI32 = AtomicI32::new(0);
/// The pipe's end that the handler writes to; -1 for none.
static PIPE: AtomicI32 = AtomicI32::new(-1);

extern "C" fn handle(signal: libc::c_int) {
    if signal == libc::SIGALRM {
        return; // It has interrupted what waited; that is all.
    }
    let errno = Errno::last_raw();
    CAME.store(signal, Ordering::SeqCst);
    // SAFETY: `write` is async-signal-safe; a full or closed pipe only answers an errno.
    unsafe { libc::write(PIPE.load(Ordering::SeqCst), [0_u8].as_ptr().cast(), 1) };
    Errno::set_raw(errno);
}

/// Whether this process was stopped and goes on.
static WENT_ON: AtomicBool = AtomicBool::new(false);

extern "C" fn note_going_on(_: libc::c_int) {
    WENT_ON.store(true, Ordering::SeqCst);
}

/// Has it noticed from now on when the process was stopped and goes on.
///
/// # Errors
///
/// What `sigaction` answers.
pub fn notice_going_on() -> Result<()> {
    let handler = SigHandler::Handler(note_going_on);
    let noted = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler only touches an atomic.
    unsafe { sigaction(Signal::SIGCONT, &noted) }.map(drop)
}

/// Whether the process was stopped and goes on since this was asked last.
pub fn went_on() -> bool {
    WENT_ON.swap(false, Ordering::SeqCst)
}

/// Has SIGALRM come every second, or no more.
fn tick(on: bool) {
    let every = libc::timeval { tv_sec: on.into(), tv_usec: 0 };
    let timer = libc::itimerval { it_interval: every, it_value: every };
    // SAFETY: `timer` outlives the call; the old value isn't asked for.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
}

/// SIGINT, SIGTERM, SIGHUP and SIGQUIT, caught while this lives.
///
/// A blocked call is interrupted by them, and [`Signals::fd`] becomes readable for `poll`. As long
/// as this lives, a timer interrupts blocked calls every second as well: a signal may come just
/// before a call blocks, and before Linux 6.7 another reader can take the events that a `read`
/// goes for. There can be one of these at a time.
#[derive(Debug)]
pub struct Signals {
    before: Vec<(Signal, SigAction)>,
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
        // Without SA_RESTART: a `read` that waits must end.
        let ours = SigAction::new(SigHandler::Handler(handle), SaFlags::empty(), SigSet::empty());
        let mut signals = Self { before: Vec::new(), reader, _writer: writer };
        for signal in CAUGHT {
            // SAFETY: the handler only touches atomics and calls `write`.
            let before = unsafe { sigaction(signal, &ours) }?;
            signals.before.push((signal, before));
            if matches!(before.handler(), SigHandler::SigIgn) {
                // SAFETY: this puts back the disposition that was there.
                unsafe { sigaction(signal, &before) }?;
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

    /// The signal that came, if one did.
    pub fn came(&self) -> Option<Signal> {
        Signal::try_from(CAME.load(Ordering::SeqCst)).ok()
    }

    /// Ends the process by the signal that came, as if it had never been caught.
    ///
    /// Returns where no signal came.
    pub fn end_by_it(self) {
        let came = self.came();
        drop(self);
        if let Some(signal) = came {
            let _ = raise(signal);
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        tick(false);
        for (signal, before) in &self.before {
            // SAFETY: this puts back the disposition that was there.
            let _ = unsafe { sigaction(*signal, before) };
        }
        PIPE.store(-1, Ordering::SeqCst);
    }
}

/// A file whose writing a signal that was caught interrupts: a reader that has stopped reading must
/// not keep a program from ending.
#[derive(Debug)]
pub struct Interruptible<T>(pub T);

impl<T: AsFd> Write for Interruptible<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match nix::unistd::write(&self.0, bytes) {
            Err(Errno::EINTR) if Signals::any_came() => Err(io::Error::other("a signal ended it")),
            other => other.map_err(io::Error::from),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
