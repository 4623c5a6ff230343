//! The suite that every engine passes: [`check_engine`], and [`check_like_memory`] with changes at random.
//!
//! For tests of engines; panics with what does not hold.
#![allow(clippy::unwrap_used, reason = "a check that fails is to end the test; in tests the lint is off")]

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::StorageError;
use crate::keys::Key;
use crate::kv::{Kv, KvRead, WriteBatch};
use crate::mem::MemKv;

fn key(text: &str) -> Key {
    Key::from(text.as_bytes())
}

fn fill(kv: &dyn Kv, pairs: &[(&str, &str)]) {
    let mut batch = WriteBatch::new();
    for (name, value) in pairs {
        batch.put(key(name), value.as_bytes().to_vec());
    }
    kv.commit(batch).expect("a batch is committed");
}

fn between(kv: &dyn KvRead, start: &str, end: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut visit = |key: &[u8], _: &[u8]| {
        found.push(String::from_utf8_lossy(key).into_owned());
        ControlFlow::Continue(())
    };
    kv.scan(start.as_bytes(), end.as_bytes(), &mut visit).expect("a scan succeeds");
    found
}

/// Checks an empty engine against everything that a store relies on.
///
/// # Panics
/// If something does not hold.
#[expect(clippy::needless_pass_by_value, reason = "the engine is used up: it is closed at the end")]
pub fn check_engine(kv: Arc<dyn Kv>) {
    let kv = &*kv;
    points(kv);
    ranges(kv);
    batches_apply_in_order(kv);
    snapshots(kv);
    large_values(kv);
    kv.sync().expect("a sync succeeds");
    kv.compact(b"a", b"z").expect("a compaction succeeds");
    kv.close().expect("closing succeeds");
    kv.close().expect("closing twice is no error");
}

fn points(kv: &dyn Kv) {
    assert_eq!(kv.get(b"missing").unwrap(), None);
    fill(kv, &[("a", "1"), ("b", ""), ("c", "3")]);
    assert_eq!(kv.get(b"a").unwrap(), Some(Bytes::from_static(b"1")));
    assert_eq!(kv.get(b"b").unwrap(), Some(Bytes::new()), "an empty value is a value");
    let several = kv.multi_get(&[key("c"), key("missing"), key("a")]).unwrap();
    assert_eq!(several, [Some(Bytes::from_static(b"3")), None, Some(Bytes::from_static(b"1"))]);
    assert_eq!(kv.multi_get(&[]).unwrap(), []);
}

fn ranges(kv: &dyn Kv) {
    fill(kv, &[("d", "4"), ("da", "5"), ("e", "6")]);
    assert_eq!(between(kv, "b", "e"), ["b", "c", "d", "da"], "from the first on and before the last");
    assert_eq!(between(kv, "x", "z"), [""; 0]);
    assert_eq!(between(kv, "z", "a"), [""; 0], "a range that ends before it starts is empty");
    let mut first = None;
    kv.scan(b"b", b"z", &mut |key, value| {
        first = Some((key.to_vec(), value.to_vec()));
        ControlFlow::Break(())
    })
    .unwrap();
    assert_eq!(first, Some((b"b".to_vec(), Vec::new())), "a scan stops where it is told to");
}

fn batches_apply_in_order(kv: &dyn Kv) {
    let mut batch = WriteBatch::new();
    batch.put(key("c"), Bytes::from_static(b"new"));
    batch.delete_range(key("c"), key("e"));
    batch.put(key("d"), Bytes::from_static(b"again"));
    batch.delete(key("a"));
    batch.delete(key("missing"));
    batch.delete_range(key("z"), key("y"));
    kv.commit(batch).unwrap();
    assert_eq!(between(kv, "a", "z"), ["b", "d", "e"]);
    assert_eq!(kv.get(b"d").unwrap(), Some(Bytes::from_static(b"again")));
    kv.commit(WriteBatch::new()).expect("an empty batch is no error");
}

