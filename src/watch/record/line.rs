//! A reading as a line: a JSON object, as `record` writes it and `monitor --json` prints it. All keys
//! are written and read here.

use crate::json::{self, SCHEMA};
use crate::kernel::{Call, Errno};
use crate::measure::UncertainRate;
use crate::phc::Method;
use crate::watch::{Cause, Comparison, Label, Measurement, Outcome, Reading, Recorded};
use crate::{Offset, Rate, Timestamp, Utc};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

/// Writes a reading on a line; the first one of a stream has the version of the keys.
///
/// # Errors
///
/// The errors of writing.
pub fn write(to: &mut impl Write, reading: &Reading, is_first: bool) -> io::Result<()> {
    json::write_line(to, &Written { reading, is_first })
}

struct Written<'a> {
    reading: &'a Reading,
    is_first: bool,
}

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Reading { source, at, outcome } = self.reading;
        let mut map = serializer.serialize_map(None)?;
        if self.is_first {
            map.serialize_entry("schema", &SCHEMA)?;
        }
        map.serialize_entry("device", &source.device)?;
        map.serialize_entry("clock_name", &source.clock_name)?;
        map.serialize_entry("reference", &source.reference)?;
        map.serialize_entry("at", &At(*at))?;
        match outcome {
            Outcome::Measured(measurement) => measured(&mut map, measurement)?,
            Outcome::Missed(cause) => unmeasured(&mut map, "missed", cause)?,
            Outcome::Absent(cause) => unmeasured(&mut map, "absent", cause)?,
        }
        map.end()
    }
}

fn measured<M: SerializeMap>(map: &mut M, measurement: &Measurement) -> Result<(), M::Error> {
    let Measurement { offset, bound, uncertainty, delay, rate, .. } = measurement;
    let told = |offset: &Option<Offset>| offset.map(Offset::nanoseconds);
    let method = |method: Method| method.to_string();
    map.serialize_entry("offset_ns", &offset.nanoseconds())?;
    map.serialize_entry("bound_ns", &told(bound))?;
    map.serialize_entry("uncertainty_ns", &told(uncertainty))?;
    map.serialize_entry("rate_ppb", &rate.map(|rate| rate.rate.ppb()))?;
    map.serialize_entry("rate_uncertainty_ppb", &rate.map(|rate| rate.uncertainty.ppb()))?;
    map.serialize_entry("delay_ns", &told(delay))?;
    map.serialize_entry("method", &measurement.method.map(method))?;
    if let Some(Comparison { reference_method, rate_limit }) = measurement.comparison {
        map.serialize_entry("reference_method", &method(reference_method))?;
        map.serialize_entry("rate_limit_ppb", &rate_limit.ppb())?;
    }
    map.serialize_entry("curved", &measurement.curved)?;
    map.serialize_entry("stepped", &measurement.stepped)?;
    if !measurement.passed_over.is_empty() {
        let notes: Vec<_> = measurement.passed_over.iter().map(ToString::to_string).collect();
        map.serialize_entry("notes", &notes)?;
    }
    Ok(())
}

fn unmeasured<M: SerializeMap>(map: &mut M, key: &str, cause: &Cause) -> Result<(), M::Error> {
    map.serialize_entry(key, &cause.to_string())?;
    map.serialize_entry("call", &cause.call().map(Call::name))?;
    map.serialize_entry("errno", &cause.errno_name())?;
    map.serialize_entry("errno_number", &cause.raw_os_error())
}

/// A line of a file, before it is known whether its source is that of the line before.
pub(super) struct Line<'a> {
    device: Text<'a>,
    clock_name: Option<Text<'a>>,
    reference: Text<'a>,
    at: Timestamp<Utc>,
    outcome: Outcome,
}

impl Line<'_> {
    /// The reading; `last` is the source of the line before, which most lines share.
    pub(super) fn reading(self, last: &mut Arc<Label>) -> Reading {
        let clock_name = self.clock_name.as_ref().map(|name| &*name.0);
        let is_last = last.device == self.device.0
            && last.reference == self.reference.0
            && last.clock_name.as_deref() == clock_name;
        if !is_last {
            *last = Arc::new(Label {
                device: self.device.0.into_owned(),
                clock_name: self.clock_name.map(|name| name.0.into_owned()),
                reference: self.reference.0.into_owned(),
            });
        }
        Reading { source: Arc::clone(last), at: self.at, outcome: self.outcome }
    }
}

