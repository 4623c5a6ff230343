//! Diffie-Hellman on the Edwards curve, with Ed25519 key pairs.
//!
//! The shared secret is the compressed point `s · P`, where `s` is the clamped first half of SHA-512 of the seed. A point is
//! only taken if its encoding is canonical and it lies in the prime-order subgroup and is not its neutral element, as
//! libsodium's `crypto_scalarmult_ed25519` demands.
//!
//! Follows npm noise-handshake, `dh.js`.

use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::traits::IsIdentity;
use sha2::{Digest, Sha512};
use snow::types::{Dh, Random};
use zeroize::Zeroizing;

use ed25519_dalek::SigningKey;

/// A key pair that agrees on secrets. The private key is the seed.
#[derive(Default)]
pub(super) struct Ed25519Dh {
    seed: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl Dh for Ed25519Dh {
    fn name(&self) -> &'static str {
        "Ed25519"
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        32
    }

    fn set(&mut self, seed: &[u8]) {
        if let Ok(seed) = seed.try_into() {
            self.seed = Zeroizing::new(seed);
            self.public = SigningKey::from_bytes(&self.seed).verifying_key().to_bytes();
        }
    }

    fn generate(&mut self, random: &mut dyn Random) -> Result<(), snow::Error> {
        let mut seed = Zeroizing::new([0; 32]);
        random.try_fill_bytes(seed.as_mut_slice())?;
        self.set(seed.as_slice());
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        self.seed.as_slice()
    }

    fn dh(&self, public: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        let encoded = public.get(..32).and_then(|bytes| CompressedEdwardsY::from_slice(bytes).ok());
        let encoded = encoded.ok_or(snow::Error::Dh)?;
        let point = encoded.decompress().ok_or(snow::Error::Dh)?;
        if point.compress() != encoded || point.is_identity() || !point.is_torsion_free() {
            return Err(snow::Error::Dh);
        }
        let hash = Zeroizing::new(<[u8; 64]>::from(Sha512::digest(self.seed.as_slice())));
        let scalar = hash.first_chunk::<32>().ok_or(snow::Error::Dh)?;
        let secret = point.mul_clamped(*scalar).compress();
        out.get_mut(..32).ok_or(snow::Error::Dh)?.copy_from_slice(secret.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(seed: u8) -> Ed25519Dh {
        let mut dh = Ed25519Dh::default();
        dh.set(&[seed; 32]);
        dh
    }

    #[test]
    fn both_ends_agree() {
        let (a, b) = (pair(1), pair(2));
        let (mut ab, mut ba) = ([0; 32], [0; 32]);
        a.dh(b.pubkey(), &mut ab).unwrap();
        b.dh(a.pubkey(), &mut ba).unwrap();
        assert_eq!(ab, ba);
    }

    #[test]
    fn weak_and_malformed_points_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        // of order 2, 4 and 8, not canonical, not on the curve
        let order_2 = {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (0xec, 0x7f);
            bytes
        };
        let order_8 = [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
            0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ];
        let not_canonical = [0xff; 32];
        for point in [identity, [0; 32], order_2, order_8, not_canonical] {
            assert!(pair(1).dh(&point, &mut [0; 32]).is_err(), "{point:02x?}");
        }
        assert!(pair(1).dh(&[1; 31], &mut [0; 32]).is_err());
    }
}
