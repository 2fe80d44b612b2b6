//! Watches another program by ptrace: its stops, and the calls that it makes.
//!
//! The source is ptrace(2).

#![expect(unsafe_code, reason = "ptrace, and waiting for what it reports")]

use crate::kernel::Result;
use nix::errno::Errno;
use nix::unistd::Pid;

/// Why a thread has stopped, or that it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Before or after a system call.
    Call,
    /// It has become another program.
    NewProgram,
    /// It has started a process or a thread, or has just been started.
    Started,
    /// A signal has stopped its whole process, as the terminal does.
    GroupStop,
    /// It is to get this signal.
    Signal(i32),
    /// It has ended with this status.
    Exited(i32),
    /// It was ended by this signal.
    Killed(i32),
}

/// How a thread goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Until the filter marks a call.
    Run,
    /// Until the next beginning or end of a call.
    ToCall,
}

/// A call that a thread has stopped at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtCall {
    /// It is about to be made.
    Begins { arch: u32, number: u32, arguments: [u64; 6] },
    /// It has returned this value, or failed with this errno's number.
    Ended(std::result::Result<i64, i32>),
    /// It is at no call.
    None,
}

/// `PTRACE_GET_SYSCALL_INFO` of Linux 5.3, and the values of its `op`.
const GET_SYSCALL_INFO: Request = 0x420e;
const ENTRY: u8 = 1;
const EXIT: u8 = 2;
const SECCOMP: u8 = 3;

/// Reports of calls, programs, processes and threads; if this process dies, so does the program,
/// most of whose calls on clocks would fail from then on.
const OPTIONS: libc::c_int = libc::PTRACE_O_TRACESYSGOOD
    | libc::PTRACE_O_TRACESECCOMP
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEEXEC
    | libc::PTRACE_O_EXITKILL;

/// The type of a request's number, which differs between C libraries.
#[cfg(target_env = "musl")]
type Request = libc::c_int;
#[cfg(not(target_env = "musl"))]
type Request = libc::c_uint;

/// Makes a request that takes two numbers.
fn request(what: Request, thread: Pid, address: usize, data: usize) -> Result<()> {
    // SAFETY: the requests of this file take numbers, or a pointer to a buffer of the length that
    // is told with it.
    Errno::result(unsafe { libc::ptrace(what, thread.as_raw(), address, data) }).map(drop)
}

fn number(number: i32) -> usize {
    usize::try_from(number).unwrap_or_default()
}

/// Begins to watch a process, and all that it will start.
///
/// # Errors
///
/// `EPERM` where this process may not.
pub(crate) fn seize(process: Pid) -> Result<()> {
    request(libc::PTRACE_SEIZE, process, 0, number(OPTIONS))
}

/// Becomes the tracer of a thread, which goes on as before; [`interrupt`] and [`let_go`] end that.
///
/// # Errors
///
/// `EPERM` where it has one, or where this process may not.
pub(crate) fn attach(thread: Pid) -> Result<()> {
    request(libc::PTRACE_SEIZE, thread, 0, 0)
}

/// Lets a thread stop, before it returns from the call that it is in.
///
/// # Errors
///
/// `ESRCH` where it has been killed meanwhile.
pub(crate) fn interrupt(thread: Pid) -> Result<()> {
    request(libc::PTRACE_INTERRUPT, thread, 0, 0)
}

/// Lets a thread that has stopped for this reason go on without a tracer.
///
/// # Errors
///
/// `ESRCH` where it has been killed meanwhile.
pub(crate) fn let_go(thread: Pid, why: Event) -> Result<()> {
    let signal = if let Event::Signal(signal) = why { signal } else { 0 };
    request(libc::PTRACE_DETACH, thread, 0, number(signal))
}

/// Lets a thread go on; it gets this signal, or none for 0.
///
/// # Errors
///
/// `ESRCH` where it has been killed meanwhile.
pub(crate) fn go_on(thread: Pid, next: Next, signal: i32) -> Result<()> {
    let what = match next {
        Next::Run => libc::PTRACE_CONT,
        Next::ToCall => libc::PTRACE_SYSCALL,
    };
    request(what, thread, 0, number(signal))
}

