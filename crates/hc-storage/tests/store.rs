//! What a store promises, over the engine in memory.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use compact_encoding::{Decode, Encode};
use hc_crypto::{DiscoveryKey, Key as CoreKey, Namespace};
use hc_storage::keys::{self, Key};
use hc_storage::kv::Visit;
use hc_storage::records::{CoreRecord, Dependency, StoreHead};
use hc_storage::{Alias, CoreInit, Kv, KvRead, MemKv, StorageError, Store, WriteBatch};

fn init(byte: u8, alias: Option<&str>) -> CoreInit {
    let alias = alias.map(|name| Alias { namespace: Namespace::from([1; 32]), name: name.into() });
    let key = CoreKey::from([byte; 32]);
    CoreInit { key, manifest: None, key_pair: None, alias, user_data: vec![("who".into(), vec![byte])] }
}

fn open(kv: &Arc<MemKv>) -> Store {
    Store::open(Arc::clone(kv) as Arc<dyn Kv>).unwrap()
}

fn put(kv: &MemKv, key: Key, value: impl Into<Bytes>) {
    let mut batch = WriteBatch::new();
    batch.put(key, value);
    kv.commit(batch).unwrap();
}

fn stored_head(kv: &MemKv) -> StoreHead {
    StoreHead::from_bytes(&kv.get(&keys::store_head()).unwrap().unwrap()).unwrap()
}

#[test]
fn o6_a_core_that_is_stored_is_resumed_and_not_made_again() {
    let kv = Arc::new(MemKv::new());
    let store = open(&kv);
    let first = store.create_core(&init(1, None)).unwrap();
    let second = store.create_core(&init(2, None)).unwrap();
    assert_ne!(first.pointers(), second.pointers());
    let before = store.dump().unwrap();
    assert_eq!(store.create_core(&init(1, Some("late"))).unwrap().pointers(), first.pointers());
    assert_eq!(store.dump().unwrap(), before, "nothing was written");
    assert_eq!((stored_head(&kv).cores, stored_head(&kv).datas), (2, 2));
    assert_eq!(second.user_data("who").unwrap().as_deref(), Some([2].as_slice()));
}

#[test]
fn a8_the_first_core_stays_the_default() {
    let kv = Arc::new(MemKv::new());
    let store = open(&kv);
    assert_eq!(store.default_discovery_key(), None);
    for byte in [1, 2] {
        store.create_core(&init(byte, None)).unwrap();
        store.set_seed(&[byte; 32]).unwrap();
        let store = open(&kv);
        assert_eq!(store.default_discovery_key(), Some(CoreKey::from([1; 32]).discovery_key()));
        assert_eq!(store.seed().unwrap(), Some([byte; 32]));
    }
}

#[test]
fn p5_cores_are_found_by_name_and_listed() {
    let kv = Arc::new(MemKv::new());
    let store = open(&kv);
    for (byte, name) in [(1, "b"), (2, "a\0"), (3, "a")] {
        store.create_core(&init(byte, Some(name))).unwrap();
    }
    let named = |name: &str| store.alias(&Alias { namespace: Namespace::from([1; 32]), name: name.into() });
    assert_eq!(named("b").unwrap(), Some(CoreKey::from([1; 32]).discovery_key()));
    assert_eq!(named("c").unwrap(), None);
    let names: Vec<String> =
        store.aliases(&Namespace::from([1; 32])).unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a", "a\0", "b"]);
    assert_eq!(store.aliases(&Namespace::from([2; 32])).unwrap(), []);
    assert_eq!(store.discovery_keys().unwrap().len(), 3);
}

#[test]
fn o7_versions_beyond_2_are_refused_and_version_1_is_read() {
    let kv = Arc::new(MemKv::new());
    let store = open(&kv);
    store.create_core(&init(1, None)).unwrap();
    let discovery_key: DiscoveryKey = CoreKey::from([1; 32]).discovery_key();
    for (version, readable) in [(0, false), (1, true), (2, true), (3, false)] {
        let record = CoreRecord { version, core_pointer: 0, data_pointer: 0, alias: None };
        put(&kv, keys::core(&discovery_key), record.to_vec());
        let resumed = store.resume_core(&discovery_key);
        assert_eq!(resumed.is_ok(), readable, "{version}");
        assert!(readable || matches!(resumed, Err(StorageError::Unsupported(_))), "{version}");
    }
    // version 1: flags, then the counters
    put(&kv, keys::store_head(), vec![1, 1, 1, 1]);
    let store = open(&kv);
    store.create_core(&init(2, None)).unwrap();
    assert_eq!((stored_head(&kv).cores, stored_head(&kv).datas), (2, 2), "the counters go on");
    put(&kv, keys::store_head(), vec![3, 0, 0, 0, 0]);
    assert!(matches!(Store::open(kv), Err(StorageError::Unsupported(_))));
}

