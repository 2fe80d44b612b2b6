//! The files of a clock: its node in /dev, its attributes in sysfs, by every way to write a path.

use super::Case;
use super::descriptors::Clock;
use nix::errno::Errno;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::path::Path;

pub(crate) fn cases() -> Vec<Case> {
    let full: &[&str] = &["full"];
    let network: &[&str] = &["full", "igb,interface=eth77,link=/dev/ptp_card"];
    vec![
        Case { name: "a clock's node is a character device", clocks: full, program: node },
        Case { name: "a clock is found by any path to it", clocks: full, program: paths },
        Case { name: "a link in /dev is the clock", clocks: network, program: link },
        Case { name: "a clock is no file to be made", clocks: full, program: creat },
        Case { name: "an open clock is opened again by its number", clocks: full, program: again },
        Case {
            name: "a clock has no extended attributes",
            clocks: full,
            program: attributes_of_ls,
        },
        Case { name: "a clock may be for reading only", clocks: &["readonly"], program: read_only },
        Case { name: "an open may fail", clocks: &["full,fail=open:EBUSY"], program: failing_open },
        Case { name: "other clocks aren't there", clocks: full, program: no_others },
        Case { name: "flags of open mean what they mean", clocks: full, program: flags },
        Case { name: "sysfs lists the clocks", clocks: network, program: class },
        Case { name: "sysfs has a clock's attributes", clocks: full, program: attributes },
        Case { name: "attributes change with the clock", clocks: full, program: pins },
        Case { name: "nobody writes attributes", clocks: full, program: no_writing },
        Case { name: "sysfs has the clock of an interface", clocks: network, program: interface },
        Case { name: "other files are the machine's", clocks: full, program: others },
    ]
}

fn node() {
    for found in [fs::metadata("/dev/ptp0"), fs::symlink_metadata("/dev/ptp0")] {
        let found = found.expect("there");
        assert!(found.file_type().is_char_device());
        assert_eq!(libc::minor(found.rdev()), 0);
    }
    let clock = Clock::open(0);
    // SAFETY: integers, which may be 0; the kernel fills them in.
    let status = unsafe {
        let mut status: libc::stat = std::mem::zeroed();
        assert_eq!(libc::fstat(clock.fd(), &raw mut status), 0);
        status
    };
    assert_eq!(status.st_mode & libc::S_IFMT, libc::S_IFCHR);
    assert_eq!(status.st_rdev, fs::metadata("/dev/ptp0").expect("there").rdev());
    // What linuxptp does with a name: it makes it absolute, and follows links.
    assert_eq!(fs::canonicalize("/dev/ptp0").expect("a path"), Path::new("/dev/ptp0"));
    let answered = fs::read_link("/dev/ptp0").map_err(|error| error.raw_os_error());
    assert_eq!(answered, Err(Some(libc::EINVAL)));
}

fn paths() {
    let folder = std::env::temp_dir().join(format!("ptpctl-paths-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    symlink("/dev/ptp0", folder.join("clock")).expect("a link");
    symlink("clock", folder.join("again")).expect("a link");
    symlink("/dev", folder.join("devices")).expect("a link");
    let told = |name: &str| folder.join(name).display().to_string();
    for path in [
        "/dev/ptp0".to_owned(),
        "/dev/../dev//./ptp0".to_owned(),
        told("clock"),
        told("again"),
        told("devices/ptp0"),
    ] {
        let clock = Clock::at(&path, libc::O_RDWR);
        assert!(clock.is_ok_and(|clock| clock.caps().is_ok()), "{path}");
    }
    assert_eq!(Clock::at(&told("clock"), libc::O_NOFOLLOW).err(), Some(Errno::ELOOP));
    std::env::set_current_dir("/dev").expect("there");
    assert!(Clock::at("ptp0", libc::O_RDWR).is_ok_and(|clock| clock.caps().is_ok()));
    std::env::set_current_dir("/").expect("there");
    assert!(Clock::at("dev/ptp0", libc::O_RDWR).is_ok());
    assert_eq!(Clock::at("ptp0", libc::O_RDWR).err(), Some(Errno::ENOENT));
    let _ = fs::remove_dir_all(&folder);
}

fn creat() {
    let path = c"/dev/ptp0";
    // SAFETY: the path outlives the call; where no supervisor answers, this test has failed.
    let fd = unsafe { libc::creat(path.as_ptr(), 0o600) };
    // SAFETY: a new descriptor.
    let clock = Clock(unsafe { std::os::fd::FromRawFd::from_raw_fd(fd) });
    assert!(clock.caps().is_ok());
}

fn again() {
    let clock = Clock::open_with(0, libc::O_RDONLY).expect("a clock");
    for folder in ["/dev/fd", "/proc/self/fd", "/proc/thread-self/fd"] {
        let path = format!("{folder}/{}", clock.fd());
        let other = Clock::at(&path, libc::O_RDWR).expect("a clock");
        other.step(1).expect("a handle of its own, for writing");
        let found = fs::metadata(&path).expect("there");
        assert!(found.file_type().is_char_device(), "{path}");
    }
    assert_eq!(clock.step(1).err(), Some(Errno::EACCES));
    let null = fs::File::open("/dev/null").expect("open");
    let path = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&null));
    assert!(fs::File::open(path).is_ok());
}

