//! Who may sign a log, and how many of them must. The hash of its manifest is the log's key.
//!
//! A log whose manifest names no signers is *static*: it is its prologue, and never gets longer.
//!
//! Follows npm hypercore 11.37.1, `lib/verifier.js` (`createManifest`).

mod codec;

use compact_encoding::{Decode, DecodeError, Encode};
use thiserror::Error;

use crate::limits::{MAX_LINKED, MAX_MANIFEST_LEN, MAX_SIGNERS};
use crate::{Hash, Key, Namespace, PublicKey, hash, namespace};

/// Who may sign a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The form of the manifest, 0 to 3. Version 1 is what new logs have.
    pub version: u64,
    /// Whether signers may sign different lengths of the same log.
    pub allow_patch: bool,
    /// How many signers must sign. No head is signed by a quorum of 0.
    pub quorum: u64,
    /// Who may sign.
    pub signers: Vec<Signer>,
    /// A beginning of the log that is fixed by its hash and needs no signature.
    pub prologue: Option<Prologue>,
    /// Other cores that belong to this one. From version 2 on.
    pub linked: Option<Vec<Key>>,
    /// Bytes of the application's. From version 2 on.
    pub user_data: Option<Vec<u8>>,
}

/// Somebody who may sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signer {
    /// What its signatures are bound to in manifests of version 0; later versions bind them to the manifest's hash.
    pub namespace: Namespace,
    /// Its key.
    pub public_key: PublicKey,
}

/// A beginning of a log that is fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prologue {
    /// The tree hash of the beginning.
    pub hash: Hash,
    /// Its blocks.
    pub length: u64,
}

/// A manifest that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not the bytes of a manifest.
    #[error("not a manifest: {0}")]
    Decode(#[from] DecodeError),
    /// Longer than any honest manifest.
    #[error("a manifest of {len} bytes, at most {MAX_MANIFEST_LEN} are allowed")]
    TooLong {
        /// The size in bytes.
        len: usize,
    },
    /// More signatures asked for than there are signers.
    #[error("a quorum of {quorum} of {signers} signers")]
    Quorum {
        /// How many must sign.
        quorum: u64,
        /// How many there are.
        signers: usize,
    },
    /// A version that there is not.
    #[error("manifests have the versions 0 to 3, not {version}")]
    Version {
        /// The version.
        version: u64,
    },
    /// A field that manifests of this version do not have.
    #[error("manifests of version {version} have no {field}")]
    Field {
        /// The version.
        version: u64,
        /// The field.
        field: &'static str,
    },
    /// More signers or linked cores than any honest manifest has.
    #[error("{count} {field}, too many")]
    TooMany {
        /// Their number.
        count: usize,
        /// What they are.
        field: &'static str,
    },
    /// The manifest of another log.
    #[error("the manifest does not hash to the log's key")]
    Key,
}

impl Signer {
    /// A signer in the default namespace.
    #[must_use]
    pub fn new(public_key: PublicKey) -> Self {
        Self { namespace: *namespace::DEFAULT_NAMESPACE, public_key }
    }
}

impl Manifest {
    /// The manifest of a log that one key pair signs: version 1.
    #[must_use]
    pub fn single(public_key: PublicKey) -> Self {
        Self::several(vec![Signer::new(public_key)])
    }

    /// The manifest of a log that more than half of these must sign: version 1.
    #[must_use]
    pub fn several(signers: Vec<Signer>) -> Self {
        let quorum = Self::default_quorum(signers.len());
        Self {
            version: 1,
            allow_patch: false,
            quorum,
            signers,
            prologue: None,
            linked: None,
            user_data: None,
        }
    }

    /// The manifest of a log that is this prologue and nothing else: version 1.
    #[must_use]
    pub fn fixed(prologue: Prologue) -> Self {
        Self { prologue: Some(prologue), ..Self::several(Vec::new()) }
    }

    /// How many of so many signers must sign where nothing else is said: more than half.
    #[must_use]
    pub fn default_quorum(signers: usize) -> u64 {
        if signers == 0 { 0 } else { u64::try_from(signers / 2 + 1).unwrap_or(u64::MAX) }
    }

    /// Reads a manifest and checks that it can be fulfilled.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_MANIFEST_LEN {
            return Err(ManifestError::TooLong { len: bytes.len() });
        }
        let manifest = Self::from_bytes(bytes)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Reads the manifest of the log with this key.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn parse_for(key: &Key, bytes: &[u8]) -> Result<Self, ManifestError> {
        let manifest = Self::parse(bytes)?;
        if manifest.key() == *key { Ok(manifest) } else { Err(ManifestError::Key) }
    }

    /// Whether there can be such a manifest: one that its signers can fulfil, and that its version can express.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn check(&self) -> Result<(), ManifestError> {
        let (version, signers) = (self.version, self.signers.len());
        if version > 3 {
            return Err(ManifestError::Version { version });
        }
        if usize::try_from(self.quorum).map_or(true, |quorum| quorum > signers) {
            return Err(ManifestError::Quorum { quorum: self.quorum, signers });
        }
        if version < 2 && self.user_data.is_some() {
            return Err(ManifestError::Field { version, field: "user data" });
        }
        let linked = self.linked.as_ref().map_or(0, Vec::len);
        if version < 2 && linked > 0 {
            return Err(ManifestError::Field { version, field: "linked cores" });
        }
        if signers > MAX_SIGNERS {
            return Err(ManifestError::TooMany { count: signers, field: "signers" });
        }
        if linked > MAX_LINKED {
            return Err(ManifestError::TooMany { count: linked, field: "linked cores" });
        }
        Ok(())
    }

    /// The encoded manifest.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_vec()
    }

    /// The manifest's hash.
    #[must_use]
    pub fn hash(&self) -> Hash {
        hash::blake2b(&[namespace::MANIFEST.as_bytes(), &self.to_vec()])
    }

    /// The key of the log that this manifest describes.
    #[must_use]
    pub fn key(&self) -> Key {
        Key::from(self.hash().as_bytes())
    }

    /// Whether this describes the log of version 10 with this key, which is the public key of its only signer.
    #[must_use]
    pub fn is_compat(&self, key: &Key) -> bool {
        matches!(self.signers.as_slice(), [only] if only.public_key.as_bytes() == key.as_bytes())
    }

    /// Whether this manifest belongs to this key, in either way.
    #[must_use]
    pub fn belongs_to(&self, key: &Key) -> bool {
        self.is_compat(key) || self.key() == *key
    }
}
