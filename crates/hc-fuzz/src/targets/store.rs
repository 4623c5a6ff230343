//! A store whose records were altered: each read gives a value or a typed error.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use compact_encoding::{Reader, put};
use hc_crypto::Namespace;
use hc_storage::keys::Key;
use hc_storage::{CoreStorage, Kv, MemKv, StorageError, Store, WriteBatch};

use super::machine;
use crate::probe::Probe;
use crate::rng::Rng;
use crate::target::{Allowance, Target, Verdict, class, described};
use crate::vectors;

pub(super) fn targets() -> Vec<Target> {
    let allowance = Allowance {
        why: "64 KiB and four times the whole store, of which the input alters a part",
        free: 64 * 1024 + 4 * 16 * 1024,
        ..Allowance::RULE
    };
    vec![Target { allowance, ..machine("store-records", &[], seeds, run) }]
}

/// A store that Node wrote.
static ENTRIES: LazyLock<Vec<(Vec<u8>, Bytes)>> = LazyLock::new(|| {
    let file = vectors::file("hc-storage", "storage.json");
    let entries = file["store"]["entries"].as_array().into_iter().flatten();
    let bytes =
        |value: &serde_json::Value| hex::decode(value.as_str().unwrap_or_default()).unwrap_or_default();
    entries.map(|entry| (bytes(&entry[0]), Bytes::from(bytes(&entry[1])))).collect()
});

/// Changes, each: which record, whether its key or its value, and the new one behind its length.
fn run(probe: &mut Probe, input: &[u8]) -> Verdict {
    let (mut entries, mut reader) = (ENTRIES.clone(), Reader::new(input));
    while let Some((which, what, bytes)) = change(&mut reader) {
        let at = usize::from(which) % entries.len();
        match what % 4 {
            0 => entries[at].0 = bytes.to_vec(),
            1 => entries.push((bytes.to_vec(), entries[at].1.clone())),
            _ => entries[at].1 = Bytes::copy_from_slice(bytes),
        }
    }
    let (kv, mut batch) = (MemKv::new(), WriteBatch::new());
    entries.iter().for_each(|(key, value)| batch.put(Key::from(key.as_slice()), value.clone()));
    if kv.commit(batch).is_err() {
        return Verdict::Refused(0);
    }
    match probe.watch(|| read_all(Arc::new(kv))) {
        Ok(seen) => Verdict::Accepted(seen),
        Err(error) => Verdict::Refused(described(&error)),
    }
}

fn change<'a>(reader: &mut Reader<'a>) -> Option<(u8, u8, &'a [u8])> {
    Some((reader.uint8().ok()?, reader.uint8().ok()?, reader.buffer().ok()?))
}

fn read_all(kv: Arc<dyn Kv>) -> Result<u64, StorageError> {
    let store = Store::open(kv)?;
    store.seed()?;
    let (mut first, mut seen) = (None, 0_u64);
    let mut note = |result: Result<u64, StorageError>| match result {
        Ok(part) => seen = seen.rotate_left(7) ^ part,
        Err(error) => first = first.take().or(Some(error)),
    };
    note(store.aliases(&Namespace::from([0; 32])).map(|names| names.len() as u64));
    for (key, _) in ENTRIES.iter().filter(|(key, _)| key.first() == Some(&1)) {
        let Ok(discovery_key) = hc_storage::keys::parse_core(key) else { continue };
        match store.resume_core(&discovery_key) {
            Ok(Some(core)) => read_core(&core, &mut note),
            Ok(None) => {}
            Err(error) => note(Err(error)),
        }
    }
    note(store.discovery_keys().map(|keys| keys.len() as u64));
    first.map_or(Ok(class(seen)), Err)
}

/// Everything that is read of a core when it is opened and used.
fn read_core(core: &CoreStorage, note: &mut impl FnMut(Result<u64, StorageError>)) {
    note(core.auth().map(|auth| u64::from(auth.manifest.is_some())));
    note(core.hints().map(|hints| hints.contiguous_length.min(9)));
    note(core.sessions().map(|sessions| sessions.0.len() as u64));
    note(core.bitfield().map(|bits| u64::from(bits.get(0))));
    let head = core.head();
    if let Ok(Some(head)) = &head {
        note(core.tree_head(head).map(|tree| tree.length()));
    }
    note(head.map(|head| u64::from(head.is_some())));
    for index in 0..4 {
        note(core.block(index).map(|block| u64::from(block.is_some())));
        note(core.tree_node(index).map(|node| u64::from(node.is_some())));
    }
    note(core.blocks(0, 4, 1024).map(|blocks| blocks.len() as u64));
}

fn seeds(_: &mut Rng) -> Vec<Vec<u8>> {
    let mut seeds = vec![Vec::new()];
    for (at, (key, value)) in (0_u8..).zip(ENTRIES.iter()) {
        for (what, bytes) in [(0, key.as_slice()), (1, key.as_slice()), (2, value)] {
            let mut seed = vec![at, what];
            put::buffer(&mut seed, bytes);
            seeds.push(seed);
        }
    }
    seeds
}
