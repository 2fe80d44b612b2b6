//! Clocks that are measured again and again: monitor, record, stability, and their pictures.

use crate::common::{Run, TemporaryFile, limited, pid, program, ptpctl, run};
use crate::terminal::Terminal;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// A clock with virtual time, which passes without waiting.
const MOCK: &str = "mock:igb,time=virtual,freq=50ppb";

#[test]
fn monitor_prints_a_line_for_each_measurement() {
    let lines = ptpctl(&format!("monitor --count 3 --json {MOCK}")).done().lines();
    assert_eq!(lines.len(), 3);
    for (place, line) in lines.iter().enumerate() {
        assert_eq!((&line["device"], &line["reference"]), (&MOCK.into(), &"realtime".into()));
        let second = 1_700_000_000 + i64::try_from(place).expect("few");
        assert_eq!(line["at"]["seconds"], second, "a second apart");
        // It gains 50 ns a second, and the bound holds that.
        let offset = line["offset_ns"].as_i64().expect("a number");
        let bound = line["bound_ns"].as_i64().expect("a number");
        assert!((offset - 50 * i64::try_from(place).expect("few")).abs() <= bound + 1, "{line}");
        assert_eq!((&line["method"], &line["stepped"]), (&"extended".into(), &false.into()));
    }
    let text = ptpctl(&format!("monitor --count 1 {MOCK}")).done().stdout;
    assert!(text.starts_with("2023-11-14T22:13:20.") && text.contains(" ±"), "{text}");
}

#[test]
fn monitor_measures_several_clocks_and_pairs() {
    let second = "mock:igb,time=virtual,offset=1us";
    let line =
        format!("monitor --count 2 --json mock:igb,time=virtual mock:igb,time=virtual:{second}");
    let lines = ptpctl(&line).done().lines();
    let references: Vec<_> = lines.iter().map(|line| line["reference"].clone()).collect();
    assert_eq!(references, ["realtime", second, "realtime", second]);
    let offset = lines[1]["offset_ns"].as_i64().expect("a number");
    assert!(
        (offset + 1_000).abs() <= lines[1]["bound_ns"].as_i64().expect("a number"),
        "{lines:?}"
    );
}

#[test]
fn monitor_ends_after_its_duration() {
    let lines = ptpctl(&format!("monitor --duration 1s --interval 100ms --json {MOCK}")).done();
    assert_eq!(lines.lines().len(), 10);
}

#[test]
fn a_clock_that_goes_away_is_told_once_and_measured_again_when_it_is_back() {
    // It comes back at once, stays for 150 ms, and goes again.
    let line = "monitor --count 40 --interval 20ms --json mock:igb,remove=150ms";
    let lines = ptpctl(line).done().lines();
    let lost: Vec<_> = lines.iter().map(|line| line["absent"].as_str()).collect();
    assert!(lost.first().is_some_and(Option::is_none), "{lines:?}");
    assert!(lost.iter().flatten().count() >= 2, "{lines:?}");
    assert!(lost.iter().flatten().all(|why| why.contains("ENODEV")), "{lines:?}");
    assert!(lost.windows(2).all(|two| two[0].is_none() || two[1].is_none()), "{lines:?}");
    // The offset before it went isn't compared with the one after it came back.
    assert!(lines.iter().all(|line| line["stepped"] != true), "{lines:?}");
}

#[test]
fn what_the_driver_claims_of_its_clock_widens_the_bound() {
    let bound = |settings: &str| {
        let of = ptpctl(&format!("offset --json --samples 25 mock:igb,time=virtual{settings}"));
        let of = of.done().json();
        (of["bound_ns"].as_i64().expect("a number"), of["claimed_error_ns"].clone())
    };
    let (plain, nothing) = bound("");
    let (wide, claimed) = bound(",claimed-error=300ns");
    assert_eq!((wide - plain, nothing, claimed), (300, serde_json::Value::Null, 300.into()));
    let text = ptpctl("offset --samples 25 mock:igb,time=virtual,claimed-error=300ns").done();
    assert!(text.stdout.contains("the driver claims 300 ns"), "{}", text.stdout);
    let claims = "mock:igb,time=virtual,claimed-error=1ms";
    for line in [
        format!("monitor --count 1 --json {claims}"),
        format!("monitor --count 1 --json mock:e1000e,time=virtual:{claims}"),
        format!("diff --json {claims} mock:e1000e,time=virtual"),
    ] {
        let bound = ptpctl(&line).done().json()["bound_ns"].as_i64().expect("a number");
        assert!(bound > 1_000_000, "{line}: {bound}");
    }
}

#[test]
fn a_precise_offset_is_checked_against_another_method() {
    let offset = ptpctl("offset --json --samples 25 mock:full,time=virtual").done().json();
    assert_eq!((&offset["method"], &offset["contradiction_ns"]), (&"precise".into(), &().into()));
    let offset = ptpctl("offset --json mock:full,time=virtual,fault=precise-late").done().json();
    let beyond = offset["contradiction_ns"].as_i64().expect("a number");
    assert!(beyond > 0, "{offset}");
    assert!(offset["notes"][0].as_str().expect("a note").contains("contradicts it"), "{offset}");
}

#[test]
fn what_contradicts_a_precise_offset_is_told_before_it_is_measured_again_and_again() {
    for command in ["monitor", "stability"] {
        let run = |clock| ptpctl(&format!("{command} --count 9 mock:full,time=virtual{clock}"));
        assert_eq!(run("").done().stderr, "");
        let told = run(",fault=precise-late").stderr;
        assert_eq!(told.matches("contradicts it").count(), 1, "{told}");
    }
}

