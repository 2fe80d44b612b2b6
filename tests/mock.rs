//! Calls of the mock that the conformance suite can't make on a real kernel: there is no such
//! driver, no such kernel, or no way to make it happen.

#![cfg(feature = "mock")]
#![expect(clippy::expect_used, reason = "a test that can't run has failed")]

use nix::errno::Errno;
use ptpctl::kernel::uapi::{
    self, ExttsEvent, PTP_ENABLE_FEATURE, PTP_EXT_OFFSET, PTP_FALLING_EDGE, PTP_PEROUT_DUTY_CYCLE,
    PTP_PF_EXTTS, PTP_PF_PEROUT, PTP_RISING_EDGE, PTP_STRICT_FLAGS, PeroutTimes, clock_time,
    perout_request, pin_desc, ptp_extts_request, sys_offset, sys_offset_extended, timespec,
};
use ptpctl::kernel::{Calls, Version, Wait};
use ptpctl::mock::{Config, Mock};
use std::time::Duration;

const RISING: u32 = PTP_ENABLE_FEATURE | PTP_RISING_EDGE;

fn mock(settings: &str) -> Mock {
    let config: Config = format!("mock:{settings},time=virtual").parse().expect("a mock");
    Mock::new(&config).expect("a mock")
}

fn errno<T>(answer: Result<T, Errno>) -> Option<Errno> {
    answer.err()
}

fn extts(index: u32, flags: u32) -> ptp_extts_request {
    ptp_extts_request { index, flags, rsv: [0; 2] }
}

fn adjtime(mock: &Mock, modes: u32, set: impl FnOnce(&mut uapi::timex)) -> Result<(), Errno> {
    let mut timex = uapi::timex();
    timex.modes = modes;
    set(&mut timex);
    mock.clock_adjtime(&mut timex)
}

fn perout(
    mock: &Mock,
    version: Version,
    flags: u32,
    (period, start, on): ((i64, u32), (i64, u32), (i64, u32)),
) -> Result<(), Errno> {
    let time = |(seconds, nanoseconds)| clock_time(seconds, nanoseconds);
    let times = PeroutTimes { start_or_phase: time(start), on: time(on) };
    mock.perout_request(version, &perout_request(0, flags, time(period), times))
}

/// What is waiting to be read.
fn drain(mock: &Mock) -> Vec<ExttsEvent> {
    let mut all = Vec::new();
    while mock.wait(&[], Duration::ZERO) == Ok(Wait::Events) {
        let mut events = [ExttsEvent::ZERO; 64];
        let number = mock.read(&mut events).expect("events");
        assert!(number <= 30, "one read answers 30 events at most");
        all.extend(events.into_iter().take(number));
    }
    all
}

#[test]
fn who_only_reads_a_clock_sees_what_another_process_makes_of_it() {
    let path = std::env::temp_dir().join(format!("ptpctl-mock-seen-{}", std::process::id()));
    let config: Config = format!("mock:full,state={}", path.display()).parse().expect("a mock");
    let reader = Mock::open(&config, false).expect("a mock");
    let seconds = || {
        let (clock, system) = (reader.clock_gettime(), reader.system_gettime(libc::CLOCK_REALTIME));
        clock.expect("a time").tv_sec - system.expect("a time").tv_sec
    };
    assert!(seconds().abs() <= 1);
    for (round, by) in [(1, 100), (2, 200)] {
        let writer = Mock::open(&config, true).expect("the same mock");
        adjtime(&writer, libc::ADJ_SETOFFSET, |timex| timex.time.tv_sec = 100).expect("a step");
        assert!((by - 1..=by + 1).contains(&seconds()), "{round}: {}", seconds());
    }
    std::fs::remove_file(&path).expect("a state file");
}

#[test]
fn old_kernels_let_a_read_only_handle_change_pins_and_timestamps() {
    let reader = mock("full,kernel=6.12.67").again(false);
    assert_eq!(errno(reader.extts_request(Version::V1, &extts(0, 0))), None);
    assert_eq!(errno(reader.pin_setfunc(Version::V1, &pin_desc(0, PTP_PF_EXTTS, 0))), None);
    assert_eq!(errno(adjtime(&reader, libc::ADJ_FREQUENCY, |_| {})), Some(Errno::EACCES));
}

