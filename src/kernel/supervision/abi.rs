//! System calls as programs make them: their numbers and the sizes of their words, for each
//! architecture whose programs this machine may run.
//!
//! The sources are the kernel's tables, `arch/x86/entry/syscalls/syscall_64.tbl`, `syscall_32.tbl`
//! and `scripts/syscall.tbl` for arm64.

/// A system call, by what it does. Where an architecture has it twice, with times of 32 and of 64
/// bits, the [`Word`] tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syscall {
    Open,
    Creat,
    Openat,
    Openat2,
    /// One of `getxattr`, `lgetxattr`, `listxattr`, `llistxattr`.
    Getxattr,
    Stat,
    Lstat,
    Fstat,
    Fstatat,
    Statx,
    Access,
    Faccessat,
    Readlink,
    Readlinkat,
    Ioctl,
    Read,
    Socket,
    ClockGettime(Word),
    ClockSettime(Word),
    ClockAdjtime(Word),
    ClockGetres(Word),
    ClockNanosleep,
    TimerCreate,
    Adjtimex,
    Settimeofday,
    Gettimeofday,
    Time,
    Stime,
    /// Where a program begins: it sets up its thread's memory.
    ArchPrctl,
    SetThreadArea,
    /// One of the first calls of a program where the others aren't: `set_tid_address` of C
    /// libraries, `sched_getaffinity` of Go.
    Begin,
    IoUringSetup,
    Seccomp,
}

/// How wide a `long` is in the structs of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Bits32,
    Bits64,
}

/// `SIOCSHWTSTAMP`: sets which packets of an interface get timestamps.
pub(crate) const SIOCSHWTSTAMP: u16 = 0x89b0;

/// The calls of one architecture.
#[derive(Debug)]
pub(crate) struct Abi {
    /// `AUDIT_ARCH_…`: what a notification calls it.
    pub(crate) arch: u32,
    /// How wide pointers and `long` are.
    pub(crate) word: Word,
    /// The layout of `struct stat`.
    pub(crate) stat: StatLayout,
    /// From here on numbers belong to another architecture: x32 has them on x86-64.
    pub(crate) end: u32,
    pub(crate) calls: &'static [(u32, Syscall)],
}

/// Which `struct stat` the calls of an architecture fill in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatLayout {
    /// x86-64, of 144 bytes.
    X86,
    /// `struct stat64` of i386, of 96 bytes.
    I386,
    /// The one that newer architectures share, of 128 bytes.
    Generic,
}

use Syscall::{
    Access, Adjtimex, ArchPrctl, Begin, ClockAdjtime, ClockGetres, ClockGettime, ClockNanosleep,
    ClockSettime, Creat, Faccessat, Fstat, Fstatat, Gettimeofday, Getxattr, IoUringSetup, Ioctl,
    Lstat, Open, Openat, Openat2, Read, Readlink, Readlinkat, Seccomp, SetThreadArea, Settimeofday,
    Socket, Stat, Statx, Stime, Time, TimerCreate,
};
use Word::{Bits32, Bits64};

const X86_64: Abi = Abi {
    arch: 0xc000_003e,
    word: Bits64,
    stat: StatLayout::X86,
    end: 0x4000_0000,
    calls: &[
        (0, Read),
        (2, Open),
        (4, Stat),
        (5, Fstat),
        (6, Lstat),
        (16, Ioctl),
        (21, Access),
        (41, Socket),
        (85, Creat),
        (89, Readlink),
        (96, Gettimeofday),
        (158, ArchPrctl),
        (159, Adjtimex),
        (164, Settimeofday),
        (191, Getxattr),
        (192, Getxattr),
        (194, Getxattr),
        (195, Getxattr),
        (201, Time),
        (222, TimerCreate),
        (227, ClockSettime(Bits64)),
        (228, ClockGettime(Bits64)),
        (229, ClockGetres(Bits64)),
        (230, ClockNanosleep),
        (257, Openat),
        (262, Fstatat),
        (267, Readlinkat),
        (269, Faccessat),
        (305, ClockAdjtime(Bits64)),
        (317, Seccomp),
        (332, Statx),
        (425, IoUringSetup),
        (437, Openat2),
        (439, Faccessat),
    ],
};

const I386: Abi = Abi {
    arch: 0x4000_0003,
    word: Bits32,
    stat: StatLayout::I386,
    end: u32::MAX,
    calls: &[
        (3, Read),
        (5, Open),
        (8, Creat),
        (13, Time),
        (25, Stime),
        (33, Access),
        (54, Ioctl),
        (78, Gettimeofday),
        (79, Settimeofday),
        (85, Readlink),
        (124, Adjtimex),
        (195, Stat),
        (196, Lstat),
        (197, Fstat),
        (229, Getxattr),
        (230, Getxattr),
        (232, Getxattr),
        (233, Getxattr),
        (243, SetThreadArea),
        (259, TimerCreate),
        (264, ClockSettime(Bits32)),
        (265, ClockGettime(Bits32)),
        (266, ClockGetres(Bits32)),
        (267, ClockNanosleep),
        (295, Openat),
        (300, Fstatat),
        (305, Readlinkat),
        (307, Faccessat),
        (343, ClockAdjtime(Bits32)),
        (354, Seccomp),
        (359, Socket),
        (383, Statx),
        (403, ClockGettime(Bits64)),
        (404, ClockSettime(Bits64)),
        (405, ClockAdjtime(Bits64)),
        (406, ClockGetres(Bits64)),
        (407, ClockNanosleep),
        (425, IoUringSetup),
        (437, Openat2),
        (439, Faccessat),
    ],
};

