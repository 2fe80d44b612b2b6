//! Other programs' files: stability --from.

use crate::common::{TemporaryFile, ptpctl};
use serde_json::Value;

fn file(name: &str, text: &str) -> TemporaryFile {
    let file = TemporaryFile::new(name);
    std::fs::write(&file.0, text).expect("written");
    file
}

/// Joins lines.
fn text(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().concat()
}

/// The result of stability for a file, with further arguments, and its notes.
fn of(file: &TemporaryFile, more: &str) -> (Value, String) {
    let run = ptpctl(&format!("stability --json --from {}{more}", file.0.display()));
    assert_eq!(run.status, Some(0), "{run:?}");
    (run.json(), run.stderr)
}

fn phc2sys(seconds: std::ops::Range<i64>, offset: impl Fn(i64) -> i64) -> String {
    let line = |second: i64| {
        let offset = offset(second);
        format!(
            "phc2sys[{second}.250]: CLOCK_REALTIME phc offset {offset:9} s2 freq -6181 delay 1948\n"
        )
    };
    text(seconds.map(line))
}

#[test]
fn a_log_of_phc2sys_is_turned_to_the_clock_less_the_system_clock() {
    // The system clock gains 20 ns a second.
    let log = file("phc2sys-log", &phc2sys(3_500..3_600, |second| (second - 3_500) * 20));
    let (found, notes) = of(&log, "");
    assert_eq!((&found["device"], &found["reference"]), (&"phc".into(), &"realtime".into()));
    assert_eq!((&found["offsets"], &found["interval_ns"]), (&100.into(), &1_000_000_000.into()));
    let rate = found["rate_ppb"].as_f64().expect("a number");
    assert!((-20.001..-19.999).contains(&rate), "{rate}");
    assert!(
        notes.contains("its offsets are realtime - phc; they are turned to phc - realtime"),
        "{notes}"
    );
}

#[test]
fn several_clocks_in_one_log_are_told_apart() {
    let both =
        phc2sys(10..40, |_| 5) + &phc2sys(10..40, |_| 7).replace("CLOCK_REALTIME phc", "eth0 sys");
    let log = file("two-clocks", &both);
    let path = log.0.display().to_string();
    ptpctl(&format!("stability --from {path}")).failed(2, "phc:realtime, eth0:realtime; name one");
    let (found, notes) = of(&log, " eth0");
    assert_eq!((&found["device"], &found["offsets"]), (&"eth0".into(), &30.into()));
    assert!(!notes.contains("turned"), "{notes}");
    ptpctl(&format!("stability --from {path} eth7")).failed(1, "has no measurement of eth7");
}

#[test]
fn summaries_are_no_offsets() {
    let line = |second| {
        format!(
            "ptp4l[{second}.8]: rms    6 max    {second} freq  -5042 +/-   5 delay  1221 +/-   0\n"
        )
    };
    let summaries = text((11..20).map(line));
    let log = file("summaries", &summaries);
    let told = "has 9 summaries, the largest offset 19 ns, and no offsets";
    ptpctl(&format!("stability --from {}", log.0.display())).failed(1, told);
    let log = file("some-summaries", &(phc2sys(1..20, |_| 1) + &summaries));
    assert!(of(&log, "").1.contains("summaries, which are no offsets, left out: 9"));
}

#[test]
fn parts_of_a_nanosecond_are_kept() {
    let numbers = text((0..100).map(|place| format!("{}e-12\n", (place % 2) * 250)));
    let (found, notes) = of(&file("picoseconds", &numbers), "");
    assert_eq!(found["deviations"][0]["mtie_ns"], 0.25);
    assert!(notes.contains("taken to be in s (--unit)"), "{notes}");
    assert!(notes.contains("it has no times that are known: 1 s apart is supposed"), "{notes}");
}

