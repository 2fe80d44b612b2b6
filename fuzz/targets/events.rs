//! The stream of events: whatever the kernel's structs hold, it becomes an event or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ptpctl::fuzzing::events(bytes));
