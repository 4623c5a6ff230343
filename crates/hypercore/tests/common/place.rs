//! A core in each state in which it can be opened.

use std::sync::Arc;

use hypercore::core::{Core, CoreName};
use hypercore::storage::Storage;
use hypercore::{Hypercore, KeyPair, Manifest, OpenOptions, Result, SessionOptions};

/// In what state a core is opened, and as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Nothing is stored yet.
    New,
    /// It is stored, and not open.
    Stored,
    /// Somebody has it open.
    Open,
    /// A session of somebody's session.
    Session,
    /// A directory of its own, new or stored.
    Directory,
    DirectoryAgain,
}

pub(crate) const ALL: [Way; 6] =
    [Way::New, Way::Stored, Way::Open, Way::Session, Way::Directory, Way::DirectoryAgain];

pub(crate) fn pair() -> KeyPair {
    KeyPair::from_seed(&[1; 32])
}

pub(crate) fn manifest() -> Manifest {
    Manifest::single(pair().public())
}

/// A store with the core, which has three blocks if it is one's own, in a state; and what keeps it so.
pub(crate) struct Place {
    pub(crate) way: Way,
    pub(crate) own: bool,
    pub(crate) storage: Arc<Storage>,
    pub(crate) open: Option<Hypercore>,
    dir: tempfile::TempDir,
}

impl Place {
    /// With a core of one's own.
    pub(crate) async fn new(way: Way) -> Self {
        Self::of(way, true).await
    }

    /// With a core whose key pair is stored, or not.
    pub(crate) async fn of(way: Way, own: bool) -> Self {
        let options = OpenOptions::new().manifest(manifest());
        let options = if own { options.key_pair(pair()) } else { options };
        let (storage, dir) = (Storage::memory().unwrap(), tempfile::tempdir().unwrap());
        let mut place = Self { way, own, storage, open: None, dir };
        if way == Way::DirectoryAgain {
            let core = options.open(place.dir.path()).await.unwrap();
            fill(&core).await;
            core.close().await.unwrap();
            return place;
        }
        if matches!(way, Way::New | Way::Directory) {
            return place;
        }
        let core = super::in_store(&place.storage, options).await;
        fill(&core).await;
        match way {
            Way::Stored => core.core().shut(),
            _ => place.open = Some(core),
        }
        place
    }

    /// Opens the core with these options. Those that are not a session's are left out for a session.
    pub(crate) async fn opened(&self, options: OpenOptions) -> Result<Hypercore> {
        let session = options.session_options();
        let options = options.manifest(manifest());
        let options = if self.own { options.key_pair(pair()) } else { options };
        match (self.way, &self.open) {
            (Way::Directory | Way::DirectoryAgain, _) => options.open(self.dir.path()).await,
            (Way::Session, Some(parent)) => parent.session(session).await,
            (_, Some(open)) => {
                open.core().join(&options).await?;
                Hypercore::from_core(open.core().clone(), session).await
            }
            _ => {
                let core = Core::open(&self.storage, CoreName::default(), options).await?;
                Hypercore::from_core(core, session).await
            }
        }
    }

    pub(crate) async fn session(&self, session: SessionOptions) -> Hypercore {
        self.opened(OpenOptions::new().session(session)).await.unwrap()
    }

    /// Whether the log has its blocks before it is opened.
    pub(crate) fn has_blocks(&self) -> bool {
        !matches!(self.way, Way::New | Way::Directory)
    }

    /// Whether the core itself is opened, and not only a session of it.
    pub(crate) fn opens_core(&self) -> bool {
        self.way != Way::Session
    }
}

/// Three blocks, if there are none and it can be written.
pub(crate) async fn fill(core: &Hypercore) {
    let writer = core.session(SessionOptions::new().writable(true)).await.unwrap();
    if core.length() == 0 && writer.writable() {
        writer.append_batch(["0", "1", "2"]).await.unwrap();
    }
}