#[test]
fn units_and_intervals_are_the_files_or_what_is_told() {
    let table = text((0..50).map(|second| format!("{second}.5,{}\n", second * 3)));
    let rate = |found: &Value| format!("{:.0}", found["rate_ppb"].as_f64().expect("a number"));
    let (found, _) = of(&file("table", &format!("time_s,offset_us\n{table}")), "");
    assert_eq!(rate(&found), "3000");
    let numbers = text((0..50).map(|place| format!("{}\n", place * 3)));
    let plain = file("plain", &numbers);
    let (found, notes) = of(&plain, " --interval 100ms --unit us");
    assert_eq!(
        (rate(&found), &found["interval_ns"], notes.lines().count()),
        ("30000".into(), &100_000_000.into(), 1)
    );
    let stable32 = file("stable32", &format!("# phase, tau = 0.5 s\n{numbers}"));
    assert_eq!(of(&stable32, " --unit ps").0["interval_ns"], 500_000_000);
    // With a frequency of 25 ppb the offset grows by 25 ns a second.
    let frequencies = file("frequencies", &"25\n".repeat(60));
    let (found, _) = of(&frequencies, " --unit ppb");
    assert_eq!((rate(&found), &found["offsets"]), ("25".into(), &61.into()));
}

#[test]
fn the_published_series_is_read_from_its_file() {
    // The 1000 frequencies of NIST SP 1065.
    let numbers =
        std::iter::successors(Some(1_234_567_890_i64), |n| Some(n * 16_807 % 2_147_483_647));
    // To 18 digits, exactly.
    let fraction = |number: i64| i128::from(number) * 10_i128.pow(18) / 2_147_483_647;
    let text = text(numbers.take(1_000).map(|number| format!("0.{:018}\n", fraction(number))));
    let (found, _) = of(&file("nist", &text), " --unit fraction --taus all");
    let of =
        |place: usize, key: &str| found["deviations"][place - 1][key].as_f64().expect("a number");
    for (tau, adev, mdev, hdev) in [
        (1, 2.922_319e-1, 2.922_319e-1, 2.943_883e-1),
        (10, 9.159_953e-2, 6.172_376e-2, 9.581_083e-2),
        (100, 3.241_343e-2, 2.170_921e-2, 3.237_638e-2),
    ] {
        for (key, expected) in [("adev", adev), ("mdev", mdev), ("hdev", hdev)] {
            let found = of(tau, key);
            assert!((found / expected - 1.0).abs() < 1e-6, "{key} at {tau}: {found}");
        }
    }
}

#[test]
fn a_file_that_nothing_fits_is_told_with_what_would() {
    let log = file("nothing", "Dear diary,\ntoday the clock was late.\n");
    let run = ptpctl(&format!("stability --from {}", log.0.display()));
    run.failed(1, "it begins with 'Dear diary,'");
    let log = file("no-offset", "time_s,temperature\n1,20\n2,21\n3,22\n");
    let run = ptpctl(&format!("stability --from {}", log.0.display()));
    run.failed(1, "no column is known to have offsets");
    assert_eq!(of(&log, " --column temperature").0["offsets"], 3);
    let log = file("odd-line", &(phc2sys(1..20, |_| 1)));
    let text = std::fs::read_to_string(&log.0).expect("read");
    std::fs::write(&log.0, text.replacen("s2 freq", "s2 freq\nMar 17 gm2 kernel: hello", 1))
        .expect("written");
    assert_eq!(of(&log, "").0["offsets"], 19, "a journal has lines of others");
    let log = file("odd-number", "1\n2\nthree\n4\n");
    let notes = of(&log, "").1;
    assert!(notes.contains("lines left out, which don't fit: 1; the first is line 3"), "{notes}");
}

#[test]
fn what_belongs_to_columns_is_refused_of_a_recording() {
    let recorded = file(
        "recorded",
        "{\"device\":\"a\",\"reference\":\"b\",\"at\":{\"seconds\":1,\"nanoseconds\":0},\"offset_ns\":1}\n",
    );
    let path = recorded.0.display().to_string();
    for option in ["--unit ns", "--column 1", "--interval 1s"] {
        ptpctl(&format!("stability --from {path} {option}")).failed(2, "is for files of columns");
    }
    let log = file("timed", &phc2sys(1..20, |_| 1));
    let line = format!("stability --from {} --interval 1s", log.0.display());
    ptpctl(&line).failed(2, "--interval is for files of columns");
    ptpctl("stability --unit ns mock").failed(2, "--from");
}

