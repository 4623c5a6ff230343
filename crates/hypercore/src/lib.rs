//! A secure, distributed append-only log, compatible with Node's Hypercore 11.
//!
//! A log is a list of blocks. Its owner signs it; anybody who has its [`Key`] can fetch any block of it from any peer, and
//! check that it is the owner's. Readers fetch only what they read, keep it, and hand it on.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> hypercore::Result<()> {
//! use hypercore::{Hypercore, Role};
//!
//! let log = Hypercore::memory().await?; // or Hypercore::open("./directory")
//! log.append_batch(["hello", "world"]).await?;
//!
//! // somebody else, who has the key
//! let copy = Hypercore::builder().key(*log.key()).memory().await?;
//!
//! let (here, there) = tokio::io::duplex(64 * 1024); // or a TcpStream, or anything else that carries bytes
//! log.replicate(here, Role::Responder)?;
//! copy.replicate(there, Role::Initiator)?;
//!
//! assert_eq!(copy.get(1).await?, "world"); // fetched, verified, stored, returned
//! assert!(!copy.has(0).await?); // and nothing else
//! # Ok(()) }
//! ```
//!
//! # Where to look
//!
//! | for | see |
//! | --- | --- |
//! | appending, reading, fetching | [`Hypercore`] |
//! | how a core is opened | [`OpenOptions`] |
//! | values instead of bytes | [`Encoded`] |
//! | connections | [`Replication`] |
//! | what happens | [`Event`] |
//! | many cores in one directory | the crate `corestore` |
//!
//! Everything needs a [tokio](https://docs.rs/tokio) runtime with time enabled; on a runtime with one thread, too.
//!
//! # Features
//!
//! `rocksdb` (default): directories. Without it only the in-memory engine is there, and no C++ is built.
//!
//! Follows npm hypercore 11.37.1. What differs is listed in the project's `docs/COMPAT.md`.

mod archive;
mod atom;
pub mod core;
mod download;
mod encoding;
mod encryption;
mod error;
mod events;
mod limits;
mod options;
pub mod replication;
mod session;
pub mod storage;
mod streams;
mod typed;

pub use crate::core::{Conflict, Core, Peer};
pub use archive::{Archived, Import};
pub use atom::Atom;
pub use download::{Download, DownloadOptions};
pub use encoding::{Binary, Json, Utf8, ValueEncoding};
pub use encryption::{Encryption, EncryptionProvider};
pub use error::{Error, Result};
pub use events::{Event, Events};
pub use hc_crypto::{
    DiscoveryKey, Hash, Key, KeyPair, Manifest, Namespace, Prologue, PublicKey, Signature, Signer,
    block_encryption_key,
};
pub use hc_storage::Space;
pub use hc_tree::RemoteHead;
pub use hc_tree::{BlockRequest, HashRequest, Proof, ProofRequest, SeekRequest, UpgradeRequest};
pub use options::{
    AppendOptions, CommitOptions, Durability, GetOptions, OpenOptions, ReplicationOptions, SeekOptions,
    SessionOptions, TruncateOptions, UpdateOptions,
};
pub use replication::{Replication, Role};
pub use session::{Appended, FindingPeers, Hypercore, Info, decode_proof, encode_proof};
pub use storage::GroupUpdate;
pub use streams::{ByteStream, ReadStream, WriteStream};
pub use typed::Encoded;

/// The largest block, in bytes. Each block is sent in one piece. As npm hypercore 11.37.1, `index.js`.
pub const MAX_BLOCK_LEN: usize = 15 * 1024 * 1024;

/// Bytes that nobody can guess.
///
/// # Errors
/// [`Error::Internal`] if the system has none.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Error::Internal("the system has no randomness"))?;
    Ok(bytes)
}

/// Now, in milliseconds since 1970.
fn now_millis() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
