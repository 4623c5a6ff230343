//! The core that a branch is of, and the sessions that keep that core open.
//!
//! A branch is made for one core, and a named session may move to another. Whoever got hold of a core before goes on with
//! it: a core stays where it is for as long as the branch lives, so that [`Home::core`] can hand out a reference, and takes
//! no lock. To find the present core of a branch that never moved is one load.

use std::sync::OnceLock;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::Core;

/// Where a branch is, and was.
pub(crate) struct Home {
    first: Stay,
    sessions: Mutex<Sessions>,
}

/// A core that the branch is of until there is a next one.
struct Stay {
    core: Core,
    /// Ends what waits for this core's peers.
    left: CancellationToken,
    next: OnceLock<Box<Self>>,
}

/// The open sessions of a branch.
struct Sessions {
    open: usize,
    /// Those that are not weak.
    strong: usize,
    /// The core that they keep open.
    core: Core,
}

impl Stay {
    fn new(core: &Core) -> Self {
        Self { core: core.clone(), left: CancellationToken::new(), next: OnceLock::new() }
    }
}

impl Drop for Stay {
    /// One after the other: a chain of any length needs no stack.
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(mut stay) = next {
            next = stay.next.take();
        }
    }
}

impl Home {
    pub(super) fn new(core: &Core) -> Self {
        let sessions = Sessions { open: 0, strong: 0, core: core.clone() };
        Self { first: Stay::new(core), sessions: Mutex::new(sessions) }
    }

    fn stay(&self) -> &Stay {
        let mut stay = &self.first;
        while let Some(next) = stay.next.get() {
            stay = next;
        }
        stay
    }

    pub(crate) fn core(&self) -> &Core {
        &self.stay().core
    }

    /// Cancelled once the branch leaves the core that it is of now.
    pub(super) fn left(&self) -> &CancellationToken {
        &self.stay().left
    }

    /// The branch is of this core from here on. Whoever calls holds the branch's writer, and cancels what this returns once
    /// everything else is in place.
    pub(super) fn go_to(&self, core: &Core) -> &CancellationToken {
        let stay = self.stay();
        // nobody else goes anywhere meanwhile
        let _ = stay.next.set(Box::new(Stay::new(core)));
        &stay.left
    }

    pub(super) fn has_sessions(&self) -> bool {
        self.sessions.lock().open > 0
    }

    pub(super) fn session_opened(&self, weak: bool) {
        let core = {
            let mut sessions = self.sessions.lock();
            sessions.open = sessions.open.saturating_add(1);
            sessions.strong = sessions.strong.saturating_add(usize::from(!weak));
            sessions.core.clone()
        };
        core.session_opened(weak);
    }

    pub(super) fn session_closed(&self, weak: bool) {
        let core = {
            let mut sessions = self.sessions.lock();
            sessions.open = sessions.open.saturating_sub(1);
            sessions.strong = sessions.strong.saturating_sub(usize::from(!weak));
            sessions.core.clone()
        };
        core.session_closed(weak);
    }

    /// The sessions keep the present core open, and no longer the one before. Takes no lock while it tells them: a core that
    /// closes calls its peers.
    pub(super) fn take_sessions_along(&self) {
        let to = self.core().clone();
        let (from, strong) = {
            let mut sessions = self.sessions.lock();
            (std::mem::replace(&mut sessions.core, to.clone()), sessions.strong)
        };
        if from.is(&to) {
            return;
        }
        for _ in 0..strong {
            to.session_opened(false);
        }
        for _ in 0..strong {
            from.session_closed(false);
        }
    }
}