#[test]
fn endless_and_hostile_files_end() {
    ptpctl("stability --from /dev/null").failed(1, "has no measurement");
    let long = file("long-line", &format!("{}\n1\n2\n3\n", "1".repeat(1 << 20)));
    let run = ptpctl(&format!("stability --from {}", long.0.display()));
    assert!(run.status.is_some(), "{run:?}");
    let far = file("far", "1e30\n-1e30\n5\n1e-300\n999999999999999999999999\n");
    let run = ptpctl(&format!("stability --from {}", far.0.display()));
    assert!(matches!(run.status, Some(0 | 1)), "{run:?}");
}

/// The results of a user's own mask on a file: the exit status, and each result.
fn judged(name: &str, mask: &str, text: &str, more: &str) -> (Option<i32>, Vec<String>) {
    let data = file(&format!("{name}-data"), text);
    let masks = file(&format!("{name}-mask"), &format!("mask own\n{mask}\n"));
    let (from, masks) = (data.0.display(), masks.0.display());
    let run = ptpctl(&format!("stability --json --from {from} --mask-file {masks}{more}"));
    let found = run.json()["masks"].clone();
    let results = found.as_array().into_iter().flatten();
    (run.status, results.map(|one| one["result"].as_str().expect("text").to_owned()).collect())
}

#[test]
fn a_value_that_is_missing_keeps_its_place() {
    let numbers = |gap: &str| {
        let is_there = |place: &i64| !(200..260).contains(place);
        let line = |place: i64| {
            if is_there(&place) { format!("{}\n", place * 10) } else { format!("{gap}\n") }
        };
        text((0..600).map(line))
    };
    for (name, gap) in [("nan", "nan"), ("dashes", "--"), ("blank", "")] {
        let (found, _) = of(&file(&format!("gap-{name}"), &numbers(gap)), "");
        let number = |key: &str| found[key].as_i64().expect("a number");
        assert_eq!((number("offsets"), number("missing")), (540, 60), "{name}");
        assert_eq!(found["deviations"][0]["mtie_ns"], 10.0, "{name}");
    }
}

#[test]
fn a_line_that_was_damaged_or_cut_is_no_small_offset() {
    let line = |second: i64, offset: &str| {
        format!("ptp4l[{second}.000]: master offset {offset} s2 freq -1 path delay 3\n")
    };
    let whole = text((100..160).map(|second| line(second, &(second % 5).to_string())));
    let mask = "max|TE| = 40";
    assert_eq!(judged("whole-log", mask, &whole, ""), (Some(0), vec!["pass".into()]));
    for (place, damaged) in [
        line(160, "50@0"),
        line(160, "-8x0"),
        line(160, "999999999999999999999"),
        line(160, "50\u{fffd}0"),
        "ptp4l[160.000: master offset 5000 s2 freq -1 path delay 3\n".into(),
        "ptp4l[160.000]: master offset       5".into(),
    ]
    .into_iter()
    .enumerate()
    {
        let log = whole.clone() + &damaged;
        let found = judged(&format!("damaged-log-{place}"), mask, &log, "");
        assert_eq!(found, (Some(4), vec!["not shown".into()]), "{damaged}");
    }
    let talk = whole + "ptp4l[160.0]: updating UTC offset to 37\n";
    assert_eq!(judged("talking-log", mask, &talk, "").0, Some(0));
}

