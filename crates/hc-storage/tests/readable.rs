//! Whatever is written can be read again: a change is refused as a whole, or every record of it reads as what was written.

use std::sync::Arc;

use bytes::Bytes;
use compact_encoding::{Encode, MAX_SAFE_UINT};
use hc_crypto::{Key as CoreKey, KeyPair, Manifest, Namespace, Verifier};
use hc_storage::keys::{self, Place};
use hc_storage::records::{Record, Session, Sessions, StoreHead};
use hc_storage::{
    Alias, Auth, CoreInit, CoreStorage, CoreWrite, Dependency, GroupRecord, HeadRecord, Hints, Kv, MemKv,
    StorageError, Store, StoredKeyPair, WriteBatch,
};
use hc_tree::bitfield::{PAGE_BITS, PAGE_BYTES};
use hc_tree::{Batch, Node, TreeHead};
use proptest::prelude::*;

fn init(alias: Option<&str>) -> CoreInit {
    let pair = KeyPair::from_seed(&[7; 32]);
    let manifest = Manifest::single(pair.public());
    let alias = alias.map(|name| Alias { namespace: Namespace::from([1; 32]), name: name.into() });
    let key = manifest.key();
    CoreInit { key, manifest: Some(manifest), key_pair: Some(pair), alias, user_data: Vec::new() }
}

fn store() -> (Arc<MemKv>, Store) {
    let kv = Arc::new(MemKv::new());
    let store = Store::open(Arc::clone(&kv) as Arc<dyn Kv>).unwrap();
    (kv, store)
}

/// Every record of a store reads, and is written as the same again.
fn all_read(store: &Store) {
    for (key, value) in store.dump().unwrap() {
        let place = Place::parse(&key).unwrap();
        assert_eq!(*place.key(), *key, "{place:?}");
        let record = Record::parse(&place, &value).unwrap();
        assert_eq!(record.to_vec(), value, "{place:?}");
    }
}

fn is_refused<T: std::fmt::Debug>(done: &Result<T, StorageError>) {
    assert!(matches!(done, Err(StorageError::Unwritable(_))), "{done:?}");
}

/// One part of a change.
#[derive(Debug, Clone)]
enum Part {
    Draft { fork: u64, blocks: u8, kept: Vec<u8>, timestamp: u64 },
    Commit { fork: u64, node: (u64, u64), block: u64, timestamp: u64 },
    CatchUp { fork: u64, dependency: (u64, u64), timestamp: u64 },
    Hints(u64, u64, u64),
    Dependency(u64, u64),
    Group(Option<[u8; 32]>, u64),
    GroupUpdate { group: u64, before: u64, now: u64 },
    Page { page: u64, len: usize },
    Mark { page: u64, len: usize },
    UserData(String, Option<Vec<u8>>),
    Local(Vec<u8>, Option<Vec<u8>>),
    Auth { encryption_key: Option<Vec<u8>>, whole: bool },
}

/// Numbers of every size, and those beside the largest that is read.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => (any::<u64>(), 11..64_u32).prop_map(|(n, shift)| n >> shift),
        1 => any::<u64>(),
        1 => (0..5_u64).prop_map(|n| MAX_SAFE_UINT - 2 + n),
        1 => (0..3_u64).prop_map(|n| MAX_SAFE_UINT / PAGE_BITS - 1 + n),
    ]
}

fn page_len() -> impl Strategy<Value = usize> {
    prop_oneof![9 => Just(PAGE_BYTES), 1 => 0..2 * PAGE_BYTES]
}

