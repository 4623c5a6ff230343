//! Our requests: ids, who was asked for what, and what the driver is verifying.
//!
//! Ids are slots of a slab, from 1, shared by all peers. A slot is free again when its answer arrived and was
//! applied; the id of a cancelled request only when an answer to a later request to the same peer arrived, since
//! until then the answer to the cancelled one may still be on its way (see [`Retired`]).
//!
//! Invariants: a block is in flight at most once; `by_block` and the slab agree.
//!
//! Follows npm hypercore 11.37.1, lib/replicator.js (InflightTracker, RoundtripQueue).

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::event::{PeerId, Ticket, Time};

/// One request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) peer: PeerId,
    pub(crate) fork: u64,
    pub(crate) block: Option<u64>,
    pub(crate) upgrade: bool,
    pub(crate) sent: Time,
    /// The losses of our own (`Replicator::losses`) when this was sent.
    pub(crate) losses: u64,
    /// The peer's cancellations when this was sent.
    pub(crate) tick: u64,
    /// Set when the answer arrived and the driver works on it.
    pub(crate) applying: Option<Applying>,
}

/// An answer that the driver works on.
#[derive(Debug)]
pub(crate) struct Applying {
    pub(crate) bytes: u64,
    pub(crate) elapsed: u64,
    pub(crate) manifest: bool,
    /// There is only the manifest in it, although more was asked for.
    pub(crate) refused: bool,
    /// Kept only if somebody waits for this very block.
    pub(crate) value: Option<Bytes>,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    request: Option<Request>,
}

/// All requests of a core.
#[derive(Debug, Default)]
pub(crate) struct Inflight {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_block: BTreeMap<u64, u32>,
    active: usize,
}

impl Inflight {
    /// Adds a request; its id goes on the wire.
    pub(crate) fn add(&mut self, request: Request) -> u64 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            (self.slots.len() - 1) as u32
        });
        if let Some(index) = request.block {
            self.by_block.insert(index, slot);
        }
        if let Some(place) = self.slots.get_mut(slot as usize) {
            place.request = Some(request);
            self.active += 1;
        }
        u64::from(slot) + 1
    }

    /// Requests that wait for an answer or are being applied.
    pub(crate) const fn active(&self) -> usize {
        self.active
    }

    /// The request with this id if it was sent to this peer and is unanswered.
    pub(crate) fn unanswered(&mut self, id: u64, peer: PeerId) -> Option<&mut Request> {
        let request = self.slots.get_mut(slot_of(id)?)?.request.as_mut()?;
        (request.peer == peer && request.applying.is_none()).then_some(request)
    }

    /// Names the request while the driver works on its answer.
    pub(crate) fn ticket(&self, id: u64) -> Ticket {
        let slot = slot_of(id).and_then(|slot| self.slots.get(slot));
        Ticket(slot.map_or(0, |slot| u64::from(slot.generation) << 32) | id)
    }

    /// Ends a request that is being applied.
    pub(crate) fn applied(&mut self, ticket: Ticket) -> Option<(u64, Request)> {
        let id = ticket.0 & u64::from(u32::MAX);
        let place = self.slots.get(slot_of(id)?)?;
        if u64::from(place.generation) != ticket.0 >> 32 || place.request.as_ref()?.applying.is_none() {
            return None;
        }
        let request = self.remove(id)?;
        self.reuse(id);
        Some((id, request))
    }

    /// Ends a request; its id stays taken until [`Self::reuse`].
    pub(crate) fn remove(&mut self, id: u64) -> Option<Request> {
        let slot = slot_of(id)?;
        let place = self.slots.get_mut(slot)?;
        let request = place.request.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.active -= 1;
        if let Some(index) = request.block
            && self.by_block.get(&index) == Some(&(slot as u32))
        {
            self.by_block.remove(&index);
        }
        Some(request)
    }

    /// The id may name another request.
    pub(crate) fn reuse(&mut self, id: u64) {
        if let Some(slot) = slot_of(id) {
            self.free.push(slot as u32);
        }
    }

    /// The unanswered requests for blocks of `start..end`.
    pub(crate) fn unanswered_blocks(&self, start: u64, end: u64) -> impl Iterator<Item = u64> {
        self.by_block.range(start..end.max(start)).filter_map(|(_, slot)| {
            let request = self.slots.get(*slot as usize)?.request.as_ref()?;
            request.applying.is_none().then_some(u64::from(*slot) + 1)
        })
    }

    /// Ids of the unanswered requests that fit, in order of id.
    pub(crate) fn find(&self, fits: impl Fn(&Request) -> bool) -> Vec<u64> {
        self.iter()
            .filter(|(_, request)| request.applying.is_none() && fits(request))
            .map(|(id, _)| id)
            .collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Request)> {
        self.slots.iter().zip(1..).filter_map(|(slot, id)| slot.request.as_ref().map(|request| (id, request)))
    }

    /// Whether every slot is in use, free, or one of so many retired ones.
    pub(crate) fn adds_up(&self, retired: usize) -> bool {
        self.iter().count() == self.active && self.active + self.free.len() + retired == self.slots.len()
    }

    /// Blocks in flight.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = u64> {
        self.by_block.keys().copied()
    }
}

fn slot_of(id: u64) -> Option<usize> {
    usize::try_from(id.checked_sub(1)?).ok()
}

/// Ids of cancelled requests of one peer, until a round trip proves that no answer to them can come any more.
#[derive(Debug, Default)]
pub(crate) struct Retired {
    queue: VecDeque<(u64, u64)>,
    tick: u64,
}

impl Retired {
    /// What a request that is sent now carries.
    pub(crate) const fn tick(&self) -> u64 {
        self.tick
    }

    pub(crate) fn add(&mut self, id: u64) {
        self.tick += 1;
        self.queue.push_back((self.tick, id));
    }

    /// An id that is free since the answer to a request of this tick arrived.
    pub(crate) fn flush(&mut self, tick: u64) -> Option<u64> {
        let (at, id) = *self.queue.front()?;
        if at > tick {
            return None;
        }
        self.queue.pop_front();
        Some(id)
    }

    /// Ids that still wait.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}
