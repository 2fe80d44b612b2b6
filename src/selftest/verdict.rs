//! How a check ends.

use crate::phc::Error;
use nix::errno::Errno;

/// Why a check ended without having passed.
#[derive(Debug)]
pub(super) enum Stop {
    /// The driver is wrong.
    Wrong(String),
    /// The clock hasn't got it, or it wasn't asked for.
    Skip(String),
    /// This check can't be judged. Checks that need it can.
    Untold(String),
    /// It was measured too coarsely to tell.
    Unsure(String),
    /// A call failed that should work.
    Failed(Error),
    /// A signal came.
    Interrupted,
}

pub(super) type Verdict = Result<(), Stop>;

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Ends a check that can't be made here.
pub(super) fn skip<T>(why: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Skip(why.into()))
}

/// Passes if `so` holds, and else fails with what is wrong.
pub(super) fn must(so: bool, wrong: impl FnOnce() -> String) -> Verdict {
    if so { Ok(()) } else { Err(Stop::Wrong(wrong())) }
}

/// Passes if the call was refused with this errno.
pub(super) fn must_refuse<T>(what: &str, answer: Result<T, Errno>, errno: Errno) -> Verdict {
    match answer.map(drop) {
        Err(found) if found == errno => Ok(()),
        Err(found) => {
            Err(Stop::Wrong(format!("{what} was refused with {found:?}, expected {errno:?}")))
        }
        Ok(()) => Err(Stop::Wrong(format!("{what} was accepted, expected {errno:?}"))),
    }
}