fn part() -> impl Strategy<Value = Part> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..70);
    prop_oneof![
        (number(), 0..5_u8, bytes(), number()).prop_map(|(fork, blocks, kept, timestamp)| Part::Draft {
            fork,
            blocks,
            kept,
            timestamp
        }),
        (number(), (number(), number()), number(), number())
            .prop_map(|(fork, node, block, timestamp)| Part::Commit { fork, node, block, timestamp }),
        (number(), (number(), number()), number()).prop_map(|(fork, dependency, timestamp)| Part::CatchUp {
            fork,
            dependency,
            timestamp
        }),
        (number(), number(), number()).prop_map(|(a, b, c)| Part::Hints(a, b, c)),
        (number(), number()).prop_map(|(a, b)| Part::Dependency(a, b)),
        (any::<Option<[u8; 32]>>(), number()).prop_map(|(topic, pointer)| Part::Group(topic, pointer)),
        (number(), number(), number()).prop_map(|(group, before, now)| Part::GroupUpdate {
            group,
            before,
            now
        }),
        (number(), page_len()).prop_map(|(page, len)| Part::Page { page, len }),
        (number(), page_len()).prop_map(|(page, len)| Part::Mark { page, len }),
        (any::<String>(), proptest::option::of(bytes()))
            .prop_map(|(name, value)| Part::UserData(name, value)),
        (bytes(), proptest::option::of(bytes())).prop_map(|(name, value)| Part::Local(name, value)),
        (proptest::option::of(bytes()), any::<bool>())
            .prop_map(|(encryption_key, whole)| Part::Auth { encryption_key, whole }),
    ]
}

type Records = Vec<(keys::Key, Vec<u8>)>;

fn fits(numbers: &[u64]) -> bool {
    numbers.iter().all(|number| *number <= MAX_SAFE_UINT)
}

fn page_fits(page: u64, len: usize) -> bool {
    page <= MAX_SAFE_UINT / PAGE_BITS && len == PAGE_BYTES
}

fn head_record(head: &TreeHead, signature: &[u8], timestamp: u64) -> Vec<u8> {
    let record = HeadRecord {
        fork: head.fork(),
        length: head.length(),
        root_hash: head.hash(),
        signature: (!signature.is_empty()).then(|| signature.to_vec()),
        timestamp,
    };
    record.to_vec()
}

/// Adds a part to a change. Returns whether it can be read again, and the records that then are there.
fn add(write: &mut CoreWrite, core: &CoreStorage, part: &Part) -> (bool, Records) {
    let data = core.pointers().data;
    match part.clone() {
        Part::Draft { .. } | Part::Commit { .. } | Part::CatchUp { .. } => add_head(write, data, part),
        Part::Hints(contiguous_length, remote_contiguous_length, recovering) => {
            let hints = Hints { contiguous_length, remote_contiguous_length, recovering };
            write.hints(&hints);
            let fit = fits(&[contiguous_length, remote_contiguous_length, recovering]);
            (fit, vec![(keys::hints(data), hints.to_vec())])
        }
        Part::Dependency(data_pointer, length) => {
            let dependency = Dependency { data_pointer, length };
            write.dependency(dependency);
            (fits(&[data_pointer, length]), vec![(keys::dependency(data), dependency.to_vec())])
        }
        Part::Group(topic, pointer) => {
            let group = GroupRecord { topic, pointer };
            write.group(&group);
            (fits(&[pointer]), vec![(keys::group(core.pointers().core), group.to_vec())])
        }
        Part::GroupUpdate { group, before, now } => {
            let key = CoreKey::from([5; 32]);
            write.group_update(group, before, now, &key);
            let place = keys::group_update(group, now, core.pointers().core);
            (fits(&[group, now]), vec![(place, key.as_bytes().to_vec())])
        }
        Part::Page { page, len } => {
            write.bitfield_page(page, &vec![1; len].into());
            (page_fits(page, len), vec![(keys::bitfield_page(data, page), vec![1; len])])
        }
        Part::Mark { page, len } => {
            write.mark_page(page, &vec![2; len].into());
            (page_fits(page, len), vec![(keys::mark(data, page), vec![2; len])])
        }
        Part::UserData(key, value) => {
            write.user_data(&key, value.as_deref());
            (true, value.into_iter().map(|value| (keys::user_data(data, &key), value)).collect())
        }
        Part::Local(key, value) => {
            write.local(&key, value.as_deref());
            (true, value.into_iter().map(|value| (keys::local(data, &key), value)).collect())
        }
        Part::Auth { encryption_key, whole } => {
            let CoreInit { key, manifest, key_pair, .. } = init(None);
            let key_pair = key_pair.map(|pair| {
                if whole { StoredKeyPair::Full(pair) } else { StoredKeyPair::Public(pair.public()) }
            });
            let discovery_key = key.discovery_key();
            let auth = Auth { key, discovery_key, manifest, key_pair, encryption_key };
            write.auth(&auth);
            (true, vec![(keys::auth(core.pointers().core), auth.to_vec())])
        }
    }
}

