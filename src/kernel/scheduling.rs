//! How the kernel schedules a thread that measures: its processor, its priority and its memory.

#![expect(unsafe_code, reason = "sched_setscheduler takes a raw pointer")]

use super::Result;
use nix::errno::Errno;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use nix::unistd::{Pid, geteuid};

/// Keeps the calling thread on one processor.
///
/// # Errors
///
/// `EINVAL` where there is no such processor, or this process may not use it.
pub fn pin_to_cpu(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &set)
}

/// Makes the calling thread run before all threads that aren't real-time: `SCHED_FIFO` at its
/// lowest priority.
///
/// # Errors
///
/// `EPERM` without `CAP_SYS_NICE`, unless `RLIMIT_RTPRIO` allows it.
pub fn run_in_real_time() -> Result<()> {
    // SAFETY: the call takes no pointer.
    let lowest = Errno::result(unsafe { libc::sched_get_priority_min(libc::SCHED_FIFO) })?;
    // The kernel's struct has the priority only. musl's function of this name doesn't make the call.
    let parameters = lowest;
    let (call, this_thread) = (libc::SYS_sched_setscheduler, 0);
    // SAFETY: `parameters` outlives the call, which reads an int from it.
    let answer =
        unsafe { libc::syscall(call, this_thread, libc::SCHED_FIFO, &raw const parameters) };
    Errno::result(answer).map(drop)
}

/// Keeps the process's memory from being paged out: present and future pages, or only the present
/// ones where a limit would make later allocations fail.
///
/// # Errors
///
/// `EPERM`, `ENOMEM` or `EAGAIN` without `CAP_IPC_LOCK`, where `RLIMIT_MEMLOCK` is too low.
pub fn lock_memory() -> Result<()> {
    let (limit, _) = getrlimit(Resource::RLIMIT_MEMLOCK)?;
    let is_limited = limit != RLIM_INFINITY && !geteuid().is_root();
    let later = if is_limited { MlockAllFlags::empty() } else { MlockAllFlags::MCL_FUTURE };
    mlockall(MlockAllFlags::MCL_CURRENT | later)
}
