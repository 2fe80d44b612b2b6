//! The seam: the calls that a PTP hardware clock answers, in the kernel's own structs.
//!
//! Everything above this module talks to a clock through [`Calls`]. [`Device`] is the clock behind
//! `/dev/ptpN`; the mock is another; your own simulator can be a third. The errors are the
//! kernel's errno values, uninterpreted.
//!
//! This is the only module with `unsafe` code and ioctl numbers, and the only one that opens
//! devices.

mod answer;
mod call;
mod clock;
mod device;
mod ethtool;
#[cfg(feature = "mock")]
mod exchange;
#[cfg(feature = "cli")]
mod locks;
mod netlink;
mod scheduling;
mod signals;
#[cfg(feature = "cli")]
mod standard_output;
#[cfg(feature = "cli")]
pub(crate) mod supervision;
mod system;
pub mod uapi;

#[cfg(feature = "mock")]
pub(crate) use answer::answer_with;
#[cfg(any(feature = "cli", feature = "mock"))]
pub(crate) use answer::in_words;
pub(crate) use answer::{ENOTSUPP, errno_name, forget_number, number_of};
pub use call::{Call, NoSuchCall};
pub use device::Device;
pub(crate) use device::{CLASS, phc_major};
#[cfg(feature = "cli")]
pub(crate) use ethtool::{HardwareTimestamps, hardware_timestamps};
pub use ethtool::{PhcOfInterface, phc_of_interface};
#[cfg(feature = "mock")]
pub(crate) use exchange::{Exchange, Traced};
#[cfg(feature = "cli")]
pub(crate) use locks::{has_writer, lock_as_writer};
pub use netlink::{Provider, Source, timestamp_providers};
pub use scheduling::{lock_memory, pin_to_cpu, run_in_real_time};
pub use signals::{Interruptible, Signals, ignore_file_size_limit, notice_going_on, went_on};
#[cfg(feature = "cli")]
pub use standard_output::standard_output_was_closed;
#[cfg(feature = "cli")]
pub(crate) use system::has_capability;
pub use system::{system_adjtime, system_gettime};

pub use nix::errno::Errno;
use nix::poll::{PollFd, PollTimeout, poll};
use std::os::fd::BorrowedFd;
use std::time::Duration;
use uapi::{
    ExttsEvent, ptp_clock_caps, ptp_extts_request, ptp_perout_request, ptp_pin_desc,
    ptp_sys_offset, ptp_sys_offset_extended, ptp_sys_offset_precise, timespec, timex,
};

/// What a call answers: a value or the kernel's errno.
pub type Result<T> = std::result::Result<T, Errno>;

/// Which of the two numbers of a PTP ioctl is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The numbers of Linux 3.0; unknown flags are cleared.
    V1,
    /// The numbers of Linux 5.4; unknown flags and reserved fields are checked.
    V2,
}

/// How a wait for events ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Events can be read.
    Events,
    /// The clock has gone.
    Gone,
    /// One of the other file descriptors is ready, or a signal came.
    Woken,
    /// The time is up.
    TimedOut,
}

/// The calls that a PTP hardware clock answers.
///
/// Each method is one kernel call and has its name. Methods take `&self`: a clock has one state,
/// however many handles share it.
///
/// All methods but `clock_gettime` have a default. Most of them answer as the kernel does where it
/// doesn't know a call, where a driver doesn't offer it, or where sysfs has no such file; those for
/// the system's clocks use the clocks of the machine. So a simulator implements only what it
/// simulates, and still compiles when Linux gets another call.
///
/// # Examples
///
/// A clock that shows one time for ever:
///
/// ```
/// use ptpctl::Phc;
/// use ptpctl::kernel::{Calls, Errno, Result, uapi::timespec};
///
/// struct Stopped;
///
/// impl Calls for Stopped {
///     fn clock_gettime(&self) -> Result<timespec> {
///         Ok(timespec { tv_sec: 1_700_000_000, tv_nsec: 0 })
///     }
/// }
///
/// let phc = Phc::over(Box::new(Stopped), "stopped");
/// assert_eq!(phc.time()?.seconds(), 1_700_000_000);
/// assert_eq!(phc.caps().unwrap_err().errno(), Some(Errno::ENOTTY));
/// # Ok::<(), ptpctl::Error>(())
/// ```
pub trait Calls: Send {
    /// `clock_gettime` on the clock's dynamic clock id.
    fn clock_gettime(&self) -> Result<timespec>;

