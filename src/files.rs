//! Opens files to write to: regular files, pipes, terminals and `/dev/null`, and nothing else.
//!
//! A mistyped name must not overwrite a disk, and a name that the user didn't type must not start
//! a watchdog. So the path is checked before it is opened, and the opened file is checked again.

use nix::sys::statfs::{Statfs, fstatfs, statfs};
use std::fs::{self, File, Metadata, OpenOptions};
#[cfg(feature = "cli")]
use std::io::Read;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Opens a file to write to it, as `options` say, with further `flags` of `open`.
///
/// # Errors
///
/// The errors of the file's calls; `InvalidInput` for what must not be written to: a folder, a
/// device other than a terminal and `/dev/null`, a socket other than standard output, an attribute
/// of the kernel, a missing file in `/dev`.
pub(crate) fn open(path: &Path, options: &OpenOptions, flags: i32) -> io::Result<File> {
    match fs::metadata(path) {
        Ok(found) if found.file_type().is_socket() => return standard_output(&found),
        Ok(found) => check_kind(&found)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => check_place(path)?,
        Err(error) => return Err(error),
    }
    let file = options.clone().custom_flags(flags | libc::O_NOCTTY).open(path)?;
    // Another file may have taken its place meanwhile.
    check_kind(&file.metadata()?)?;
    if fstatfs(&file).is_ok_and(|found| is_of_the_kernel(&found)) {
        return Err(refused("it is an attribute of the kernel"));
    }
    Ok(file)
}

/// Refuses an existing file that [`open`] would refuse, without opening it.
///
/// # Errors
///
/// `InvalidInput` for such a file; the errors of `stat`.
#[cfg(feature = "cli")]
pub(crate) fn check(path: &Path) -> io::Result<()> {
    let found = fs::metadata(path)?;
    if found.file_type().is_socket() {
        return standard_output(&found).map(drop);
    }
    check_kind(&found)
}

/// Opens a file, or a pipe, to read it. Opening a device can do harm, so this looks first.
///
/// # Errors
///
/// `InvalidInput` for anything else; the errors of opening.
#[cfg(feature = "mock")]
pub(crate) fn open_to_read(path: &Path) -> io::Result<File> {
    let kind = fs::metadata(path)?.file_type();
    if kind.is_file() || kind.is_fifo() {
        return File::open(path);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it is neither a file nor a pipe"))
}

/// The longest text that people write, in bytes.
#[cfg(feature = "cli")]
const LONGEST_TEXT: u64 = 1 << 20;

/// The text of a file, or of a pipe, that people write.
///
/// # Errors
///
/// As [`open_to_read`]; of reading; `InvalidInput` for one that is longer than 1 MiB.
#[cfg(feature = "cli")]
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = open_to_read(path)?;
    let read = file.take(LONGEST_TEXT + 1).read_to_string(&mut text)?;
    if u64::try_from(read).is_ok_and(|read| read > LONGEST_TEXT) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is longer than 1 MiB"));
    }
    Ok(text)
}

/// Refuses a path where no new file may be made: in the kernel's file systems, and in `/dev`, where
/// a missing device would become a file that fills the memory.
///
/// # Errors
///
/// `InvalidInput` for such a path; the errors of following it.
pub(crate) fn check_place(path: &Path) -> io::Result<()> {
    let to = resolved(path)?;
    let folder = to.ancestors().skip(1).find(|folder| folder.exists()).unwrap_or(&to);
    let is_below_dev = to.starts_with("/dev") || is_on_dev(folder);
    if is_below_dev && !to.starts_with("/dev/shm") {
        let why = "there is no such device, and files aren't made in /dev";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    if statfs(folder).is_ok_and(|found| is_of_the_kernel(&found)) {
        return Err(refused("its folder is the kernel's"));
    }
    Ok(())
}

/// Whether a folder is on the file system of `/dev`, under whatever name that is mounted.
fn is_on_dev(folder: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev()).ok();
    let dev = device(Path::new("/dev"));
    dev.is_some() && dev != device(Path::new("/")) && dev == device(folder)
}

/// Where a path leads after all links are followed, whether or not a file exists there.
///
/// # Errors
///
/// The errors of following it; `InvalidInput` where it has no last component.
pub(crate) fn resolved(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    // The kernel follows at most 40 links, too.
    for _ in 0..40 {
        match fs::canonicalize(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        let folder = folder_of(&path).to_owned();
        if let Ok(to) = fs::read_link(&path) {
            path = folder.join(to);
            continue;
        }
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        return Ok(resolved(&folder)?.join(name));
    }
    Err(io::Error::from_raw_os_error(libc::ELOOP))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Which file a path leads to: the same for each of its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// An existing file, by the numbers of its device and its inode.
    There(u64, u64),
    /// A file that doesn't exist yet, by its path.
    Missing(PathBuf),
}

impl Identity {
    /// # Errors
    ///
    /// The errors of following the path.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(found) => Ok(Self::of_found(&found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                resolved(path).map(Self::Missing)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a path leads to this file; `false` where the path can't be followed.
    #[cfg(feature = "mock")]
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        Self::of(path).is_ok_and(|other| other == *self)
    }

    pub(crate) fn of_found(found: &Metadata) -> Self {
        Self::There(found.dev(), found.ino())
    }
}

