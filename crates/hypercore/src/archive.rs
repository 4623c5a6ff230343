//! A core, or a range of it, as one file that verifies with nothing but the key: [`Hypercore::export`], [`Import`].
//!
//! The file is a sequence of proofs, each as peers send it: first the signed head with the manifest, then the blocks in
//! order, each with the tree nodes that no earlier block brought. So whoever reads it checks it as a peer's answers are
//! checked, block by block, without having the whole.
//!
//! | part | bytes |
//! | --- | --- |
//! | what it is | `hypercore archive 1\n` |
//! | the core's key | 32 |
//! | for each proof: its length, then the proof | 4 (least significant first), then as many |
//! | the end | 4 zeros |
//!
//! Encrypted blocks are in the file as they are stored.

use std::ops::RangeBounds;
use std::sync::Arc;

use hc_tree::bitfield::BitChange;
use hc_tree::flat::Cursor;
use hc_tree::{BlockRequest, LocalBitfield, Node, NodeReader, Proof, ProofRequest, UpgradeRequest};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::download::block_range;
use crate::session::{decode_proof, encode_proof};
use crate::{Error, Hypercore, Key, MAX_BLOCK_LEN, Result};

const MAGIC: &[u8] = b"hypercore archive 1\n";
/// The longest proof: a block, and far more nodes than there can be.
const MAX_PROOF: usize = MAX_BLOCK_LEN + (1 << 20);
/// Proofs are stored in batches of about so many bytes, and so many proofs.
const BATCH_BYTES: usize = 4 << 20;
const BATCH_PROOFS: usize = 1024;

/// How much went into a file, or came out of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Archived {
    /// Blocks of the log, which need not all be in the file.
    pub length: u64,
    /// Blocks in the file.
    pub blocks: u64,
    /// Bytes of these blocks, as they are stored.
    pub bytes: u64,
}

impl Hypercore {
    /// Writes the blocks of a range that are stored here, with the proof of each, to a file that verifies with nothing but
    /// the key.
    ///
    /// # Errors
    /// [`Error::Assertion`] if the log is empty, or if this is not a session of the log itself; [`Error::Archive`] if the file
    /// cannot be written; [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn export(
        &self,
        blocks: impl RangeBounds<u64> + Send,
        to: impl AsyncWrite + Unpin + Send,
    ) -> Result<Archived> {
        let log = self.snapshot().await?;
        let length = log.length();
        if length == 0 || self.signed_length() < length {
            return Err(Error::Assertion("there is no signed head to export".into()));
        }
        let range = block_range(&blocks);
        let mut to = Writer { to, position: 0 };
        to.write(MAGIC).await?;
        to.write(self.key().as_bytes()).await?;
        let upgrade = Some(UpgradeRequest { start: 0, length });
        let head = log.proof(&ProofRequest { upgrade, ..ProofRequest::default() }).await?;
        let mut sent = Sent::default();
        sent.nodes(hc_tree::flat::full_roots(length));
        to.proof(&head).await?;
        let mut archived = Archived { length, ..Archived::default() };
        for index in range.start..range.end.unwrap_or(length).min(length) {
            if !log.has(index).await? {
                continue;
            }
            let nodes = sent.missing(index, length);
            let block = Some(BlockRequest { index, nodes });
            let mut proof = log.proof(&ProofRequest { block, ..ProofRequest::default() }).await?;
            proof.manifest = None;
            sent.block(index, nodes);
            archived.blocks += 1;
            archived.bytes += proof.block.as_ref().map_or(0, |block| block.value.len() as u64);
            to.proof(&proof).await?;
        }
        to.write(&[0; 4]).await?;
        to.flush().await?;
        Ok(archived)
    }
}

/// A file that is written, and how many bytes it was given.
struct Writer<W> {
    to: W,
    position: u64,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let position = self.position;
        self.to.write_all(bytes).await.map_err(|error| failed("writing", position, error))?;
        self.position = position.saturating_add(bytes.len() as u64);
        Ok(())
    }

    async fn proof(&mut self, proof: &Proof) -> Result<()> {
        let bytes = encode_proof(proof);
        let len =
            u32::try_from(bytes.len()).map_err(|_| Error::Internal("a proof is too long for a file"))?;
        self.write(&len.to_le_bytes()).await?;
        self.write(&bytes).await
    }

    async fn flush(&mut self) -> Result<()> {
        self.to.flush().await.map_err(|error| failed("writing", self.position, error))
    }
}

/// Which nodes whoever reads the file has by now.
#[derive(Default)]
struct Sent(LocalBitfield);

impl Sent {
    fn nodes(&mut self, nodes: impl IntoIterator<Item = u64>) {
        for index in nodes {
            self.0.apply(BitChange { start: index, end: index.saturating_add(1), set: true });
        }
    }

    fn missing(&self, block: u64, length: u64) -> u64 {
        let Ok(missing) = hc_tree::missing_nodes(self, block.saturating_mul(2), length);
        missing
    }

