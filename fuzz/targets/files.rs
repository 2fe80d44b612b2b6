//! Masks of one's own, and other programs' files.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| ptpctl::fuzzing::files(text));
