//! What users of testptp, `phc_ctl` and other tools type, and the line to type instead.

use super::commands::COMMANDS;
use super::left::quoted;
use crate::{Timestamp, Utc, rfc3339};
use std::time::SystemTime;

/// The line to type instead of one that couldn't be read, where it is known; without "ptpctl".
pub(super) fn line(words: &[String]) -> Option<String> {
    of_testptp(words)
        .or_else(|| clock_first(words))
        .or_else(|| of_times(words))
        .or_else(|| pair(words))
        .map(|words| words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "))
}

fn is_command(word: &str) -> bool {
    COMMANDS.iter().any(|command| command.name == word || command.aliases.contains(&word))
}

/// Whether it is a number without a unit, as testptp and `phc_ctl` take it.
fn is_bare_number(word: &str) -> bool {
    let digits = word.trim_start_matches(['-', '+']);
    !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
}

fn own(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// `/dev/ptp0 caps`, as `phc_ctl` takes it: here the command comes first. The numbers of `phc_ctl`
/// are seconds and ppb.
fn clock_first(words: &[String]) -> Option<Vec<String>> {
    let [clock, command, rest @ ..] = words else { return None };
    // `mock` is a command, too, but of one word only.
    let is_clock = !is_command(clock) || clock == "mock" && command != "run";
    if clock.starts_with('-') || !is_clock || !is_command(command) {
        return None;
    }
    let with_unit = |name: &str, number: &str, unit: &str| own(&[name, &format!("{number}{unit}")]);
    let mut line = match (command.as_str(), rest) {
        ("adj" | "adjtime", [number]) if is_bare_number(number) => {
            with_unit("adjtime", number, "s")
        }
        ("freq" | "adjfreq", [number]) if is_bare_number(number) => {
            with_unit("adjfreq", number, "ppb")
        }
        ("phase" | "adjphase", [number]) if is_bare_number(number) => {
            with_unit("adjphase", number, "s")
        }
        ("set", []) => own(&["set", "now"]),
        ("set", [number]) if is_bare_number(number) => own(&["set", &format!("@{number}")]),
        _ => std::iter::once(command).chain(rest).cloned().collect(),
    };
    line.push(clock.clone());
    Some(line)
}

/// The flags of a line of testptp, with their values.
fn flags(words: &[String]) -> Option<Vec<(&str, Option<String>)>> {
    let mut flags = Vec::new();
    let mut rest = words.iter().peekable();
    while let Some(word) = rest.next() {
        let flag = word.strip_prefix('-').filter(|flag| flag.len() == 1)?;
        let value = rest.next_if(|next| !next.starts_with('-') || is_bare_number(next)).cloned();
        flags.push((flag, value));
    }
    Some(flags)
}

/// testptp's flags, of which each is a command here.
fn of_testptp(words: &[String]) -> Option<Vec<String>> {
    let flags = flags(words)?;
    let value = |wanted: &str| {
        let found = flags.iter().find(|(flag, _)| *flag == wanted);
        found.map(|(_, value)| value.clone().unwrap_or_default())
    };
    let with = |before: &str, value: String, unit: &str| {
        let mut line: Vec<String> = before.split(' ').map(str::to_owned).collect();
        line.push(format!("{value}{unit}"));
        line
    };
    let simple =
        [("c", "caps"), ("g", "get"), ("l", "pins"), ("s", "set now"), ("S", "set-system")];
    let simple = simple.into_iter().find(|(flag, _)| value(flag).is_some());
    let mut line = if let Some((_, line)) = simple {
        line.split(' ').map(str::to_owned).collect()
    } else if let Some(seconds) = value("T") {
        own(&["set", &format!("@{seconds}")])
    } else if let Some(seconds) = value("t") {
        own(&["adjtime", &format!("{seconds}s")])
    } else if let Some(ppb) = value("f") {
        with("adjfreq", ppb, "ppb")
    } else if let Some(phase) = value("o") {
        with("adjphase", phase, "ns")
    } else if let Some(number) = value("e") {
        with("extts --count", number, "")
    } else if let Some(period) = value("p") {
        with("perout --period", period, "ns")
    } else if let Some(on) = value("P") {
        own(&["pps", if on == "0" { "off" } else { "on" }])
    } else if let Some(number) = value("k") {
        with("offset --samples", number, "")
    } else if let Some(number) = value("x") {
        with("offset --method extended --samples", number, "")
    } else if value("X").is_some() {
        own(&["offset", "--method", "precise"])
    } else if let Some(number) = value("n") {
        with("vclocks", number, "")
    } else {
        let pin = value("L")?;
        let (pin, function) = pin.split_once(',')?;
        let function =
            ["none", "extts", "perout", "physync"].get(function.parse::<usize>().ok()?)?;
        own(&["pin", pin, function])
    };
    if let Some(channel) = value("i") {
        line.extend(own(&["--channel", &channel]));
    }
    if let Some(clock) = value("d") {
        // A lone word after vclocks would be its clock.
        line.extend(if line.first().is_some_and(|name| name == "vclocks") {
            own(&["--device", &clock])
        } else {
            vec![clock]
        });
    }
    Some(line)
}

/// `set now+5s`, `set yesterday`, `perout --start 5s`.
fn of_times(words: &[String]) -> Option<Vec<String>> {
    let replaced = |at: usize, by: String| {
        let mut line = words.to_vec();
        *line.get_mut(at)? = by;
        Some(line)
    };
    if words.first()? == "set" {
        let time = words.get(1)?;
        if let Some(later) = time.strip_prefix("now") {
            let later = later.strip_prefix('+').unwrap_or(later);
            let mut line = own(&["adjtime", later]);
            line.extend(words.get(2..)?.iter().cloned());
            return Some(line).filter(|_| !later.is_empty());
        }
        if words.len() == 2 && (time.contains("mock") || time.contains('/')) {
            return Some(own(&["set", "now", time]));
        }
        // The clock came first.
        if let [_, clock, time] = words
            && (time == "now" || time.starts_with('@'))
        {
            return Some(own(&["set", time, clock]));
        }
        let day = ["yesterday", "today", "tomorrow"].iter().position(|day| day == time);
        let by = match day {
            Some(day) => days_from_now(i64::try_from(day).ok()? - 1)?,
            None => "now".into(),
        };
        let is_word = time.chars().all(char::is_alphabetic);
        return is_word.then(|| replaced(1, by)).flatten();
    }
    let start = words.iter().position(|word| word == "--start")?;
    let delay = words.get(start + 1)?;
    if !delay.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut line = replaced(start + 1, format!("+{delay}"))?;
    if !words.iter().any(|word| word == "--period" || word == "--frequency") {
        line.splice(1..1, own(&["--period", "1s"]));
    }
    Some(line)
}

/// The time of day now, so many days later: a word such as "yesterday" means that or less.
fn days_from_now(days: i64) -> Option<String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    let seconds = i64::try_from(now).ok()? + days * 86_400;
    Some(rfc3339::format(Timestamp::<Utc>::new(seconds, 0)?)?.replace(".000000000", ""))
}

/// `diff FIRST:SECOND`, as monitor takes it.
fn pair(words: &[String]) -> Option<Vec<String>> {
    let [command, pair] = words else { return None };
    let (first, second) = super::watching::pair(pair).filter(|_| command == "diff")?;
    Some(own(&["diff", first, second]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_habit_has_the_line_to_type() {
        for (typed, meant) in [
            ("/dev/ptp0 caps", "caps /dev/ptp0"),
            ("eth0 get", "get eth0"),
            ("/dev/ptp0 adj 5.0000005", "adjtime 5.0000005s /dev/ptp0"),
            ("/dev/ptp0 freq 1000", "adjfreq 1000ppb /dev/ptp0"),
            ("/dev/ptp0 freq", "freq /dev/ptp0"),
            ("/dev/ptp0 phase 0.0000005", "adjphase 0.0000005s /dev/ptp0"),
            ("/dev/ptp0 set 1700000000", "set @1700000000 /dev/ptp0"),
            ("/dev/ptp0 set", "set now /dev/ptp0"),
            ("-d mock -g", "get mock"),
            ("-d /dev/ptp1 -c", "caps /dev/ptp1"),
            ("-T 1700000000", "set @1700000000"),
            ("-t -5", "adjtime -5s"),
            ("-f -1000 -d mock", "adjfreq -1000ppb mock"),
            ("-L 1,2 -i 0 -d mock", "pin 1 perout --channel 0 mock"),
            ("-e 10 -i 1", "extts --count 10 --channel 1"),
            ("-p 1000000000 -d mock", "perout --period 1000000000ns mock"),
            ("-n 2 -d mock", "vclocks 2 --device mock"),
            ("-P 0", "pps off"),
            ("set noon", "set now"),
            ("set mock now", "set now mock"),
            ("set eth0 @5", "set @5 eth0"),
            ("set mock:igb", "set now mock:igb"),
            ("set /dev/ptp1", "set now /dev/ptp1"),
            ("set now+5s mock", "adjtime 5s mock"),
            ("set now-5s", "adjtime -5s"),
            ("perout --start 5s", "perout --period 1s --start +5s"),
            ("perout --period 1s --start 5s mock", "perout --period 1s --start +5s mock"),
            ("diff mock:mock:igb", "diff mock mock:igb"),
            ("diff eth0:eth1", "diff eth0 eth1"),
        ] {
            let words: Vec<_> = typed.split(' ').map(str::to_owned).collect();
            assert_eq!(line(&words).as_deref(), Some(meant), "{typed}");
        }
    }

    #[test]
    fn what_is_no_habit_has_no_line() {
        for typed in [
            "",
            "get",
            "foo",
            "get mock",
            "set now",
            "set @5",
            "caps mock",
            "--json",
            "-z",
            "a b c",
        ] {
            let words: Vec<_> = typed.split(' ').map(str::to_owned).collect();
            assert_eq!(line(&words), None, "{typed}");
        }
    }
}
