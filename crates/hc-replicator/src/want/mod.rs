//! What is waited for here, of each kind.

pub(crate) mod blocks;
pub(crate) mod ranges;
pub(crate) mod upgrade;

use std::collections::BTreeMap;

use crate::event::WantId;
use blocks::Blocks;
use ranges::Ranges;
use upgrade::Upgrade;

/// Where a want is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Block(u64),
    Range,
    Update,
}

/// All wants.
#[derive(Debug, Default)]
pub(crate) struct Wants {
    pub(crate) places: BTreeMap<WantId, Place>,
    pub(crate) blocks: Blocks,
    pub(crate) ranges: Ranges,
    pub(crate) upgrade: Upgrade,
}
