//! Which PHCs stamp the packets of which interfaces: `ETHTOOL_MSG_TSINFO_GET` over generic netlink.
//!
//! One request covers all interfaces, and from Linux 6.14 on every timestamp provider that an
//! interface has, in its MAC and in its PHY. The sources are the kernel's
//! `include/uapi/linux/netlink.h`, `genetlink.h` and `ethtool_netlink.h`.

use super::Result;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket,
    sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};
use std::os::fd::{AsRawFd, OwnedFd};

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
const NLA_TYPE_MASK: u16 = 0x3fff;
const NLA_F_NESTED: u16 = 1 << 15;

const GENL_ID_CTRL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;

const ETHTOOL_MSG_TSINFO_GET: u8 = 25;
const ETHTOOL_A_TSINFO_HEADER: u16 = 1;
const ETHTOOL_A_TSINFO_PHC_INDEX: u16 = 5;
const ETHTOOL_A_TSINFO_HWTSTAMP_PROVIDER: u16 = 7;
const ETHTOOL_A_TSINFO_HWTSTAMP_SOURCE: u16 = 8;
const ETHTOOL_A_TSINFO_HWTSTAMP_PHYINDEX: u16 = 9;
const ETHTOOL_A_HEADER_DEV_NAME: u16 = 2;
const ETHTOOL_A_TS_HWTSTAMP_PROVIDER_QUALIFIER: u16 = 2;
const HWTSTAMP_SOURCE_NETDEV: u32 = 1;
const HWTSTAMP_SOURCE_PHYLIB: u32 = 2;

/// The header of a netlink message, and that of a generic one.
const HEADER: usize = 16;
const GENERIC_HEADER: usize = 4;

/// A clock that stamps the packets of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// The interface.
    pub interface: String,
    /// The clock is `/dev/ptpN`.
    pub phc_index: u32,
    /// Where it sits; `None` where the kernel (before 6.16) doesn't tell.
    pub source: Option<Source>,
    /// Whether its stamps are approximate; `None` where the kernel (before 6.14) doesn't tell.
    pub is_approximate: Option<bool>,
}

/// Where a clock that stamps packets sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the MAC, or in a device that has both.
    Mac,
    /// In the PHY, with its index where the kernel tells it.
    Phy(Option<u32>),
}

/// Every clock that stamps packets, with its interface.
///
/// # Errors
///
/// `ENOENT` and `EOPNOTSUPP` from kernels before 5.12, which tell by `ETHTOOL_GET_TS_INFO` only;
/// `ETIMEDOUT` where the kernel doesn't answer.
#[doc(alias = "ETHTOOL_MSG_TSINFO_GET")]
pub fn timestamp_providers() -> Result<Vec<Provider>> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let generic = SockProtocol::NetlinkGeneric;
    let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, generic)?;
    // The kernel answers at once; a kernel that doesn't must not hang the program.
    setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::seconds(2))?;
    let name = attribute(CTRL_ATTR_FAMILY_NAME, b"ethtool\0");
    let mut family = None;
    ask(&socket, GENL_ID_CTRL, NLM_F_REQUEST, CTRL_CMD_GETFAMILY, &name, &mut |payload| {
        family = find(payload, CTRL_ATTR_FAMILY_ID)
            .and_then(|id| Some(u16::from_ne_bytes(id.try_into().ok()?)));
    })?;
    let family = family.ok_or(Errno::ENOENT)?;
    let all = attribute(ETHTOOL_A_TSINFO_HEADER | NLA_F_NESTED, &[]);
    let mut providers = Vec::new();
    let flags = NLM_F_REQUEST | NLM_F_DUMP;
    ask(&socket, family, flags, ETHTOOL_MSG_TSINFO_GET, &all, &mut |payload| {
        providers.extend(provider(payload));
    })?;
    Ok(providers)
}

/// Sends a request and hands the attributes of each answer to `take`.
fn ask(
    socket: &OwnedFd,
    family: u16,
    flags: u16,
    command: u8,
    attributes: &[u8],
    take: &mut dyn FnMut(&[u8]),
) -> Result<()> {
    let length = u32::try_from(HEADER + GENERIC_HEADER + attributes.len());
    let mut request = length.map_err(|_| Errno::EMSGSIZE)?.to_ne_bytes().to_vec();
    request.extend(family.to_ne_bytes());
    request.extend(flags.to_ne_bytes());
    request.extend([0; 8]); // Sequence and port: this socket asks one thing at a time.
    request.extend([command, 1, 0, 0]);
    request.extend(attributes);
    send(socket.as_raw_fd(), &request, MsgFlags::empty())?;
    let is_dump = flags & NLM_F_DUMP != 0;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Err(Errno::EINTR) => continue,
            Err(Errno::EAGAIN) => return Err(Errno::ETIMEDOUT),
            other => other?,
        };
        let mut rest = buffer.get(..length).unwrap_or_default();
        while let Some((kind, payload, next)) = message(rest) {
            match kind {
                NLMSG_DONE => return Ok(()),
                NLMSG_ERROR => return error(payload),
                _ => take(payload.get(GENERIC_HEADER..).unwrap_or_default()),
            }
            rest = next;
        }
        if !is_dump {
            return Ok(());
        }
    }
}