#[test]
fn a_unit_that_is_not_known_is_asked_for() {
    let rows = text((0..60).map(|second| format!("{second},{}\n", second % 3)));
    for (place, unit) in ["usec", "µs", "μs", "US", "us"].into_iter().enumerate() {
        let table = file(&format!("micro-{place}"), &format!("time_s,offset ({unit})\n{rows}"));
        assert_eq!(of(&table, "").0["deviations"][0]["mtie_ns"], 2_000.0, "{unit}");
    }
    let table = file("furlongs", &format!("time_s,offset [furlongs]\n{rows}"));
    let from = format!("stability --from {}", table.0.display());
    ptpctl(&from).failed(1, "the unit of its offsets isn't known: --unit tells it");
    assert_eq!(of(&table, " --unit ps").0["deviations"][0]["mtie_ns"], 0.002);
    ptpctl(&format!("{from} --column 0")).failed(2, "counted from 1 on");
    let table = file("nameless", "a,b\n1,2\n3,4\n");
    let from = format!("stability --from {}", table.0.display());
    ptpctl(&from).failed(1, "no column is known to have offsets: --column names it");
}

#[test]
fn the_mark_that_windows_begins_texts_with_is_no_part_of_them() {
    let rows = "1,1.5\r\n2,2.5\r\n3,-3.5\r\n4,4\r\n";
    let table = file("bom", &format!("\u{feff}time_s,offset_us\r\n{rows}"));
    assert_eq!(of(&table, "").0["deviations"][0]["mtie_ns"], 7_500.0);
    let one = file("one-column", "offset_us\n1\n2\n4\n9\n");
    assert_eq!(of(&one, "").0["deviations"][0]["mtie_ns"], 5_000.0);
    let mask = "max|TE| = 40";
    let text = text((0..60).map(|second| format!("{second}\n")));
    assert_eq!(judged("bom-mask", mask, &text, "").1, ["fail"]);
}

#[test]
fn parts_of_a_nanosecond_are_judged_as_they_are() {
    let rows = text((0..100).map(|place| format!("{}\n", ["0.2", "-0.2"][place % 2])));
    assert_eq!(judged("fifth", "max|TE| = 0.5", &rows, " --unit ns").1, ["pass"]);
    assert_eq!(judged("fifth", "max|TE| = 0.1", &rows, " --unit ns").1, ["fail"]);
}

#[test]
fn what_comes_too_close_together_is_not_passed_over() {
    let rows = "time_s,offset_ns\n1,1\n2,2\n2,200\n3,3\n4,4\n";
    let found = judged("twice", "MTIE 1 to 2 = 25", rows, " --partial");
    assert_eq!(found, (Some(4), vec!["not shown".into()]));
    let thirds = text((0..300).filter(|n| n % 3 < 2).map(|n| format!("{n},{}\n", n % 3 * 100)));
    let (found, notes) = of(&file("thirds", &format!("time_s,offset_ns\n{thirds}")), "");
    assert_eq!((&found["interval_ns"], &found["missing"]), (&1_000_000_000.into(), &99.into()));
    assert!(!found.to_string().contains("pairs") && !notes.contains("pairs"));
}

#[test]
fn chronyds_estimates_are_turned() {
    let head = "   Date (UTC) Time     IP Address    Std dev'n Est offset  Offset sd  Diff freq   \
                Est skew  Stress  Ns  Bs  Nr  Asym\n";
    // The system clock gains 10 ns a second.
    let line = |second: i64| {
        format!(
            "2023-11-14 22:{:02}:{:02} PHC0  4.000e-08  {}e-09  1.200e-08  1.000e-08  3.200e-08 \
             1.0e+00  16   0   8  0.00\n",
            second / 60,
            second % 60,
            second * 10
        )
    };
    let log = file("statistics", &(head.to_owned() + &text((0..100).map(line))));
    let (found, notes) = of(&log, "");
    let rate = found["rate_ppb"].as_f64().expect("a number");
    assert!((-10.001..-9.999).contains(&rate), "{rate}");
    assert!(notes.contains("its offsets are realtime - PHC0; they are turned"), "{notes}");
}

#[test]
fn frequencies_with_a_gap_are_not_summed_over_it() {
    let row = |second: i64| format!("{second} 25\n");
    let gap = text((0..100).chain(150..250).map(row));
    let data = file("frequency-gap", &gap);
    let line = format!("stability --from {} --unit ppb", data.0.display());
    ptpctl(&line).failed(1, "they have to be at even distances, without a gap");
}

