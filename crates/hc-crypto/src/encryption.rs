//! Encryption of blocks: who has a log's key can check its blocks, who has the encryption key too can read them.
//!
//! A block as it is stored, hashed and sent is the blinded fork (8 bytes, the *padding*), then the cipher text, which is as
//! long as the block. Both are XSalsa20 streams:
//!
//! | what | key | nonce of 24 bytes |
//! | --- | --- | --- |
//! | the fork | BLAKE2b of the block key | index, zeros |
//! | the block | block key | index, blinded fork, zeros |
//!
//! Index and fork are little endian. So a nonce belongs to one block of one fork, and a log that is truncated and appended
//! to must use its new fork: two plain texts under one nonce would give both away. The blinding hides little: all forks of an
//! index share one stream, and peers tell each other the fork anyway.
//!
//! There are three ways to the block key: it is derived from the encryption key and the log's key (*default*), likewise as
//! version 10 did it (*compat*), or it is the encryption key itself (*block key*), so that somebody can be given the key of
//! one log and no other's.
//!
//! Nothing here shows that a cipher text is whole: the tree's hashes do that.
//!
//! Follows npm hypercore 11.37.1, `lib/default-encryption.js`, `lib/caps.js`.

use salsa20::XSalsa20;
use salsa20::cipher::{KeyIvInit, StreamCipher};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{Key, hash, namespace};

/// Bytes before the cipher text of each block.
const PADDING: usize = 8;

/// Encrypts and decrypts the blocks of one log.
#[derive(Clone)]
pub struct BlockCipher {
    block_key: Zeroizing<[u8; 32]>,
    blinding_key: Zeroizing<[u8; 32]>,
}

/// Bytes that are no encrypted block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("an encrypted block has at least {PADDING} bytes, this one has {len}")]
pub struct DecryptError {
    /// How many bytes there are.
    pub len: usize,
}

impl BlockCipher {
    /// The cipher of the log with this key. `block_key` says that the encryption key is the block key itself; else `compat`
    /// says that the log is one of version 10, whose block key is derived in another way.
    #[must_use]
    pub fn new(encryption_key: &[u8; 32], core_key: &Key, block_key: bool, compat: bool) -> Self {
        let block_key = match (block_key, compat) {
            (true, _) => Zeroizing::new(*encryption_key),
            (false, false) => block_encryption_key(core_key, encryption_key),
            (false, true) => secret(hash::blake2b_keyed(core_key.as_bytes(), &[encryption_key])),
        };
        let blinding_key = secret(hash::blake2b(&[&*block_key]));
        Self { block_key, blinding_key }
    }

    /// How many bytes a stored block is longer than what it holds.
    #[must_use]
    pub const fn padding(&self) -> usize {
        PADDING
    }

    /// The block as it is stored, padding included.
    ///
    /// `fork` must be one under which no other block was sealed at this index.
    #[must_use]
    pub fn seal(&self, index: u64, fork: u64, block: &[u8]) -> Vec<u8> {
        let mut blinded = fork.to_le_bytes();
        apply(&self.blinding_key, index, [0; PADDING], &mut blinded);
        let mut out = Vec::with_capacity(PADDING + block.len());
        out.extend_from_slice(&blinded);
        out.extend_from_slice(block);
        if let Some(text) = out.get_mut(PADDING..) {
            apply(&self.block_key, index, blinded, text);
        }
        out
    }

    /// The fork that a stored block was sealed for; none if it is too short to be one.
    #[must_use]
    pub fn fork_of(&self, index: u64, stored: &[u8]) -> Option<u64> {
        let mut fork = *stored.first_chunk::<PADDING>()?;
        apply(&self.blinding_key, index, [0; PADDING], &mut fork);
        Some(u64::from_le_bytes(fork))
    }

    /// What a stored block holds.
    ///
    /// # Errors
    /// If it is too short to be one. Bytes that were altered, or of another key, give other bytes and no error.
    pub fn open(&self, index: u64, stored: &[u8]) -> Result<Vec<u8>, DecryptError> {
        let split = stored.split_first_chunk::<PADDING>();
        let (blinded, text) = split.ok_or(DecryptError { len: stored.len() })?;
        let mut block = text.to_vec();
        apply(&self.block_key, index, *blinded, &mut block);
        Ok(block)
    }
}

