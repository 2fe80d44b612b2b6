//! A queue of external timestamps, as each open handle has one.

use crate::kernel::uapi::{ExttsEvent, PTP_BUF_TIMESTAMPS, PTP_MAX_CHANNELS, PTP_MAX_TIMESTAMPS};
use std::collections::{HashSet, VecDeque};

/// Events that wait to be read, and the channels that they may come from.
#[derive(Debug, Default)]
pub(super) struct Queue {
    events: VecDeque<ExttsEvent>,
    /// The channels wanted; all of them where `None`.
    wanted: Option<HashSet<u32>>,
}

impl Queue {
    /// Adds an event if its channel is wanted; a full queue drops its oldest event silently.
    pub(super) fn push(&mut self, event: ExttsEvent) {
        if self.wanted.as_ref().is_none_or(|wanted| wanted.contains(&event.index)) {
            if self.events.len() == PTP_MAX_TIMESTAMPS - 1 {
                self.events.pop_front();
            }
            self.events.push_back(event);
        }
    }

    /// Takes the oldest events, at most as many as fit `into` and as one read gives.
    pub(super) fn pop(&mut self, into: &mut [ExttsEvent]) -> usize {
        let number = self.events.len().min(into.len()).min(PTP_BUF_TIMESTAMPS);
        for (to, from) in into.iter_mut().zip(self.events.drain(..number)) {
            *to = from;
        }
        number
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(super) fn clear_mask(&mut self) {
        self.wanted = Some(HashSet::new());
    }

    /// Adds a channel to those wanted; `false` where no such channel can exist.
    pub(super) fn want(&mut self, channel: u32) -> bool {
        if let Some(wanted) = &mut self.wanted {
            wanted.insert(channel);
        }
        channel < PTP_MAX_CHANNELS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(index: u32, number: i64) -> ExttsEvent {
        let mut event = ExttsEvent { index, ..ExttsEvent::ZERO };
        event.t.sec = number;
        event
    }

    fn read(queue: &mut Queue) -> Vec<i64> {
        let mut events = [ExttsEvent::ZERO; 50];
        let number = queue.pop(&mut events);
        events.iter().take(number).map(|event| event.t.sec).collect()
    }

    #[test]
    fn a_full_queue_holds_127_events_and_drops_the_oldest() {
        let mut queue = Queue::default();
        (0..200).for_each(|number| queue.push(event(0, number)));
        let mut all = Vec::new();
        while !queue.is_empty() {
            all.extend(read(&mut queue));
        }
        assert_eq!(all, (73..200).collect::<Vec<_>>());
    }

    #[test]
    fn one_read_gives_30_events_at_most() {
        let mut queue = Queue::default();
        (0..40).for_each(|number| queue.push(event(0, number)));
        assert_eq!(read(&mut queue).len(), 30);
        assert_eq!(read(&mut queue).len(), 10);
    }

    #[test]
    fn a_cleared_mask_lets_only_chosen_channels_in() {
        let mut queue = Queue::default();
        queue.clear_mask();
        queue.push(event(0, 1));
        assert!(queue.want(1));
        queue.push(event(1, 2));
        queue.push(event(2, 3));
        assert_eq!(read(&mut queue), [2]);
        assert!(!queue.want(2_048));
    }
}
