//! Which channels are open, and which are being opened.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use compact_encoding::{DecodeError, Reader};

use super::{BATCH, CLOSE, OPEN, REJECT};
use crate::error::Violation;
use crate::limits::{
    MAX_BATCH_MESSAGES, MAX_CHANNEL_ID, MAX_CHANNELS, MAX_NAME, MAX_PENDING_BYTES, MAX_PENDING_MESSAGES,
    MAX_WAITING_BYTES, WAITING_MESSAGE_COST,
};

/// Our number of a channel, from 1.
pub(crate) type LocalId = u64;
/// The peer's number of a channel, from 1.
type RemoteId = u64;

/// What a channel is for. Both ends open it under the same name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) protocol: Vec<u8>,
    pub(crate) id: Vec<u8>,
}

/// What a frame meant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum MuxEvent {
    /// The peer opened a channel that we have not.
    Requested { name: Name },
    /// Both ends have opened the channel.
    Opened { local: LocalId, handshake: Bytes },
    /// A message on an open channel.
    Message { local: LocalId, type_id: u64, body: Bytes },
    /// The peer closed or refused the channel.
    Closed { local: LocalId },
    /// Tell the peer that its channel was refused.
    Reject { remote: RemoteId },
}

#[derive(Debug, Default)]
pub(crate) struct Mux {
    local: Vec<Option<Local>>,
    free: Vec<usize>,
    remote: Vec<Option<Remote>>,
    /// Channels that one end has opened and the other has not.
    names: BTreeMap<Name, Opening>,
    /// What all channels that wait for this end cost together.
    waiting_bytes: usize,
    events: VecDeque<MuxEvent>,
}

#[derive(Debug)]
struct Local {
    remote: Option<RemoteId>,
}

#[derive(Debug)]
enum Remote {
    /// Opened by the peer only.
    Waiting {
        name: Name,
        handshake: Bytes,
        pending: Vec<(u64, Bytes)>,
        bytes: usize,
    },
    Open {
        local: LocalId,
    },
}

impl Remote {
    /// What it counts for as long as it waits.
    fn cost(&self) -> usize {
        match self {
            Self::Waiting { name, handshake, pending, bytes } => {
                let opening = name.protocol.len() + name.id.len() + handshake.len();
                opening + bytes + pending.len() * WAITING_MESSAGE_COST
            }
            Self::Open { .. } => 0,
        }
    }
}

#[derive(Debug, Default)]
struct Opening {
    incoming: VecDeque<RemoteId>,
    /// Ours; also those that we have closed again, for which an answer is still to come.
    outgoing: VecDeque<LocalId>,
}

fn slot<T>(list: &[Option<T>], id: u64) -> Option<&T> {
    list.get(usize::try_from(id.checked_sub(1)?).ok()?)?.as_ref()
}

fn slot_mut<T>(list: &mut [Option<T>], id: u64) -> Option<&mut Option<T>> {
    list.get_mut(usize::try_from(id.checked_sub(1)?).ok()?)
}

impl Mux {
    pub(crate) fn poll_event(&mut self) -> Option<MuxEvent> {
        self.events.pop_front()
    }

    /// Opens a channel from this side: its number, to be told to the peer.
    pub(crate) fn open(&mut self, name: &Name) -> Option<LocalId> {
        if self.local.len() - self.free.len() >= MAX_CHANNELS {
            return None;
        }
        let index = self.free.pop().unwrap_or_else(|| {
            self.local.push(None);
            self.local.len() - 1
        });
        let id = u64::try_from(index).unwrap_or(u64::MAX).saturating_add(1);
        let opening = self.names.entry(name.clone()).or_default();
        let waiting = opening.incoming.pop_front();
        if waiting.is_none() {
            opening.outgoing.push_back(id);
        }
        self.forget_if_idle(name);
        if let Some(place) = self.local.get_mut(index) {
            *place = Some(Local { remote: waiting });
        }
        if let Some(remote) = waiting {
            self.pair(id, remote);
        }
        Some(id)
    }

    /// The numbers of the peer's channels of this name that we have not opened: they are refused.
    pub(crate) fn refuse(&mut self, name: &Name) -> Vec<RemoteId> {
        let Some(opening) = self.names.get_mut(name) else { return Vec::new() };
        let refused: Vec<RemoteId> = opening.incoming.drain(..).collect();
        for id in &refused {
            if let Some(gone) = slot_mut(&mut self.remote, *id).and_then(Option::take) {
                self.waiting_bytes = self.waiting_bytes.saturating_sub(gone.cost());
            }
        }
        self.forget_if_idle(name);
        refused
    }

