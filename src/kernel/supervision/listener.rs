//! The calls of other programs, as a seccomp listener gets them, and the answers.
//!
//! The source is `seccomp_unotify`(2).

#![expect(unsafe_code, reason = "the listener's ioctls take raw pointers")]

use crate::kernel::Result;
use crate::kernel::uapi::Request;
use libc::{seccomp_notif, seccomp_notif_addfd, seccomp_notif_resp, seccomp_notif_sizes};
use nix::errno::Errno;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// The notifications of a filter.
#[derive(Debug)]
pub(crate) struct Listener(OwnedFd);

/// A system call that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Notification {
    id: u64,
    /// The thread that makes it.
    pub(crate) thread: i32,
    /// `AUDIT_ARCH_…` of the program.
    pub(crate) arch: u32,
    pub(crate) number: u32,
    pub(crate) arguments: [u64; 6],
}

/// `SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP`: the one who is answered runs on this processor at once.
const SYNC_WAKE_UP: libc::c_ulong = 1;

/// `SECCOMP_USER_NOTIF_FLAG_CONTINUE` and `SECCOMP_ADDFD_FLAG_SEND`, in the width of their fields.
const CONTINUE: u32 = 1 << 0;
const SEND: u32 = 1 << 1;

/// Whether this kernel's structs are as long as those here.
///
/// # Errors
///
/// `ENOSYS` without seccomp, `EINVAL` before Linux 5.0, `EOVERFLOW` where they are longer.
pub(crate) fn check_sizes() -> Result<()> {
    let mut sizes =
        seccomp_notif_sizes { seccomp_notif: 0, seccomp_notif_resp: 0, seccomp_data: 0 };
    let operation = libc::SECCOMP_GET_NOTIF_SIZES;
    // SAFETY: the kernel fills in one struct.
    let answer = unsafe { libc::syscall(libc::SYS_seccomp, operation, 0, &raw mut sizes) };
    Errno::result(answer)?;
    let fits = usize::from(sizes.seccomp_notif) <= size_of::<seccomp_notif>()
        && usize::from(sizes.seccomp_notif_resp) <= size_of::<seccomp_notif_resp>();
    if fits { Ok(()) } else { Err(Errno::EOVERFLOW) }
}

impl Listener {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        let listener = Self(fd);
        // Linux 6.6 has it; without it the answers only take longer.
        // SAFETY: the kernel takes the flags by value.
        unsafe {
            libc::ioctl(listener.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP)
        };
        listener
    }

    fn ioctl<T>(&self, request: Request, argument: &mut T) -> Result<i32> {
        // SAFETY: every caller in this file passes the struct that the request is defined for.
        Errno::result(unsafe { libc::ioctl(self.0.as_raw_fd(), request, &raw mut *argument) })
    }

    /// The next call, for which this waits.
    ///
    /// # Errors
    ///
    /// `ENOENT` where the program was killed meanwhile, `EINTR`.
    pub(crate) fn receive(&self) -> Result<Notification> {
        let data = libc::seccomp_data { nr: 0, arch: 0, instruction_pointer: 0, args: [0; 6] };
        let mut notification = seccomp_notif { id: 0, pid: 0, flags: 0, data };
        self.ioctl(libc::SECCOMP_IOCTL_NOTIF_RECV, &mut notification)?;
        Ok(Notification {
            id: notification.id,
            thread: notification.pid.cast_signed(),
            arch: notification.data.arch,
            number: notification.data.nr.cast_unsigned(),
            arguments: notification.data.args,
        })
    }

    /// Whether the call still waits: then its thread has not gone, and its number names no other.
    pub(crate) fn still_waits(&self, notification: &Notification) -> bool {
        self.ioctl(libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &mut { notification.id }).is_ok()
    }

    /// Answers: the call returns this value, or fails with this errno's number.
    ///
    /// # Errors
    ///
    /// `ENOENT` where the program was killed meanwhile.
    pub(crate) fn answer(
        &self,
        notification: &Notification,
        answer: std::result::Result<i64, i32>,
    ) -> Result<()> {
        let (val, error) = match answer {
            Ok(value) => (value, 0),
            Err(number) => (0, -number),
        };
        let mut response = seccomp_notif_resp { id: notification.id, val, error, flags: 0 };
        self.ioctl(libc::SECCOMP_IOCTL_NOTIF_SEND, &mut response).map(drop)
    }

    /// Lets the kernel make the call.
    ///
    /// # Errors
    ///
    /// `ENOENT` where the program was killed meanwhile.
    pub(crate) fn go_on(&self, notification: &Notification) -> Result<()> {
        let flags = CONTINUE;
        let mut response = seccomp_notif_resp { id: notification.id, val: 0, error: 0, flags };
        self.ioctl(libc::SECCOMP_IOCTL_NOTIF_SEND, &mut response).map(drop)
    }

    /// Answers with a descriptor, of which the program gets a copy.
    ///
    /// # Errors
    ///
    /// `ENOENT` where the program was killed meanwhile, `EMFILE` where it has no room.
    pub(crate) fn answer_with(
        &self,
        notification: &Notification,
        fd: BorrowedFd<'_>,
        close_on_exec: bool,
    ) -> Result<i32> {
        let mut added = seccomp_notif_addfd {
            id: notification.id,
            flags: SEND,
            srcfd: fd.as_raw_fd().cast_unsigned(),
            newfd: 0,
            newfd_flags: if close_on_exec { libc::O_CLOEXEC.cast_unsigned() } else { 0 },
        };
        self.ioctl(libc::SECCOMP_IOCTL_NOTIF_ADDFD, &mut added)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
