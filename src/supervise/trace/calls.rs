//! Reads a call on a clock out of the memory of the thread that makes it: what is asked when it
//! begins, and what was answered when it has ended.

use crate::kernel::supervision::abi::{Abi, Word};
use crate::kernel::supervision::memory::{Memory, Plain};
use crate::kernel::supervision::ptp_request::PtpRequest;
use crate::kernel::supervision::timex32::{Timespec32, Timex32};
use crate::kernel::uapi::{
    self, ExttsEvent, PTP_BUF_TIMESTAMPS, pin_desc, sys_offset, sys_offset_extended,
    sys_offset_precise, timespec, timex,
};
use crate::kernel::{Exchange, Result};

/// The memory of a thread, and how its program lays out structs.
#[derive(Clone, Copy)]
pub(super) struct Caller {
    pub(super) memory: Memory,
    pub(super) abi: &'static Abi,
}

pub(super) const NO_TIME: timespec = timespec { tv_sec: 0, tv_nsec: 0 };

impl Caller {
    /// A struct, or one without content where the program's pointer leads nowhere.
    fn read<T: Plain>(self, at: u64, or: T) -> T {
        self.memory.read(at).unwrap_or(or)
    }

    fn time(self, at: u64, word: Word) -> timespec {
        match word {
            Word::Bits64 => self.read(at, NO_TIME),
            Word::Bits32 => {
                let time: Result<Timespec32> = self.memory.read(at);
                time.map_or(NO_TIME, Into::into)
            }
        }
    }

    fn timex(self, at: u64, word: Word) -> timex {
        match word {
            Word::Bits64 => self.read(at, uapi::timex()),
            Word::Bits32 => self.read(at, Timex32::default()).widened(),
        }
    }

    /// A PTP request, of this number and with this argument, as it is asked.
    pub(super) fn request(self, number: u32, at: u64) -> Exchange {
        let Some((request, _)) = PtpRequest::of(number) else { return Exchange::Other(number) };
        let no_pin = pin_desc(0, 0, 0);
        match request {
            PtpRequest::GetCaps(version) => Exchange::GetCaps(version, uapi::clock_caps()),
            PtpRequest::Extts(version) => {
                let none = uapi::ptp_extts_request { index: 0, flags: 0, rsv: [0; 2] };
                Exchange::ExttsRequest(version, self.read(at, none))
            }
            PtpRequest::Perout(version) => {
                let zero = uapi::clock_time(0, 0);
                let times = uapi::PeroutTimes { start_or_phase: zero, on: zero };
                let none = uapi::perout_request(0, 0, zero, times);
                Exchange::PeroutRequest(version, self.read(at, none))
            }
            PtpRequest::EnablePps(version) => Exchange::EnablePps(version, at != 0),
            PtpRequest::PinGetfunc(version) => Exchange::PinGetFunc(version, self.read(at, no_pin)),
            PtpRequest::PinSetfunc(version) => Exchange::PinSetFunc(version, self.read(at, no_pin)),
            PtpRequest::MaskClearAll => Exchange::MaskClearAll,
            PtpRequest::MaskEnSingle => Exchange::MaskEnSingle(self.read(at, 0)),
            PtpRequest::SysOffset(version) => {
                Exchange::SysOffset(version, Box::new(self.read(at, sys_offset(0))))
            }
            PtpRequest::SysOffsetExtended(version) => Exchange::SysOffsetExtended(
                version,
                Box::new(self.read(at, sys_offset_extended(0, 0))),
            ),
            PtpRequest::SysOffsetExtendedCycles => Exchange::SysOffsetExtendedCycles(Box::new(
                self.read(at, sys_offset_extended(0, 0)),
            )),
            PtpRequest::SysOffsetPrecise(version) => {
                Exchange::SysOffsetPrecise(version, sys_offset_precise())
            }
            PtpRequest::SysOffsetPreciseCycles => {
                Exchange::SysOffsetPreciseCycles(sys_offset_precise())
            }
        }
    }

    pub(super) fn settime(self, at: u64, word: Word) -> Exchange {
        Exchange::ClockSettime(self.time(at, word))
    }

    /// `settimeofday`, in microseconds.
    pub(super) fn settimeofday(self, at: u64) -> Exchange {
        let time = self.time(at, self.abi.word);
        let tv_nsec = time.tv_nsec.saturating_mul(1_000);
        Exchange::ClockSettime(timespec { tv_nsec, ..time })
    }

    /// `stime`, in seconds, which only 32-bit programs have.
    pub(super) fn stime(self, at: u64) -> Exchange {
        let seconds: i32 = self.read(at, 0);
        Exchange::ClockSettime(timespec { tv_sec: seconds.into(), tv_nsec: 0 })
    }

    pub(super) fn adjtime(self, at: u64, word: Word) -> Exchange {
        let asked = self.timex(at, word);
        Exchange::ClockAdjtime(Box::new((asked, asked)))
    }

    /// Takes the answer of a call that has returned this value.
    pub(super) fn answer(self, exchange: &mut Exchange, at: u64, word: Word, value: i64) {
        match exchange {
            Exchange::ClockGettime(time) | Exchange::ClockGetres(time) => {
                *time = self.time(at, word);
            }
            Exchange::ClockAdjtime(both) => both.1 = self.timex(at, word),
            Exchange::GetCaps(_, caps) => *caps = self.read(at, *caps),
            Exchange::PinGetFunc(_, pin) => *pin = self.read(at, *pin),
            Exchange::SysOffset(_, samples) => **samples = self.read(at, **samples),
            Exchange::SysOffsetExtended(_, samples)
            | Exchange::SysOffsetExtendedCycles(samples) => **samples = self.read(at, **samples),
            Exchange::SysOffsetPrecise(_, sample) | Exchange::SysOffsetPreciseCycles(sample) => {
                *sample = self.read(at, *sample);
            }
            Exchange::Read(events) => {
                let size = size_of::<ExttsEvent>();
                let number = usize::try_from(value).unwrap_or(0) / size;
                for place in 0..number.min(PTP_BUF_TIMESTAMPS) {
                    let at = at.saturating_add((place * size) as u64);
                    events.push(self.read(at, ExttsEvent::ZERO));
                }
            }
            Exchange::Open { .. }
            | Exchange::ClockSettime(_)
            | Exchange::ExttsRequest(..)
            | Exchange::PeroutRequest(..)
            | Exchange::EnablePps(..)
            | Exchange::PinSetFunc(..)
            | Exchange::MaskClearAll
            | Exchange::MaskEnSingle(_)
            | Exchange::Other(_) => {}
        }
    }
}
