//! What people write in TOML, a script of `mock run` or a file of `apply`: whatever it holds, it is
//! read or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| ptpctl::fuzzing::script(text));
