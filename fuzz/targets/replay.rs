//! A recording of calls: whatever it holds, it is played or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ptpctl::fuzzing::replay(bytes));
