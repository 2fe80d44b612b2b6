//! The clock behind a character device, `/dev/ptpN`.

#![expect(unsafe_code, reason = "ioctl and read take raw pointers")]

use super::answer::answer;
use super::uapi::{
    self, ExttsEvent, Request, ptp_clock_caps, ptp_extts_request, ptp_perout_request, ptp_pin_desc,
    ptp_sys_offset, ptp_sys_offset_extended, ptp_sys_offset_precise, timespec, timex,
};
use super::{Calls, Result, Version, Wait, clock, poll_for, system};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An open `/dev/ptpN`.
#[derive(Debug)]
pub struct Device {
    file: File,
    path: PathBuf,
    sysfs: PathBuf,
    /// The clock's name, read before the device was opened.
    clock_name: Result<String>,
}

impl Device {
    /// Opens the character device at `path`.
    ///
    /// This makes no PTP call: a device that is no PHC answers `ENOTTY` later.
    ///
    /// # Errors
    ///
    /// The errors of `open`. `ENOTTY` where `path` is no character device, or where the device is
    /// no PHC: sysfs tells, or `/proc/devices` where there is no sysfs. `ENODATA` where neither is
    /// there.
    pub fn open(path: &Path, write: bool) -> Result<Self> {
        // Opening a device of another kind can do harm (a watchdog starts), so look first.
        let found = fs::metadata(path).map_err(|error| errno(&error))?;
        if found.mode() & libc::S_IFMT != libc::S_IFCHR {
            return Err(Errno::ENOTTY);
        }
        let number = found.rdev();
        let all = Path::new("/sys/dev/char");
        let sysfs = all.join(format!("{}:{}", libc::major(number), libc::minor(number)));
        let clock_name = read_attribute(&sysfs.join("clock_name"));
        if clock_name.is_err() {
            let tells = all.exists() && Path::new(CLASS).exists();
            if tells || phc_major()? != Some(libc::major(number)) {
                return Err(Errno::ENOTTY);
            }
        }
        let file = OpenOptions::new()
            .read(true)
            .write(write)
            .custom_flags(libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(path)
            .map_err(|error| errno(&error))?;
        Ok(Self { file, path: path.to_owned(), sysfs, clock_name })
    }

    /// The clock's folder in sysfs.
    pub fn sysfs(&self) -> &Path {
        &self.sysfs
    }

    fn clock_id(&self) -> libc::clockid_t {
        // FD_TO_CLOCKID of the kernel's posix-timers.h.
        (!self.file.as_raw_fd() << 3) | 3
    }

    /// Calls an ioctl whose argument the kernel may read and write.
    fn ioctl<T>(&self, request: Request, argument: &mut T) -> Result<()> {
        // SAFETY: every caller in this file passes the struct that the request is defined for,
        // so the kernel reads and writes inside `argument`.
        let answered = unsafe { libc::ioctl(self.file.as_raw_fd(), request, &raw mut *argument) };
        answer(answered).map(drop)
    }

    /// Calls an ioctl whose argument goes by value.
    fn ioctl_value(&self, request: Request, value: libc::c_ulong) -> Result<()> {
        // SAFETY: the kernel takes the argument of these requests as a number.
        let answered = unsafe { libc::ioctl(self.file.as_raw_fd(), request, value) };
        answer(answered).map(drop)
    }
}

/// Where sysfs shows all PHCs.
pub(crate) const CLASS: &str = "/sys/class/ptp";

/// The major number of the character devices that are PHCs, by `/proc/devices`; `None` where this
/// kernel has none.
///
/// # Errors
///
/// `ENODATA` where there is no such file.
pub(crate) fn phc_major() -> Result<Option<u32>> {
    let devices = fs::read_to_string("/proc/devices").map_err(|_| Errno::ENODATA)?;
    Ok(major_of(&devices, "ptp"))
}

/// The number of a kind of character devices in the text of `/proc/devices`.
fn major_of(devices: &str, wanted: &str) -> Option<u32> {
    let characters = devices.lines().skip_while(|line| *line != "Character devices:").skip(1);
    characters.take_while(|line| !line.is_empty()).find_map(|line| {
        let (number, name) = line.trim_start().split_once(' ')?;
        (name == wanted).then(|| number.parse().ok())?
    })
}

/// Reads a sysfs attribute: a page at most, in one piece.
fn read_attribute(path: &Path) -> Result<String> {
    let mut page = [0; 4096];
    let read = File::open(path).and_then(|mut file| file.read(&mut page));
    let length = read.map_err(|error| errno(&error))?;
    let text = String::from_utf8_lossy(page.get(..length).unwrap_or_default());
    Ok(text.trim_end_matches('\n').to_owned())
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

/// The number of a request in either version.
const fn of(version: Version, v1: Request, v2: Request) -> Request {
    match version {
        Version::V1 => v1,
        Version::V2 => v2,
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Calls for Device {
    fn reopen(&self, write: bool) -> Result<Box<dyn Calls>> {
        Ok(Box::new(Self::open(&self.path, write)?))
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.as_fd())
    }

    fn clock_gettime(&self) -> Result<timespec> {
        clock::gettime(self.clock_id())
    }

    fn clock_settime(&self, time: &timespec) -> Result<()> {
        clock::settime(self.clock_id(), time)
    }

    fn clock_adjtime(&self, timex: &mut timex) -> Result<()> {
        clock::adjtime(self.clock_id(), timex)
    }

    fn clock_getres(&self) -> Result<timespec> {
        clock::getres(self.clock_id())
    }

    fn getcaps(&self, version: Version) -> Result<ptp_clock_caps> {
        let mut caps = uapi::clock_caps();
        self.ioctl(of(version, libc::PTP_CLOCK_GETCAPS, libc::PTP_CLOCK_GETCAPS2), &mut caps)?;
        Ok(caps)
    }

    fn extts_request(&self, version: Version, request: &ptp_extts_request) -> Result<()> {
        let number = of(version, libc::PTP_EXTTS_REQUEST, libc::PTP_EXTTS_REQUEST2);
        self.ioctl(number, &mut request.clone())
    }

    fn perout_request(&self, version: Version, request: &ptp_perout_request) -> Result<()> {
        let number = of(version, libc::PTP_PEROUT_REQUEST, libc::PTP_PEROUT_REQUEST2);
        self.ioctl(number, &mut request.clone())
    }

    fn enable_pps(&self, version: Version, enable: bool) -> Result<()> {
        let number = of(version, libc::PTP_ENABLE_PPS, libc::PTP_ENABLE_PPS2);
        self.ioctl_value(number, libc::c_ulong::from(enable))
    }

    fn sys_offset(&self, version: Version, samples: &mut ptp_sys_offset) -> Result<()> {
        self.ioctl(of(version, libc::PTP_SYS_OFFSET, libc::PTP_SYS_OFFSET2), samples)
    }

    fn sys_offset_extended(
        &self,
        version: Version,
        samples: &mut ptp_sys_offset_extended,
    ) -> Result<()> {
        let number = of(version, libc::PTP_SYS_OFFSET_EXTENDED, libc::PTP_SYS_OFFSET_EXTENDED2);
        self.ioctl(number, samples)
    }

    fn sys_offset_precise(&self, version: Version) -> Result<ptp_sys_offset_precise> {
        let mut precise = uapi::sys_offset_precise();
        let number = of(version, libc::PTP_SYS_OFFSET_PRECISE, libc::PTP_SYS_OFFSET_PRECISE2);
        self.ioctl(number, &mut precise)?;
        Ok(precise)
    }

    fn pin_getfunc(&self, version: Version, pin: &mut ptp_pin_desc) -> Result<()> {
        self.ioctl(of(version, libc::PTP_PIN_GETFUNC, libc::PTP_PIN_GETFUNC2), pin)
    }

    fn pin_setfunc(&self, version: Version, pin: &ptp_pin_desc) -> Result<()> {
        let number = of(version, libc::PTP_PIN_SETFUNC, libc::PTP_PIN_SETFUNC2);
        self.ioctl(number, &mut pin.clone())
    }

    fn mask_clear_all(&self) -> Result<()> {
        self.ioctl_value(uapi::PTP_MASK_CLEAR_ALL, 0)
    }

    fn mask_en_single(&self, mut channel: u32) -> Result<()> {
        self.ioctl(uapi::PTP_MASK_EN_SINGLE, &mut channel)
    }

    fn sys_offset_precise_cycles(&self) -> Result<ptp_sys_offset_precise> {
        let mut precise = uapi::sys_offset_precise();
        self.ioctl(uapi::PTP_SYS_OFFSET_PRECISE_CYCLES, &mut precise)?;
        Ok(precise)
    }

    fn sys_offset_extended_cycles(&self, samples: &mut ptp_sys_offset_extended) -> Result<()> {
        self.ioctl(uapi::PTP_SYS_OFFSET_EXTENDED_CYCLES, samples)
    }

    fn read(&self, events: &mut [ExttsEvent]) -> Result<usize> {
        let room = size_of_val(events);
        // SAFETY: the kernel writes whole events, at most `room` bytes of them, and any bytes
        // are an event: it is integers only.
        let read = unsafe { libc::read(self.file.as_raw_fd(), events.as_mut_ptr().cast(), room) };
        let bytes = usize::try_from(answer(read)?).unwrap_or_default();
        Ok(bytes / size_of::<ExttsEvent>())
    }

    fn wait(&self, wake: &[PollFd<'_>], timeout: Duration) -> Result<Wait> {
        let own = PollFd::new(self.file.as_fd(), PollFlags::POLLIN);
        let mut polled: Vec<_> = std::iter::once(own).chain(wake.iter().cloned()).collect();
        if poll_for(&mut polled, timeout)? == Wait::TimedOut {
            return Ok(Wait::TimedOut);
        }
        let of_clock = polled.first().and_then(PollFd::revents).unwrap_or(PollFlags::empty());
        Ok(if of_clock.intersects(PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL) {
            Wait::Gone
        } else if of_clock.contains(PollFlags::POLLIN) {
            Wait::Events
        } else {
            Wait::Woken
        })
    }

    fn attribute(&self, name: &str) -> Result<String> {
        match name {
            "clock_name" => self.clock_name.clone(),
            _ => read_attribute(&self.sysfs.join(name)),
        }
    }

    fn set_attribute(&self, name: &str, value: &str) -> Result<()> {
        // One write of the whole value: sysfs takes each write as a new value.
        let attribute = OpenOptions::new().write(true).open(self.sysfs.join(name));
        attribute
            .and_then(|mut file| io::Write::write_all(&mut file, value.as_bytes()))
            .map_err(|error| errno(&error))
    }

    fn virtual_clocks(&self) -> Result<Vec<String>> {
        let folder = fs::read_dir(&self.sysfs).map_err(|error| errno(&error))?;
        let mut clocks: Vec<(u32, String)> = folder
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|name| Some((name.strip_prefix("ptp")?.parse().ok()?, name)))
            .collect();
        clocks.sort();
        Ok(clocks.into_iter().map(|(_, name)| name).collect())
    }

    fn system_gettime(&self, clock: libc::clockid_t) -> Result<timespec> {
        clock::gettime(clock)
    }

    fn system_nanosleep(&self, until: &timespec) -> Result<()> {
        system::nanosleep(until)
    }

    fn system_adjtime(&self, timex: &mut timex) -> Result<()> {
        system::system_adjtime(timex)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_phc_is_told_before_it_is_opened() {
        for path in ["/dev/null", "/tmp", "/proc/self/stat"] {
            assert_eq!(Device::open(Path::new(path), false).err(), Some(Errno::ENOTTY), "{path}");
        }
        let missing = Device::open(Path::new("/dev/there-is-no-such-clock"), false);
        assert_eq!(missing.err(), Some(Errno::ENOENT));
    }

    #[test]
    fn the_kernel_lists_the_numbers_of_its_devices() {
        let devices = "Character devices:\n  1 mem\n  4 tty\n249 ptp\n250 pps\n\n\
            Block devices:\n  8 sd\n 77 disk\n";
        assert_eq!(major_of(devices, "ptp"), Some(249));
        assert_eq!(major_of(devices, "mem"), Some(1));
        assert_eq!(major_of(devices, "pt"), None);
        assert_eq!(major_of(devices, "disk"), None, "that is a block device");
        assert_eq!(major_of("", "ptp"), None);
    }

    // The second source: the numbers by the kernel's definition (asm/ioctl.h), from the direction,
    // the number and the size in the header. This is worked out by the compiler, so that to compile
    // the tests for a processor is enough to test its numbers.
    const HAS_LONG_DIRECTIONS: bool = cfg!(any(
        target_arch = "mips",
        target_arch = "mips64",
        target_arch = "powerpc",
        target_arch = "powerpc64",
        target_arch = "sparc",
        target_arch = "sparc64"
    ));

    #[derive(Clone, Copy)]
    enum Direction {
        Neither,
        Write,
        Read,
        Both,
    }
    use Direction::{Both, Neither, Read, Write};

    const fn by_definition(direction: Direction, number: u32, size: u32, long: bool) -> u32 {
        let (shift, direction) = if long {
            (29, [1, 4, 2, 6][direction as usize])
        } else {
            (30, [0, 1, 2, 3][direction as usize])
        };
        direction << shift | size << 16 | 0x3d << 8 | number
    }

    const REQUESTS: [(Request, Direction, u32, u32); 22] = [
        (libc::PTP_CLOCK_GETCAPS, Read, 1, 80),
        (libc::PTP_EXTTS_REQUEST, Write, 2, 16),
        (libc::PTP_PEROUT_REQUEST, Write, 3, 56),
        (libc::PTP_ENABLE_PPS, Write, 4, 4),
        (libc::PTP_SYS_OFFSET, Write, 5, 832),
        (libc::PTP_PIN_GETFUNC, Both, 6, 96),
        (libc::PTP_PIN_SETFUNC, Write, 7, 96),
        (libc::PTP_SYS_OFFSET_PRECISE, Both, 8, 64),
        (libc::PTP_SYS_OFFSET_EXTENDED, Both, 9, 1216),
        (libc::PTP_CLOCK_GETCAPS2, Read, 10, 80),
        (libc::PTP_EXTTS_REQUEST2, Write, 11, 16),
        (libc::PTP_PEROUT_REQUEST2, Write, 12, 56),
        (libc::PTP_ENABLE_PPS2, Write, 13, 4),
        (libc::PTP_SYS_OFFSET2, Write, 14, 832),
        (libc::PTP_PIN_GETFUNC2, Both, 15, 96),
        (libc::PTP_PIN_SETFUNC2, Write, 16, 96),
        (libc::PTP_SYS_OFFSET_PRECISE2, Both, 17, 64),
        (libc::PTP_SYS_OFFSET_EXTENDED2, Both, 18, 1216),
        (uapi::PTP_MASK_CLEAR_ALL, Neither, 19, 0),
        (uapi::PTP_MASK_EN_SINGLE, Write, 20, 4),
        (uapi::PTP_SYS_OFFSET_PRECISE_CYCLES, Both, 21, 64),
        (uapi::PTP_SYS_OFFSET_EXTENDED_CYCLES, Both, 22, 1216),
    ];

    const _: () = {
        let mut at = 0;
        while at < REQUESTS.len() {
            let (ours, direction, number, size) = REQUESTS[at];
            // C libraries differ in the type; its lowest 32 bits are the number.
            let [a, b, c, d, ..] = ours.to_le_bytes();
            let kernel = by_definition(direction, number, size, HAS_LONG_DIRECTIONS);
            assert!(u32::from_le_bytes([a, b, c, d]) == kernel, "a request has another number");
            at += 1;
        }
    };

    #[test]
    fn the_definition_gives_the_numbers_that_strace_shows() {
        assert_eq!(by_definition(Read, 1, 80, false), 0x8050_3d01);
        assert_eq!(by_definition(Both, 9, 1216, false), 0xc4c0_3d09);
        assert_eq!(by_definition(Neither, 19, 0, false), 0x3d13);
        // Of mips, powerpc and sparc.
        assert_eq!(by_definition(Read, 1, 80, true), 0x4050_3d01);
        assert_eq!(by_definition(Write, 2, 16, true), 0x8010_3d02);
        assert_eq!(by_definition(Both, 9, 1216, true), 0xc4c0_3d09);
        assert_eq!(by_definition(Neither, 19, 0, true), 0x2000_3d13);
    }
}
