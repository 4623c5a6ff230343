//! The engine in memory passes the suite of all engines.

use std::sync::Arc;

use hc_storage::{MemKv, conformance};

#[test]
fn o2_the_memory_engine_conforms() {
    conformance::check_engine(Arc::new(MemKv::new()));
}
