//! The core that a branch is of, and the sessions that keep that core open.
//!
//! A branch is made for one core, and a named session may move to another. Whoever got hold of a core before goes on with
//! it: a core stays where it is for as long as the home lives, so that [`Home::core`] can hand out a reference, and takes
//! no lock. To find the present core of a branch that never moved is one load.
//!
//! Handles of a closed session keep the home, and nothing else of the branch: so it is small.

use std::sync::OnceLock;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::Core;

/// Where a branch is, and was.
pub(crate) struct Home(Stay);

/// A core that the branch is of until there is a next one.
struct Stay {
    core: Core,
    /// Ends what waits for this core's peers; made by the first one that waits.
    left: OnceLock<CancellationToken>,
    next: OnceLock<Box<Self>>,
}

impl Stay {
    fn new(core: &Core) -> Self {
        Self { core: core.clone(), left: OnceLock::new(), next: OnceLock::new() }
    }

    fn left(&self) -> &CancellationToken {
        self.left.get_or_init(CancellationToken::new)
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
        Self(Stay::new(core))
    }

    fn stay(&self) -> &Stay {
        let mut stay = &self.0;
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
        self.stay().left()
    }

    /// The branch is of this core from here on. Whoever calls holds the branch's writer, and cancels what this returns once
    /// everything else is in place.
    pub(super) fn go_to(&self, core: &Core) -> &CancellationToken {
        let stay = self.stay();
        // nobody else goes anywhere meanwhile
        let _ = stay.next.set(Box::new(Stay::new(core)));
        stay.left()
    }
}

/// The open sessions of a branch.
pub(super) struct OpenSessions(Mutex<Counts>);

struct Counts {
    open: usize,
    /// Those that are not weak.
    strong: usize,
    /// The core that they keep open.
    core: Core,
}

impl OpenSessions {
    pub(super) fn new(core: &Core) -> Self {
        Self(Mutex::new(Counts { open: 0, strong: 0, core: core.clone() }))
    }

    pub(super) fn are_there(&self) -> bool {
        self.0.lock().open > 0
    }

    pub(super) fn opened(&self, weak: bool) {
        let core = {
            let mut counts = self.0.lock();
            counts.open = counts.open.saturating_add(1);
            counts.strong = counts.strong.saturating_add(usize::from(!weak));
            counts.core.clone()
        };
        core.session_opened(weak);
    }

    pub(super) fn closed(&self, weak: bool) {
        let core = {
            let mut counts = self.0.lock();
            counts.open = counts.open.saturating_sub(1);
            counts.strong = counts.strong.saturating_sub(usize::from(!weak));
            counts.core.clone()
        };
        core.session_closed(weak);
    }

    /// The sessions keep this core open, and no longer the one before. Takes no lock while it tells them: a core that closes
    /// calls its peers.
    pub(super) fn go_along(&self, to: &Core) {
        let (from, strong) = {
            let mut counts = self.0.lock();
            (std::mem::replace(&mut counts.core, to.clone()), counts.strong)
        };
        if from.is(to) {
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
