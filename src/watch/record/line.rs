//! A line of a file: a JSON object, as `monitor --json` prints it.

use crate::phc::Method;
use crate::watch::{Label, Measurement};
use crate::{Offset, Timestamp, Unknown};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::fmt;

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) label: Label,
    /// In nanoseconds of UTC.
    pub(crate) at: i128,
    /// A measurement, or why there is none.
    pub(crate) outcome: Result<Measurement, String>,
}

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

/// Reads the members of a line; those that it doesn't know, it leaves out.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Line;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a measurement")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Line, A::Error> {
        use serde::de::Error;
        let mut label = Label::default();
        let (mut at, mut offset, mut lost) = (None, None, None);
        let (mut bound, mut delay, mut method) = (None, None, None);
        let mut stepped = false;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "device" => label.device = map.next_value()?,
                "clock_name" => label.clock_name = map.next_value()?,
                "reference" => label.reference = map.next_value()?,
                "at" => at = Some(map.next_value::<At>()?.0),
                "offset_ns" => offset = map.next_value::<Option<i64>>()?,
                "bound_ns" => bound = map.next_value::<Option<i64>>()?,
                "delay_ns" => delay = map.next_value::<Option<i64>>()?,
                "method" => method = map.next_value::<Option<String>>()?,
                "stepped" => stepped = map.next_value::<Option<bool>>()?.unwrap_or_default(),
                "lost" => lost = map.next_value::<Option<String>>()?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let at = at.ok_or_else(|| A::Error::missing_field("at"))?;
        let outcome = match (offset, lost) {
            (_, Some(why)) => Err(why),
            (Some(offset), None) => {
                // A method that this version doesn't know is none.
                let method = method.and_then(|name| {
                    Method::ALL.into_iter().find(|known| known.to_string() == name)
                });
                if bound.is_some_and(|bound| bound < 0) || delay.is_some_and(|delay| delay < 0) {
                    return Err(A::Error::custom("a bound or a delay is negative"));
                }
                let nanoseconds = |value: Option<i64>| value.map(Offset::from_nanoseconds);
                Ok(Measurement {
                    at,
                    offset: Offset::from_nanoseconds(offset),
                    bound: nanoseconds(bound),
                    delay: nanoseconds(delay),
                    method,
                    stepped,
                    failed: None,
                })
            }
            (None, None) => return Err(A::Error::missing_field("offset_ns")),
        };
        Ok(Line { label, at, outcome })
    }
}

/// A time as JSON has it, in nanoseconds.
struct At(i128);

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
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "seconds" => seconds = Some(map.next_value::<i64>()?),
                        "nanoseconds" => nanoseconds = Some(map.next_value::<u32>()?),
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                seconds
                    .zip(nanoseconds)
                    .and_then(|(seconds, part)| Timestamp::<Unknown>::new(seconds, part))
                    .map(|time| At(time.total_nanoseconds()))
                    .ok_or_else(|| A::Error::custom("it is no time"))
            }
        }
        deserializer.deserialize_map(Parts)
    }
}
