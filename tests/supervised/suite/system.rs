//! The simulated system clock.

use super::Case;
use super::descriptors::{Clock, in_child, system_time};
use nix::errno::Errno;
use std::process::Command;

const SECOND: i128 = 1_000_000_000;

pub(crate) fn cases() -> Vec<Case> {
    let ahead: &[&str] = &["full", "--system-clock=offset=1000000s,tai=35s"];
    let plain: &[&str] = &["full", "--system-clock"];
    let fast: &[&str] = &["full", "--system-clock=freq=1000ppm"];
    vec![
        Case { name: "every call tells the simulated time", clocks: ahead, program: every_call },
        Case { name: "a program that is started has it, too", clocks: ahead, program: started },
        Case { name: "samples have the simulated time", clocks: ahead, program: samples },
        Case { name: "the system clock is set", clocks: plain, program: set },
        Case { name: "the system clock is stepped", clocks: plain, program: stepped },
        Case { name: "the system clock is steered", clocks: fast, program: steered },
        Case { name: "what the kernel refuses is refused", clocks: plain, program: refused },
        Case { name: "time goes on without steps back", clocks: fast, program: monotonic },
    ]
}

/// The time by the C library's function, which the vDSO answers where it can.
fn by_library(clock: libc::clockid_t) -> i128 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one `timespec`.
    assert_eq!(unsafe { libc::clock_gettime(clock, &raw mut time) }, 0);
    i128::from(time.tv_sec) * SECOND + i128::from(time.tv_nsec)
}

/// How far the simulated clock is ahead of a PHC that keeps true time, by the quickest reading.
fn ahead_of(clock: &Clock) -> i128 {
    let looks = (0..50).map(|_| {
        let before = clock.time().expect("a time");
        let shown = by_library(libc::CLOCK_REALTIME);
        let after = clock.time().expect("a time");
        (after - before, shown - i128::midpoint(before, after))
    });
    looks.min().expect("a reading").1
}

fn every_call() {
    let clock = Clock::open(0);
    let is_simulated = |time: i128| {
        let ahead = time - clock.time().expect("a time");
        assert!((999_998 * SECOND..1_000_001 * SECOND).contains(&ahead), "{ahead}");
    };
    is_simulated(by_library(libc::CLOCK_REALTIME));
    is_simulated(by_library(libc::CLOCK_REALTIME_COARSE));
    is_simulated(by_library(libc::CLOCK_TAI) - 35 * SECOND);
    is_simulated(system_time());
    // SAFETY: each writes one struct, or nothing.
    unsafe {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        libc::syscall(libc::SYS_clock_gettime, libc::CLOCK_REALTIME, &raw mut time);
        is_simulated(i128::from(time.tv_sec) * SECOND);
        let mut time = libc::timeval { tv_sec: 0, tv_usec: 0 };
        assert_eq!(libc::gettimeofday(&raw mut time, std::ptr::null_mut()), 0);
        is_simulated(i128::from(time.tv_sec) * SECOND);
        is_simulated(i128::from(libc::time(std::ptr::null_mut())) * SECOND);
        let mut timex: libc::timex = std::mem::zeroed();
        assert_eq!(libc::adjtimex(&raw mut timex), libc::TIME_ERROR);
        is_simulated(i128::from(timex.time.tv_sec) * SECOND);
        assert_eq!(timex.tai, 35);
    }
    // The others are the machine's.
    assert!(by_library(libc::CLOCK_MONOTONIC) < 900_000 * SECOND * 1_000);
}

fn started() {
    let clock = Clock::open(0);
    let told = Command::new("date").arg("+%s").output().expect("date runs").stdout;
    let told: i128 = String::from_utf8_lossy(&told).trim().parse().expect("a number");
    let ahead = told * SECOND - clock.time().expect("a time");
    assert!((999_998 * SECOND..1_000_001 * SECOND).contains(&ahead), "{ahead}");
}

fn samples() {
    let clock = Clock::open(0);
    for [before, shown, after] in clock.extended(5).expect("samples") {
        let ahead = (before.sec - shown.sec) * 1_000_000_000 + i64::from(before.nsec)
            - i64::from(shown.nsec);
        assert!((999_999_999_000_000..=1_000_000_000_000_000).contains(&ahead), "{ahead}");
        assert!((before.sec, before.nsec) <= (after.sec, after.nsec));
    }
}