#[test]
fn old_kernels_leave_it_to_the_driver_what_is_a_time() {
    let set = |kernel: &str| {
        let mock = mock(&format!("full,kernel={kernel},read=0ns,jitter=0ns"));
        let answer = errno(mock.clock_settime(&timespec { tv_sec: 1, tv_nsec: 2_000_000_000 }));
        (answer, mock.clock_gettime().expect("a time").tv_sec)
    };
    for kernel in ["5.10.227", "6.1.113", "6.11.4"] {
        assert_eq!(set(kernel), (None, 3), "{kernel}");
    }
    for kernel in ["5.10.228", "6.1.114", "6.11.5", "6.12.0"] {
        assert_eq!(set(kernel).0, Some(Errno::EINVAL), "{kernel}");
    }
}

#[test]
fn a_later_opening_can_be_ordered_to_fail() {
    let mock = mock("full,fail=open#2:EIO");
    assert_eq!(errno(mock.reopen(false).map(drop)), Some(Errno::EIO));
    assert_eq!(errno(mock.reopen(false).map(drop)), None);
}

#[test]
fn a_step_has_positive_nanoseconds() {
    let mock = mock("full,read=0ns,jitter=0ns");
    let step = |seconds, part| {
        errno(adjtime(&mock, libc::ADJ_SETOFFSET | libc::ADJ_NANO, |timex| {
            timex.time.tv_sec = seconds;
            timex.time.tv_usec = part;
        }))
    };
    assert_eq!(step(-1, 999_999_999), None);
    assert_eq!(mock.true_offset(), -1);
    assert_eq!(step(0, 1_000_000_000), Some(Errno::EINVAL));
    assert_eq!(step(0, -1), Some(Errno::EINVAL));
    assert_eq!(step(-2_000_000_000, 0), Some(Errno::EINVAL), "before 1970");
    assert_eq!(mock.true_offset(), -1);
}

#[test]
fn a_phase_offset_is_cut_to_32_bits_before_it_is_checked() {
    let phase = |mock: &Mock, offset| {
        errno(adjtime(mock, libc::ADJ_OFFSET | libc::ADJ_NANO, |timex| timex.offset = offset))
    };
    let full = mock("full");
    assert_eq!(phase(&full, 4_294_967_796), None);
    assert_eq!(full.phase_register(), 500);
    assert_eq!(phase(&full, 500_000_001), Some(Errno::ERANGE));
    assert_eq!(phase(&full, -500_000_000), None);
    assert_eq!(phase(&mock("igb"), 5), Some(Errno::EOPNOTSUPP));
    assert_eq!(phase(&mock("full,kernel=5.7"), 5), Some(Errno::EOPNOTSUPP));
    let clamps = mock("clockmatrix,kernel=6.1");
    assert_eq!(phase(&clamps, 200_000_000), None);
    assert_eq!(clamps.phase_register(), 107_374_182);
}

#[test]
fn a_physical_clock_with_virtual_clocks_runs_freely_unless_it_has_a_counter() {
    let busy = Some(Errno::EBUSY);
    let igb = mock("igb");
    assert_eq!(errno(igb.set_attribute("n_vclocks", "21")), Some(Errno::EINVAL));
    igb.set_attribute("n_vclocks", "1").expect("a virtual clock");
    assert_eq!(igb.virtual_clocks().expect("names").len(), 1);
    for modes in [libc::ADJ_SETOFFSET, libc::ADJ_FREQUENCY, libc::ADJ_OFFSET] {
        assert_eq!(errno(adjtime(&igb, modes, |_| {})), busy);
    }
    assert_eq!(errno(igb.clock_settime(&timespec { tv_sec: 5, tv_nsec: 0 })), busy);
    assert_eq!(errno(adjtime(&igb, 0, |_| {})), None);
    let full = mock("full");
    full.set_attribute("n_vclocks", "1").expect("a virtual clock");
    assert_eq!(errno(adjtime(&full, libc::ADJ_FREQUENCY, |_| {})), None);
    assert_eq!(errno(mock("vclock").attribute("n_vclocks")), Some(Errno::ENOENT));
}

