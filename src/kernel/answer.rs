//! The errno values that calls answer, including those that the C library has no name for.
//!
//! Drivers answer with a number. Some of the kernel's numbers are not meant for programs:
//! `ENOTSUPP` (524) comes from drivers that mean `EOPNOTSUPP`, and is treated as that here. The
//! number itself stays in the thread's `errno` until the next call.

use super::{Errno, Result};
use nix::errno::ErrnoSentinel;

/// What some drivers answer where they mean `EOPNOTSUPP` (`include/linux/errno.h`).
pub(crate) const ENOTSUPP: i32 = 524;

/// Turns the return value of a system call into a `Result`.
pub(super) fn answer<T: ErrnoSentinel + PartialEq<T>>(value: T) -> Result<T> {
    Errno::result(value).map_err(|errno| meant(errno, Errno::last_raw()))
}

fn meant(errno: Errno, number: i32) -> Errno {
    if number == ENOTSUPP { Errno::EOPNOTSUPP } else { errno }
}

/// Answers a number as a system call does, for a simulator.
#[cfg(feature = "mock")]
pub(crate) fn answer_with(number: i32) -> Errno {
    Errno::set_raw(number);
    meant(Errno::from_raw(number), number)
}

/// Clears `errno` before a call whose [`number_of`] is asked for: a simulator doesn't set it.
pub(crate) fn forget_number() {
    Errno::clear();
}

/// The number behind `errno`, the answer of the last call, as the driver gave it.
pub(crate) fn number_of(errno: Errno) -> i32 {
    match (errno, Errno::last_raw()) {
        (Errno::EOPNOTSUPP, ENOTSUPP) => ENOTSUPP,
        (Errno::UnknownErrno, number) => number,
        _ => errno as i32,
    }
}

/// What the kernel calls an errno, by its number: "EBUSY", and "errno 517" where it has no name that
/// programs know.
pub(crate) fn errno_name(number: i32) -> String {
    match Errno::from_raw(number) {
        _ if number == ENOTSUPP => "ENOTSUPP".into(),
        Errno::UnknownErrno => format!("errno {number}"),
        errno => format!("{errno:?}"),
    }
}

/// An I/O error in the style of the other errors: "No such file or directory (ENOENT)".
#[cfg(any(feature = "cli", feature = "mock"))]
pub(crate) fn in_words(error: &std::io::Error) -> String {
    let text = error.to_string();
    match error.raw_os_error().map(Errno::from_raw) {
        Some(errno) if errno != Errno::UnknownErrno => {
            // The standard library puts the number behind the system's words.
            let words = text.split(" (os error").next().unwrap_or_default();
            format!("{words} ({errno:?})")
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(any(feature = "cli", feature = "mock"))]
    #[test]
    fn a_files_error_has_the_style_of_the_others() {
        let told = |number| in_words(&std::io::Error::from_raw_os_error(number));
        assert_eq!(told(libc::ENOSPC), "No space left on device (ENOSPC)");
        assert_eq!(in_words(&std::io::Error::other("a reason")), "a reason");
    }

    #[cfg(feature = "mock")]
    #[test]
    fn a_number_without_a_name_is_kept() {
        forget_number();
        assert_eq!(number_of(Errno::EOPNOTSUPP), libc::EOPNOTSUPP);
        assert_eq!(answer_with(ENOTSUPP), Errno::EOPNOTSUPP);
        assert_eq!(number_of(Errno::EOPNOTSUPP), ENOTSUPP);
        assert_eq!(answer_with(517), Errno::UnknownErrno);
        assert_eq!(number_of(Errno::UnknownErrno), 517);
        assert_eq!(answer_with(libc::EIO), Errno::EIO);
        assert_eq!(number_of(Errno::EIO), libc::EIO);
    }
}
