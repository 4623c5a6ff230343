//! Every bound of this crate. Defaults are far above honest use.

/// No index, length or range end is above this (2^53 - 1, what a varint may hold).
pub const MAX_INDEX: u64 = (1 << 53) - 1;
/// Blocks that one of our wants covers (Node: 2^21).
pub const WANT_BATCH: u64 = 1 << 21;
/// The longest want that is answered.
pub const MAX_WANT_LENGTH: u64 = 1 << 21;
/// The shortest want that is kept as such.
pub const MIN_WANT_LENGTH: u64 = 32;
/// Wants kept per peer, in each direction; with more, the peer is told everything.
pub const MAX_PEER_WANTS: usize = 512;
/// Different want lengths kept per peer.
pub const MAX_WANT_SIZES: usize = 4;
/// "Any of this range" wants kept per peer.
pub const MAX_ANY_WANTS: usize = 16;
/// Wants that wait for an answer per peer.
pub const MAX_QUEUED_WANTS: usize = 512;
/// Bytes of bitfield that a peer may have at once before its credit must grow again.
pub const BITFIELD_BURST: u64 = 1 << 20;
/// Bytes of bitfield credit that a peer earns per second.
pub const BITFIELD_RATE: u64 = 64 << 10;
/// Blocks near the end that are announced without a want.
pub const LAST_BLOCKS: u64 = 256;
/// Pages (of 32,768 blocks) and runs of pages kept of a peer's claims.
pub const MAX_CLAIM_PAGES: usize = 4_096;
/// No claim of a peer is kept at or above this block.
pub const MAX_CLAIM: u64 = 1 << 40;
/// Requests of a peer that wait or are being served before its connection is no longer read.
pub const MAX_REMOTE_REQUESTS: usize = 4_096;
/// Requests of a peer that wait or are being served before it is closed.
pub const MAX_REMOTE_REQUESTS_HARD: usize = 2 * MAX_REMOTE_REQUESTS;
/// Requests of a peer that the driver works on at once.
pub const MAX_SERVING: usize = 64;
/// Invalid requests before a peer is closed.
pub const MAX_INVALID_REQUESTS: u32 = 64;
/// Answers without data, of one reason, before a peer is asked nothing more.
pub const MAX_NO_DATA: u32 = 32;
/// Proofs of a peer that the driver works on before no more is asked for.
pub const MAX_APPLYING: usize = 1_024;
/// Bytes of blocks of a peer that the driver works on before no more is asked for.
pub const MAX_APPLYING_BYTES: u64 = 8 << 20;
/// Things waited for at once.
pub const MAX_WANTS: usize = 1 << 20;
/// Batches of one range that are asked about at once.
pub const MAX_RANGE_BATCHES: u64 = 64;
/// Peers that `update` looks at.
pub const MAX_UPGRADE_PEERS: usize = 3;
/// Longest extension name, in bytes.
pub const MAX_EXTENSION_NAME: usize = 256;
/// Round-trip time, in milliseconds, up to which the window is not scaled.
pub const SCALE_LATENCY: u64 = 50;

const _: () = assert!(MAX_WANT_LENGTH.is_power_of_two() && MIN_WANT_LENGTH.is_power_of_two());
const _: () = assert!(WANT_BATCH <= MAX_WANT_LENGTH);
const _: () = assert!(MAX_NO_DATA < MAX_INVALID_REQUESTS);
const _: () = assert!(MAX_CLAIM < MAX_INDEX);