    /// Closes a channel from this side. Whether there was one, to be told to the peer.
    pub(crate) fn close(&mut self, id: LocalId) -> bool {
        let Some(local) = slot_mut(&mut self.local, id).and_then(Option::take) else { return false };
        if let Some(remote) = local.remote {
            if let Some(place) = slot_mut(&mut self.remote, remote) {
                *place = None;
            }
            self.release(id);
        }
        true
    }

    fn release(&mut self, id: LocalId) {
        if let Some(index) = id.checked_sub(1).and_then(|index| usize::try_from(index).ok()) {
            self.free.push(index);
        }
    }

    fn forget_if_idle(&mut self, name: &Name) {
        if self
            .names
            .get(name)
            .is_some_and(|opening| opening.incoming.is_empty() && opening.outgoing.is_empty())
        {
            self.names.remove(name);
        }
    }

    /// Joins our channel with one that the peer opened before.
    fn pair(&mut self, local: LocalId, remote: RemoteId) {
        let Some(place) = slot_mut(&mut self.remote, remote) else { return };
        let Some(before) = place.replace(Remote::Open { local }) else { return };
        self.waiting_bytes = self.waiting_bytes.saturating_sub(before.cost());
        let Remote::Waiting { handshake, pending, .. } = before else { return };
        self.events.push_back(MuxEvent::Opened { local, handshake });
        let messages = pending.into_iter().map(|(type_id, body)| MuxEvent::Message { local, type_id, body });
        self.events.extend(messages);
    }

    /// Takes a frame.
    pub(crate) fn receive(&mut self, frame: &Bytes) -> Result<(), Violation> {
        let mut reader = Reader::new(frame);
        match reader.uint().map_err(Violation::Channel)? {
            0 => self.control(frame, &mut reader),
            channel => self.message(channel, frame, reader),
        }
    }

    fn control(&mut self, frame: &Bytes, reader: &mut Reader<'_>) -> Result<(), Violation> {
        match reader.uint().map_err(Violation::Channel)? {
            BATCH => self.batch(frame, reader),
            OPEN => self.opened(frame, reader),
            REJECT => self.rejected(reader.uint().map_err(Violation::Channel)?),
            CLOSE => {
                self.closed(reader.uint().map_err(Violation::Channel)?);
                Ok(())
            }
            // of a later version
            _ => Ok(()),
        }
    }

    fn batch(&mut self, frame: &Bytes, reader: &mut Reader<'_>) -> Result<(), Violation> {
        let mut channel = reader.uint().map_err(Violation::Channel)?;
        let mut messages = 0_usize;
        while !reader.is_empty() {
            messages += 1;
            if messages > MAX_BATCH_MESSAGES {
                return Err(Violation::BatchTooLong { max: MAX_BATCH_MESSAGES });
            }
            let len = reader.uint().map_err(Violation::Channel)?;
            if len == 0 {
                channel = reader.uint().map_err(Violation::Channel)?;
                continue;
            }
            // as in Node, a length beyond the end means up to the end
            let len = usize::try_from(len).unwrap_or(usize::MAX).min(reader.remaining());
            let mut inner = reader.sub(len).map_err(Violation::Channel)?;
            if channel != 0 {
                self.message(channel, frame, inner)?;
                continue;
            }
            let mut peek = inner.clone();
            if peek.uint() == Ok(BATCH) {
                return Err(Violation::NestedBatch);
            }
            self.control(frame, &mut inner)?;
        }
        Ok(())
    }

    fn message(&mut self, channel: RemoteId, frame: &Bytes, mut reader: Reader<'_>) -> Result<(), Violation> {
        let type_id = reader.uint().map_err(Violation::Channel)?;
        let Some(remote) = slot_mut(&mut self.remote, channel) else { return Ok(()) };
        match remote {
            // closed meanwhile
            None => {}
            Some(Remote::Open { local }) => {
                let body = frame.slice_ref(reader.rest());
                self.events.push_back(MuxEvent::Message { local: *local, type_id, body });
            }
            Some(Remote::Waiting { name, pending, bytes, .. }) => {
                let body = Bytes::copy_from_slice(reader.rest());
                *bytes += body.len();
                self.waiting_bytes += body.len() + WAITING_MESSAGE_COST;
                pending.push((type_id, body));
                if *bytes > MAX_PENDING_BYTES || pending.len() > MAX_PENDING_MESSAGES {
                    let name = name.clone();
                    let cost = remote.take().map_or(0, |gone| gone.cost());
                    self.waiting_bytes = self.waiting_bytes.saturating_sub(cost);
                    if let Some(opening) = self.names.get_mut(&name) {
                        opening.incoming.retain(|id| *id != channel);
                    }
                    self.forget_if_idle(&name);
                    self.events.push_back(MuxEvent::Reject { remote: channel });
                }
            }
        }
        self.check_waiting()
    }

