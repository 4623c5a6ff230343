//! Who has what and who asks whom: the replication state machine of Hypercore.
//!
//! One [`Replicator`] per core holds its peers. It does no I/O, reads no clock and has no randomness of its own:
//! the same inputs and seed give the same outputs.
//!
//! # The loop
//!
//! A driver feeds everything that is at hand with [`Replicator::handle`], then takes [`Replicator::poll_output`] until
//! it gives nothing more, carries each [`Output`] out in order, and feeds what came of it. Requests are issued only
//! when the driver polls, so one read of a connection is taken in as a whole before it is answered, and the requests
//! that fill a window can go out in one write. [`Replicator::next_wake`] says when to feed an [`Input::Tick`].
//!
//! | output | the driver | and then feeds |
//! | --- | --- | --- |
//! | [`Output::Send`] | sends it | |
//! | [`Output::Request`] | fills in `block.nodes`, sends it | |
//! | [`Output::Serve`] | builds a proof | [`Input::Served`] |
//! | [`Output::Apply`] | verifies and stores, many in one batch | [`Input::Applied`] or [`Input::ApplyFailed`], each |
//! | [`Output::Probe`] | looks for the roots of a length | [`Input::Probed`] |
//! | [`Output::Close`] | closes the connection | |
//! | [`Output::Idle`] | closes the channel | [`Input::PeerRemoved`] |
//!
//! # Who knows what
//!
//! What is stored here is told by the driver, and only once it may be announced; what peers have is what they claim.
//! Nothing of a claim is trusted but that asking for it is worth a try. Whatever a peer sends, nothing panics, memory
//! per peer is bounded by [`limits`], and a broken rule costs that peer its connection and nobody else anything.
//!
//! # Not here yet
//!
//! Forks and reorganisations (a peer on a higher fork is left alone, with [`Event::RemoteFork`]), byte seeks, a second
//! source for slow blocks, and push. Each has its place beside the modules of `want`.
//!
//! Follows npm hypercore 11.37.1, lib/replicator.js and lib/wants.js.

#![warn(clippy::indexing_slicing, clippy::unwrap_used)]

mod activity;
mod bits;
mod check;
mod config;
mod event;
mod have;
mod inflight;
pub mod limits;
mod outbox;
mod peer;
mod receive;
mod replicator;
mod requests;
mod rng;
mod schedule;
mod violation;
mod want;

pub use hc_protocol::wire;

pub use config::Config;
pub use event::{
    ApplyFailure, Event, Input, Local, LocalState, Outcome, Output, PeerId, Served, Ticket, Time, Want,
    WantId,
};
pub use replicator::Replicator;
pub use violation::Violation;