/// The nodes of a change, as they are stored.
fn node_records(data: u64, nodes: &[Node]) -> Records {
    nodes.iter().map(|node| (keys::tree_node(data, node.index), node.to_vec())).collect()
}

/// As [`add`], for parts with a head.
fn add_head(write: &mut CoreWrite, data: u64, part: &Part) -> (bool, Records) {
    match part.clone() {
        Part::Draft { fork, blocks, kept, timestamp } => {
            let blocks: Vec<Bytes> = (0..blocks).map(|n| Bytes::from(vec![n; 3])).collect();
            let mut batch = Batch::new(&TreeHead::empty(fork));
            batch.append_all(&blocks);
            let draft = batch.finish().draft(kept.clone());
            write.draft(&draft, &blocks, timestamp);
            let mut records = vec![(keys::head(data), head_record(draft.change().head(), &kept, timestamp))];
            records.extend(node_records(data, draft.change().nodes()));
            records.extend((0..).zip(&blocks).map(|(n, block)| (keys::block(data, n), block.to_vec())));
            (fits(&[fork, timestamp]), records)
        }
        Part::Commit { fork, node, block, timestamp } => {
            let CoreInit { key, manifest, key_pair, .. } = init(None);
            let verifier = Verifier::new(key, manifest.unwrap()).unwrap();
            let mut batch = Batch::new(&TreeHead::empty(fork));
            batch.append(b"one");
            let signed = batch.finish().sign(&verifier, &key_pair.unwrap()).unwrap();
            let beyond = Node { index: node.0, size: node.1, hash: TreeHead::empty(0).hash() };
            write.commit(&signed, &[beyond], &[(block, Bytes::from("block"))], timestamp);
            let mut records = node_records(data, signed.change().nodes());
            records.extend([
                (keys::head(data), head_record(signed.change().head(), signed.signature(), timestamp)),
                (keys::tree_node(data, beyond.index), beyond.to_vec()),
                (keys::block(data, block), b"block".to_vec()),
            ]);
            (fits(&[fork, timestamp, node.0, node.1, block]), records)
        }
        Part::CatchUp { fork, dependency: (data_pointer, length), timestamp } => {
            let empty = TreeHead::empty(fork);
            let dependency = Dependency { data_pointer, length };
            write.catch_up(&empty, dependency, timestamp);
            let records = vec![
                (keys::head(data), head_record(&empty, &[], timestamp)),
                (keys::dependency(data), dependency.to_vec()),
            ];
            (fits(&[fork, timestamp, data_pointer, length]), records)
        }
        other => panic!("{other:?} has no head"),
    }
}

