//! The queues of external timestamps.

use crate::check::{Check, Stop, Suite, answers, holds, is, refuses, skip, works};
use crate::world::World;
use nix::errno::Errno;
use ptpctl::kernel::uapi::{
    ExttsEvent, PTP_ENABLE_FEATURE, PTP_EXT_OFFSET, PTP_EXTTS_EVENT_VALID, PTP_RISING_EDGE,
    ptp_extts_request,
};
use ptpctl::kernel::{Calls, Version, Wait};
use ptpctl::mock::Feature;
use std::time::Duration;

const ON: u32 = PTP_ENABLE_FEATURE | PTP_RISING_EDGE;

pub(crate) fn cases(suite: &mut Suite) {
    reading(suite);
    queues(suite);
    masks(suite);
}

fn enable(w: &World, channel: u32, flags: u32) -> Check {
    if w.caps().n_ext_ts == 0 {
        return skip("no extts channels");
    }
    let request = ptp_extts_request { index: channel, flags, rsv: [0; 2] };
    works(w.ask(|clock| clock.extts_request(Version::V2, &request)))
}

fn read(clock: &dyn Calls, room: usize) -> Result<Vec<ExttsEvent>, Stop> {
    let mut events = vec![ExttsEvent::ZERO; room];
    let number = works(clock.read(&mut events))?;
    events.truncate(number);
    Ok(events)
}

fn time(event: &ExttsEvent) -> i128 {
    i128::from(event.t.sec) * 1_000_000_000 + i128::from(event.t.nsec)
}

fn waiting(handle: &dyn Calls) -> Result<usize, Stop> {
    Ok(World::drain(handle)?.len())
}

fn reading(suite: &mut Suite) {
    suite.case("an event has its channel, and no reserved words", |w| {
        let handle = w.open(false)?;
        enable(w, 2, ON)?;
        w.emit(1);
        let events = read(handle.as_ref(), 30)?;
        is("events", events.len(), 1)?;
        let event = events.first().copied().unwrap_or(ExttsEvent::ZERO);
        is("its channel and reserved words", (event.index, event.rsv), (2, [0; 2]))?;
        holds("its nanoseconds are within a second", event.t.nsec < 1_000_000_000)
    });
    suite.case("an event is marked valid from 6.9 on", |w| {
        let handle = w.open(false)?;
        enable(w, 0, ON)?;
        w.emit(1);
        let flags = read(handle.as_ref(), 1)?.first().map(|event| event.flags);
        let valid = if w.has(Feature::ExtOffset) { PTP_EXTTS_EVENT_VALID } else { 0 };
        is("its flags", flags, Some(valid))
    });
    suite.case("an offset event is marked", |w| {
        if !w.has(Feature::ExtOffset) {
            return skip("a kernel without offset events");
        }
        let handle = w.open(false)?;
        enable(w, 0, ON | PTP_EXT_OFFSET)?;
        w.emit(1);
        let event = read(handle.as_ref(), 1)?.first().copied().unwrap_or(ExttsEvent::ZERO);
        is("its flags", event.flags, PTP_EXTTS_EVENT_VALID | PTP_EXT_OFFSET)?;
        holds("it is small", event.t.sec.abs() <= 1)
    });
    suite.case("events are a period apart, in their order", |w| {
        let handle = w.open(false)?;
        enable(w, 0, ON)?;
        w.emit(5);
        let events = read(handle.as_ref(), 30)?;
        is("events", events.len(), 5)?;
        let times: Vec<_> = events.iter().map(time).collect();
        let period = w.period().as_nanos().cast_signed();
        let apart = |pair: &[i128]| pair.last().zip(pair.first()).map(|(next, last)| next - last);
        holds("each is a period later", times.windows(2).all(|pair| apart(pair) == Some(period)))
    });
    for (room, expected) in [(0, 0), (1, 1), (29, 29), (30, 30), (31, 30), (64, 30)] {
        suite.case(
            format!("a read with room for {room} of 40 events gives {expected}"),
            move |w| {
                let handle = w.open(false)?;
                enable(w, 0, ON)?;
                w.emit(40);
                is("events", read(handle.as_ref(), room)?.len(), expected)?;
                is("the rest", waiting(handle.as_ref())?, 40 - expected)
            },
        );
    }
    suite.case("an event is read once", |w| {
        let handle = w.open(false)?;
        enable(w, 0, ON)?;
        w.emit(1);
        is("events", waiting(handle.as_ref())?, 1)?;
        is("events", waiting(handle.as_ref())?, 0)
    });
    suite.case("wait without an event ends in time", |w| {
        let handle = w.open(false)?;
        is("it", works(handle.wait(&[], Duration::from_millis(5)))?, Wait::TimedOut)
    });
    suite.case("wait with an event ends at once", |w| {
        let handle = w.open(false)?;
        enable(w, 0, ON)?;
        w.emit(1);
        is("it", works(handle.wait(&[], Duration::from_secs(9)))?, Wait::Events)
    });
    suite.case("what is off gives no events", |w| {
        let handle = w.open(false)?;
        enable(w, 0, ON)?;
        enable(w, 0, 0)?;
        w.emit(3);
        is("events", waiting(handle.as_ref())?, 0)
    });
    suite.case("events that came before it is switched off stay", |w| {
        let handle = w.open(false)?;
        enable(w, 0, ON)?;
        w.emit(3);
        enable(w, 0, 0)?;
        is("events", waiting(handle.as_ref())?, 3)
    });
    suite.case("two channels give events of both", |w| {
        let handle = w.open(false)?;
        enable(w, 1, ON)?;
        enable(w, 3, ON)?;
        w.emit(2);
        let mut channels: Vec<_> =
            read(handle.as_ref(), 30)?.iter().map(|event| event.index).collect();
        channels.sort_unstable();
        is("their channels", channels, vec![1, 1, 3, 3])
    });
}

