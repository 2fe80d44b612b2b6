//! `phc_ctl` of linuxptp, as far as the kernel's own test `phc.sh` calls it: get, set, adj, freq
//! and wait. For its other commands, ptpctl's line is told.

use super::calendar::ctime;
use super::{Calls, WRONG, shown, tell_in_words, wrong_usage};
use crate::cli::failure::{Failure, Known};
use crate::cli::{Context, habits};
use crate::decimal::Decimal;
use crate::phc::Phc;
use crate::report::Report;
use crate::restore::Writer;
use crate::{Frequency, Offset, TaiOffset, Timestamp, Unknown};
use std::time::Duration;

/// One command, with what is told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Get,
    /// From the system clock if no time is told.
    Set(Option<Timestamp<Unknown>>),
    Adj(Offset),
    /// Shows the frequency if none is told.
    Freq(Option<i32>),
    Wait(Duration),
}

pub(super) fn run(context: &mut Context<'_>, words: &[String]) -> Result<Report, Failure> {
    let (device, commands) = match read(words) {
        Ok(read) => read,
        Err(why) => return Err(wrong_usage(context, &why)),
    };
    let calls = Calls::on(context, device);
    let changes = |command: &Command| !matches!(command, Command::Get | Command::Freq(None));
    let phc = match calls.open(commands.iter().any(changes)) {
        Ok(phc) => phc,
        Err(failure) => {
            failure.tell(calls.context.printer, &Known::default());
            return Err(Failure::Status(WRONG));
        }
    };
    for command in commands {
        let text = make(&phc, command).inspect_err(|failure| {
            // phc.sh looks for these words.
            tell_in_words(calls.context, "phc_ctl", failure);
        })?;
        let uptime = phc.monotonic()?;
        let (seconds, milliseconds) = (uptime.as_secs(), uptime.subsec_millis());
        let line = format!("phc_ctl[{seconds}.{milliseconds:03}]: {text}\n");
        calls.context.printer.bytes(line.as_bytes())?;
    }
    calls.end()
}

/// Runs one command, and tells it in `phc_ctl`'s words.
fn make(phc: &Writer, command: Command) -> Result<String, Failure> {
    let both = |time: Timestamp<Unknown>| {
        format!("{} or {}", shown(time.seconds(), time.nanoseconds()), ctime(time.seconds()))
    };
    Ok(match command {
        Command::Get => format!("clock time is {}", both(phc.patiently(Phc::time)?)),
        Command::Set(time) => {
            let time = if let Some(time) = time {
                phc.set_time(time)?;
                time
            } else {
                let now = phc.system_time()?.assume();
                phc.set_system_time(now, TaiOffset(0))?;
                now
            };
            format!("set clock time to {}", both(time))
        }
        Command::Adj(offset) => {
            phc.step(offset)?;
            let sign = if offset < Offset::ZERO { "-" } else { "" };
            let microseconds = (offset.nanoseconds().unsigned_abs() + 500) / 1_000;
            let (seconds, rest) = (microseconds / 1_000_000, microseconds % 1_000_000);
            format!("adjusted clock by {sign}{seconds}.{rest:06} seconds")
        }
        Command::Freq(Some(ppb)) => {
            phc.set_frequency(Frequency::from_ppb(ppb))?;
            format!("adjusted clock frequency offset to {ppb}.000000ppb")
        }
        Command::Freq(None) => {
            let micro_ppb = phc.frequency()?.micro_ppb();
            let (sign, size) = (if micro_ppb < 0 { "-" } else { "" }, micro_ppb.unsigned_abs());
            let (whole, rest) = (size / 1_000_000, size % 1_000_000);
            format!("clock frequency offset is {sign}{whole}.{rest:06}ppb")
        }
        Command::Wait(duration) => {
            let until = phc.monotonic()?.saturating_add(duration);
            phc.sleep_until(until)?;
            format!(
                "process slept for {}.{:06} seconds\n",
                duration.as_secs(),
                duration.subsec_micros()
            )
        }
    })
}

/// Reads a clock and its commands. All are read before the first one is run.
pub(super) fn read(words: &[String]) -> Result<(&str, Vec<Command>), String> {
    // phc_ctl's own help has it behind the clock, so that negative numbers aren't taken for options.
    let words: Vec<&String> = words.iter().filter(|word| *word != "--").collect();
    let Some((device, mut words)) = words.split_first().map(|(device, words)| (*device, words))
    else {
        return Err("name a clock, and what to do with it: phc_ctl /dev/ptp0 get".into());
    };
    if device.starts_with('-') {
        return Err(format!("phc_ctl's option {device} isn't known here: see ptpctl --help"));
    }
    let mut commands = Vec::new();
    while let Some((word, rest)) = words.split_first() {
        let value = rest.first().filter(|next| is_number(next)).map(|next| next.as_str());
        let command = match (word.as_str(), value) {
            ("get", _) => Command::Get,
            ("set", None) => Command::Set(None),
            ("set", Some(text)) => Command::Set(Some(time(text)?)),
            ("adj", Some(text)) => {
                Command::Adj(Offset::from_nanoseconds(scaled(text, 1_000_000_000)?))
            }
            ("freq", None) => Command::Freq(None),
            ("freq", Some(text)) => Command::Freq(Some(ppb(text)?)),
            ("wait", Some(text)) => Command::Wait(duration(text)?),
            _ => return Err(instead(device, word, rest)),
        };
        let takes_value = !matches!(command, Command::Get) && value.is_some();
        words = rest.get(usize::from(takes_value)..).unwrap_or_default();
        commands.push(command);
    }
    if commands.is_empty() {
        Err("say what to do: phc_ctl /dev/ptp0 get".into())
    } else {
        Ok((device, commands))
    }
}

