//! Which channels are open, and which are being opened.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use compact_encoding::{DecodeError, Reader};

use super::backlog::{Backlog, Pending};
use super::incoming::{Incoming, Item};
use super::{CLOSE, OPEN, REJECT};
use crate::error::Violation;
use crate::limits::{MAX_CHANNEL_ID, MAX_CHANNELS, MAX_NAME, MAX_WAITING_BYTES};

/// Our number of a channel, from 1.
pub(crate) type LocalId = u64;
/// The peer's number of a channel, from 1.
pub(super) type RemoteId = u64;

/// What a channel is for. Both ends open it under the same name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) protocol: Vec<u8>,
    pub(crate) id: Vec<u8>,
}

/// What a message of a frame meant.
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
    /// Those that are open or wait: numbers that were refused or let go of cost nothing.
    remote: BTreeMap<RemoteId, Remote>,
    /// How many numbers the peer has used.
    remote_numbers: usize,
    /// Channels that one end has opened and the other has not.
    names: BTreeMap<Name, Opening>,
    /// What all channels that wait for this end cost together.
    waiting_bytes: usize,
    /// Channels with a backlog, in the order in which they were opened. One may have been closed meanwhile.
    ready: VecDeque<LocalId>,
}

#[derive(Debug)]
struct Local {
    remote: Option<RemoteId>,
    /// What the peer sent before this end opened the channel, and nobody has taken yet.
    backlog: Option<Box<Backlog>>,
}

#[derive(Debug)]
enum Remote {
    /// Opened by the peer only.
    Waiting {
        name: Name,
        handshake: Bytes,
        pending: Pending,
    },
    Open {
        local: LocalId,
    },
}