fn queues(suite: &mut Suite) {
    for (came, kept) in [(126, 126), (127, 127), (128, 127), (300, 127)] {
        suite.case(format!("of {came} events the last {kept} are kept"), move |w| {
            let handle = w.open(false)?;
            enable(w, 0, ON)?;
            w.emit(1);
            let first = read(handle.as_ref(), 1)?.first().map_or(0, time);
            w.emit(came);
            let events = World::drain(handle.as_ref())?;
            is("events", events.len(), kept)?;
            let period = w.period().as_nanos().cast_signed();
            let which: Vec<_> = events.iter().map(|event| (time(event) - first) / period).collect();
            let (last, kept) = (i128::from(came), i128::try_from(kept).unwrap_or(0));
            is("which", which, (last - kept + 1..=last).collect())
        });
    }
    suite.case("a queue is empty when its handle is opened, from 6.7 on", |w| {
        let early = w.open(false)?;
        enable(w, 0, ON)?;
        w.emit(3);
        let late = w.open(false)?;
        let expected = if w.has(Feature::QueuePerHandle) { 0 } else { 3 };
        is("events of the later handle", waiting(late.as_ref())?, expected)?;
        is("events of the earlier one", waiting(early.as_ref())?, 3 - expected)
    });
    suite.case("two handles get every event each, from 6.7 on; before, they share them", |w| {
        let (one, other) = (w.open(false)?, w.open(false)?);
        enable(w, 0, ON)?;
        w.emit(10);
        let first = waiting(one.as_ref())?;
        let second = waiting(other.as_ref())?;
        let expected = if w.has(Feature::QueuePerHandle) { (10, 10) } else { (10, 0) };
        is("events", (first, second), expected)
    });
    suite.case("a full queue at one handle leaves another's alone", |w| {
        if !w.has(Feature::QueuePerHandle) {
            return skip("a kernel with one queue for all");
        }
        let (one, other) = (w.open(false)?, w.open(false)?);
        enable(w, 0, ON)?;
        w.emit(100);
        is("events", waiting(other.as_ref())?, 100)?;
        w.emit(100);
        is("events of the full one", waiting(one.as_ref())?, 127)?;
        is("events of the other", waiting(other.as_ref())?, 100)
    });
    suite.case("a queue outlives its handle before 6.7", |w| {
        let early = w.open(false)?;
        enable(w, 0, ON)?;
        w.emit(3);
        drop(early);
        let late = w.open(false)?;
        let expected = if w.has(Feature::QueuePerHandle) { 0 } else { 3 };
        is("events of the later handle", waiting(late.as_ref())?, expected)
    });
}

fn masks(suite: &mut Suite) {
    suite.case("the mask can be cleared from 6.7 on", |w| {
        let handle = w.open(false)?;
        let expected = (!w.has(Feature::QueuePerHandle)).then_some(Errno::ENOTTY);
        answers(handle.mask_clear_all(), expected)
    });
    for (channel, valid) in [(0, true), (3, true), (2_047, true), (2_048, false), (u32::MAX, false)]
    {
        suite.case(format!("the mask: channel {channel}"), move |w| {
            let handle = w.open(false)?;
            if !w.has(Feature::QueuePerHandle) {
                return refuses(handle.mask_en_single(channel), Errno::ENOTTY);
            }
            answers(handle.mask_en_single(channel), (!valid).then_some(Errno::EFAULT))
        });
    }
    for (name, wanted, expected) in [
        ("nothing", &[][..], vec![]),
        ("channel 1", &[1][..], vec![1]),
        ("channels 0 and 3", &[0, 3][..], vec![0, 3]),
        ("a channel that is off", &[2][..], vec![]),
    ] {
        suite.case(format!("a handle that wants {name}"), move |w| {
            needs_masks(w)?;
            let handle = w.open(false)?;
            works(handle.mask_clear_all())?;
            for channel in wanted {
                works(handle.mask_en_single(*channel))?;
            }
            for channel in [0, 1, 3] {
                enable(w, channel, ON)?;
            }
            w.emit(1);
            let mut channels: Vec<_> =
                World::drain(handle.as_ref())?.iter().map(|event| event.index).collect();
            channels.sort_unstable();
            is("the channels", channels, expected.clone())
        });
    }
    suite.case("a mask is its handle's own", |w| {
        needs_masks(w)?;
        let (one, other) = (w.open(false)?, w.open(false)?);
        works(one.mask_clear_all())?;
        enable(w, 0, ON)?;
        w.emit(1);
        is("events", (waiting(one.as_ref())?, waiting(other.as_ref())?), (0, 1))
    });
    suite.case("a channel that is wanted already stays wanted", |w| {
        needs_masks(w)?;
        let handle = w.open(false)?;
        works(handle.mask_en_single(0))?;
        enable(w, 1, ON)?;
        w.emit(1);
        is("events of a channel that nobody named", waiting(handle.as_ref())?, 1)
    });
}

fn needs_masks(w: &World) -> Check {
    if w.caps().n_ext_ts == 0 {
        return skip("no extts channels");
    }
    if w.has(Feature::QueuePerHandle) { Ok(()) } else { skip("a kernel without masks") }
}
