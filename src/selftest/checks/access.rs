//! A handle that was opened only for reading can read the clock, and must not change it.

use super::{Check, Group};
use crate::kernel::uapi::{self, PeroutTimes, clock_time, pin_desc, ptp_extts_request};
use crate::kernel::{Calls, Version};
use crate::phc::{Access, Method, Phc, SystemClock};
use crate::selftest::bench::Bench;
use crate::selftest::clock::{ask, when_free};
use crate::selftest::verdict::{Stop, Verdict, must_refuse, skip};
use nix::errno::Errno;

pub(super) static GROUP: Group =
    Group { name: "access", changes: None, checks: &[&MAY_LOOK, &CLOCK, &REQUESTS] };

pub(super) static MAY_LOOK: Check =
    Check { group: &GROUP, name: "a read-only handle can read", needs: &[], run: may_look };

fn may_look(bench: &mut Bench<'_>) -> Verdict {
    let reader = bench.clock.reopen(Access::ReadOnly)?;
    reader.caps()?;
    when_free(&reader, Phc::time)?;
    match reader.frequency() {
        // Older kernels refuse to read it while the clock runs freely.
        Err(error)
            if error.errno() == Some(Errno::EBUSY) && bench.account.must_not_move.is_some() => {}
        frequency => drop(frequency?),
    }
    when_free(&reader, |phc| phc.samples(Method::Basic, SystemClock::Realtime, false, 1))?;
    Ok(())
}

pub(super) static CLOCK: Check = Check {
    group: &GROUP,
    name: "a read-only handle can't change the clock",
    needs: &[],
    run: clock,
};

fn clock(bench: &mut Bench<'_>) -> Verdict {
    let reader = bench.clock.reopen(Access::ReadOnly)?;
    let frequency = bench.frequency_before().scaled_ppm();
    // If the kernel accepts these, they change nothing: a step by 0, and the present frequency.
    for (what, modes) in
        [("a step by 0", libc::ADJ_SETOFFSET), ("the same frequency", libc::ADJ_FREQUENCY)]
    {
        let mut timex = uapi::timex();
        timex.modes = modes;
        timex.freq = frequency;
        must_refuse(what, ask(&reader, |clock| clock.clock_adjtime(&mut timex)), Errno::EACCES)?;
    }
    Ok(())
}

type Request = (&'static str, fn(&dyn Calls, u32) -> Result<(), Errno>);

/// Requests for what the clock doesn't have, so that they change nothing even if they are accepted.
const BEYOND: [Request; 3] = [
    ("an external timestamp request", |clock, beyond| {
        let request = ptp_extts_request { index: beyond, flags: 0, rsv: [0; 2] };
        clock.extts_request(Version::V1, &request)
    }),
    ("a periodic output request", |clock, beyond| {
        let zero = clock_time(0, 0);
        let times = PeroutTimes { start_or_phase: zero, on: zero };
        let request = uapi::perout_request(beyond, 0, zero, times);
        clock.perout_request(Version::V1, &request)
    }),
    ("a pin's function", |clock, beyond| {
        clock.pin_setfunc(Version::V1, &pin_desc(beyond, uapi::PTP_PF_NONE, 0))
    }),
];

pub(super) static REQUESTS: Check = Check {
    group: &GROUP,
    name: "a read-only handle can't make requests",
    needs: &[],
    run: requests,
};

fn requests(bench: &mut Bench<'_>) -> Verdict {
    let reader = bench.clock.reopen(Access::ReadOnly)?;
    for (what, request) in BEYOND {
        match ask(&reader, |clock| request(clock, u32::MAX)) {
            Err(Errno::EACCES) => {}
            // The kernel looked for the pin or channel, so it let a read-only handle ask.
            Err(Errno::EINVAL) => {
                return skip("this kernel doesn't check requests of read-only handles");
            }
            other => return Err(Stop::Wrong(format!("{what} was answered with {other:?}"))),
        }
    }
    Ok(())
}
