//! Drivers and kernels that are known for a fault, each with its source.

/// Drivers that report both edges of a signal, whichever is asked for: their code, below drivers/net
/// of Linux, refuses a strict request for one edge.
const BOTH_EDGES: [(&str, &str); 3] = [
    ("igb", "ethernet/intel/igb/igb_ptp.c"),
    ("igc", "ethernet/intel/igc/igc_ptp.c"),
    ("sja1105", "dsa/sja1105/sja1105_ptp.c"),
];

/// Kernels that refuse every change of a clock with EBUSY, also without virtual clocks, and who
/// reported it. A name that ends in a letter has a number behind it.
const REFUSING: [(&str, &str); 2] = [
    ("6.12.34", "github.com/jclark/rpi-cm4-ptp-guide/issues/48"),
    ("6.16.0-rc", "github.com/raspberrypi/linux/issues/6925"),
];

/// Where it is to be seen that a driver reports both edges, if it does.
pub(super) fn reports_both_edges(driver: &str) -> Option<&'static str> {
    BOTH_EDGES.iter().find(|(name, _)| *name == driver).map(|(_, source)| *source)
}

/// Who reported that a kernel refuses changes, if one of that release does.
pub(super) fn refuses_changes(release: &str) -> Option<&'static str> {
    let is_it = |name: &str| {
        let Some(rest) = release.strip_prefix(name) else { return false };
        // 6.12.340 is another kernel than 6.12.34.
        name.ends_with(char::is_alphabetic) || !rest.starts_with(|c: char| c.is_ascii_digit())
    };
    REFUSING.iter().find(|(name, _)| is_it(name)).map(|(_, source)| *source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_that_refuse_changes_are_known_by_their_release() {
        for release in ["6.12.34", "6.12.34-v8+", "6.12.34+rpt-rpi-2712", "6.16.0-rc3"] {
            assert!(refuses_changes(release).is_some(), "{release}");
        }
        for release in ["", "6.12.340", "6.12.35", "6.16.0", "6.12.3"] {
            assert_eq!(refuses_changes(release), None, "{release}");
        }
    }
}
