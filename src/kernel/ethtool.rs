//! Which PHC belongs to a network interface: `ETHTOOL_GET_TS_INFO`.

#![expect(unsafe_code, reason = "the request goes through pointers in two structs")]

use super::Result;
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
    let mut info = TimestampingInfo {
        cmd: ETHTOOL_GET_TS_INFO,
        so_timestamping: 0,
        phc_index: -1,
        tx_types: 0,
        tx_reserved: [0; 3],
        rx_filters: 0,
        rx_reserved: [0; 3],
    };
    request.ifr_ifru.ifru_data = (&raw mut info).cast();
    // SAFETY: both structs outlive the call; the kernel writes inside `info`.
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL.into(), &raw mut request) };
    Errno::result(answer)?;
    Ok(u32::try_from(info.phc_index).map_or(PhcOfInterface::None, PhcOfInterface::Index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_struct_has_the_kernels_size() {
        assert_eq!(size_of::<TimestampingInfo>(), 44);
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
