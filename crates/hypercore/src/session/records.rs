//! Records beside the log: the application's, and local ones. They are never replicated.

use bytes::Bytes;

use super::Hypercore;
use crate::storage::blocking;
use crate::{Error, Result};

/// The longest key of a local record, in bytes. As npm hypercore-storage 3.3.1, `lib/keys.js`.
const MAX_LOCAL_KEY: usize = 2048;

impl Hypercore {
    /// Stores a record beside the log, or deletes it. It is never replicated. A named session has records of its own.
    ///
    /// # Errors
    /// [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn set_user_data(&self, key: &str, value: Option<&[u8]>) -> Result<()> {
        self.check_open()?;
        if self.user_data(key).await?.as_deref() == value {
            return Ok(());
        }
        match self.branch() {
            None => self.core().set_user_data(key, value)?,
            Some(branch) => branch.set_user_data(key, value)?,
        }
        self.core().acknowledged().await
    }

    /// A record beside the log.
    ///
    /// # Errors
    /// [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn user_data(&self, key: &str) -> Result<Option<Bytes>> {
        self.check_open()?;
        Ok(self.disk().user_data(key)?)
    }

    /// The records beside the log whose keys are not before `from`, and before `until` if that is given, in order of their
    /// keys.
    ///
    /// # Errors
    /// [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn user_data_range(&self, from: &str, until: Option<&str>) -> Result<Vec<(String, Bytes)>> {
        self.check_open()?;
        let (disk, from, until) = (self.disk(), from.to_owned(), until.map(str::to_owned));
        blocking(move || Ok(disk.user_data_range(&from, until.as_deref())?)).await
    }

    /// Stores a record of this machine's, or deletes it. Keys are bytes.
    ///
    /// # Errors
    /// [`Error::BadArgument`] if the key is longer than 2,048 bytes; [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn set_local(&self, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        self.check_open()?;
        if key.len() > MAX_LOCAL_KEY {
            let len = key.len();
            return Err(Error::BadArgument(format!(
                "a local key of {len} bytes, at most {MAX_LOCAL_KEY} are allowed"
            )));
        }
        let disk = self.disk();
        let mut write = disk.write();
        write.local(key, value);
        disk.commit(write)?;
        self.core().acknowledged().await
    }

    /// A record of this machine's.
    ///
    /// # Errors
    /// [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn local(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.check_open()?;
        Ok(self.disk().local(key)?)
    }
}
