//! The Merkle tree over a log, its proofs, and the bitfield of what is stored: pure functions and values.
//!
//! The nodes of the tree are numbered in order ([`flat`]): blocks are the even numbers, block *i* is node 2*i*; parents
//! are the odd ones. A log of any length is covered by a few full trees, whose tops are its *roots* ([`TreeHead`]). What is
//! signed is the hash of the roots.
//!
//! | to | use |
//! | --- | --- |
//! | append blocks | [`Batch`] → [`TreeChange`] → [`SignedChange`] |
//! | shorten the log | [`truncate()`] → [`TreeChange`] → [`SignedChange`] |
//! | clear blocks | [`cleared_nodes`] |
//! | answer a peer | [`plan`] → fetch the nodes it names → [`ProofPlan::build`] → [`Proof`] |
//! | put signatures of several together | [`patch_nodes`], `hc_crypto::PartialSignature` |
//! | take a peer's answer | [`verify`] → [`Unchecked`] → [`Unchecked::confirm`] → [`Verified`] |
//! | take a proof with nothing but the key | [`RemoteProof::verify`] → [`RemoteHead`] |
//! | get lost roots back | [`StoredHead::recover`] → [`Recovered`] |
//! | move to a peer's fork | [`Reorg::start`] → [`Reorg::update`] → [`Reorged`] |
//!
//! **Trust is a type.** Only a [`SignedChange`], which the local key pair signed, or a [`Verified`], [`Reorged`] or
//! [`Recovered`], whose hashes lead to a stored node or to a signed head, may be written. Their constructors are
//! `TreeChange::sign`, `TreeChange::signed_with`, `Unchecked::confirm`, `Reorg::finish` and `StoredHead::recover`, and no
//! others. A [`Draft`] is what a named session writes, where no peer looks.
//!
//! A proof that is refused changes nothing: verification works on copies.
//!
//! Follows npm hypercore 11.37.1, `lib/merkle-tree.js`, `lib/bitfield.js`, `lib/multisig.js`, and npm flat-tree.
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::unwrap_used))]

mod batch;
pub mod bitfield;
mod bits;
mod clear;
mod error;
pub mod flat;
mod head;
pub mod limits;
mod multisig;
mod node;
mod proof;
mod reader;
mod recover;
mod remote;
mod reorg;
mod seek;
mod truncate;

pub use batch::{Batch, Draft, SignedChange, TreeChange};
pub use bitfield::LocalBitfield;
pub use bits::Bits;
pub use clear::cleared_nodes;
pub use error::{HeadError, MissingNode, ProofError, RequestError};
pub use head::TreeHead;
pub use multisig::patch_nodes;
pub use node::Node;
pub use proof::{
    BlockProof, BlockRequest, HashProof, HashRequest, Proof, ProofPlan, ProofRequest, SeekProof, SeekRequest,
    Unchecked, UpgradeProof, UpgradeRequest, Verified, plan, verify, verify_alone,
};
pub use reader::{NodeReader, byte_offset, missing_nodes, missing_nodes_with_gaps};
pub use recover::{Recovered, StoredHead};
pub use remote::{RemoteHead, RemoteProof};
pub use reorg::{Reorg, ReorgWant, Reorged};
pub use seek::{Seek, seek, upgradeable};
pub use truncate::{RemovedNodes, head_at, removed_nodes, truncate};
