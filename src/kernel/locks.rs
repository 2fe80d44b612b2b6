//! File locks that tell whether the process that wrote a file is still alive.
//!
//! They are open file description locks, not those of `flock`: a process that may only read a file
//! can't lock it against its owner.

#![expect(unsafe_code, reason = "makes a struct that differs between machines")]

use super::Result;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use std::fs::File;

/// Locks a file that is open for writing until it is closed; `false` where another has locked it.
///
/// # Errors
///
/// `ENOLCK` or `EINVAL` where its file system has no locks.
pub(crate) fn lock_as_writer(file: &File) -> Result<bool> {
    match fcntl(file, FcntlArg::F_OFD_SETLK(&whole(libc::F_WRLCK))) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Whether another has locked a file with [`lock_as_writer`].
///
/// # Errors
///
/// As [`lock_as_writer`].
pub(crate) fn has_writer(file: &File) -> Result<bool> {
    let mut lock = whole(libc::F_RDLCK);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock))?;
    Ok(i32::from(lock.l_type) != libc::F_UNLCK)
}

/// A lock of this kind on the whole file.
fn whole(kind: libc::c_int) -> libc::flock {
    // SAFETY: `flock` is integers only; all of them may be 0.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::c_short::try_from(kind).unwrap_or_default();
    lock.l_whence = libc::c_short::try_from(libc::SEEK_SET).unwrap_or_default();
    lock
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg_attr(miri, ignore = "Miri has no such locks")]
    #[test]
    fn a_writer_is_seen_until_it_closes_the_file() {
        let path = std::env::temp_dir().join(format!("ptpctl-locks-{}", std::process::id()));
        let writer = File::create(&path).expect("made");
        let reader = File::open(&path).expect("opened");
        let other = File::options().write(true).open(&path).expect("opened");
        assert_eq!(has_writer(&reader), Ok(false));
        assert_eq!(lock_as_writer(&writer), Ok(true));
        assert_eq!(has_writer(&reader), Ok(true));
        assert_eq!(has_writer(&writer), Ok(false), "a file's own lock isn't reported");
        assert_eq!(lock_as_writer(&other), Ok(false));
        drop(writer);
        assert_eq!(has_writer(&reader), Ok(false));
        std::fs::remove_file(&path).expect("removed");
    }
}
