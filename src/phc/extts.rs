//! External timestamps.

use super::{Error, Phc, PinFunction, Reason, Task};
use crate::kernel::uapi::{
    ExttsEvent, PTP_BUF_TIMESTAMPS, PTP_ENABLE_FEATURE, PTP_EXT_OFFSET, PTP_EXTTS_EDGES,
    PTP_FALLING_EDGE, PTP_MAX_CHANNELS, PTP_MAX_TIMESTAMPS, PTP_RISING_EDGE, PTP_STRICT_FLAGS,
    ptp_extts_request,
};
use crate::kernel::{self, Call, Version, Wait};
use crate::{Offset, Timestamp, Unknown};
use nix::errno::Errno;
use nix::poll::PollFd;
use std::time::Duration;

/// The edges of a signal that are timestamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edges {
    /// From low to high.
    Rising,
    /// From high to low.
    Falling,
    /// Both.
    Both,
}

/// What is asked of an external timestamp channel.
#[doc(alias = "ptp_extts_request")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExttsRequest {
    /// The channel.
    pub channel: u32,
    /// The edges.
    pub edges: Edges,
    /// Events that carry an offset to the clock's own second instead of a time.
    #[doc(alias = "PTP_EXT_OFFSET")]
    pub offset_events: bool,
}

/// One external event.
#[doc(alias = "ptp_extts_event")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The channel that it came on.
    pub channel: u32,
    /// What it carries.
    pub kind: EventKind,
}

/// What an event carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// The clock's time at the edge.
    Time(Timestamp<Unknown>),
    /// An offset (`EXT_OFFSET`).
    Offset(Offset),
}

impl Phc {
    /// Switches external timestamps of a channel on. Wraps `PTP_EXTTS_REQUEST2`, or
    /// `PTP_EXTTS_REQUEST` where the kernel or the driver takes no other.
    ///
    /// Returns whether the driver was asked strictly. Where it wasn't it may have taken edges
    /// other than those asked for.
    ///
    /// # Errors
    ///
    /// [`Error::Unable`] for a channel that the clock doesn't have and for edges or offsets that
    /// its driver refuses; `EACCES` on a read-only handle, `EBUSY` where the driver wants a pin
    /// for the channel first, `ENODEV` where the clock has gone.
    #[doc(alias = "PTP_EXTTS_REQUEST2")]
    pub fn enable_extts(&self, request: ExttsRequest) -> Result<bool, Error> {
        self.check_extts(request.channel)?;
        let edges = match request.edges {
            Edges::Rising => PTP_RISING_EDGE,
            Edges::Falling => PTP_FALLING_EDGE,
            Edges::Both => PTP_EXTTS_EDGES,
        };
        let kind = if request.offset_events { PTP_EXT_OFFSET } else { 0 };
        let flags = PTP_ENABLE_FEATURE | edges | kind;
        let asked = &Task::EnableExtts(request.channel);
        let refused = match self.request_extts(Version::V2, request.channel, flags) {
            Ok(strictly) => return Ok(strictly),
            Err(errno) => errno,
        };
        // Version 1 has no offset events. It has edges, but a driver may ignore them.
        match refused {
            Errno::ENOTTY | Errno::EOPNOTSUPP if !request.offset_events => {}
            Errno::EOPNOTSUPP | Errno::EINVAL | Errno::ENOTTY if request.offset_events => {
                return Err(self.unable(asked, Reason::NoOffsetEvents));
            }
            errno => return Err(self.failed(asked, Call::ExttsRequest2, errno)),
        }
        match self.request_extts(Version::V1, request.channel, flags) {
            Ok(_) => Ok(false),
            Err(Errno::EOPNOTSUPP) => Err(self.unable(asked, Reason::Edges(request.edges))),
            Err(errno) => Err(self.failed(asked, Call::ExttsRequest, errno)),
        }
    }

    /// Makes one request with these flags, as programs do that know one version of it.
    #[cfg(feature = "cli")]
    pub(crate) fn request_extts_once(
        &self,
        version: Version,
        channel: u32,
        flags: u32,
    ) -> Result<(), Error> {
        let request = ptp_extts_request { index: channel, flags, rsv: [0; 2] };
        let call = match version {
            Version::V1 => Call::ExttsRequest,
            Version::V2 => Call::ExttsRequest2,
        };
        self.call(&Task::EnableExtts(channel), call, || self.calls.extts_request(version, &request))
    }

    /// Switches external timestamps of a channel off. Wraps `PTP_EXTTS_REQUEST`.
    ///
    /// # Errors
    ///
    /// As [`Phc::enable_extts`].
    #[doc(alias = "PTP_EXTTS_REQUEST")]
    pub fn disable_extts(&self, channel: u32) -> Result<(), Error> {
        // Version 1 is enough to switch off, and every kernel and every driver takes it.
        self.request_extts(Version::V1, channel, 0)
            .map(drop)
            .map_err(|errno| self.failed(&Task::DisableExtts(channel), Call::ExttsRequest, errno))
    }