proptest! {
    #[test]
    fn any_change_is_refused_or_reads_as_what_was_written(parts in proptest::collection::vec(part(), 1..6)) {
        let (kv, store) = store();
        let core = store.create_core(&init(Some("name"))).unwrap();
        let before = store.dump().unwrap();
        let mut write = core.write();
        let mut expected = std::collections::BTreeMap::new();
        let mut all_fit = true;
        for (number, part) in parts.iter().enumerate() {
            // as changes of several cores come together
            let mut joined = core.write();
            let to = if number % 2 == 0 { &mut write } else { &mut joined };
            let (fits, records) = add(to, &core, part);
            write.join(joined);
            all_fit &= fits;
            if matches!(part, Part::CatchUp { .. }) {
                expected.retain(|key: &Vec<u8>, _| !matches!(
                    Place::parse(key),
                    Ok(Place::Block { .. } | Place::TreeNode { .. } | Place::BitfieldPage { .. })
                ));
            }
            if let Part::UserData(name, None) = part {
                expected.remove(&*keys::user_data(core.pointers().data, name));
            }
            if let Part::GroupUpdate { group, before, .. } = part {
                expected.remove(&*keys::group_update(*group, *before, core.pointers().core));
            }
            if let Part::Local(name, None) = part {
                expected.remove(&*keys::local(core.pointers().data, name));
            }
            expected.extend(records.into_iter().map(|(key, value)| (key.to_vec(), value)));
        }
        prop_assert!(!write.is_empty());
        let done = core.commit(write);
        prop_assert_eq!(done.is_ok(), all_fit, "{:?}", done);
        if all_fit {
            for (key, value) in expected {
                prop_assert_eq!(hc_storage::KvRead::get(&*kv, &key).unwrap(), Some(Bytes::from(value)));
            }
        } else {
            is_refused(&done);
            prop_assert_eq!(store.dump().unwrap(), before);
        }
        all_read(&store);
    }

    #[test]
    fn names_of_any_text_are_found_again(names in proptest::collection::btree_set(any::<String>(), 1..5)) {
        let (kv, store) = store();
        let mut core = None;
        for (byte, name) in (0_u8..).zip(&names) {
            let user_data = vec![(name.clone(), vec![byte])];
            let init = CoreInit { key: CoreKey::from([byte; 32]), manifest: None, key_pair: None, user_data, ..init(Some(name)) };
            core = Some(store.create_core(&init).unwrap());
        }
        let core = core.unwrap();
        for name in &names {
            store.create_session(&core, name, None).unwrap();
        }
        all_read(&store);
        let store = Store::open(kv).unwrap();
        for (byte, name) in (0_u8..).zip(&names) {
            let alias = Alias { namespace: Namespace::from([1; 32]), name: name.clone() };
            let discovery_key = store.alias(&alias).unwrap().unwrap();
            prop_assert_eq!(discovery_key, CoreKey::from([byte; 32]).discovery_key());
            let stored = store.resume_core(&discovery_key).unwrap().unwrap();
            prop_assert_eq!(stored.user_data(name).unwrap(), Some(Bytes::from(vec![byte])));
            prop_assert!(store.resume_session(&core, name).unwrap().is_some());
        }
    }
}

#[test]
fn regression_a_fork_that_cannot_be_read_is_not_written() {
    let (_, store) = store();
    let core = store.create_core(&init(None)).unwrap();
    for (fork, readable) in [(MAX_SAFE_UINT, true), (MAX_SAFE_UINT + 1, false), (u64::MAX, false)] {
        let before = store.dump().unwrap();
        let draft = Batch::new(&TreeHead::empty(fork)).finish().draft(Vec::new());
        let mut write = core.write();
        write.hints(&Hints { contiguous_length: 7, ..Hints::default() });
        write.draft(&draft, &[], 1);
        let done = core.commit(write);
        assert_eq!(done.is_ok(), readable, "{done:?}");
        if !readable {
            is_refused(&done);
            assert_eq!(store.dump().unwrap(), before, "the hints were written without the head");
        }
        assert_eq!(core.head().unwrap().unwrap().fork, MAX_SAFE_UINT);
    }
}