/// File systems whose files are interfaces of the kernel, by their numbers in `linux/magic.h`.
const OF_THE_KERNEL: [i128; 18] = [
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x7363_6673, // securityfs
    0x6265_6570, // configfs
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
    0xde5e_81e4, // efivarfs
    0xcafe_4a11, // bpf
    0x6573_5543, // fusectl
    0x4249_4e4d, // binfmt_misc
    0x1980_0202, // mqueue
    0xf97c_ff8c, // selinux
    0x4341_5d53, // smack
    0x6165_676c, // pstore
    0x0765_5821, // resctrl
    0xabba_1974, // xenfs
];

/// Whether a file is an interface of the kernel and not a stored file.
fn is_of_the_kernel(found: &Statfs) -> bool {
    // The width of this type differs between architectures.
    let number = i128::from(found.filesystem_type().0) & 0xffff_ffff;
    OF_THE_KERNEL.contains(&number)
}

fn check_kind(found: &Metadata) -> io::Result<()> {
    let kind = found.file_type();
    if kind.is_file() || kind.is_fifo() {
        Ok(())
    } else if kind.is_dir() {
        Err(refused("it is a folder"))
    } else if kind.is_block_device() {
        Err(refused("it is a block device, such as a disk"))
    } else if kind.is_char_device() && (is_null(found) || is_terminal(found)) {
        Ok(())
    } else {
        Err(refused("it is a device"))
    }
}

