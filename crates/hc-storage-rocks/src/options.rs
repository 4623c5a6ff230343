//! RocksDB options, those of Node's stores where it matters.
//!
//! What decides whether Node can open the files: the column families `default` and `corestore` and no others, no
//! compression of any kind, table format 6. The rest says how this process works; see docs/decisions/0012.
//!
//! Follows npm hypercore-storage 3.3.1, `index.js` (`createColumnFamily`), and npm rocksdb-native 3.18.1, `lib/state.js` and
//! `lib/column-family.js`.

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, BlockBasedTablePinningTier, Cache, ColumnFamilyDescriptor,
    DBCompressionType, DBRecoveryMode, Options,
};

/// The column family that holds all of a store.
pub(crate) const COLUMN_FAMILY: &str = "corestore";
/// RocksDB makes this one by itself; Node opens it and keeps it empty.
const DEFAULT: &str = "default";

/// Blocks of tables that are kept in memory, for the whole database.
const CACHE_BYTES: usize = 32 << 20;
/// What is kept is mostly blocks of tables of this size. Smaller ones than Node's: a read at random brings one into memory.
const TABLE_BLOCK_BYTES: usize = 4096;
/// Threads that open tables when the database is opened. Each is started for it, so few.
const OPENING_THREADS: i32 = 2;
/// Values from this size on go to blob files.
const MIN_BLOB_SIZE: u64 = 4096;
/// Blob files are no longer than this.
const BLOB_FILE_BYTES: u64 = 256 << 20;

pub(crate) fn database() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_max_background_jobs(6);
    options.set_bytes_per_sync(1 << 20);
    options.set_max_open_files(-1);
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    // opening waits for neither of these: files that are no longer needed go later, statistics are not read
    options.set_avoid_unnecessary_blocking_io(true);
    options.set_skip_stats_update_on_db_open(true);
    options.set_max_file_opening_threads(OPENING_THREADS);
    // Node leaves its logs to RocksDB's defaults, which keep a thousand old ones
    options.set_keep_log_file_num(4);
    options
}

pub(crate) fn column_families() -> Vec<ColumnFamilyDescriptor> {
    // of the caches that RocksDB has, the one whose reads take no lock
    let cache = Cache::new_hyper_clock_cache(CACHE_BYTES, TABLE_BLOCK_BYTES);
    let mut corestore = family(&cache);
    corestore.set_enable_blob_files(true);
    corestore.set_min_blob_size(MIN_BLOB_SIZE);
    corestore.set_blob_file_size(BLOB_FILE_BYTES);
    vec![
        ColumnFamilyDescriptor::new(DEFAULT, family(&cache)),
        ColumnFamilyDescriptor::new(COLUMN_FAMILY, corestore),
    ]
}

fn family(cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_block_size(TABLE_BLOCK_BYTES);
    table.set_cache_index_and_filter_blocks(true);
    table.set_format_version(6);
    table.set_bloom_filter(10.0, false);
    table.set_optimize_filters_for_memory(false);
    // the index of a long log is many times the cache: in parts, a read needs only one of them
    table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    table.set_partition_filters(true);
    table.set_top_level_index_pinning_tier(BlockBasedTablePinningTier::All);
    table.set_partition_pinning_tier(BlockBasedTablePinningTier::None);
    table.set_unpartitioned_pinning_tier(BlockBasedTablePinningTier::All);
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    // what is read is nearly always there: filters of the last level, which holds most of a store, would only take memory
    options.set_optimize_filters_for_hits(true);
    options.set_compression_type(DBCompressionType::None);
    options.set_blob_compression_type(DBCompressionType::None);
    options.set_write_buffer_size(64 << 20);
    options.set_blob_file_size(0);
    options.set_enable_blob_gc(true);
    options.set_blob_gc_age_cutoff(0.25);
    options.set_blob_gc_force_threshold(1.0);
    options
}