    /// Refuses a channel that this clock doesn't have.
    ///
    /// # Errors
    ///
    /// [`Error::Unable`] with the channels that there are.
    pub fn check_extts(&self, channel: u32) -> Result<(), Error> {
        let channels = self.caps()?.extts_channels;
        if channel < channels {
            return Ok(());
        }
        let why = Reason::NoChannel { function: PinFunction::Extts, channel, channels };
        // This text has to fit a request to switch off, too.
        Err(self.unable(&Task::UseExtts(channel), why))
    }

    /// Makes a request, again and again while signals interrupt it; returns whether it was strict.
    fn request_extts(&self, version: Version, channel: u32, flags: u32) -> Result<bool, Errno> {
        let mut strict = version == Version::V2;
        let mut interrupted = 0;
        loop {
            let flags = if strict { flags | PTP_STRICT_FLAGS } else { flags };
            let request = ptp_extts_request { index: channel, flags, rsv: [0; 2] };
            kernel::forget_number();
            match self.calls.extts_request(version, &request) {
                Err(Errno::EINTR) if interrupted < super::MOST_INTERRUPTIONS => interrupted += 1,
                // Linux 5.4 has version 2 and doesn't know the strict flag.
                Err(Errno::EINVAL) if strict => strict = false,
                other => return other.map(|()| strict),
            }
        }
    }

    /// Makes this handle receive events of these channels only. Wraps `PTP_MASK_CLEAR_ALL` and
    /// `PTP_MASK_EN_SINGLE`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a channel beyond 2047; `ENOTTY` where the kernel (before 6.7) has
    /// one queue for all readers.
    #[doc(alias = "PTP_MASK_EN_SINGLE")]
    pub fn receive_only(&self, channels: &[u32]) -> Result<(), Error> {
        let asked = &Task::SelectChannels;
        if channels.iter().any(|channel| *channel >= PTP_MAX_CHANNELS) {
            let last = PTP_MAX_CHANNELS - 1;
            return Err(self.invalid(asked, Reason::BeyondMask { last }));
        }
        self.call(asked, Call::MaskClearAll, || self.calls.mask_clear_all())?;
        for channel in channels {
            self.call(asked, Call::MaskEnSingle, || self.calls.mask_en_single(*channel))?;
        }
        Ok(())
    }

    /// Waits until events can be read, one of `wake` is ready, a signal comes, or the time is up.
    ///
    /// # Errors
    ///
    /// `ENODEV` where the clock has gone.
    pub fn wait(&self, wake: &[PollFd<'_>], timeout: Duration) -> Result<Wait, Error> {
        let asked = &Task::Wait;
        match self.calls.wait(wake, timeout) {
            Ok(Wait::Gone) => Err(self.failed(asked, Call::Wait, Errno::ENODEV)),
            Ok(wait) => Ok(wait),
            Err(Errno::EINTR) => Ok(Wait::Woken),
            Err(errno) => Err(self.failed(asked, Call::Wait, errno)),
        }
    }

    /// Reads the events that are there, 30 at most; waits where there are none. Wraps `read`.
    ///
    /// Returns no event where a signal interrupted the wait.
    ///
    /// # Errors
    ///
    /// `ENODEV` where the clock has gone.
    pub fn read_events(&self, events: &mut Vec<Event>) -> Result<(), Error> {
        events.clear();
        let mut buffer = [ExttsEvent::ZERO; PTP_BUF_TIMESTAMPS];
        let number = match self.calls.read(&mut buffer) {
            Ok(number) => number,
            Err(Errno::EINTR) => 0,
            Err(errno) => return Err(self.failed(&Task::ReadEvents, Call::Read, errno)),
        };
        for event in buffer.iter().take(number) {
            events.push(self.event(event)?);
        }
        Ok(())
    }

    /// Drops the events that wait to be read. Before Linux 6.7 all readers share one queue, and it
    /// may hold events from long ago.
    ///
    /// Returns how many there were.
    ///
    /// # Errors
    ///
    /// As [`Phc::read_events`].
    pub fn drop_stale_events(&self) -> Result<usize, Error> {
        let mut dropped = 0;
        let mut events = Vec::new();
        // A queue holds no more: events that come while this reads aren't stale.
        while dropped < PTP_MAX_TIMESTAMPS && self.wait(&[], Duration::ZERO)? == Wait::Events {
            self.read_events(&mut events)?;
            dropped += events.len();
        }
        Ok(dropped)
    }

    fn event(&self, event: &ExttsEvent) -> Result<Event, Error> {
        let invalid = || self.failed(&Task::ReadEvents, Call::Read, Errno::EPROTO);
        let time = Timestamp::new(event.t.sec, event.t.nsec).ok_or_else(invalid)?;
        let kind = if event.flags & PTP_EXT_OFFSET == 0 {
            EventKind::Time(time)
        } else {
            let nanoseconds = i64::try_from(time.total_nanoseconds()).map_err(|_| invalid())?;
            EventKind::Offset(Offset::from_nanoseconds(nanoseconds))
        };
        Ok(Event { channel: event.index, kind })
    }
}