fn attributes_of_ls() {
    let name = c"security.selinux";
    for path in [c"/dev/ptp0", c"/sys/class/ptp/ptp0/clock_name"] {
        // SAFETY: the texts outlive the call, which writes nothing.
        let answered =
            unsafe { libc::lgetxattr(path.as_ptr(), name.as_ptr(), std::ptr::null_mut(), 0) };
        assert_eq!(Errno::result(answered), Err(Errno::EOPNOTSUPP));
    }
}

fn read_only() {
    assert_eq!(Clock::open_with(0, libc::O_RDWR).err(), Some(Errno::EACCES));
    assert!(Clock::open_with(0, libc::O_RDONLY).is_ok_and(|clock| clock.caps().is_ok()));
}

fn failing_open() {
    assert_eq!(Clock::open_with(0, libc::O_RDWR).err(), Some(Errno::EBUSY));
    assert!(Clock::open_with(0, libc::O_RDWR).is_ok());
}

fn link() {
    let clock = Clock::at("/dev/ptp_card", libc::O_RDWR).expect("a clock");
    assert_eq!(clock.caps().expect("caps").n_pins, 0);
}

fn no_others() {
    assert_eq!(Clock::open_with(1, libc::O_RDWR).err(), Some(Errno::ENOENT));
    assert!(!Path::new("/dev/ptp1").exists());
    assert!(!Path::new("/sys/class/ptp/ptp1").exists());
}

fn flags() {
    for (flags, errno) in
        [(libc::O_CREAT | libc::O_EXCL, Errno::EEXIST), (libc::O_DIRECTORY, Errno::ENOTDIR)]
    {
        assert_eq!(Clock::open_with(0, flags).err(), Some(errno));
    }
    let clock = Clock::open_with(0, libc::O_RDWR | libc::O_CLOEXEC).expect("a clock");
    // SAFETY: asks for flags.
    assert_eq!(unsafe { libc::fcntl(clock.fd(), libc::F_GETFD) }, libc::FD_CLOEXEC);
    let clock = Clock::open(0);
    // SAFETY: asks for flags.
    assert_eq!(unsafe { libc::fcntl(clock.fd(), libc::F_GETFD) }, 0);
}

fn names(folder: &str) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    names.sort();
    names
}

fn class() {
    assert_eq!(names("/sys/class/ptp"), ["ptp0", "ptp1"]);
    let link = fs::read_link("/sys/class/ptp/ptp1").expect("a link");
    assert!(link.is_relative() && link.ends_with("ptp1"), "{}", link.display());
    let rdev = fs::metadata("/dev/ptp1").expect("there").rdev();
    let (major, minor) = (libc::major(rdev), libc::minor(rdev));
    let name = fs::read_to_string(format!("/sys/dev/char/{major}:{minor}/clock_name"));
    assert_eq!(name.expect("a name"), "525400123456\n");
    let dev = fs::read_to_string("/sys/class/ptp/ptp1/dev").expect("numbers");
    assert_eq!(dev, format!("{major}:{minor}\n"));
}

fn attributes() {
    let read = |name: &str| fs::read_to_string(format!("/sys/class/ptp/ptp0/{name}"));
    assert_eq!(read("clock_name").expect("a name"), "mock PHC\n");
    assert_eq!(read("n_programmable_pins").expect("a number"), "4\n");
    assert_eq!(read("max_phase_adjustment").expect("a number"), "500000000\n");
    assert_eq!(read("nosuch").map_err(|error| error.raw_os_error()), Err(Some(libc::ENOENT)));
    assert_eq!(names("/sys/class/ptp/ptp0/pins"), ["SDP0", "SDP1", "SDP2", "SDP3"]);
    let found = fs::metadata("/sys/class/ptp/ptp0/clock_name").expect("there");
    assert!(found.is_file());
    assert!(fs::metadata("/sys/class/ptp/ptp0").expect("there").is_dir());
}

fn pins() {
    let clock = Clock::open(0);
    let read = || fs::read_to_string("/sys/class/ptp/ptp0/pins/SDP2").expect("a pin");
    assert_eq!(read(), "0 0\n");
    // SAFETY: integers, which may be 0.
    let mut pin: libc::ptp_pin_desc = unsafe { std::mem::zeroed() };
    (pin.index, pin.func, pin.chan) = (2, libc::PTP_PF_PEROUT, 1);
    clock.request(libc::PTP_PIN_SETFUNC, &mut pin).expect("set");
    assert_eq!(read(), "2 1\n");
}

fn no_writing() {
    let written = fs::write("/sys/class/ptp/ptp0/n_vclocks", "1");
    assert_eq!(written.map_err(|error| error.raw_os_error()), Err(Some(libc::EACCES)));
}

fn interface() {
    assert_eq!(names("/sys/class/net/eth77/device/ptp"), ["ptp1"]);
    assert!(Path::new("/sys/class/net/lo").exists() || !Path::new("/sys/class/net").exists());
    assert!(!Path::new("/sys/class/net/eth78").exists());
}

fn others() {
    let path = std::env::temp_dir().join(format!("ptpctl-others-{}", std::process::id()));
    fs::write(&path, "text").expect("written");
    assert_eq!(fs::read_to_string(&path).expect("read"), "text");
    assert_eq!(fs::metadata(&path).expect("there").len(), 4);
    fs::remove_file(&path).expect("removed");
    assert!(!path.exists());
    assert!(fs::read_to_string("/proc/self/status").expect("read").contains("Seccomp:\t2"));
}