#[test]
fn what_record_writes_is_what_monitor_prints_and_reads() {
    for extension in ["jsonl", "jsonl.gz", "jsonl.zst"] {
        let file = TemporaryFile::with_extension(&format!("replay-{extension}"), extension);
        let path = file.0.display();
        let printed = ptpctl(&format!("monitor --count 5 --json {MOCK}")).done().stdout;
        let report = ptpctl(&format!("record --count 5 --json {path} {MOCK}")).done().json();
        assert_eq!(report["lines"], 5);
        assert_eq!(report["sources"][0]["measurements"], 5);
        let replayed = ptpctl(&format!("monitor --from {path} --json")).done().stdout;
        assert_eq!(replayed, printed, "{extension}");
        let rest = printed.replacen("\"schema\":2,", "", 1);
        // A second recording is added to the file.
        ptpctl(&format!("record --count 5 --json {path} {MOCK}")).done();
        let twice = ptpctl(&format!("monitor --from {path} --json")).done().stdout;
        assert_eq!(twice, printed + &rest, "{extension}");
    }
}

#[test]
fn a_file_is_whole_after_a_signal() {
    for extension in ["jsonl", "jsonl.zst"] {
        let file = TemporaryFile::with_extension(&format!("signal-{extension}"), extension);
        let mut child = program()
            .args(["record", "--interval", "5ms"])
            .args([file.0.as_os_str(), "mock:igb".as_ref()])
            .stdout(Stdio::null())
            .spawn()
            .expect("started");
        // When something is saved, the recording has begun.
        while std::fs::metadata(&file.0).map_or(0, |found| found.len()) < 100 {
            thread::sleep(Duration::from_millis(20));
        }
        kill(pid(&child), Signal::SIGTERM).expect("sent");
        assert_eq!(child.wait().expect("ended").signal(), Some(Signal::SIGTERM as i32));
        let lines = ptpctl(&format!("monitor --json --from {}", file.0.display())).done().lines();
        assert!(lines.len() > 1, "{extension}: {}", lines.len());
    }
}

#[test]
fn a_file_whose_end_was_cut_off_counts_up_to_there() {
    let file = TemporaryFile::with_extension("cut", "jsonl");
    let path = file.0.display();
    ptpctl(&format!("record --count 5 {path} {MOCK}")).done();
    let whole = std::fs::read(&file.0).expect("read");
    std::fs::write(&file.0, &whole[..whole.len() - 20]).expect("cut");
    let run = ptpctl(&format!("monitor --json --from {path}"));
    assert_eq!((run.status, run.lines().len()), (Some(0), 4));
    assert!(run.stderr.contains("its end was cut off"), "{}", run.stderr);
    let run = ptpctl(&format!("record --count 5 {path} {MOCK}"));
    assert!(run.stderr.contains("it was cut off or damaged"), "{}", run.stderr);
    let run = ptpctl(&format!("monitor --json --from {path}"));
    assert_eq!(run.lines().len(), 9);
    assert!(run.stderr.contains("lines left out, which are no measurements: 1"), "{}", run.stderr);
}

#[test]
fn stability_tells_deviations_with_their_intervals() {
    let line =
        "stability --json --count 2000 --samples 400 mock:igb,time=virtual,freq=5ppb,noise=20ns";
    let found = ptpctl(line).done().json();
    assert_eq!((&found["offsets"], &found["interval_ns"]), (&2_000.into(), &100_000_000.into()));
    let frequency = found["rate_ppb"].as_f64().expect("a number");
    assert!((4.5..5.5).contains(&frequency), "{frequency}");
    let deviations = found["deviations"].as_array().expect("a list");
    assert_eq!(deviations.len(), 10);
    for one in deviations {
        let told = one["tau_s"].as_f64().is_some_and(|tau| tau <= 1.6);
        assert_eq!(one["noise"].as_str(), told.then_some("white PM"), "{one}");
        for name in ["adev", "mdev", "hdev", "tdev"] {
            let key = |end: &str| match name {
                "tdev" => format!("tdev{end}_ns"),
                _ => format!("{name}{end}"),
            };
            let [low, value, high] =
                ["_from", "", "_to"].map(|end| one[&key(end)].as_f64().expect("a number"));
            assert!(0.0 < low && low < value && value < high, "{name}: {one}");
        }
    }
}

#[test]
fn a_mask_that_is_not_kept_is_told_with_its_tau_and_ends_with_1() {
    let run = ptpctl(
        "stability --json --count 500 --samples 800 --mask g8272-b mock:igb,time=virtual,freq=2ppb",
    );
    assert_eq!(run.status, Some(1));
    assert!(
        run.stderr.contains("g8272-b takes 13.89 d to be shown, and this lasts 50 s"),
        "{run:?}"
    );
    let masks = run.json()["masks"].clone();
    let results: Vec<_> = (0..3).map(|place| masks[place]["result"].clone()).collect();
    // It gains 100 ns in 50 s: too much MTIE; its TDEV is 0, and its bound is 600 ns.
    assert_eq!(results, ["not shown", "fail", "not shown"]);
    let tau = masks[1]["fails_from_s"].as_f64().expect("a number");
    // 2 ns/s τ crosses 25 ns + 0.275 ns/s τ at 14.5 s, a little earlier with some noise.
    assert!((8.0..20.0).contains(&tau), "{tau}");
}

