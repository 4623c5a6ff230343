//! The engine in memory passes the suite of all engines.

use std::sync::Arc;

use hc_storage::{MemKv, conformance};

#[test]
fn o2_the_memory_engine_conforms() {
    conformance::check_engine(Arc::new(MemKv::new()));
}

#[test]
fn o2_the_memory_engine_goes_through_changes_at_random() {
    conformance::check_like_memory(Arc::new(MemKv::new()), 1, |kv| kv);
}
