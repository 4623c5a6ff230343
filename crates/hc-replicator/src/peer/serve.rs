//! Their requests: which wait, which the driver works on, which are answered late.
//!
//! Requests are worked on in order of arrival, those with a priority first, a bounded number at a time and none while
//! the connection takes no bytes. A request whose id is used again replaces the earlier one.
//!
//! Follows npm hypercore 11.37.1, lib/replicator.js (onrequest) and lib/receiver-queue.js.

use std::collections::{BTreeMap, VecDeque};

use crate::wire;

use crate::event::Time;
use crate::limits::{MAX_REMOTE_REQUESTS, MAX_REMOTE_REQUESTS_HARD, MAX_SERVING};

/// A request that is not answered yet.
#[derive(Debug)]
struct Open {
    id: u64,
    fork: u64,
    /// Until the driver has it.
    request: Option<wire::Request>,
}

/// The requests of one peer.
#[derive(Debug)]
pub(crate) struct Serving {
    by_id: BTreeMap<u64, u64>,
    open: BTreeMap<u64, Open>,
    queue: VecDeque<u64>,
    urgent: VecDeque<u64>,
    /// Tasks the driver has not handed back; also cancelled ones.
    building: usize,
    next_task: u64,
    /// Ids to be answered with "invalid", and when.
    late: VecDeque<(Time, u64)>,
    pub(crate) invalid: u32,
    pub(crate) writable: bool,
    /// Whether the driver was told to stop reading.
    stopped: bool,
}

impl Serving {
    pub(crate) const fn new() -> Self {
        Self {
            by_id: BTreeMap::new(),
            open: BTreeMap::new(),
            queue: VecDeque::new(),
            urgent: VecDeque::new(),
            building: 0,
            next_task: 1,
            late: VecDeque::new(),
            invalid: 0,
            writable: true,
            stopped: false,
        }
    }

    /// Takes a request; false if there are far too many.
    pub(crate) fn add(&mut self, request: wire::Request) -> bool {
        self.cancel(request.id);
        let task = self.next_task;
        self.next_task += 1;
        self.by_id.insert(request.id, task);
        let queue = if request.priority > 0 { &mut self.urgent } else { &mut self.queue };
        queue.push_back(task);
        self.open.insert(task, Open { id: request.id, fork: request.fork, request: Some(request) });
        self.len() <= MAX_REMOTE_REQUESTS_HARD
    }

    pub(crate) fn cancel(&mut self, id: u64) {
        if let Some(task) = self.by_id.remove(&id) {
            self.open.remove(&task);
        }
    }

    /// The next request to work on, with the name of the task.
    pub(crate) fn next(&mut self) -> Option<(u64, wire::Request)> {
        if !self.writable || self.building >= MAX_SERVING {
            return None;
        }
        loop {
            let task = self.urgent.pop_front().or_else(|| self.queue.pop_front())?;
            // A cancelled one is only in the queue any more.
            if let Some(request) = self.open.get_mut(&task).and_then(|open| open.request.take()) {
                return Some((task, request));
            }
        }
    }

    /// The driver has the task now.
    pub(crate) const fn started(&mut self) {
        self.building += 1;
    }

    /// The driver handed a task back: the id and fork of the request, unless it was cancelled meanwhile.
    pub(crate) fn finished(&mut self, task: u64) -> Option<(u64, u64)> {
        self.handed_back();
        self.answer(task)
    }

    /// Ends a task: the id and fork of the request, unless it was cancelled meanwhile.
    pub(crate) fn answer(&mut self, task: u64) -> Option<(u64, u64)> {
        let open = self.open.remove(&task)?;
        self.by_id.remove(&open.id);
        Some((open.id, open.fork))
    }

    /// The driver handed a task back that [`Self::reject`] or [`Self::answer`] ends.
    pub(crate) const fn handed_back(&mut self) {
        self.building = self.building.saturating_sub(1);
    }

    /// Counts an invalid request, and answers it later unless it was cancelled.
    pub(crate) fn reject(&mut self, now: Time, task: u64) {
        self.invalid += 1;
        if let Some((id, _)) = self.answer(task) {
            self.late.push_back((now.plus(backoff(self.invalid)), id));
        }
    }

    /// The id of a request whose late answer is due.
    pub(crate) fn due(&mut self, now: Time) -> Option<u64> {
        let (at, id) = *self.late.front()?;
        if at > now {
            return None;
        }
        self.late.pop_front();
        Some(id)
    }

    pub(crate) fn wake(&self) -> Option<Time> {
        self.late.front().map(|(at, _)| *at)
    }

    /// Whether reading should stop (false) or go on (true), if that changed.
    pub(crate) fn reading(&mut self) -> Option<bool> {
        let stop = if self.stopped {
            self.len() > MAX_REMOTE_REQUESTS / 2
        } else {
            self.len() >= MAX_REMOTE_REQUESTS
        };
        if stop == self.stopped {
            return None;
        }
        self.stopped = stop;
        Some(!stop)
    }

    /// Requests in memory, also those that were cancelled while they waited.
    pub(crate) fn len(&self) -> usize {
        (self.queue.len() + self.urgent.len() + self.building).max(self.open.len()) + self.late.len()
    }
}

/// Milliseconds before the answer to the n-th invalid request.
const fn backoff(times: u32) -> u64 {
    match times {
        0..=1 => 200,
        2..=4 => 500,
        5..=39 => 1_000,
        _ => 5_000,
    }
}
