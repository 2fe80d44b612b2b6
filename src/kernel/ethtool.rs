//! Which PHC belongs to a network interface: `ETHTOOL_GET_TS_INFO`; and which of its packets get
//! timestamps of it: `SIOCGHWTSTAMP`.

#![expect(unsafe_code, reason = "the requests go through pointers in two structs")]

use super::Result;
#[cfg(feature = "cli")]
use super::uapi::SIOCGHWTSTAMP;
use super::uapi::{ETHTOOL_GET_TS_INFO, SIOCETHTOOL};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use std::os::fd::AsRawFd;

/// `struct ethtool_ts_info` of the kernel's `include/uapi/linux/ethtool.h`.
#[repr(C)]
struct TimestampingInfo {
    cmd: u32,
    so_timestamping: u32,
    phc_index: i32,
    tx_types: u32,
    tx_reserved: [u32; 3],
    rx_filters: u32,
    rx_reserved: [u32; 3],
}

/// What an interface says about its PHC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhcOfInterface {
    /// It is `/dev/ptpN`.
    Index(u32),
    /// It has none, or doesn't show it now.
    None,
}

/// Asks the kernel which PHC stamps the packets of `interface`.
///
/// # Errors
///
/// `ENODEV` where no interface has that name, `EINVAL` where the name is too long for one,
/// `EOPNOTSUPP` from drivers that can't tell.
#[doc(alias = "ETHTOOL_GET_TS_INFO")]
pub fn phc_of_interface(interface: &str) -> Result<PhcOfInterface> {
    let mut info = TimestampingInfo {
        cmd: ETHTOOL_GET_TS_INFO,
        so_timestamping: 0,
        phc_index: -1,
        tx_types: 0,
        tx_reserved: [0; 3],
        rx_filters: 0,
        rx_reserved: [0; 3],
    };
    ask(interface, SIOCETHTOOL, &mut info)?;
    Ok(u32::try_from(info.phc_index).map_or(PhcOfInterface::None, PhcOfInterface::Index))
}

/// Which packets of an interface get timestamps of its PHC: `struct hwtstamp_config` of the kernel's
/// `include/uapi/linux/net_tstamp.h`.
#[cfg(feature = "cli")]
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HardwareTimestamps {
    flags: i32,
    /// `HWTSTAMP_TX_…`: 0 is off.
    pub(crate) transmit: i32,
    /// `HWTSTAMP_FILTER_…`: 0 is off, 1 is all packets.
    pub(crate) receive: i32,
}

/// Asks which packets of `interface` get timestamps.
///
/// # Errors
///
/// As [`phc_of_interface`]; `EOPNOTSUPP` from drivers without hardware timestamps.
#[cfg(feature = "cli")]
pub(crate) fn hardware_timestamps(interface: &str) -> Result<HardwareTimestamps> {
    let mut timestamps = HardwareTimestamps::default();
    ask(interface, SIOCGHWTSTAMP, &mut timestamps)?;
    Ok(timestamps)
}

/// What a request of an interface points to: a struct of integers, which the kernel knows by the
/// request.
trait Data {}
impl Data for TimestampingInfo {}
#[cfg(feature = "cli")]
impl Data for HardwareTimestamps {}

/// Makes a request of an interface.
fn ask<T: Data>(interface: &str, number: u16, data: &mut T) -> Result<()> {
    // SAFETY: `ifreq` is integers and pointers that may all be 0.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays 0: a longer name would be cut to the name of another interface.
    if interface.len() >= request.ifr_name.len() || interface.contains('\0') {
        return Err(Errno::EINVAL);
    }
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    // Any socket carries the request; this one is neither bound nor connected.
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Inet, SockType::Datagram, flags, None)?;
    request.ifr_ifru.ifru_data = std::ptr::from_mut(data).cast();
    // SAFETY: both structs outlive the call; the kernel writes inside `data`, whose struct is the
    // request's: both callers pass the pair that the kernel defines.
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), number.into(), &raw mut request) };
    Errno::result(answer).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structs_have_the_kernels_sizes() {
        assert_eq!(size_of::<TimestampingInfo>(), 44);
        #[cfg(feature = "cli")]
        assert_eq!(size_of::<HardwareTimestamps>(), 12);
    }

    #[cfg(feature = "cli")]
    #[cfg_attr(miri, ignore = "Miri has no such sockets")]
    #[test]
    fn the_loopback_interface_has_no_hardware_timestamps() {
        assert!(hardware_timestamps("lo").is_err());
        assert_eq!(hardware_timestamps("no such interface"), Err(Errno::EINVAL));
    }

    #[cfg_attr(miri, ignore = "Miri has no such sockets")]
    #[test]
    fn the_loopback_interface_has_no_phc() {
        assert!(matches!(
            phc_of_interface("lo"),
            Ok(PhcOfInterface::None) | Err(Errno::EOPNOTSUPP)
        ));
    }

    #[test]
    fn a_name_too_long_for_an_interface_is_not_cut() {
        assert_eq!(phc_of_interface("an-interface-name"), Err(Errno::EINVAL));
    }
}
