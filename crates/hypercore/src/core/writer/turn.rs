//! Work that one thread does at a time, without anybody waiting for it: [`Turn`].

use super::super::sync::{AtomicBool, Mutex, Ordering, try_lock};

/// Lets one thread at a time work. Whoever comes meanwhile leaves its work to that thread, which looks once more before it
/// leaves: no work is left undone, and nobody waits.
#[derive(Default)]
pub(in super::super) struct Turn {
    working: Mutex<()>,
    /// Set by whoever brings work, cleared by the worker before it looks.
    more: AtomicBool,
}

impl Turn {
    /// Works until nobody has brought anything since, or leaves it to the thread that is at work.
    pub(in super::super) fn take(&self, mut work: impl FnMut()) {
        self.more.store(true, Ordering::SeqCst);
        while self.more.load(Ordering::SeqCst) {
            // who has the turn sees `more` before it leaves
            let Some(working) = try_lock(&self.working) else { return };
            self.more.store(false, Ordering::SeqCst);
            work();
            drop(working);
        }
    }
}
