//! Whether the program was started with a standard output.
//!
//! Before `main`, Rust's runtime opens `/dev/null` in place of a closed standard output. What is
//! written to it is lost, and no call fails. So this module looks before the runtime does.

#![expect(unsafe_code, reason = "runs before main")]

use std::sync::atomic::{AtomicBool, Ordering};

static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

extern "C" fn look() {
    // SAFETY: the call takes no pointer.
    let answer = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) };
    WAS_CLOSED.store(answer == -1, Ordering::Relaxed);
}

// SAFETY: the C library calls the functions in this section before `main`; this one touches an
// atomic and makes one system call, which needs nothing of Rust's runtime.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

/// Whether standard output was closed when the program was started (`>&-`).
pub fn standard_output_was_closed() -> bool {
    WAS_CLOSED.load(Ordering::Relaxed)
}
