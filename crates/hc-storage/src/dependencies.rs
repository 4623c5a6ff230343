//! Data that continues other data: the log of a named session begins with blocks of the log that it was made from.
//!
//! Data has at most one dependency record, which names the data before it and up to which length that counts. Followed to
//! the end they make a chain. A block, or a tree node with all that is below it, is in the first data of the chain that is
//! long enough, and in the own data otherwise.
//!
//! Follows npm hypercore-storage 3.3.1, `index.js` (`_addDependency`, `findDependencyIndex`) and `lib/tx.js`. Upstream
//! forgets all but the last link when it opens a session of a session again; here the whole chain is followed.

use std::sync::Arc;

use compact_encoding::MAX_SAFE_UINT;
use hc_tree::flat;

use crate::error::StorageError;
use crate::keys;
use crate::kv::Kv;
use crate::limits::MAX_DEPENDENCIES;
use crate::readable::refused;
use crate::records::{Dependency, Session};
use crate::store::decode;

/// A chain of data, oldest first, with rising lengths. Empty for a log that is all its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependencies(Arc<[Dependency]>);

impl Dependencies {
    pub(crate) fn none() -> Self {
        Self(Arc::new([]))
    }

    pub(crate) fn new(chain: Vec<Dependency>) -> Self {
        Self(chain.into())
    }

    /// Where a block is, if not in the own data; and where the blocks that are there with it end.
    pub(crate) fn of_block(&self, index: u64) -> Option<Dependency> {
        self.0.iter().find(|older| index < older.length).copied()
    }

    /// Where a tree node is, if not in the own data.
    pub(crate) fn of_node(&self, index: u64) -> Option<Dependency> {
        if self.0.is_empty() {
            return None;
        }
        // no log is so long that this bound is one of its nodes
        let last = flat::right_span(index.min(MAX_SAFE_UINT));
        self.0.iter().find(|older| last < older.length.saturating_mul(2)).copied()
    }

    /// How much of the log is older data's.
    pub(crate) fn length(&self) -> Option<u64> {
        self.0.last().map(|newest| newest.length)
    }

    pub(crate) fn newest(&self) -> Option<Dependency> {
        self.0.last().copied()
    }

    /// The chain of new data that begins with the first blocks of data with this chain.
    pub(crate) fn continued(&self, data_pointer: u64, length: u64) -> Self {
        let mut chain = self.shortened(length);
        if chain.last().is_none_or(|newest| newest.length < length) {
            chain.push(Dependency { data_pointer, length });
        }
        Self(chain.into())
    }

    /// The chain after the log was cut to a length, and the record that says so; none if only own data was cut.
    pub(crate) fn truncated(&self, length: u64) -> Option<(Self, Dependency)> {
        if self.length()? <= length {
            return None;
        }
        let chain = self.shortened(length);
        let newest = chain.last().copied();
        Some((Self(chain.into()), newest?))
    }

    /// The chain after own blocks up to a length moved to the data that this one continues.
    pub(crate) fn given_away(&self, length: u64) -> Option<(Self, Dependency)> {
        let mut chain = self.0.to_vec();
        let newest = chain.last_mut()?;
        newest.length = length;
        let newest = *newest;
        Some((Self(chain.into()), newest))
    }

    /// The links that are needed up to a length.
    fn shortened(&self, length: u64) -> Vec<Dependency> {
        let mut chain = Vec::new();
        for older in self.0.iter() {
            chain.push(Dependency { length: older.length.min(length), ..*older });
            if older.length >= length {
                break;
            }
        }
        chain
    }
}

/// Checks that data can be opened again once it continues `newest`, and so can the sessions that continue it.
///
/// # Errors
/// [`StorageError::Unwritable`] if a chain would be too long, or lead back to the data; [`StorageError::Corrupt`], or if it
/// could not be read.
pub(crate) fn check_link(
    kv: &dyn Kv,
    data: u64,
    newest: Dependency,
    sessions: &[Session],
) -> Result<(), StorageError> {
    let link = Some((data, newest.data_pointer));
    if !chain_ends(kv, data, link)? {
        let why = format_args!("it continues more than {MAX_DEPENDENCIES} others, or its own blocks");
        return Err(refused("the session", why));
    }
    for session in sessions.iter().filter(|session| session.data_pointer != data) {
        let other = session.data_pointer;
        // what could not be opened before is no reason
        if !chain_ends(kv, other, link)? && chain_ends(kv, other, None)? {
            let why =
                format_args!("it would continue more than {MAX_DEPENDENCIES} others, or its own blocks");
            return Err(refused(format_args!("the session {:?}", session.name), why));
        }
    }
    Ok(())
}

/// Whether the chain of data is one that is followed to its end; with a link that is not stored yet, from data to data.
fn chain_ends(kv: &dyn Kv, mut data: u64, link: Option<(u64, u64)>) -> Result<bool, StorageError> {
    for _ in 0..=MAX_DEPENDENCIES {
        data = match link {
            Some((from, to)) if from == data => to,
            _ => {
                let key = keys::dependency(data);
                let Some(bytes) = kv.get(&key)? else { return Ok(true) };
                decode::<Dependency>(&key, &bytes)?.data_pointer
            }
        };
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(links: &[(u64, u64)]) -> Dependencies {
        let link =
            |(data_pointer, length): &(u64, u64)| Dependency { data_pointer: *data_pointer, length: *length };
        Dependencies::new(links.iter().map(link).collect())
    }

    #[test]
    fn o3_blocks_below_a_dependencys_length_come_from_there() {
        let chain = chain(&[(0, 10), (3, 15)]);
        let data = |index| chain.of_block(index).map(|older| older.data_pointer);
        assert_eq!(
            (data(0), data(9), data(10), data(14), data(15)),
            (Some(0), Some(0), Some(3), Some(3), None)
        );
        // node 19 covers blocks 8 to 11: neither data of the chain had it before block 12 was there
        let node = |index| chain.of_node(index).map(|older| older.data_pointer);
        assert_eq!((node(18), node(19), node(23), node(31)), (Some(0), Some(3), None, None));
    }

    #[test]
    fn d11_a_cut_below_a_dependency_shortens_it_and_drops_what_is_behind() {
        let all = chain(&[(0, 10), (3, 15)]);
        assert_eq!(all.truncated(15), None);
        let link = |data_pointer, length| Dependency { data_pointer, length };
        assert_eq!(all.truncated(12), Some((chain(&[(0, 10), (3, 12)]), link(3, 12))));
        assert_eq!(all.truncated(10), Some((chain(&[(0, 10)]), link(0, 10))));
        assert_eq!(all.truncated(4), Some((chain(&[(0, 4)]), link(0, 4))));
        assert_eq!(Dependencies::none().truncated(4), None);
    }

    #[test]
    fn d7_a_session_of_a_session_continues_both() {
        let one = Dependencies::none().continued(0, 10);
        assert_eq!(one, chain(&[(0, 10)]));
        assert_eq!(one.continued(3, 15), chain(&[(0, 10), (3, 15)]));
        assert_eq!(one.continued(3, 7), chain(&[(0, 7)]), "what it shares is all in the older data");
        assert_eq!(one.continued(3, 10), chain(&[(0, 10)]));
        assert_eq!(one.given_away(12).unwrap().0, chain(&[(0, 12)]));
    }
}
