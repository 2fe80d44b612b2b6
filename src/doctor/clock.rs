//! What is wrong with a clock, as it says itself.

use super::known::reports_both_edges;
use super::{Finding, Programs};
use crate::find::{self, Holder, Listed, Machine, is_mock, tai_offset};
use crate::phc::{Access, Phc, SystemClock};
use crate::watch::{Cause, Effort, Outcome, PassedOver, Source, known_limit};
use crate::{Error, FittingScale, Offset, Sample, TaiOffset, Timestamp, Unknown};
use std::time::Duration;

/// How many samples are taken, and how many of them at once.
const SAMPLES: usize = 200;
const AT_ONCE: usize = 10;
/// The share of the frequency that can be dialled, in tenths, from which it is near its limit.
const NEAR: i128 = 9;
/// Drivers of cards on `PCIe`, of which a reading takes some microseconds.
const ON_PCIE: [&str; 10] =
    ["igb", "igc", "ixgbe", "i40e", "ice", "e1000e", "mlx5_core", "bnxt_en", "tg3", "sfc"];
/// A reading of such a card that takes longer than this is slow.
const USUAL: Offset = Offset::from_nanoseconds(20_000);
/// A reading of any clock that takes longer than this is long.
const LONG: Offset = Offset::from_nanoseconds(100_000);
/// How long it is watched whether a clock runs.
const A_WHILE: Duration = Duration::from_millis(20);
/// A clock that is farther off its time scale than this is far off: NTP keeps the system clock better.
const FAR: Offset = Offset::from_nanoseconds(10_000_000);
/// Readings are uneven where one in ten takes so many times the shortest, and longer than `EVEN`.
const TIMES: i64 = 5;
const EVEN: Offset = Offset::from_nanoseconds(10_000);

/// How an offset is judged.
#[derive(Clone, Copy)]
struct Judge {
    /// The time scale that the clock is to keep.
    expected: Option<FittingScale>,
}

pub(super) fn findings(
    phc: &Phc,
    listed: Option<&Listed>,
    machine: &Machine,
    expected: Option<FittingScale>,
) -> Vec<Finding> {
    let mut all = Vec::new();
    let time = read("its time", phc.patiently(Phc::time), &mut all);
    let is_unset = time.is_some_and(Timestamp::is_unset);
    all.extend(time.filter(|_| is_unset).map(|time| Finding::Unset { time }));
    let programs = steering(phc, listed, machine);
    if programs.len() > 1 {
        all.push(Finding::ClockFoughtOver { programs });
    }
    let virtual_clocks = phc.free_below();
    all.extend((virtual_clocks > 0).then_some(Finding::RunsFreely { virtual_clocks }));
    near_limit(phc, &mut all);
    let limit = known_limit(phc);
    all.extend(both_edges(phc));
    let still = time.and_then(|time| stands_still(phc, time));
    let runs = still.is_none();
    all.extend(still);
    // What a clock shows that was never set, or stands still, isn't judged.
    all.extend(measured(phc, limit, (runs && !is_unset).then_some(Judge { expected })));
    all
}

/// The programs that steer the clock.
fn steering(phc: &Phc, listed: Option<&Listed>, machine: &Machine) -> Vec<Holder> {
    let device = &phc.name().device;
    if is_mock(device) {
        return find::steering(device);
    }
    let interfaces = listed.map_or(&[][..], |listed| &listed.interfaces);
    let interfaces: Vec<_> = interfaces.iter().map(|(name, _)| name.clone()).collect();
    Programs::of(machine).steering(device, &interfaces)
}

/// An answer of the clock. What can't be read is a finding: the doctor must not be silent of it.
fn read<T>(what: &'static str, answer: Result<T, Error>, all: &mut Vec<Finding>) -> Option<T> {
    answer
        .map_err(|error| {
            all.push(Finding::NotRead { what, why: error.to_string(), errno: error.errno() });
        })
        .ok()
}

/// Whether it shows the same time after a while, which is longer than any clock's resolution.
fn stands_still(phc: &Phc, time: Timestamp<Unknown>) -> Option<Finding> {
    let later = phc.monotonic().ok()?.saturating_add(A_WHILE);
    phc.sleep_until(later).ok()?;
    let again = phc.patiently(Phc::time).ok()?;
    (again == time).then_some(Finding::StandsStill { time })
}

fn both_edges(phc: &Phc) -> Option<Finding> {
    let driver = phc.driver()?;
    let source = reports_both_edges(&driver)?;
    let has_inputs = phc.caps().is_ok_and(|caps| caps.extts_channels > 0);
    has_inputs.then_some(Finding::BothEdges { driver, source })
}