#[test]
fn version_2_requests_are_unknown_before_5_4() {
    let mock = mock("full,kernel=5.3");
    let unknown = Some(Errno::ENOTTY);
    assert_eq!(errno(mock.getcaps(Version::V2)), unknown);
    assert_eq!(errno(mock.extts_request(Version::V2, &extts(0, RISING))), unknown);
    assert_eq!(errno(mock.sys_offset(Version::V2, &mut sys_offset(1))), unknown);
    assert_eq!(errno(mock.pin_getfunc(Version::V2, &mut pin_desc(0, 0, 0))), unknown);
    assert_eq!(errno(mock.enable_pps(Version::V2, true)), unknown);
    assert_eq!(errno(mock.getcaps(Version::V1)), None);
}

#[test]
fn strict_flags_and_offset_events_came_later() {
    let v2 = |settings: &str, flags| {
        errno(mock(settings).extts_request(Version::V2, &extts(0, RISING | flags)))
    };
    assert_eq!(v2("full,kernel=5.4", PTP_STRICT_FLAGS), Some(Errno::EINVAL));
    assert_eq!(v2("full,kernel=5.4", 0), None);
    assert_eq!(v2("full,kernel=6.8", PTP_EXT_OFFSET), Some(Errno::EINVAL));
    assert_eq!(v2("full,kernel=6.9", PTP_EXT_OFFSET), None);
}

#[test]
fn a_driver_refuses_flags_that_it_does_not_list() {
    let mock = mock("clockmatrix");
    mock.pin_setfunc(Version::V1, &pin_desc(3, PTP_PF_EXTTS, 0)).expect("a pin");
    let v2 = |flags| errno(mock.extts_request(Version::V2, &extts(0, PTP_ENABLE_FEATURE | flags)));
    assert_eq!(v2(PTP_RISING_EDGE), None);
    assert_eq!(v2(PTP_FALLING_EDGE), Some(Errno::EOPNOTSUPP));
}

#[test]
fn clockmatrix_wants_a_pin_before_it_stamps() {
    let mock = mock("clockmatrix");
    let enable = || errno(mock.extts_request(Version::V2, &extts(0, RISING)));
    assert_eq!(enable(), Some(Errno::EBUSY));
    mock.pin_setfunc(Version::V1, &pin_desc(3, PTP_PF_EXTTS, 0)).expect("a pin");
    assert_eq!(enable(), None);
}

#[test]
fn perout_knows_duty_and_phase_from_5_9_on() {
    let of = |kernel: &str, flags| {
        let mock = mock(&format!("full,kernel={kernel}"));
        errno(perout(&mock, Version::V2, flags, ((1, 0), (0, 0), (0, 5))))
    };
    assert_eq!(of("5.8", PTP_PEROUT_DUTY_CYCLE), Some(Errno::EINVAL));
    assert_eq!(of("5.9", PTP_PEROUT_DUTY_CYCLE), None);
}

#[test]
fn a_pin_that_changes_hands_switches_off_what_it_did() {
    let mock = mock("full");
    mock.pin_setfunc(Version::V1, &pin_desc(0, PTP_PF_PEROUT, 0)).expect("a pin");
    perout(&mock, Version::V1, 0, ((1, 0), (0, 0), (0, 0))).expect("an output");
    mock.pin_setfunc(Version::V1, &pin_desc(0, PTP_PF_EXTTS, 0)).expect("a pin");
    assert!(mock.perouts_that_are_on().is_empty());
}