/// What to type instead of a command that isn't known here.
fn instead(device: &str, word: &str, rest: &[&String]) -> String {
    if ["adj", "phase", "wait"].contains(&word) && !rest.first().is_some_and(|next| is_number(next))
    {
        return format!("phc_ctl's '{word}' lacks its number");
    }
    let line: Vec<String> = [device, word]
        .into_iter()
        .chain(rest.iter().map(|word| word.as_str()))
        .map(str::to_owned)
        .collect();
    match habits::line(&line) {
        Some(line) => format!("phc_ctl's '{word}' is here:\n  ptpctl {line}"),
        None => {
            format!("phc_ctl's '{word}' isn't known here, or lacks its number: see ptpctl --help")
        }
    }
}

fn is_number(word: &str) -> bool {
    word.strip_prefix(['-', '+'])
        .unwrap_or(word)
        .starts_with(|c: char| c.is_ascii_digit() || c == '.')
}

/// A decimal number in units of `1 / scale`.
fn scaled(text: &str, scale: u32) -> Result<i64, String> {
    let wrong = || format!("{text}: it is no number, has too many decimals, or is too large");
    let (number, rest) = Decimal::split(text).map_err(|_| wrong())?;
    let scaled = number.scaled_exactly(scale.into()).filter(|_| rest.is_empty());
    scaled.and_then(|number| i64::try_from(number).ok()).ok_or_else(wrong)
}

fn time(text: &str) -> Result<Timestamp<Unknown>, String> {
    let nanoseconds = scaled(text, 1_000_000_000)?;
    Timestamp::from_total_nanoseconds(nanoseconds.into())
        .ok_or_else(|| format!("{text}: it is too large"))
}

fn ppb(text: &str) -> Result<i32, String> {
    i32::try_from(scaled(text, 1)?)
        .map_err(|_| format!("{text}: no clock has so large a frequency"))
}

fn duration(text: &str) -> Result<Duration, String> {
    u64::try_from(scaled(text, 1_000_000_000)?)
        .map(Duration::from_nanos)
        .map_err(|_| format!("{text}: a wait can't be negative"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(line: &str) -> Result<Vec<Command>, String> {
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        read(&words).map(|(_, commands)| commands)
    }

    #[test]
    fn the_lines_of_phc_sh_are_read() {
        let at = |seconds| Command::Set(Timestamp::new(seconds, 0));
        let wait = |milliseconds| Command::Wait(Duration::from_millis(milliseconds));
        for (line, read) in [
            ("x get", vec![Command::Get]),
            ("x set 0 wait 120.5 get", vec![at(0), wait(120_500), Command::Get]),
            (
                "x set 0 adj 10 get",
                vec![at(0), Command::Adj(Offset::from_nanoseconds(10_000_000_000)), Command::Get],
            ),
            (
                "x freq 10000000 set 0 wait 100.5 get",
                vec![Command::Freq(Some(10_000_000)), at(0), wait(100_500), Command::Get],
            ),
            ("x freq 0.0", vec![Command::Freq(Some(0))]),
            ("x set", vec![Command::Set(None)]),
            ("x freq set", vec![Command::Freq(None), Command::Set(None)]),
            ("x -- get", vec![Command::Get]),
            ("x -- adj -1.5", vec![Command::Adj(Offset::from_nanoseconds(-1_500_000_000))]),
        ] {
            assert_eq!(commands(line), Ok(read), "{line}");
        }
    }

    #[test]
    fn what_is_not_known_here_has_ptpctls_line() {
        for (line, instead) in [
            ("eth0 caps", "ptpctl caps eth0"),
            ("eth0 phase 0.0000005", "ptpctl adjphase 0.0000005s eth0"),
            ("eth0 cmp", "ptpctl cmp eth0"),
            ("eth0 adj get", "'adj' lacks its number"),
        ] {
            let told = commands(line).expect_err(line);
            assert!(told.contains(instead), "{told}");
        }
        for line in ["x", "x getfoo", "x set 5x", "x adj", "x wait -1", "-q x get", "x freq 0.5"] {
            assert!(commands(line).is_err(), "{line}");
        }
    }
}
