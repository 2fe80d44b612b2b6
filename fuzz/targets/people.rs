//! What people write: offsets, frequencies, times, durations, pins, clocks.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| ptpctl::fuzzing::people(text));
