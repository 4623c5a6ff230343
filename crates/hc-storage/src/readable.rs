//! Whatever is written can be read again.
//!
//! A record is read as hostile input, so a number that is too large or a list that is too long makes it corrupt. One that
//! were written like that would take its log with it. So each record is read before it gets into a batch; of blocks, tree
//! nodes and pages, which are many, only the numbers are looked at.

use compact_encoding::{Encode, MAX_SAFE_UINT};
use hc_tree::bitfield::{PAGE_BITS, PAGE_BYTES};

use crate::error::StorageError;
use crate::keys::{Key, Place};
use crate::kv::WriteBatch;
use crate::records::Record;

type Result<T> = std::result::Result<T, StorageError>;

/// Sets a record in a batch.
///
/// # Errors
/// [`StorageError::Unwritable`] if it would not be read as the same again.
pub(crate) fn put(batch: &mut WriteBatch, key: Key, record: &impl Encode) -> Result<()> {
    let bytes = record.to_vec();
    check(&key, &bytes)?;
    batch.put(key, bytes);
    Ok(())
}

/// Checks a key and what is to be under it.
///
/// # Errors
/// [`StorageError::Unwritable`] if they would not be read as the same again.
pub(crate) fn check(key: &[u8], bytes: &[u8]) -> Result<()> {
    let place = Place::parse(key).map_err(|reason| refused(format_args!("a key"), reason))?;
    let record = Record::parse(&place, bytes).map_err(|reason| refused(format_args!("{place:?}"), reason))?;
    if *place.key() == *key && record.to_vec() == bytes {
        return Ok(());
    }
    Err(refused(format_args!("{place:?}"), "it reads as something else"))
}

/// Checks numbers that are written as they are.
///
/// # Errors
/// [`StorageError::Unwritable`] if one is too large.
pub(crate) fn numbers(of: &str, numbers: &[u64]) -> Result<()> {
    match numbers.iter().find(|number| **number > MAX_SAFE_UINT) {
        Some(number) => Err(refused(of, format_args!("{number} is above 2^53 - 1"))),
        None => Ok(()),
    }
}

/// Checks a page of a bitfield or of marks.
///
/// # Errors
/// [`StorageError::Unwritable`] if there can be no such page.
pub(crate) fn page(page: u64, bytes: &[u8]) -> Result<()> {
    if page <= MAX_SAFE_UINT / PAGE_BITS && bytes.len() == PAGE_BYTES {
        return Ok(());
    }
    Err(refused(format_args!("page {page}"), format_args!("of {} bytes", bytes.len())))
}

/// The error for what could not be read again.
pub(crate) fn refused(what: impl std::fmt::Display, why: impl std::fmt::Display) -> StorageError {
    StorageError::Unwritable(format!("{what} could not be read again ({why})"))
}