/// Leaves a thread stopped until its process is continued.
///
/// # Errors
///
/// `ESRCH` where it has been killed meanwhile.
pub(crate) fn stay_stopped(thread: Pid) -> Result<()> {
    request(libc::PTRACE_LISTEN, thread, 0, 0)
}

/// What call a thread has stopped at.
///
/// # Errors
///
/// `EIO` before Linux 5.3.
pub(crate) fn at_call(thread: Pid) -> Result<AtCall> {
    let mut info = [0_u8; 88];
    let at = info.as_mut_ptr() as usize;
    request(GET_SYSCALL_INFO, thread, size_of_val(&info), at)?;
    let word = |place: usize| {
        let bytes = info.get(place..place + 8).and_then(|bytes| bytes.try_into().ok());
        u64::from_ne_bytes(bytes.unwrap_or_default())
    };
    let arch = info.get(4..8).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
    Ok(match info.first() {
        Some(&(ENTRY | SECCOMP)) => AtCall::Begins {
            arch: u32::from_ne_bytes(arch),
            number: u32::try_from(word(24)).unwrap_or(u32::MAX),
            arguments: [32, 40, 48, 56, 64, 72].map(word),
        },
        Some(&EXIT) => {
            let value = word(24).cast_signed();
            let failed = info.get(32).is_some_and(|is_error| *is_error != 0);
            let number = || i32::try_from(-value).unwrap_or(i32::MAX);
            AtCall::Ended(if failed { Err(number()) } else { Ok(value) })
        }
        _ => AtCall::None,
    })
}

/// The next thread or child that has stopped or ended. Where none has at present, this waits, or
/// answers `None`.
///
/// # Errors
///
/// `ECHILD` where none is left, `EINTR`.
pub(crate) fn next(waits: bool) -> Result<Option<(Pid, Event)>> {
    let mut status = 0;
    let options = libc::__WALL | if waits { 0 } else { libc::WNOHANG };
    // SAFETY: the kernel fills in one number.
    let thread = unsafe { libc::waitpid(-1, &raw mut status, options) };
    let thread = Errno::result(thread)?;
    if thread == 0 {
        return Ok(None);
    }
    Ok(Some((Pid::from_raw(thread), event(status))))
}

fn event(status: i32) -> Event {
    if libc::WIFEXITED(status) {
        return Event::Exited(libc::WEXITSTATUS(status));
    }
    if libc::WIFSIGNALED(status) {
        return Event::Killed(libc::WTERMSIG(status));
    }
    let signal = libc::WSTOPSIG(status);
    match (status >> 16, signal) {
        (libc::PTRACE_EVENT_SECCOMP, _) => Event::Call,
        (libc::PTRACE_EVENT_EXEC, _) => Event::NewProgram,
        (
            libc::PTRACE_EVENT_STOP,
            libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU,
        ) => Event::GroupStop,
        (0, signal) if signal == libc::SIGTRAP | 0x80 => Event::Call,
        (0, signal) => Event::Signal(signal),
        _ => Event::Started,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_tells_why_a_thread_has_stopped() {
        let stopped = |signal: i32, event: i32| event << 16 | signal << 8 | 0x7f;
        for (status, expected) in [
            (7 << 8, Event::Exited(7)),
            (libc::SIGKILL, Event::Killed(libc::SIGKILL)),
            (stopped(libc::SIGTRAP, libc::PTRACE_EVENT_SECCOMP), Event::Call),
            (stopped(libc::SIGTRAP | 0x80, 0), Event::Call),
            (stopped(libc::SIGTRAP, 0), Event::Signal(libc::SIGTRAP)),
            (stopped(libc::SIGTRAP, libc::PTRACE_EVENT_EXEC), Event::NewProgram),
            (stopped(libc::SIGTRAP, libc::PTRACE_EVENT_CLONE), Event::Started),
            (stopped(libc::SIGTRAP, libc::PTRACE_EVENT_STOP), Event::Started),
            (stopped(libc::SIGTSTP, libc::PTRACE_EVENT_STOP), Event::GroupStop),
            // A real-time signal.
            (stopped(40, 0), Event::Signal(40)),
        ] {
            assert_eq!(event(status), expected, "{status:#x}");
        }
    }
}
