//! A script of `mock run`: whatever it holds, it is read or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| ptpctl::fuzzing::script(text));