#[test]
fn o3_blocks_below_a_dependency_come_from_where_they_are() {
    let kv = Arc::new(MemKv::new());
    let store = open(&kv);
    store.create_core(&init(1, None)).unwrap();
    // 0 continues 7 from 4 on, and 7 continues 8; 8 is longer than what 7 kept of it
    put(&kv, keys::dependency(0), Dependency { data_pointer: 7, length: 4 }.to_vec());
    put(&kv, keys::dependency(7), Dependency { data_pointer: 8, length: 2 }.to_vec());
    for (data, range) in [(8, 0..6), (7, 2..6), (0, 4..7)] {
        for index in range {
            put(&kv, keys::block(data, index), format!("{data}/{index}"));
        }
    }
    let core = store.resume_core(&CoreKey::from([1; 32]).discovery_key()).unwrap().unwrap();
    let blocks: Vec<String> = (0..8)
        .map_while(|index| core.block(index).unwrap())
        .map(|block| String::from_utf8(block.to_vec()).unwrap())
        .collect();
    let expected = ["8/0", "8/1", "7/2", "7/3", "0/4", "0/5", "0/6"];
    assert_eq!(blocks, expected);
    let (mut read, mut next) = (Vec::new(), 0);
    loop {
        let chunk = core.blocks(next, u64::MAX, usize::MAX).unwrap();
        if chunk.is_empty() {
            break;
        }
        next += u64::try_from(chunk.len()).unwrap();
        read.extend(chunk);
    }
    assert_eq!(read, expected);
}

#[test]
fn dependencies_that_go_in_circles_are_an_error() {
    let kv = Arc::new(MemKv::new());
    let store = open(&kv);
    store.create_core(&init(1, None)).unwrap();
    put(&kv, keys::dependency(0), Dependency { data_pointer: 0, length: 4 }.to_vec());
    let resumed = store.resume_core(&CoreKey::from([1; 32]).discovery_key());
    assert!(matches!(resumed, Err(StorageError::Corrupt { key, .. }) if key == keys::dependency(0).as_ref()));
}

#[test]
fn b8_a_read_of_blocks_ends_at_a_hole_and_at_its_bounds() {
    let kv = Arc::new(MemKv::new());
    let store = open(&kv);
    let core = store.create_core(&init(1, None)).unwrap();
    for index in [250, 251, 252, 253, 255, 256] {
        put(&kv, keys::block(0, index), vec![0; 10]);
    }
    let count = |start, end, max| core.blocks(start, end, max).unwrap().len();
    assert_eq!(count(250, 300, 1000), 4, "until the hole");
    assert_eq!(count(255, 300, 1000), 2);
    assert_eq!(count(254, 300, 1000), 0);
    assert_eq!(count(250, 252, 1000), 2, "until the end");
    assert_eq!(count(250, 300, 20), 2, "until the bytes are read");
    assert_eq!(count(250, 300, 0), 1, "at least one");
    assert_eq!(count(300, 250, 1000), 0);
}

#[test]
fn an_auth_record_of_another_core_is_refused() {
    let kv = Arc::new(MemKv::new());
    let store = open(&kv);
    let first = store.create_core(&init(1, None)).unwrap();
    let second = store.create_core(&init(2, None)).unwrap();
    let other = second.auth().unwrap();
    put(&kv, keys::auth(first.pointers().core), other.to_vec());
    assert!(matches!(first.auth(), Err(StorageError::Corrupt { .. })));
}

#[test]
fn a_reset_core_keeps_only_who_may_sign_it() {
    let kv = Arc::new(MemKv::new());
    let store = open(&kv);
    let core = store.create_core(&init(1, None)).unwrap();
    let before = store.dump().unwrap();
    for key in [keys::block(0, 70_000), keys::tree_node(0, 3), keys::bitfield_page(0, 2), keys::head(0)] {
        put(&kv, key, vec![0; 4]);
    }
    let mut write = core.write();
    write.reset();
    core.commit(write).unwrap();
    assert_eq!(store.dump().unwrap(), before);
}

/// An engine that refuses to write when it is told to.
#[derive(Default)]
struct Refusing {
    inner: MemKv,
    refuses: AtomicBool,
}

impl KvRead for Refusing {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        self.inner.get(key)
    }

    fn multi_get(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StorageError> {
        self.inner.multi_get(keys)
    }

    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visit<'_>) -> Result<(), StorageError> {
        self.inner.scan(start, end, visit)
    }
}

impl Kv for Refusing {
    fn snapshot(&self) -> Result<Arc<dyn Kv>, StorageError> {
        self.inner.snapshot()
    }

    fn commit(&self, batch: WriteBatch) -> Result<(), StorageError> {
        if self.refuses.load(Ordering::Relaxed) {
            return Err(StorageError::io("writing", std::io::Error::other("no space left")));
        }
        self.inner.commit(batch)
    }

    fn sync(&self) -> Result<(), StorageError> {
        Ok(())
    }

    fn compact(&self, _start: &[u8], _end: &[u8]) -> Result<(), StorageError> {
        Ok(())
    }

    fn close(&self) -> Result<(), StorageError> {
        Ok(())
    }
}

