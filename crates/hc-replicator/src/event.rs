//! What goes into a [`Replicator`](crate::Replicator) and what comes out.
//!
//! Everything is a value: a driver feeds [`Input`]s with the time, and drains [`Output`]s after each one.
//! Block indices and lengths count blocks; times are milliseconds of any monotonic clock.
//!
//! Follows npm hypercore 11.37.1, lib/replicator.js (what is sent when), but as plain data.

use crate::wire;
use bytes::Bytes;
use hc_tree::ProofRequest;

use crate::Violation;

/// A point in time, in milliseconds since whatever moment the driver counts from; it never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

impl Time {
    /// This time plus some milliseconds.
    #[must_use]
    pub const fn plus(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// The milliseconds from `earlier` to this time, 0 if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// One open channel for this core, named by the driver. Never reused: two peers with one public key are two peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u64);

/// One thing that somebody here waits for, named by the driver. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WantId(pub u64);

/// Names one [`Output::Apply`] until its [`Input::Applied`] or [`Input::ApplyFailed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What the replicator must know of the local core when it starts. See also [`Local`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalState {
    /// The local fork.
    pub fork: u64,
    /// The local length that may be announced (durable), in blocks.
    pub length: u64,
    /// Whether the manifest is known (and may be sent: false for compat cores).
    pub has_manifest: bool,
}

/// Something that happened here, in this core's world.
#[derive(Debug)]
pub enum Input {
    /// A channel for this core is open at both sides and the remote's capability was checked.
    PeerAdded {
        /// The name for it from now on.
        peer: PeerId,
    },
    /// The channel closed, for whatever reason. Its requests go to other peers.
    PeerRemoved {
        /// Which one.
        peer: PeerId,
    },
    /// Whether the connection takes more bytes now. While it does not, nothing new is served to this peer.
    /// Every peer starts as writable.
    PeerWritable {
        /// Which one.
        peer: PeerId,
        /// False when too many bytes wait to be sent.
        writable: bool,
    },
    /// The driver knows the round-trip time of the transport (else it is estimated from requests).
    PeerRtt {
        /// Which one.
        peer: PeerId,
        /// Milliseconds.
        millis: u64,
    },
    /// A message arrived on the channel.
    Message {
        /// From whom.
        peer: PeerId,
        /// What.
        message: wire::Message,
    },
    /// The local core changed by itself, not by [`Output::Apply`].
    Local(Local),
    /// The proof of this ticket was verified and is stored.
    Applied {
        /// Which one.
        ticket: Ticket,
        /// The local length now (only ever longer than before; after a batch, the length after the whole batch is fine).
        length: u64,
    },
    /// The proof of this ticket was not stored.
    ApplyFailed {
        /// Which one.
        ticket: Ticket,
        /// Whose fault it is.
        failure: ApplyFailure,
    },
    /// The answer to [`Output::Serve`].
    Served {
        /// For whom.
        peer: PeerId,
        /// As in [`Output::Serve`].
        request: u64,
        /// The answer.
        answer: Served,
    },
    /// The answer to [`Output::Probe`].
    Probed {
        /// For whom.
        peer: PeerId,
        /// The fork and length that were asked about.
        fork: u64,
        /// As asked.
        length: u64,
        /// Whether all roots of that length are stored here.
        upgradable: bool,
    },
    /// Somebody waits for something.
    Want {
        /// The name under which it is resolved or cancelled.
        id: WantId,
        /// What.
        want: Want,
    },
    /// Nobody waits for it any more. No [`Output::Resolve`] follows.
    CancelWant {
        /// Which one.
        id: WantId,
    },
    /// How many searches for peers are under way (swarm lookups); the count, not a change of it.
    FindingPeers {
        /// The count.
        count: u32,
    },
    /// How many connections have not yet opened or refused a channel for this core; the count, not a change of it.
    Connecting {
        /// The count.
        count: u32,
    },
    /// Whether any session is open that wants data. Off is announced only after [`crate::Config::linger`].
    Active {
        /// True while such a session is open. A replicator starts inactive.
        active: bool,
    },
    /// Send an extension message.
    SendExtension {
        /// To whom.
        peer: PeerId,
        /// The extension's name.
        name: String,
        /// Its payload.
        message: Bytes,
    },
    /// Time passed (at or after [`Replicator::next_wake`](crate::Replicator::next_wake)).
    Tick,
}

/// A change of the local core that did not come from [`Output::Apply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Local {
    /// Blocks were appended, and are not durable enough to be announced yet. A peer may hear of them all the same, by a proof of
    /// the newest head: it then is no longer than we are, and cannot bring us anything. [`Self::Appended`] follows.
    Unannounced {
        /// The length now.
        length: u64,
    },
    /// Blocks were appended and are durable enough to be announced: all blocks from the old length to `length` are here.
    Appended {
        /// The length now.
        length: u64,
    },
    /// Blocks of `start..end` are here now although they came from no peer of this replicator.
    Stored {
        /// First block.
        start: u64,
        /// One past the last block.
        end: u64,
    },
    /// The blocks `start..end` were dropped from disk.
    Cleared {
        /// First block.
        start: u64,
        /// One past the last block.
        end: u64,
    },
    /// The core was cut (or reorganised) to `length` on a new fork.
    Truncated {
        /// The fork now.
        fork: u64,
        /// The length now.
        length: u64,
    },
    /// The log is longer, although no peer of this replicator said so. Which of its blocks are here did not change.
    Upgraded {
        /// The length now.
        length: u64,
    },
    /// The manifest is known now.
    Manifest,
}