/// A recording of offsets, 100 ms apart. `None` is a measurement that is missing.
fn recording(name: &str, offsets: impl Iterator<Item = Option<i64>>) -> TemporaryFile {
    let file = TemporaryFile::with_extension(name, "jsonl");
    let mut lines = String::new();
    for (place, offset) in offsets.enumerate() {
        let (seconds, part) = (1_700_000_000 + place / 10, place % 10 * 100_000_000);
        let Some(offset) = offset else { continue };
        let line = format!(
            "{{\"device\":\"/dev/ptp0\",\"reference\":\"realtime\",\"at\":{{\"seconds\":{seconds},\
             \"nanoseconds\":{part}}},\"offset_ns\":{offset},\"bound_ns\":600}}\n"
        );
        lines.push_str(&line);
    }
    std::fs::write(&file.0, lines).expect("written");
    file
}

/// How a mask judges a recording: the exit status and each result.
fn judged(mask: &str, file: &TemporaryFile) -> (Option<i32>, Vec<String>) {
    let run = ptpctl(&format!("stability --json --mask {mask} --from {}", file.0.display()));
    assert_eq!(run.stderr, "", "{run:?}");
    let masks = run.json()["masks"].clone();
    let results = masks.as_array().expect("a list").iter();
    (run.status, results.map(|one| one["result"].as_str().expect("text").to_owned()).collect())
}

/// The number of offsets that a mask up to 1000 s needs: TDEV needs twelve times that duration.
const WHOLE: usize = 120_010;

#[test]
fn a_mask_is_passed_where_all_of_it_is_kept() {
    let file = recording("whole", (0..WHOLE).map(|place| Some(i64::from(place % 2 == 0))));
    assert_eq!(judged("g8262-option1", &file), (Some(0), vec!["pass".into(); 2]));
}

#[test]
fn a_mask_is_not_passed_where_a_quarter_of_the_recording_is_a_millisecond_off() {
    let offsets = (0..20_000).map(|place| Some(if place < 15_000 { 1 } else { 1_000_000 }));
    let (status, results) = judged("g8272-a", &recording("step", offsets));
    assert_eq!((status, results[0].as_str()), (Some(1), "fail"), "max|TE|");
}

#[test]
fn a_mask_is_not_shown_where_offsets_are_left_out() {
    // A gap of 30 s, for which nothing is known.
    let gap = |place: usize| !(40_000..40_300).contains(&place);
    let offsets = (0..WHOLE + 20_000).map(|place| gap(place).then_some(0));
    let (status, results) = judged("g8262-option1", &recording("gap", offsets));
    assert_eq!((status, results), (Some(4), vec!["not shown".into(); 2]));
}

#[test]
fn a_mask_is_not_shown_where_a_file_cannot_be_read_whole() {
    let offsets = (0..WHOLE).map(|place| Some(i64::from(place % 2 == 0)));
    let file = recording("damaged", offsets);
    let whole = std::fs::read_to_string(&file.0).expect("read");
    let damage: [fn(&str) -> String; 3] = [
        |text| text.replacen("\"offset_ns\":1,", "\"offset_ns\":1e3,", 1),
        |text| text.to_owned() + "garbage\n",
        |text| text.trim_end_matches("}\n").to_owned(),
    ];
    for damage in damage {
        std::fs::write(&file.0, damage(&whole)).expect("written");
        let path = file.0.display();
        let run = ptpctl(&format!("stability --json --mask g8262-option1 --from {path}"));
        assert_eq!(run.status, Some(4), "{run:?}");
        assert!(run.stdout.contains("parts of the data can't be read"), "{}", run.stdout);
    }
}

