//! What peers send: each message is checked against the rules, then handed to the part that keeps it.

use crate::wire::{self, Message};
use bytes::Bytes;

use crate::event::{Event, PeerId};
use crate::limits::{MAX_EXTENSION_NAME, MAX_INDEX, WANT_BATCH};
use crate::peer::interest::TheirWant;
use crate::replicator::Replicator;
use crate::violation::Violation;

impl Replicator {
    pub(crate) fn message(&mut self, peer: PeerId, message: Message) -> Result<(), Violation> {
        if !self.peers.contains_key(&peer) {
            return Ok(());
        }
        match message {
            Message::Sync(sync) => self.sync(peer, &sync),
            Message::Request(request) => self.request(peer, request),
            Message::Cancel(cancel) => {
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.serving.cancel(cancel.request);
                }
                Ok(())
            }
            Message::Data(data) => self.data(peer, data),
            Message::NoData(answer) => {
                self.no_data(peer, answer.request, answer.reason);
                Ok(())
            }
            Message::Want(want) => self.their_want(peer, their(&want)?),
            Message::Unwant(want) => {
                let want = their(&want)?;
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.theirs.remove(want);
                }
                Ok(())
            }
            Message::Bitfield(bitfield) => self.bitfield(peer, &bitfield),
            Message::Range(range) => self.range(peer, &range),
            Message::Extension(extension) => self.extension(peer, extension.name, extension.message),
            _ => Ok(()),
        }
    }

    fn sync(&mut self, id: PeerId, sync: &wire::Sync) -> Result<(), Violation> {
        if sync.fork.max(sync.length).max(sync.remote_length) > MAX_INDEX {
            return Err(Violation::OutOfBounds);
        }
        let downloading = self.downloading();
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        let before = (peer.remote.fork, peer.remote.length, peer.remote.synced);
        let length_changed = before.1 != sync.length;
        peer.remote.sync(sync);
        peer.remote.acked = if sync.fork == self.have.fork { sync.remote_length } else { 0 };
        if before != (sync.fork, sync.length, true) {
            peer.trust.denied_length = None;
            self.out.event(Event::RemoteLength { peer: id, fork: sync.fork, length: sync.length });
            if sync.fork > self.have.fork {
                self.out.event(Event::RemoteFork { peer: id, fork: sync.fork });
            }
        }
        if !sync.downloading && !downloading {
            self.out.push(crate::event::Output::Idle { peer: id });
            return Ok(());
        }
        if self.config.eager_upgrade && peer.offers_upgrade(&self.have) {
            self.wants.upgrade.begin(&self.have);
        }
        self.with_peer(id, |peer, us, out| peer.after_sync(length_changed, us, out));
        Ok(())
    }

    fn their_want(&mut self, id: PeerId, want: TheirWant) -> Result<(), Violation> {
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        if peer.theirs.add(want) {
            peer.answer_want(&self.have, self.now, want, &mut self.out);
        }
        Ok(())
    }

    fn bitfield(&mut self, id: PeerId, message: &wire::Bitfield) -> Result<(), Violation> {
        let (start, words) = (message.start, message.bitfield.as_slice());
        if !start.is_multiple_of(32) || words.len() as u64 > WANT_BATCH / 32 {
            return Err(Violation::MalformedBitfield { start, words: words.len() });
        }
        if start > MAX_INDEX {
            return Err(Violation::OutOfBounds);
        }
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        // Kept only where it was asked for or can be: below the length they have.
        if start < peer.remote.length || peer.ours.has(start) {
            peer.remote.claim_words(start, words);
            peer.trust.exhausted = None;
        }
        Ok(())
    }

    fn range(&mut self, id: PeerId, range: &wire::Range) -> Result<(), Violation> {
        let end = range.start.checked_add(range.length).filter(|end| *end <= MAX_INDEX + 1);
        let end = end.ok_or(Violation::OutOfBounds)?;
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        peer.remote.claim(range.start, end, !range.drop);
        peer.trust.exhausted = None;
        if range.start == 0
            && !range.drop
            && peer.remote.fork == self.have.fork
            && end > self.remote_contiguous
        {
            self.remote_contiguous = end;
            self.tell_remote_contiguous();
        }
        Ok(())
    }

    /// The highest length below which a peer has everything, as far as we know that length ourselves.
    pub(crate) fn tell_remote_contiguous(&mut self) {
        let length = self.remote_contiguous.min(self.have.length);
        if length != self.told_contiguous {
            self.told_contiguous = length;
            self.out.event(Event::RemoteContiguousLength { length, fork: self.have.fork });
        }
    }

    fn extension(&mut self, id: PeerId, name: String, message: Bytes) -> Result<(), Violation> {
        if name.len() > MAX_EXTENSION_NAME {
            return Err(Violation::ExtensionName { length: name.len() });
        }
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        if !name.is_empty() {
            peer.extensions.received = name;
        }
        let name = peer.extensions.received.clone();
        self.out.event(Event::Extension { peer: id, name, message });
        Ok(())
    }

    pub(crate) fn send_extension(&mut self, id: PeerId, name: String, message: Bytes) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let repeated = peer.extensions.sent == name;
        let short = if repeated { String::new() } else { name.clone() };
        peer.extensions.sent = name;
        self.out.send(id, Message::Extension(wire::Extension { name: short, message }));
    }
}

fn their(want: &wire::Want) -> Result<TheirWant, Violation> {
    let wire::Want { start, length, any } = *want;
    if start.checked_add(length).is_none_or(|end| end > MAX_INDEX + 1) {
        return Err(Violation::OutOfBounds);
    }
    Ok(TheirWant { start, length, any })
}
