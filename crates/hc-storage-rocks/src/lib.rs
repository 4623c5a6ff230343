//! The RocksDB engine of a Hypercore 11 store: directories that Node and this project hand back and forth.
//!
//! | module | owns |
//! | --- | --- |
//! | [`RocksKv`] | the engine |
//! | [`refuse_older`] | which version of Hypercore a directory is of |
//! | `database` | opening RocksDB's database in a folder |
//! | `options` | RocksDB options, equal to Node's |
//! | `tables` | how large a database is, and how its tables are indexed |
//! | `wal` | the write-ahead log after a power loss: what is behind a hole in it goes |
//! | `seal` | the `SEAL` file: whether the database is what it was when it was closed |
//! | `device_file` | the `CORESTORE` file: which machine and process a directory belongs to |
//! | `session_id` | the mark by which a suspended Node process sees that somebody else wrote |
//!
//! A directory holds `CORESTORE`, `SEAL` and `db/`. Nothing else in it is ever touched.
//!
//! Building this crate needs a C++ compiler and libclang; crates that only need logs in memory do without it.
//!
//! Follows npm hypercore-storage 3.3.1, `index.js`, npm rocksdb-native 3.18.1 and npm device-file.

mod database;
mod db;
mod device_file;
mod folder;
mod layout;
mod options;
mod seal;
mod session_id;
mod snapshot;
mod tables;
mod wal;

pub use db::RocksKv;
pub use layout::refuse_older;
