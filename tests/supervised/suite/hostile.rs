//! Programs that mean harm, or have gone mad: nothing of it may end, stop or mislead the supervisor.

use super::Case;
use super::descriptors::{Clock, answer, in_child, number as request_number};
use nix::errno::Errno;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub(crate) fn cases() -> Vec<Case> {
    let full: &[&str] = &["full"];
    vec![
        Case { name: "random calls end no supervisor", clocks: &["full", "igb"], program: random },
        Case { name: "a child that is killed leaves no trace", clocks: full, program: killed },
        Case { name: "signals change nothing about a call", clocks: full, program: signals },
        Case { name: "memory may change under a call", clocks: full, program: changing },
        Case { name: "a process may make itself unreadable", clocks: full, program: unreadable },
        Case { name: "a process may end with a call open", clocks: full, program: ends_in_call },
        Case { name: "a thousand children come and go", clocks: full, program: many_children },
    ]
}

/// For how long the cases go on that are as good as the time they take: 2 s, or as the variable
/// says.
fn duration() -> Duration {
    Duration::from_secs(of_variable("PTPCTL_SECONDS").unwrap_or(2))
}

fn of_variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// A generator of numbers that look random, of Marsaglia.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.next() % all.len() as u64).expect("small")]
    }
}

/// An `int` as an argument of a system call.
fn int(number: i32) -> u64 {
    i64::from(number).cast_unsigned()
}

/// The calls that are answered, with arguments that are right, wrong and absurd. Whatever these
/// calls do where no supervisor answers, they can't change the machine: no clock of the system is
/// named, no file is made.
fn random() {
    let clock = Clock::open(0);
    // Never 0, of which this generator makes nothing else.
    let seed = of_variable("PTPCTL_SEED").unwrap_or(1);
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15 ^ seed << 8);
    let mut memory = vec![0_u64; 1_024];
    let paths = ["/dev/ptp0", "/dev/ptp1", "/sys/class/ptp", "ptp0", "", "/", "/sys/class/ptp/.."];
    let paths = paths.map(|path| std::ffi::CString::new(path).expect("a path"));
    let began = Instant::now();
    let mut made = 0_u32;
    while began.elapsed() < duration() {
        let place = usize::try_from(numbers.next() % 1_024).expect("small");
        memory[place] = numbers.next();
        let number = numbers.next();
        let start = memory.as_mut_ptr() as u64;
        // The struct may lie at the end of the memory, or nowhere.
        let data = numbers.of(&[start, start + 8 * 60, 8, 0, u64::MAX, number]);
        let path = numbers.of(&[0, 1, 2, 3, 4, 5, 6].map(|of: usize| paths[of].as_ptr() as u64));
        let path = numbers.of(&[path, path, path, 0, 8, number]);
        let own = int(clock.fd());
        let descriptor = numbers.of(&[own, own, number % 8, number]);
        let here = numbers.of(&[int(libc::AT_FDCWD), descriptor]);
        // Any clock of a descriptor, and none of the system.
        let id = numbers.of(&[int(clock.id()), number, !0]) & !7 | 0x8000_0003;
        let request = numbers.of(&[
            request_number(libc::PTP_SYS_OFFSET),
            request_number(libc::PTP_PIN_SETFUNC),
            0x8000_3d00 | (number % 32) | ((number % 0x1000) << 16),
            0x8946,
            0x89b1,
        ]);
        let (call, arguments) = match number % 11 {
            0 | 1 => (libc::SYS_ioctl, [descriptor, request, data, 0, 0]),
            2 => (libc::SYS_clock_gettime, [id, data, 0, 0, 0]),
            3 => (libc::SYS_clock_settime, [id, data, 0, 0, 0]),
            4 => (libc::SYS_clock_adjtime, [id, data, 0, 0, 0]),
            5 => (libc::SYS_clock_getres, [id, data, 0, 0, 0]),
            6 => {
                let flags = number & int(libc::O_ACCMODE | libc::O_NOFOLLOW | libc::O_CLOEXEC);
                (libc::SYS_openat, [here, path, flags, 0, 0])
            }
            7 | 8 => (libc::SYS_statx, [here, path, number & 0x1100, 0x7ff, data]),
            9 => (libc::SYS_readlinkat, [here, path, data, number % 64, 0]),
            _ => (libc::SYS_faccessat, [here, path, number % 8, 0, 0]),
        };
        // SAFETY: what it writes, it writes into `memory` or nowhere: 1 216 bytes at most.
        let answered = unsafe {
            {
                let [first, second, third, ..] = arguments;
                libc::syscall(call, first, second, third, arguments[3], arguments[4])
            }
        };
        if answered > 2 && call == libc::SYS_openat {
            // SAFETY: a new descriptor.
            unsafe { libc::close(i32::try_from(answered).expect("a descriptor")) };
        }
        made += 1;
    }
    assert!(made > 100, "{made}");
    assert!(Clock::open(0).caps().is_ok());
    println!("{made} calls");
}

