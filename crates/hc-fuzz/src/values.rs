//! Random values of the formats, as inputs to begin with.

use bytes::Bytes;
use hc_crypto::{Hash, Key, KeyPair, Manifest, Namespace, Prologue, PublicKey, Signer};
use hc_protocol::wire::Data;
use hc_tree::{BlockProof, HashProof, Node, SeekProof, UpgradeProof};

use crate::rng::Rng;

/// How many seeds each target gets of random values.
pub const SEEDS: usize = 40;

/// So many of something.
pub fn some<T>(rng: &mut Rng, mut make: impl FnMut(&mut Rng) -> T) -> Vec<T> {
    (0..SEEDS).map(|_| make(rng)).collect()
}

/// A few of something; rarely many.
pub fn few<T>(rng: &mut Rng, mut make: impl FnMut(&mut Rng) -> T) -> Vec<T> {
    let most = if rng.once_in(10) { 40 } else { 4 };
    (0..rng.below(most)).map(|_| make(rng)).collect()
}

/// Something or nothing.
pub fn maybe<T>(rng: &mut Rng, make: impl FnOnce(&mut Rng) -> T) -> Option<T> {
    if rng.once_in(2) { None } else { Some(make(rng)) }
}

/// A few bytes; rarely many.
pub fn bytes(rng: &mut Rng) -> Vec<u8> {
    let most = if rng.once_in(10) { 600 } else { 20 };
    let len = rng.below(most);
    rng.bytes(len)
}

/// Text.
pub fn text(rng: &mut Rng) -> String {
    let letters = ['a', 'b', '\0', 'é', '→', '𝄞', '/', ' '];
    (0..rng.below(12)).map(|_| letters[rng.below(letters.len())]).collect()
}

/// One of four key pairs.
pub fn pair(rng: &mut Rng) -> KeyPair {
    KeyPair::from_seed(&[1 + rng.below(4) as u8; 32])
}

/// A tree node.
pub fn node(rng: &mut Rng) -> Node {
    Node { index: rng.uint(), size: rng.uint(), hash: Hash::from(rng.array()) }
}

/// A manifest, of any version and shape.
pub fn manifest(rng: &mut Rng) -> Manifest {
    let version = rng.next() % 4;
    let signers = few(rng, |rng| {
        let public_key = if rng.once_in(2) { pair(rng).public() } else { PublicKey::from(rng.array()) };
        Signer { namespace: Namespace::from(rng.array()), public_key }
    });
    let quorum = if rng.once_in(4) { rng.uint() } else { rng.below(signers.len() + 1) as u64 };
    let prologue = maybe(rng, |rng| Prologue { hash: Hash::from(rng.array()), length: rng.uint() });
    let linked = maybe(rng, |rng| few(rng, |rng| Key::from(rng.array())));
    Manifest {
        version,
        allow_patch: rng.once_in(2),
        quorum,
        signers,
        prologue: prologue.filter(|_| version > 0),
        linked: linked.filter(|_| version > 1),
        user_data: maybe(rng, bytes).filter(|_| version > 1),
    }
}

/// A proof message.
pub fn data(rng: &mut Rng) -> Data {
    Data {
        request: rng.uint(),
        fork: rng.uint(),
        block: maybe(rng, |rng| BlockProof {
            index: rng.uint(),
            value: Bytes::from(bytes(rng)),
            nodes: few(rng, node),
        }),
        hash: maybe(rng, |rng| HashProof { index: rng.uint(), nodes: few(rng, node) }),
        seek: maybe(rng, |rng| SeekProof { bytes: rng.uint(), nodes: few(rng, node) }),
        upgrade: maybe(rng, |rng| UpgradeProof {
            start: rng.uint(),
            length: rng.uint(),
            nodes: few(rng, node),
            additional_nodes: few(rng, node),
            signature: bytes(rng),
        }),
        manifest: maybe(rng, manifest),
    }
}
