//! Events: what `read`, `poll` and `epoll` answer.

use super::Case;
use super::descriptors::Clock;
use libc::ptp_extts_request;
use nix::errno::Errno;
use std::time::{Duration, Instant};

pub(crate) fn cases() -> Vec<Case> {
    // A signal of 100 Hz at every input.
    let fast: &[&str] = &["full,signal=10ms"];
    let none: &[&str] = &["full,signal=off"];
    vec![
        Case { name: "a read waits for an event", clocks: fast, program: read_waits },
        Case { name: "poll tells of events", clocks: fast, program: poll_tells },
        Case { name: "epoll tells of events", clocks: fast, program: epoll_tells },
        Case { name: "a read takes several events", clocks: fast, program: several },
        Case { name: "two handles get every event each", clocks: fast, program: two_handles },
        Case { name: "nothing comes where nothing is on", clocks: none, program: nothing },
        Case {
            name: "a clock that goes ends a read",
            clocks: &["full,signal=off,remove=300ms"],
            program: gone,
        },
        Case {
            name: "an output comes in at another clock",
            clocks: &["full,signal=off,offset=1ms", "full,signal=off", "--wire=ptp0:1=ptp1:0"],
            program: wired,
        },
        Case { name: "a signal ends a read", clocks: none, program: a_signal },
        Case {
            name: "of many events the latest 127 are kept",
            clocks: &["full,signal=1ms"],
            program: the_latest,
        },
        Case {
            name: "events come in the order of the edges",
            clocks: &["full,signal=2ms"],
            program: in_order,
        },
    ]
}

const RISING: u32 = 1 << 1;
const ON: u32 = 1 << 0;

fn listen(clock: &Clock, channel: u32) {
    let mut request = ptp_extts_request { index: channel, flags: ON | RISING, rsv: [0; 2] };
    clock.request(libc::PTP_EXTTS_REQUEST, &mut request).expect("on");
}

/// Switches a channel off again: what is left on is told.
fn switch_off(clock: &Clock, channel: u32) {
    let mut request = ptp_extts_request { index: channel, flags: 0, rsv: [0; 2] };
    clock.request(libc::PTP_EXTTS_REQUEST, &mut request).expect("off");
}

/// The times of the events of one `read`, in nanoseconds.
fn read(clock: &Clock, most: usize) -> Result<Vec<i64>, Errno> {
    let mut bytes = vec![0_u8; most * 32];
    let read = nix::unistd::read(&clock.0, &mut bytes)?;
    assert!(read > 0 && read.is_multiple_of(32), "{read}");
    let number = |bytes: &[u8]| i64::from_le_bytes(bytes.try_into().expect("8 bytes"));
    let events = bytes[..read].chunks(32);
    Ok(events.map(|event| number(&event[..8]) * 1_000_000_000 + number(&event[8..16])).collect())
}

