//! What is known of a core.

use super::Hypercore;
use hc_storage::Space;

use crate::storage::blocking;
use crate::{DiscoveryKey, Key, Result};

/// What is known of a core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The core's key.
    pub key: Key,
    /// The key under which peers look for it.
    pub discovery_key: DiscoveryKey,
    /// Blocks in the log.
    pub length: u64,
    /// Blocks stored here from the start without a hole.
    pub contiguous_length: u64,
    /// Bytes of all blocks of the log, stored here or not.
    pub byte_length: u64,
    /// How often the log was truncated.
    pub fork: u64,
    /// Bytes of each block that are not the application's.
    pub padding: u64,
    /// Bytes of the blocks that are stored from the start without a hole, without what encryption adds.
    pub contiguous_byte_length: u64,
    /// Bytes that the core's records take in the store, if they were asked for.
    pub storage: Option<Space>,
}

impl Hypercore {
    /// What is known of the core.
    ///
    /// # Errors
    /// [`Error::SessionClosed`](crate::Error::SessionClosed), [`Error::Storage`](crate::Error::Storage).
    pub async fn info(&self) -> Result<Info> {
        self.check_open()?;
        let status = self.status();
        Ok(Info {
            key: *self.key(),
            discovery_key: *self.discovery_key(),
            length: status.length,
            contiguous_length: status.contiguous_length,
            byte_length: self.byte_length(),
            fork: status.fork,
            padding: self.padding(),
            contiguous_byte_length: self.contiguous_byte_length().await?,
            storage: None,
        })
    }

    /// As [`info`](Self::info), with the bytes that the core takes in the store. They are counted: that takes a while for a
    /// large core.
    ///
    /// # Errors
    /// As [`info`](Self::info).
    pub async fn info_with_storage(&self) -> Result<Info> {
        let disk = self.disk()?;
        let space = blocking(move || Ok(disk.space()?)).await?;
        Ok(Info { storage: Some(space), ..self.info().await? })
    }

    /// Bytes of the blocks that are stored here from the start without a hole, without what encryption adds.
    ///
    /// # Errors
    /// [`Error::SessionClosed`](crate::Error::SessionClosed), [`Error::Storage`](crate::Error::Storage).
    pub async fn contiguous_byte_length(&self) -> Result<u64> {
        self.check_open()?;
        let length = self.contiguous_length();
        let core = self.core().clone();
        let bytes = blocking(move || core.bytes_before(length)).await?;
        Ok(bytes.saturating_sub(length.saturating_mul(self.padding())))
    }
}
