//! The calls that a clock answers, by name.

use std::fmt;
use std::str::FromStr;

/// A call to a clock.
///
/// # Examples
///
/// ```
/// use ptpctl::kernel::Call;
///
/// assert_eq!(Call::SysOffsetExtended.to_string(), "PTP_SYS_OFFSET_EXTENDED");
/// assert_eq!("sys_offset_extended".parse(), Ok(Call::SysOffsetExtended));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each has its kernel name in the table below")]
pub enum Call {
    Open,
    ClockGettime,
    ClockSettime,
    ClockAdjtime,
    /// `clock_adjtime` that steps.
    AdjtimeStep,
    /// `clock_adjtime` that dials a frequency.
    AdjtimeFrequency,
    /// `clock_adjtime` that hands over a phase offset.
    AdjtimePhase,
    ClockGetres,
    GetCaps,
    ExttsRequest,
    ExttsRequest2,
    PeroutRequest,
    PeroutRequest2,
    EnablePps,
    SysOffset,
    SysOffsetExtended,
    SysOffsetPrecise,
    SysOffsetExtendedCycles,
    SysOffsetPreciseCycles,
    PinGetFunc,
    PinSetFunc,
    MaskClearAll,
    MaskEnSingle,
    Read,
    Wait,
    /// Reading a file of the clock in sysfs.
    Attribute,
    /// Writing one.
    SetAttribute,
    /// Looking for virtual clocks in sysfs.
    VirtualClocks,
    /// `clock_gettime` of a clock of the system.
    SystemGettime,
    SystemNanosleep,
    /// `clock_adjtime` of the system's clock.
    SystemAdjtime,
}

impl Call {
    /// All calls: what the kernel calls each, and the method of [`Calls`](super::Calls) that makes it.
    const NAMES: [(Self, &'static str, &'static str); 31] = [
        (Self::Open, "open", "open"),
        (Self::ClockGettime, "clock_gettime", "clock_gettime"),
        (Self::ClockSettime, "clock_settime", "clock_settime"),
        (Self::ClockAdjtime, "clock_adjtime", "clock_adjtime"),
        (Self::AdjtimeStep, "clock_adjtime(ADJ_SETOFFSET)", "clock_adjtime"),
        (Self::AdjtimeFrequency, "clock_adjtime(ADJ_FREQUENCY)", "clock_adjtime"),
        (Self::AdjtimePhase, "clock_adjtime(ADJ_OFFSET)", "clock_adjtime"),
        (Self::ClockGetres, "clock_getres", "clock_getres"),
        (Self::GetCaps, "PTP_CLOCK_GETCAPS", "getcaps"),
        (Self::ExttsRequest, "PTP_EXTTS_REQUEST", "extts_request"),
        (Self::ExttsRequest2, "PTP_EXTTS_REQUEST2", "extts_request"),
        (Self::PeroutRequest, "PTP_PEROUT_REQUEST", "perout_request"),
        (Self::PeroutRequest2, "PTP_PEROUT_REQUEST2", "perout_request"),
        (Self::EnablePps, "PTP_ENABLE_PPS", "enable_pps"),
        (Self::SysOffset, "PTP_SYS_OFFSET", "sys_offset"),
        (Self::SysOffsetExtended, "PTP_SYS_OFFSET_EXTENDED", "sys_offset_extended"),
        (Self::SysOffsetPrecise, "PTP_SYS_OFFSET_PRECISE", "sys_offset_precise"),
        (
            Self::SysOffsetExtendedCycles,
            "PTP_SYS_OFFSET_EXTENDED_CYCLES",
            "sys_offset_extended_cycles",
        ),
        (
            Self::SysOffsetPreciseCycles,
            "PTP_SYS_OFFSET_PRECISE_CYCLES",
            "sys_offset_precise_cycles",
        ),
        (Self::PinGetFunc, "PTP_PIN_GETFUNC", "pin_getfunc"),
        (Self::PinSetFunc, "PTP_PIN_SETFUNC", "pin_setfunc"),
        (Self::MaskClearAll, "PTP_MASK_CLEAR_ALL", "mask_clear_all"),
        (Self::MaskEnSingle, "PTP_MASK_EN_SINGLE", "mask_en_single"),
        (Self::Read, "read", "read"),
        (Self::Wait, "poll", "wait"),
        (Self::Attribute, "read of sysfs", "attribute"),
        (Self::SetAttribute, "write to sysfs", "set_attribute"),
        (Self::VirtualClocks, "listing of sysfs", "virtual_clocks"),
        (Self::SystemGettime, "clock_gettime of the system", "system_gettime"),
        (Self::SystemNanosleep, "clock_nanosleep(CLOCK_MONOTONIC)", "system_nanosleep"),
        (Self::SystemAdjtime, "clock_adjtime(CLOCK_REALTIME, ADJ_SETOFFSET)", "system_adjtime"),
    ];

    /// What the kernel calls it.
    pub fn name(self) -> &'static str {
        self.names().1
    }

    /// The method of [`Calls`](super::Calls) that makes it.
    pub fn method(self) -> &'static str {
        self.names().2
    }

    /// The names of all methods, for a mock's failures.
    pub fn methods() -> impl Iterator<Item = &'static str> {
        // Calls that share a method are next to each other in the table.
        let mut last = "";
        Self::NAMES.into_iter().filter_map(move |(_, _, method)| {
            (std::mem::replace(&mut last, method) != method).then_some(method)
        })
    }

    /// The call with this name in the kernel, as [`Call::name`] gives it.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(_, known, _)| *known == name).map(|(call, ..)| call)
    }

    fn names(self) -> (Self, &'static str, &'static str) {
        let found = Self::NAMES.into_iter().find(|(call, ..)| *call == self);
        found.unwrap_or((self, "", ""))
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text isn't the name of a method of [`Calls`](super::Calls).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchCall;

impl fmt::Display for NoSuchCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods: Vec<_> = Call::methods().collect();
        write!(f, "the calls are {}", methods.join(", "))
    }
}

impl std::error::Error for NoSuchCall {}

impl FromStr for Call {
    type Err = NoSuchCall;

    /// Reads the name of a method.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::NAMES.into_iter().find(|(_, _, method)| *method == text);
        found.map(|(call, ..)| call).ok_or(NoSuchCall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_has_its_names_and_is_found_by_them() {
        for (call, name, method) in Call::NAMES {
            assert_eq!((call.name(), call.method()), (name, method));
            assert_eq!(Call::named(name), Some(call));
            assert_eq!(method.parse::<Call>().map(Call::method), Ok(method));
        }
        assert_eq!(Call::methods().count(), 26);
        assert_eq!("reed".parse::<Call>(), Err(NoSuchCall));
    }
}
