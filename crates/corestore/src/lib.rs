//! Many append-only logs in one store, replicated over one stream.
//!
//! A [`Corestore`] is a directory of [`Hypercore`]s. Cores of one's own have *names*: the key pair of each is derived
//! from the store's primary key, so the same name gives the same core for as long as the primary key is kept. Cores of
//! others are opened by their *key*. All of them go over one connection per peer, and a core that is stored but not open
//! is opened when a peer asks for it.
//!
//! The directory and all keys are the same as those of Node's Corestore 7.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> hypercore::Result<()> {
//! use corestore::{Corestore, Role};
//!
//! let store = Corestore::memory().await?; // or Corestore::open("./data")
//! let log = store.get("log").await?; // by name: writable
//! log.append("hello").await?;
//!
//! let reader = Corestore::memory().await?;
//! let (here, there) = tokio::io::duplex(64 * 1024); // or a TcpStream, or anything else that carries bytes
//! store.replicate(here, Role::Responder)?;
//! reader.replicate(there, Role::Initiator)?;
//!
//! let copy = reader.get(*log.key()).await?; // by key: a reader
//! assert_eq!(copy.get(0).await?, "hello"); // fetched, verified, stored, returned
//! # Ok(()) }
//! ```
//!
//! Follows npm corestore 7.12.5, `index.js`. What differs is listed in the project's `docs/COMPAT.md`.

mod registry;
mod replicate;
mod store;
mod target;

pub use hypercore::{self, Hypercore, OpenOptions, Replication, Role};
pub use store::{Corestore, CorestoreBuilder};
pub use target::Target;
