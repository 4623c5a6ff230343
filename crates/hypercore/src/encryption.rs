//! Blocks that only those with a key can read: [`Encryption`].
//!
//! Blocks are encrypted before they are hashed, so that who has not got the key can still fetch, check and hand on all of
//! them. Each encrypted block is a few bytes longer, its *padding*; lengths in bytes that a session tells leave them out.
//!
//! Follows npm hypercore 11.37.1, `index.js` (`_getEncryptionProvider`, `_preappend`) and `lib/default-encryption.js`.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hc_crypto::{BlockCipher, Key};
use parking_lot::Mutex;
use zeroize::Zeroizing;

use crate::Result;

/// How blocks are encrypted.
#[derive(Clone)]
pub enum Encryption {
    /// With a key that follows from this one and the core's key.
    Key(Zeroizing<[u8; 32]>),
    /// With this key itself: that of one core, made by [`block_encryption_key`](crate::block_encryption_key).
    BlockKey(Zeroizing<[u8; 32]>),
    /// In the application's own way.
    Provider(Arc<dyn EncryptionProvider>),
}

impl Encryption {
    /// With a key that follows from this one and the core's key.
    #[must_use]
    pub fn key(key: [u8; 32]) -> Self {
        Self::Key(Zeroizing::new(key))
    }

    /// With this key itself.
    #[must_use]
    pub fn block_key(key: [u8; 32]) -> Self {
        Self::BlockKey(Zeroizing::new(key))
    }

    /// In the application's own way.
    pub fn provider(provider: impl EncryptionProvider) -> Self {
        Self::Provider(Arc::new(provider))
    }
}

impl std::fmt::Debug for Encryption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Key(_) => "Encryption::Key",
            Self::BlockKey(_) => "Encryption::BlockKey",
            Self::Provider(_) => "Encryption::Provider",
        })
    }
}

/// An encryption of the application's own. It must never use one key, index and fork for two plain texts in a way that
/// reveals them.
pub trait EncryptionProvider: Send + Sync + 'static {
    /// How many bytes longer a block is when it is encrypted.
    fn padding(&self) -> u64;

    /// The block as it is stored.
    fn encrypt(&self, index: u64, fork: u64, block: Bytes) -> BoxFuture<'_, Result<Bytes>>;

    /// The block as it was before.
    fn decrypt(&self, index: u64, block: Bytes) -> BoxFuture<'_, Result<Bytes>>;
}

/// The encryption of a session, with what follows from its key kept.
pub(crate) struct SessionEncryption {
    chosen: Option<Encryption>,
    /// The core that it was chosen for.
    core: Key,
    /// Made for a core of version 10, or for one that is not: which one it is may be learnt only with the first proof.
    cipher: Mutex<Option<(bool, Arc<BlockCipher>)>>,
}

impl SessionEncryption {
    pub(crate) fn new(chosen: Option<Encryption>, core: &Key) -> Self {
        Self { chosen, core: *core, cipher: Mutex::default() }
    }

    /// Whether the key follows from that of a core, so that it is of no use for another one.
    pub(crate) const fn is_bound(&self) -> bool {
        matches!(self.chosen, Some(Encryption::Key(_)))
    }

    /// Fails if the session was moved to this core and its key is of no use there.
    pub(crate) fn check(&self, core: &Key) -> Result<()> {
        if !self.is_bound() || self.core == *core {
            return Ok(());
        }
        let reason = "the session was moved: its key is of no use for the blocks of another core";
        Err(crate::Error::Assertion(reason.into()))
    }

    pub(crate) const fn chosen(&self) -> Option<&Encryption> {
        self.chosen.as_ref()
    }

    pub(crate) fn provider(&self) -> Option<Arc<dyn EncryptionProvider>> {
        match &self.chosen {
            Some(Encryption::Provider(provider)) => Some(Arc::clone(provider)),
            _ => None,
        }
    }

    /// The cipher, unless there is none or it is the application's own.
    pub(crate) fn cipher(&self, core: &Key, compat: bool) -> Option<Arc<BlockCipher>> {
        let (key, block_key) = match self.chosen.as_ref()? {
            Encryption::Key(key) => (key, false),
            Encryption::BlockKey(key) => (key, true),
            Encryption::Provider(_) => return None,
        };
        let mut kept = self.cipher.lock();
        if let Some((made_for, cipher)) = kept.as_ref()
            && *made_for == compat
        {
            return Some(Arc::clone(cipher));
        }
        let cipher = Arc::new(BlockCipher::new(key, core, block_key, compat));
        *kept = Some((compat, Arc::clone(&cipher)));
        Some(cipher)
    }

    pub(crate) fn padding(&self, core: &Key, compat: bool) -> u64 {
        match &self.chosen {
            None => 0,
            Some(Encryption::Provider(provider)) => provider.padding(),
            Some(_) => {
                let cipher = self.cipher(core, compat);
                cipher.map_or(0, |cipher| u64::try_from(cipher.padding()).unwrap_or(0))
            }
        }
    }
}
