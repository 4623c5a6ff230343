//! Appending: blocks that the owner signs become one batch.
//!
//! Appends queue. Whoever finds the writer free takes all that wait, makes one batch of them under one signature and commits
//! it; the others find their answer when they come to wait for it. A lone append so runs at once, on the task that asked for
//! it; only large ones, and those that wait for a sync, leave the async threads.
//!
//! Follows npm hypercore 11.37.1, `lib/session-state.js` (`append`).

use bytes::Bytes;
use hc_crypto::{KeyPair, SignError, Verifier};
use hc_storage::Hints;
use hc_tree::bitfield::BitChange;
use hc_tree::{Batch, SignedChange};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::Core;
use super::state::Committed;
use crate::events::Event;
use crate::options::Durability;
use crate::session::Appended;
use crate::storage::blocking;
use crate::{Error, Result};

/// Appends of more bytes than this are hashed and written off the async threads.
const INLINE_BYTES: usize = 256 * 1024;

#[derive(Default)]
pub(super) struct AppendQueue(Mutex<Vec<Append>>);

struct Append {
    blocks: Vec<Bytes>,
    signer: KeyPair,
    done: oneshot::Sender<Result<Appended>>,
}

impl Core {
    /// Appends blocks, signed by this key pair.
    pub(crate) async fn append(&self, blocks: Vec<Bytes>, signer: KeyPair) -> Result<Appended> {
        if blocks.is_empty() {
            let status = self.status();
            return Ok(Appended { length: status.length, byte_length: status.byte_length });
        }
        let bytes: usize = blocks.iter().map(Bytes::len).sum();
        let (done, answer) = oneshot::channel();
        self.0.appends.0.lock().push(Append { blocks, signer, done });
        if bytes > INLINE_BYTES {
            let core = self.clone();
            blocking(move || {
                core.drive_writer();
                Ok(())
            })
            .await?;
        } else {
            self.drive_writer();
        }
        let appended = answer.await.map_err(|_| self.closed_error())??;
        if self.0.storage.durability() == Durability::Sync {
            self.0.storage.sync().await?;
        }
        Ok(appended)
    }

    /// Carries out the appends that wait, unless somebody else is at it.
    pub(super) fn drive_writer(&self) {
        while !self.0.appends.0.lock().is_empty() {
            // whoever holds the writer comes back here when it is done
            let Some(writing) = self.0.writer.try_lock() else { return };
            let mut waiting = std::mem::take(&mut *self.0.appends.0.lock());
            while !waiting.is_empty() {
                let signer = waiting.first().map(|append| append.signer.public());
                let same = waiting.iter().take_while(|append| Some(append.signer.public()) == signer).count();
                let rest = waiting.split_off(same);
                self.commit_appends(std::mem::replace(&mut waiting, rest));
            }
            drop(writing);
        }
    }

    /// Commits appends of one signer as one batch, and answers them.
    fn commit_appends(&self, mut appends: Vec<Append>) {
        let mut blocks = Vec::with_capacity(appends.iter().map(|append| append.blocks.len()).sum());
        let mut counts = Vec::with_capacity(appends.len());
        for append in &mut appends {
            counts.push((append.blocks.len(), append.blocks.iter().map(Bytes::len).sum::<usize>()));
            blocks.append(&mut append.blocks);
        }
        let before = self.status();
        let Some(signer) = appends.first().map(|append| append.signer.clone()) else { return };
        match self.commit_blocks(&blocks, &signer) {
            Ok(()) => {
                let mut after = Appended { length: before.length, byte_length: before.byte_length };
                for (append, (count, bytes)) in appends.into_iter().zip(counts) {
                    after.length += u64::try_from(count).unwrap_or(0);
                    after.byte_length += u64::try_from(bytes).unwrap_or(0);
                    let told = after;
                    self.emit(|| Event::Append { length: told.length, byte_length: told.byte_length });
                    // who asked may be gone; the blocks are there all the same
                    let _ = append.done.send(Ok(after));
                }
            }
            Err(error) => {
                for append in appends {
                    let _ = append.done.send(Err(error.clone()));
                }
            }
        }
    }

    fn commit_blocks(&self, blocks: &[Bytes], signer: &KeyPair) -> Result<()> {
        let state = self.0.state.read();
        let fresh = if state.verifier().is_none() { self.own_verifier(signer) } else { None };
        let signed = match state.verifier().or(fresh.as_ref()) {
            Some(verifier) => self.sign(state.head(), verifier, blocks, signer)?,
            None => return Err(Error::SessionNotWritable { discovery_key: *self.discovery_key() }),
        };
        let change = signed.change();
        let bits = vec![BitChange { start: change.ancestors(), end: change.head().length(), set: true }];
        let hints = state.hints_with(&bits);
        let hints: Option<Hints> = (hints != *state.hints()).then_some(hints);

        let mut write = self.0.disk.write();
        write.change(&signed, blocks, crate::now_millis());
        for (page, bytes) in state.bitfield().pages_with(&bits) {
            write.bitfield_page(page, &bytes);
        }
        if let Some(hints) = &hints {
            write.hints(hints);
        }
        if let Some(verifier) = &fresh {
            let auth =
                hc_storage::Auth { manifest: Some(verifier.manifest().clone()), ..state.auth().clone() };
            write.auth(&auth);
        }
        drop(state);
        self.0.disk.commit(write)?;
        self.0.storage.committed();
        self.note_change();
        let head = Some(signed.into_head());
        // a writer asks nobody for nodes, so it does not keep in mind which it has
        self.take_over(Committed { head, bits, hints, verifier: fresh, nodes: None });
        self.announce(self.status().length);
        Ok(())
    }

    /// A core that was opened by a key that is the signer's own becomes one of version 10 with its first append.
    fn own_verifier(&self, signer: &KeyPair) -> Option<Verifier> {
        let manifest = hc_crypto::Manifest::single(signer.public());
        Verifier::new(*self.key(), manifest).ok()
    }

    fn sign(
        &self,
        head: &hc_tree::TreeHead,
        verifier: &Verifier,
        blocks: &[Bytes],
        signer: &KeyPair,
    ) -> Result<SignedChange> {
        let mut batch = Batch::new(head);
        batch.reserve(blocks.len());
        for block in blocks {
            batch.append(block);
        }
        batch.finish().sign(verifier, signer).map_err(|error| match error {
            SignError::NotASigner => Error::InvalidSignature {
                reason: "the key pair is not a declared signer of this log".into(),
                discovery_key: *self.discovery_key(),
            },
            other => {
                Error::InvalidSignature { reason: other.to_string(), discovery_key: *self.discovery_key() }
            }
        })
    }

    /// What is written becomes what is known.
    pub(super) fn take_over(&self, committed: Committed) {
        let mut state = self.0.state.write();
        state.take_over(committed);
        let status = state.status();
        drop(state);
        self.0.status.send_replace(status);
    }
}