    fn opened(&mut self, frame: &Bytes, reader: &mut Reader<'_>) -> Result<(), Violation> {
        let remote = reader.uint().map_err(Violation::Channel)?;
        let name = read_name(reader)?;
        let handshake = Bytes::copy_from_slice(reader.rest());
        debug_assert!(handshake.len() <= frame.len());
        if remote == 0 {
            self.events.push_back(MuxEvent::Reject { remote });
            return Ok(());
        }
        self.claim(remote)?;
        let Some(local) = self.names.get_mut(&name).and_then(|opening| opening.outgoing.pop_front()) else {
            let waiting = Remote::Waiting { name: name.clone(), handshake, pending: Vec::new(), bytes: 0 };
            self.waiting_bytes += waiting.cost();
            self.check_waiting()?;
            if let Some(place) = slot_mut(&mut self.remote, remote) {
                *place = Some(waiting);
            }
            self.names.entry(name.clone()).or_default().incoming.push_back(remote);
            self.events.push_back(MuxEvent::Requested { name });
            return Ok(());
        };
        self.forget_if_idle(&name);
        match slot_mut(&mut self.local, local).and_then(Option::as_mut) {
            Some(ours) => {
                ours.remote = Some(remote);
                if let Some(place) = slot_mut(&mut self.remote, remote) {
                    *place = Some(Remote::Open { local });
                }
                self.events.push_back(MuxEvent::Opened { local, handshake });
            }
            // we closed it before the answer came
            None => self.release(local),
        }
        Ok(())
    }

    fn check_waiting(&self) -> Result<(), Violation> {
        if self.waiting_bytes > MAX_WAITING_BYTES {
            return Err(Violation::TooMuchWaiting { max: MAX_WAITING_BYTES });
        }
        Ok(())
    }

    /// The peer takes a number: one that is free, or the next one.
    fn claim(&mut self, remote: RemoteId) -> Result<(), Violation> {
        let next = u64::try_from(self.remote.len()).unwrap_or(u64::MAX).saturating_add(1);
        if remote == next {
            if self.remote.len() >= MAX_CHANNELS {
                return Err(Violation::TooManyChannels { max: MAX_CHANNELS });
            }
            self.remote.push(None);
        }
        match slot_mut(&mut self.remote, remote) {
            Some(None) => Ok(()),
            _ => Err(Violation::ChannelId { id: remote }),
        }
    }

    fn rejected(&mut self, local: LocalId) -> Result<(), Violation> {
        let found = self.names.iter().find(|(_, opening)| opening.outgoing.contains(&local));
        let Some(name) = found.map(|(name, _)| name.clone()) else {
            return Err(Violation::Reject { id: local });
        };
        if let Some(opening) = self.names.get_mut(&name) {
            opening.outgoing.retain(|id| *id != local);
        }
        self.forget_if_idle(&name);
        if slot_mut(&mut self.local, local).and_then(Option::take).is_some() {
            self.events.push_back(MuxEvent::Closed { local });
        }
        self.release(local);
        Ok(())
    }

    fn closed(&mut self, remote: RemoteId) {
        let Some(gone) = slot_mut(&mut self.remote, remote).and_then(Option::take) else { return };
        self.waiting_bytes = self.waiting_bytes.saturating_sub(gone.cost());
        match gone {
            Remote::Open { local } => {
                if slot_mut(&mut self.local, local).and_then(Option::take).is_some() {
                    self.release(local);
                    self.events.push_back(MuxEvent::Closed { local });
                }
            }
            Remote::Waiting { name, .. } => {
                if let Some(opening) = self.names.get_mut(&name) {
                    opening.incoming.retain(|id| *id != remote);
                }
                self.forget_if_idle(&name);
                // it still waits for an answer to its opening: without one it would take the next for it
                self.events.push_back(MuxEvent::Reject { remote });
            }
        }
    }

    /// Whether the channel is open at this side.
    pub(crate) fn is_open(&self, local: LocalId) -> bool {
        slot(&self.local, local).is_some()
    }
}

fn read_name(reader: &mut Reader<'_>) -> Result<Name, Violation> {
    let bounded = |bytes: &[u8], max: usize| {
        if bytes.len() > max {
            return Err(Violation::NameTooLong { len: bytes.len(), max });
        }
        Ok(bytes.to_vec())
    };
    let malformed = |error: DecodeError| Violation::Channel(error);
    let protocol = bounded(reader.buffer().map_err(malformed)?, MAX_NAME)?;
    let id = bounded(reader.buffer().map_err(malformed)?, MAX_CHANNEL_ID)?;
    Ok(Name { protocol, id })
}