#[test]
fn options_of_columns_are_refused_of_a_log() {
    let log = file("log-unit", &phc2sys(1..20, |_| 1));
    let line = format!("stability --from {} --unit us", log.0.display());
    ptpctl(&line).failed(2, "--unit is for files of columns");
}

#[test]
fn times_that_go_back_all_the_time_are_told() {
    let data = file("backwards", "time_s,offset_ns\n4,1\n3,2\n2,3\n1,9\n");
    let line = format!("stability --from {}", data.0.display());
    ptpctl(&line).failed(1, "no two are in order");
}

/// A file with the output of `--to` for another file.
fn converted(from: &TemporaryFile, form: &str, name: &str) -> (TemporaryFile, String) {
    let run = ptpctl(&format!("stability --from {} --to {form}", from.0.display()));
    assert_eq!(run.status, Some(0), "{run:?}");
    (file(name, &run.stdout), run.stderr)
}

/// Made-up offsets with parts of a nanosecond, of which one is 0.
fn fine_offsets(missing: impl Fn(u64) -> bool) -> String {
    let line = |second: u64| {
        let part = second * second * 7_919 % 1_000;
        let offset = if second == 3 { "0".into() } else { format!("{}.{part:03}", second % 11) };
        format!("{second}.25,{offset}\n")
    };
    "time_s,offset_ns\n".to_owned() + &text((0..100).filter(|at| !missing(*at)).map(line))
}

#[test]
fn what_is_written_in_another_form_is_as_steady() {
    let whole = file("to-whole", &fine_offsets(|_| false));
    let gaps = file("to-gaps", &fine_offsets(|second| second % 9 == 4));
    let steady = |(found, _): (Value, String)| {
        ["offsets", "missing", "rate_ppb", "deviations"].map(|key| found[key].clone())
    };
    for (from, form) in [
        (&whole, "csv"),
        (&whole, "stable32"),
        (&whole, "timelab"),
        (&gaps, "csv"),
        (&gaps, "stable32"),
    ] {
        let (to, _) = converted(from, form, &format!("to-{form}"));
        assert_eq!(steady(of(&to, "")), steady(of(from, "")), "{form}");
    }
}

#[test]
fn a_form_without_gaps_shows_none() {
    let gaps = file("to-no-gaps", &fine_offsets(|second| second == 50));
    let line = format!("stability --from {} --to timelab", gaps.0.display());
    ptpctl(&line).failed(1, "1 of 100 places have no offset, which this form can't show");
    let most = file("to-most-gaps", &fine_offsets(|second| second > 4 && second < 97));
    let line = format!("stability --from {} --to stable32", most.0.display());
    ptpctl(&line).failed(1, "92 of 100 places have no offset, which this form can't show");
}

#[test]
fn a_log_becomes_a_recording_in_whole_nanoseconds() {
    let log = file("to-recording", &phc2sys(3_500..3_600, |second| second % 7));
    let (recording, _) = converted(&log, "jsonl", "to-recording.jsonl");
    let (found, notes) = of(&recording, "");
    assert_eq!((&found["device"], &found["offsets"]), (&"phc".into(), &100.into()));
    assert_eq!(notes, "");
    let fine = file("to-rounded", &fine_offsets(|_| false));
    let (_, notes) = converted(&fine, "jsonl", "to-rounded.jsonl");
    assert!(notes.contains("the offsets are rounded to them"), "{notes}");
}

