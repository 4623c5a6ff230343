//! Why a head cannot be signed, and why a signature does not hold.

use thiserror::Error;

use crate::manifest::ManifestError;

/// Why a head is not signed as its manifest demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The manifest is not this log's.
    #[error("the manifest does not hash to the log's key")]
    Manifest,
    /// The manifest is this log's, but none that can be fulfilled.
    #[error("the manifest cannot be: {0}")]
    Unfit(ManifestError),
    /// The bytes are no signature.
    #[error("the signature is malformed")]
    Malformed,
    /// Fewer signers signed than must.
    #[error("{signed} signatures, {quorum} are needed")]
    Quorum {
        /// How many signed.
        signed: usize,
        /// How many must.
        quorum: u64,
    },
    /// A signer that the manifest does not name, or one that signed twice.
    #[error("signer {signer} is not in the manifest or signed twice")]
    Signer {
        /// Its position.
        signer: u64,
    },
    /// The signature is not one of this signer for this head.
    #[error("the signature of signer {signer} does not match")]
    Mismatch {
        /// Its position.
        signer: u64,
    },
    /// The head lies in the prologue, but is not the prologue.
    #[error("the log does not begin with its prologue")]
    Prologue,
    /// The patch does not lead from the head to the longer log that the signer signed.
    #[error("the patch does not lead to the {blocks} blocks more that signer {signer} signed")]
    Patch {
        /// The signer's position.
        signer: u64,
        /// How many blocks more it signed.
        blocks: u64,
    },
    /// The log is static: nobody can sign it.
    #[error("the log has no signers")]
    Static,
}

/// Why a head cannot be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SignError {
    /// The key pair is not one of the manifest's, or there is no signer at this position.
    #[error("the key pair is not a declared signer of this log")]
    NotASigner,
    /// Too few signatures.
    #[error("a quorum of {quorum} must sign, {signed} did")]
    Quorum {
        /// How many must sign.
        quorum: u64,
        /// How many did.
        signed: usize,
    },
    /// A signer signed twice.
    #[error("signer {signer} signed twice")]
    Twice {
        /// Its position.
        signer: u64,
    },
    /// A signature of a longer log where the manifest does not allow that, or without the nodes that lead to it.
    #[error(
        "signer {signer} signed {blocks} blocks more, which the manifest does not allow or no nodes prove"
    )]
    Patch {
        /// The signer's position.
        signer: u64,
        /// How many blocks more it signed.
        blocks: u64,
    },
    /// The log is static: nobody can sign it.
    #[error("the log has no signers")]
    Static,
}
