//! Which logs beside the public one are open: found by name, and told of cuts. A core keeps none of them alive.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::branch::{Branch, Kind};
use crate::events::Event;

/// The branches of a core that are open.
#[derive(Default)]
pub(super) struct Branches(Mutex<Vec<Weak<Branch>>>);

impl Branches {
    pub(super) fn add(&self, branch: &Arc<Branch>) {
        let mut open = self.0.lock();
        open.retain(|branch| branch.strong_count() > 0);
        open.push(Arc::downgrade(branch));
    }

    pub(super) fn remove(&self, gone: &Arc<Branch>) {
        self.0.lock().retain(|branch| !std::ptr::eq(branch.as_ptr(), Arc::as_ptr(gone)));
    }

    /// The named session that somebody has a handle of.
    pub(super) fn named(&self, name: &str) -> Option<Arc<Branch>> {
        let is = |branch: &Arc<Branch>| matches!(branch.kind(), Kind::Named(open) if open == name);
        self.open().into_iter().find(is)
    }

    fn open(&self) -> Vec<Arc<Branch>> {
        self.0.lock().iter().filter_map(Weak::upgrade).collect()
    }

    /// The core was closed, and with it all sessions.
    pub(super) fn closed(&self) {
        for branch in self.open() {
            branch.listeners().tell(|| Event::Close);
        }
    }

    /// The public log, or a named session, was cut.
    pub(super) fn cut(&self, length: u64, name: Option<&str>) {
        for branch in self.open() {
            branch.was_cut(length, name);
        }
    }
}
