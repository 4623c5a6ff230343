//! One directory, this engine and Node in turn: records, locks, refusals, options. Needs Node.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use compact_encoding::Encode;
use hc_crypto::{KeyPair, Manifest, Verifier};
use hc_interop::{Value, interop_dir, node_or_skip};
use hc_storage::keys::{self, Place};
use hc_storage::records::Record;
use hc_storage::{CoreInit, CoreStorage, Hints, Kv, StorageError, Store};
use hc_storage_rocks::RocksKv;
use hc_tree::bitfield::BitChange;
use hc_tree::{Batch, LocalBitfield, TreeHead};

/// Runs a script of `interop/storage` and reads what it says at the end.
fn node(script: &str, dir: &Path, more: &[&str]) -> Value {
    let script = interop_dir().join("storage").join(script);
    let output = Command::new("node").arg(script).arg(dir).args(more).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(said.lines().last().unwrap()).unwrap()
}

/// A Node process that has a store open, or was refused.
struct Holder {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Holder {
    fn open(dir: &Path) -> (Self, String) {
        let mut command = Command::new("node");
        command.arg(interop_dir().join("storage/hold.mjs")).arg(dir);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let mut holder = Self { child, said };
        let first = holder.line();
        (holder, first)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn ask(&mut self, what: &str) -> String {
        writeln!(self.child.stdin.as_mut().unwrap(), "{what}").unwrap();
        self.line()
    }

    fn close(mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

fn open(dir: &Path) -> Store {
    Store::open(Arc::new(RocksKv::open(dir).unwrap())).unwrap()
}

fn kind(place: &Place) -> String {
    let debug = format!("{place:?}");
    debug.split([' ', '(', '{']).next().unwrap().to_owned()
}

#[test]
fn o1_every_record_of_a_directory_of_nodes_is_understood() {
    if !node_or_skip("O1") {
        return;
    }
    for flush in [&[][..], &["flush"]] {
        let dir = tempfile::tempdir().unwrap();
        let said = node("make.mjs", dir.path(), flush);
        let store = open(dir.path());
        let mut kinds = BTreeMap::new();
        for (key, value) in store.dump().unwrap() {
            let place = Place::parse(&key).unwrap();
            assert_eq!(place.key().as_ref(), key);
            let record = Record::parse(&place, &value).unwrap_or_else(|error| panic!("{place:?}: {error}"));
            assert_eq!(record.to_vec(), value, "{place:?}");
            *kinds.entry(kind(&place)).or_insert(0) += 1;
        }
        assert_eq!(kinds.len(), 17, "every kind of record is there: {kinds:?}");
        assert_eq!(store.discovery_keys().unwrap().len(), 3);

        let discovery_key = store.default_discovery_key().unwrap();
        assert_eq!(discovery_key.to_string(), said["discoveryKey"].as_str().unwrap());
        let log = store.resume_core(&discovery_key).unwrap().unwrap();
        let head = log.head().unwrap().unwrap();
        let tree = log.tree_head(&head).unwrap();
        assert_eq!((tree.length(), tree.byte_length()), (24, said["byteLength"].as_u64().unwrap()));
        assert_eq!(log.blocks(0, 24, usize::MAX).unwrap().len(), 24);
        assert_eq!(log.block(22).unwrap().unwrap(), vec![81; 4097]);
        assert_eq!(log.user_data("a\0b").unwrap().unwrap(), vec![1; 5000]);
        assert_eq!(log.bitfield().unwrap().ranges().collect::<Vec<_>>(), [(0, 24)]);
        assert_eq!(log.sessions().unwrap().0.len(), 1);
    }
}

/// Makes a log, or opens the one that is there, and appends.
fn append(store: &Store, pair: &KeyPair, blocks: &[&'static str]) -> CoreStorage {
    let manifest = Manifest::single(pair.public());
    let key = manifest.key();
    let verifier = Verifier::new(key, manifest.clone()).unwrap();
    let user_data = vec![("who".into(), b"rust".to_vec())];
    let init =
        CoreInit { key, manifest: Some(manifest), key_pair: Some(pair.clone()), alias: None, user_data };
    let disk = store.create_core(&init).unwrap();
    let head = disk.head().unwrap().map_or_else(|| TreeHead::empty(0), |head| disk.tree_head(&head).unwrap());
    let bits: LocalBitfield = disk.bitfield().unwrap();
    let blocks: Vec<Bytes> = blocks.iter().map(|block| Bytes::from(*block)).collect();
    let mut batch = Batch::new(&head);
    for block in &blocks {
        batch.append(block);
    }
    let signed = batch.finish().sign(&verifier, pair).unwrap();
    let length = signed.change().head().length();
    let mut write = disk.write();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    write.change(&signed, &blocks, u64::try_from(now.as_millis()).unwrap());
    let change = BitChange { start: head.length(), end: length, set: true };
    for (page, bytes) in bits.pages_with(&[change]) {
        write.bitfield_page(page, &bytes);
    }
    write.hints(&Hints { contiguous_length: length, ..disk.hints().unwrap() });
    disk.commit(write).unwrap();
    disk
}

#[test]
fn s39_a_directory_made_here_goes_to_node_and_back() {
    if !node_or_skip("S39") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let pair = KeyPair::from_seed(&[7; 32]);
    let store = open(dir.path());
    append(&store, &pair, &["hello", "world"]);
    store.close().unwrap();

    for hop in 0..3_u64 {
        let said = node("append.mjs", dir.path(), &[]);
        let length = 3 + hop * 2;
        assert_eq!(said["length"].as_u64(), Some(length));
        assert_eq!((&said["who"], &said["writable"]), (&Value::from("rust"), &Value::from(true)));
        assert_eq!(said["key"].as_str().unwrap(), hex(Manifest::single(pair.public()).key().as_bytes()));
        assert_eq!(said["blocks"][1].as_str().unwrap(), hex(b"world"));

        let store = open(dir.path());
        let disk = append(&store, &pair, &["from rust"]);
        let head = disk.head().unwrap().unwrap();
        assert_eq!(disk.tree_head(&head).unwrap().length(), length + 1);
        assert_eq!(disk.block(length - 1).unwrap().unwrap(), "from node");
        assert_eq!(disk.hints().unwrap().contiguous_length, length + 1);
        if hop == 1 {
            let (start, end) = keys::all_of_data(0);
            store.kv().compact(&start, &end).unwrap();
        }
        store.sync().unwrap();
        store.close().unwrap();
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn s44_the_lock_excludes_node_and_nodes_excludes_us() {
    if !node_or_skip("S44") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let ours = RocksKv::open(dir.path()).unwrap();
    let (refused, said) = Holder::open(dir.path());
    assert!(said.starts_with("refused:") && said.contains("lock"), "{said}");
    refused.close();
    ours.close().unwrap();

    let (theirs, said) = Holder::open(dir.path());
    assert_eq!(said, "open");
    assert!(matches!(RocksKv::open(dir.path()), Err(StorageError::Locked(_))));
    RocksKv::open_read_only(dir.path()).expect("reading takes no lock");
    theirs.close();
    RocksKv::open(dir.path()).unwrap();
}

#[test]
fn o9_a_suspended_node_does_not_go_on_after_we_wrote() {
    if !node_or_skip("O9") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (mut theirs, said) = Holder::open(dir.path());
    assert_eq!(said, "open");
    assert_eq!(theirs.ask("suspend"), "suspended");
    assert_eq!(theirs.ask("resume"), "resumed", "nobody wrote");
    assert_eq!(theirs.ask("suspend"), "suspended");
    let store = open(dir.path());
    append(&store, &KeyPair::from_seed(&[7; 32]), &["meanwhile"]);
    store.close().unwrap();
    let said = theirs.ask("resume");
    assert!(said.contains("Session ID does not match"), "{said}");
    theirs.close();
    let store = open(dir.path());
    assert_eq!(store.discovery_keys().unwrap().len(), 1, "what was written is there");
    store.close().unwrap();
    let (after, said) = Holder::open(dir.path());
    assert_eq!(said, "open");
    after.close();
}

/// Opens with both; whether each accepts the directory.
fn both_accept(dir: &Path) -> (bool, bool) {
    let ours = match RocksKv::open(dir) {
        Ok(kv) => kv.close().is_ok(),
        Err(StorageError::Locked(_)) => false,
        Err(error) => panic!("{error}"),
    };
    let (theirs, said) = Holder::open(dir);
    theirs.close();
    (ours, said == "open")
}

fn copy(from: &Path, to: &Path, how: &[&str]) {
    let done = Command::new("cp").args(how).arg(from).arg(to).status().unwrap();
    assert!(done.success());
}

#[test]
fn o8_both_refuse_and_accept_the_same_directories() {
    if !node_or_skip("O8") {
        return;
    }
    for made_by_node in [true, false] {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("store");
        if made_by_node {
            node("make.mjs", &dir, &[]);
        } else {
            RocksKv::open(&dir).unwrap().close().unwrap();
        }
        assert_eq!(both_accept(&dir), (true, true));
        // a move within the file system is fine, a copy is not
        let moved = parent.path().join("moved");
        std::fs::rename(&dir, &moved).unwrap();
        assert_eq!(both_accept(&moved), (true, true));
        for (name, how) in [("plain", &["-r"][..]), ("archive", &["-a"])] {
            let copied = parent.path().join(name);
            copy(&moved, &copied, how);
            assert_eq!(both_accept(&copied), (false, false), "{name}");
            // without the file it is a new directory
            std::fs::remove_file(copied.join("CORESTORE")).unwrap();
            assert_eq!(both_accept(&copied), (true, true), "{name}");
        }
        let device = std::fs::File::options().append(true).open(moved.join("CORESTORE")).unwrap();
        device.set_modified(SystemTime::now() + Duration::from_secs(6)).unwrap();
        assert_eq!(both_accept(&moved), (false, false), "touched");
    }
}

/// What an OPTIONS file says, by section and name.
fn options(dir: &Path) -> BTreeMap<(String, String), String> {
    let files = std::fs::read_dir(dir.join("db")).unwrap().map(|entry| entry.unwrap().path());
    let is_options =
        |path: &std::path::PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("OPTIONS-");
    let newest = files.filter(is_options).max().unwrap();
    let mut section = String::new();
    let mut found = BTreeMap::new();
    for line in std::fs::read_to_string(newest).unwrap().lines() {
        match (line.trim().strip_prefix('['), line.trim().split_once('=')) {
            (Some(name), _) => section = name.trim_end_matches(']').to_owned(),
            (None, Some((name, value))) => {
                found.insert((section.clone(), name.to_owned()), value.to_owned());
            }
            _ => {}
        }
    }
    found
}

#[test]
fn s48_the_options_are_nodes() {
    if !node_or_skip("S48") {
        return;
    }
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    RocksKv::open(ours.path()).unwrap();
    node("make.mjs", theirs.path(), &[]);
    let (ours, theirs) = (options(ours.path()), options(theirs.path()));
    // ours keeps fewer logs of RocksDB's own, and has as many threads as there is work and processors for;
    // the filter is the same, but is written without its parameters where it was made through RocksDB's C interface; the others
    // make reading and opening quicker and are each process's own business (docs/decisions/0012)
    let deliberate = [
        "rocksdb_version",
        "keep_log_file_num",
        "max_file_opening_threads",
        "filter_policy",
        "optimize_filters_for_hits",
        "avoid_unnecessary_blocking_io",
        "skip_stats_update_on_db_open",
        "block_size",
        "max_background_jobs",
        "metadata_block_size",
        "metadata_cache_options",
    ];
    let different: Vec<String> = theirs
        .iter()
        .filter(|((_, name), _)| !deliberate.contains(&name.as_str()))
        .filter_map(|(at, value)| {
            // options that only one of the two versions of RocksDB has are not compared
            let our_value = ours.get(at)?;
            (our_value != value).then(|| format!("{at:?}: {our_value} instead of {value}"))
        })
        .collect();
    assert!(different.is_empty(), "{different:#?}");
    assert!(theirs.keys().filter(|at| ours.contains_key(at)).count() > 200, "there is much to compare");
}
