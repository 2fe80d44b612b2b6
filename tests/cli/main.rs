//! The program as people use it, on the mock clock. Each file is a chapter, each test a sentence.

mod commands;
mod common;
mod defects;
mod ends;
mod wrong_input;
