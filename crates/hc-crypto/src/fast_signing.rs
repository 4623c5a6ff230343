//! Signing with the arithmetic that the processor is best at.
//!
//! An append signs its head, and that is most of what it costs. On x86-64 processors that multiply without touching the
//! flags (BMI2, ADX) `graviola` signs in little more than half the time of `ed25519-dalek`: the arithmetic of s2n-bignum, in
//! constant time and proven to be right by machine, inside a Rust crate. Elsewhere there is no [`FastKey`].
//!
//! Invariants: a signature is that of RFC 8032, byte for byte; and of a key whose public half comes out otherwise here, none
//! is made, since a signature under a wrong public key gives the secret one away.

use ed25519_dalek::SigningKey;

use crate::Signature;

/// A secret key, made ready for signing. It is wiped from memory when dropped.
pub(crate) struct FastKey(imp::Key);

impl FastKey {
    /// None if the processor cannot.
    pub(crate) fn new(signing: &SigningKey) -> Option<Self> {
        let key = imp::Key::new(signing.as_bytes())?;
        (key.public() == *signing.verifying_key().as_bytes()).then_some(Self(key))
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Signature {
        Signature::from(self.0.sign(message))
    }
}

#[cfg(target_arch = "x86_64")]
mod imp {
    use std::arch::is_x86_feature_detected as has;

    use graviola::signing::eddsa::Ed25519SigningKey;

    pub(super) struct Key(Ed25519SigningKey);

    impl Key {
        pub(super) fn new(seed: &[u8; 32]) -> Option<Self> {
            if !is_supported() {
                return None;
            }
            Ed25519SigningKey::from_bytes(seed).ok().map(Self)
        }

        pub(super) fn public(&self) -> [u8; 32] {
            self.0.public_key().as_bytes()
        }

        pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
            self.0.sign(message)
        }
    }

    /// Whether the processor has all that graviola says it needs; it panics where that is missing.
    fn is_supported() -> bool {
        let arithmetic = has!("adx") && has!("bmi1") && has!("bmi2");
        let vectors = has!("ssse3") && has!("avx") && has!("avx2");
        arithmetic && vectors && has!("aes") && has!("pclmulqdq")
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_fast_key_is_there_exactly_where_the_processor_can() {
            assert_eq!(Key::new(&[1; 32]).is_some(), is_supported());
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod imp {
    /// No such key can be.
    pub(super) enum Key {}

    impl Key {
        pub(super) const fn new(_seed: &[u8; 32]) -> Option<Self> {
            None
        }

        pub(super) const fn public(&self) -> [u8; 32] {
            match *self {}
        }

        pub(super) const fn sign(&self, _message: &[u8]) -> [u8; 64] {
            match *self {}
        }
    }
}