impl Remote {
    /// What it counts for as long as it waits.
    fn cost(&self) -> usize {
        match self {
            Self::Waiting { name, handshake, pending } => {
                name.protocol.len() + name.id.len() + handshake.len() + pending.cost()
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
    /// What the next message meant: of those that waited for a channel that is open now, then of the frame.
    pub(crate) fn poll_event(&mut self, incoming: &mut Incoming) -> Result<Option<MuxEvent>, Violation> {
        loop {
            if let Some(event) = self.poll_backlog() {
                return Ok(Some(event));
            }
            let Some(item) = incoming.next()? else { return Ok(None) };
            let event = if item.channel == 0 { self.control(item)? } else { self.message(item)? };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    fn poll_backlog(&mut self) -> Option<MuxEvent> {
        while let Some(&local) = self.ready.front() {
            let place = slot_mut(&mut self.local, local).and_then(Option::as_mut);
            if let Some(backlog) = place.and_then(|ours| ours.backlog.as_mut()) {
                if let Some(handshake) = backlog.opened() {
                    return Some(MuxEvent::Opened { local, handshake });
                }
                if let Some((type_id, body)) = backlog.next() {
                    return Some(MuxEvent::Message { local, type_id, body });
                }
            }
            if let Some(ours) = slot_mut(&mut self.local, local).and_then(Option::as_mut) {
                ours.backlog = None;
            }
            self.ready.pop_front();
        }
        None
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
            *place = Some(Local { remote: waiting, backlog: None });
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
            if let Some(gone) = self.remote.remove(id) {
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
            self.remote.remove(&remote);
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
        let Some(before) = self.remote.insert(remote, Remote::Open { local }) else { return };
        self.waiting_bytes = self.waiting_bytes.saturating_sub(before.cost());
        let Remote::Waiting { handshake, pending, .. } = before else { return };
        if let Some(ours) = slot_mut(&mut self.local, local).and_then(Option::as_mut) {
            ours.backlog = Some(Box::new(Backlog::new(handshake, pending)));
            self.ready.push_back(local);
        }
    }

    fn control(&mut self, item: Item<'_>) -> Result<Option<MuxEvent>, Violation> {
        let mut reader = item.reader;
        match reader.uint().map_err(Violation::Channel)? {
            OPEN => self.opened(&mut reader),
            REJECT => self.rejected(reader.uint().map_err(Violation::Channel)?),
            CLOSE => Ok(self.closed(reader.uint().map_err(Violation::Channel)?)),
            // of a later version
            _ => Ok(None),
        }
    }

    fn message(&mut self, item: Item<'_>) -> Result<Option<MuxEvent>, Violation> {
        let Item { channel, frame, mut reader } = item;
        let type_id = reader.uint().map_err(Violation::Channel)?;
        // there may be no such channel, or it was closed meanwhile
        let Some(remote) = self.remote.get_mut(&channel) else { return Ok(None) };
        match remote {
            Remote::Open { local } => {
                let body = frame.slice_ref(reader.rest());
                Ok(Some(MuxEvent::Message { local: *local, type_id, body }))
            }
            Remote::Waiting { name, pending, .. } => {
                self.waiting_bytes += pending.push(type_id, reader.rest());
                if !pending.is_over() {
                    return self.check_waiting().map(|()| None);
                }
                let name = name.clone();
                let gone = self.remote.remove(&channel);
                self.waiting_bytes = self.waiting_bytes.saturating_sub(gone.map_or(0, |gone| gone.cost()));
                if let Some(opening) = self.names.get_mut(&name) {
                    opening.incoming.retain(|id| *id != channel);
                }
                self.forget_if_idle(&name);
                self.check_waiting()?;
                Ok(Some(MuxEvent::Reject { remote: channel }))
            }
        }
    }

    fn opened(&mut self, reader: &mut Reader<'_>) -> Result<Option<MuxEvent>, Violation> {
        let remote = reader.uint().map_err(Violation::Channel)?;
        let name = read_name(reader)?;
        let handshake = Bytes::copy_from_slice(reader.rest());
        if remote == 0 {
            return Ok(Some(MuxEvent::Reject { remote }));
        }
        self.claim(remote)?;
        let Some(local) = self.names.get_mut(&name).and_then(|opening| opening.outgoing.pop_front()) else {
            let waiting = Remote::Waiting { name: name.clone(), handshake, pending: Pending::default() };
            self.waiting_bytes += waiting.cost();
            self.check_waiting()?;
            self.remote.insert(remote, waiting);
            self.names.entry(name.clone()).or_default().incoming.push_back(remote);
            return Ok(Some(MuxEvent::Requested { name }));
        };
        self.forget_if_idle(&name);
        match slot_mut(&mut self.local, local).and_then(Option::as_mut) {
            Some(ours) => {
                ours.remote = Some(remote);
                self.remote.insert(remote, Remote::Open { local });
                Ok(Some(MuxEvent::Opened { local, handshake }))
            }
            // we closed it before the answer came
            None => {
                self.release(local);
                Ok(None)
            }
        }
    }

    fn check_waiting(&self) -> Result<(), Violation> {
        if self.waiting_bytes > MAX_WAITING_BYTES {
            return Err(Violation::TooMuchWaiting { max: MAX_WAITING_BYTES });
        }
        Ok(())
    }

    /// The peer takes a number: one that is free, or the next one.
    fn claim(&mut self, remote: RemoteId) -> Result<(), Violation> {
        let next = u64::try_from(self.remote_numbers).unwrap_or(u64::MAX).saturating_add(1);
        if remote == next {
            if self.remote_numbers >= MAX_CHANNELS {
                return Err(Violation::TooManyChannels { max: MAX_CHANNELS });
            }
            self.remote_numbers += 1;
        }
        if remote == 0 || remote > next || self.remote.contains_key(&remote) {
            return Err(Violation::ChannelId { id: remote });
        }
        Ok(())
    }

    fn rejected(&mut self, local: LocalId) -> Result<Option<MuxEvent>, Violation> {
        let found = self.names.iter().find(|(_, opening)| opening.outgoing.contains(&local));
        let Some(name) = found.map(|(name, _)| name.clone()) else {
            return Err(Violation::Reject { id: local });
        };
        if let Some(opening) = self.names.get_mut(&name) {
            opening.outgoing.retain(|id| *id != local);
        }
        self.forget_if_idle(&name);
        let ours = slot_mut(&mut self.local, local).and_then(Option::take);
        self.release(local);
        Ok(ours.map(|_| MuxEvent::Closed { local }))
    }

    fn closed(&mut self, remote: RemoteId) -> Option<MuxEvent> {
        let gone = self.remote.remove(&remote)?;
        self.waiting_bytes = self.waiting_bytes.saturating_sub(gone.cost());
        match gone {
            Remote::Open { local } => {
                slot_mut(&mut self.local, local).and_then(Option::take)?;
                self.release(local);
                Some(MuxEvent::Closed { local })
            }
            Remote::Waiting { name, .. } => {
                if let Some(opening) = self.names.get_mut(&name) {
                    opening.incoming.retain(|id| *id != remote);
                }
                self.forget_if_idle(&name);
                // it still waits for an answer to its opening: without one it would take the next for it
                Some(MuxEvent::Reject { remote })
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
