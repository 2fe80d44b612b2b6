//! What a clock is like, for a recording.

use crate::kernel::uapi::pin_desc;
use crate::kernel::{Calls, Device, Version, system_gettime};
use crate::mock::recording::Facts;
use nix::sys::utsname::uname;
use std::path::Path;
use std::time::Duration;

/// Finds out what a clock is like, some time after the recording began. What can't be found out
/// stays open.
pub(crate) fn facts(clock: &str, since: Duration) -> Facts {
    let now = system_gettime(libc::CLOCK_REALTIME)
        .map_or(0, |now| now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec));
    let since = i64::try_from(since.as_nanos()).unwrap_or(i64::MAX);
    let kernel = uname().map_or(String::new(), |name| name.release().to_string_lossy().into());
    let began_ns = now.saturating_sub(since);
    let clock = clock.to_owned();
    let known = Facts { clock, began_ns, kernel, ..Facts::default() };
    let Ok(device) = Device::open(&Path::new("/dev").join(&known.clock), false) else {
        return known;
    };
    let caps = device.getcaps(Version::V1).ok();
    let pins = (0..caps.map_or(0, |caps| caps.n_pins)).filter_map(|index| {
        let mut pin = pin_desc(u32::try_from(index).ok()?, 0, 0);
        device.pin_getfunc(Version::V1, &mut pin).ok()?;
        Some(pin)
    });
    let pins = pins.collect();
    let driver = device.attribute("device/uevent").ok().and_then(|text| {
        text.lines().find_map(|line| line.strip_prefix("DRIVER=").map(str::to_owned))
    });
    Facts { clock_name: device.attribute("clock_name").ok(), driver, caps, pins, ..known }
}