#[test]
fn a_change_that_could_not_be_written_did_not_happen() {
    let kv = Arc::new(Refusing::default());
    let store = Store::open(Arc::clone(&kv) as Arc<dyn Kv>).unwrap();
    kv.refuses.store(true, Ordering::Relaxed);
    assert!(matches!(store.create_core(&init(1, None)), Err(StorageError::Io { .. })));
    assert!(matches!(store.set_seed(&[1; 32]), Err(StorageError::Io { .. })));
    assert_eq!((store.seed().unwrap(), store.default_discovery_key()), (None, None));
    kv.refuses.store(false, Ordering::Relaxed);
    let core = store.create_core(&init(2, None)).unwrap();
    assert_eq!((core.pointers().core, core.pointers().data), (0, 0));
    let mut entries = 0;
    kv.scan(&[], &[0xff], &mut |_, _| {
        entries += 1;
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(entries, 4, "the store's head, the core, its auth, its user data");
}

/// One record of each kind.
fn every_kind() -> Vec<keys::Key> {
    let discovery_key = CoreKey::from([1; 32]).discovery_key();
    vec![
        keys::store_head(),
        keys::core(&discovery_key),
        keys::alias(&Namespace::from([1; 32]), "name"),
        keys::auth(0),
        keys::sessions(0),
        keys::group(0),
        keys::head(0),
        keys::dependency(0),
        keys::hints(0),
        keys::block(0, 1),
        keys::tree_node(0, 2),
        keys::bitfield_page(0, 0),
        keys::user_data(0, "u"),
        keys::local(0, b"l"),
        keys::mark(0, 0),
        keys::group_topic(&[1; 32]),
        keys::group_update(0, 5, 0),
    ]
}

#[test]
fn o4_a_snapshot_keeps_every_kind_of_record_as_it_was() {
    let kv: Arc<dyn Kv> = Arc::new(MemKv::new());
    let atom = Arc::new(hc_storage::Atom::new(Arc::clone(&kv)));
    for (place, engine) in [(0_u8, Arc::clone(&kv)), (1, atom as Arc<dyn Kv>)] {
        let write = |value: Option<u8>| {
            let mut batch = WriteBatch::new();
            for key in every_kind() {
                match value {
                    Some(value) => batch.put(key, vec![value]),
                    None => batch.delete(key),
                }
            }
            engine.commit(batch).unwrap();
        };
        write(Some(place));
        let snapshot = engine.snapshot().unwrap();
        let seen = |kind: &keys::Key| snapshot.get(kind).unwrap();
        for after in [Some(7), None] {
            write(after);
            for key in every_kind() {
                assert_eq!(seen(&key).as_deref(), Some(&[place][..]));
                assert_eq!(engine.get(&key).unwrap().as_deref(), after.as_ref().map(std::slice::from_ref));
            }
        }
    }
}

#[test]
fn o5_scans_go_from_where_to_where_over_dependencies_and_over_an_open_atom() {
    let kv = Arc::new(MemKv::new());
    let store = open(&kv);
    store.create_core(&init(1, None)).unwrap();
    put(&kv, keys::dependency(0), Dependency { data_pointer: 7, length: 4 }.to_vec());
    for (data, range) in [(7, 0..6), (0, 4..8)] {
        for index in range {
            put(&kv, keys::block(data, index), format!("{data}/{index}"));
        }
    }
    let core = store.resume_core(&CoreKey::from([1; 32]).discovery_key()).unwrap().unwrap();
    let texts = |blocks: Vec<bytes::Bytes>| -> Vec<String> {
        blocks.into_iter().map(|block| String::from_utf8(block.to_vec()).unwrap()).collect()
    };
    assert_eq!(
        texts(core.blocks(1, 9, usize::MAX).unwrap()),
        ["7/1", "7/2", "7/3"],
        "as far as they are together"
    );
    assert_eq!(texts(core.blocks(4, 6, usize::MAX).unwrap()), ["0/4", "0/5"]);
    assert_eq!(texts(core.blocks(4, 9, 1).unwrap()), ["0/4"], "a limit, but at least one");
    let atom = Arc::new(hc_storage::Atom::new(Arc::clone(&kv) as Arc<dyn Kv>));
    let inside = core.over(Arc::clone(&atom) as Arc<dyn Kv>);
    let mut write = inside.write();
    write.delete_blocks(5, 6);
    write.user_data("b", Some(b"2"));
    write.user_data("a", Some(b"1"));
    write.user_data("c", Some(b"3"));
    inside.commit(write).unwrap();
    assert_eq!(texts(inside.blocks(4, 9, usize::MAX).unwrap()), ["0/4"], "up to the hole");
    assert_eq!(texts(inside.blocks(6, 9, usize::MAX).unwrap()), ["0/6", "0/7"]);
    let names = |from: &str, until: Option<&str>| -> Vec<String> {
        inside.user_data_range(from, until).unwrap().into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(names("", Some("zz")).len(), 4, "the one that the core was made with, too");
    assert_eq!(names("b", Some("c")), ["b"]);
    assert!(core.user_data("a").unwrap().is_none(), "it is the atom's");
}
