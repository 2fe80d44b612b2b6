//! The network interfaces of the clocks: which PHC they have, and which packets get timestamps.
//!
//! The sources are the kernel's `include/uapi/linux/ethtool.h` and `net_tstamp.h`.

use super::clocks::Clocks;
use super::guest::Guest;
use crate::kernel::Result;
use crate::kernel::supervision::abi::{SIOCSHWTSTAMP, Word};
use crate::kernel::uapi::SIOCGHWTSTAMP;
use crate::kernel::uapi::{ETHTOOL_GET_TS_INFO, SIOCETHTOOL};
use nix::errno::Errno;

/// The length of an interface's name in `struct ifreq`, behind which its data are.
const NAME: u64 = 16;

/// `SOF_TIMESTAMPING_TX_HARDWARE`, `RX_HARDWARE` and `RAW_HARDWARE`.
const IN_HARDWARE: u32 = 1 << 0 | 1 << 2 | 1 << 6;
/// `HWTSTAMP_TX_OFF` and `HWTSTAMP_TX_ON`.
const SENT: u32 = 1 << 0 | 1 << 1;
/// `HWTSTAMP_FILTER_NONE`, `ALL` and `PTP_V2_EVENT`.
const RECEIVED: u32 = 1 << 0 | 1 << 1 | 1 << 12;

/// What `struct hwtstamp_config` may ask for.
const LAST_TX_TYPE: i32 = 3;
const LAST_RX_FILTER: i32 = 15;

/// A request to an interface. `None`: it isn't one of ours, or not this request.
pub(super) fn ioctl(guest: &Guest<'_>, clocks: &mut Clocks) -> Option<Result<i64>> {
    let request = guest.argument(2);
    let name: [u8; 16] = guest.read(request).ok()?;
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let clock = clocks.of_interface(name)?;
    let index = clock.index;
    let data = match data(guest, request + NAME) {
        Ok(data) => data,
        Err(errno) => return Some(Err(errno)),
    };
    let timestamps = &mut clock.interface.as_mut()?.timestamps;
    // The numbers have 16 bits.
    match u16::try_from(guest.int(1)).ok()? {
        SIOCETHTOOL => ethtool(guest, data, index),
        SIOCGHWTSTAMP => Some(guest.write(data, timestamps).map(|()| 0)),
        SIOCSHWTSTAMP => Some(guest.read::<[i32; 3]>(data).and_then(|wanted| {
            let [flags, sent, received] = wanted;
            let known =
                (0..=LAST_TX_TYPE).contains(&sent) && (0..=LAST_RX_FILTER).contains(&received);
            if flags & !1 != 0 || !known {
                return Err(Errno::EINVAL);
            }
            *timestamps = wanted;
            Ok(0)
        })),
        _ => None,
    }
}

/// The pointer in `struct ifreq`.
fn data(guest: &Guest<'_>, at: u64) -> Result<u64> {
    match guest.abi.word {
        Word::Bits64 => guest.read(at),
        Word::Bits32 => guest.read::<u32>(at).map(u64::from),
    }
}

fn ethtool(guest: &Guest<'_>, data: u64, index: u32) -> Option<Result<i64>> {
    let command: u32 = match guest.read(data) {
        Ok(command) => command,
        Err(errno) => return Some(Err(errno)),
    };
    if command != ETHTOOL_GET_TS_INFO {
        return None;
    }
    let info: [u32; 11] = [command, IN_HARDWARE, index, SENT, 0, 0, 0, RECEIVED, 0, 0, 0];
    Some(guest.write(data, &info).map(|()| 0))
}
