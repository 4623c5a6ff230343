//! The suite that every engine passes: [`check_engine`].
//!
//! For tests of engines; panics with what does not hold.
#![allow(clippy::unwrap_used, reason = "a check that fails is to end the test; in tests the lint is off")]

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;

use crate::keys::Key;
use crate::kv::{Kv, KvRead, WriteBatch};

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
    let mut seen = Vec::new();
    kv.with_snapshot(&mut |moment| {
        fill(kv, &[("during", "x")]);
        seen.push(moment.get(b"during").unwrap());
        seen.extend(moment.multi_get(&[key("during"), key("b")]).unwrap());
        assert_eq!(between(moment, "a", "z"), ["b", "d", "e"], "a snapshot does not see what comes after it");
    })
    .unwrap();
    assert_eq!(seen, [None, None, Some(Bytes::new())]);
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