fn snapshots(kv: &dyn Kv) {
    let moment = kv.snapshot().unwrap();
    fill(kv, &[("during", "x")]);
    assert_eq!(moment.get(b"during").unwrap(), None, "a snapshot does not see what comes after it");
    assert_eq!(moment.multi_get(&[key("during"), key("b")]).unwrap(), [None, Some(Bytes::new())]);
    assert_eq!(between(moment.as_ref(), "a", "z"), ["b", "d", "e"]);
    assert_eq!(between(moment.snapshot().unwrap().as_ref(), "a", "z"), ["b", "d", "e"]);
    let mut batch = WriteBatch::new();
    batch.put(key("into the past"), Bytes::new());
    assert!(matches!(moment.commit(batch), Err(StorageError::ReadOnly)), "nobody writes into the past");
    moment.close().unwrap();
    assert_eq!(kv.get(b"during").unwrap(), Some(Bytes::from_static(b"x")));
}

fn large_values(kv: &dyn Kv) {
    // around the size from which Node's options put values into blob files
    for len in [4095, 4096, 4097, 1 << 20] {
        let value = Bytes::from(vec![7; len]);
        let mut batch = WriteBatch::new();
        batch.put(key("large"), value.clone());
        kv.commit(batch).unwrap();
        assert_eq!(kv.get(b"large").unwrap(), Some(value), "{len} bytes");
    }
}

/// Numbers that follow from a seed (xorshift), so that a failure can be had again.
struct Numbers(u64);

impl Numbers {
    const fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn one_of<T: Copy>(&mut self, choices: &[T; 4]) -> T {
        let [a, b, c, d] = *choices;
        match self.below(4) {
            0 => a,
            1 => b,
            2 => c,
            _ => d,
        }
    }

    fn key(&mut self) -> Key {
        let len = self.below(4);
        let bytes: Vec<u8> = (0..len).map(|_| self.one_of(&[0, 1, 0xfe, 0xff])).collect();
        Key::from([&[4], bytes.as_slice()].concat().as_slice())
    }

    fn batch(&mut self) -> WriteBatch {
        let mut batch = WriteBatch::new();
        for _ in 0..self.below(8) {
            match self.below(6) {
                0 => batch.delete(self.key()),
                1 => batch.delete_range(self.key(), self.key()),
                _ => {
                    let len = self.one_of(&[0, 1, 100, 5000]);
                    let value = vec![u8::try_from(self.below(256)).unwrap(); len];
                    batch.put(self.key(), value);
                }
            }
        }
        batch
    }
}

fn entries(kv: &dyn KvRead, start: &[u8], end: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found = Vec::new();
    kv.scan(start, end, &mut |key, value| {
        found.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    })
    .unwrap();
    found
}

/// Checks that an empty engine goes through batches at random, which follow from a seed, as the engine in memory does.
/// `reopen` is called now and then with the engine, and returns the one to go on with.
///
/// # Panics
/// If the two differ.
pub fn check_like_memory(mut kv: Arc<dyn Kv>, seed: u64, mut reopen: impl FnMut(Arc<dyn Kv>) -> Arc<dyn Kv>) {
    let memory = MemKv::new();
    let mut numbers = Numbers(seed | 1);
    for step in 0..300 {
        let batch = numbers.batch();
        memory.commit(batch.clone()).unwrap();
        kv.commit(batch).unwrap();
        let keys: Vec<Key> = (0..5).map(|_| numbers.key()).collect();
        assert_eq!(
            kv.multi_get(&keys).unwrap(),
            memory.multi_get(&keys).unwrap(),
            "seed {seed}, step {step}"
        );
        let (start, end) = (numbers.key(), numbers.key());
        assert_eq!(entries(&*kv, &start, &end), entries(&memory, &start, &end), "seed {seed}, step {step}");
        match numbers.below(60) {
            0 => kv.compact(&[], &[0xff]).unwrap(),
            1 => kv.sync().unwrap(),
            2 => kv = reopen(kv),
            _ => {}
        }
    }
    assert_eq!(entries(&*kv, &[], &[0xff]), entries(&memory, &[], &[0xff]), "seed {seed}");
}
