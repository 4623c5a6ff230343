//! One peer: what it says, what it was told, what it asked for, and how much it is asked for.

pub(crate) mod announce;
pub(crate) mod interest;
pub(crate) mod remote;
pub(crate) mod serve;
pub(crate) mod window;

use crate::event::{PeerId, Time};
use crate::have::Have;
use crate::inflight::Retired;
use crate::limits::MAX_NO_DATA;
use announce::Told;
use interest::{OurWants, TheirWants};
use remote::Remote;
use serve::Serving;
use window::Window;

/// One open channel.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) id: PeerId,
    pub(crate) remote: Remote,
    pub(crate) told: Told,
    pub(crate) window: Window,
    pub(crate) retired: Retired,
    pub(crate) ours: OurWants,
    pub(crate) theirs: TheirWants,
    pub(crate) serving: Serving,
    pub(crate) trust: Trust,
    pub(crate) extensions: ExtensionNames,
}

impl Peer {
    pub(crate) fn new(id: PeerId, now: Time) -> Self {
        Self {
            id,
            remote: Remote::new(),
            told: Told::default(),
            window: Window::default(),
            retired: Retired::default(),
            ours: OurWants::default(),
            theirs: TheirWants::new(now),
            serving: Serving::new(),
            trust: Trust::default(),
            extensions: ExtensionNames::default(),
        }
    }

    /// One past the last block that may be asked for: they must be able to prove it to us, or be upgraded by us first.
    pub(crate) fn provable(&self, have: &Have) -> u64 {
        let remote = &self.remote;
        if remote.fork != have.fork {
            0
        } else if remote.length >= have.length || self.told.can_upgrade_them() {
            remote.length
        } else {
            self.told.upgradable_below(have.fork).min(remote.length)
        }
    }

    /// Whether they can bring us to a longer length now.
    pub(crate) fn offers_upgrade(&self, have: &Have) -> bool {
        let remote = &self.remote;
        remote.fork == have.fork
            && remote.can_upgrade
            && remote.length > have.length
            && remote.acked == have.length
            && self.trust.denied_length != Some(remote.length)
    }
}

/// How well a peer kept its word, and whether there is anything left to ask it for.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    /// Nothing is asked from, or served to, a paused peer.
    pub(crate) paused: bool,
    /// Answers without data: of any other reason, not available, invalid.
    no_data: [u32; 3],
    stale: u32,
    /// The length to which they refused to upgrade us.
    pub(crate) denied_length: Option<u64>,
    /// The state of the world in which there was nothing to ask them for.
    pub(crate) exhausted: Option<u64>,
}

impl Trust {
    /// Counts an answer without data; true if that was one too many.
    pub(crate) fn count_no_data(&mut self, reason: u64) -> bool {
        let at = usize::try_from(reason).ok().filter(|at| *at < self.no_data.len()).unwrap_or(0);
        let Some(count) = self.no_data.get_mut(at) else { return false };
        *count += 1;
        self.pause_if(at != 0, at)
    }

    /// Counts a proof that came too late to fit; true if that was one too many in a row.
    pub(crate) const fn count_stale(&mut self) -> bool {
        self.stale += 1;
        let pause = self.stale >= 2 * MAX_NO_DATA && !self.paused;
        self.paused |= pause;
        pause
    }

    pub(crate) const fn kept_word(&mut self) {
        self.stale = 0;
    }

    fn pause_if(&mut self, counts: bool, at: usize) -> bool {
        let many = self.no_data.get(at).is_some_and(|count| *count >= MAX_NO_DATA);
        let pause = counts && many && !self.paused;
        self.paused |= pause;
        pause
    }
}

/// An empty extension name repeats the last one, in each direction.
#[derive(Debug, Default)]
pub(crate) struct ExtensionNames {
    pub(crate) sent: String,
    pub(crate) received: String,
}
