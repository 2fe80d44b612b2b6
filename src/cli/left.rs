//! What was left on a clock, in words.

use crate::Offset;
use crate::phc::{Pin, PinFunction};
use crate::restore::{Change, Left};

/// A word as it is typed in a shell: quoted if it has characters that the shell interprets.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:=,+@%-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// What is left on a clock, with the command that puts it right.
pub(super) fn told(left: &Left, device: &str) -> String {
    let device = quoted(device);
    let (what, how) = match &left.change {
        Change::Time { .. } => {
            let off = left.off.unwrap_or(Offset::ZERO);
            let back = Offset::from_nanoseconds(off.nanoseconds().saturating_neg());
            let what = if left.off.is_some() {
                format!(
                    "the time is off by {off:+}, judged by its offset from the system clock before"
                )
            } else {
                "the time may be off".into()
            };
            (what, format!("adjtime {}", back.to_string().replace(' ', "")))
        }
        Change::Frequency { was, .. } => {
            (format!("the frequency was {was:+}"), format!("adjfreq {}ppb", was.ppb_text()))
        }
        Change::Phase => ("a phase correction may be in progress".into(), "adjphase 0ns".into()),
        Change::Pin { was: Pin { index, name, function, channel }, .. } => match function {
            PinFunction::None => {
                (format!("pin {index} ({name}) had no function"), format!("pin {index} none"))
            }
            function => (
                format!("pin {index} ({name}) had {function} channel {channel}"),
                format!("pin {index} {function} --channel {channel}"),
            ),
        },
        Change::Extts(channel) => (
            format!("external timestamps of channel {channel} may be on"),
            format!("extts --off --channel {channel}"),
        ),
        Change::Perout(channel) => (
            format!("the periodic output of channel {channel} may be on"),
            format!("perout --off --channel {channel}"),
        ),
    };
    let by = left.user.map_or(String::new(), |user| format!(" by user {user}"));
    format!("not put back{by}: {what}; to put it right: ptpctl {how} {device}")
}
