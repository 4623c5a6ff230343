//! BLAKE2b-512 and ChaCha20-Poly1305 in the form that the Noise library takes.

use blake2::{Blake2b512, Digest};
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use snow::types::{Cipher, Hash};

#[derive(Default)]
pub(super) struct Blake2b(Blake2b512);

impl Hash for Blake2b {
    fn name(&self) -> &'static str {
        "BLAKE2b"
    }

    fn block_len(&self) -> usize {
        128
    }

    fn hash_len(&self) -> usize {
        64
    }

    fn reset(&mut self) {
        self.0 = Blake2b512::default();
    }

    fn input(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn result(&mut self, out: &mut [u8]) {
        if let Some(out) = out.get_mut(..64) {
            out.copy_from_slice(&std::mem::take(&mut self.0).finalize());
        }
    }
}

#[derive(Default)]
pub(super) struct ChaChaPoly {
    key: zeroize::Zeroizing<[u8; 32]>,
}

const TAG: usize = 16;

fn nonce(n: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    if let Some(counter) = nonce.last_chunk_mut::<8>() {
        *counter = n.to_le_bytes();
    }
    nonce
}

impl Cipher for ChaChaPoly {
    fn name(&self) -> &'static str {
        "ChaChaPoly"
    }

    fn set(&mut self, key: &[u8; 32]) {
        self.key = zeroize::Zeroizing::new(*key);
    }

    fn encrypt(&self, n: u64, associated: &[u8], plain: &[u8], out: &mut [u8]) -> usize {
        let cipher = ChaCha20Poly1305::new((&*self.key).into());
        let Some((sealed, tag)) = out.split_at_mut_checked(plain.len()) else { return 0 };
        sealed.copy_from_slice(plain);
        let made = cipher.encrypt_inout_detached(&nonce(n).into(), associated, sealed.into());
        match (made, tag.get_mut(..TAG)) {
            (Ok(made), Some(tag)) => tag.copy_from_slice(&made),
            // handshake messages are far from the size at which this fails; the peer would refuse what is sent now
            _ => return 0,
        }
        plain.len() + TAG
    }

    fn decrypt(
        &self,
        n: u64,
        associated: &[u8],
        sealed: &[u8],
        out: &mut [u8],
    ) -> Result<usize, snow::Error> {
        let cipher = ChaCha20Poly1305::new((&*self.key).into());
        let (body, tag) = sealed.split_last_chunk::<TAG>().ok_or(snow::Error::Decrypt)?;
        let plain = out.get_mut(..body.len()).ok_or(snow::Error::Decrypt)?;
        plain.copy_from_slice(body);
        cipher
            .decrypt_inout_detached(&nonce(n).into(), associated, (&mut *plain).into(), tag.into())
            .map_err(|_| snow::Error::Decrypt)?;
        Ok(body.len())
    }
}
