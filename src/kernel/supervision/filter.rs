//! A seccomp filter: which system calls of a program are handed to a supervisor.
//!
//! The sources are seccomp(2) and the kernel's `Documentation/userspace-api/seccomp_filter.rst`.

#![expect(unsafe_code, reason = "libc marks its builders of instructions as unsafe")]

use super::abi::{Abi, Syscall, known};
use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_RSH, BPF_W,
    sock_filter,
};
use std::mem::offset_of;

/// What becomes of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The kernel makes it.
    Native,
    /// The supervisor is asked.
    Asked,
    /// The one who traces the program is told.
    Marked,
    /// It fails with this errno.
    Refused(i32),
}

/// A test of one argument: its lowest 32 bits, masked, are this value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Test {
    pub(crate) argument: usize,
    pub(crate) shift: u32,
    pub(crate) mask: u32,
    pub(crate) value: u32,
}

/// What becomes of a call whose arguments pass all tests.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) tests: Vec<Test>,
    pub(crate) fate: Fate,
}

impl Rule {
    pub(crate) fn always(fate: Fate) -> Self {
        Self { tests: Vec::new(), fate }
    }
}

/// The instructions of a filter.
///
/// `rules` has the rules of a call, in order; what none of them fits is made by the kernel, like
/// all calls without rules, and those of architectures that aren't known.
pub(crate) fn filter(rules: impl Fn(Syscall) -> Vec<Rule>) -> Vec<sock_filter> {
    let mut program = vec![load(offset_of!(libc::seccomp_data, arch))];
    for abi in known() {
        let of_abi = instructions_of(abi, &rules);
        // Jumps over the part of another architecture, which may be longer than a test reaches.
        program.push(jump(BPF_JEQ, abi.arch, 1, 0));
        program.push(go(of_abi.len()));
        program.extend(of_abi);
    }
    program.push(end(Fate::Native));
    program
}

fn instructions_of(abi: &Abi, rules: &impl Fn(Syscall) -> Vec<Rule>) -> Vec<sock_filter> {
    let mut program = vec![load(offset_of!(libc::seccomp_data, nr))];
    if abi.end != u32::MAX {
        program.extend([jump(BPF_JGE, abi.end, 0, 1), end(Fate::Native)]);
    }
    for &(number, call) in abi.calls {
        let mut of_call = Vec::new();
        for rule in rules(call) {
            // A rule that doesn't fit jumps behind its own end.
            let mut left = 4 * rule.tests.len() + 1;
            for test in &rule.tests {
                left -= 4;
                of_call.extend([
                    load(offset_of!(libc::seccomp_data, args) + 8 * test.argument + LOW_HALF),
                    statement(BPF_ALU | BPF_RSH | BPF_K, test.shift),
                    statement(BPF_ALU | BPF_AND | BPF_K, test.mask),
                    jump(BPF_JEQ, test.value, 0, left),
                ]);
            }
            of_call.push(end(rule.fate));
        }
        if of_call.is_empty() {
            continue;
        }
        of_call.push(end(Fate::Native));
        program.push(jump(BPF_JEQ, number, 0, of_call.len()));
        program.extend(of_call);
    }
    program.push(end(Fate::Native));
    program
}

/// Where the lowest 32 bits of an argument are in its 64.
const LOW_HALF: usize = if cfg!(target_endian = "little") { 0 } else { 4 };

fn load(offset: usize) -> sock_filter {
    // The struct of a call is much shorter than this.
    statement(BPF_LD | BPF_W | BPF_ABS, u32::try_from(offset).unwrap_or(u32::MAX))
}

fn end(fate: Fate) -> sock_filter {
    let action = match fate {
        Fate::Native => libc::SECCOMP_RET_ALLOW,
        Fate::Asked => libc::SECCOMP_RET_USER_NOTIF,
        Fate::Marked => libc::SECCOMP_RET_TRACE,
        Fate::Refused(errno) => libc::SECCOMP_RET_ERRNO | u32::try_from(errno).unwrap_or_default(),
    };
    statement(BPF_RET | BPF_K, action)
}

/// Goes on this many instructions farther.
fn go(instructions: usize) -> sock_filter {
    statement(BPF_JMP | libc::BPF_JA, u32::try_from(instructions).unwrap_or(u32::MAX))
}

fn statement(code: u32, value: u32) -> sock_filter {
    let code = u16::try_from(code).unwrap_or_default();
    // SAFETY: it only fills in a struct.
    unsafe { libc::BPF_STMT(code, value) }
}

