//! Ioctls and clock calls on a PHC: the structs are taken out of the program's memory, the mock
//! answers, and the answer is put back, in the order in which the kernel does it.

use super::guest::Guest;
use crate::kernel::supervision::abi::Word;
use crate::kernel::supervision::memory::Plain;
use crate::kernel::supervision::ptp_request::PtpRequest;
use crate::kernel::supervision::timex32::{Timespec32, Timex32, cut};
use crate::kernel::uapi::{ptp_sys_offset, ptp_sys_offset_extended, timespec, timex};
use crate::kernel::{Calls, Result};
use crate::mock::Mock;
use nix::errno::Errno;

/// A PTP ioctl: its number and its argument are the call's second and third.
pub(super) fn ioctl(guest: &Guest<'_>, phc: &Mock) -> Result<i64> {
    let at = guest.argument(2);
    let number = guest.int(1).cast_unsigned();
    let (request, _) = PtpRequest::of(number).ok_or(Errno::ENOTTY)?;
    match request {
        PtpRequest::GetCaps(version) => guest.write(at, &phc.getcaps(version)?)?,
        PtpRequest::Extts(version) => phc.extts_request(version, &guest.read(at)?)?,
        PtpRequest::Perout(version) => phc.perout_request(version, &guest.read(at)?)?,
        PtpRequest::EnablePps(version) => phc.enable_pps(version, at != 0)?,
        PtpRequest::PinSetfunc(version) => phc.pin_setfunc(version, &guest.read(at)?)?,
        PtpRequest::MaskClearAll => phc.mask_clear_all()?,
        PtpRequest::MaskEnSingle => phc.mask_en_single(guest.read(at)?)?,
        PtpRequest::SysOffsetPrecise(version) => {
            guest.write(at, &phc.sys_offset_precise(version)?)?;
        }
        PtpRequest::SysOffsetPreciseCycles => {
            guest.write(at, &phc.sys_offset_precise_cycles()?)?;
        }
        PtpRequest::PinGetfunc(version) => {
            changed(guest, at, |pin| phc.pin_getfunc(version, pin))?;
        }
        PtpRequest::SysOffset(version) => {
            changed(guest, at, |samples: &mut ptp_sys_offset| phc.sys_offset(version, samples))?;
        }
        PtpRequest::SysOffsetExtended(version) => {
            changed(guest, at, |samples: &mut ptp_sys_offset_extended| {
                phc.sys_offset_extended(version, samples)
            })?;
        }
        PtpRequest::SysOffsetExtendedCycles => {
            changed(guest, at, |samples| phc.sys_offset_extended_cycles(samples))?;
        }
    }
    Ok(0)
}

/// Lets a call change the struct that is there.
fn changed<T: Plain>(
    guest: &Guest<'_>,
    at: u64,
    call: impl FnOnce(&mut T) -> Result<()>,
) -> Result<()> {
    let mut value: T = guest.read(at)?;
    call(&mut value)?;
    guest.write(at, &value)
}

pub(super) fn gettime(guest: &Guest<'_>, phc: &Mock, word: Word) -> Result<i64> {
    put_time(guest, word, phc.clock_gettime()?)
}

pub(super) fn getres(guest: &Guest<'_>, phc: &Mock, word: Word) -> Result<i64> {
    let resolution = phc.clock_getres()?;
    if guest.argument(1) == 0 { Ok(0) } else { put_time(guest, word, resolution) }
}

pub(super) fn settime(guest: &Guest<'_>, phc: &Mock, word: Word) -> Result<i64> {
    phc.clock_settime(&time_at(guest, guest.argument(1), word)?).map(|()| 0)
}

/// A `timespec` of the program.
pub(super) fn time_at(guest: &Guest<'_>, at: u64, word: Word) -> Result<timespec> {
    Ok(match word {
        Word::Bits64 => {
            let time: timespec = guest.read(at)?;
            // Of a 32-bit program the kernel takes 32 bits of nanoseconds.
            let narrow = guest.abi.word == Word::Bits32;
            let tv_nsec = if narrow { cut(time.tv_nsec).into() } else { time.tv_nsec };
            timespec { tv_nsec, ..time }
        }
        Word::Bits32 => guest.read::<Timespec32>(at)?.into(),
    })
}

/// The answer of `clock_adjtime` is the state of the clock, which a PHC has none of: 0.
pub(super) fn adjtime(guest: &Guest<'_>, phc: &Mock, word: Word) -> Result<i64> {
    adjtime_at(guest, guest.argument(1), word, |timex| phc.clock_adjtime(timex).map(|()| 0))
}

/// Lets a call change a `timex`, and answers the state of the clock.
pub(super) fn adjtime_at(
    guest: &Guest<'_>,
    at: u64,
    word: Word,
    call: impl FnOnce(&mut timex) -> Result<i32>,
) -> Result<i64> {
    let mut state = 0;
    match word {
        Word::Bits64 => changed(guest, at, |timex: &mut timex| {
            state = call(timex)?;
            Ok(())
        })?,
        Word::Bits32 => changed(guest, at, |narrow: &mut Timex32| {
            let mut timex = narrow.widened();
            state = call(&mut timex)?;
            *narrow = Timex32::of(&timex);
            Ok(())
        })?,
    }
    Ok(state.into())
}

pub(super) fn put_time(guest: &Guest<'_>, word: Word, time: timespec) -> Result<i64> {
    let at = guest.argument(1);
    match word {
        Word::Bits64 => guest.write(at, &time)?,
        Word::Bits32 => guest.write(at, &Timespec32::of(time))?,
    }
    Ok(0)
}
