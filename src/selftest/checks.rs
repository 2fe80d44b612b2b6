//! The checks, in groups: one for each capability, a file each.
//!
//! A check has its group, its name, the checks that it needs, and its function, which follows it.

mod access;
mod caps;
mod frequency;
mod offset;
mod phase;
mod pins;
mod restore;
mod set;
mod step;
mod time;
mod versions;
mod wire;

use super::bench::Bench;
use super::verdict::Verdict;
use std::fmt;

/// Checks of one capability.
#[derive(Debug)]
pub struct Group {
    /// Its name: "time".
    pub name: &'static str,
    /// What they do to the clock, for the question to the user: "step it". It is put back.
    pub changes: Option<&'static str>,
    /// The checks, in their order.
    pub checks: &'static [&'static Check],
}

/// One check.
pub struct Check {
    pub(super) group: &'static Group,
    /// Its name, which says what must hold: "is monotonic".
    pub name: &'static str,
    /// Checks that must hold before this one can be judged.
    pub(super) needs: &'static [&'static Check],
    pub(super) run: fn(&mut Bench<'_>) -> Verdict,
}

/// As people read it: "time/is monotonic".
impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.group.name, self.name)
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// All groups, in the order in which they run.
pub static GROUPS: [&Group; 13] = [
    &caps::GROUP,
    &versions::GROUP,
    &access::GROUP,
    &time::GROUP,
    &set::GROUP,
    &step::GROUP,
    &frequency::GROUP,
    &phase::GROUP,
    &offset::GROUP,
    &pins::GROUP,
    &wire::EXTTS,
    &wire::PEROUT,
    RESTORE,
];

/// The group that runs in any case.
pub(super) const RESTORE: &Group = &restore::GROUP;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_knows_its_group_and_needs_only_checks_before_it() {
        let all: Vec<_> = GROUPS.iter().flat_map(|group| group.checks).collect();
        for (at, check) in all.iter().enumerate() {
            assert!(check.group.checks.iter().any(|one| std::ptr::eq(*one, **check)), "{check}");
            for need in check.needs {
                let before = all.iter().position(|one| std::ptr::eq(**one, *need));
                assert!(before.is_some_and(|before| before < at), "{check} needs {need}");
            }
        }
    }
}