impl std::fmt::Debug for BlockCipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockCipher").finish_non_exhaustive()
    }
}

/// The block key of a log: what is handed to somebody who may read this log and no other one with the same encryption key.
#[must_use]
pub fn block_encryption_key(core_key: &Key, encryption_key: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    let parts: [&[u8]; 3] = [namespace::DEFAULT_ENCRYPTION.as_bytes(), core_key.as_bytes(), encryption_key];
    secret(hash::blake2b(&parts))
}

fn secret(hash: crate::Hash) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(*hash.as_bytes())
}

fn apply(key: &[u8; 32], index: u64, blinded_fork: [u8; PADDING], text: &mut [u8]) {
    let mut nonce = [0; 24];
    let (first, rest) = nonce.split_at_mut(8);
    first.copy_from_slice(&index.to_le_bytes());
    let (second, _zeros) = rest.split_at_mut(PADDING);
    second.copy_from_slice(&blinded_fork);
    XSalsa20::new(key.into(), &nonce.into()).apply_keystream(text);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cipher(block_key: bool, compat: bool) -> BlockCipher {
        BlockCipher::new(&[1; 32], &Key::from([2; 32]), block_key, compat)
    }

    #[test]
    fn what_is_too_short_for_the_padding_is_an_error() {
        for len in 0..PADDING {
            assert_eq!(cipher(false, false).open(0, &vec![0; len]), Err(DecryptError { len }));
            assert_eq!(cipher(false, false).fork_of(0, &vec![0; len]), None);
        }
        assert_eq!(cipher(false, false).open(0, &[0; PADDING]), Ok(Vec::new()));
    }

    #[test]
    fn a_block_key_reads_what_the_key_it_was_derived_from_has_sealed() {
        let key = block_encryption_key(&Key::from([2; 32]), &[1; 32]);
        let sealed = cipher(false, false).seal(4, 1, b"hello");
        for core in [[2; 32], [3; 32]] {
            let shared = BlockCipher::new(&key, &Key::from(core), true, false);
            assert_eq!(shared.open(4, &sealed).unwrap(), b"hello");
        }
    }

    #[test]
    fn a_cipher_does_not_show_its_keys() {
        let shown = format!("{:?}", BlockCipher::new(&[0xab; 32], &Key::from([2; 32]), true, false));
        assert_eq!(shown, "BlockCipher { .. }");
    }

    #[test]
    fn h9_blocks_of_two_forks_or_indexes_share_no_key_stream() {
        // the cipher text of zeros is the key stream itself
        let cipher = cipher(false, false);
        let mut seen = std::collections::BTreeSet::new();
        for index in 0..16 {
            for fork in 0..16 {
                let sealed = cipher.seal(index, fork, &[0; 64]);
                assert!(seen.insert(sealed[..PADDING].to_vec()), "index {index}, fork {fork}: nonce");
                assert!(seen.insert(sealed[PADDING..].to_vec()), "index {index}, fork {fork}: stream");
            }
        }
    }

    proptest! {
        #[test]
        fn h1_what_is_sealed_opens_again_and_is_8_bytes_longer_and_does_not_hold_the_plain_text(
            block in proptest::collection::vec(any::<u8>(), 0..400),
            index in 0_u64..1 << 53,
            fork in any::<u64>(),
            mode in 0..3,
        ) {
            let cipher = cipher(mode == 1, mode == 2);
            let sealed = cipher.seal(index, fork, &block);
            prop_assert_eq!(sealed.len(), block.len() + cipher.padding());
            prop_assert_eq!(cipher.open(index, &sealed).unwrap(), block.clone());
            if block.len() >= 8 {
                prop_assert!(!sealed.windows(8).any(|window| window == &block[..8]));
                prop_assert_ne!(cipher.open(index + 1, &sealed).unwrap(), block);
            }
        }
    }
}
