//! The one way out of all sub-machines.

use std::collections::VecDeque;

use crate::wire;

use crate::event::{Event, Outcome, Output, PeerId, WantId};

/// What waits to be polled. Emptied by the driver after each input; what one input can add is bounded by the window
/// and by the limits of each table.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: VecDeque<Output>,
}

impl Outbox {
    pub(crate) fn push(&mut self, output: Output) {
        self.queue.push_back(output);
    }

    pub(crate) fn send(&mut self, peer: PeerId, message: wire::Message) {
        self.push(Output::Send { peer, message });
    }

    pub(crate) fn resolve(&mut self, want: WantId, outcome: Outcome) {
        self.push(Output::Resolve { want, outcome });
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.push(Output::Event(event));
    }

    pub(crate) fn pop(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}
