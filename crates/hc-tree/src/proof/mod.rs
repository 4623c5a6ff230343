//! Proofs: how a peer shows that blocks and lengths belong to a log.
//!
//! A request ([`ProofRequest`]) is answered in three steps: [`plan()`] works out by arithmetic which nodes the answer needs,
//! the caller fetches all of them at once, and [`ProofPlan::build`] puts them in place. Only a seek has to walk the tree.
//!
//! An answer ([`Proof`]) is taken in two steps: [`verify()`] hashes it together and says which stored node it must lead to,
//! and [`Unchecked::confirm`] compares that node, and the signature of a new head.

mod build;
mod codec;
mod plan;
mod types;
mod verify;

pub(crate) use plan::upgrade_nodes;
pub use plan::{ProofPlan, plan};
pub use types::{
    BlockProof, BlockRequest, HashProof, HashRequest, Proof, ProofRequest, SeekProof, SeekRequest,
    UpgradeProof, UpgradeRequest,
};
pub use verify::{Unchecked, Verified, verify, verify_alone};