#[test]
fn a_mask_is_not_shown_by_less_than_its_range() {
    let (status, results) =
        judged("g8262-option1", &recording("short", vec![Some(0); 500].into_iter()));
    assert_eq!((status, results), (Some(4), vec!["not shown".into(); 2]));
    let run = ptpctl("stability --count 500 --samples 800 --mask g8272-a mock:igb,time=virtual");
    assert_eq!(run.status, Some(4));
    assert!(
        run.stdout.contains("MTIE isn't shown: it takes 27.78 h of measuring"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_verdict_keeps_its_status_when_its_reader_has_gone() {
    let failing =
        "stability --count 500 --samples 800 --mask g8272-b mock:igb,time=virtual,freq=2ppb";
    let too_short = "stability --count 500 --samples 800 --mask g8272-a mock:igb,time=virtual";
    for (line, status) in [(failing, 1), (too_short, 4)] {
        for more in ["", " --json", " --plot -"] {
            let (reader, writer) = std::io::pipe().expect("a pipe");
            drop(reader);
            let arguments = format!("{line}{more}");
            let run = run(program().args(arguments.split(' ')).stdout(Stdio::from(writer)));
            assert_eq!(run.status, Some(status), "{arguments}");
            assert!(!run.stderr.contains("error"), "{arguments}: {}", run.stderr);
        }
    }
}

#[test]
fn whole_seconds_of_tai_are_no_time_error() {
    let line = "stability --json --count 500 --samples 800 --mask g8272-a --assume-symmetric \
                mock:igb,time=virtual,offset=37s";
    let run = ptpctl(line);
    assert_eq!(run.status, Some(4), "MTIE and TDEV are for longer");
    let found = run.json();
    assert_eq!(found["whole_seconds_ns"], 37_000_000_000_i64);
    assert_eq!(found["masks"][0]["result"], "pass");
}

#[test]
fn a_bound_beyond_the_limit_shows_nothing_unless_the_guess_is_taken_for_the_truth() {
    let file = recording("bounds", (0..3_000).map(|place| Some(i64::from(place % 2 == 0))));
    assert_eq!(judged("g8273.2-c", &file).0, Some(4), "600 ns beside 30 ns");
    let line = format!("stability --mask g8273.2-c --assume-symmetric --from {}", file.0.display());
    let run = ptpctl(&line);
    assert!(run.stdout.contains("g8273.2-c  max|TE|     pass (symmetric)"), "{}", run.stdout);
    assert!(run.stdout.contains("by your word"), "{}", run.stdout);
    // The recording lasts three seconds. The limit needs a thousand.
    let short = recording("three-seconds", (0..30).map(|_| Some(0)));
    let run = ptpctl(&format!(
        "stability --mask g8273.2-c --assume-symmetric --partial --from {}",
        short.0.display()
    ));
    assert_eq!(run.status, Some(4), "nothing of dTE_L can be judged: {}", run.stdout);
    assert!(run.stdout.contains("cTE         pass (symmetric, partial)"), "{}", run.stdout);
}

#[test]
fn offsets_without_bounds_are_taken_at_their_word_which_is_said() {
    let file = recording("no-bounds", (0..300).map(|_| Some(5)));
    let text = std::fs::read_to_string(&file.0).expect("read").replace(",\"bound_ns\":600", "");
    std::fs::write(&file.0, text).expect("written");
    let run = ptpctl(&format!("stability --mask g8272-a --from {}", file.0.display()));
    assert!(run.stdout.contains("max|TE|   pass (accurate)"), "{}", run.stdout);
    assert!(run.stdout.contains("offsets have no bounds"), "{}", run.stdout);
}

#[test]
fn masks_of_ones_own_are_in_the_form_that_is_printed() {
    let recorded = recording("own-mask", (0..3_000).map(|place| Some(place % 4)));
    let own = TemporaryFile::with_extension("own", "masks");
    let text = "# ours\nmask house\ntitle the clock in our house\nmax|TE| = 700\n\
                MTIE 0.1 to 10 = 1 + 0.1 t\nMTIE 10 to 100 = 5\n";
    std::fs::write(&own.0, text).expect("written");
    let (masks, from) = (own.0.display(), recorded.0.display());
    let run = ptpctl(&format!("stability --json --mask-file {masks} --from {from}"));
    let found = run.json()["masks"].clone();
    let results: Vec<_> = (0..2).map(|place| found[place]["result"].clone()).collect();
    assert_eq!((run.status, results), (Some(1), vec!["pass".into(), "fail".into()]));
    // The printed masks can be read again.
    let all = ptpctl("stability --masks").done().stdout;
    std::fs::write(&own.0, &all).expect("written");
    let run = ptpctl(&format!("stability --json --mask-file {masks} --from {from}"));
    let limits = run.json()["masks"].as_array().expect("a list").len();
    let listed = ptpctl("stability --masks --json").done().json()["masks"].clone();
    let mut names: Vec<_> = listed.as_array().expect("a list").iter().collect();
    names.dedup_by_key(|one| (one["mask"].clone(), one["quantity"].clone()));
    assert_eq!(limits, names.len());
    for (text, told) in [
        ("MTIE 1 to 2 = 3", "line 1: it begins with a line 'mask NAME'"),
        ("mask a\nMTIE 1 to 2 = x", "line 2: the limit isn't like 25 + 0.275 t"),
        ("", "there is no line 'mask NAME'"),
        (
            "mask G8272-A\nMTIE 1 to 2 = 3",
            "G8272-A is a mask of a Recommendation with other limits",
        ),
    ] {
        std::fs::write(&own.0, text).expect("written");
        ptpctl(&format!("stability --mask-file {masks} --from {from}")).failed(2, told);
    }
    ptpctl(&format!("stability --mask-file /nonexistent --from {from}")).failed(2, "can't read");
    ptpctl(&format!("stability --mask-file /dev/zero --from {from}"))
        .failed(2, "longer than 1 MiB");
}

#[test]
fn stability_of_a_file_is_that_of_the_clock() {
    let file = TemporaryFile::with_extension("stability", "jsonl.zst");
    let path = file.0.display();
    let second = "mock:e1000e,time=virtual";
    ptpctl(&format!("record --interval 100ms --count 300 {path} {MOCK} {second}")).done();
    ptpctl(&format!("stability --from {path}")).failed(2, "name one as DEVICE");
    let from_file = ptpctl(&format!("stability --json --from {path} {MOCK}")).done().json();
    let at_once = ptpctl(&format!("stability --json --count 300 {MOCK}")).done().json();
    assert_eq!(from_file["deviations"], at_once["deviations"]);
    ptpctl(&format!("stability --from {path} eth7")).failed(1, "has no measurement of eth7");
}

#[test]
fn stability_that_is_interrupted_tells_what_it_has() {
    // On a terminal it shows when it has measured something.
    let (mut terminal, screen) = Terminal::new(80, 24);
    let mut child = program()
        .args(["stability", "--interval", "5ms", "mock:igb"])
        .stdout(Stdio::piped())
        .stderr(screen)
        .spawn()
        .expect("started");
    terminal.until(|drawn| drawn.contains(" readings, the last ")).expect("readings");
    kill(pid(&child), Signal::SIGTERM).expect("sent");
    let mut told = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut told).expect("text");
    assert!(told.contains("drift") && told.contains("MTIE"), "{told}");
    assert_eq!(child.wait().expect("ended").signal(), Some(Signal::SIGTERM as i32));
}

#[test]
fn what_cannot_be_measured_is_refused_at_once() {
    for command in ["monitor", "record /dev/null", "stability"] {
        ptpctl(&format!("{command} --clock aux3 mock:igb")).failed(3, "aux3");
    }
}

#[test]
fn two_offsets_have_what_two_can_have() {
    let two = recording("two-offsets", [Some(5), Some(8)].into_iter());
    let found = ptpctl(&format!("stability --json --from {}", two.0.display())).done().json();
    let all = found["deviations"].as_array().expect("a list");
    assert_eq!(
        (all.len(), &all[0]["mtie_ns"], &all[0]["adev"]),
        (1, &3.0.into(), &serde_json::Value::Null)
    );
    assert_eq!(
        (&found["rate_ppb"], &found["drift_ppb_per_day"]),
        (&30.0.into(), &serde_json::Value::Null)
    );
    let three = recording("three-offsets", [Some(5), Some(8), Some(7)].into_iter());
    let run = ptpctl(&format!("stability --from {}", three.0.display())).done();
    let columns: Vec<_> = run.stdout.lines().last().expect("a line").split("  ").collect();
    assert_eq!(columns.iter().filter(|one| !one.is_empty()).count(), 6, "{}", run.stdout);
}

#[test]
fn a_step_counts_unless_it_is_removed_or_splits() {
    let offsets = || (0..200).map(|place| Some(if place < 120 { place } else { place + 50_000 }));
    let file = recording("stepped-offsets", offsets());
    let text = std::fs::read_to_string(&file.0).expect("read");
    let marked = text.replacen("\"offset_ns\":50120,", "\"offset_ns\":50120,\"stepped\":true,", 1);
    std::fs::write(&file.0, marked).expect("written");
    let of = |steps: &str| {
        let found = ptpctl(&format!("stability {steps} --from {}", file.0.display())).done().json();
        let first = found["deviations"][0].clone();
        (found["stretches"].clone(), found["steps"].clone(), first["mtie_ns"].clone())
    };
    let expected = |stretches: i64, mtie: f64| (stretches.into(), 1.into(), mtie.into());
    assert_eq!(of("--json"), expected(1, 50_001.0));
    assert_eq!(of("--json --steps keep"), expected(1, 50_001.0));
    assert_eq!(of("--json --steps remove"), expected(1, 1.0));
    assert_eq!(of("--json --steps split"), expected(2, 1.0));
    let run = ptpctl(&format!("stability --from {}", file.0.display())).done();
    assert!(run.stdout.contains("steps: 1; they count"), "{}", run.stdout);
}

#[test]
fn what_was_measured_counts_wherever_others_are_missing() {
    let missing = |place: i64| (place * 7_919) % 100 < 12;
    let there: Vec<i64> = (0..17_559).filter(|place| !missing(*place)).collect();
    let offsets = (0..17_559).map(|place| (!missing(place)).then_some(place % 3));
    let file = recording("missing-offsets", offsets);
    let found = ptpctl(&format!("stability --json --from {}", file.0.display())).done().json();
    let number = |name: &str| found[name].as_i64().expect("a number");
    let measured = i64::try_from(there.len()).expect("few");
    let places = there[there.len() - 1] - there[0] + 1;
    let expected = (measured, places - measured, 1);
    assert_eq!((number("offsets"), number("missing"), number("stretches")), expected);
}

#[test]
fn averaging_times_are_octaves_or_ten_a_decade_or_all() {
    let number = |taus: &str| {
        let line = format!("stability {taus} --count 400 mock:igb,time=virtual");
        ptpctl(&line).done().json()["deviations"].as_array().expect("a list").len()
    };
    assert_eq!(
        (number("--json"), number("--json --taus octave"), number("--json --taus all")),
        (8, 8, 133)
    );
    assert!((15..25).contains(&number("--json --taus decade")));
}

#[test]
fn offsets_that_do_not_vary_have_no_noise() {
    let file = recording("constant", (0..100).map(|_| Some(7)));
    let run = ptpctl(&format!("stability --from {}", file.0.display())).done();
    assert!(run.stdout.contains("none: the offsets are constant"), "{}", run.stdout);
    let file = recording("on-a-line", (0..100).map(|place| Some(3 * place)));
    let run = ptpctl(&format!("stability --from {}", file.0.display())).done();
    assert!(run.stdout.contains("none: the offsets are on a line"), "{}", run.stdout);
}

#[test]
fn offsets_in_pairs_and_at_changing_intervals_are_told() {
    let pairs = recording("pairs", (0..2_000).map(|place| (place % 10 < 2).then_some(0)));
    let run = ptpctl(&format!("stability --from {}", pairs.0.display())).done();
    assert!(run.stdout.contains("come in pairs: the first of each counts, 200"), "{}", run.stdout);
    let changing = recording(
        "changing",
        (0..2_000).map(|place| (place < 500 || place % 10 == 0).then_some(0)),
    );
    let run = ptpctl(&format!("stability --from {}", changing.0.display())).done();
    let told = "the interval changes between 100 ms and 1 s: judge each part by itself";
    assert!(run.stdout.contains(told), "{}", run.stdout);
}

#[test]
fn a_picture_can_leave_the_band_out() {
    let (with, without) = (
        TemporaryFile::with_extension("with-band", "svg"),
        TemporaryFile::with_extension("without-band", "svg"),
    );
    for (file, more) in [(&with, ""), (&without, " --no-band")] {
        let plot = file.0.display();
        ptpctl(&format!("monitor --lines --count 20 --plot {plot}{more} {MOCK}")).done();
    }
    let [with, without] =
        [&with, &without].map(|file| std::fs::read_to_string(&file.0).expect("drawn"));
    assert!(with.matches("<polygon").count() > without.matches("<polygon").count());
    assert!(with.contains("light:") && !without.contains("light:"));
    ptpctl(&format!("monitor --count 1 --no-band {MOCK}")).failed(2, "--plot");
}

#[test]
fn stability_of_too_little_is_an_error() {
    ptpctl(&format!("stability --count 1 {MOCK}")).failed(2, "too few");
    let one = recording("one-offset", [Some(5)].into_iter());
    let from = format!("--from {}", one.0.display());
    ptpctl(&format!("stability {from}")).failed(1, "too few");
    ptpctl(&format!("stability --mask g8272-a {from}")).failed(4, "too few");
    let empty = TemporaryFile::with_extension("empty", "jsonl");
    File::create(&empty.0).expect("made");
    ptpctl(&format!("stability --from {}", empty.0.display())).failed(1, "has no measurement");
    ptpctl("stability --from /nonexistent").failed(1, "can't open /nonexistent");
}

#[test]
fn pictures_are_drawn_as_their_names_say() {
    let recorded = TemporaryFile::with_extension("pictures", "jsonl");
    let recorded = recorded.0.display();
    ptpctl(&format!("record --count 50 {recorded} {MOCK}")).done();
    for (command, title) in [
        (format!("offset {MOCK}"), "realtime"),
        (format!("diff {MOCK} mock:e1000e,time=virtual"), " - mock:e1000e"),
        (format!("monitor --count 20 {MOCK}"), "realtime"),
        (format!("monitor --from {recorded}"), "realtime"),
        (format!("record --count 20 /dev/null {MOCK}"), "realtime"),
        ("stability --count 50 mock:igb,time=virtual".into(), "ADEV"),
    ] {
        let (svg, png) = (
            TemporaryFile::with_extension("picture", "svg"),
            TemporaryFile::with_extension("picture", "png"),
        );
        ptpctl(&format!("{command} --plot {}", svg.0.display())).done();
        let text = std::fs::read_to_string(&svg.0).expect("a picture");
        assert!(text.starts_with("<svg") && text.contains(title), "{command}");
        ptpctl(&format!("{command} --plot {}", png.0.display())).done();
        let bytes = std::fs::read(&png.0).expect("a picture");
        assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 5_000, "{command}");
        let drawn = ptpctl(&format!("{command} --plot -")).done().stdout;
        assert!(
            drawn.contains('┤') && drawn.chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c))
        );
    }
    let masked = TemporaryFile::with_extension("masked", "svg");
    let line = format!(
        "stability --count 50 --samples 800 --mask g8272-a --plot {} mock:igb,time=virtual",
        masked.0.display()
    );
    assert_eq!(ptpctl(&line).status, Some(4));
    assert!(std::fs::read_to_string(&masked.0).expect("a picture").contains("g8272-a MTIE"));
    ptpctl(&format!("offset --plot offset.jpg {MOCK}")).failed(2, "FILE.svg or FILE.png");
    ptpctl(&format!("offset --json --plot - {MOCK}")).failed(2, "leaves no room");
    ptpctl(&format!("offset --plot /nonexistent/a.png {MOCK}")).failed(1, "can't draw");
}

