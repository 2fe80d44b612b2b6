//! Where the journals of a clock may be, and whose journals count.
//!
//! A user is told to type the commands that follow from a journal. So only journals of the same
//! user and of root count, in folders and files that nobody else may write to. Root is also told
//! what the journals of other users say, each in that user's own folder, and which user it is.

use crate::files;
#[cfg(feature = "mock")]
use crate::find::is_mock;
#[cfg(feature = "mock")]
use crate::mock::Config;
use nix::unistd::{getegid, geteuid, getgid, getuid};
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Whether what this user has written is believed: that of root and of this program's user is.
pub(super) fn is_trusted(user: u32) -> bool {
    user == 0 || user == geteuid().as_raw()
}

/// The permissions with which others may write to a file.
const OTHERS_WRITE: u32 = 0o022;
/// In a folder with this permission, users can remove and rename only their own files.
const STICKY: u32 = 0o1000;

impl Place {
    /// Whether nobody else can put a journal here, or take one away.
    pub(super) fn is_trusted(&self) -> bool {
        fs::symlink_metadata(&self.folder).is_ok_and(|found| {
            // A mock's state may be in a folder where everybody has files.
            let is_shared = !self.is_ours && found.mode() & STICKY != 0;
            let is_closed = found.mode() & OTHERS_WRITE == 0 || is_shared;
            found.is_dir() && self.is_of(found.uid()) && is_closed
        })
    }

    /// Whether a file is a journal that counts here. A file with a second name doesn't count: that
    /// may be a hard link to another user's file.
    pub(super) fn counts(&self, found: &fs::Metadata) -> bool {
        let is_closed = found.nlink() == 1 && found.mode() & OTHERS_WRITE == 0;
        found.is_file() && self.is_of(found.uid()) && is_closed
    }

    /// Whether this user's journals are begun here.
    pub(super) fn is_writable(&self) -> bool {
        !self.is_ours || self.user.is_none()
    }

    fn is_of(&self, user: u32) -> bool {
        is_trusted(user) || (self.user == Some(user) && geteuid().is_root())
    }
}

/// Where the journals of a clock may be.
pub(super) struct Place {
    pub(super) folder: PathBuf,
    /// The beginning of their names, before the process ID.
    pub(super) prefix: String,
    /// Whether the folder is this program's own.
    pub(super) is_ours: bool,
    /// The owner, where it is another user's.
    pub(super) user: Option<u32>,
    pub(super) clock: Clock,
}

/// Which clock a journal is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// A mock. The name of the journal begins with that of the mock's state file.
    Mock,
    /// A device: its number, the boot of the machine, and its place in sysfs. A device that comes
    /// back there is another one. What is unknown is `-`.
    Device { number: String, boot: String, place: String },
}

const NOT_TOLD: &str = "-";

impl Clock {
    fn of_device(found: &fs::Metadata) -> Self {
        let device = found.rdev();
        let number = format!("{}:{}", libc::major(device), libc::minor(device));
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id");
        let boot = boot.map_or(NOT_TOLD.into(), |boot| boot.trim().to_owned());
        let place = fs::canonicalize(format!("/sys/dev/char/{number}")).ok().and_then(|path| {
            Some(format!("{} {}", fs::metadata(&path).ok()?.ino(), path.display()))
        });
        Self::Device { number, boot, place: place.unwrap_or(NOT_TOLD.into()) }
    }

    pub(super) fn line(&self) -> String {
        match self {
            Self::Mock => "mock".into(),
            Self::Device { number, boot, place } => format!("clock\t{number}\t{boot}\t{place}"),
        }
    }

    /// Whether a journal's first line names this clock.
    pub(super) fn is(&self, line: &str) -> bool {
        let Self::Device { number, boot, place } = self else { return line == self.line() };
        let mut fields = line.split('\t');
        let mut next_is = |own: &str| {
            fields.next().is_some_and(|told| told == own || [told, own].contains(&NOT_TOLD))
        };
        next_is("clock") && next_is(number) && next_is(boot) && next_is(place)
    }
}