fn set() {
    let clock = Clock::open(0);
    let to = libc::timespec { tv_sec: 1_000_000_000, tv_nsec: 5 };
    // SAFETY: the struct is only read.
    assert_eq!(unsafe { libc::clock_settime(libc::CLOCK_REALTIME, &raw const to) }, 0);
    let shown = by_library(libc::CLOCK_REALTIME) - 1_000_000_000 * SECOND;
    assert!((0..SECOND).contains(&shown), "{shown}");
    let to = libc::timeval { tv_sec: 2_000_000_000, tv_usec: 999_999 };
    // SAFETY: the struct is only read.
    assert_eq!(unsafe { libc::settimeofday(&raw const to, std::ptr::null()) }, 0);
    in_child(|| {
        let shown = by_library(libc::CLOCK_REALTIME) - 2_000_000_000 * SECOND;
        assert!((SECOND - 1_000..2 * SECOND).contains(&shown), "{shown}");
    });
    // A PHC isn't moved by it.
    assert!(clock.time().expect("a time") < 1_990_000_000 * SECOND);
}

fn adjust(change: impl FnOnce(&mut libc::timex)) -> Result<libc::timex, Errno> {
    // SAFETY: integers, which may be 0; the struct of this call.
    unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        change(&mut timex);
        Errno::result(libc::clock_adjtime(libc::CLOCK_REALTIME, &raw mut timex))?;
        Ok(timex)
    }
}

fn stepped() {
    let clock = Clock::open(0);
    let before = ahead_of(&clock);
    adjust(|timex| {
        timex.modes = libc::ADJ_SETOFFSET | libc::ADJ_NANO;
        (timex.time.tv_sec, timex.time.tv_usec) = (-1, 750_000_000);
    })
    .expect("stepped");
    let by = ahead_of(&clock) - before + 250_000_000;
    assert!(by.abs() < 10_000_000, "{by}");
}

fn steered() {
    let clock = Clock::open(0);
    // It is 1000 ppm fast; 500 of them can be taken away by frequency, and the rest by ticks.
    let gained = gained_in_a_while(&clock);
    assert!((600_000..2_000_000).contains(&gained), "{gained}");
    let dialled = adjust(|timex| {
        timex.modes = libc::ADJ_FREQUENCY | libc::ADJ_TICK;
        (timex.freq, timex.tick) = (-(500 << 16), 9_995);
    });
    assert_eq!(dialled.expect("dialled").freq, -(500 << 16));
    // Without the dialling it would be a million.
    let gained = gained_in_a_while(&clock);
    assert!(gained.abs() < 500_000, "{gained}");
}

/// What the system clock gains on the clock, in ns per second.
fn gained_in_a_while(clock: &Clock) -> i128 {
    let (began, before) = (std::time::Instant::now(), ahead_of(clock));
    std::thread::sleep(std::time::Duration::from_millis(300));
    let gained = ahead_of(clock) - before;
    gained * 1_000_000_000 / i128::try_from(began.elapsed().as_nanos()).expect("a while")
}

fn refused() {
    let tick = adjust(|timex| (timex.modes, timex.tick) = (libc::ADJ_TICK, 20_000));
    assert_eq!(tick.err(), Some(Errno::EINVAL));
    for (tv_sec, tv_nsec) in [(-1, 0), (0, 1_000_000_000)] {
        let to = libc::timespec { tv_sec, tv_nsec };
        // SAFETY: the struct is only read.
        let set = unsafe { libc::clock_settime(libc::CLOCK_REALTIME, &raw const to) };
        assert_eq!(Errno::result(set), Err(Errno::EINVAL), "{} {}", to.tv_sec, to.tv_nsec);
    }
    // SAFETY: nothing is there.
    let read = unsafe { libc::syscall(libc::SYS_clock_gettime, libc::CLOCK_REALTIME, 8) };
    assert_eq!(Errno::result(read), Err(Errno::EFAULT));
}

fn monotonic() {
    let times: Vec<_> = (0..1_000).map(|_| by_library(libc::CLOCK_REALTIME)).collect();
    assert!(times.is_sorted());
    assert!(times[999] > times[0]);
}