#[test]
fn extended_samples_know_the_system_clocks_of_their_kernel() {
    let against = |settings: &str, clock| {
        errno(mock(settings).sys_offset_extended(Version::V2, &mut sys_offset_extended(1, clock)))
    };
    let invalid = Some(Errno::EINVAL);
    assert_eq!(against("full", libc::CLOCK_MONOTONIC_RAW), None);
    assert_eq!(against("full,kernel=6.11", libc::CLOCK_MONOTONIC_RAW), invalid);
    assert_eq!(against("full", libc::CLOCK_BOOTTIME), invalid);
    assert_eq!(against("full,aux=7", 23), None);
    assert_eq!(against("full,aux=7", 22), invalid, "switched off");
    assert_eq!(against("full,aux=7,kernel=6.16", 23), invalid);
    assert_eq!(against("clockmatrix", libc::CLOCK_BOOTTIME), Some(Errno::EOPNOTSUPP), "first");
    assert_eq!(against("full,kernel=4.19", 0), Some(Errno::ENOTTY));
}

#[test]
fn counters_are_read_from_6_18_on() {
    let precise = |settings: &str| errno(mock(settings).sys_offset_precise_cycles());
    let extended = |settings: &str| {
        errno(mock(settings).sys_offset_extended_cycles(&mut sys_offset_extended(1, 0)))
    };
    assert_eq!((precise("full"), extended("full")), (None, None));
    let unknown = Some(Errno::ENOTTY);
    assert_eq!((precise("full,kernel=6.17"), extended("full,kernel=6.17")), (unknown, unknown));
    let without = Some(Errno::EOPNOTSUPP);
    assert_eq!((precise("igb"), extended("igb")), (without, without));
    assert_eq!(errno(mock("igb").sys_offset_precise(Version::V1)), without);
}

#[test]
fn a_mask_belongs_to_a_handle_and_ends_at_2047() {
    let one = mock("full");
    let other = one.again(true);
    for channel in 0..2 {
        one.extts_request(Version::V1, &extts(channel, RISING)).expect("on");
    }
    one.mask_clear_all().expect("a mask");
    one.mask_en_single(1).expect("a mask");
    assert_eq!(errno(one.mask_en_single(2_047)), None);
    assert_eq!(errno(one.mask_en_single(2_048)), Some(Errno::EFAULT));
    one.pass(Duration::from_secs(1));
    let channels = |mock| drain(mock).iter().map(|event| event.index).collect::<Vec<_>>();
    assert_eq!((channels(&one), channels(&other)), (vec![1], vec![0, 1]));
    assert_eq!(errno(mock("full,kernel=6.6").mask_clear_all()), Some(Errno::ENOTTY));
}

#[test]
fn each_handle_has_a_queue_of_127_events_and_loses_the_oldest() {
    let mock = mock("full,signal=1ms");
    mock.extts_request(Version::V1, &extts(0, RISING)).expect("on");
    let late = mock.again(false);
    mock.pass(Duration::from_millis(500));
    for handle in [&mock, &late] {
        let events = drain(handle);
        assert_eq!(events.len(), 127);
        assert_eq!(events.last().map(|event| event.t.nsec), Some(500_000_000));
    }
}

#[test]
fn before_6_7_two_readers_steal_from_each_other() {
    let one = mock("full,signal=1ms,kernel=6.6");
    let other = one.again(true);
    one.extts_request(Version::V1, &extts(0, RISING)).expect("on");
    one.pass(Duration::from_millis(40));
    let mut events = [ExttsEvent::ZERO; 30];
    assert_eq!(one.read(&mut events), Ok(30));
    assert_eq!(other.read(&mut events), Ok(10));
}

#[test]
fn closing_a_handle_switches_nothing_off() {
    let one = mock("full");
    let other = one.again(true);
    other.extts_request(Version::V1, &extts(2, RISING)).expect("on");
    drop(other);
    assert_eq!(one.extts_that_are_on(), [2]);
}

