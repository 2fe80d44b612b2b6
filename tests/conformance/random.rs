//! Random sequences of calls: on the mock and on a kernel side by side, and on a mock in memory
//! beside one whose state is in a file. A difference is shrunk to the shortest sequence that shows
//! it.

use crate::caps::words;
use crate::check::Stop;
use crate::world::{World, nanoseconds};
use nix::errno::Errno;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::test_runner::{
    Config as Settings, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner,
};
use ptpctl::kernel::uapi::{
    self, PeroutTimes, clock_time, perout_request, pin_desc, ptp_extts_request, sys_offset,
    sys_offset_extended, timespec,
};
use ptpctl::kernel::{Calls, Version};
use ptpctl::mock::{Config, Linux, Mock};

/// Seeds that once found a difference: their sequences are run every time.
const KEPT_SEEDS: [u64; 4] = [1, 2, 576, 4_523];
/// The maximum number of calls in a sequence.
const LONGEST: usize = 25;

/// One call, that both clocks can be asked for.
#[derive(Clone, Debug)]
enum Op {
    Caps(Version),
    Attribute(&'static str),
    Time,
    SetTime(i64, i64),
    Adjtime { modes: u32, seconds: i64, part: i64, freq: i64, offset: i64 },
    Extts { version: Version, index: u32, flags: u32, reserved: u32 },
    Perout { version: Version, index: u32, flags: u32, period: i64, start: i64, on: u32 },
    GetPin(Version, u32),
    SetPin(Version, u32, u32, u32),
    Pps(Version, bool),
    Basic(Version, u32),
    Extended(Version, u32, i32),
    Precise(Version),
    Cycles(u32),
    VirtualClocks(&'static str),
    ClearMask,
    Want(u32),
    Emit(u32),
    Drain,
}

/// The number of the handle, of which 0 and 1 may write and 2 only reads, and the call.
type Step = (usize, Op);

/// What a call answers: an errno, or numbers. A time is kept separately, because it can't be equal.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    errno: Option<Errno>,
    numbers: Vec<i64>,
    time: Option<i128>,
}

fn op() -> impl Strategy<Value = Op> {
    let version = || prop_oneof![Just(Version::V1), Just(Version::V2)];
    let index = || prop_oneof![9 => 0_u32..5, 1 => Just(u32::MAX)];
    let modes = select(vec![
        0,
        libc::ADJ_SETOFFSET,
        libc::ADJ_SETOFFSET | libc::ADJ_NANO,
        libc::ADJ_FREQUENCY,
        libc::ADJ_OFFSET,
        libc::ADJ_OFFSET | libc::ADJ_NANO,
        libc::ADJ_SETOFFSET | libc::ADJ_FREQUENCY | libc::ADJ_NANO,
        libc::ADJ_FREQUENCY | libc::ADJ_OFFSET,
        libc::ADJ_STATUS,
    ]);
    let part = select(vec![0, 1, 999_999, 1_000_000, 999_999_999, 1_000_000_000, -1]);
    let freq = prop_oneof![Just(0_i64), -70_000_i64..70_000, Just(1 << 42), Just(-(1 << 42))];
    let offset = prop_oneof![
        -600_000_000_i64..600_000_000,
        Just(4_294_967_796),
        Just(0),
        any::<i32>().prop_map(i64::from)
    ];
    let attribute = select(vec![
        "max_adjustment",
        "max_phase_adjustment",
        "n_vclocks",
        "n_programmable_pins",
        "nothing",
    ]);
    let clock = prop_oneof![8 => Just(0), 1 => Just(1), 1 => Just(4), 1 => 0..30, 1 => Just(-1)];
    prop_oneof![
        version().prop_map(Op::Caps),
        attribute.prop_map(Op::Attribute),
        Just(Op::Time),
        (select(vec![-1_i64, 0, 1_000, 1_000_000, 1_700_000_000, i64::MAX]), part.clone())
            .prop_map(|(seconds, part)| Op::SetTime(seconds, part)),
        (modes, select(vec![-1_000_i64, 0, 1_000]), part, freq, offset).prop_map(
            |(modes, seconds, part, freq, offset)| Op::Adjtime {
                modes,
                seconds,
                part,
                freq,
                offset
            }
        ),
        (version(), index(), 0_u32..64, prop_oneof![9 => Just(0), 1 => Just(1)]).prop_map(
            |(version, index, flags, reserved)| Op::Extts { version, index, flags, reserved }
        ),
        (version(), index(), 0_u32..9, 0_i64..3, 0_i64..3, 0_u32..2).prop_map(
            |(version, index, flags, period, start, on)| Op::Perout {
                version,
                index,
                flags,
                period,
                start,
                on
            }
        ),
        (version(), index()).prop_map(|(version, index)| Op::GetPin(version, index)),
        (version(), index(), 0_u32..5, index())
            .prop_map(|(version, pin, func, chan)| Op::SetPin(version, pin, func, chan)),
        (version(), any::<bool>()).prop_map(|(version, on)| Op::Pps(version, on)),
        (version(), 0_u32..27).prop_map(|(version, number)| Op::Basic(version, number)),
        (version(), 0_u32..27, clock)
            .prop_map(|(version, number, clock)| Op::Extended(version, number, clock)),
        version().prop_map(Op::Precise),
        (0_u32..27).prop_map(Op::Cycles),
        select(vec!["0", "0", "0", "1", "21", "x"]).prop_map(Op::VirtualClocks),
        Just(Op::ClearMask),
        select(vec![0_u32, 1, 2, 3, 2_047, 2_048]).prop_map(Op::Want),
        (1_u32..200).prop_map(Op::Emit),
        Just(Op::Drain),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    vec((0_usize..3, op()), 1..LONGEST)
}

/// Makes one call.
fn make(clock: &dyn Calls, op: &Op) -> Answer {
    let mut numbers = Vec::new();
    let mut time = None;
    let mut ask = || -> Result<(), Errno> {
        match *op {
            Op::Caps(version) => {
                let caps = clock.getcaps(version)?;
                numbers = words(&caps).into_iter().map(i64::from).collect();
            }
            Op::Attribute(name) => {
                numbers.push(clock.attribute(name)?.parse().map_err(|_| Errno::EPROTO)?);
            }
            Op::Time => time = Some(nanoseconds(clock.clock_gettime()?)),
            Op::SetTime(seconds, part) => {
                clock.clock_settime(&timespec { tv_sec: seconds, tv_nsec: part })?;
            }
            Op::Adjtime { modes, seconds, part, freq, offset } => {
                let mut timex = uapi::timex();
                (timex.modes, timex.freq, timex.offset) = (modes, freq, offset);
                (timex.time.tv_sec, timex.time.tv_usec) = (seconds, part);
                clock.clock_adjtime(&mut timex)?;
                numbers.push(timex.freq);
            }
            Op::Extts { version, index, flags, reserved } => {
                let request = ptp_extts_request { index, flags, rsv: [reserved, 0] };
                clock.extts_request(version, &request)?;
            }
            Op::Perout { version, index, flags, period, start, on } => {
                let times =
                    PeroutTimes { start_or_phase: clock_time(start, 0), on: clock_time(0, on) };
                let request = perout_request(index, flags, clock_time(period, 0), times);
                clock.perout_request(version, &request)?;
            }
            Op::GetPin(version, index) => {
                let mut pin = pin_desc(index, 0, 0);
                clock.pin_getfunc(version, &mut pin)?;
                numbers = [pin.index, pin.func, pin.chan].map(i64::from).to_vec();
            }
            Op::SetPin(version, index, func, chan) => {
                clock.pin_setfunc(version, &pin_desc(index, func, chan))?;
            }
            Op::Pps(version, on) => clock.enable_pps(version, on)?,
            Op::Basic(version, number) => {
                let mut samples = sys_offset(number);
                clock.sys_offset(version, &mut samples)?;
                numbers.push(i64::from(samples.n_samples));
            }
            Op::Extended(version, number, against) => {
                let mut samples = sys_offset_extended(number, against);
                clock.sys_offset_extended(version, &mut samples)?;
                numbers.push(i64::from(samples.n_samples));
            }
            Op::Precise(version) => clock.sys_offset_precise(version).map(drop)?,
            Op::Cycles(number) => {
                clock.sys_offset_extended_cycles(&mut sys_offset_extended(number, 0))?;
            }
            Op::VirtualClocks(number) => clock.set_attribute("n_vclocks", number)?,
            Op::ClearMask => clock.mask_clear_all()?,
            Op::Want(channel) => clock.mask_en_single(channel)?,
            Op::Emit(_) => {}
            Op::Drain => {
                let events = World::drain(clock).map_err(|_| Errno::EPROTO)?;
                let of = |channel| events.iter().filter(|event| event.index == channel).count();
                numbers = (0..4).map(|channel| number_of(of(channel))).collect();
            }
        }
        Ok(())
    };
    let errno = ask().err();
    Answer { errno, numbers, time }
}

fn number_of(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A world with its three handles.
struct Session<'a> {
    world: &'a World,
    handles: [Box<dyn Calls>; 3],
}

impl<'a> Session<'a> {
    fn new(world: &'a World) -> Result<Self, Stop> {
        let handles = [world.open(true)?, world.open(true)?, world.open(false)?];
        // Both clocks begin at the same time.
        let start = Op::SetTime(1_000_000, 0);
        for clock in handles.iter().take(1) {
            make(clock.as_ref(), &start);
        }
        Ok(Self { world, handles })
    }

    fn make(&self, (handle, op): &Step) -> Option<Answer> {
        if let Op::Emit(times) = op {
            self.world.emit(*times);
        }
        self.handles.get(*handle).map(|clock| make(clock.as_ref(), op))
    }
}

fn same(one: &Answer, other: &Answer) -> bool {
    // Both clocks were set to the same time, but events take virtual time on the mock, and a busy
    // machine takes time on the kernel. The calls that set or step a clock move it by a thousand
    // seconds.
    let near = match (one.time, other.time) {
        (Some(one), Some(other)) => (one - other).abs() < 400_000_000_000,
        (one, other) => one == other,
    };
    near && one.errno == other.errno && one.numbers == other.numbers
}

fn compare(profile: &str, clock: &World, steps: &[Step]) -> Result<(), TestCaseError> {
    let fail = |stop: Stop| TestCaseError::fail(format!("{stop:?}"));
    let mock = World::like(profile, clock);
    clock.restored().map_err(fail)?;
    let (ours, theirs) = (Session::new(&mock).map_err(fail)?, Session::new(clock).map_err(fail)?);
    for step in steps {
        // The counter of an emulated card jumps when its pace is changed.
        let dials = matches!(step.1, Op::Adjtime { modes, freq, .. }
            if modes & libc::ADJ_FREQUENCY != 0 && freq != 0);
        if dials && !clock.is_simulated() {
            continue;
        }
        let (Some(ours), Some(theirs)) = (ours.make(step), theirs.make(step)) else { continue };
        if !same(&ours, &theirs) {
            let what = format!("{step:?}: the mock {ours:?}, the kernel {theirs:?}");
            return Err(TestCaseError::fail(what));
        }
    }
    Ok(())
}

/// Runs this number of random sequences on the mock and on a real clock.
pub(crate) fn side_by_side(profile: &str, clock: &World, sequences: u32, seed: u64) -> usize {
    let name = format!("{} {profile}", clock.kernel);
    every_seed(&name, "beside the mock", sequences, seed, |steps| compare(profile, clock, steps))
}

/// Runs random sequences on a mock in memory, and on one that lives in a file and is opened anew
/// for every call, as by a program called again and again.
pub(crate) fn across_processes(kernel: Linux, sequences: u32, seed: u64) -> usize {
    let file = std::env::temp_dir().join(format!("ptpctl-conformance-{}", std::process::id()));
    let text = format!("mock:full,kernel={kernel},time=virtual");
    let run = |steps: &[Step]| {
        let _ = std::fs::remove_file(&file);
        let fail = |error| TestCaseError::fail(format!("{error}"));
        let open = |text: &str| text.parse::<Config>().and_then(|config| Mock::new(&config));
        let in_memory = open(&text).map_err(fail)?;
        for (_, op) in steps {
            // Queues and masks end with their handle.
            if matches!(op, Op::Drain | Op::Emit(_) | Op::ClearMask | Op::Want(_)) {
                continue;
            }
            let in_file = open(&format!("{text},state={}", file.display())).map_err(fail)?;
            let (one, other) = (make(&in_memory, op), make(&in_file, op));
            if one != other {
                let what = format!("{op:?}: in memory {one:?}, in a file {other:?}");
                return Err(TestCaseError::fail(what));
            }
        }
        Ok(())
    };
    let name = format!("{kernel} full");
    let failures = every_seed(&name, "through a state file", sequences, seed, run);
    let _ = std::fs::remove_file(&file);
    failures
}

/// Runs sequences of the kept seeds and of a new one. Prints the shortest that fails.
fn every_seed(
    name: &str,
    what: &str,
    sequences: u32,
    seed: u64,
    run: impl Fn(&[Step]) -> Result<(), TestCaseError>,
) -> usize {
    let mut failures = 0;
    let kept = KEPT_SEEDS.into_iter().filter(|kept| *kept != seed);
    let kept = kept.map(|seed| (seed, sequences.div_ceil(10)));
    for (seed, cases) in kept.chain([(seed, sequences)]) {
        let settings = Settings { cases, failure_persistence: None, ..Settings::default() };
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(seed.to_le_bytes()).for_each(|(to, from)| *to = from);
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(settings, rng);
        match runner.run(&steps(), |steps| run(&steps)) {
            Ok(()) => println!("# {name}: {cases} sequences {what}, seed {seed}: no difference"),
            Err(TestError::Fail(why, steps)) => {
                failures += 1;
                println!("not ok {name}: a sequence {what}, seed {seed}: {why}");
                for step in steps {
                    println!("#   {step:?}");
                }
            }
            Err(TestError::Abort(why)) => {
                failures += 1;
                println!("not ok {name}: {why}");
            }
        }
    }
    failures
}