/// The first message: its kind, its payload, and what follows it.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(number(bytes.get(..4)?)?).ok()?;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let payload = bytes.get(HEADER..length)?;
    Some((kind, payload, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

fn error(payload: &[u8]) -> Result<()> {
    let errno = payload.get(..4).and_then(|errno| errno.try_into().ok()).map(i32::from_ne_bytes);
    match errno {
        Some(0) => Ok(()),
        Some(errno) => Err(Errno::from_raw(errno.saturating_neg())),
        None => Err(Errno::EPROTO),
    }
}

/// An attribute in the kernel's form.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// The value of the first attribute of a kind.
fn find(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let length = u16::from_ne_bytes(attributes.get(..2)?.try_into().ok()?);
        let kind = u16::from_ne_bytes(attributes.get(2..4)?.try_into().ok()?) & NLA_TYPE_MASK;
        let length = usize::from(length);
        let value = attributes.get(4..length)?;
        if kind == wanted {
            return Some(value);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

fn number(value: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(value.get(..4)?.try_into().ok()?))
}

/// The provider that one answer describes; `None` where the interface has no PHC.
fn provider(attributes: &[u8]) -> Option<Provider> {
    let get = |kind| find(attributes, kind).and_then(number);
    let header = find(attributes, ETHTOOL_A_TSINFO_HEADER)?;
    let name = find(header, ETHTOOL_A_HEADER_DEV_NAME)?;
    let name = name.split(|byte| *byte == 0).next()?;
    let qualifier = find(attributes, ETHTOOL_A_TSINFO_HWTSTAMP_PROVIDER)
        .and_then(|provider| find(provider, ETHTOOL_A_TS_HWTSTAMP_PROVIDER_QUALIFIER))
        .and_then(number);
    Some(Provider {
        interface: String::from_utf8_lossy(name).into_owned(),
        phc_index: get(ETHTOOL_A_TSINFO_PHC_INDEX)?,
        source: match get(ETHTOOL_A_TSINFO_HWTSTAMP_SOURCE) {
            Some(HWTSTAMP_SOURCE_NETDEV) => Some(Source::Mac),
            Some(HWTSTAMP_SOURCE_PHYLIB) => {
                Some(Source::Phy(get(ETHTOOL_A_TSINFO_HWTSTAMP_PHYINDEX)))
            }
            _ => None,
        },
        is_approximate: qualifier.map(|qualifier| qualifier != 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(interface: &[u8], more: &[Vec<u8>]) -> Vec<u8> {
        let name = attribute(ETHTOOL_A_HEADER_DEV_NAME, interface);
        let header = attribute(ETHTOOL_A_TSINFO_HEADER | NLA_F_NESTED, &name);
        [header, more.concat()].concat()
    }

    fn word(kind: u16, value: u32) -> Vec<u8> {
        attribute(kind, &value.to_ne_bytes())
    }

    #[test]
    fn old_kernels_tell_the_clock_alone() {
        let told = provider(&answer(b"eth0\0", &[word(ETHTOOL_A_TSINFO_PHC_INDEX, 3)]));
        let expected =
            Provider { interface: "eth0".into(), phc_index: 3, source: None, is_approximate: None };
        assert_eq!(told, Some(expected));
    }

    #[test]
    fn new_kernels_tell_where_the_clock_sits() {
        let qualifier = word(ETHTOOL_A_TS_HWTSTAMP_PROVIDER_QUALIFIER, 1);
        let of = |source: &[Vec<u8>]| {
            let nested = ETHTOOL_A_TSINFO_HWTSTAMP_PROVIDER | NLA_F_NESTED;
            let common = [word(ETHTOOL_A_TSINFO_PHC_INDEX, 0), attribute(nested, &qualifier)];
            let told = provider(&answer(b"eth1\0", &[common.as_slice(), source].concat()));
            let told = told.expect("a provider");
            (told.source, told.is_approximate)
        };
        let mac = word(ETHTOOL_A_TSINFO_HWTSTAMP_SOURCE, HWTSTAMP_SOURCE_NETDEV);
        assert_eq!(of(&[mac]), (Some(Source::Mac), Some(true)));
        let phy = word(ETHTOOL_A_TSINFO_HWTSTAMP_SOURCE, HWTSTAMP_SOURCE_PHYLIB);
        let index = word(ETHTOOL_A_TSINFO_HWTSTAMP_PHYINDEX, 7);
        assert_eq!(of(&[phy, index]).0, Some(Source::Phy(Some(7))));
    }

    #[test]
    fn an_interface_without_a_clock_has_no_provider() {
        assert_eq!(provider(&answer(b"lo\0", &[])), None);
    }

    #[cfg_attr(miri, ignore = "Miri has no such sockets")]
    #[test]
    fn this_kernel_answers() {
        assert!(timestamp_providers().is_ok_and(|all| all.iter().all(|p| p.interface != "lo")));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
            let _ = provider(&bytes);
            let _ = message(&bytes);
            let _ = error(&bytes);
        }
    }
}
