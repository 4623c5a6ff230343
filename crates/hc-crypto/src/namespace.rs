//! Constants that keep one use of a hash or a signature apart from another.
//!
//! A namespace is the hash of a name's hash and a number. Follows npm hypercore-crypto 3.7.0, `index.js` (`namespace`),
//! npm hypercore 11.37.1, `lib/caps.js`, and npm corestore 7.12.5, `index.js`.

use std::sync::LazyLock;

use crate::{Namespace, hash};

/// The namespace with this number under a name.
#[must_use]
pub fn namespace(name: &[u8], id: u8) -> Namespace {
    let name = hash::blake2b(&[name]);
    Namespace::from(*hash::blake2b(&[name.as_bytes(), &[id]]).as_bytes())
}

fn hypercore(id: u8) -> Namespace {
    namespace(b"hypercore", id)
}

/// Of what is signed for a tree.
pub static TREE: LazyLock<Namespace> = LazyLock::new(|| hypercore(0));
/// Of the proof of the connecting end that it knows a core's key.
pub static REPLICATE_INITIATOR: LazyLock<Namespace> = LazyLock::new(|| hypercore(1));
/// Of the proof of the listening end that it knows a core's key.
pub static REPLICATE_RESPONDER: LazyLock<Namespace> = LazyLock::new(|| hypercore(2));
/// Of the hash of a manifest.
pub static MANIFEST: LazyLock<Namespace> = LazyLock::new(|| hypercore(3));
/// Of signers that name none.
pub static DEFAULT_NAMESPACE: LazyLock<Namespace> = LazyLock::new(|| hypercore(4));
/// Of keys of block encryption.
pub static DEFAULT_ENCRYPTION: LazyLock<Namespace> = LazyLock::new(|| hypercore(5));
/// Of the seeds of a Corestore's named cores.
pub static CORESTORE_SEED: LazyLock<Namespace> = LazyLock::new(|| namespace(b"corestore", 0));

impl Namespace {
    /// The namespace of the names of a Corestore that was given none: all zero.
    #[must_use]
    pub fn corestore_default() -> Self {
        Self::from([0; 32])
    }

    /// The namespace of this name within this one, as a Corestore nests them.
    #[must_use]
    pub fn derive(&self, name: &[u8]) -> Self {
        Self::from(*hash::blake2b(&[self.as_bytes(), name]).as_bytes())
    }
}
