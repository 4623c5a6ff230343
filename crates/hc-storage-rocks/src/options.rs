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

use crate::tables::Tables;

/// The column family that holds all of a store.
pub(crate) const COLUMN_FAMILY: &str = "corestore";
/// RocksDB makes this one by itself; Node opens it and keeps it empty.
const DEFAULT: &str = "default";

/// Blocks of tables that are kept in memory, for the whole database: so many once they have been read, none before.
const CACHE_BYTES: usize = 96 << 20;
/// What is kept is mostly blocks of tables of this size. Smaller ones than Node's: a read at random brings one into memory.
const TABLE_BLOCK_BYTES: usize = 4096;
/// Node's number of jobs in the background. Each has a thread, which is started when the first database is opened: no more
/// than there are processors for.
const MAX_BACKGROUND_JOBS: usize = 6;
/// Values from this size on go to blob files.
const MIN_BLOB_SIZE: u64 = 4096;
/// Blob files are no longer than this.
const BLOB_FILE_BYTES: u64 = 256 << 20;

/// A `c_int`.
fn background_jobs() -> i32 {
    // one writes tables, the others merge them
    const MIN: usize = 2;
    let processors = std::thread::available_parallelism().map_or(MAX_BACKGROUND_JOBS, usize::from);
    i32::try_from(processors.clamp(MIN, MAX_BACKGROUND_JOBS)).unwrap_or(2)
}

/// The options of a database with these tables, and those of its column families.
pub(crate) fn of(tables: Tables) -> (Options, Vec<ColumnFamilyDescriptor>) {
    // RocksDB makes a cache for each set of options that it fills itself, and none for a copy
    let new = Options::default();
    let families = column_families(new.clone(), tables);
    (database(new, tables), families)
}

fn database(mut options: Options, tables: Tables) -> Options {
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_max_background_jobs(background_jobs());
    options.set_bytes_per_sync(1 << 20);
    options.set_max_open_files(-1);
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    // opening waits for neither of these: files that are no longer needed go later, statistics are not read
    options.set_avoid_unnecessary_blocking_io(true);
    options.set_skip_stats_update_on_db_open(true);
    options.set_max_file_opening_threads(tables.opening_threads());
    // Node leaves its logs to RocksDB's defaults, which keep a thousand old ones
    options.set_keep_log_file_num(4);
    options
}

fn column_families(new: Options, tables: Tables) -> Vec<ColumnFamilyDescriptor> {
    // of the caches that RocksDB has, one whose reads take no lock; with no size of its entries given, its table grows with them
    let cache = Cache::new_hyper_clock_cache(CACHE_BYTES, 0);
    let default = family(new, &cache, tables.want_index_in_parts());
    let mut corestore = default.clone();
    corestore.set_enable_blob_files(true);
    corestore.set_min_blob_size(MIN_BLOB_SIZE);
    corestore.set_blob_file_size(BLOB_FILE_BYTES);
    vec![ColumnFamilyDescriptor::new(DEFAULT, default), ColumnFamilyDescriptor::new(COLUMN_FAMILY, corestore)]
}

fn family(mut options: Options, cache: &Cache, index_in_parts: bool) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_block_size(TABLE_BLOCK_BYTES);
    table.set_cache_index_and_filter_blocks(true);
    table.set_format_version(6);
    table.set_bloom_filter(10.0, false);
    table.set_optimize_filters_for_memory(false);
    if index_in_parts {
        // the index of a long log is many times the cache: in parts, a read needs only one of them
        table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
        table.set_partition_filters(true);
    }
    table.set_top_level_index_pinning_tier(BlockBasedTablePinningTier::All);
    table.set_partition_pinning_tier(BlockBasedTablePinningTier::None);
    table.set_unpartitioned_pinning_tier(BlockBasedTablePinningTier::All);
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
