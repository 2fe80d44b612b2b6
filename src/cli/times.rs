//! Times as people write them.

use super::failure::Failure;
use crate::decimal::Decimal;
use crate::find::tai_offset;
use crate::phc::Phc;
use crate::rfc3339;
use crate::{Offset, ParseQuantityError, TaiOffset, Timestamp, Unknown, Utc};
use clap::Arg;
use std::ffi::OsString;

/// A time as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    Now,
    /// On the clock's own scale.
    Shown(Timestamp<Unknown>),
    Calendar(Timestamp<Utc>),
}

pub(super) fn parse(text: &str) -> Result<Time, String> {
    match text.strip_prefix('@') {
        _ if text == "now" => Ok(Time::Now),
        None if !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') =>
        {
            Err(format!("write @{text} for seconds since 1970"))
        }
        None if !text.starts_with(|c: char| c.is_ascii_digit()) => {
            Err("it is no time: use now, @SECONDS or a calendar time such as 2026-01-31T12:00:00Z"
                .into())
        }
        None => rfc3339::parse(text).map(Time::Calendar).map_err(|why| {
            format!("{why}; use now, @SECONDS or a calendar time such as 2026-01-31T12:00:00Z")
        }),
        Some(seconds) => {
            let (seconds, rest) = Decimal::split(seconds).map_err(|why| why.to_string())?;
            if !rest.is_empty() {
                return Err(format!("'{rest}' is left over: write @SECONDS or @SECONDS.fraction"));
            }
            let nanoseconds = seconds
                .scaled_exactly(1_000_000_000)
                .ok_or("it has more than nine decimals: the kernel takes whole nanoseconds")?;
            if nanoseconds < 0 {
                return Err("a clock can't be set before 1970".into());
            }
            Timestamp::from_total_nanoseconds(nanoseconds)
                .map(Time::Shown)
                .ok_or_else(|| "it doesn't fit 64 bits of seconds".into())
        }
    }
}

/// TAI − UTC, as `--tai` gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tai {
    /// As the kernel or the system's list of leap seconds has it.
    Known,
    /// As the command line says.
    Told(TaiOffset),
}

impl Tai {
    /// TAI − UTC, or a failure that says where it can come from.
    pub(super) fn offset(self, phc: &Phc) -> Result<TaiOffset, Failure> {
        match self {
            Self::Told(offset) => Ok(offset),
            Self::Known => tai_offset(phc).ok_or_else(|| {
                Failure::Failed(
                    "TAI - UTC is unknown: neither the kernel (adjtimex, chrony's leapsectz, \
                     ptp4l) nor a leap-second list in /usr/share/zoneinfo (package tzdata) has it: \
                     give it, --tai 37s since 2017"
                        .into(),
                )
            }),
        }
    }
}

/// `--tai`, alone or with TAI − UTC.
pub(super) fn tai(help: &'static str) -> Arg {
    Arg::new("tai")
        .long("tai")
        .value_name("OFFSET")
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("")
        .value_parser(parse_tai)
        .help(help)
}

fn parse_tai(text: &str) -> Result<Tai, String> {
    if text.is_empty() {
        return Ok(Tai::Known);
    }
    let offset: Offset = text.parse().map_err(|error: ParseQuantityError| error.why)?;
    let (seconds, rest) = offset.seconds_and_nanoseconds();
    let seconds = i32::try_from(seconds).ok().filter(|seconds| rest == 0 && *seconds > 0);
    let seconds = seconds.ok_or("TAI - UTC is whole seconds above 0: 37s since 2017")?;
    Ok(Tai::Told(TaiOffset(seconds)))
}

/// The arguments, with `--tai 37s` joined to `--tai=37s`: clap accepts an optional value only after
/// `=`, and a word after `--tai` alone is a clock.
pub(super) fn with_tai(arguments: &[OsString]) -> Vec<OsString> {
    let mut all: Vec<OsString> = Vec::with_capacity(arguments.len());
    for argument in arguments {
        let is_value = argument.to_str().is_some_and(|text| {
            text.strip_suffix('s').is_some_and(|number| number.parse::<u32>().is_ok())
        });
        match all.last_mut().filter(|last| is_value && *last == "--tai") {
            Some(last) => last.push(format!("={}", argument.display())),
            None => all.push(argument.clone()),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_exact_to_the_nanosecond() {
        let time = Timestamp::new(1_700_000_000, 123_456_789).map(Time::Shown);
        assert_eq!(parse("@1700000000.123456789").ok(), time);
        assert_eq!(parse("now"), Ok(Time::Now));
        for text in [
            "@",
            "@1.0000000001",
            "@-1",
            "@1s",
            "@nan",
            "@99999999999999999999",
            "1700000000",
            "nowhere",
            "-1",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
