//! Reading what is stored here.

use std::collections::VecDeque;

use bytes::Bytes;

use super::Core;
use crate::Result;
use crate::options::Durability;
use crate::storage::blocking;

/// How many bytes of blocks a stream reads at once.
const CHUNK_BYTES: usize = 4 << 20;
/// How many blocks it reads at once.
const CHUNK_BLOCKS: u64 = 4096;

impl Core {
    /// A block, if it is stored here. A point read: it stays on the calling thread.
    pub(crate) fn read_block(&self, index: u64) -> Result<Option<Bytes>> {
        if !self.0.state.read().bitfield().get(index) {
            return Ok(None);
        }
        Ok(self.0.disk.block(index)?)
    }

    /// Blocks from `start` on that are stored here without a hole, up to a chunk. Empty if the first one is not.
    pub(crate) async fn read_chunk(&self, start: u64, end: Option<u64>) -> Result<VecDeque<Bytes>> {
        let here = self.0.state.read().bitfield().first_unset(start);
        let end = end.unwrap_or(u64::MAX).min(here).min(start.saturating_add(CHUNK_BLOCKS));
        if end <= start {
            return Ok(VecDeque::new());
        }
        let disk = self.0.disk.clone();
        blocking(move || Ok(disk.blocks(start, end, CHUNK_BYTES)?.into())).await
    }

    pub(crate) fn has_range(&self, start: u64, end: u64) -> bool {
        self.0.state.read().bitfield().has_range(start, end)
    }

    pub(crate) fn user_data(&self, name: &str) -> Result<Option<Bytes>> {
        Ok(self.0.disk.user_data(name)?)
    }

    pub(crate) async fn set_user_data(&self, name: &str, value: Option<&[u8]>) -> Result<()> {
        let mut write = self.0.disk.write();
        write.user_data(name, value);
        self.0.disk.commit(write)?;
        self.0.storage.committed();
        if self.0.storage.durability() == Durability::Sync {
            self.0.storage.sync().await?;
        }
        Ok(())
    }
}