    /// `open`: another handle of the same clock, for reading, and with `write` also for writing.
    fn reopen(&self, write: bool) -> Result<Box<dyn Calls>> {
        let _ = write;
        Err(NOT_OFFERED)
    }

    /// The file descriptor of the handle, to wait for its events together with other files; `None`
    /// where there is none, as for a mock.
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// `clock_settime`. Needs a read-write handle, else `EACCES`.
    fn clock_settime(&self, time: &timespec) -> Result<()> {
        let _ = time;
        Err(NOT_OFFERED)
    }

    /// `clock_adjtime`; `modes` 0 only reads and works on a read-only handle.
    fn clock_adjtime(&self, timex: &mut timex) -> Result<()> {
        let _ = timex;
        Err(NOT_OFFERED)
    }

    /// `clock_getres`: one nanosecond for every PHC.
    fn clock_getres(&self) -> Result<timespec> {
        Ok(timespec { tv_sec: 0, tv_nsec: 1 })
    }

    /// `PTP_CLOCK_GETCAPS`.
    fn getcaps(&self, version: Version) -> Result<ptp_clock_caps> {
        let _ = version;
        Err(NO_SUCH_REQUEST)
    }

    /// `PTP_EXTTS_REQUEST`.
    fn extts_request(&self, version: Version, request: &ptp_extts_request) -> Result<()> {
        let _ = (version, request);
        Err(NO_SUCH_REQUEST)
    }

    /// `PTP_PEROUT_REQUEST`.
    fn perout_request(&self, version: Version, request: &ptp_perout_request) -> Result<()> {
        let _ = (version, request);
        Err(NO_SUCH_REQUEST)
    }

    /// `PTP_ENABLE_PPS`; the argument goes by value.
    fn enable_pps(&self, version: Version, enable: bool) -> Result<()> {
        let _ = (version, enable);
        Err(NO_SUCH_REQUEST)
    }

    /// `PTP_SYS_OFFSET`. Declared write-only, yet the kernel writes the answer back.
    fn sys_offset(&self, version: Version, samples: &mut ptp_sys_offset) -> Result<()> {
        let _ = (version, samples);
        Err(NO_SUCH_REQUEST)
    }

    /// `PTP_SYS_OFFSET_EXTENDED`.
    fn sys_offset_extended(
        &self,
        version: Version,
        samples: &mut ptp_sys_offset_extended,
    ) -> Result<()> {
        let _ = (version, samples);
        Err(NO_SUCH_REQUEST)
    }

    /// `PTP_SYS_OFFSET_PRECISE`.
    fn sys_offset_precise(&self, version: Version) -> Result<ptp_sys_offset_precise> {
        let _ = version;
        Err(NO_SUCH_REQUEST)
    }

    /// `PTP_PIN_GETFUNC`: fills in the pin that `pin.index` names.
    fn pin_getfunc(&self, version: Version, pin: &mut ptp_pin_desc) -> Result<()> {
        let _ = (version, pin);
        Err(NO_SUCH_REQUEST)
    }

    /// `PTP_PIN_SETFUNC`.
    fn pin_setfunc(&self, version: Version, pin: &ptp_pin_desc) -> Result<()> {
        let _ = (version, pin);
        Err(NO_SUCH_REQUEST)
    }