#[test]
fn a_processor_that_is_not_there_is_an_error_and_one_that_is_does() {
    ptpctl(&format!("offset --cpu 1023 {MOCK}")).failed(1, "processor 1023");
    ptpctl(&format!("monitor --count 1 --cpu 1023 {MOCK}")).failed(1, "processor 1023");
    ptpctl(&format!("monitor --count 1 --cpu 0 {MOCK}")).done();
}

#[test]
fn real_time_that_is_not_permitted_is_told_and_gone_without() {
    for command in ["offset --samples 25", "monitor --count 1", "stability --count 20"] {
        let run = ptpctl(&format!("{command} --realtime {MOCK}"));
        assert_eq!(run.status, Some(0), "{run:?}");
        // Users who may use real time get no message.
        let told = |text: &&str| text.contains("measuring goes on without");
        assert!(run.stderr.lines().all(|line| told(&line)), "{run:?}");
    }
}

#[test]
fn wrong_intervals_and_sources_are_told() {
    for (line, why) in [
        ("monitor --interval 100us mock", "use 1ms to 1day"),
        ("monitor --interval 5 mock", "no unit"),
        ("monitor --count 0 mock", "--count"),
        ("monitor --from - --interval 1s", "cannot be used with"),
        ("monitor --from - mock", "name none"),
        ("monitor mock:igb mock:igb", "is named twice"),
        ("record --plot same.svg same.svg mock", "is the same file"),
        ("stability --mask g9999 mock", "g8262-option1"),
        ("record", "<FILE>"),
    ] {
        ptpctl(line).failed(2, why);
    }
    ptpctl("monitor --count 1 nosuch:mock").failed(1, "nosuch");
    ptpctl("record /nonexistent/a.jsonl mock").failed(1, "can't write /nonexistent/a.jsonl");
    let other = TemporaryFile::with_extension("other", "txt");
    std::fs::write(&other.0, "something else\n").expect("written");
    ptpctl(&format!("record {} mock", other.0.display())).failed(1, "no recording");
}

