//! `PTP_ENABLE_PPS`.

use crate::check::{Suite, answers, is, skip, works};
use nix::errno::Errno;
use ptpctl::kernel::Version;

pub(crate) fn cases(suite: &mut Suite) {
    for version in [Version::V1, Version::V2] {
        for on in [true, false] {
            suite.case(format!("pps {version:?}: {on}, where the caps have it"), move |w| {
                let expected = (w.caps().pps == 0).then_some(Errno::EOPNOTSUPP);
                answers(w.ask(|clock| clock.enable_pps(version, on)), expected)?;
                is("whether it is on", w.pps_is_on(), on && expected.is_none())
            });
        }
        suite.case(format!("pps {version:?}: on twice, off once"), move |w| {
            if w.caps().pps == 0 {
                return skip("no PPS");
            }
            for on in [true, true, false] {
                works(w.ask(|clock| clock.enable_pps(version, on)))?;
            }
            is("whether it is on", w.pps_is_on(), false)
        });
        suite.case(format!("pps {version:?}: closing a handle leaves it on"), move |w| {
            if w.caps().pps == 0 {
                return skip("no PPS");
            }
            works(w.open(true)?.enable_pps(version, true))?;
            is("whether it is on", w.pps_is_on(), true)
        });
    }
}
