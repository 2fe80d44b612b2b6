//! Starts a program under a seccomp filter whose listener this process gets.

#![expect(unsafe_code, reason = "forks, and installs a filter in the child")]

use super::listener::{Listener, check_sizes};
use super::tracing;
use crate::kernel::Result;
use libc::sock_filter;
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg,
    sendmsg, socketpair,
};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, execvp, fork};
use std::ffi::CString;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// A program that was started, and its calls.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) process: Pid,
    pub(crate) listener: Listener,
}

/// Why a program could not be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotStarted {
    /// There is no such program, or it may not be run.
    Program(Errno),
    /// This kernel or its settings have no filters with a listener that doesn't repeat calls.
    Filter(Errno),
    /// The process could not be made.
    Process(Errno),
}

/// What the child was doing when it failed: the first byte of its message.
const FILTER: u8 = 1;
const PROGRAM: u8 = 2;

/// Starts `words`, of which the first is found along PATH, under `program`.
///
/// The program has no new privileges: setuid files give it none. Signals that this process ignores
/// or blocks for itself are as they were for it.
pub(crate) fn start(
    words: &[CString],
    program: &[sock_filter],
    blocked_before: &SigSet,
) -> std::result::Result<Started, NotStarted> {
    check_sizes().map_err(NotStarted::Filter)?;
    let (process, ours) = fork_into(words, blocked_before, |theirs| {
        // Without its supervisor it could do little: no file could be opened any more.
        let _ = prctl::set_pdeathsig(Signal::SIGKILL);
        prctl::set_no_new_privs()?;
        let listener = install_with_listener(program)?;
        let fds = [listener.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&fds)];
        let part = [IoSlice::new(&[0])];
        sendmsg::<()>(theirs.as_raw_fd(), &part, &rights, MsgFlags::empty(), None).map(drop)
    })?;
    let listener = match receive(&ours).map_err(NotStarted::Filter)? {
        Message::Listener(fd) => Listener::new(fd),
        Message::Failed(failed) => return Err(failed),
    };
    check_started(&ours)?;
    Ok(Started { process, listener })
}

/// Starts `words` as [`start`] does, watched by ptrace. Where a filter is given, it marks the calls
/// that are to be told.
///
/// Only where filters need that, the program has no new privileges.
pub(crate) fn start_watched(
    words: &[CString],
    filter: Option<&[sock_filter]>,
    blocked_before: &SigSet,
) -> std::result::Result<Pid, NotStarted> {
    let (process, ours) = fork_into(words, blocked_before, |theirs| {
        // This process is watched from here on.
        nix::unistd::read(theirs, &mut [0]).map(drop)?;
        let Some(filter) = filter else { return Ok(()) };
        match install(filter, 0) {
            Err(Errno::EACCES) => {
                prctl::set_no_new_privs()?;
                install(filter, 0).map(drop)
            }
            installed => installed.map(drop),
        }
    })?;
    let watched = tracing::seize(process);
    let told = watched.and_then(|()| nix::unistd::write(&ours, &[0]).map(drop));
    if let Err(errno) = told {
        let _ = send(process, libc::SIGKILL);
        return Err(NotStarted::Process(errno));
    }
    check_started(&ours)?;
    Ok(process)
}

/// Whether somebody answers this process's calls already: then no filter of its own could mark any.
pub(crate) fn is_supervised() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if status.lines().any(|line| line.split_whitespace().eq(["Seccomp:", "0"])) {
        return false;
    }
    // Only one listener can be. A child tries, which ends with its filter.
    // SAFETY: this process has one thread, and the child makes two calls.
    match unsafe { fork() } {
        Ok(ForkResult::Child) => {
            let all = [libc::sock_filter {
                code: u16::try_from(libc::BPF_RET | libc::BPF_K).unwrap_or_default(),
                jt: 0,
                jf: 0,
                k: libc::SECCOMP_RET_ALLOW,
            }];
            let _ = prctl::set_no_new_privs();
            let is_busy = install_with_listener(&all).is_err_and(|errno| errno == Errno::EBUSY);
            // SAFETY: ends the child without the parent's cleaning up.
            unsafe { libc::_exit(i32::from(is_busy)) }
        }
        Ok(ForkResult::Parent { child }) => {
            matches!(waitpid(child, None), Ok(WaitStatus::Exited(_, 1)))
        }
        Err(_) => false,
    }
}