fn poll(clock: &Clock, milliseconds: i32) -> i16 {
    let mut polled = libc::pollfd { fd: clock.fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one struct.
    unsafe { libc::poll(&raw mut polled, 1, milliseconds) };
    polled.revents
}

fn read_waits() {
    let clock = Clock::open(0);
    listen(&clock, 0);
    let began = Instant::now();
    for _ in 0..5 {
        let [at] = read(&clock, 1).expect("an event")[..] else { panic!("one event") };
        assert_eq!(at % 10_000_000, 0);
    }
    assert!(began.elapsed() > Duration::from_millis(30));
    switch_off(&clock, 0);
}

fn poll_tells() {
    let clock = Clock::open(0);
    assert_eq!(poll(&clock, 30), 0);
    listen(&clock, 1);
    assert_eq!(poll(&clock, 1_000), libc::POLLIN);
    assert_eq!(read(&clock, 30).expect("an event").len(), 1);
    switch_off(&clock, 1);
}

fn epoll_tells() {
    use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
    let clock = Clock::open(0);
    let epoll = Epoll::new(EpollCreateFlags::empty()).expect("epoll");
    let edge = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
    epoll.add(&clock.0, EpollEvent::new(edge, 7)).expect("added");
    listen(&clock, 0);
    for _ in 0..3 {
        let mut events = [EpollEvent::empty()];
        assert_eq!(epoll.wait(&mut events, 1_000_u16).expect("waited"), 1);
        assert_eq!(events[0].data(), 7);
        read(&clock, 30).expect("events");
    }
    switch_off(&clock, 0);
}

fn several() {
    let clock = Clock::open(0);
    listen(&clock, 0);
    std::thread::sleep(Duration::from_millis(100));
    let events = read(&clock, 30).expect("events");
    assert!(events.len() >= 5, "{}", events.len());
    switch_off(&clock, 0);
}

fn two_handles() {
    let (one, other) = (Clock::open(0), Clock::open(0));
    listen(&one, 0);
    // The other one was open when the channel was switched on.
    let (of_one, of_other) = (read(&one, 1).expect("one"), read(&other, 1).expect("one"));
    assert_eq!(of_one, of_other);
    switch_off(&one, 0);
}

fn nothing() {
    let clock = Clock::open(0);
    listen(&clock, 0);
    assert_eq!(poll(&clock, 50), 0);
    switch_off(&clock, 0);
}

fn gone() {
    let clock = Clock::open(0);
    let mut bytes = [0; 32];
    assert_eq!(nix::unistd::read(&clock.0, &mut bytes), Ok(0));
    assert_eq!(poll(&clock, 1_000) & libc::POLLHUP, libc::POLLHUP);
    assert_eq!(clock.time().err(), Some(Errno::ENODEV));
    assert_eq!(clock.caps().err(), Some(Errno::ENODEV));
    assert_eq!(Clock::open_with(0, libc::O_RDWR).err(), Some(Errno::ENOENT));
}

fn function(clock: &Clock, pin: u32, function: u32, channel: u32) {
    // SAFETY: integers, which may be 0.
    let mut set: libc::ptp_pin_desc = unsafe { std::mem::zeroed() };
    (set.index, set.func, set.chan) = (pin, function, channel);
    clock.request(libc::PTP_PIN_SETFUNC, &mut set).expect("set");
}

fn wired() {
    let (from, to) = (Clock::open(0), Clock::open(1));
    function(&from, 1, libc::PTP_PF_PEROUT, 2);
    function(&to, 0, libc::PTP_PF_EXTTS, 1);
    listen(&to, 1);
    // SAFETY: integers, which may be 0.
    let mut output: libc::ptp_perout_request = unsafe { std::mem::zeroed() };
    let seconds = i64::try_from(from.time().expect("a time") / 1_000_000_000).expect("seconds");
    output.anonymous_1.start.sec = seconds + 1;
    (output.period.nsec, output.index) = (50_000_000, 2);
    from.request(libc::PTP_PEROUT_REQUEST, &mut output).expect("on");
    let mut times = Vec::new();
    while times.len() < 5 {
        times.extend(read(&to, 30).expect("events"));
        // Readings of either clock lose no edge.
        from.time().expect("a time");
    }
    // The clock of the output is 1 ms ahead.
    assert!(times.iter().all(|time| time % 50_000_000 == 49_000_000), "{times:?}");
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 50_000_000), "{times:?}");
    switch_off(&to, 1);
    output.period.nsec = 0;
    from.request(libc::PTP_PEROUT_REQUEST, &mut output).expect("off");
}

extern "C" fn ignore(_: libc::c_int) {}

fn a_signal() {
    let clock = Clock::open(0);
    listen(&clock, 0);
    let handler: extern "C" fn(libc::c_int) = ignore;
    // SAFETY: integers, which may be 0; the handler does nothing.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as libc::sighandler_t;
        libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut());
        let soon = libc::timeval { tv_sec: 0, tv_usec: 50_000 };
        let timer = libc::itimerval { it_interval: soon, it_value: soon };
        libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut());
    }
    assert_eq!(read(&clock, 1).err(), Some(Errno::EINTR));
    switch_off(&clock, 0);
}

fn the_latest() {
    let clock = Clock::open(0);
    listen(&clock, 0);
    std::thread::sleep(Duration::from_millis(400));
    let now = i64::try_from(clock.time().expect("a time")).expect("a time");
    let mut all = Vec::new();
    while poll(&clock, 0) != 0 && all.len() < 130 {
        all.extend(read(&clock, 30).expect("events"));
    }
    assert!((120..=135).contains(&all.len()), "{}", all.len());
    assert!(now - all[0] < 250_000_000, "the oldest is {} ns old", now - all[0]);
    assert!(all.is_sorted());
    switch_off(&clock, 0);
}

fn in_order() {
    let clock = Clock::open(0);
    listen(&clock, 0);
    let mut all = Vec::new();
    while all.len() < 200 {
        all.extend(read(&clock, 30).expect("events"));
    }
    assert!(all.windows(2).all(|pair| pair[1] - pair[0] == 2_000_000), "{all:?}");
    switch_off(&clock, 0);
}
