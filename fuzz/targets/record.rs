//! A file of measurements: whatever it holds, it is read, drawn and judged, or told to be damaged.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ptpctl::fuzzing::record(bytes));