#[test]
fn a_recording_is_written_with_its_bounds_and_its_misses() {
    let recording = TemporaryFile::new("to-all.jsonl");
    let path = recording.0.display().to_string();
    let mock = "mock:igb,time=virtual,fail=sys_offset_precise:EIO";
    ptpctl(&format!("record {path} --count 5 --interval 10ms {mock}"));
    let (table, _) = converted(&recording, "csv", "to-all.csv");
    let table = std::fs::read_to_string(&table.0).expect("read");
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!((rows.len(), rows[0]), (6, "time_s,offset_ns,bound_ns,stepped"));
    let bound: u64 = rows[1].split(',').nth(2).expect("a cell").parse().expect("a bound");
    assert!(bound > 300, "{table}");
    let (same, _) = converted(&recording, "jsonl", "to-same.jsonl");
    let read = |path| std::fs::read_to_string(path).expect("read");
    assert_eq!(read(&same.0), read(&recording.0));
}

#[test]
fn what_is_measured_can_be_written_at_once() {
    let run = ptpctl("stability --count 5 --interval 10ms --to timelab mock:igb,time=virtual");
    assert_eq!(run.stdout.lines().count(), 6 + 5, "{run:?}");
    assert!(run.stdout.starts_with("TIM 1.0\nSCR 1\nTRA 0\nRAT "), "{run:?}");
    ptpctl("stability --to csv --json mock").failed(2, "cannot be used with");
    ptpctl("stability --to xlsx mock").failed(2, "csv, jsonl, stable32, timelab");
}

#[test]
fn a_file_of_many_clocks_is_read_no_further_than_it_takes_to_tell() {
    let line = |clock: u32| {
        format!("phc2sys[{clock}.5]: eth{clock} sys offset -12 s2 freq +6181 delay 1948\n")
    };
    let told = |number: u32| {
        let log = file(&format!("clocks-{number}"), &text((0..number).map(line)));
        let run = ptpctl(&format!("stability --from {}", log.0.display()));
        assert_eq!(run.status, Some(2), "{run:?}");
        run.stderr
    };
    assert!(told(9).contains("eth7:realtime and 1 more; name one as DEVICE"));
    assert!(told(20_000).contains("eth7:realtime and many more; name one as DEVICE"));
}

#[test]
fn events_of_external_timestamps_are_the_clock_less_the_signal() {
    let event = |second: i64| {
        // 20 ns a second fast, and 5 ns behind at first; one event is missing.
        let part = (1_000_000_000 + second * 20 - 5) % 1_000_000_000;
        let whole = 1_700_000_000 + second - i64::from(part > 500_000_000);
        format!(
            "{{\"device\":\"/dev/ptp0\",\"channel\":1,\"time\":{{\"seconds\":{whole},\
             \"nanoseconds\":{part}}},\"interval_ns\":null,\"missing\":0}}\n"
        )
    };
    let events = file("events", &text((0..40).filter(|second| *second != 9).map(event)));
    let (found, notes) = of(&events, "");
    assert_eq!(
        (&found["reference"], &found["offsets"], &found["interval_ns"]),
        (&"channel 1".into(), &39.into(), &1_000_000_000.into())
    );
    let rate = found["rate_ppb"].as_f64().expect("a number");
    assert!((19.999..20.001).contains(&rate), "{rate}");
    assert!(notes.contains("a signal of 1 s is supposed (--interval)"), "{notes}");
    let (_, notes) = of(&events, " --interval 1s");
    assert!(!notes.contains("supposed"), "{notes}");
    let line = format!("stability --from {} --unit ns", events.0.display());
    ptpctl(&line).failed(2, "--unit is for files of columns");
}

#[test]
fn what_extts_prints_is_read() {
    let printed = ptpctl("extts --json --count 10 mock:full,time=virtual").done().stdout;
    let (found, _) = of(&file("printed-events", &printed), "");
    assert_eq!((&found["offsets"], &found["rate_ppb"]), (&10.into(), &0.0.into()));
}