#[test]
fn a_clock_that_has_gone_answers_enodev() {
    let mock = mock("full");
    mock.remove();
    let gone = Some(Errno::ENODEV);
    assert_eq!(errno(mock.clock_gettime()), gone);
    assert_eq!(errno(mock.getcaps(Version::V1)), gone);
    assert_eq!(errno(mock.read(&mut [ExttsEvent::ZERO; 1])), gone);
    assert_eq!(mock.wait(&[], Duration::from_secs(9)), Ok(Wait::Gone));
}

#[test]
fn a_clock_that_goes_while_it_is_waited_for_wakes_the_waiter() {
    let mock = mock("full,signal=off,remove=3s");
    assert_eq!(mock.wait(&[], Duration::from_secs(2)), Ok(Wait::TimedOut));
    assert_eq!(mock.wait(&[], Duration::from_secs(9)), Ok(Wait::Gone));
}

#[test]
fn pps_needs_the_capability_and_the_hardware() {
    assert_eq!(errno(mock("full").enable_pps(Version::V2, true)), None);
    assert_eq!(errno(mock("full,unprivileged").enable_pps(Version::V2, true)), Some(Errno::EPERM));
    assert_eq!(errno(mock("igb").enable_pps(Version::V2, true)), Some(Errno::EOPNOTSUPP));
}

#[test]
fn a_failure_that_was_ordered_comes_once() {
    let mock = mock("full");
    mock.fail_next(ptpctl::kernel::Call::ClockGettime, Errno::EIO);
    assert_eq!(errno(mock.clock_gettime()), Some(Errno::EIO));
    assert_eq!(errno(mock.clock_gettime()), None);
}

#[test]
fn the_same_seed_gives_the_same_clock() {
    let readings = |seed: u32| {
        let mock = mock(&format!("full,noise=50ns,drift=1ppb,seed={seed}"));
        let mut samples = sys_offset_extended(25, 0);
        mock.sys_offset_extended(Version::V1, &mut samples).expect("samples");
        samples.ts.iter().flatten().map(|time| (time.sec, time.nsec)).collect::<Vec<_>>()
    };
    assert_eq!(readings(7), readings(7));
    assert_ne!(readings(7), readings(8));
}

#[test]
fn caps_are_as_the_kernel_fills_them_in() {
    let caps = |settings: &str| mock(settings).getcaps(Version::V1).expect("caps");
    let matrix = caps("clockmatrix");
    assert_eq!((matrix.max_adj, matrix.n_per_out, matrix.n_ext_ts), (244_000, 12, 4));
    assert_eq!((matrix.n_pins, matrix.adjust_phase, matrix.max_phase_adj), (16, 1, 107_374_182));
    assert_eq!(caps("clockmatrix,kernel=6.4").max_phase_adj, 0, "not told");
    assert_eq!(caps("clockmatrix,kernel=5.7").adjust_phase, 0);
    assert_eq!(caps("igb").max_adj, 999_999_881);
    assert_eq!(caps("full,kernel=4.5").cross_timestamping, 0);
}

#[test]
fn virtual_time_ends_where_64_bits_of_nanoseconds_do() {
    for settings in
        ["full,drift=1ppm,freq=100000ppm,noise=1ms", "igb", "full,kernel=6.1,drift=-1ppm"]
    {
        let mock = mock(settings);
        adjtime(&mock, libc::ADJ_FREQUENCY, |timex| timex.freq = 60 << 16).expect("dialled");
        for _ in 0..3 {
            mock.pass(std::time::Duration::MAX);
            mock.true_offset();
            let _ = mock.clock_gettime();
            let _ = mock.sys_offset_extended(Version::V1, &mut sys_offset_extended(25, 0));
            // Old kernels pass any step on to the driver.
            let _ = adjtime(&mock, libc::ADJ_SETOFFSET | libc::ADJ_NANO, |timex| {
                timex.time.tv_sec = i64::MAX;
            });
            assert_eq!(mock.wait(&[], std::time::Duration::MAX), Ok(Wait::TimedOut));
        }
        let now = mock.system_gettime(libc::CLOCK_REALTIME).expect("a time");
        assert_eq!((now.tv_sec, now.tv_nsec), (9_223_372_036, 854_775_807));
    }
}
