//! The engine in memory passes the suite of all engines.

use std::ops::ControlFlow;
use std::sync::Arc;

use hc_storage::keys::Key;
use hc_storage::{Atom, Kv, MemKv, WriteBatch, conformance};

#[test]
fn o2_the_memory_engine_conforms() {
    conformance::check_engine(Arc::new(MemKv::new()));
}

#[test]
fn o2_the_memory_engine_goes_through_changes_at_random() {
    conformance::check_like_memory(Arc::new(MemKv::new()), 1, |kv| kv);
}

#[test]
fn an_atom_behaves_as_the_engine_underneath() {
    conformance::check_engine(Arc::new(Atom::new(Arc::new(MemKv::new()))));
    for seed in 1..40 {
        let base: Arc<dyn Kv> = Arc::new(MemKv::new());
        conformance::check_like_memory(Arc::new(Atom::new(base)), seed, |kv| kv);
    }
}

#[test]
fn d16_an_atom_is_seen_by_nobody_before_its_flush_and_by_all_after_it() {
    let base: Arc<dyn Kv> = Arc::new(MemKv::new());
    let dump = |kv: &dyn Kv| {
        let mut all = Vec::new();
        kv.scan(&[], &[0xff], &mut |key, value| {
            all.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        })
        .unwrap();
        all
    };
    let key = |text: &str| Key::from(text.as_bytes());
    let mut batch = WriteBatch::new();
    batch.put(key("a"), "1");
    batch.put(key("b"), "2");
    base.commit(batch).unwrap();
    let atom = Atom::new(Arc::clone(&base));
    let mut batch = WriteBatch::new();
    batch.delete_range(key("a"), key("c"));
    batch.put(key("b"), "3");
    atom.commit(batch).unwrap();
    let before = dump(base.as_ref());
    let inside = dump(&atom);
    assert_eq!(before.len(), 2);
    assert_eq!(inside, [(b"b".to_vec(), b"3".to_vec())]);
    atom.flush().unwrap();
    assert_eq!(dump(base.as_ref()), inside);
    assert!(atom.is_empty());
}
