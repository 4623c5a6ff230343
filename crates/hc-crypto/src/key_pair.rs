//! Ed25519 key pairs.
//!
//! Follows npm hypercore-crypto 3.7.0, `index.js` (`keyPair`, `sign`, `verify`) and npm corestore 7.12.5, `index.js`
//! (`createKeyPair`).

use std::sync::{Arc, OnceLock};

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::fast_signing::FastKey;
use crate::{Namespace, PublicKey, Signature, hash, namespace};

/// A key pair that signs. The secret half is wiped from memory when the last copy is dropped, and never shown.
#[derive(Clone)]
pub struct KeyPair(Arc<Shared>);

/// What copies of a key pair have together, so that there is one place to wipe.
struct Shared {
    signing: SigningKey,
    /// What signs in its place, once something was signed and if the processor can.
    fast: OnceLock<Option<FastKey>>,
}

/// Bytes that are no key pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the secret key's second half is not the public key of its first half")]
pub struct KeyPairError;

impl KeyPair {
    /// The key pair of a seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self::from(SigningKey::from_bytes(seed))
    }

    /// The key pair of a secret key as Node stores it: the seed, then the public key.
    ///
    /// # Errors
    /// If the two halves do not belong together.
    pub fn from_secret_key(secret: &[u8; 64]) -> Result<Self, KeyPairError> {
        SigningKey::from_keypair_bytes(secret).map(Self::from).map_err(|_| KeyPairError)
    }

    /// The key pair of a name in a Corestore with this primary key.
    #[must_use]
    pub fn for_name(primary_key: &[u8; 32], namespace: &Namespace, name: &[u8]) -> Self {
        let parts: [&[u8]; 3] = [namespace::CORESTORE_SEED.as_bytes(), namespace.as_bytes(), name];
        let seed = Zeroizing::new(*hash::blake2b_keyed(primary_key, &parts).as_bytes());
        Self::from_seed(&seed)
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey::from(self.0.signing.verifying_key().to_bytes())
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.signing.to_bytes())
    }

    /// The secret key as Node stores it: the seed, then the public key.
    #[must_use]
    pub fn secret_bytes(&self) -> Zeroizing<[u8; 64]> {
        Zeroizing::new(self.0.signing.to_keypair_bytes())
    }

    /// Signs a message. Whatever signs, the signature is the same: that of RFC 8032.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        match self.0.fast.get_or_init(|| FastKey::new(&self.0.signing)) {
            Some(fast) => fast.sign(message),
            None => self.sign_portably(message),
        }
    }

    fn sign_portably(&self, message: &[u8]) -> Signature {
        Signature::from(self.0.signing.sign(message).to_bytes())
    }
}

impl From<SigningKey> for KeyPair {
    fn from(signing: SigningKey) -> Self {
        Self(Arc::new(Shared { signing, fast: OnceLock::new() }))
    }
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyPair").field("public", &self.public()).finish_non_exhaustive()
    }
}

impl PublicKey {
    /// Whether the signature is one of this key over the message. Strict: weak keys and other forms of the same signature
    /// are refused, as libsodium does.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &Signature) -> bool {
        let Ok(key) = VerifyingKey::from_bytes(self.as_bytes()) else { return false };
        let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
        key.verify_strict(message, &signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_signature_is_the_same_on_every_processor(
            seed: [u8; 32],
            message in prop::collection::vec(any::<u8>(), 0..400),
        ) {
            let pair = KeyPair::from_seed(&seed);
            let signature = pair.sign(&message);
            prop_assert_eq!(signature, pair.sign_portably(&message));
            // and again, now that what signs is made
            prop_assert_eq!(pair.clone().sign(&message), signature);
            prop_assert!(pair.public().verify(&message, &signature));
        }
    }

    #[test]
    fn a_signature_holds_for_its_message_and_key_only() {
        let (pair, other) = (KeyPair::from_seed(&[1; 32]), KeyPair::from_seed(&[2; 32]));
        let signature = pair.sign(b"hello");
        assert!(pair.public().verify(b"hello", &signature));
        assert!(!pair.public().verify(b"hallo", &signature));
        assert!(!other.public().verify(b"hello", &signature));
    }

    #[test]
    fn a_secret_key_whose_halves_disagree_is_refused() {
        let mut secret = *KeyPair::from_seed(&[1; 32]).secret_bytes();
        assert!(KeyPair::from_secret_key(&secret).is_ok());
        secret[63] ^= 1;
        assert!(KeyPair::from_secret_key(&secret).is_err());
    }

    #[test]
    fn a_key_pair_does_not_show_its_secret() {
        let shown = format!("{:?}", KeyPair::from_seed(&[0xab; 32]));
        assert!(!shown.contains("abab"), "{shown}");
    }
}
