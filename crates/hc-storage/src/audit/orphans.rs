//! What belongs to no core: left by a purge of another implementation, or reached by an altered record.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::{Fault, Of, Report, Result, delete, hex};
use crate::keys::{Key, Place};
use crate::kv::Op;
use crate::records::StoreHead;
use crate::store::Store;
use compact_encoding::{Encode, MAX_SAFE_UINT};

/// The pointers that cores use.
#[derive(Debug, Default)]
pub(super) struct Known {
    cores: BTreeSet<u64>,
    datas: BTreeSet<u64>,
}

impl Known {
    pub(super) fn core(&mut self, core: u64, data: u64) {
        self.cores.insert(core);
        self.datas.insert(data);
    }

    pub(super) fn data(&mut self, data: u64) {
        self.datas.insert(data);
    }

    fn belongs(&self, place: &Place) -> bool {
        match place {
            Place::Auth { core } | Place::Sessions { core } | Place::Group { core } => {
                self.cores.contains(core)
            }
            Place::GroupUpdate { core, .. } => self.cores.contains(core),
            Place::Head { data }
            | Place::Dependency { data }
            | Place::Hints { data }
            | Place::Block { data, .. }
            | Place::TreeNode { data, .. }
            | Place::BitfieldPage { data, .. }
            | Place::UserData { data, .. }
            | Place::Local { data, .. }
            | Place::Mark { data, .. } => self.datas.contains(data),
            Place::StoreHead | Place::Core(_) | Place::Alias { .. } | Place::GroupTopic(_) => true,
        }
    }
}

pub(super) fn check(store: &Store, known: &Known, report: &mut Report) -> Result<()> {
    let mut strays = Vec::new();
    let mut names = Vec::new();
    store.kv().scan(&[], &[0xff], &mut |key, value| {
        match Place::parse(key) {
            Ok(Place::Alias { name, .. }) => names.push((Key::from(key), name, value.to_vec())),
            Ok(place) if known.belongs(&place) => {}
            _ => strays.push(Key::from(key)),
        }
        ControlFlow::Continue(())
    })?;
    for (key, name, value) in names {
        let leads = <[u8; 32]>::try_from(value.as_slice()).ok().map(hc_crypto::DiscoveryKey::from);
        let there = match leads {
            Some(discovery_key) => store.has_core(&discovery_key)?,
            None => false,
        };
        if !there {
            let ops = [delete(key)];
            report.find_and_mend(&Of::default(), Fault::Name { name }, "take it away", ops);
        }
    }
    for key in strays {
        let fault = Fault::Orphan { key: hex(&key) };
        report.find_and_mend(&Of::default(), fault, "take it away", [delete(key)]);
    }
    counters(store, known, report);
    Ok(())
}

/// A pointer that is in use must never be given out again.
fn counters(store: &Store, known: &Known, report: &mut Report) {
    let head = store.head();
    let next = |used: &BTreeSet<u64>| used.last().map_or(0, |last| last.saturating_add(1));
    let (cores, datas) = (next(&known.cores), next(&known.datas));
    if head.cores >= cores && head.datas >= datas {
        return;
    }
    let right = StoreHead { cores: head.cores.max(cores), datas: head.datas.max(datas), ..head };
    if cores.max(datas) > MAX_SAFE_UINT {
        // there is no pointer left to give out
        return report.find(&Of::default(), Fault::Counters);
    }
    let put = Op::Put(crate::keys::store_head(), right.to_vec().into());
    report.find_and_mend(&Of::default(), Fault::Counters, "raise them", [put]);
}
