//! The network interface of a clock.

use super::Case;
use super::descriptors::answer;
use nix::errno::Errno;

pub(crate) fn cases() -> Vec<Case> {
    let clocks: &[&str] = &["full", "igb,interface=eth77"];
    vec![
        Case { name: "an interface tells its clock", clocks, program: clock_of_interface },
        Case { name: "an interface keeps its timestamps' settings", clocks, program: settings },
        Case { name: "other interfaces are the machine's", clocks, program: others },
        Case { name: "netlink of ethtool isn't there", clocks, program: no_netlink },
        Case {
            name: "netlink is left alone where there is no interface",
            clocks: &["full"],
            program: netlink,
        },
    ]
}

/// A request to an interface, with the address of its data.
fn request<T>(name: &str, request: u32, data: &mut T) -> Result<libc::c_long, Errno> {
    // SAFETY: integers and pointers, which may be 0.
    let mut asked: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in asked.ifr_name.iter_mut().zip(name.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    asked.ifr_ifru.ifru_data = (&raw mut *data).cast();
    // SAFETY: a socket takes no pointer; the request's structs outlive it.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM, 0);
        let answered = libc::syscall(libc::SYS_ioctl, socket, request, &raw mut asked);
        let answered = answer(answered);
        libc::close(socket);
        answered
    }
}

const SIOCETHTOOL: u32 = 0x8946;
const SIOCSHWTSTAMP: u32 = 0x89b0;
const SIOCGHWTSTAMP: u32 = 0x89b1;

fn clock_of_interface() {
    let mut info = [0_u32; 11];
    info[0] = 0x41;
    assert_eq!(request("eth77", SIOCETHTOOL, &mut info), Ok(0));
    assert_eq!(info[2], 1, "the index of the clock");
    assert_eq!(info[1] & 0x45, 0x45, "timestamps in hardware");
}

fn settings() {
    let mut wanted = [0, 1, 12];
    assert_eq!(request("eth77", SIOCSHWTSTAMP, &mut wanted), Ok(0));
    let mut kept = [0; 3];
    assert_eq!(request("eth77", SIOCGHWTSTAMP, &mut kept), Ok(0));
    assert_eq!(kept, wanted);
    assert_eq!(request("eth77", SIOCSHWTSTAMP, &mut [0, 99, 0]), Err(Errno::EINVAL));
}

fn others() {
    let mut info = [0_u32; 11];
    info[0] = 0x41;
    assert_eq!(request("eth78", SIOCETHTOOL, &mut info), Err(Errno::ENODEV));
    let answered = request("lo", SIOCETHTOOL, &mut info);
    assert!(matches!(answered, Ok(0) | Err(Errno::ENODEV | Errno::EOPNOTSUPP)), "{answered:?}");
}

fn generic() -> Result<libc::c_long, Errno> {
    // SAFETY: takes no pointer.
    answer(unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_GENERIC).into() })
}

fn no_netlink() {
    assert_eq!(generic(), Err(Errno::EPROTONOSUPPORT));
    // SAFETY: takes no pointer.
    let routes = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE) };
    assert!(routes >= 0);
}

fn netlink() {
    assert!(generic().is_ok());
}
