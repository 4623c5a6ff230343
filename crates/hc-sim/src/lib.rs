//! Deterministic simulation of many Hypercore replicators, with real trees, proofs and signatures (not published).
//!
//! [`run`] makes a world from a seed: a writer and a few readers, links that delay messages and break, appends, gets
//! and downloads that come and go. Every step checks the invariants of the replicator that took it. In the end all
//! links stand again, also one from the writer to each reader, and then every reader has the writer's length, and every block that somebody waits for.
//!
//! Time is virtual, in milliseconds. The same seed gives the same run, which [`Report::fingerprint`] shows.

mod core;
mod world;

pub use world::{Failure, Report, run};