#[test]
fn counters_that_cannot_be_read_are_not_written() {
    let (kv, _) = store();
    let head = StoreHead {
        cores: MAX_SAFE_UINT,
        datas: MAX_SAFE_UINT,
        groups: MAX_SAFE_UINT,
        ..StoreHead::default()
    };
    let put = |head: &StoreHead| {
        let mut batch = WriteBatch::new();
        batch.put(keys::store_head(), head.to_vec());
        kv.commit(batch).unwrap();
        Store::open(Arc::clone(&kv) as Arc<dyn Kv>).unwrap()
    };
    is_refused(&put(&head).create_core(&init(None)));
    is_refused(&put(&head).create_group(&[1; 32]));
    let store = put(&StoreHead { datas: MAX_SAFE_UINT - 1, cores: 0, ..head });
    let core = store.create_core(&init(None)).unwrap();
    is_refused(&store.create_session(&core, "session", None));
    assert_eq!(core.sessions().unwrap(), Sessions::default());
    all_read(&store);
}

fn long_head(length: u64) -> HeadRecord {
    let root_hash = TreeHead::empty(0).hash();
    HeadRecord { fork: 0, length, root_hash, signature: None, timestamp: 0 }
}

#[test]
fn regression_a_session_of_a_session_can_always_be_opened_again() {
    let (kv, store) = store();
    let core = store.create_core(&init(None)).unwrap();
    let mut from = core.clone();
    let mut made = 0;
    for length in 1..100 {
        let name = format!("{length}");
        match store.create_session(&from, &name, Some(&long_head(length))) {
            Ok(session) => (from, made) = (session, length),
            Err(refused) => {
                is_refused::<()>(&Err(refused));
                break;
            }
        }
    }
    assert_eq!(made, 64, "a chain of so many is followed");
    let store = Store::open(kv).unwrap();
    let sessions = core.sessions().unwrap();
    assert_eq!(sessions.0.len(), 64);
    for Session { name, .. } in &sessions.0 {
        assert!(store.resume_session(&core, name).unwrap().is_some());
    }
}

#[test]
fn regression_a_session_that_begins_anew_leaves_those_behind_it_readable() {
    let (_, store) = store();
    let core = store.create_core(&init(None)).unwrap();
    let chain = |prefix: &str, from: &CoreStorage, count: u64, first: u64| {
        (first..first + count).fold(from.clone(), |from, length| {
            store.create_session(&from, &format!("{prefix}{length}"), Some(&long_head(length))).unwrap()
        })
    };
    let base = chain("base", &core, 1, 1);
    chain("long", &base, 63, 2);
    let other = chain("other", &core, 2, 5);
    let before = store.dump().unwrap();
    is_refused(&store.create_session(&other, "base1", Some(&long_head(9))));
    assert_eq!(store.dump().unwrap(), before);
    for Session { name, .. } in &core.sessions().unwrap().0 {
        assert!(store.resume_session(&core, name).unwrap().is_some(), "{name}");
    }
}

#[test]
fn regression_a_session_does_not_begin_anew_with_its_own_blocks() {
    let (_, store) = store();
    let core = store.create_core(&init(None)).unwrap();
    let first = store.create_session(&core, "first", Some(&long_head(2))).unwrap();
    let second = store.create_session(&first, "second", Some(&long_head(4))).unwrap();
    let before = store.dump().unwrap();
    is_refused(&store.create_session(&first, "first", Some(&long_head(3))));
    is_refused(&store.create_session(&second, "first", Some(&long_head(5))));
    assert_eq!(store.dump().unwrap(), before);
    // nor with those of a session that was opened before another one began anew with it
    let third = store.create_session(&core, "third", Some(&long_head(2))).unwrap();
    let over_third = store.create_session(&third, "over third", Some(&long_head(4))).unwrap();
    store.create_session(&first, "third", Some(&long_head(4))).unwrap();
    is_refused(&store.create_session(&over_third, "first", Some(&long_head(3))));
    // with blocks that are all the log's it does
    store.create_session(&second, "first", Some(&long_head(1))).unwrap();
    for name in ["first", "second", "third", "over third"] {
        assert!(store.resume_session(&core, name).unwrap().is_some());
    }
}
