//! The signals that are sent to this process while it runs another program, which gets them.

use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::os::fd::{AsFd, BorrowedFd};

/// Not passed on to the program: those that no process can catch, that faults and writes of this
/// process raise, and that stop or continue a job, which the program gets from its terminal, too.
const OWN: [Signal; 14] = [
    Signal::SIGKILL,
    Signal::SIGSTOP,
    Signal::SIGTSTP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
    Signal::SIGCONT,
    Signal::SIGSEGV,
    Signal::SIGBUS,
    Signal::SIGILL,
    Signal::SIGFPE,
    Signal::SIGTRAP,
    Signal::SIGSYS,
    Signal::SIGPIPE,
    Signal::SIGXFSZ,
];

/// Signals that are read instead of handled.
pub(super) struct Signals(SignalFd);

impl Signals {
    /// Catches the signals from now on; answers also those that were blocked before.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub(super) fn catch() -> nix::Result<(Self, SigSet)> {
        let mut caught = SigSet::all();
        for signal in OWN {
            caught.remove(signal);
        }
        let blocked_before = caught.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        Ok((Self(SignalFd::with_flags(&caught, flags)?), blocked_before))
    }

    /// The numbers of the signals that have come: `SIGCHLD`, and those that processes have sent.
    /// What the kernel sends, as for a key of the terminal, the program has got, too.
    pub(super) fn came(&self) -> Vec<i32> {
        let all = std::iter::from_fn(|| self.0.read_signal().ok().flatten());
        all.filter_map(|signal| {
            let number = i32::try_from(signal.ssi_signo).ok()?;
            (number == libc::SIGCHLD || signal.ssi_code <= 0).then_some(number)
        })
        .collect()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