#[test]
fn bounds_and_steps_of_a_recording_are_read_again_from_a_table() {
    let recording = TemporaryFile::new("to-judged.jsonl");
    let path = recording.0.display().to_string();
    let mock = "mock:igb,time=virtual,step=1ms@30s";
    ptpctl(&format!("record {path} --count 60 --interval 1s {mock}")).done();
    let (table, _) = converted(&recording, "csv", "to-judged.csv");
    let judged = |file: &TemporaryFile| {
        let line =
            format!("stability --json --steps remove --mask g8272-a --from {}", file.0.display());
        let found = ptpctl(&line).json();
        ["offsets", "steps", "rate_ppb", "masks"].map(|key| found[key].clone())
    };
    let [offsets, steps, rate, masks] = judged(&table);
    let [same_offsets, same_steps, same_rate, same_masks] = judged(&recording);
    assert_eq!((offsets, &steps, rate), (same_offsets, &same_steps, same_rate));
    assert_eq!(steps, 1);
    let max = |masks: &Value| (masks[0]["quantity"].clone(), masks[0]["result"].clone());
    assert_eq!(max(&masks), max(&same_masks));
    let (again, _) = converted(&table, "csv", "to-judged-again.csv");
    let read = |file: &TemporaryFile| std::fs::read_to_string(&file.0).expect("read");
    assert_eq!(read(&again), read(&table));
}

#[test]
fn what_has_other_columns_than_it_seems_is_not_read_as_it_seems() {
    for (name, text, told) in [
        (
            "comma-in-one-column",
            "offset_ns\n0,5\n-1,25\n",
            "2 lines don't fit; the first is line 2",
        ),
        ("comma-in-quotes", "time_s,offset_ns\n0,\"1,234\"\n1,\"1,235\"\n", "2 lines don't fit"),
        (
            "two-traces",
            "TIM 1.0\nRAT 10\nMUL 1E-9\n1\n2\nTIM 1.0\nRAT 1\nMUL 1E-6\n3\n",
            "it has several traces",
        ),
    ] {
        let file = file(name, text);
        ptpctl(&format!("stability --from {}", file.0.display())).failed(1, told);
    }
    let commas = file("commas-without-head", "1700000000,5;-4,25\n1700000001,5;-3,25\n");
    let (table, _) = converted(&commas, "csv", "commas-converted");
    let rows = std::fs::read_to_string(&table.0).expect("read");
    assert!(rows.contains("1700000000.5,-4.25,,0\n1700000001.5,-3.25,,0\n"), "{rows}");
}

#[test]
fn a_long_distance_is_the_same_in_every_form() {
    let weeks = text((0..20).map(|week| format!("{},{}\n", week * 604_800, week % 7)));
    let weeks = file("to-weeks", &format!("time_s,offset_ns\n{weeks}"));
    for form in ["csv", "stable32", "timelab"] {
        let (to, _) = converted(&weeks, form, &format!("to-weeks-{form}"));
        let apart = of(&to, "").0["interval_ns"].as_u64().expect("a number");
        // TimeLab's format has a rate with a limited number of digits.
        assert!(apart.abs_diff(604_800_000_000_000) < 100, "{form}: {apart}");
    }
}

#[test]
fn events_of_both_edges_are_refused() {
    let printed =
        ptpctl("extts --json --edge both --count 12 mock:full,time=virtual").done().stdout;
    let events = file("both-edges", &printed);
    ptpctl(&format!("stability --from {}", events.0.display()))
        .failed(1, "both edges of the signal");
}

#[test]
fn what_is_converted_while_it_is_measured_can_be_followed() {
    use std::io::{BufRead, BufReader};
    let mut child = crate::common::program()
        .args("stability --to csv --duration 60s --interval 20ms mock:igb".split(' '))
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("started");
    let lines = BufReader::new(child.stdout.take().expect("an output")).lines();
    assert_eq!(lines.take(3).count(), 3, "long before it ends");
    let _ = child.wait();
}

#[test]
fn an_offset_that_is_rounded_can_be_off_by_that_too() {
    let table = file("to-bound", "time_s,offset_ns,bound_ns\n1,4.5,10\n2,4,10\n3,5,10\n");
    let (recording, _) = converted(&table, "jsonl", "to-bound.jsonl");
    let text = std::fs::read_to_string(&recording.0).expect("read");
    let bounds: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("an object")["bound_ns"].clone())
        .collect();
    assert_eq!(bounds, [11, 10, 10]);
}