/// Forks. The child does what `prepare` says, with its end of a connection, and becomes the
/// program; it says where it failed.
fn fork_into(
    words: &[CString],
    blocked_before: &SigSet,
    prepare: impl FnOnce(&OwnedFd) -> Result<()>,
) -> std::result::Result<(Pid, OwnedFd), NotStarted> {
    let (ours, theirs) =
        socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
            .map_err(NotStarted::Process)?;
    // SAFETY: this process has one thread, so the child may do all that it could do.
    match unsafe { fork() }.map_err(NotStarted::Process)? {
        ForkResult::Child => {
            drop(ours);
            let (doing, errno) = become_program(words, blocked_before, || prepare(&theirs));
            let [a, b, c, d] = (errno as i32).to_ne_bytes();
            // Where the parent has gone, nobody wants to know.
            let _ = nix::unistd::write(&theirs, &[doing, a, b, c, d]);
            // SAFETY: ends the child without the parent's cleaning up.
            unsafe { libc::_exit(127) }
        }
        ForkResult::Parent { child } => Ok((child, ours)),
    }
}

/// Why the program of this connection could not be started, if that has shown.
///
/// # Errors
///
/// [`NotStarted`], which the child has said.
fn check_started(connection: &OwnedFd) -> std::result::Result<(), NotStarted> {
    match receive(connection) {
        Ok(Message::Failed(failed)) => Err(failed),
        // The program's start ends the connection.
        _ => Ok(()),
    }
}

/// Sends a signal by its number, which may be one of the real-time signals.
pub(crate) fn send(process: Pid, number: i32) -> Result<()> {
    // SAFETY: the call takes no pointer.
    Errno::result(unsafe { libc::kill(process.as_raw(), number) }).map(drop)
}

/// Ends this process by a signal, whatever handler there is for it. Returns where it can't.
pub(crate) fn end_by(number: i32) {
    // SAFETY: no handler is installed; the set is filled in before it is used.
    unsafe {
        libc::signal(number, libc::SIG_DFL);
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, number);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
        libc::raise(number);
    }
}

/// What a signal is called: `SIGTERM`, and `signal 40` where it has no name.
pub(crate) fn signal_name(number: i32) -> String {
    Signal::try_from(number).map_or(format!("signal {number}"), |known| known.to_string())
}

/// In the child: returns only where it failed.
fn become_program(
    words: &[CString],
    blocked_before: &SigSet,
    prepare: impl FnOnce() -> Result<()>,
) -> (u8, Errno) {
    // Rust ignores this signal for itself, and ptpctl the other one.
    for ignored in [Signal::SIGPIPE, Signal::SIGXFSZ] {
        // SAFETY: no handler is installed.
        let _ = unsafe { signal(ignored, SigHandler::SigDfl) };
    }
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(blocked_before), None);
    if let Err(errno) = prepare() {
        return (FILTER, errno);
    }
    let Some(name) = words.first() else { return (PROGRAM, Errno::ENOENT) };
    let Err(errno) = execvp(name, words);
    (PROGRAM, errno)
}

/// Installs the filter. Without `WAIT_KILLABLE_RECV` (before Linux 5.19) a signal would make the
/// program repeat a call that was already answered, so there is no filter without it.
fn install_with_listener(program: &[sock_filter]) -> Result<OwnedFd> {
    let flags =
        libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    let fd = install(program, flags)?;
    // SAFETY: the call answers a new descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(RawFd::try_from(fd).map_err(|_| Errno::EBADF)?) })
}

fn install(program: &[sock_filter], flags: libc::c_ulong) -> Result<libc::c_long> {
    let length = u16::try_from(program.len()).map_err(|_| Errno::E2BIG)?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    // SAFETY: the kernel only reads the program, which outlives the call.
    Errno::result(unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program)
    })
}

/// What the child says.
enum Message {
    Listener(OwnedFd),
    Failed(NotStarted),
}

/// # Errors
///
/// `EPIPE` where the child has ended, or has become the program.
fn receive(connection: &OwnedFd) -> Result<Message> {
    let mut bytes = [0; 8];
    let mut space = nix::cmsg_space!(RawFd);
    let (length, fd) = {
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let received = recvmsg::<()>(
            connection.as_raw_fd(),
            &mut parts,
            Some(&mut space),
            MsgFlags::MSG_CMSG_CLOEXEC,
        )?;
        let fd = received.cmsgs()?.find_map(|message| match message {
            ControlMessageOwned::ScmRights(fds) => fds.first().copied(),
            _ => None,
        });
        (received.bytes, fd)
    };
    if let Some(fd) = fd {
        // SAFETY: the message brought a new descriptor.
        return Ok(Message::Listener(unsafe { OwnedFd::from_raw_fd(fd) }));
    }
    match (length, bytes) {
        (5, [doing, a, b, c, d, ..]) => {
            let errno = Errno::from_raw(i32::from_ne_bytes([a, b, c, d]));
            Ok(Message::Failed(if doing == PROGRAM {
                NotStarted::Program(errno)
            } else {
                NotStarted::Filter(errno)
            }))
        }
        _ => Err(Errno::EPIPE),
    }
}
