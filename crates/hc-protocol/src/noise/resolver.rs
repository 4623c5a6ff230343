//! Tells the Noise library which curve, hash and cipher to use, and where randomness comes from.

use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::CryptoResolver;
use snow::types::{Cipher, Dh, Hash, Random};
use zeroize::Zeroizing;

use super::curve::Ed25519Dh;
use super::primitives::{Blake2b, ChaChaPoly};

pub(super) struct Resolver {
    ephemeral_seed: Zeroizing<[u8; 32]>,
}

impl Resolver {
    pub(super) fn new(ephemeral_seed: [u8; 32]) -> Self {
        Self { ephemeral_seed: Zeroizing::new(ephemeral_seed) }
    }
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Once(Some(self.ephemeral_seed.clone()))))
    }

    fn resolve_dh(&self, _: &DHChoice) -> Option<Box<dyn Dh>> {
        Some(Box::<Ed25519Dh>::default())
    }

    fn resolve_hash(&self, _: &HashChoice) -> Option<Box<dyn Hash>> {
        Some(Box::<Blake2b>::default())
    }

    fn resolve_cipher(&self, _: &CipherChoice) -> Option<Box<dyn Cipher>> {
        Some(Box::<ChaChaPoly>::default())
    }
}

/// Gives the caller's seed once. XX makes one ephemeral key at each end; a second would have to be another.
struct Once(Option<Zeroizing<[u8; 32]>>);

impl Random for Once {
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), snow::Error> {
        let seed = self.0.take().ok_or(snow::Error::Rng)?;
        if out.len() != seed.len() {
            return Err(snow::Error::Rng);
        }
        out.copy_from_slice(seed.as_slice());
        Ok(())
    }
}
