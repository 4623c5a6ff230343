//! The RocksDB engine of a Hypercore 11 store, interchangeable with Node's
