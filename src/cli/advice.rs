//! What to do about a failed call.

use crate::kernel::{Call, Errno};
use crate::phc::Error;

/// What to do about a failure, where there is something.
#[expect(clippy::too_many_lines, reason = "a table: a line or a few for each errno")]
pub(super) fn advice(error: &Error) -> Option<String> {
    let Error::Call { name, call, errno, .. } = error else {
        return None;
    };
    let device = &name.device;
    let is_of_sysfs = matches!(call, Call::Attribute | Call::SetAttribute | Call::VirtualClocks);
    let changes = matches!(
        call,
        Call::ClockSettime
            | Call::ClockAdjtime
            | Call::AdjtimeStep
            | Call::AdjtimeFrequency
            | Call::AdjtimePhase
    );
    let reads = matches!(
        call,
        Call::ClockGettime
            | Call::SysOffset
            | Call::SysOffsetExtended
            | Call::SysOffsetPrecise
            | Call::SysOffsetExtendedCycles
            | Call::SysOffsetPreciseCycles
    );
    Some(match errno {
        // Of a mock nobody can.
        Errno::EACCES if *call == Call::Open && device.starts_with('/') => format!(
            "give yourself access to {device}: join its group (ls -l {device}), or have an \
             administrator add a udev rule such as SUBSYSTEM==\"ptp\", GROUP=\"ptp\", \
             MODE=\"0660\". Commands that only look need read access alone"
        ),
        Errno::EACCES if is_of_sysfs => "this needs root: run it with sudo".into(),
        Errno::EACCES if *call == Call::Open => {
            "this clock may be opened for reading only, as by commands that only look".into()
        }
        Errno::EACCES => "the clock is open read-only: write access to the device is needed".into(),
        Errno::EPERM => "the capability CAP_SYS_TIME is needed: run it with sudo".into(),
        Errno::EBUSY if changes => format!(
            "a clock with virtual clocks runs freely: control those instead, or remove them \
             with 'ptpctl vclocks 0 {device}'"
        ),
        Errno::EBUSY
            if matches!(
                call,
                Call::ExttsRequest
                    | Call::ExttsRequest2
                    | Call::PeroutRequest
                    | Call::PeroutRequest2
            ) =>
        {
            format!(
                "this clock wants a pin for the channel first: 'ptpctl pins {device}' lists them, \
             --pin assigns one"
            )
        }
        Errno::EBUSY if reads => {
            "the card limits how often it is read, or another program reads it at once: try again"
                .into()
        }
        Errno::EBUSY => "something else uses it: 'ptpctl list' shows who has the clock open".into(),
        Errno::ENODEV if matches!(call, Call::SysOffsetPrecise | Call::SysOffsetPreciseCycles) => {
            "no cross timestamp can be had here, for want of a partner or of this machine's support: \
             --method extended or basic reads the clock all the same"
                .into()
        }
        Errno::ENODEV => {
            "the clock has gone: was the card or its driver removed? 'ptpctl list' shows what \
             is there"
                .into()
        }
        Errno::ENOENT if *call == Call::Open => {
            "there is no such device: 'ptpctl list' shows what is there".into()
        }
        Errno::ENODATA if *call == Call::Open => "mount -t sysfs sysfs /sys".into(),
        Errno::ENOTTY if *call == Call::Open => {
            "'ptpctl list' shows the clocks that there are".into()
        }
        Errno::ENOTTY => "this kernel is older than the call; 'ptpctl caps' shows what the \
            clock offers"
            .into(),
        Errno::EOPNOTSUPP => {
            format!("the driver can't do this; 'ptpctl caps {device}' shows what it can")
        }
        Errno::EINVAL if (changes || *call == Call::SystemAdjtime) => {
            "the kernel takes no time before 1970 and none after the year 2232".into()
        }
        Errno::ERANGE if matches!(call, Call::PeroutRequest | Call::PeroutRequest2) => {
            "this driver makes fewer outputs than the interface has: some have one pulse a \
             second, on the second, and nothing else"
                .into()
        }
        Errno::ERANGE => format!(
            "the value is beyond what the driver takes; 'ptpctl caps {device}' shows the \
             limits"
        ),
        _ => return None,
    })
}
