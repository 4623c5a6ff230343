//! What one peer may cost.

/// Bytes of a frame before the peer has shown who it is.
pub const MAX_HANDSHAKE_FRAME: usize = 1024;
/// Bytes of a frame: its length has 24 bits.
pub const MAX_FRAME: usize = (1 << 24) - 1;
/// Channels that a peer may have open or ask for at the same time.
pub const MAX_CHANNELS: usize = 65_536;
/// Bytes of a protocol's or an extension's name.
pub const MAX_NAME: usize = 256;
/// Bytes of a channel's id.
pub const MAX_CHANNEL_ID: usize = 64;
/// Bytes of messages that may wait for a channel to be accepted.
pub const MAX_PENDING_BYTES: usize = 64 * 1024;
/// Messages that may wait for a channel to be accepted.
pub const MAX_PENDING_MESSAGES: usize = 1024;
/// Bytes of everything that waits for channels to be accepted: their names and handshakes, and the messages for them.
pub const MAX_WAITING_BYTES: usize = 8 << 20;
/// What a message that waits counts for beyond its bytes.
pub const WAITING_MESSAGE_COST: usize = 40;
/// Words of a bitfield message: 2^21 blocks, the size of the largest want.
pub const MAX_BITFIELD_WORDS: usize = 1 << 16;

/// Messages in one batch: bounds the work that one frame can make.
pub const MAX_BATCH_MESSAGES: usize = 65_536;

/// Messages are sent together in frames of about this many bytes.
pub const BATCH_TARGET: usize = 64 * 1024;

const _: () = assert!(MAX_HANDSHAKE_FRAME < MAX_FRAME);
const _: () = assert!(MAX_PENDING_BYTES < MAX_FRAME);