#[test]
fn what_cannot_be_written_is_told_before_it_is_measured() {
    ptpctl("record - mock").failed(2, "monitor --json");
    ptpctl("record mock:igb").failed(2, "is a clock: name a file before it");
    for command in ["offset", "monitor --count 1", "stability", "diff mock:igb"] {
        let line = format!("{command} --plot /nonexistent/a.svg mock");
        ptpctl(&line).failed(1, "can't draw /nonexistent/a.svg");
    }
}

#[test]
fn a_picture_of_characters_needs_no_place_on_the_disk() {
    let folder = TemporaryFile::with_extension("folder", "d");
    std::fs::create_dir_all(folder.0.join("-")).expect("made");
    let arguments = ["offset", "--samples", "25", "--plot", "-", MOCK];
    let run = run(program().args(arguments).current_dir(&folder.0));
    std::fs::remove_dir_all(&folder.0).expect("removed");
    assert!(run.done().stdout.contains('┤'));
}

#[test]
fn a_name_that_ends_in_what_is_not_written_is_refused() {
    for end in ["csv", "xz", "tim", "TSV"] {
        let path = TemporaryFile::with_extension(&format!("not-{end}"), end);
        let line = format!("record --count 1 {} {MOCK}", path.0.display());
        ptpctl(&line).failed(2, "record writes JSON lines");
        assert!(!path.0.exists(), "{end}");
    }
}

