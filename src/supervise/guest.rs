//! A thread of the program that has made a call: what it means by a path or a descriptor.

use crate::kernel::Result;
use crate::kernel::supervision::abi::Abi;
use crate::kernel::supervision::listener::{Listener, Notification};
use crate::kernel::supervision::memory::{Memory, Plain};
use crate::kernel::supervision::timex32::cut;
use nix::errno::Errno;
use nix::fcntl::readlink;
use nix::sys::stat::stat;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

/// A thread that waits for the answer to its call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guest<'a> {
    pub(super) call: &'a Notification,
    pub(super) abi: &'static Abi,
    pub(super) listener: &'a Listener,
}

/// An open file of any process: what stays the same when its descriptor is copied or passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    device: u64,
    pub(super) inode: u64,
}

impl Identity {
    pub(super) fn of(status: &libc::stat) -> Self {
        // Their types differ between C libraries.
        #[expect(clippy::useless_conversion, reason = "narrower on 32-bit machines")]
        Self { device: status.st_dev.into(), inode: status.st_ino.into() }
    }
}

/// Folders of sysfs whose links may be those of mock clocks, although the machine has links of the
/// same names.
const LINKS: [&str; 3] = ["/sys/class/ptp", "/sys/class/net", "/sys/dev/char"];
/// The most links that the kernel follows.
const MOST_LINKS: usize = 40;

impl Guest<'_> {
    /// A struct of its memory.
    pub(super) fn read<T: Plain>(&self, from: u64) -> Result<T> {
        let value = self.memory().read(from)?;
        self.check()?;
        Ok(value)
    }

    pub(super) fn write<T: Plain>(&self, to: u64, value: &T) -> Result<()> {
        self.check()?;
        self.memory().write(to, value)
    }

    pub(super) fn write_bytes(&self, to: u64, bytes: &[u8]) -> Result<()> {
        self.check()?;
        self.memory().write_bytes(to, bytes)
    }

    pub(super) fn read_bytes(&self, from: u64, into: &mut [u8]) -> Result<()> {
        self.memory().read_bytes(from, into)?;
        self.check()
    }

    /// A path of its memory.
    pub(super) fn text(&self, from: u64) -> Result<Vec<u8>> {
        let text = self.memory().path(from)?;
        self.check()?;
        Ok(text)
    }

    /// The numbers of threads are used again: what was read was this thread's, and what is written
    /// gets to it, only if it still waits. (It can't go unless somebody kills it.)
    fn check(&self) -> Result<()> {
        if self.listener.still_waits(self.call) { Ok(()) } else { Err(Errno::ESRCH) }
    }

    fn memory(&self) -> Memory {
        Memory(self.call.thread)
    }

    /// An argument of 64 bits.
    pub(super) fn argument(&self, number: usize) -> u64 {
        self.call.arguments.get(number).copied().unwrap_or_default()
    }

    /// An argument that is an `int`.
    pub(super) fn int(&self, number: usize) -> i32 {
        cut(self.argument(number).cast_signed())
    }

    /// The open file behind one of its descriptors.
    pub(super) fn file(&self, descriptor: i32) -> Result<Identity> {
        stat(self.proc("fd").join(descriptor.to_string()).as_path())
            .map(|found| Identity::of(&found))
    }

    /// The path that an argument points to, from the root, without `.`, `..` and links at its end
    /// (unless `follow` is false).
    pub(super) fn path(&self, folder: i32, at: u64, follow: bool) -> Result<PathBuf> {
        let told = PathBuf::from(OsString::from_vec(self.text(at)?));
        let mut path = self.absolute(folder, &told)?;
        if !follow {
            return Ok(path);
        }
        for _ in 0..MOST_LINKS {
            // Where the machine's links lead to is another place than where a mock's do.
            if is_descriptor(&path) || LINKS.iter().any(|folder| path.starts_with(folder)) {
                return Ok(path);
            }
            match readlink(path.as_path()) {
                Ok(to) => {
                    let parent = path.parent().unwrap_or(Path::new("/")).to_owned();
                    path = self.plain(&parent.join(to));
                }
                Err(Errno::ENOENT) => return Ok(in_real_folder(path)),
                Err(_) => return Ok(path),
            }
        }
        Err(Errno::ELOOP)
    }

    /// A path that may be relative to an open folder.
    fn absolute(&self, folder: i32, told: &Path) -> Result<PathBuf> {
        if told.is_absolute() {
            return Ok(self.plain(told));
        }
        let link = if folder == libc::AT_FDCWD {
            self.proc("cwd")
        } else {
            self.proc("fd").join(folder.to_string())
        };
        let base = readlink(link.as_path())?;
        Ok(self.plain(&Path::new(&base).join(told)))
    }

    /// A plain path, in which `/proc/self` is the thread's and not the supervisor's.
    fn plain(&self, path: &Path) -> PathBuf {
        let path = plain(path);
        let own = [("/proc/self", ""), ("/proc/thread-self", ""), ("/dev/fd", "fd")];
        for (own, meant) in own {
            if let Ok(rest) = path.strip_prefix(own) {
                return plain(&self.proc(meant).join(rest));
            }
        }
        path
    }

    fn proc(&self, what: &str) -> PathBuf {
        Path::new("/proc").join(self.call.thread.to_string()).join(what)
    }
}

/// Whether it is a link of a process to a file that it has open: `/proc/PID/fd/N`. Such a link
/// leads to the file itself, not to what its text says.
pub(super) fn is_descriptor(path: &Path) -> bool {
    let folder = path.parent();
    path.starts_with("/proc") && folder.is_some_and(|folder| folder.ends_with("fd"))
}

/// A path without `.`, `..` and double slashes.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::Normal(name) => plain.push(name),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    plain
}

/// A path whose file isn't there, but whose folder may be a link: to /dev, for instance.
fn in_real_folder(path: PathBuf) -> PathBuf {
    let real = |path: &Path| Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    if path.as_os_str().as_bytes().starts_with(b"/sys/") {
        path
    } else {
        real(&path).unwrap_or(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_made_plain_without_looking_at_the_disk() {
        for (told, expected) in [
            ("/dev/ptp0", "/dev/ptp0"),
            ("/dev/../dev//./ptp0", "/dev/ptp0"),
            ("/../..", "/"),
            ("/sys/class/ptp/ptp0/", "/sys/class/ptp/ptp0"),
        ] {
            assert_eq!(plain(Path::new(told)), Path::new(expected), "{told}");
        }
    }
}
