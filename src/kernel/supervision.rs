//! What it takes to answer other programs' system calls, or to watch them: the filter that hands
//! them over, the listener that gets them, ptrace, their numbers and structs, and the memory of the
//! programs.

pub(crate) mod abi;
pub(crate) mod filter;
pub(crate) mod listener;
pub(crate) mod memory;
pub(crate) mod pipe;
pub(crate) mod ptp_request;
pub(crate) mod start;
pub(crate) mod status;
pub(crate) mod timex32;
pub(crate) mod tracing;