#[test]
fn two_cannot_add_to_one_file() {
    let file = TemporaryFile::with_extension("two", "jsonl.zst");
    let path = file.0.display().to_string();
    let mut first = program()
        .args(["record", "--interval", "5ms", &path, "mock:igb"])
        .stdout(Stdio::null())
        .spawn()
        .expect("started");
    while std::fs::metadata(&file.0).map_or(0, |found| found.len()) < 100 {
        thread::sleep(Duration::from_millis(20));
    }
    ptpctl(&format!("record --count 1 {path} {MOCK}")).failed(1, "another process adds to it");
    kill(pid(&first), Signal::SIGTERM).expect("sent");
    first.wait().expect("ended");
    let run = ptpctl(&format!("monitor --from {path}")).done();
    assert_eq!(run.stderr, "", "the file is whole");
}

#[test]
fn a_signal_ends_what_waits_for_a_pipe() {
    let pipe = TemporaryFile::with_extension("pipe", "jsonl");
    mkfifo(&pipe.0, Mode::S_IRWXU).expect("a pipe");
    let path = pipe.0.display().to_string();
    let signalled = |mut child: Child| {
        thread::sleep(Duration::from_millis(300));
        kill(pid(&child), Signal::SIGTERM).expect("sent");
        assert_eq!(child.wait().expect("ended").signal(), Some(Signal::SIGTERM as i32));
    };
    // No program reads the pipe.
    let start = |command: &mut Command| command.stdout(Stdio::null()).spawn().expect("started");
    signalled(start(program().args(["record", &path, "mock:igb"])));
    // No program writes to the pipe.
    signalled(start(program().args(["monitor", "--from", &path])));
    // The writer sends nothing.
    let mut silent = program();
    let mut child = start(silent.args(["monitor", "--from", "-"]).stdin(Stdio::piped()));
    let pipe = child.stdin.take();
    signalled(child);
    drop(pipe);
    // The reader of the pipe has stopped reading.
    let mut command = program();
    command.args(["record", "--interval", "1ms", &path, "mock:igb"]);
    let writer = start(&mut command);
    let reader = File::open(&path).expect("opened");
    thread::sleep(Duration::from_secs(1));
    signalled(writer);
    drop(reader);
}