/// Why a proof was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyFailure {
    /// The local tree changed, or lacks what the proof builds on, through no fault of the peer: it is asked for again.
    Stale,
    /// The proof is wrong: the peer is closed with [`Violation::InvalidProof`].
    Invalid,
    /// Storing failed. The peer is paused, nothing is asked for again by itself.
    Storage,
}

/// What a driver made of a [`Output::Serve`].
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "moved once, and nearly always data")]
pub enum Served {
    /// The proof; `data.request` and `data.fork` are set by the replicator.
    Data(wire::Data),
    /// The block is not here (any more).
    NotAvailable,
    /// No proof can answer this request. Counted; answered late; the 64th closes the peer.
    Invalid,
}

/// Something to wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// One block; with an upgrade if it is beyond the local length.
    Block {
        /// Which one.
        index: u64,
    },
    /// All blocks of a range. An open range never resolves: it follows the remote length.
    Range {
        /// First block.
        start: u64,
        /// One past the last block, or open.
        end: Option<u64>,
        /// In order of index, or in random order.
        linear: bool,
    },
    /// All blocks of a list.
    Blocks {
        /// Which ones, in any order, repeated or not.
        indices: Vec<u64>,
    },
    /// A longer length than the local one, if any peer has it.
    Update,
}

/// How a [`Want`] ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The block is stored.
    Block {
        /// Which one.
        index: u64,
        /// Its bytes as verified; `None` if it was already here (or was appended here): read it from storage.
        value: Option<Bytes>,
    },
    /// All blocks of the range or list are stored.
    Range,
    /// True if the core is longer than when it was asked for, false if nobody has anything better.
    Update(bool),
    /// Too many wants at once ([`crate::limits::MAX_WANTS`]).
    Refused,
}

/// Something for the driver to do.
#[derive(Debug)]
pub enum Output {
    /// Send a message as it is.
    Send {
        /// To whom.
        peer: PeerId,
        /// What.
        message: wire::Message,
    },
    /// Send a request. If it has a block, the driver first sets `block.nodes` to the number of tree nodes that are
    /// missing on the way up from that block (`hc_tree::missing_nodes`); it arrives here as 0. Too many only costs
    /// bandwidth; too few makes the answer unverifiable, so compute it against what is stored, not what is staged.
    /// Keep the order relative to [`Output::Send`] for the same peer.
    Request {
        /// To whom.
        peer: PeerId,
        /// What.
        request: wire::Request,
    },
    /// Build a proof and answer with [`Input::Served`]. Block and fork were checked against what is local.
    Serve {
        /// For whom.
        peer: PeerId,
        /// Names this piece of work (it is not their request id), to hand back.
        request: u64,
        /// What to prove.
        proof: ProofRequest,
        /// Whether to add the manifest.
        manifest: bool,
    },
    /// Verify and store, then answer with [`Input::Applied`] or [`Input::ApplyFailed`].
    Apply {
        /// From whom.
        peer: PeerId,
        /// To hand back.
        ticket: Ticket,
        /// The proof; it has the parts that were asked for.
        data: wire::Data,
    },
    /// Find out whether all roots of a tree of this length are stored, then answer with [`Input::Probed`].
    Probe {
        /// For whom.
        peer: PeerId,
        /// The local fork.
        fork: u64,
        /// The length.
        length: u64,
    },
    /// A want is over.
    Resolve {
        /// Which one.
        want: WantId,
        /// How.
        outcome: Outcome,
    },
    /// The peer broke a rule and is forgotten: close its connection. No `PeerRemoved` is needed (one is ignored).
    Close {
        /// Whose.
        peer: PeerId,
        /// Which rule.
        violation: Violation,
    },
    /// Neither side downloads: close the channel of this core, keep the connection. Answer with `PeerRemoved`;
    /// open the channel again when this core becomes active.
    Idle {
        /// Whose channel.
        peer: PeerId,
    },
    /// Start or stop reading this peer's connection: it asks faster than it reads.
    Reading {
        /// Whose connection.
        peer: PeerId,
        /// False: stop.
        enabled: bool,
    },
    /// Something worth knowing.
    Event(Event),
}

/// Something worth knowing that needs no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A block arrived and is stored.
    Download {
        /// Which block.
        index: u64,
        /// Its size in bytes, as transferred.
        bytes: u64,
        /// From whom.
        peer: PeerId,
        /// Milliseconds from request to arrival.
        elapsed: u64,
    },
    /// A block is on its way to a peer.
    Upload {
        /// Which block.
        index: u64,
        /// Its size in bytes, as transferred.
        bytes: u64,
        /// To whom.
        peer: PeerId,
    },
    /// A peer said how long its core is.
    RemoteLength {
        /// Who.
        peer: PeerId,
        /// Their fork.
        fork: u64,
        /// Their length.
        length: u64,
    },
    /// A peer on our fork has everything below this length; the highest seen, at most our own length.
    RemoteContiguousLength {
        /// The length.
        length: u64,
        /// The fork that it is a length of. The log may have been truncated since.
        fork: u64,
    },
    /// A peer is on a higher fork than ours. It is left alone (reorganising is not part of this crate yet).
    RemoteFork {
        /// Who.
        peer: PeerId,
        /// Their fork.
        fork: u64,
    },
    /// A peer is asked nothing and served nothing more, because it so often did not have what it claimed, or
    /// because storing failed.
    PeerPaused {
        /// Who.
        peer: PeerId,
    },
    /// A peer sent a request that no proof can answer.
    InvalidRequest {
        /// Who.
        peer: PeerId,
        /// How many so far.
        count: u32,
    },
    /// An extension message.
    Extension {
        /// From whom.
        peer: PeerId,
        /// The extension's name.
        name: String,
        /// Its payload.
        message: Bytes,
    },
}
