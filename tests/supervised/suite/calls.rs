//! The calls on an open clock.

use super::Case;
use super::descriptors::{Clock, answer, number};
use nix::errno::Errno;

pub(crate) fn cases() -> Vec<Case> {
    let full: &[&str] = &["full"];
    vec![
        Case { name: "caps are the clock's", clocks: &["full", "igb"], program: caps },
        Case { name: "the time advances", clocks: full, program: the_time_advances },
        Case { name: "a step is seen by another handle", clocks: full, program: a_step },
        Case { name: "a frequency is read back", clocks: full, program: a_frequency },
        Case { name: "a clock has a resolution", clocks: full, program: a_resolution },
        Case { name: "no timer runs on a clock", clocks: full, program: no_timers },
        Case { name: "samples are between readings", clocks: full, program: samples },
        Case { name: "unknown requests are refused", clocks: full, program: unknown_requests },
        Case { name: "a handle for reading changes nothing", clocks: full, program: read_only },
        Case { name: "the machine's clock can't be set", clocks: full, program: not_the_machine },
        Case { name: "bad pointers are told", clocks: full, program: bad_pointers },
        Case {
            name: "a failure of the clock is the call's",
            clocks: &["full,fail=getcaps:EIO"],
            program: failures,
        },
        Case {
            name: "a slow reading is slow in its times only",
            clocks: &["full,read=50ms"],
            program: slow_readings,
        },
    ]
}

fn caps() {
    assert_eq!(Clock::open(0).caps().expect("caps").n_pins, 4);
    assert_eq!(Clock::open(1).caps().expect("caps").n_pins, 0);
}

fn the_time_advances() {
    let clock = Clock::open(0);
    let times: Vec<_> = (0..100).map(|_| clock.time().expect("a time")).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert!(times[0] < times[99]);
}

fn a_step() {
    let (one, other) = (Clock::open(0), Clock::open(0));
    let before = one.time().expect("a time");
    one.step(1_000).expect("stepped");
    let after = other.time().expect("a time");
    assert!((1_000_000_000_000..1_002_000_000_000).contains(&(after - before)));
}

fn a_frequency() {
    let clock = Clock::open(0);
    clock.dial(65_536).expect("dialled");
    assert_eq!(clock.frequency().expect("read"), 65_536);
}

fn a_resolution() {
    let clock = Clock::open(0);
    let mut time = libc::timespec { tv_sec: 1, tv_nsec: 0 };
    // SAFETY: the kernel writes one `timespec`.
    let answered = unsafe { libc::clock_getres(clock.id(), &raw mut time) };
    assert_eq!((answered, time.tv_sec, time.tv_nsec), (0, 0, 1));
}

fn no_timers() {
    let clock = Clock::open(0);
    let time = libc::timespec { tv_sec: 0, tv_nsec: 1 };
    // SAFETY: the time is only read.
    let slept =
        unsafe { libc::clock_nanosleep(clock.id(), 0, &raw const time, std::ptr::null_mut()) };
    assert_eq!(slept, libc::EOPNOTSUPP);
}

fn samples() {
    let clock = Clock::open(0);
    let before = clock.time().expect("a time");
    let samples = clock.extended(25).expect("samples");
    let after = clock.time().expect("a time");
    for [_, shown, _] in &samples {
        let shown = i128::from(shown.sec) * 1_000_000_000 + i128::from(shown.nsec);
        assert!((before..=after).contains(&shown), "{before} {shown} {after}");
    }
}

fn unknown_requests() {
    let clock = Clock::open(0);
    for request in [0x3d17, 0x8050_3dff, 0xc004_3d40] {
        assert_eq!(clock.ioctl(request, 0), Err(Errno::ENOTTY), "{request:#x}");
    }
}

fn read_only() {
    let clock = Clock::open_with(0, libc::O_RDONLY).expect("open");
    assert!(clock.time().is_ok());
    assert_eq!(clock.step(1).err(), Some(Errno::EACCES));
}

/// Were it not refused, this would change nothing either.
fn not_the_machine() {
    // SAFETY: integers, which may be 0; the kernel fills them in, and only reads the time.
    unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        let state = libc::adjtimex(&raw mut timex);
        assert!(state >= 0, "everybody may read it");
        timex.modes = libc::ADJ_FREQUENCY;
        assert_eq!(Errno::result(libc::adjtimex(&raw mut timex)), Err(Errno::EPERM));
        let changed = libc::clock_adjtime(libc::CLOCK_REALTIME, &raw mut timex);
        assert_eq!(Errno::result(changed), Err(Errno::EPERM));
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut now);
        let set = libc::clock_settime(libc::CLOCK_REALTIME, &raw const now);
        assert_eq!(Errno::result(set), Err(Errno::EPERM));
        let now = libc::timeval { tv_sec: now.tv_sec, tv_usec: now.tv_nsec / 1_000 };
        let set = libc::settimeofday(&raw const now, std::ptr::null());
        assert_eq!(Errno::result(set), Err(Errno::EPERM));
    }
}

/// Addresses where nothing is: the first page, the last, the kernel's, none.
const NOWHERE: [u64; 4] = [8, u64::MAX - 7, 0xffff_8000_0000_0000, 0];

fn bad_pointers() {
    let clock = Clock::open(0);
    let all = [libc::PTP_CLOCK_GETCAPS, libc::PTP_SYS_OFFSET, libc::PTP_SYS_OFFSET_EXTENDED];
    let more = [libc::PTP_PIN_GETFUNC, libc::PTP_EXTTS_REQUEST, libc::PTP_PEROUT_REQUEST];
    for request in all.into_iter().chain(more) {
        for at in NOWHERE {
            assert_eq!(
                clock.ioctl(number(request), at),
                Err(Errno::EFAULT),
                "{request:#x} {at:#x}"
            );
        }
    }
    for at in NOWHERE {
        // SAFETY: the kernel writes nowhere.
        let answered = unsafe { libc::syscall(libc::SYS_clock_gettime, clock.id(), at) };
        assert_eq!(answer(answered), Err(Errno::EFAULT), "{at:#x}");
    }
    // A struct of which the second half is missing.
    // SAFETY: maps two new pages and unmaps the second.
    let page = unsafe {
        let pages = libc::mmap(
            std::ptr::null_mut(),
            8_192,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        libc::munmap(pages.byte_add(4_096), 4_096);
        pages as u64
    };
    let request = number(libc::PTP_CLOCK_GETCAPS);
    assert_eq!(clock.ioctl(request, page + 4_096 - 40), Err(Errno::EFAULT));
    assert_eq!(clock.ioctl(request, page + 4_096 - 80), Ok(0));
}

fn failures() {
    let clock = Clock::open(0);
    assert_eq!(clock.caps().err(), Some(Errno::EIO));
    assert!(clock.caps().is_ok());
}

fn slow_readings() {
    let clock = Clock::open(0);
    let began = std::time::Instant::now();
    let samples = clock.extended(5).expect("samples");
    let took = began.elapsed();
    assert!(took.as_millis() < 50, "{took:?}");
    let [before, _, after] = &samples[0];
    let nanoseconds =
        (after.sec - before.sec) * 1_000_000_000 + i64::from(after.nsec) - i64::from(before.nsec);
    assert!(nanoseconds >= 100_000_000, "{nanoseconds}");
    // However many there are, the clock doesn't run away.
    let before = crate::suite::descriptors::system_time();
    let clock = Clock::open(0);
    for _ in 0..200 {
        let _ = clock.extended(25);
    }
    let ahead = clock.time().expect("a time") - before;
    assert!(ahead < 3_000_000_000, "{ahead}");
}
