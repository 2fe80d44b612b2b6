//! How much is in a pipe.

#![expect(unsafe_code, reason = "the ioctl takes a raw pointer")]

use std::os::fd::{AsRawFd, BorrowedFd};

/// How many bytes wait to be read, seen from either end.
pub(crate) fn waiting_in(pipe: BorrowedFd<'_>) -> usize {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the kernel writes one `int`.
    let answer = unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &raw mut bytes) };
    if answer == 0 { usize::try_from(bytes).unwrap_or(0) } else { 0 }
}
