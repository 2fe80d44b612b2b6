//! What sysfs and the leap-second list hold.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| ptpctl::fuzzing::sysfs(text));
