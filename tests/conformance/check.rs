//! What a case is made of: its name, and checks that stop it.

use crate::world::World;
use nix::errno::Errno;
use std::fmt::Debug;

/// Why a case ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// This clock can't be tested in this way.
    Skip(String),
    /// A call answered something else than the case expects.
    Differs(String),
}

pub(crate) type Check = Result<(), Stop>;

pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) run: Box<dyn Fn(&World) -> Check>,
}

#[derive(Default)]
pub(crate) struct Suite {
    pub(crate) cases: Vec<Case>,
}

impl Suite {
    /// Adds a case.
    pub(crate) fn case(
        &mut self,
        name: impl Into<String>,
        run: impl Fn(&World) -> Check + 'static,
    ) {
        self.cases.push(Case { name: name.into(), run: Box::new(run) });
    }
}

/// Ends a case that doesn't apply to this clock.
pub(crate) fn skip<T>(why: &str) -> Result<T, Stop> {
    Err(Stop::Skip(why.to_owned()))
}

/// The answer of a call that must succeed.
pub(crate) fn works<T>(answer: Result<T, Errno>) -> Result<T, Stop> {
    answer.map_err(|errno| Stop::Differs(format!("it should work, answered {errno:?}")))
}

/// A call that must fail with this errno, or succeed if it is `None`.
pub(crate) fn answers<T>(answer: Result<T, Errno>, expected: Option<Errno>) -> Check {
    is("its answer", answer.err(), expected)
}

/// A call that must fail with this errno.
pub(crate) fn refuses<T>(answer: Result<T, Errno>, errno: Errno) -> Check {
    answers(answer, Some(errno))
}

/// Two things that must be the same.
#[expect(clippy::needless_pass_by_value, reason = "reads as an equation")]
pub(crate) fn is<T: PartialEq + Debug>(what: &str, found: T, expected: T) -> Check {
    if found == expected {
        return Ok(());
    }
    Err(Stop::Differs(format!("{what} is {found:?}, not {expected:?}")))
}

/// Something that must hold.
pub(crate) fn holds(what: &str, so: bool) -> Check {
    if so { Ok(()) } else { Err(Stop::Differs(format!("it doesn't hold that {what}"))) }
}
