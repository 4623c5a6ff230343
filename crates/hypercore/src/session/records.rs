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
        self.write_records(&[(key, value)]).await
    }

    /// Stores the records of options, in one batch.
    pub(super) async fn store_records(&self, records: &[(String, Vec<u8>)]) -> Result<()> {
        let records: Vec<_> =
            records.iter().map(|(key, value)| (key.as_str(), Some(value.as_slice()))).collect();
        self.write_records(&records).await
    }

    /// Writes those records that are not as they should be.
    async fn write_records(&self, records: &[(&str, Option<&[u8]>)]) -> Result<()> {
        let disk = self.disk()?;
        let (mut write, mut changed) = (disk.write(), false);
        for (key, value) in records {
            if disk.user_data(key)?.as_deref() != *value {
                write.user_data(key, *value);
                changed = true;
            }
        }
        if !changed {
            return Ok(());
        }
        disk.commit(write)?;
        self.core().acknowledged().await
    }

    /// A record beside the log.
    ///
    /// # Errors
    /// [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn user_data(&self, key: &str) -> Result<Option<Bytes>> {
        Ok(self.disk()?.user_data(key)?)
    }

    /// The records beside the log whose keys are not before `from`, and before `until` if that is given, in order of their
    /// keys.
    ///
    /// # Errors
    /// [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn user_data_range(&self, from: &str, until: Option<&str>) -> Result<Vec<(String, Bytes)>> {
        let (disk, from, until) = (self.disk()?, from.to_owned(), until.map(str::to_owned));
        blocking(move || Ok(disk.user_data_range(&from, until.as_deref())?)).await
    }

    /// Stores a record of this machine's, or deletes it. Keys are bytes.
    ///
    /// # Errors
    /// [`Error::BadArgument`] if the key is longer than 2,048 bytes; [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn set_local(&self, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        let disk = self.disk()?;
        if key.len() > MAX_LOCAL_KEY {
            let len = key.len();
            return Err(Error::BadArgument(format!(
                "a local key of {len} bytes, at most {MAX_LOCAL_KEY} are allowed"
            )));
        }
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
        Ok(self.disk()?.local(key)?)
    }
}