/// The places where the journals of a clock may be, in the order in which they are tried.
pub(super) fn places(device: &str) -> Vec<Place> {
    #[cfg(feature = "mock")]
    if is_mock(device) {
        // Without a state file nothing of a mock outlives the program.
        let state = device.parse::<Config>().ok().and_then(|config| config.state().cloned());
        let place = state.and_then(|state| {
            let state = files::resolved(&state).ok()?;
            let user = fs::metadata(&state).ok().map(|found| found.uid());
            Some(Place {
                folder: state.parent()?.to_owned(),
                prefix: format!("{}.left-on", state.file_name()?.to_str()?),
                is_ours: false,
                user,
                clock: Clock::Mock,
            })
        });
        return place.into_iter().collect();
    }
    let Ok(found) = fs::metadata(device) else { return Vec::new() };
    let clock = Clock::of_device(&found);
    let number = found.rdev();
    let prefix = format!("clock-{}-{}", libc::major(number), libc::minor(number));
    let place = |(folder, user)| {
        let (prefix, clock) = (prefix.clone(), clock.clone());
        Place { folder, prefix, is_ours: true, user, clock }
    };
    let own = run_folders().map(|folder| (folder, None));
    own.chain(folders_of_users()).map(place).collect()
}

/// For root, the folders of all other users.
fn folders_of_users() -> impl Iterator<Item = (PathBuf, Option<u32>)> {
    let users = geteuid().is_root().then(|| fs::read_dir("/run/user").ok()).flatten();
    let user = |entry: fs::DirEntry| -> Option<(PathBuf, Option<u32>)> {
        let user: u32 = entry.file_name().to_str()?.parse().ok()?;
        let folder = entry.path().join("ptpctl");
        (user != 0 && folder.exists()).then_some((folder, Some(user)))
    };
    users.into_iter().flatten().flatten().filter_map(user)
}

/// Whether there may be journals of a clock.
pub(crate) fn may_have_left(device: &str) -> bool {
    #[cfg(feature = "mock")]
    if is_mock(device) {
        return device.contains("state=");
    }
    !device.is_empty()
        && (run_folders().any(|one| one.exists()) || folders_of_users().next().is_some())
}

/// This program's folders for files at run time: root's, and the user's.
fn run_folders() -> impl Iterator<Item = PathBuf> {
    // A folder that another user's environment names belongs to that user.
    let own = std::env::var_os("XDG_RUNTIME_DIR").filter(|_| !runs_for_another());
    folders_with(own.map(PathBuf::from))
}

fn folders_with(own: Option<PathBuf>) -> impl Iterator<Item = PathBuf> {
    // A relative path would depend on the working directory.
    let own = own.filter(|folder| folder.is_absolute());
    [Some(PathBuf::from("/run")), own].into_iter().flatten().map(|run| run.join("ptpctl"))
}

/// Makes this program's folder, in which its user alone may make files, whatever the umask.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o755).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(folder)?;
    let is_own = found.is_dir() && found.uid() == geteuid().as_raw();
    if is_own && found.mode() & 0o777 != 0o755 {
        fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// Whether it runs with the rights of another user than the one who set its environment: as a
/// setuid program, or by sudo, doas or pkexec.
pub(crate) fn runs_for_another() -> bool {
    getuid() != geteuid()
        || getgid() != getegid()
        || ["SUDO_UID", "DOAS_USER", "PKEXEC_UID"]
            .iter()
            .any(|name| std::env::var_os(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_wherever_this_is_called_holds_no_journals() {
        for own in ["", ".", "run"] {
            let all: Vec<_> = folders_with(Some(own.into())).collect();
            assert_eq!(all, [PathBuf::from("/run/ptpctl")], "{own:?}");
        }
        assert_eq!(folders_with(Some("/run/user/1".into())).count(), 2);
    }

    #[test]
    fn a_clock_is_known_by_number_boot_and_place_as_far_as_they_are_told() {
        let clock = |number: &str, boot: &str, place: &str| Clock::Device {
            number: number.into(),
            boot: boot.into(),
            place: place.into(),
        };
        let here = clock("249:0", "b1", "7 /sys/devices/card/ptp/ptp0");
        assert!(here.is(&here.line()));
        for other in [
            clock("249:1", "b1", "7 /sys/devices/card/ptp/ptp0"),
            clock("249:0", "b2", "7 /sys/devices/card/ptp/ptp0"),
            clock("249:0", "b1", "8 /sys/devices/card/ptp/ptp0"),
            clock("249:0", "b1", "7 /sys/devices/other/ptp/ptp0"),
        ] {
            assert!(!here.is(&other.line()), "{other:?}");
        }
        assert!(here.is(&clock("249:0", "b1", NOT_TOLD).line()), "without sysfs");
        assert!(clock("249:0", NOT_TOLD, NOT_TOLD).is(&here.line()));
        for line in ["", "mock", "node 5:7", "clock", "clock\t249:0"] {
            assert!(!here.is(line), "{line}");
        }
    }
}