    /// A block with its proof brings the nodes on the way up, and those beside them.
    fn block(&mut self, block: u64, levels: u64) {
        let mut cursor = Cursor::new(block.saturating_mul(2));
        self.nodes([cursor.index()]);
        for _ in 0..levels {
            let node = cursor.index();
            let sibling = cursor.sibling();
            self.nodes([node, sibling]);
            if cursor.parent().is_none() {
                return;
            }
        }
        self.nodes([cursor.index()]);
    }
}

impl NodeReader for Sent {
    type Error = std::convert::Infallible;

    fn node(&self, _index: u64) -> std::result::Result<Option<Node>, Self::Error> {
        Ok(None)
    }

    fn has_node(&self, index: u64) -> std::result::Result<bool, Self::Error> {
        Ok(self.0.get(index))
    }
}

/// A file that [`Hypercore::export`] wrote, opened: its key is known, nothing of it is checked yet.
#[derive(Debug)]
pub struct Import<R> {
    from: R,
    /// Bytes that were read.
    position: u64,
    key: Key,
}

impl<R: AsyncRead + Unpin + Send> Import<R> {
    /// Reads the beginning.
    ///
    /// # Errors
    /// [`Error::BadArgument`] if it is no such file; [`Error::Archive`] if it cannot be read.
    pub async fn open(mut from: R) -> Result<Self> {
        let mut magic = [0; MAGIC.len()];
        let mut key = [0; 32];
        let read = async {
            from.read_exact(&mut magic).await?;
            from.read_exact(&mut key).await
        };
        read.await.map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Error::BadArgument("not an archive of a core".into()),
            _ => failed("reading", 0, error),
        })?;
        if magic != MAGIC {
            return Err(Error::BadArgument("not an archive of a core".into()));
        }
        let position = (MAGIC.len() + key.len()) as u64;
        Ok(Self { from, position, key: Key::from(key) })
    }

    /// The key of the core that the file says it is of. Only what verifies against it is ever stored.
    #[must_use]
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// Verifies the file, and stores what it holds in a core with its key. What was stored before an error stays: each of it
    /// was verified.
    ///
    /// # Errors
    /// [`Error::BadArgument`] if the core has another key, or if the file ends early; [`Error::InvalidProof`] and its like if
    /// the file was altered; [`Error::Archive`] if it cannot be read; [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn into_core(mut self, core: &Hypercore) -> Result<Archived> {
        if core.key() != &self.key {
            return Err(Error::BadArgument(format!("the archive is of the core {}", self.key)));
        }
        let mut archived = Archived::default();
        let (mut batch, mut bytes) = (Vec::new(), 0);
        loop {
            let proof = self.next().await?;
            let done = proof.is_none();
            if let Some(proof) = proof {
                if let Some(block) = &proof.block {
                    archived.blocks += 1;
                    archived.bytes += block.value.len() as u64;
                    bytes += block.value.len();
                }
                if let Some(upgrade) = &proof.upgrade {
                    archived.length = upgrade.start.saturating_add(upgrade.length);
                }
                let is_head = proof.upgrade.is_some();
                // a core that has as much needs no head
                if !is_head || core.length() < archived.length {
                    batch.push(proof);
                }
                if !is_head && bytes < BATCH_BYTES && batch.len() < BATCH_PROOFS {
                    continue;
                }
            }
            let (count, had) = (batch.len(), core.apply_proofs(std::mem::take(&mut batch)).await?);
            if had < count {
                let reason = "the archive does not fit what is stored of the core".into();
                return Err(Error::InvalidOperation { reason, discovery_key: *core.discovery_key() });
            }
            bytes = 0;
            if done {
                return Ok(archived);
            }
        }
    }

    async fn next(&mut self) -> Result<Option<Proof>> {
        let position = self.position;
        let early = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => ends_early(position),
            _ => failed("reading", position, error),
        };
        let mut len = [0; 4];
        self.from.read_exact(&mut len).await.map_err(early)?;
        let len = usize::try_from(u32::from_le_bytes(len)).unwrap_or(usize::MAX);
        if len == 0 {
            return Ok(None);
        }
        if len > MAX_PROOF {
            return Err(Error::BadArgument(format!(
                "the archive has a part of {len} bytes at byte {position}: no part is so long"
            )));
        }
        // memory grows with what is there, never with what is claimed
        let mut bytes = Vec::new();
        let limit = u64::try_from(len).unwrap_or(u64::MAX);
        (&mut self.from).take(limit).read_to_end(&mut bytes).await.map_err(early)?;
        if bytes.len() < len {
            return Err(ends_early(position));
        }
        self.position = position.saturating_add(4).saturating_add(limit);
        decode_proof(&bytes).map(Some)
    }
}

fn ends_early(position: u64) -> Error {
    Error::BadArgument(format!("the archive ends early, in the part that begins at byte {position}"))
}

fn failed(action: &'static str, position: u64, error: std::io::Error) -> Error {
    Error::Archive { action, position, source: Arc::new(error) }
}
