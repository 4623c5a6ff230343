//! Whether this core downloads, and whether more peers may come.

use crate::event::Time;

#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// A session is open that wants data (or closed a moment ago).
    pub(crate) downloading: bool,
    linger_until: Option<Time>,
    pub(crate) finding: u32,
    pub(crate) connecting: u32,
    pub(crate) had_peers: bool,
    /// What peers were told.
    pub(crate) told: bool,
}

impl Activity {
    pub(crate) const fn set(&mut self, active: bool, now: Time, linger: u64) {
        if active {
            self.downloading = true;
            self.linger_until = None;
        } else if linger == 0 {
            self.downloading = false;
        } else if self.downloading && self.linger_until.is_none() {
            self.linger_until = Some(now.plus(linger));
        }
    }

    pub(crate) fn tick(&mut self, now: Time) {
        if self.linger_until.take_if(|until| *until <= now).is_some() {
            self.downloading = false;
        }
    }

    pub(crate) const fn wake(&self) -> Option<Time> {
        self.linger_until
    }
}
