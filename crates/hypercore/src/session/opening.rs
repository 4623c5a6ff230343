//! Opening a core, and sessions of it: of its log, or of a log beside it.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;
use tokio::sync::OwnedSemaphorePermit;

use super::held::Held;
use super::{Hypercore, Session};
use crate::core::{Branch, Core, NamedOptions, Signer};
use crate::options::{OpenOptions, SessionOptions, Target};
use crate::storage::blocking;
use crate::{Error, Result};

impl Hypercore {
    /// Opens the core in a directory, or creates the directory and a core that this process can append to.
    ///
    /// # Errors
    /// If the directory cannot be opened (it is locked by another process, or holds something else), see
    /// [`Error::Storage`].
    #[cfg(feature = "rocksdb")]
    pub async fn open(dir: impl AsRef<std::path::Path>) -> Result<Self> {
        Self::builder().open(dir).await
    }

    /// A new core in memory, gone with its last session.
    ///
    /// # Errors
    /// If the system has no randomness to make a key from.
    pub async fn memory() -> Result<Self> {
        Self::builder().memory().await
    }

    /// Chooses how a core is opened.
    #[must_use]
    pub fn builder() -> OpenOptions {
        OpenOptions::new()
    }

    /// The first session of an open core, or another one that has nothing to do with those that are there.
    ///
    /// # Errors
    /// As [`session`](Self::session).
    pub async fn from_core(core: Core, options: SessionOptions) -> Result<Self> {
        if core.is_closed() {
            return Err(core.reason_of_closing());
        }
        options.target.check(core.discovery_key())?;
        let exclusive = exclusive_lock(&core, &options).await?;
        Self::opened(core, None, options, exclusive).await
    }

    /// A session of a core's log, or of a log beside it.
    async fn opened(
        core: Core,
        from: Option<Arc<Branch>>,
        mut options: SessionOptions,
        exclusive: Option<OwnedSemaphorePermit>,
    ) -> Result<Self> {
        let (target, at) = (std::mem::take(&mut options.target), core.clone());
        let branch =
            if target.is_same() { from } else { blocking(move || branch_of(&at, from, &target)).await? };
        let records = std::mem::take(&mut options.user_data);
        let made = Self::made(core, branch, options, exclusive);
        made.store_records(&records).await?;
        Ok(made)
    }

    fn made(
        core: Core,
        branch: Option<Arc<Branch>>,
        options: SessionOptions,
        exclusive: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let weak = options.weak.unwrap_or(false);
        match &branch {
            Some(branch) => branch.session_opened(weak),
            None => core.session_opened(weak),
        }
        let opened_on = branch.as_ref().map_or(core, |branch| branch.core().clone());
        let held = Held::new(branch, &opened_on, options, exclusive);
        let session = Session {
            home: held
                .branch
                .as_ref()
                .filter(|branch| branch.may_move())
                .map(|branch| Arc::clone(branch.home())),
            snapshot: held.is_snapshot(),
            opened_on,
            held: RwLock::new(Some(Arc::new(held))),
            last: OnceLock::new(),
            waits: AtomicU64::new(0),
        };
        Self { session: Arc::new(session) }
    }

    /// Another session of this core. What the options leave open is inherited from this one.
    ///
    /// # Errors
    /// [`Error::SessionClosed`]; [`Error::RequestCancelled`] if this session is closed while an exclusive one waits;
    /// [`Error::Assertion`] if the options do not fit together; [`Error::Storage`] for named sessions and records.
    pub async fn session(&self, options: SessionOptions) -> Result<Self> {
        let held = self.held()?;
        options.target.check(self.discovery_key())?;
        let options = held.inherited(options);
        let core = self.core().clone();
        let exclusive = tokio::select! {
            biased;
            exclusive = exclusive_lock(&core, &options) => exclusive,
            () = held.cancelled.cancelled() => {
                Err(Error::RequestCancelled { discovery_key: *self.discovery_key() })
            }
        }?;
        let opened = Self::opened(core, held.branch.clone(), options, exclusive).await?;
        self.check_open()?;
        Ok(opened)
    }

    /// The log as it is now: what happens to it later is not seen.
    ///
    /// # Errors
    /// As [`session`](Self::session).
    pub async fn snapshot(&self) -> Result<Self> {
        self.session(SessionOptions::new().snapshot(true)).await
    }
}

/// Waits until no other exclusive session is open, if this is to be one.
async fn exclusive_lock(core: &Core, options: &SessionOptions) -> Result<Option<OwnedSemaphorePermit>> {
    match options.exclusive && options.writable != Some(false) {
        true => core.lock_exclusive().await.map(Some),
        false => Ok(None),
    }
}

/// The log that a session is to be of, from the one it is made from.
fn branch_of(core: &Core, from: Option<Arc<Branch>>, target: &Target) -> Result<Option<Arc<Branch>>> {
    let mut branch = from;
    core.check_roots()?;
    if let Some(name) = &target.name {
        let options = NamedOptions { name: name.clone(), overwrite: target.overwrite };
        branch = Some(core.named(branch.as_deref(), &options)?);
    }
    if let Some(atom) = &target.atom {
        branch = Some(core.atomic(branch.as_ref(), atom)?);
    }
    if let (Some(length), Some(branch)) = (target.checkout, &branch) {
        go_back(core, branch, length)?;
    }
    if target.snapshot {
        branch = Some(core.snapshot_of(branch.as_ref())?);
    }
    Ok(branch)
}

/// Goes back to a length. A named session stays on its fork, as nobody is told of it; an atom over the log goes to the next
/// one, since its head is signed.
fn go_back(core: &Core, branch: &Branch, length: u64) -> Result<()> {
    let status = branch.status();
    if length > status.length {
        let reason =
            format!("there is no length {length} to go back to, the log has {} blocks", status.length);
        return Err(Error::Assertion(reason));
    }
    if length < core.prologue_length() {
        let reason = format!("length {length} lies inside the prologue of {} blocks", core.prologue_length());
        return Err(Error::Assertion(reason));
    }
    if length == status.length {
        return Ok(());
    }
    if !branch.is_public() {
        return branch.truncate(length, Some(status.fork), &Signer::Nobody);
    }
    let signer =
        core.key_pair().ok_or_else(|| Error::SessionNotWritable { discovery_key: *core.discovery_key() })?;
    branch.truncate(length, None, &Signer::Pair(signer))
}
