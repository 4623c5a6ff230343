//! Drives peers: processes that offer the public API of an implementation as JSON lines, ours (`hc-agent`) and Node's
//! (`interop/agent.mjs`), through the same operations. Interop tests, the demonstration and the benchmark stand on this.
//!
//! ```no_run
//! # fn f() -> Result<(), hc_interop::PeerError> {
//! use hc_interop::{Peer, json};
//!
//! let node = Peer::node()?;
//! let store = node.call("store.open", json!({}))?["store"].clone();
//! let core = node.call("store.get", json!({ "store": store, "name": "log" }))?;
//! # Ok(()) }
//! ```
//!
//! A peer is ended when it is dropped: its input is closed, and if it does not end by itself it is killed by its id.

pub mod dump;
mod node;
mod peer;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub use node::{NodeMissing, interop_dir, node_or_skip};
pub use peer::{Peer, PeerError, Pending};
pub use serde_json::{Value, json};

/// Bytes as they are in requests and replies.
#[must_use]
pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// The bytes of a reply's field; none if it is null or no base64.
#[must_use]
pub fn bytes(value: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(value.as_str()?).ok()
}