fn near_limit(phc: &Phc, all: &mut Vec<Finding>) {
    let frequency = read("its frequency", phc.patiently(Phc::frequency), all);
    let caps = read("its capabilities", phc.patiently(Phc::caps), all);
    let (Some(frequency), Some(caps)) = (frequency, caps) else { return };
    let most_ppb = caps.max_frequency_ppb;
    let most = i128::from(most_ppb) * 1_000_000;
    let is_near = most > 0 && frequency.micro_ppb().abs() * 10 >= most * NEAR;
    all.extend(is_near.then_some(Finding::FrequencyNearLimit { frequency, most_ppb }));
}

/// What measuring its offset shows.
fn measured(phc: &Phc, limit: Option<u32>, judge: Option<Judge>) -> Vec<Finding> {
    let again = match phc.reopen(Access::ReadOnly) {
        Ok(again) => again,
        Err(error) => return vec![Finding::NotMeasured { why: error.to_string() }],
    };
    let mut source = Source::of(again, SystemClock::Realtime).with_effort(Effort::samples(AT_ONCE));
    let (mut delays, mut passed_over) = (Vec::new(), Vec::new());
    let (mut first, mut failures, mut is_missed) = (None, None, false);
    // A card with a limit is read by others, too: it is left alone as soon as one is noticed.
    for _ in 0..if limit.is_some() { 1 } else { SAMPLES / AT_ONCE } {
        let reading = source.read_and_see(&mut |_, samples| {
            delays.extend(samples.iter().filter_map(Sample::delay));
        });
        let failed = |cause: Cause| source.failures().or_else(|| Some((1, cause.to_string())));
        match reading.outcome {
            Outcome::Measured(one) => {
                passed_over.extend(one.passed_over.iter().map(PassedOver::to_string));
                first.get_or_insert(one);
                failures = source.failures();
            }
            Outcome::Missed(cause) => (failures, is_missed) = (failed(cause), true),
            Outcome::Absent(cause) => {
                (failures, is_missed) = (failed(cause), true);
                break;
            }
        }
        if source.was_refused() {
            break;
        }
    }
    let mut all = Vec::new();
    if limit.is_some() || source.was_refused() {
        all.push(Finding::LimitedReadings { a_second: limit });
    }
    let is_told = |why: &str| passed_over.iter().any(|told| told.ends_with(why));
    all.extend(passed_over.iter().map(|why| Finding::MethodPassedOver { why: why.clone() }));
    let Some(one) = first else {
        all.extend(failures.map(|(_, why)| Finding::NotMeasured { why }));
        return all;
    };
    // A method that was passed over is told once.
    let failures = failures.filter(|(_, why)| is_missed || !is_told(why));
    all.extend(failures.map(|(times, why)| Finding::ReadingsFail { times, why }));
    if let Some(judge) = judge {
        all.extend(judge.off(one.offset, tai_offset(phc)));
    }
    // Precise readings take no time.
    if one.delay.is_some() {
        all.extend(slow(phc, &mut delays));
    }
    all
}

impl Judge {
    /// What is wrong with an offset from UTC.
    fn off(self, offset: Offset, tai: Option<TaiOffset>) -> Option<Finding> {
        let scales = [
            ("UTC", Some(FittingScale::Utc), Some(TaiOffset(0))),
            ("TAI", Some(FittingScale::Tai), tai),
            ("GPS time", None, tai.map(TaiOffset::gps)),
        ];
        let explained = scales
            .into_iter()
            .find_map(|(name, kept, ahead)| Some((name, kept, ahead?.explains(offset)?)));
        let kept = explained.and_then(|(_, kept, _)| kept);
        if let Some(expected) = self.expected.filter(|expected| Some(*expected) != kept) {
            return Some(Finding::OtherScale { expected, kept, offset });
        }
        match explained {
            Some((scale, _, off)) => {
                (off.abs() > FAR).then_some(Finding::FarOff { scale: Some(scale), off })
            }
            // Where nobody tells TAI - UTC, whole seconds may be right.
            None => tai.map(|_| Finding::FarOff { scale: None, off: offset }),
        }
    }
}

fn slow(phc: &Phc, delays: &mut [Offset]) -> Option<Finding> {
    delays.sort_unstable();
    let shortest = *delays.first()?;
    let is_on_pcie = phc.driver().is_some_and(|driver| ON_PCIE.contains(&driver.as_str()));
    if is_on_pcie && shortest > USUAL {
        return Some(Finding::SlowReadings { shortest, usual: USUAL });
    }
    if shortest > LONG {
        return Some(Finding::LongReadings { shortest });
    }
    let tenth = *delays.get(delays.len() * 9 / 10)?;
    // Of a few samples, one may be slow.
    let is_uneven = delays.len() >= SAMPLES / 2
        && tenth > EVEN
        && tenth.nanoseconds() > shortest.nanoseconds().saturating_mul(TIMES);
    is_uneven.then_some(Finding::UnevenReadings { shortest, tenth })
}
