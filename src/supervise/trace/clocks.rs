//! Which clock a path or a descriptor of another program leads to.

use libc::{AT_FDCWD, dev_t};
use nix::fcntl::readlink;
use nix::sys::stat::{SFlag, stat};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The clocks that were seen, by the numbers of their devices. A clock keeps its name when its card
/// has gone.
#[derive(Default)]
pub(super) struct Clocks(HashMap<dev_t, Option<String>>);

impl Clocks {
    /// The clock that is open as this descriptor of a thread.
    pub(super) fn open_as(&mut self, thread: i32, descriptor: i32) -> Option<String> {
        self.at(&proc(thread).join("fd").join(descriptor.to_string()))
    }

    /// The clock at a path of a thread's, relative to this folder of it; also one that isn't
    /// there.
    pub(super) fn named(&mut self, thread: i32, folder: i32, path: &[u8]) -> Option<String> {
        let path = Path::new(OsStr::from_bytes(path));
        let inside = if let Ok(path) = path.strip_prefix("/") {
            // It may have another root.
            proc(thread).join("root").join(path)
        } else if folder == AT_FDCWD {
            proc(thread).join("cwd").join(path)
        } else {
            proc(thread).join("fd").join(folder.to_string()).join(path)
        };
        let missing = || {
            let name = path.strip_prefix("/dev").ok()?.to_str()?;
            let number = name.strip_prefix("ptp")?;
            let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| name.to_owned())
        };
        self.at(&inside).or_else(missing)
    }

    fn at(&mut self, path: &Path) -> Option<String> {
        let found = stat(path).ok()?;
        let is_device = SFlag::from_bits_truncate(found.st_mode & SFlag::S_IFMT.bits());
        if is_device != SFlag::S_IFCHR {
            return None;
        }
        self.0.entry(found.st_rdev).or_insert_with(|| name_of(found.st_rdev)).clone()
    }
}

/// The name of the clock that has this number, if it is one.
fn name_of(device: dev_t) -> Option<String> {
    let (major, minor) = (libc::major(device), libc::minor(device));
    let to = readlink(format!("/sys/dev/char/{major}:{minor}").as_str()).ok()?;
    let to = Path::new(&to);
    let is_phc = to.parent().is_some_and(|class| class.ends_with("ptp"));
    is_phc.then(|| to.file_name()?.to_str().map(str::to_owned))?
}

fn proc(thread: i32) -> PathBuf {
    Path::new("/proc").join(thread.to_string())
}
