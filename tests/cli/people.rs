//! What people meet on their machines, and what they mean.

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
    // A clock against itself in another scale.
    let apart = ptpctl("diff mock:igb,time=virtual,offset=37s mock:igb,time=virtual").done().stdout;
    assert!(apart.contains("the first clock keeps TAI and the other UTC"), "{apart}");
    let apart = ptpctl("diff mock:igb,time=virtual mock:igb,time=virtual,offset=37s").done().stdout;
    assert!(apart.contains("the second clock keeps TAI and the other UTC"), "{apart}");
}
