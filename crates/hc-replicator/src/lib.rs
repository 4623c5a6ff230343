//! Who has what and who asks whom: the replication state machine of Hypercore
//!
//! One [`Replicator`] per core holds its peers. It does no I/O, reads no clock and has no randomness of its own:
//! a driver calls [`Replicator::handle`] with an [`Input`] and the [`Time`], then drains [`Replicator::poll_output`],
//! and calls `handle` with [`Input::Tick`] at [`Replicator::next_wake`].

mod config;
mod event;
pub mod limits;
mod violation;

pub use config::Config;
pub use event::{
    ApplyFailure, Event, Input, Local, LocalState, Outcome, Output, PeerId, Served, Ticket, Time, Want,
    WantId,
};
pub use violation::Violation;

/// Stand-ins until hc-protocol and hc-tree have these types; same names, no fields.
#[doc(hidden)]
pub mod stub {
    /// hc_protocol::wire
    pub mod wire {
        /// To be hc_protocol::wire::Message
        #[derive(Debug)]
        pub struct Message;
        /// To be hc_protocol::wire::Data
        #[derive(Debug)]
        pub struct Data;
        /// To be hc_protocol::wire::Request
        #[derive(Debug)]
        pub struct Request;
    }
    /// To be hc_tree::ProofRequest
    #[derive(Debug)]
    pub struct ProofRequest;
}

/// The replication state machine of one core.
#[derive(Debug)]
pub struct Replicator {}

impl Replicator {
    /// A replicator of a core with this state, which has the blocks of these `start..end` ranges.
    pub fn new(config: Config, local: LocalState, ranges: impl IntoIterator<Item = (u64, u64)>) -> Self {
        drop((config, local, ranges.into_iter().count()));
        Self {}
    }

    /// Takes one input. Never panics, whatever a peer sent.
    pub fn handle(&mut self, now: Time, input: Input) {
        drop((now, input));
    }

    /// The next thing to do, until there is nothing more.
    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }

    /// When to call `handle` with [`Input::Tick`] if nothing else happens before. May change after every input.
    pub fn next_wake(&self) -> Option<Time> {
        None
    }

    /// Whether all invariants hold (for tests).
    pub fn check(&self) -> Result<(), String> {
        Ok(())
    }
}
