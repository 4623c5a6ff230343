//! Changes of several logs that happen together or not at all: [`Atom`].

use std::sync::Arc;

use hc_storage::Kv;
use parking_lot::Mutex;

use crate::core::{Branch, Core, Member, flush};
use crate::storage::{Storage, blocking};
use crate::{Error, Result};

/// Changes that wait to be made together. Sessions that are made with [`SessionOptions::atom`](crate::SessionOptions::atom)
/// write into it: append, truncate, commit, records. Nobody else sees anything of it before [`flush`](Self::flush), which
/// writes it all in one batch, over as many cores of one store as there are.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> hypercore::Result<()> {
/// use hypercore::{Hypercore, SessionOptions};
///
/// let log = Hypercore::memory().await?;
/// let atom = log.atom();
/// let session = log.session(SessionOptions::new().atom(&atom)).await?;
/// session.append("hello").await?;
/// assert_eq!((session.length(), log.length()), (1, 0));
/// atom.flush().await?;
/// assert_eq!(log.get(0).await?, "hello");
/// # Ok(()) }
/// ```
///
/// An atom can be flushed several times; each time writes what came since. Dropping one that was not flushed forgets it.
#[derive(Clone)]
pub struct Atom(Arc<Inner>);

struct Inner {
    changes: Arc<hc_storage::Atom>,
    storage: Arc<Storage>,
    members: Mutex<Vec<Member>>,
    flushing: tokio::sync::Mutex<()>,
}

impl Atom {
    /// Over the cores of a store.
    #[must_use]
    pub fn new(storage: &Arc<Storage>) -> Self {
        let changes = Arc::new(hc_storage::Atom::new(Arc::clone(storage.store().kv())));
        Self(Arc::new(Inner {
            changes,
            storage: Arc::clone(storage),
            members: Mutex::default(),
            flushing: tokio::sync::Mutex::default(),
        }))
    }

    pub(crate) fn engine(&self) -> Arc<dyn Kv> {
        Arc::clone(&self.0.changes) as Arc<dyn Kv>
    }

    /// Takes a log in.
    pub(crate) fn add(&self, core: &Core, branch: &Arc<Branch>) -> Result<()> {
        if !Arc::ptr_eq(core.storage(), &self.0.storage) {
            return Err(Error::Assertion("the atom is of another store than the core".into()));
        }
        let mut members = self.0.members.lock();
        if members.iter().any(|member| member.is_of(core, branch)) {
            return Err(Error::Assertion("this log is in the atom already: use that session".into()));
        }
        members.push(Member { core: core.clone(), branch: Arc::clone(branch) });
        Ok(())
    }

    /// Makes all changes since the last flush, at once. If that fails, none of them was made, and they still wait.
    ///
    /// # Errors
    /// [`Error::InvalidOperation`] if one of the logs is no longer there; [`Error::Storage`].
    pub async fn flush(&self) -> Result<()> {
        let _flushing = self.0.flushing.lock().await;
        let atom = self.clone();
        blocking(move || {
            let members = atom.0.members.lock().clone();
            flush(&members, || Ok(atom.0.changes.flush()?))
        })
        .await?;
        if self.0.storage.durability() == crate::Durability::Sync {
            self.0.storage.sync().await?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Atom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Atom").field("logs", &self.0.members.lock().len()).finish_non_exhaustive()
    }
}
