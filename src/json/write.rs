//! Writes JSON on one line.

use crate::printable::is_obeyed;
use serde::ser::Serialize;
use serde_json::ser::Formatter;
use std::io::{self, Write};

/// Writes a value on one line.
pub(crate) fn write_line(to: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *to, Plain);
    // An error of `to` comes back unchanged.
    value.serialize(&mut serializer).map_err(io::Error::from)?;
    writeln!(to)
}

/// JSON on one line. Characters that a terminal would obey are escaped.
struct Plain;

impl Formatter for Plain {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        to: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(is_obeyed) {
            let (before, from) = rest.split_at(at);
            to.write_all(before.as_bytes())?;
            let mut characters = from.chars();
            let mut units = [0; 2];
            for unit in characters.next().unwrap_or_default().encode_utf16(&mut units) {
                write!(to, "\\u{unit:04x}")?;
            }
            rest = characters.as_str();
        }
        to.write_all(rest.as_bytes())
    }
}
