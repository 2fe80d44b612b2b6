//! A clock that goes away: before a call, and in the middle of one.

use crate::check::{Suite, is, refuses, works};
use nix::errno::Errno;
use ptpctl::kernel::uapi::{
    self, ExttsEvent, PTP_PF_EXTTS, PeroutTimes, clock_time, perout_request, pin_desc,
    ptp_extts_request, sys_offset, sys_offset_extended, timespec,
};
use ptpctl::kernel::{Calls, Version, Wait};
use std::time::Duration;

type Call = (&'static str, fn(&dyn Calls) -> Result<(), Errno>);

const CALLS: [Call; 14] = [
    ("clock_gettime", |clock| clock.clock_gettime().map(drop)),
    ("clock_settime", |clock| clock.clock_settime(&timespec { tv_sec: 5, tv_nsec: 0 })),
    ("clock_adjtime", |clock| clock.clock_adjtime(&mut uapi::timex())),
    ("clock_getres", |clock| clock.clock_getres().map(drop)),
    ("getcaps V1", |clock| clock.getcaps(Version::V1).map(drop)),
    ("getcaps V2", |clock| clock.getcaps(Version::V2).map(drop)),
    ("extts_request", |clock| {
        let request = ptp_extts_request { index: 0, flags: 0, rsv: [0; 2] };
        clock.extts_request(Version::V1, &request)
    }),
    ("perout_request", |clock| {
        let zero = clock_time(0, 0);
        let times = PeroutTimes { start_or_phase: zero, on: zero };
        clock.perout_request(Version::V1, &perout_request(0, 0, zero, times))
    }),
    ("enable_pps", |clock| clock.enable_pps(Version::V1, false)),
    ("sys_offset", |clock| clock.sys_offset(Version::V1, &mut sys_offset(1))),
    ("sys_offset_extended", |clock| {
        clock.sys_offset_extended(Version::V1, &mut sys_offset_extended(1, 0))
    }),
    ("sys_offset_precise", |clock| clock.sys_offset_precise(Version::V1).map(drop)),
    ("pin_getfunc", |clock| clock.pin_getfunc(Version::V1, &mut pin_desc(0, 0, 0))),
    ("pin_setfunc", |clock| clock.pin_setfunc(Version::V1, &pin_desc(0, PTP_PF_EXTTS, 0))),
];

pub(crate) fn cases(suite: &mut Suite) {
    for (name, call) in CALLS {
        suite.case(format!("the clock has gone before {name}"), move |w| {
            w.needs_simulated()?;
            w.removed(Duration::ZERO, |clock| refuses(call(clock), Errno::ENODEV))
        });
    }
    suite.case("the clock has gone before a read", |w| {
        w.needs_simulated()?;
        w.removed(Duration::ZERO, |clock| {
            refuses(clock.read(&mut [ExttsEvent::ZERO; 4]), Errno::ENODEV)
        })
    });
    suite.case("the clock has gone before a wait", |w| {
        w.needs_simulated()?;
        w.removed(Duration::ZERO, |clock| {
            is("the wait", works(clock.wait(&[], Duration::from_secs(2)))?, Wait::Gone)
        })
    });
    suite.case("the clock has gone before a mask is set", |w| {
        w.needs_simulated()?;
        // The kernel notices that before it looks at the request.
        w.removed(Duration::ZERO, |clock| refuses(clock.mask_clear_all(), Errno::ENODEV))
    });
    suite.case("the clock goes in the middle of a read", |w| {
        w.needs_simulated()?;
        w.removed(Duration::from_millis(150), |clock| {
            refuses(clock.read(&mut [ExttsEvent::ZERO; 4]), Errno::ENODEV)
        })
    });
    suite.case("the clock goes in the middle of a wait", |w| {
        w.needs_simulated()?;
        w.removed(Duration::from_millis(150), |clock| {
            // A removal may slip between two polls: what counts is that a later one sees it.
            for _ in 0..50 {
                match works(clock.wait(&[], Duration::from_millis(100)))? {
                    Wait::Gone => return Ok(()),
                    Wait::TimedOut => {}
                    other => return is("the wait", other, Wait::Gone),
                }
            }
            is("the wait", Wait::TimedOut, Wait::Gone)
        })
    });
}
