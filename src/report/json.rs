//! Reports as JSON: one object, or one object a line for a stream.

use super::{Report, Value};
use crate::json::SCHEMA;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::io::{self, Write};

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            // Every serializer supports numbers of 64 bits: those are written that way.
            Self::Int(value) => match i64::try_from(*value) {
                Ok(value) => serializer.serialize_i64(value),
                Err(_) => serializer.serialize_i128(*value),
            },
            // Fifteen digits at most, which a double keeps and prints again.
            Self::Decimal(value) => match value.parse::<f64>() {
                Ok(value) => serializer.serialize_f64(value),
                Err(_) => serializer.serialize_unit(),
            },
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(values) => serializer.collect_seq(values),
            Self::Object(members) => Object(members).serialize(serializer),
        }
    }
}

/// Members in their order.
struct Object<'a>(&'a [(&'static str, Value)]);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

pub(super) fn write(to: &mut impl Write, report: &Report) -> io::Result<()> {
    let mut members = vec![("schema", SCHEMA.into())];
    if let Some(name) = &report.device {
        members.push(("device", name.device.as_str().into()));
        members.push(("clock_name", name.clock_name.clone().into()));
    }
    for row in &report.rows {
        members.extend(row.values.iter().cloned());
    }
    for table in &report.tables {
        let lines = table.lines.iter().map(|cells| {
            let members = table.columns.iter().zip(cells);
            Value::Object(members.map(|((key, _), (_, value))| (*key, value.clone())).collect())
        });
        members.push((table.key, Value::List(lines.collect())));
    }
    members.push(("notes", report.notes.clone().into()));
    write_object(to, &members)
}

/// Writes one object on one line.
pub(crate) fn write_object(
    to: &mut impl Write,
    object: &[(&'static str, Value)],
) -> io::Result<()> {
    crate::json::write_line(to, &Object(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_keeps_the_order_of_its_members() {
        let mut line = Vec::new();
        let object = [
            ("b", Value::from(1_i64)),
            ("a", vec!["x", "\u{1}\""].into()),
            ("c", None::<bool>.into()),
            ("e", Value::Decimal("-12.496948".into())),
            ("d", Value::Int(i128::from(i64::MAX) + 1)),
        ];
        write_object(&mut line, &object).expect("written");
        let expected = concat!(
            r#"{"b":1,"a":["x","\u0001\""],"c":null,"e":-12.496948,"d":9223372036854775808}"#,
            "\n"
        );
        assert_eq!(String::from_utf8_lossy(&line), expected);
    }

    #[test]
    fn a_text_is_escaped_where_a_terminal_would_obey_it_and_read_as_it_was() {
        let text = "a\u{9b}2J\u{7f}\u{202e}\u{e0041}\u{1b}é";
        let mut line = Vec::new();
        write_object(&mut line, &[("name", text.into())]).expect("written");
        let line = String::from_utf8(line).expect("text");
        let expected = "{\"name\":\"a\\u009b2J\\u007f\\u202e\\udb40\\udc41\\u001bé\"}\n";
        assert_eq!(line, expected);
        let read: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(read["name"], text);
    }
}