/// Text of a line, which is borrowed unless it has escapes.
#[derive(Default)]
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Any)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Line<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

/// Reads the members of a line, and leaves out those that it doesn't know.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Line<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a reading")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Line<'de>, A::Error> {
        use serde::de::Error;
        let [mut device, mut reference] = [Text::default(), Text::default()];
        let mut clock_name = None;
        let (mut at, mut offset) = (None, None);
        let (mut missed, mut absent) = (None, None);
        let mut found = Measurement::default();
        let mut recorded = Recorded::default();
        let (mut rate, mut uncertainty) = (None, None);
        let (mut reference_method, mut rate_limit) = (None, None);
        while let Some(Text(key)) = map.next_key()? {
            match &*key {
                "device" => device = map.next_value()?,
                "clock_name" => clock_name = map.next_value()?,
                "reference" => reference = map.next_value()?,
                "at" => at = Some(map.next_value::<At>()?.0),
                "offset_ns" => offset = nanoseconds(&mut map)?,
                "bound_ns" => found.bound = positive(&mut map)?,
                "uncertainty_ns" => found.uncertainty = positive(&mut map)?,
                "delay_ns" => found.delay = positive(&mut map)?,
                "rate_ppb" => rate = ppb(&mut map)?,
                "rate_uncertainty_ppb" => uncertainty = ppb(&mut map)?,
                "method" => found.method = method(&mut map)?,
                "reference_method" => reference_method = method(&mut map)?,
                "rate_limit_ppb" => rate_limit = ppb(&mut map)?,
                "curved" => found.curved = flag(&mut map)?,
                "stepped" => found.stepped = flag(&mut map)?,
                "missed" => missed = map.next_value::<Option<String>>()?,
                // Before 0.2 every failure had the key `lost`.
                "absent" | "lost" => absent = map.next_value::<Option<String>>()?.or(absent),
                "call" => {
                    let name: Option<String> = map.next_value()?;
                    recorded.call = name.and_then(|name| Call::named(&name));
                }
                "errno" => {
                    let name: Option<String> = map.next_value()?;
                    recorded.errno = name.and_then(|name| errno_named(&name));
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let at = at.ok_or_else(|| A::Error::missing_field("at"))?;
        let outcome = match (offset, missed, absent) {
            (_, Some(why), _) => Outcome::Missed(Cause::Recorded(Recorded { why, ..recorded })),
            (_, _, Some(why)) => Outcome::Absent(Cause::Recorded(Recorded { why, ..recorded })),
            (Some(offset), None, None) => {
                found.offset = offset;
                let both = rate.zip(uncertainty);
                found.rate = both.map(|(rate, uncertainty)| UncertainRate { rate, uncertainty });
                let both = reference_method.zip(rate_limit);
                found.comparison = both.map(|(reference_method, rate_limit)| Comparison {
                    reference_method,
                    rate_limit,
                });
                Outcome::Measured(found)
            }
            (None, None, None) => return Err(A::Error::missing_field("offset_ns")),
        };
        Ok(Line { device, clock_name, reference, at, outcome })
    }
}

fn nanoseconds<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Offset>, A::Error> {
    Ok(map.next_value::<Option<i64>>()?.map(Offset::from_nanoseconds))
}

/// Reads a value that is never negative.
fn positive<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Offset>, A::Error> {
    match nanoseconds(map)? {
        Some(offset) if offset < Offset::ZERO => {
            Err(serde::de::Error::custom("a bound or a delay is negative"))
        }
        offset => Ok(offset),
    }
}

#[expect(clippy::float_arithmetic, clippy::cast_possible_truncation, reason = "to a millionth")]
fn ppb<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Rate>, A::Error> {
    let rate = map.next_value::<Option<f64>>()?;
    Ok(rate.map(|ppb| Rate::from_micro_ppb((ppb * 1e6).round() as i128)))
}

/// Reads a method; `None` for one that this version doesn't know.
fn method<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Method>, A::Error> {
    let name = map.next_value::<Option<Text<'_>>>()?;
    Ok(name.and_then(|name| Method::ALL.into_iter().find(|known| known.name() == name.0)))
}

fn flag<'de, A: MapAccess<'de>>(map: &mut A) -> Result<bool, A::Error> {
    Ok(map.next_value::<Option<bool>>()?.unwrap_or_default())
}

/// The errno of a name such as `EIO`.
fn errno_named(name: &str) -> Option<Errno> {
    match name {
        "ENOTSUPP" => Some(Errno::EOPNOTSUPP),
        name => (1..=133).map(Errno::from_raw).find(|errno| format!("{errno:?}") == name),
    }
}

/// A time as JSON has it.
struct At(Timestamp<Utc>);

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("seconds", &self.0.seconds())?;
        map.serialize_entry("nanoseconds", &self.0.nanoseconds())?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts;
        impl<'de> Visitor<'de> for Parts {
            type Value = At;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<At, A::Error> {
                use serde::de::Error;
                let (mut seconds, mut nanoseconds) = (None, None);
                while let Some(Text(key)) = map.next_key()? {
                    match &*key {
                        "seconds" => seconds = Some(map.next_value::<i64>()?),
                        "nanoseconds" => nanoseconds = Some(map.next_value::<u32>()?),
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                seconds
                    .zip(nanoseconds)
                    .and_then(|(seconds, part)| Timestamp::new(seconds, part))
                    .map(At)
                    .ok_or_else(|| A::Error::custom("it is no time"))
            }
        }
        deserializer.deserialize_map(Parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(reading: &Reading) -> String {
        let mut line = Vec::new();
        write(&mut line, reading, true).expect("written");
        String::from_utf8(line).expect("text")
    }

    fn read(line: &str) -> Reading {
        let line: Line<'_> = serde_json::from_str(line).expect("a reading");
        line.reading(&mut Arc::default())
    }

    fn reading(outcome: Outcome) -> Reading {
        let label = Label {
            device: "/dev/ptp0".into(),
            clock_name: Some("ptp".into()),
            reference: "/dev/ptp1".into(),
        };
        let at = Timestamp::new(1_700_000_000, 5).expect("in range");
        Reading { source: Arc::new(label), at, outcome }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let offset = |nanoseconds| Some(Offset::from_nanoseconds(nanoseconds));
        let rate = |micro_ppb| Rate::from_micro_ppb(micro_ppb);
        let all = Measurement {
            offset: Offset::from_nanoseconds(-7),
            bound: offset(600),
            uncertainty: offset(3),
            delay: offset(1_200),
            rate: Some(UncertainRate { rate: rate(-31_204_567), uncertainty: rate(42) }),
            curved: true,
            method: Some(Method::Extended),
            stepped: true,
            passed_over: Vec::new(),
            comparison: Some(Comparison {
                reference_method: Method::Basic,
                rate_limit: Rate::from_ppb(1_000_000),
            }),
        };
        for measurement in [Measurement::default(), all] {
            let line = written(&reading(Outcome::Measured(measurement.clone())));
            assert!(line.starts_with("{\"schema\":2,\"device\":"), "{line}");
            assert_eq!(read(&line).outcome.measured(), Some(&measurement), "{line}");
        }
        let why = Recorded {
            why: "can't read".into(),
            call: Some(Call::SysOffsetExtended),
            errno: Some(Errno::ETIMEDOUT),
        };
        let line = written(&reading(Outcome::Missed(Cause::Recorded(why.clone()))));
        assert!(line.contains("\"missed\":") && line.contains("\"errno\":\"ETIMEDOUT\""), "{line}");
        assert_eq!(read(&line).outcome.cause(), Some(&Cause::Recorded(why)));
    }

    #[test]
    fn recordings_of_the_first_version_are_read() {
        let at = "\"at\":{\"seconds\":1,\"nanoseconds\":5}";
        let head =
            format!("{{\"device\":\"mock\",\"clock_name\":null,\"reference\":\"realtime\",{at},");
        let old = read(&format!(
            "{head}\"offset_ns\":7,\"bound_ns\":600,\"delay_ns\":1200,\"method\":\"extended\",\
             \"stepped\":true}}"
        ));
        let measured = old.outcome.measured().expect("an offset");
        assert_eq!((measured.offset.nanoseconds(), measured.stepped), (7, true));
        assert_eq!((measured.uncertainty, measured.rate), (None, None));
        let lost = read(&format!("{head}\"lost\":\"it isn't there\"}}"));
        assert!(matches!(lost.outcome, Outcome::Absent(_)));
    }
}
