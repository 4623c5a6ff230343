//! A core whose owner signed two different logs: the evidence is kept, and nothing more is written.
//!
//! It is found where a proof of a head that is no longer than ours is signed, and its roots are others. Both heads are then
//! stored beside the log, and until the application has decided, every change fails with [`Error::Conflict`], also after
//! reopening.
//!
//! Follows npm hypercore 11.37.1, `lib/core.js` (`checkConflict`), which closes the core, notes a flag that nothing reads
//! again, and keeps no evidence.

use bytes::Bytes;
use compact_encoding::{Decode, DecodeError, Encode, Reader, Sink, put};
use hc_crypto::Hash;
use hc_tree::{Proof, RemoteProof};

use super::Core;
use crate::{Error, Result};

/// The local record that the evidence is kept in.
const RECORD: &[u8] = b"hypercore/conflict";

/// Two heads of one length that are both signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The fork that both are on.
    pub fork: u64,
    /// The length that both have.
    pub length: u64,
    /// The tree hash of the log that is stored here.
    pub ours: Hash,
    /// Its head's length and signature: of this length, or of a longer log that begins with it.
    pub our_signature: (u64, Vec<u8>),
    /// The tree hash of the other log.
    pub theirs: Hash,
    /// The signature of the other log.
    pub their_signature: Vec<u8>,
}

impl Encode for Conflict {
    fn encode<S: Sink>(&self, out: &mut S) {
        put::uint(out, self.fork);
        put::uint(out, self.length);
        self.ours.encode(out);
        put::uint(out, self.our_signature.0);
        put::buffer(out, &self.our_signature.1);
        self.theirs.encode(out);
        put::buffer(out, &self.their_signature);
    }
}

impl Decode<'_> for Conflict {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            fork: reader.uint()?,
            length: reader.uint()?,
            ours: Hash::decode(reader)?,
            our_signature: (reader.uint()?, reader.buffer()?.to_vec()),
            theirs: Hash::decode(reader)?,
            their_signature: reader.buffer()?.to_vec(),
        })
    }
}

impl Conflict {
    /// The one that is stored of a core.
    pub(crate) fn load(disk: &hc_storage::CoreStorage) -> Result<Option<Self>> {
        let Some(bytes) = disk.local(RECORD)? else { return Ok(None) };
        let key = hc_storage::keys::local(disk.pointers().data, RECORD).to_vec();
        let corrupt = |reason| hc_storage::StorageError::Corrupt { key, reason };
        Ok(Some(Self::from_bytes(&bytes).map_err(corrupt)?))
    }
}

impl Core {
    /// Two signed heads of one length, if such were seen.
    pub(crate) fn conflict(&self) -> Option<Conflict> {
        self.0.conflict.read().clone()
    }

    /// Fails if somebody signed two different logs with this core's key.
    pub(crate) fn check_conflict(&self) -> Result<()> {
        match &*self.0.conflict.read() {
            None => Ok(()),
            Some(conflict) => {
                Err(Error::Conflict { length: conflict.length, discovery_key: *self.discovery_key() })
            }
        }
    }

    /// Whether a proof of a whole head contradicts the log. If so the evidence is stored.
    pub(crate) fn contradicts(&self, proof: &Proof) -> Result<bool> {
        self.check_roots()?;
        let _writing = self.writing();
        let (Some(verifier), Some(upgrade)) = (self.verifier(), &proof.upgrade) else { return Ok(false) };
        let status = self.status();
        let length = upgrade.start.saturating_add(upgrade.length);
        if upgrade.start != 0 || proof.fork != status.fork || length > status.length {
            return Ok(false);
        }
        let remote = RemoteProof::new(self.key(), proof.clone());
        let Ok(head) = remote.verify(self.key(), Some(&verifier)) else { return Ok(false) };
        let ours = self.head_at(None, length)?;
        if ours.hash() == head.head().hash() {
            return Ok(false);
        }
        let signature = self.0.state.read().signature().to_vec();
        let conflict = Conflict {
            fork: status.fork,
            length,
            ours: ours.hash(),
            our_signature: (status.length, signature),
            theirs: head.head().hash(),
            their_signature: head.signature().to_vec(),
        };
        self.keep_conflict(Some(conflict))?;
        Ok(true)
    }

    /// Ends the conflict: the log that is stored here is the one that counts.
    pub(crate) fn resolve_conflict(&self) -> Result<()> {
        let _writing = self.writing();
        self.keep_conflict(None)
    }

    fn keep_conflict(&self, conflict: Option<Conflict>) -> Result<()> {
        let bytes = conflict.as_ref().map(|conflict| Bytes::from(conflict.to_vec()));
        let mut write = self.0.disk.write();
        write.local(RECORD, bytes.as_deref());
        self.0.disk.commit(write)?;
        self.0.storage.sync_blocking()?;
        *self.0.conflict.write() = conflict;
        Ok(())
    }
}
