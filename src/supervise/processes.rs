//! The processes that this one has started, and those that they have.

use nix::unistd::Pid;
use std::fs;
use std::path::Path;

/// The processes that have this one for a parent, by number and name.
pub(super) fn children() -> Vec<(Pid, String)> {
    children_of(Pid::this())
}

/// All processes that descend from this one, by number and name.
pub(super) fn descendants() -> Vec<(Pid, String)> {
    let mut all = children();
    let mut place = 0;
    while let Some((process, _)) = all.get(place) {
        let next = children_of(*process);
        all.extend(next);
        place += 1;
    }
    all
}

fn children_of(process: Pid) -> Vec<(Pid, String)> {
    // Any of its threads may have started them.
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten();
    let threads = threads.filter_map(|thread| thread.ok().map(|thread| thread.path()));
    threads.flat_map(|thread| children_of_thread(&thread)).collect()
}

fn children_of_thread(thread: &Path) -> Vec<(Pid, String)> {
    let path = thread.join("children");
    let all = fs::read_to_string(path).unwrap_or_default();
    all.split_whitespace()
        .filter_map(|number| {
            let name = fs::read_to_string(format!("/proc/{number}/comm")).ok()?;
            Some((Pid::from_raw(number.parse().ok()?), name.trim_end().to_owned()))
        })
        .collect()
}
