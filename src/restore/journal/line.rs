//! A change as a line of a journal.

use super::Change;
use crate::phc::{Pin, PinFunction};
use crate::{Frequency, Offset};

/// The change as a line of a journal: a word, then fields after tabs. `None` if a journal could not
/// tell later whether the change is still there.
pub(super) fn line(change: &Change) -> Option<String> {
    Some(match change {
        Change::Time { was } => format!("time\t{}", (*was)?.nanoseconds()),
        Change::Frequency { was, asked } => {
            let all = std::iter::once(was).chain(asked);
            let all: Vec<_> = all.map(|one| one.scaled_ppm().to_string()).collect();
            format!("frequency\t{}", all.join("\t"))
        }
        Change::Phase => "phase".into(),
        Change::Pin { was, asked } => {
            let way = |pin: &Pin| format!("{} {}", pin.function.to_kernel(), pin.channel);
            let ways: Vec<_> = std::iter::once(was).chain(asked).map(way).collect();
            // The driver chooses the name. Characters that would end the field or the line are left
            // out.
            let name = was.name.replace(char::is_control, "");
            format!("pin\t{}\t{name}\t{}", was.index, ways.join("\t"))
        }
        Change::Extts(channel) => format!("extts\t{channel}"),
        Change::Perout(channel) => format!("perout\t{channel}"),
    })
}

/// Reads what [`line`] writes.
pub(super) fn read(line: &str) -> Option<Change> {
    let mut fields = line.split('\t');
    let word = fields.next()?;
    let change = match word {
        "time" => Change::Time { was: Some(Offset::from_nanoseconds(number(fields.next())?)) },
        "frequency" => {
            let mut all = fields.by_ref().map(|field| number(Some(field)));
            let was = Frequency::from_scaled_ppm(all.next()??);
            let asked =
                all.map(|one| one.map(Frequency::from_scaled_ppm)).collect::<Option<_>>()?;
            Change::Frequency { was, asked }
        }
        "phase" => Change::Phase,
        "pin" => {
            let index = number(fields.next())?;
            let name = fields.next()?.to_owned();
            let mut all = fields.by_ref().map(|field| {
                let (function, channel) = field.split_once(' ')?;
                let function = PinFunction::from_kernel(number(Some(function))?);
                let channel = number(Some(channel))?;
                Some(Pin { index, name: name.clone(), function, channel })
            });
            let was = all.next()??;
            Change::Pin { was, asked: all.collect::<Option<_>>()? }
        }
        "extts" => Change::Extts(number(fields.next())?),
        "perout" => Change::Perout(number(fields.next())?),
        _ => return None,
    };
    fields.next().is_none().then_some(change)
}

fn number<T: std::str::FromStr>(field: Option<&str>) -> Option<T> {
    field?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::Part;
    use super::*;

    fn pin(function: PinFunction, channel: u32) -> Pin {
        Pin { index: 3, name: "SDP3".into(), function, channel }
    }

    #[test]
    fn every_change_is_read_again_as_it_was_written() {
        let other = PinFunction::Other(9);
        for change in [
            Change::Time { was: Some(Offset::from_nanoseconds(-37)) },
            Change::Frequency {
                was: Frequency::from_scaled_ppm(-5),
                asked: vec![Frequency::from_scaled_ppm(7), Frequency::ZERO],
            },
            Change::Frequency { was: Frequency::ZERO, asked: Vec::new() },
            Change::Phase,
            Change::Pin {
                was: pin(PinFunction::Perout, 2),
                asked: vec![pin(PinFunction::Extts, 1), pin(other, 0)],
            },
            Change::Extts(0),
            Change::Perout(u32::MAX),
        ] {
            let line = line(&change).expect("a line");
            assert_eq!(read(&line), Some(change), "{line}");
        }
        assert_eq!(line(&Change::Time { was: None }), None, "it can't be checked later");
    }

    #[test]
    fn a_line_that_is_not_whole_is_no_change() {
        for line in [
            "",
            "time",
            "time\t",
            "time\tx",
            "extts",
            "extts\t-1",
            "extts\t0\t0",
            "phase\t1",
            "frequency",
            "frequency\t1\tx",
            "pin\t1",
            "pin\t1\tSDP1",
            "pin\t1\tSDP1\t0",
            "pin\tx\tSDP1\t0 0",
            "extts 0\t\tmay be on\textts --off",
        ] {
            assert_eq!(read(line), None, "{line:?}");
        }
    }

    #[test]
    fn a_name_that_would_end_its_line_does_not() {
        let was = Pin { name: "a\tb\nc".into(), ..pin(PinFunction::None, 0) };
        let line = line(&Change::pin(&was, PinFunction::Extts, 1)).expect("a line");
        let read = read(&line).expect("a change");
        assert_eq!(read.part(), Part::Pin(3));
        assert!(!line.contains('\n'), "{line:?}");
    }
}
