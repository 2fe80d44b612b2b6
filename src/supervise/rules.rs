//! Which calls of a program the supervisor answers; all others cost it nothing.

use crate::kernel::supervision::abi::{SIOCSHWTSTAMP, Syscall};
use crate::kernel::supervision::filter::{Fate, Rule, Test};
use crate::kernel::uapi::SIOCGHWTSTAMP;
use crate::kernel::uapi::{PTP_CLK_MAGIC, SIOCETHTOOL};

/// What a program is to see besides clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Interfaces of the network.
    pub(super) interfaces: bool,
    /// A simulated system clock.
    pub(super) system: bool,
}

/// The rules of a call.
#[expect(clippy::too_many_lines, reason = "a table: the rules of each call")]
fn rules(call: Syscall, seen: Seen) -> Vec<Rule> {
    let Seen { interfaces, system } = seen;
    match call {
        Syscall::Open
        | Syscall::Creat
        | Syscall::Getxattr
        | Syscall::Openat
        | Syscall::Openat2
        | Syscall::Stat
        | Syscall::Lstat
        | Syscall::Fstat
        | Syscall::Fstatat
        | Syscall::Statx
        | Syscall::Access
        | Syscall::Faccessat
        | Syscall::Readlink
        | Syscall::Readlinkat
        | Syscall::Adjtimex => vec![Rule::always(Fate::Asked)],
        Syscall::ClockGettime(_) if system => {
            let clocks = [libc::CLOCK_REALTIME, libc::CLOCK_REALTIME_COARSE, libc::CLOCK_TAI];
            let of_system = clocks
                .map(|clock| Rule { tests: vec![is(0, clock.cast_unsigned())], fate: Fate::Asked });
            std::iter::once(of_device(Fate::Asked)).chain(of_system).collect()
        }
        Syscall::ClockGettime(_) | Syscall::ClockGetres(_) => vec![of_device(Fate::Asked)],
        // A program that steers the system's clock by a mock must not steer the machine's own.
        Syscall::ClockSettime(_) => vec![of_device(Fate::Asked), of_system(steered(system))],
        Syscall::Settimeofday | Syscall::Stime => vec![Rule::always(steered(system))],
        Syscall::Gettimeofday | Syscall::Time | Syscall::SetThreadArea | Syscall::Begin
            if system =>
        {
            vec![Rule::always(Fate::Asked)]
        }
        Syscall::ArchPrctl if system => {
            vec![Rule { tests: vec![is(0, ARCH_SET_FS)], fate: Fate::Asked }]
        }
        Syscall::ClockAdjtime(_) => vec![of_device(Fate::Asked), of_system(Fate::Asked)],
        // No PHC has timers.
        Syscall::ClockNanosleep | Syscall::TimerCreate => {
            vec![of_device(Fate::Refused(libc::EOPNOTSUPP))]
        }
        Syscall::Ioctl => {
            let type_of_ptp = Test { argument: 1, shift: 8, mask: 0xff, value: PTP_CLK_MAGIC };
            let of_interface = [SIOCETHTOOL, SIOCGHWTSTAMP, SIOCSHWTSTAMP]
                .map(|request| Rule { tests: vec![is(1, request.into())], fate: Fate::Asked });
            let of_ptp = Rule { tests: vec![type_of_ptp], fate: Fate::Asked };
            std::iter::once(of_ptp).chain(of_interface.into_iter().filter(|_| interfaces)).collect()
        }
        // A program that can't ask by netlink asks by ioctl.
        Syscall::Socket if interfaces => vec![Rule {
            tests: vec![
                is(0, libc::AF_NETLINK.cast_unsigned()),
                is(2, libc::NETLINK_GENERIC.cast_unsigned()),
            ],
            fate: Fate::Refused(libc::EPROTONOSUPPORT),
        }],
        Syscall::Gettimeofday
        | Syscall::Time
        | Syscall::SetThreadArea
        | Syscall::ArchPrctl
        | Syscall::Begin
        | Syscall::Read
        | Syscall::Seccomp
        | Syscall::Socket => Vec::new(),
        // What it does passes no filter.
        Syscall::IoUringSetup => vec![Rule::always(Fate::Refused(libc::ENOSYS))],
    }
}

/// What becomes of a call that sets the system's clock.
fn steered(system: bool) -> Fate {
    if system { Fate::Asked } else { Fate::Refused(libc::EPERM) }
}

/// `ARCH_SET_FS` of `arch_prctl`(2).
const ARCH_SET_FS: u32 = 0x1002;

/// The clocks that a descriptor names: `FD_TO_CLOCKID` of the kernel's posix-timers.h makes the
/// number negative, and its lowest bits 3.
fn of_device(fate: Fate) -> Rule {
    let test = Test { argument: 0, shift: 0, mask: 0x8000_0007, value: 0x8000_0003 };
    Rule { tests: vec![test], fate }
}

/// `CLOCK_REALTIME`.
fn of_system(fate: Fate) -> Rule {
    Rule { tests: vec![is(0, libc::CLOCK_REALTIME.cast_unsigned())], fate }
}

fn is(argument: usize, value: u32) -> Test {
    Test { argument, shift: 0, mask: u32::MAX, value }
}

/// The filter of a program.
pub(super) fn filter(seen: Seen) -> Vec<libc::sock_filter> {
    crate::kernel::supervision::filter::filter(|call| rules(call, seen))
}
