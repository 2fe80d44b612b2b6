//! What users run into on their machines, and how ptpctl explains it.

use crate::common::ptpctl;

#[test]
fn who_changes_a_clock_that_a_program_steers_is_told() {
    for change in ["set now", "set @1700000000", "adjtime 1s", "adjfreq 1ppm", "adjphase 5ns"] {
        let run = ptpctl(&format!("{change} mock:full,held-by=phc2sys"));
        assert_eq!(run.status, Some(0), "{change}: {run:?}");
        assert!(run.stderr.contains("phc2sys (0) has this clock open"), "{change}: {run:?}");
    }
    for line in [
        "get mock:full,held-by=phc2sys",
        "adjtime 1s --dry-run mock:full,held-by=phc2sys",
        "adjtime 1s mock:full,held-by=cat",
        "adjtime 1s mock:full,held-by=phc2sys,fail=clock_adjtime:EIO",
    ] {
        assert!(!ptpctl(line).stderr.contains("has this clock open"), "{line}");
    }
    let list = ptpctl("list mock:full,held-by=cat").done();
    assert!(list.stdout.contains("cat (0)"), "{list:?}");
}

#[test]
fn whole_seconds_are_told_with_what_sets_them_right() {
    for (offset, why) in [
        ("-37s", "the wrong sign"),
        ("74s", "added twice"),
        ("-74s", "subtracted twice"),
        ("18s", "GPS time"),
        ("19s", "TAI - GPS"),
    ] {
        let told = ptpctl(&format!("offset mock:igb,time=virtual,offset={offset}")).done().stdout;
        assert!(told.contains(why), "{offset}: {told}");
        assert!(told.contains("ptpctl set now --tai mock:igb"), "{offset}: {told}");
    }
    for offset in ["0s", "5s", "37s"] {
        let told = ptpctl(&format!("offset mock:igb,time=virtual,offset={offset}")).done().stdout;
        assert!(!told.contains("ptpctl set now"), "{offset}: {told}");
    }
    // One clock keeps TAI, the other UTC.
    let apart = ptpctl("diff mock:igb,time=virtual,offset=37s mock:igb,time=virtual").done().stdout;
    assert!(apart.contains("the first clock keeps TAI and the other UTC"), "{apart}");
    let apart = ptpctl("diff mock:igb,time=virtual mock:igb,time=virtual,offset=37s").done().stdout;
    assert!(apart.contains("the second clock keeps TAI and the other UTC"), "{apart}");
}

#[test]
fn what_others_have_people_type_is_answered_with_the_line() {
    for (typed, line) in [
        ("/dev/ptp0 caps", "ptpctl caps /dev/ptp0"),
        ("eth0 get", "ptpctl get eth0"),
        ("-d mock -g", "ptpctl get mock"),
        ("freq 1000", "ptpctl adjfreq 1000ppb"),
        ("set mock now", "ptpctl set now mock"),
        ("set mock:igb @5", "ptpctl set @5 mock:igb"),
        ("set now+5s", "ptpctl adjtime 5s"),
        ("perout --start 5s", "ptpctl perout --period 1s --start +5s"),
        ("diff mock:mock:igb", "ptpctl diff mock mock:igb"),
        ("set mock", "ptpctl set now mock"),
    ] {
        let told = ptpctl(typed).failed(2, "").stderr;
        assert!(told.ends_with(&format!("\n  {line}\n")), "{typed}: {told}");
        assert!(!told.contains("tip:"), "{typed}: {told}");
        // The line must be valid: it may only fail because there is no such clock.
        let again = ptpctl(line.trim_start_matches("ptpctl "));
        assert_ne!(again.status, Some(2), "{line}: {again:?}");
    }
    ptpctl("offset --plot mock").failed(2, "--plot FILE.svg mock");
    // A day is a time on that day, not any time.
    for day in ["yesterday", "tomorrow"] {
        let told = ptpctl(&format!("set {day} mock:full,time=virtual")).failed(2, "").stderr;
        let line = told.lines().last().unwrap_or_default().trim();
        let set = ptpctl(line.trim_start_matches("ptpctl ")).done().stdout;
        assert!(set.contains("set to"), "{line}: {set}");
    }
}

#[test]
fn no_message_is_in_the_compilers_words_or_leads_to_another_error() {
    for line in [
        "extts --count x mock",
        "extts --channel abc mock",
        "extts --channel -1 mock",
        "extts --duration x mock",
        "offset --samples 1.5 mock",
        "offset --cpu x mock",
        "monitor --count x mock",
        "get --count x",
        "vclocks -1 mock",
        "adjtime x mock",
        "adjfreq x mock",
        "set x mock",
        "perout --period x mock",
        "perout --frequency x mock",
        "perout --period 1s --duty x mock",
    ] {
        let told = ptpctl(line).failed(2, "").stderr;
        for words in ["invalid digit", "expected number", "ParseIntError", "to pass", "os error"] {
            assert!(!told.contains(words), "{line}: {told}");
        }
    }
}

#[test]
fn tai_can_be_said_where_nothing_tells_it() {
    let unknown = "mock:full,time=virtual,tai=unknown";
    ptpctl(&format!("set now --tai {unknown}")).failed(1, "--tai 37s");
    let set = ptpctl(&format!("set now --tai 37s --json {unknown}")).done().json();
    assert_eq!(set["tai_offset_s"], 37);
    let set = ptpctl(&format!("set --tai=36s 2026-01-01T00:00:00Z --json {unknown}")).done().json();
    assert_eq!(set["time"]["seconds"], 1_767_225_636);
    // What comes after --tai alone is a clock.
    ptpctl("set now --tai mock:full").done();
    ptpctl(&format!("set-system --tai 37s {unknown},offset=37s")).done();
    for wrong in ["--tai=37.5s", "--tai=0", "--tai=-37s", "--tai=37"] {
        ptpctl(&format!("set now {wrong} mock")).failed(2, "--tai");
    }
}

#[test]
fn every_note_begins_in_the_same_way() {
    let report = ptpctl("pin 0 extts --channel 9 mock:full");
    assert!(report.stderr.starts_with("ptpctl: can't"), "{report:?}");
    let aside = ptpctl("extts --count 1 mock:cpts,signal=5ms").stderr;
    let told = ptpctl("perout --period 1s mock").done().stdout;
    assert!(aside.starts_with("note: ") && told.contains("\nnote: "), "{aside} {told}");
}