fn killed() {
    for round in 0..50 {
        // SAFETY: this process has one thread.
        match unsafe { libc::fork() } {
            0 => loop {
                let clock = Clock::open(0);
                let _ = clock.extended(25);
            },
            child => {
                std::thread::sleep(Duration::from_micros(200 * round));
                // SAFETY: takes no pointer but the one for nothing.
                unsafe {
                    libc::kill(child, libc::SIGKILL);
                    libc::waitpid(child, std::ptr::null_mut(), 0);
                }
            }
        }
    }
    assert!(Clock::open(0).time().is_ok());
}

extern "C" fn ignore(_: libc::c_int) {}

/// A step that says that it was made was made once, one that was interrupted not at all.
fn signals() {
    let clock = Clock::open(0);
    let before = clock.time();
    let handler: extern "C" fn(libc::c_int) = ignore;
    // SAFETY: integers, which may be 0; the handler does nothing.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as libc::sighandler_t;
        libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut());
        let soon = libc::timeval { tv_sec: 0, tv_usec: 100 };
        let timer = libc::itimerval { it_interval: soon, it_value: soon };
        libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut());
    }
    let (mut made, mut interrupted) = (0_i64, 0);
    let began = Instant::now();
    while began.elapsed() < duration() {
        match clock.step(10) {
            Ok(()) => made += 1,
            Err(Errno::EINTR) => interrupted += 1,
            Err(errno) => panic!("{errno}"),
        }
    }
    // SAFETY: the struct is only read.
    unsafe {
        let never = libc::timeval { tv_sec: 0, tv_usec: 0 };
        let timer = libc::itimerval { it_interval: never, it_value: never };
        libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut());
    }
    let before = before.expect("a time");
    let grown = clock.time().expect("a time") - before;
    let seconds = i128::from(made) * 10;
    let rest = grown - seconds * 1_000_000_000;
    // One step more or less would be 10 s. Slow readings may bring a clock ahead by a second.
    let elapsed = i128::try_from(began.elapsed().as_nanos()).expect("short");
    assert!(
        (rest - elapsed).abs() < 2_000_000_000,
        "{made} made, {interrupted} not, {} ns beside them",
        rest - elapsed
    );
    assert!(made > 100, "{made}");
    println!("{made} steps made, {interrupted} interrupted, each that was made once");
}

fn changing() {
    let clock = Clock::open(0);
    let stop = AtomicBool::new(false);
    let memory = [0_u64; 200];
    let at = memory.as_ptr() as u64;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut numbers = Numbers(1);
            while !stop.load(Ordering::Relaxed) {
                let place = (numbers.next() % 200) * 8;
                // SAFETY: the struct is this test's, and nobody reads it as anything else.
                unsafe { std::ptr::write_volatile((at + place) as *mut u64, numbers.next()) };
            }
        });
        for _ in 0..2_000 {
            for request in [libc::PTP_SYS_OFFSET_EXTENDED, libc::PTP_PIN_GETFUNC] {
                let _ = clock.ioctl(request_number(request), at);
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(clock.caps().is_ok());
}

fn unreadable() {
    in_child(|| {
        let clock = Clock::open(0);
        // SAFETY: takes no pointer.
        unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) };
        // It is told no lie: it has no clock any more, or still has it where ptpctl is root.
        let answered = clock.caps();
        assert!(matches!(answered, Ok(_) | Err(Errno::ENOTTY)), "{:?}", answered.err());
        let opened = Clock::open_with(0, libc::O_RDWR).map(drop);
        assert!(matches!(opened, Ok(()) | Err(Errno::ENOENT)), "{opened:?}");
    });
    assert!(Clock::open(0).caps().is_ok());
}

fn ends_in_call() {
    for _ in 0..100 {
        in_child(|| {
            let clock = Clock::open(0);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    loop {
                        let _ = clock.extended(25);
                    }
                });
                std::thread::sleep(Duration::from_micros(300));
                // SAFETY: ends the process with its threads.
                unsafe { libc::_exit(0) };
            });
        });
    }
    assert!(Clock::open(0).caps().is_ok());
}

fn many_children() {
    let clock = Clock::open(0);
    for _ in 0..1_000 {
        // SAFETY: this process has one thread.
        match unsafe { libc::fork() } {
            0 => {
                let fine = clock.time().is_ok();
                // SAFETY: ends the child.
                unsafe { libc::_exit(i32::from(!fine)) };
            }
            child => {
                let mut status = 0;
                // SAFETY: the kernel writes one `int`.
                answer(unsafe { libc::waitpid(child, &raw mut status, 0) }.into()).expect("ended");
                assert_eq!(status, 0);
            }
        }
    }
}