fn refused(what: &str) -> io::Error {
    let why = format!("{what}: ptpctl writes only to files, pipes, terminals and /dev/null");
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

fn is_null(found: &Metadata) -> bool {
    found.rdev() == libc::makedev(1, 3)
}

/// Whether a character device is a terminal, without opening it.
fn is_terminal(found: &Metadata) -> bool {
    let number = found.rdev();
    let (major, minor) = (libc::major(number), libc::minor(number));
    // Unix98 pseudo-terminals aren't in sysfs.
    if (136..=143).contains(&major) {
        return true;
    }
    match fs::read_link(format!("/sys/dev/char/{major}:{minor}/subsystem")) {
        Ok(subsystem) => subsystem.file_name().is_some_and(|name| name == "tty"),
        Err(_) => (major == 4 || major == 5) && !Path::new("/sys/dev/char").exists(),
    }
}

/// Duplicates standard output where it is a socket: `/dev/stdout` can't be opened then.
fn standard_output(found: &Metadata) -> io::Result<File> {
    let stdout = io::stdout();
    let again = File::from(stdout.as_fd().try_clone_to_owned()?);
    if !stdout.is_terminal() && Identity::of_found(&again.metadata()?) == Identity::of_found(found)
    {
        return Ok(again);
    }
    Err(refused("it is a socket"))
}

/// A new file beside an existing one, which it replaces as a whole or not at all.
///
/// The caller must hold a lock on the existing file: a new file that a killed program left under
/// the same name is removed.
#[derive(Debug)]
pub(crate) struct Replacement {
    file: File,
    beside: PathBuf,
    path: PathBuf,
}

impl Replacement {
    /// Makes a file that only its owner can read, beside the one at `path`, which must not be a
    /// link.
    ///
    /// # Errors
    ///
    /// The errors of making it.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        check_place(&beside(path, 0))?;
        let mut options = OpenOptions::new();
        options.read(true).append(true).create_new(true).mode(0o600);
        let mut number = 0;
        loop {
            let beside = beside(path, number);
            let _ = fs::remove_file(&beside);
            match options.open(&beside) {
                Ok(file) => return Ok(Self { file, beside, path: path.to_owned() }),
                // It belongs to another user, in a folder where everybody may make files.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 8 => {
                    number += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Takes the other file's place.
    ///
    /// # Errors
    ///
    /// The errors of `rename`; the other file is unchanged then.
    pub(crate) fn take_its_place(self) -> io::Result<File> {
        fs::rename(&self.beside, &self.path)?;
        self.file.try_clone()
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        // After a rename nothing has this name.
        let _ = fs::remove_file(&self.beside);
    }
}

fn beside(path: &Path, number: u32) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".ptpctl-new");
    if number > 0 {
        name.push(number.to_string());
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::symlink;

    /// A folder of a test's own.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("ptpctl-files-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir(&path).expect("made");
            Self(fs::canonicalize(path).expect("there"))
        }

        fn file(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn open_new(path: &Path) -> io::Result<File> {
        open(path, OpenOptions::new().append(true).create(true), 0)
    }

    #[test]
    fn files_pipes_and_the_null_device_are_written_to() {
        let folder = Folder::new("written");
        open_new(&folder.file("new")).expect("a new file");
        open_new(&folder.file("new")).expect("the same");
        open_new(Path::new("/dev/null")).expect("the null device");
        nix::unistd::mkfifo(&folder.file("pipe"), nix::sys::stat::Mode::S_IRWXU).expect("made");
        let both = OpenOptions::new().read(true).write(true).clone();
        open(&folder.file("pipe"), &both, 0).expect("a pipe");
    }

    #[cfg_attr(miri, ignore = "Miri has no such files")]
    #[test]
    fn nothing_else_is_written_to() {
        let folder = Folder::new("refused");
        let (_socket, name) = (
            std::os::unix::net::UnixListener::bind(folder.file("socket")).expect("bound"),
            folder.file("socket"),
        );
        for path in [Path::new("/dev/zero"), Path::new("/dev/full"), &folder.0, &name] {
            let error = open_new(path).expect_err("refused");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{}", path.display());
        }
        let attribute = Path::new("/proc/self/comm");
        let error = open(attribute, OpenOptions::new().write(true), 0).expect_err("refused");
        assert!(error.to_string().contains("attribute of the kernel"), "{error}");
    }

    #[cfg_attr(miri, ignore = "Miri makes no devices")]
    #[test]
    fn a_disk_is_not_written_to() {
        use nix::sys::stat::{Mode, SFlag, mknod};
        let folder = Folder::new("disk");
        let disk = folder.file("disk");
        // Only root may make one; no block device has this number.
        match mknod(&disk, SFlag::S_IFBLK, Mode::S_IRWXU, libc::makedev(240, 1)) {
            Ok(()) => {
                let error = open_new(&disk).expect_err("refused");
                assert!(error.to_string().contains("block device"), "{error}");
            }
            Err(errno) => assert_eq!(errno, nix::errno::Errno::EPERM),
        }
    }

    #[test]
    fn a_missing_device_does_not_become_a_file() {
        let folder = Folder::new("missing");
        let link = folder.file("link");
        symlink("/dev/there-is-none", &link).expect("linked");
        for path in ["/dev/there-is-none", "/dev/no/such/folder", "/dev/shm/../there-is-none"] {
            assert!(check_place(Path::new(path)).is_err(), "{path}");
        }
        assert!(open_new(&link).is_err(), "through a link");
        assert!(check_place(Path::new("/dev/shm/a-file")).is_ok());
        assert!(check_place(&folder.file("a-file")).is_ok());
        assert!(!Path::new("/dev/there-is-none").exists());
    }

    #[cfg_attr(miri, ignore = "Miri has no such files")]
    #[test]
    fn nothing_is_made_among_the_kernels_switches() {
        for path in ["/proc/there-is-none", "/proc/no/such/folder"] {
            let error = check_place(Path::new(path)).expect_err("refused");
            assert!(error.to_string().contains("the kernel's"), "{path}: {error}");
        }
    }

    #[test]
    fn a_link_to_nothing_leads_to_where_the_file_would_be() {
        let folder = Folder::new("dangling");
        symlink("second", folder.file("first")).expect("linked");
        symlink("there", folder.file("second")).expect("linked");
        assert_eq!(resolved(&folder.file("first")).expect("followed"), folder.file("there"));
        symlink("round", folder.file("round")).expect("linked");
        assert!(resolved(&folder.file("round")).is_err());
    }

    #[test]
    fn all_names_of_a_file_are_one() {
        let folder = Folder::new("names");
        symlink("file", folder.file("link")).expect("linked");
        let of = |name: &str| Identity::of(&folder.file(name)).expect("told");
        assert_eq!(of("file"), of("./link"), "before it is there");
        assert_ne!(of("file"), of("other"));
        fs::write(folder.file("file"), "").expect("made");
        fs::hard_link(folder.file("file"), folder.file("hard")).expect("linked");
        assert!(of("file") == of("link") && of("file") == of("hard"));
    }

    #[test]
    fn a_replacement_takes_the_place_whole_or_not_at_all() {
        let folder = Folder::new("replaced");
        let path = folder.file("file");
        fs::write(&path, "old").expect("made");
        // As a killed program leaves it.
        fs::write(beside(&path, 0), "half").expect("made");
        let given_up = Replacement::of(&path).expect("made");
        given_up.file().write_all(b"new").expect("written");
        drop(given_up);
        assert_eq!(fs::read_to_string(&path).expect("read"), "old");
        let new = Replacement::of(&path).expect("made");
        assert_eq!(new.file().metadata().expect("told").mode() & 0o777, 0o600);
        new.file().write_all(b"new").expect("written");
        new.take_its_place().expect("renamed");
        assert_eq!(fs::read_to_string(&path).expect("read"), "new");
        assert_eq!(fs::read_dir(&folder.0).expect("listed").count(), 1, "nothing stays behind");
    }
}
