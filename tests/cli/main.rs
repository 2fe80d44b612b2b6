//! The program as people use it, on the mock clock. Each file covers a subject, and the name of
//! each test is a sentence.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that can't run has failed"
)]

mod apply;
mod commands;
mod common;
mod compat;
mod defects;
mod doctor;
mod drivers;
mod ends;
mod faults;
mod field;
mod files;
mod foreign;
mod journal;
mod ktap;
mod measure;
mod metrics;
mod mock_run;
mod mock_script;
mod monitor;
mod outcomes;
mod output;
mod people;
mod replay;
mod schema;
mod selftest;
mod shells;
mod sound;
mod terminal;
mod trace;
mod wrong_input;
