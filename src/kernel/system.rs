//! The system's own clocks.

use super::uapi::{timespec, timex};
use super::{Result, clock};
use nix::sys::utsname::uname;

/// `clock_gettime` on one of the system's clocks.
///
/// # Errors
///
/// `EINVAL` for a clock that this kernel doesn't have or that is switched off.
pub fn system_gettime(clock: libc::clockid_t) -> Result<timespec> {
    clock::gettime(clock)
}

/// How many bits a `long` of the running kernel has, which may be more than in this program.
pub(super) fn bits_of_long() -> u32 {
    let machine = || Some(uname().ok()?.machine().to_str()?.to_owned());
    // A 64-bit program needs a 64-bit kernel.
    if usize::BITS == 64 || machine().is_some_and(|machine| has_64_bits(&machine)) {
        64
    } else {
        32
    }
}

/// Whether a kernel that calls its machine so has 64 bits.
fn has_64_bits(machine: &str) -> bool {
    ["64", "64_be", "64le", "64el", "s390x"].iter().any(|end| machine.ends_with(end))
}

/// `clock_nanosleep` until a time of `CLOCK_MONOTONIC`.
pub(super) fn nanosleep(until: &timespec) -> Result<()> {
    clock::nanosleep(libc::CLOCK_MONOTONIC, until)
}

/// `clock_adjtime` on `CLOCK_REALTIME`.
///
/// # Errors
///
/// Where `modes` isn't 0: `EPERM` without `CAP_SYS_TIME`, `EINVAL` for what the kernel refuses.
pub fn system_adjtime(timex: &mut timex) -> Result<()> {
    clock::adjtime(libc::CLOCK_REALTIME, timex)
}

/// Whether a process has a capability, by the text of its `/proc/PID/status`; `None` where that
/// doesn't say.
#[cfg(feature = "cli")]
pub(crate) fn has_capability(status: &str, capability: u32) -> Option<bool> {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?.trim();
    let effective = u64::from_str_radix(effective, 16).ok()?;
    Some(effective >> capability & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_width_of_a_kernel_is_known_by_its_machine() {
        for machine in [
            "x86_64",
            "aarch64",
            "aarch64_be",
            "ppc64",
            "ppc64le",
            "s390x",
            "riscv64",
            "mips64",
            "sparc64",
            "loongarch64",
            "parisc64",
        ] {
            assert!(has_64_bits(machine), "{machine}");
        }
        for machine in ["armv7l", "armv8l", "i686", "mips", "ppc", "riscv32", "sparc", "m68k"] {
            assert!(!has_64_bits(machine), "{machine}");
        }
    }
}