/// `AUDIT_ARCH_AARCH64`.
pub(crate) const AUDIT_ARCH_AARCH64: u32 = 0xc000_00b7;

const ARM64: Abi = Abi {
    arch: AUDIT_ARCH_AARCH64,
    word: Bits64,
    stat: StatLayout::Generic,
    end: u32::MAX,
    calls: &[
        (63, Read),
        (8, Getxattr),
        (9, Getxattr),
        (11, Getxattr),
        (12, Getxattr),
        (29, Ioctl),
        (48, Faccessat),
        (56, Openat),
        (78, Readlinkat),
        (79, Fstatat),
        (80, Fstat),
        (96, Begin),
        (107, TimerCreate),
        (112, ClockSettime(Bits64)),
        (113, ClockGettime(Bits64)),
        (114, ClockGetres(Bits64)),
        (115, ClockNanosleep),
        (123, Begin),
        (169, Gettimeofday),
        (170, Settimeofday),
        (171, Adjtimex),
        (198, Socket),
        (266, ClockAdjtime(Bits64)),
        (277, Seccomp),
        (291, Statx),
        (425, IoUringSetup),
        (437, Openat2),
        (439, Faccessat),
    ],
};

/// The architectures whose programs this machine may run; none where they aren't known.
pub(crate) const fn known() -> &'static [Abi] {
    if cfg!(any(target_arch = "x86_64", target_arch = "x86")) {
        &[X86_64, I386]
    } else if cfg!(target_arch = "aarch64") {
        &[ARM64]
    } else {
        &[]
    }
}

impl Abi {
    /// The call of this number.
    pub(crate) fn call(&self, number: u32) -> Option<Syscall> {
        self.calls.iter().find(|(known, _)| *known == number).map(|(_, call)| *call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The second source: the numbers that the C library has for the architecture of this program.
    #[test]
    fn the_numbers_are_those_of_the_c_library() {
        let arch = if cfg!(target_arch = "x86_64") {
            X86_64
        } else if cfg!(target_arch = "x86") {
            I386
        } else {
            ARM64
        };
        if known().is_empty() {
            return;
        }
        let number =
            |call| arch.calls.iter().find(|(_, known)| *known == call).map(|(number, _)| *number);
        let libc = |number: libc::c_long| u32::try_from(number).ok();
        let word = if cfg!(target_arch = "x86") { Bits32 } else { Bits64 };
        assert_eq!(number(Ioctl), libc(libc::SYS_ioctl));
        assert_eq!(number(Read), libc(libc::SYS_read));
        assert_eq!(number(Openat), libc(libc::SYS_openat));
        assert_eq!(number(Openat2), libc(libc::SYS_openat2));
        assert_eq!(number(Readlinkat), libc(libc::SYS_readlinkat));
        assert_eq!(number(Faccessat), libc(libc::SYS_faccessat));
        assert_eq!(arch.call(439), Some(Faccessat));
        assert_eq!(libc::SYS_faccessat2, 439);
        #[cfg(target_arch = "aarch64")]
        for number in [libc::SYS_set_tid_address, libc::SYS_sched_getaffinity] {
            assert_eq!(arch.call(u32::try_from(number).expect("a number")), Some(Begin));
        }
        assert_eq!(number(Statx), libc(libc::SYS_statx));
        assert_eq!(number(Seccomp), libc(libc::SYS_seccomp));
        assert_eq!(number(Socket), libc(libc::SYS_socket));
        assert_eq!(number(TimerCreate), libc(libc::SYS_timer_create));
        assert_eq!(number(IoUringSetup), libc(libc::SYS_io_uring_setup));
        assert_eq!(number(ClockGettime(word)), libc(libc::SYS_clock_gettime));
        assert_eq!(number(ClockSettime(word)), libc(libc::SYS_clock_settime));
        assert_eq!(number(ClockGetres(word)), libc(libc::SYS_clock_getres));
        assert_eq!(number(ClockAdjtime(word)), libc(libc::SYS_clock_adjtime));
        assert_eq!(number(Adjtimex), libc(libc::SYS_adjtimex));
        assert_eq!(number(Gettimeofday), libc(libc::SYS_gettimeofday));
        assert_eq!(number(Settimeofday), libc(libc::SYS_settimeofday));
        assert_eq!(number(ClockNanosleep), libc(libc::SYS_clock_nanosleep));
    }
}
