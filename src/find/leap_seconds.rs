//! TAI − UTC, from the kernel or from the system's leap-second list.

use crate::{Phc, TaiOffset, Timestamp, Utc};
use std::fs;

/// Where systems keep the list, in the form that the IERS publishes it.
const LISTS: [&str; 2] =
    ["/usr/share/zoneinfo/leap-seconds.list", "/usr/share/zoneinfo/right/leap-seconds.list"];

/// From 1900, where the list counts from, to 1970.
const SECONDS_1900_TO_1970: i64 = 2_208_988_800;

/// TAI − UTC on the clock's system: from its kernel, else from its leap-second list, else `None`.
pub fn tai_offset(phc: &Phc) -> Option<TaiOffset> {
    phc.tai_offset().or_else(|| {
        if !has_list(&phc.name().device) {
            return None;
        }
        let now = phc.system_time().ok()?;
        LISTS.iter().find_map(|list| of_list(&fs::read_to_string(list).ok()?, now))
    })
}

/// Whether the clock's system may have a list: a mock's may be set to have none.
fn has_list(device: &str) -> bool {
    #[cfg(feature = "mock")]
    if super::is_mock(device) {
        let config = device.parse::<crate::mock::Config>();
        return config.is_ok_and(|config| config.knows_leap_seconds());
    }
    !device.is_empty()
}

/// The list's TAI − UTC at a time. Each of its lines has seconds since 1900, and TAI − UTC from
/// then on.
fn of_list(list: &str, now: Timestamp<Utc>) -> Option<TaiOffset> {
    list.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let from: i64 = fields.next()?.parse().ok()?;
            let offset: i32 = fields.next()?.parse().ok()?;
            Some((from.checked_sub(SECONDS_1900_TO_1970)?, offset))
        })
        .filter(|(from, _)| *from <= now.seconds())
        .max_by_key(|(from, _)| *from)
        .map(|(_, offset)| TaiOffset(offset))
}

/// Reads a text as a list, for the fuzz targets.
#[cfg(fuzzing)]
pub(crate) fn read_leap_seconds(text: &str) {
    if let Some(now) = Timestamp::new(1_700_000_000, 0) {
        let _ = of_list(text, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_tells_what_holds_at_a_time() {
        let list = "#$\t3676924800\n# a comment\n2272060800\t10\t# 1 Jan 1972\n3644697600\t36\t# 1 \
            Jul 2015\n3692217600\t37\t# 1 Jan 2017\n";
        let at = |seconds| of_list(list, Timestamp::new(seconds, 0).expect("in range"));
        assert_eq!(at(1_483_228_799), Some(TaiOffset(36)));
        assert_eq!(at(1_483_228_800), Some(TaiOffset(37)));
        assert_eq!(at(0), None);
        assert_eq!(of_list("nonsense", Timestamp::new(0, 0).expect("in range")), None);
    }
}