#[test]
fn a_line_that_comes_through_a_pipe_is_printed_at_once() {
    let line = ptpctl(&format!("monitor --json --count 1 {MOCK}")).done().stdout;
    let mut child = program()
        .args(["monitor", "--json", "--from", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut to = child.stdin.take().expect("a pipe");
    let mut from = BufReader::new(child.stdout.take().expect("a pipe"));
    for _ in 0..3 {
        to.write_all(line.as_bytes()).expect("written");
        let mut printed = String::new();
        from.read_line(&mut printed).expect("read");
        assert_eq!(printed.replacen("\"schema\":2,", "", 1), line.replacen("\"schema\":2,", "", 1));
    }
    drop(to);
    assert_eq!(child.wait().expect("ended").code(), Some(0));
}

#[test]
fn what_is_compressed_is_known_without_its_name() {
    let file = TemporaryFile::with_extension("unnamed", "jsonl.zst");
    ptpctl(&format!("record --count 3 {} {MOCK}", file.0.display())).done();
    let from = File::open(&file.0).expect("opened");
    let run = run(program().args(["monitor", "--json", "--from", "-"]).stdin(from));
    assert_eq!(run.done().lines().len(), 3);
}

#[test]
fn a_file_without_a_measurement_is_an_error() {
    let file = TemporaryFile::with_extension("empty", "jsonl");
    std::fs::write(&file.0, "").expect("written");
    for command in ["monitor", "stability"] {
        let line = format!("{command} --from {}", file.0.display());
        ptpctl(&line).failed(1, "has no measurement");
    }
}

#[test]
fn stability_picks_one_of_several_of_a_file() {
    let file = TemporaryFile::with_extension("several", "jsonl");
    let path = file.0.display();
    let other = "mock:igb,time=virtual,offset=1us";
    ptpctl(&format!("record --count 20 {path} {MOCK} {MOCK}:{other}")).done();
    let run = ptpctl(&format!("stability --from {path} {MOCK}"));
    run.failed(2, &format!("has several: {MOCK}:realtime, {MOCK}:{other}"));
    for reference in ["realtime", other] {
        let line = format!("stability --json --from {path} {MOCK}:{reference}");
        assert_eq!(ptpctl(&line).done().json()["reference"], reference);
    }
}

#[test]
fn stability_of_two_clocks_is_that_of_their_difference() {
    let other = "mock:igb,time=virtual,offset=1us";
    let json = ptpctl(&format!("stability --json --count 20 {MOCK}:{other}")).done().json();
    assert_eq!(json["reference"], other);
}

#[test]
fn readings_are_counted_while_the_clock_is_there_and_a_gone_one_costs_no_time() {
    // The clock is there for 100 ms, then goes and comes back at once.
    let line = "monitor --count 30 --interval 20ms --json mock:igb,remove=100ms";
    let lines = ptpctl(line).done().lines();
    assert_eq!(lines.iter().filter(|line| line["absent"].is_null()).count(), 30);
    let began = std::time::Instant::now();
    ptpctl("monitor --duration 1s --interval 20ms --json mock:igb,remove=100ms").done();
    assert!(began.elapsed() >= Duration::from_millis(950), "{:?}", began.elapsed());
}

#[test]
fn a_measurement_of_many_samples_delays_no_end() {
    let mut child = program()
        .args(["monitor", "--samples", "100000", "mock:igb,read=1ms"])
        .stdout(Stdio::null())
        .spawn()
        .expect("started");
    thread::sleep(Duration::from_millis(500));
    kill(pid(&child), Signal::SIGTERM).expect("sent");
    let began = std::time::Instant::now();
    assert_eq!(child.wait().expect("ended").signal(), Some(Signal::SIGTERM as i32));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn a_full_disk_is_told_after_a_signal_too() {
    let recording = TemporaryFile::with_extension("limited", "jsonl");
    // A write beyond `ulimit -f` fails with an errno, like a write to a full disk.
    let child = limited("ulimit -f 0")
        .args(["record", "--interval", "100ms"])
        .args([recording.0.as_os_str(), "mock:igb".as_ref()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    thread::sleep(Duration::from_millis(500));
    kill(pid(&child), Signal::SIGTERM).expect("sent");
    let output = child.wait_with_output().expect("ended");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("File too large"), "{told}");
}

#[test]
fn each_of_several_clocks_is_measured_as_often_as_was_asked_for() {
    let line = "monitor --count 20 --interval 20ms --json mock:igb mock:e1000e,remove=100ms";
    let lines = ptpctl(line).done().lines();
    for device in ["mock:igb", "mock:e1000e,remove=100ms"] {
        let of_it =
            |line: &&serde_json::Value| line["device"] == device && line["absent"].is_null();
        assert_eq!(lines.iter().filter(of_it).count(), 20, "{device}");
    }
}

#[test]
fn a_closed_pipe_ends_it_and_is_no_error() {
    let mut child = program()
        .args(["monitor", "--interval", "1ms", "mock:igb"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut some = [0; 16];
    child.stdout.take().expect("a pipe").read_exact(&mut some).expect("a line");
    let output = child.wait_with_output().expect("ended");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn measurements_come_through_a_pipe() {
    let lines = ptpctl(&format!("monitor --json --count 40 {MOCK}")).done().stdout;
    let mut command = program();
    command.args(["stability", "--json", "--from", "-"]).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).spawn().expect("started");
    child.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("ended");
    assert_eq!(output.status.code(), Some(0));
    let direct: Run = run(program()
        .args(["stability", "--json", "--interval", "1s"])
        .args(["--count", "40", MOCK]));
    assert_eq!(String::from_utf8(output.stdout).expect("text"), direct.done().stdout);
}

#[test]
fn a_picture_has_room_for_twenty_clocks_and_says_what_it_leaves_out() {
    let recording = TemporaryFile::with_extension("many-clocks", "jsonl");
    let line = |clock: u32| {
        format!(
            "{{\"device\":\"/dev/ptp{clock}\",\"clock_name\":null,\"reference\":\"realtime\",\"at\":{{\
             \"seconds\":{},\"nanoseconds\":0}},\"offset_ns\":7}}\n",
            1_700_000_000 + clock
        )
    };
    let lines = |number| (0..number).map(line).collect::<Vec<_>>().concat();
    let picture = TemporaryFile::with_extension("many-clocks", "svg");
    let [from, to] = [&recording, &picture].map(|file| file.0.display().to_string());
    for (number, told) in [(20, ""), (5_000, "room for 20 clocks; left out: 4980")] {
        std::fs::write(&recording.0, lines(number)).expect("written");
        let run = ptpctl(&format!("monitor --from {from} --plot {to}"));
        assert_eq!((run.status, run.stderr.is_empty()), (Some(0), told.is_empty()), "{run:?}");
        assert!(run.stderr.contains(told), "{run:?}");
        let drawn = std::fs::read_to_string(&picture.0).expect("drawn");
        assert!(drawn.contains("/dev/ptp19") && !drawn.contains("/dev/ptp20"));
    }
}
