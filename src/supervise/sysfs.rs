//! The folders and attributes of the clocks in sysfs, as a tree of files elsewhere.
//!
//! The tree has folders, links and empty files. What an attribute says is asked when it is opened.

use super::clocks::{Clock, Clocks};
use crate::kernel::supervision::status::Status;
use crate::kernel::{Calls, Result};
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2, readlink};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use nix::unistd::mkdtemp;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

/// The files of the clocks.
pub(super) struct Sysfs {
    /// The folder that holds them, and is removed at the end.
    folder: PathBuf,
    root: OwnedFd,
    /// What the files say, by their path in the tree.
    attributes: HashMap<PathBuf, Attribute>,
    /// The number that all character devices of PHCs have in common.
    major: u32,
    /// The folders in which all files are ours.
    own: Vec<PathBuf>,
}

enum Attribute {
    /// It always says this.
    Fixed(String),
    /// The clock at this place is asked.
    Of(usize, String),
}

/// Where the cards of the clocks are.
const CARDS: &str = "sys/devices/virtual/ptpctl";

impl Sysfs {
    /// # Errors
    ///
    /// Those of making files in the folder for temporary files.
    pub(super) fn new(clocks: &Clocks, major: u32) -> io::Result<Self> {
        let folder = mkdtemp(&std::env::temp_dir().join("ptpctl-sysfs-XXXXXX"))?;
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = open(&folder, flags, Mode::empty())?;
        let own = vec!["/sys/class/ptp".into(), Path::new("/").join(CARDS)];
        let mut sysfs = Self { folder, root, attributes: HashMap::new(), major, own };
        fs::create_dir_all(sysfs.folder.join("sys/class/ptp"))?;
        for (place, clock) in clocks.0.iter().enumerate() {
            sysfs.add(place, clock)?;
        }
        Ok(sysfs)
    }

    /// Makes the files of the clock at this place.
    ///
    /// # Errors
    ///
    /// Those of making files.
    pub(super) fn add(&mut self, place: usize, clock: &Clock) -> io::Result<()> {
        let (name, numbers) = (clock.name(), format!("{}:{}", self.major, clock.index));
        let card = Path::new(CARDS).join(format!("card{}", clock.card));
        let own = card.join("ptp").join(&name);
        fs::create_dir_all(self.folder.join(own.join("pins")))?;
        self.link(&own.join("device"), &card)?;
        self.link(&Path::new("sys/class/ptp").join(&name), &own)?;
        let of_number = Path::new("sys/dev/char").join(&numbers);
        self.link(&of_number, &own)?;
        self.own.push(Path::new("/").join(of_number));
        self.fixed(own.join("dev"), format!("{numbers}\n"))?;
        let event = format!("MAJOR={}\nMINOR={}\nDEVNAME={name}\n", self.major, clock.index);
        self.fixed(own.join("uevent"), event)?;
        if let Some(interface) = &clock.interface {
            let network = card.join("net").join(&interface.name);
            fs::create_dir_all(self.folder.join(&network))?;
            self.link(&network.join("device"), &card)?;
            let of_class = Path::new("sys/class/net").join(&interface.name);
            self.link(&of_class, &network)?;
            self.own.push(Path::new("/").join(of_class));
        }
        if let Some(driver) = clock.driver() {
            let driver = Path::new("sys/bus/virtual/drivers").join(driver);
            fs::create_dir_all(self.folder.join(&driver))?;
            self.link(&card.join("driver"), &driver)?;
        }
        for attribute in clock.mock.attribute_names() {
            let path = match attribute.strip_prefix("device/") {
                Some(name) => card.join(name),
                None => own.join(&attribute),
            };
            // A recorded pin may have any name, also one that another pin has.
            let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
            if is_plain
                && !self.attributes.contains_key(&path)
                && attribute.matches('/').count() < 2
            {
                self.file(path, Attribute::Of(place, attribute))?;
            }
        }
        Ok(())
    }

    /// The files of a clock go with its card.
    pub(super) fn remove(&mut self, clock: &Clock) {
        let name = clock.name();
        let card = Path::new(CARDS).join(format!("card{}", clock.card));
        let numbers = format!("{}:{}", self.major, clock.index);
        let mut links =
            vec![Path::new("sys/class/ptp").join(name), Path::new("sys/dev/char").join(numbers)];
        if let Some(interface) = &clock.interface {
            links.push(Path::new("sys/class/net").join(&interface.name));
        }
        // What can't be removed stays without what it led to.
        for link in links {
            let _ = fs::remove_file(self.folder.join(link));
        }
        let _ = fs::remove_dir_all(self.folder.join(&card));
        self.attributes.retain(|path, _| !path.starts_with(&card));
    }

    fn fixed(&mut self, path: PathBuf, text: String) -> io::Result<()> {
        self.file(path, Attribute::Fixed(text))
    }

