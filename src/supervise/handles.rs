//! The open clocks of the program.
//!
//! What the program has in its hand is the reading end of a pipe, so that `read`, `poll` and all
//! their kin are the kernel's own: the supervisor only writes events into the other end. The pipe
//! is known by its inode, which is the same after `dup`, `fork`, `exec` and on the way over a
//! socket. When the last copy is closed, the writing end shows an error.

use super::guest::Identity;
use crate::kernel::Result;
use crate::kernel::supervision::memory::Plain;
use crate::kernel::supervision::pipe::waiting_in;
use crate::kernel::uapi::{ExttsEvent, PTP_BUF_TIMESTAMPS, PTP_MAX_TIMESTAMPS};
use crate::mock::Mock;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{pipe2, read, write};
use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// An open clock.
pub(super) struct Handle {
    /// The place of its clock.
    pub(super) clock: usize,
    pub(super) mock: Mock,
    /// Where events go; nowhere once the clock has gone.
    events: Option<OwnedFd>,
    identity: Identity,
}

/// The open clocks, by the inodes of their pipes, which are all on one device.
#[derive(Default)]
pub(super) struct Handles(HashMap<u64, Handle>);

/// How many bytes an event has.
const EVENT: usize = size_of::<ExttsEvent>();

impl Handles {
    /// Adds an open clock; answers the end for the program, which is closed here afterwards.
    ///
    /// # Errors
    ///
    /// `EMFILE`.
    pub(super) fn add(&mut self, clock: usize, mock: Mock) -> Result<(Identity, OwnedFd)> {
        let (theirs, events) = pipe2(OFlag::O_CLOEXEC)?;
        // A full pipe must not stop the supervisor.
        nix::fcntl::fcntl(&events, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let identity = Identity::of(&fstat(&theirs)?);
        self.0.insert(identity.inode, Handle { clock, mock, events: Some(events), identity });
        Ok((identity, theirs))
    }

    pub(super) fn get(&self, identity: Identity) -> Option<&Handle> {
        self.0.get(&identity.inode).filter(|handle| handle.identity == identity)
    }

    /// Closes the handle of this inode, which no process has open any more.
    pub(super) fn close(&mut self, inode: u64) {
        self.0.remove(&inode);
    }

    /// Ends the events of a clock that has gone: who waits for them reads the end of a file.
    pub(super) fn end_events(&mut self, clock: usize) {
        for handle in self.0.values_mut().filter(|handle| handle.clock == clock) {
            handle.events = None;
        }
    }

    /// Passes on the events of a clock up to now.
    pub(super) fn pass_events(&self, clock: usize) {
        self.0.values().filter(|handle| handle.clock == clock).for_each(Handle::pass_events);
    }
}

impl Handle {
    /// The end of the pipe, which shows an error when the last copy of the other end is closed.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.events.as_ref().map(OwnedFd::as_fd)
    }

    fn pass_events(&self) {
        let Some(pipe) = &self.events else { return };
        let mut events = [ExttsEvent::ZERO; PTP_BUF_TIMESTAMPS];
        loop {
            let number = self.mock.take_events(&mut events);
            if number == 0 {
                return;
            }
            let new: Vec<u8> =
                events.iter().take(number).flat_map(|event| event.bytes().to_vec()).collect();
            make_room(pipe, new.len());
            // A reader that has gone meanwhile misses them.
            let _ = write(pipe, &new);
        }
    }
}

/// As the kernel's queue, the pipe keeps the latest 127 events: the oldest are dropped.
fn make_room(pipe: &OwnedFd, bytes: usize) {
    let waiting = waiting_in(pipe.as_fd());
    let most = (PTP_MAX_TIMESTAMPS - 1) * EVENT;
    let surplus = (waiting + bytes).saturating_sub(most);
    if surplus == 0 {
        return;
    }
    let again = format!("/proc/self/fd/{}", pipe.as_raw_fd());
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    if let Ok(end) = open(again.as_str(), flags, Mode::empty()) {
        let mut dropped = vec![0; surplus];
        let _ = read(&end, &mut dropped);
    }
}