/// Compares; goes on so many instructions farther where it holds, and where it doesn't.
fn jump(test: u32, value: u32, holds: u8, fails: usize) -> sock_filter {
    let code = u16::try_from(BPF_JMP | test | BPF_K).unwrap_or_default();
    // SAFETY: it only fills in a struct.
    unsafe { libc::BPF_JUMP(code, value, holds, u8::try_from(fails).unwrap_or(u8::MAX)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a kernel would answer: the few instructions that the filter is made of.
    fn run(program: &[sock_filter], arch: u32, number: u32, arguments: [u64; 6]) -> u32 {
        let mut data = Vec::new();
        data.extend(number.to_ne_bytes());
        data.extend(arch.to_ne_bytes());
        data.extend(0_u64.to_ne_bytes());
        for argument in arguments {
            data.extend(argument.to_ne_bytes());
        }
        let (mut at, mut register) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            let code = u32::from(code);
            if code == BPF_LD | BPF_W | BPF_ABS {
                let from = k as usize;
                register = u32::from_ne_bytes(data[from..from + 4].try_into().expect("a word"));
            } else if code == BPF_ALU | BPF_RSH | BPF_K {
                register >>= k;
            } else if code == BPF_ALU | BPF_AND | BPF_K {
                register &= k;
            } else if code == BPF_JMP | BPF_JEQ | BPF_K {
                at += usize::from(if register == k { jt } else { jf });
            } else if code == BPF_JMP | BPF_JGE | BPF_K {
                at += usize::from(if register >= k { jt } else { jf });
            } else if code == BPF_JMP | libc::BPF_JA {
                at += k as usize;
            } else if code == BPF_RET | BPF_K {
                return k;
            } else {
                panic!("{code:#x} is no instruction of a filter");
            }
        }
    }

    fn rules(call: Syscall) -> Vec<Rule> {
        let is = |argument, value| Test { argument, shift: 0, mask: u32::MAX, value };
        match call {
            Syscall::Openat => vec![Rule::always(Fate::Asked)],
            Syscall::Socket => vec![Rule {
                tests: vec![is(0, 16), is(2, 16)],
                fate: Fate::Refused(libc::EPROTONOSUPPORT),
            }],
            Syscall::Ioctl => vec![
                Rule {
                    tests: vec![Test { argument: 1, shift: 8, mask: 0xff, value: 0x3d }],
                    fate: Fate::Asked,
                },
                Rule { tests: vec![is(1, 0x8946)], fate: Fate::Asked },
            ],
            _ => Vec::new(),
        }
    }

    #[test]
    fn each_call_goes_the_way_of_its_first_rule_that_fits() {
        let program = filter(rules);
        let refused = libc::SECCOMP_RET_ERRNO | libc::EPROTONOSUPPORT.cast_unsigned();
        let (native, asked) = (libc::SECCOMP_RET_ALLOW, libc::SECCOMP_RET_USER_NOTIF);
        for abi in known() {
            let number =
                |call| abi.calls.iter().find(|(_, known)| *known == call).expect("there").0;
            let run = |call, arguments| run(&program, abi.arch, number(call), arguments);
            assert_eq!(run(Syscall::Openat, [0; 6]), asked);
            assert_eq!(run(Syscall::Statx, [0; 6]), native);
            assert_eq!(run(Syscall::Socket, [16, 3, 16, 0, 0, 0]), refused);
            assert_eq!(run(Syscall::Socket, [16, 3, 0, 0, 0, 0]), native);
            assert_eq!(run(Syscall::Socket, [2, 3, 16, 0, 0, 0]), native);
            assert_eq!(run(Syscall::Ioctl, [3, 0x8050_3d01, 0, 0, 0, 0]), asked);
            assert_eq!(run(Syscall::Ioctl, [3, 0x8946, 0, 0, 0, 0]), asked);
            assert_eq!(run(Syscall::Ioctl, [3, 0x5401, 0, 0, 0, 0]), native);
            // What lies above the lowest 32 bits doesn't count for the kernel either.
            assert_eq!(run(Syscall::Ioctl, [3, 0x1_0000_8946, 0, 0, 0, 0]), asked);
        }
    }

    #[test]
    fn other_architectures_are_left_alone() {
        let program = filter(rules);
        assert_eq!(run(&program, 0x1234, 257, [0; 6]), libc::SECCOMP_RET_ALLOW);
        // x32 has its numbers from 0x40000000 on.
        let openat = run(&program, 0xc000_003e, 0x4000_0000 + 257, [0; 6]);
        assert_eq!(openat, libc::SECCOMP_RET_ALLOW);
    }
}