    fn file(&mut self, path: PathBuf, attribute: Attribute) -> io::Result<()> {
        File::create_new(self.folder.join(&path))?;
        self.attributes.insert(path, attribute);
        Ok(())
    }

    /// Makes a link, relative as sysfs has them.
    fn link(&self, at: &Path, to: &Path) -> io::Result<()> {
        let folder = at.parent().unwrap_or(Path::new(""));
        fs::create_dir_all(self.folder.join(folder))?;
        let up: PathBuf = folder.components().map(|_| "..").collect();
        symlink(up.join(to), self.folder.join(at))
    }

    /// The path in sysfs that is meant: also one below a folder of the tree that is open.
    fn meant<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        let path = match path.strip_prefix(&self.folder) {
            Ok(inside) => return Some(inside),
            Err(_) => path,
        };
        let is_own = self.own.iter().any(|own| path.starts_with(own));
        is_own.then(|| path.strip_prefix("/").ok()).flatten()
    }

    /// Finds a file, if it is one of the clocks'.
    fn find(&self, path: &Path, follow: bool) -> Option<Result<OwnedFd>> {
        let path = self.meant(path)?;
        let last = if follow { OFlag::empty() } else { OFlag::O_NOFOLLOW };
        let how = OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_CLOEXEC | last)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT);
        match openat2(&self.root, path, how) {
            // An interface that the machine has, too, keeps its other files.
            Err(Errno::ENOENT) if path.starts_with("sys/class/net") => None,
            found => Some(found),
        }
    }

    /// Opens a file, if it is one of the clocks'; `clocks` says what is in it.
    pub(super) fn open(
        &self,
        clocks: &Clocks,
        path: &Path,
        flags: OFlag,
    ) -> Option<Result<OwnedFd>> {
        let found = match self.find(path, !flags.contains(OFlag::O_NOFOLLOW))? {
            Ok(found) => found,
            Err(errno) => return Some(Err(errno)),
        };
        Some(self.opened(clocks, found.as_fd(), flags))
    }

    fn opened(&self, clocks: &Clocks, found: BorrowedFd<'_>, flags: OFlag) -> Result<OwnedFd> {
        if flags.contains(OFlag::O_CREAT | OFlag::O_EXCL) {
            return Err(Errno::EEXIST);
        }
        let link = PathBuf::from(format!("/proc/self/fd/{}", found.as_raw_fd()));
        let is_folder = is(&fstat(found)?, SFlag::S_IFDIR);
        if is_folder {
            if flags.intersects(OFlag::O_WRONLY | OFlag::O_RDWR) {
                return Err(Errno::EISDIR);
            }
            return open(&link, OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty());
        }
        if flags.contains(OFlag::O_DIRECTORY) {
            return Err(Errno::ENOTDIR);
        }
        // In sysfs only root may write.
        if flags.intersects(OFlag::O_WRONLY | OFlag::O_RDWR) {
            return Err(Errno::EACCES);
        }
        let target = readlink(&link)?;
        let inside = Path::new(&target).strip_prefix(&self.folder).map_err(|_| Errno::ENOENT)?;
        let text = match self.attributes.get(inside).ok_or(Errno::ENOENT)? {
            Attribute::Fixed(text) => text.clone(),
            Attribute::Of(place, name) => {
                let clock = clocks.get(*place).ok_or(Errno::ENODEV)?;
                format!("{}\n", clock.mock.attribute(name)?)
            }
        };
        let file = memfd_create("attribute", MFdFlags::MFD_CLOEXEC)?;
        let written =
            File::from(file.try_clone().map_err(|_| Errno::EMFILE)?).write_all(text.as_bytes());
        written.map_err(|_| Errno::EIO)?;
        // For reading only, and from its beginning.
        let again = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        open(&again, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
    }

    /// What `stat` says of a file, if it is one of the clocks'.
    pub(super) fn status(&self, path: &Path, follow: bool) -> Option<Result<Status>> {
        Some(self.find(path, follow)?.and_then(fstat).map(|found| Status::of(&found)))
    }

    /// Where a link leads to, if it is one of the clocks'.
    pub(super) fn link_at(&self, path: &Path) -> Option<Result<OsString>> {
        let found = self.find(path, false)?;
        Some(found.and_then(|found| {
            if is(&fstat(&found)?, SFlag::S_IFLNK) {
                nix::fcntl::readlinkat(&found, "")
            } else {
                Err(Errno::EINVAL)
            }
        }))
    }
}

fn is(found: &FileStat, kind: SFlag) -> bool {
    SFlag::from_bits_truncate(found.st_mode & SFlag::S_IFMT.bits()) == kind
}

impl Drop for Sysfs {
    fn drop(&mut self) {
        // Where it can't be removed, the system removes it from the folder for temporary files.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