    /// `PTP_MASK_CLEAR_ALL`: this handle wants no channel's events.
    fn mask_clear_all(&self) -> Result<()> {
        Err(NO_SUCH_REQUEST)
    }

    /// `PTP_MASK_EN_SINGLE`: this handle wants this channel's events.
    fn mask_en_single(&self, channel: u32) -> Result<()> {
        let _ = channel;
        Err(NO_SUCH_REQUEST)
    }

    /// `PTP_SYS_OFFSET_PRECISE_CYCLES`.
    fn sys_offset_precise_cycles(&self) -> Result<ptp_sys_offset_precise> {
        Err(NO_SUCH_REQUEST)
    }

    /// `PTP_SYS_OFFSET_EXTENDED_CYCLES`.
    fn sys_offset_extended_cycles(&self, samples: &mut ptp_sys_offset_extended) -> Result<()> {
        let _ = samples;
        Err(NO_SUCH_REQUEST)
    }

    /// `read`: waits for events, answers how many were stored, 30 at most.
    fn read(&self, events: &mut [ExttsEvent]) -> Result<usize> {
        let _ = events;
        Err(NOT_OFFERED)
    }

    /// `poll` for events, for the other file descriptors in `wake`, and for `timeout`. The default,
    /// for a clock that has no events, waits for the other two.
    fn wait(&self, wake: &[PollFd<'_>], timeout: Duration) -> Result<Wait> {
        poll_for(&mut wake.to_vec(), timeout)
    }

    /// Reads one of the clock's sysfs attributes, such as `clock_name`, without its line end.
    fn attribute(&self, name: &str) -> Result<String> {
        let _ = name;
        Err(NO_SUCH_FILE)
    }

    /// Writes one of the clock's sysfs attributes, such as `n_vclocks`.
    fn set_attribute(&self, name: &str, value: &str) -> Result<()> {
        let _ = (name, value);
        Err(NO_SUCH_FILE)
    }

    /// The names of the virtual clocks on this one, such as `ptp3`: those below it in sysfs.
    fn virtual_clocks(&self) -> Result<Vec<String>> {
        Err(NO_SUCH_FILE)
    }

    /// How many bits a `long` of the kernel has: 64, or 32 on a 32-bit processor, where the kernel
    /// cuts a frequency to 32 bits.
    fn bits_of_long(&self) -> u32 {
        system::bits_of_long()
    }

    /// `clock_gettime` on a clock of the system that this PHC is in.
    fn system_gettime(&self, clock: libc::clockid_t) -> Result<timespec> {
        system::system_gettime(clock)
    }

    /// `clock_nanosleep` until a time of `CLOCK_MONOTONIC`, on the system that this PHC is in.
    fn system_nanosleep(&self, until: &timespec) -> Result<()> {
        system::nanosleep(until)
    }

    /// `clock_adjtime` on the system's `CLOCK_REALTIME`: steps it, or tells TAI − UTC (`tai`).
    fn system_adjtime(&self, timex: &mut timex) -> Result<()> {
        system::system_adjtime(timex)
    }
}

/// The answer to a request that the kernel doesn't know.
const NO_SUCH_REQUEST: Errno = Errno::ENOTTY;
/// The answer of a driver that doesn't offer a call.
const NOT_OFFERED: Errno = Errno::EOPNOTSUPP;
/// The answer of sysfs where a clock has no such attribute.
const NO_SUCH_FILE: Errno = Errno::ENOENT;

/// Polls for `timeout` at most; what came is in `polled`.
fn poll_for(polled: &mut [PollFd<'_>], timeout: Duration) -> Result<Wait> {
    let milliseconds = timeout.as_nanos().div_ceil(1_000_000);
    let timeout = PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX);
    match poll(polled, timeout) {
        Ok(0) => Ok(Wait::TimedOut),
        Ok(_) | Err(Errno::EINTR) => Ok(Wait::Woken),
        Err(errno) => Err(errno),
    }
}
