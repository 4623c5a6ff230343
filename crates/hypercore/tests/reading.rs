//! Reading: what is here, what is waited for, positions in bytes, streams.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use common::{connect, filled, in_store, reader};
use futures_util::{SinkExt, StreamExt, TryStreamExt};
use hypercore::storage::Storage;
use hypercore::{Encryption, GetOptions, Hypercore, OpenOptions, SeekOptions, SessionOptions};

const SHORT: Option<Duration> = Some(Duration::from_millis(30));

/// Blocks of many sizes, empty ones too.
fn uneven() -> Vec<Vec<u8>> {
    let sizes = [3, 0, 1, 7, 0, 0, 12, 1, 5, 64, 2, 0];
    let mut bytes = 0_u8..;
    sizes.iter().map(|size| bytes.by_ref().take(*size).collect()).collect()
}

async fn plain_and_encrypted(blocks: &[Vec<u8>]) -> [Hypercore; 2] {
    let plain = Hypercore::memory().await.unwrap();
    let encrypted = Hypercore::builder().encryption(Encryption::key([9; 32])).memory().await.unwrap();
    for core in [&plain, &encrypted] {
        core.append_batch(blocks.to_vec()).await.unwrap();
    }
    [plain, encrypted]
}

#[tokio::test]
async fn a15_an_index_that_no_block_can_have_is_a_mistake_of_the_caller() {
    let core = filled(2).await;
    for index in [1 << 53, u64::MAX] {
        assert_eq!(core.get(index).await.unwrap_err().code(), "BAD_ARGUMENT");
        let options = GetOptions::new().wait(false);
        assert_eq!(core.get_with(index, options).await.unwrap_err().code(), "BAD_ARGUMENT");
        assert!(!core.has(index).await.unwrap());
    }
    let last = GetOptions::new().wait(false);
    assert_eq!(core.get_with((1 << 53) - 1, last).await.unwrap(), None, "a block could have this one");
}

#[tokio::test]
async fn a18_timeouts_come_from_the_core_the_session_or_the_call() {
    let core = Hypercore::builder().timeout(SHORT).memory().await.unwrap();
    let child = core.session(SessionOptions::new()).await.unwrap();
    for session in [&core, &child] {
        assert_eq!(session.get(0).await.unwrap_err().code(), "REQUEST_TIMEOUT");
    }
    // zero and none both wait for good, in a session and in a call
    for none in [None, Some(Duration::ZERO)] {
        let patient = core.session(SessionOptions::new().timeout(none)).await.unwrap();
        let calls =
            [patient.get_with(0, GetOptions::new()), core.get_with(0, GetOptions::new().timeout(none))];
        for call in calls {
            let waited = tokio::time::timeout(Duration::from_millis(120), call).await;
            assert!(waited.is_err(), "{waited:?}");
        }
        let call = patient.get_with(0, GetOptions::new().timeout(SHORT)).await;
        assert_eq!(call.unwrap_err().code(), "REQUEST_TIMEOUT", "the call overrides the session");
    }
    let reader = reader(&core).await;
    let seek = reader.seek_with(5, SeekOptions::new().timeout(SHORT)).await;
    assert!(seek.is_ok_and(|found| found.is_none()), "without peers there is nobody to wait for");
}

#[tokio::test]
async fn a20_waits_are_told_and_counted_by_session() {
    let waited = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&waited);
    let core = filled(2).await;
    let options = SessionOptions::new().timeout(SHORT).on_wait(move |index| told.lock().unwrap().push(index));
    let listening = core.session(options).await.unwrap();
    let child = listening.session(SessionOptions::new()).await.unwrap();
    let quick = listening.session(SessionOptions::new().wait(false)).await.unwrap();
    let grandchild = quick.session(SessionOptions::new()).await.unwrap();
    for session in [&listening, &child] {
        session.get(0).await.unwrap();
        session.get(7).await.unwrap_err();
    }
    for session in [&quick, &grandchild] {
        assert_eq!(session.get(8).await.unwrap_err().code(), "BLOCK_NOT_AVAILABLE");
    }
    // a call has the last word
    quick.get_with(9, GetOptions::new().wait(true)).await.unwrap_err();
    let counts = [&core, &listening, &child, &quick, &grandchild].map(Hypercore::waits);
    assert_eq!(counts, [0, 1, 1, 1, 0]);
    assert_eq!(*waited.lock().unwrap(), [7, 7, 9]);
}

#[tokio::test]
async fn what_a_session_reads_is_told() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    let core = filled(5).await;
    let options = SessionOptions::new().on_seq(move |index| told.lock().unwrap().push(index));
    let session = core.session(options).await.unwrap();
    session.get(3).await.unwrap();
    let _: Vec<Bytes> = session.read_stream(1..3).try_collect().await.unwrap();
    core.get(4).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [3, 1, 2]);
}

#[tokio::test]
async fn b5_has_follows_appends_downloads_clears_and_cuts() {
    let writer = filled(20).await;
    let copy = reader(&writer).await;
    assert!(writer.has_range(0..20).await.unwrap() && !writer.has(20).await.unwrap());
    assert!(!copy.has(3).await.unwrap());
    connect(&writer, &copy);
    copy.get(3).await.unwrap();
    assert!(copy.has(3).await.unwrap() && !copy.has(4).await.unwrap());
    copy.download(5..10).done().await.unwrap();
    assert!(copy.has_range(5..10).await.unwrap() && !copy.has_range(4..10).await.unwrap());
    writer.clear(6..8).await.unwrap();
    let here = async |core: &Hypercore| {
        let mut here = Vec::new();
        for index in 0..22 {
            if core.has(index).await.unwrap() {
                here.push(index);
            }
        }
        here
    };
    assert_eq!(here(&writer).await, (0..6).chain(8..20).collect::<Vec<_>>());
    assert!(copy.has_range(5..10).await.unwrap(), "what the writer clears is its own affair");
    writer.truncate(9).await.unwrap();
    assert_eq!(here(&writer).await, [0, 1, 2, 3, 4, 5, 8]);
    writer.append("new").await.unwrap();
    assert!(writer.has(9).await.unwrap() && !writer.has(10).await.unwrap());
    assert!(writer.has_range(3..3).await.unwrap(), "nothing is always here");
    assert_eq!(writer.has_range(3..).await.unwrap_err().code(), "BAD_ARGUMENT");
}

#[tokio::test]
async fn b7_positions_in_bytes_agree_with_the_blocks_at_every_byte() {
    let blocks = uneven();
    let total: usize = blocks.iter().map(Vec::len).sum();
    for core in plain_and_encrypted(&blocks).await {
        assert_eq!(core.byte_length(), total as u64);
        let starts: Vec<usize> = (0..blocks.len()).map(|i| blocks[..i].concat().len()).collect();
        for position in 0..total {
            let (index, offset) = core.seek(position as u64).await.unwrap().unwrap();
            let (index, offset) = (usize::try_from(index).unwrap(), usize::try_from(offset).unwrap());
            assert_eq!(starts[index] + offset, position);
            // before an empty block is where the block after it begins, too
            assert!(offset < blocks[index].len().max(1), "byte {position}: block {index}, byte {offset}");
        }
        assert_eq!(core.seek(total as u64).await.unwrap(), Some((blocks.len() as u64, 0)));
        assert_eq!(core.seek(total as u64 + 1).await.unwrap(), None);
        assert_eq!(core.seek(u64::MAX).await.unwrap(), None);
    }
    let empty = Hypercore::memory().await.unwrap();
    assert_eq!((empty.seek(0).await.unwrap(), empty.seek(1).await.unwrap()), (Some((0, 0)), None));
}

#[tokio::test]
async fn b9_byte_streams_are_slices_of_the_bytes_of_the_log() {
    let blocks = uneven();
    let all = blocks.concat();
    for core in plain_and_encrypted(&blocks).await {
        for start in 0..all.len() + 2 {
            for end in (start..all.len() + 3).step_by(5).chain([start.saturating_sub(1)]) {
                let read: Vec<Bytes> =
                    core.byte_stream(start as u64..end as u64).try_collect().await.unwrap();
                let stop = end.min(all.len());
                let expected = all.get(start..stop).unwrap_or_default();
                assert_eq!(read.concat(), expected, "{start}..{end}");
            }
            let rest: Vec<Bytes> = core.byte_stream(start as u64..).try_collect().await.unwrap();
            assert_eq!(rest.concat(), all.get(start..).unwrap_or_default(), "{start}..");
        }
    }
}

#[tokio::test]
async fn b9_a_byte_stream_of_a_snapshot_ends_where_it_did() {
    let core = filled(3).await;
    let snapshot = core.snapshot().await.unwrap();
    core.append("more").await.unwrap();
    let read = async |core: &Hypercore| -> Vec<Bytes> { core.byte_stream(1..).try_collect().await.unwrap() };
    assert_eq!(read(&snapshot).await.concat(), b"12");
    assert_eq!(read(&core).await.concat(), b"12more");
}

#[tokio::test]
async fn b10_a_write_stream_appends_in_order() {
    let core = filled(2).await;
    let mut stream = core.write_stream();
    for i in 2..10_000 {
        stream.feed(Bytes::from(i.to_string())).await.unwrap();
    }
    stream.close().await.unwrap();
    let expected: Vec<String> = (0..10_000).map(|i| i.to_string()).collect();
    assert_eq!(common::texts(&core).await, expected);
    // and from another stream
    let copy = Hypercore::memory().await.unwrap();
    core.read_stream(..).forward(copy.write_stream()).await.unwrap();
    assert_eq!(copy.tree_hash().await.unwrap(), core.tree_hash().await.unwrap());
    let mut refused = reader(&core).await.write_stream();
    refused.feed(Bytes::new()).await.unwrap();
    assert_eq!(refused.flush().await.unwrap_err().code(), "SESSION_NOT_WRITABLE");
}

#[tokio::test]
async fn b13_the_hash_of_a_shorter_length_fetches_what_it_needs() {
    let writer = filled(23).await;
    let copy = reader(&writer).await;
    connect(&writer, &copy);
    for length in (0..=23).rev() {
        let expected = filled(length).await.tree_hash().await.unwrap();
        assert_eq!(writer.tree_hash_at(length).await.unwrap(), expected, "length {length}, at the writer");
        assert_eq!(copy.tree_hash_at(length).await.unwrap(), expected, "length {length}");
    }
    // nothing is known of a log that is longer; a reader waits for it as it does for a block
    let quick = copy.session(SessionOptions::new().timeout(SHORT)).await.unwrap();
    assert_eq!(quick.tree_hash_at(24).await.unwrap_err().code(), "REQUEST_TIMEOUT");
}

#[tokio::test]
async fn read_streams_of_snapshots_and_of_missing_blocks() {
    let core = filled(6).await;
    let snapshot = core.snapshot().await.unwrap();
    core.truncate(2).await.unwrap();
    assert_eq!(common::texts(&snapshot).await, ["0", "1", "2", "3", "4", "5"]);
    core.clear(0..1).await.unwrap();
    let mut missing = core.read_stream(0..2).wait(false);
    assert_eq!(missing.next().await.unwrap().unwrap_err().code(), "BLOCK_NOT_AVAILABLE");
    assert!(missing.next().await.is_none(), "an error ends the stream");
    let mut late = core.read_stream(0..2).timeout(SHORT);
    assert_eq!(late.next().await.unwrap().unwrap_err().code(), "REQUEST_TIMEOUT");
    let nothing: Vec<Bytes> = core.read_stream(5..5).try_collect().await.unwrap();
    assert!(nothing.is_empty());
}

#[tokio::test]
async fn verified_reads_hand_out_nothing_that_was_altered_in_the_store() {
    let storage = Storage::memory().unwrap();
    let core = in_store(&storage, OpenOptions::new()).await;
    core.append_batch((0..9).map(|i| format!("block {i}"))).await.unwrap();
    let strict = core.session(SessionOptions::new().verify_reads(true)).await.unwrap();
    for index in 0..9 {
        assert_eq!(strict.get(index).await.unwrap(), format!("block {index}"));
    }
    let disk = storage.store().resume_core(core.discovery_key()).unwrap().unwrap();
    let data = disk.pointers().data;
    let mut batch = hc_storage::WriteBatch::new();
    batch.put(hc_storage::keys::block(data, 4), &b"other 4"[..]);
    storage.store().kv().commit(batch).unwrap();
    assert_eq!(core.get(4).await.unwrap(), "other 4", "who does not ask for it pays nothing for it");
    let child = strict.session(SessionOptions::new()).await.unwrap();
    for session in [&strict, &child] {
        assert_eq!(session.get(4).await.unwrap_err().code(), "INVALID_CHECKSUM");
        assert_eq!(session.get(5).await.unwrap(), "block 5");
        let read: Vec<_> = session.read_stream(3..6).collect().await;
        assert_eq!(read.last().unwrap().as_ref().unwrap_err().code(), "INVALID_CHECKSUM");
        assert_eq!(read.len(), 2);
    }
    // the same in a named session, for what it has of the log and for its own
    let draft = strict.session(SessionOptions::new().name("draft")).await.unwrap();
    draft.append("own").await.unwrap();
    assert_eq!(draft.get(9).await.unwrap(), "own");
    assert_eq!(draft.get(4).await.unwrap_err().code(), "INVALID_CHECKSUM");
}

#[tokio::test]
async fn b4_the_hash_from_the_disk_is_the_one_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    let mut hashes = vec![core.tree_hash().await.unwrap()];
    for i in 0..40 {
        core.append(format!("block {i}")).await.unwrap();
        hashes.push(core.tree_hash().await.unwrap());
    }
    core.close().await.unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    for (length, hash) in (0..).zip(hashes) {
        assert_eq!(core.tree_hash_at(length).await.unwrap(), hash, "length {length}");
    }
}

#[tokio::test]
async fn b4_a_tree_that_is_broken_on_the_disk_is_an_error_that_says_so() {
    let storage = Storage::memory().unwrap();
    let core = in_store(&storage, OpenOptions::new()).await;
    core.append_batch((0..11).map(|i| i.to_string())).await.unwrap();
    let data = storage.store().resume_core(core.discovery_key()).unwrap().unwrap().pointers().data;
    let put = |index: u64, value: Option<Vec<u8>>| {
        let mut batch = hc_storage::WriteBatch::new();
        let key = hc_storage::keys::tree_node(data, index);
        match value {
            Some(value) => batch.put(key, value),
            None => batch.delete(key),
        }
        storage.store().kv().commit(batch).unwrap();
    };
    let stored = |index: u64| {
        let key = hc_storage::keys::tree_node(data, index);
        storage.store().kv().get(key.as_ref()).unwrap().unwrap().to_vec()
    };
    // an inner node
    let (inner, root) = (stored(3), stored(7));
    put(3, None);
    assert!(matches!(core.tree_hash_at(5).await, Err(hypercore::Error::TreeGap { start: 0, end: 4, .. })));
    put(3, Some(inner[..inner.len() - 1].to_vec()));
    assert!(matches!(core.tree_hash_at(5).await, Err(hypercore::Error::Storage(_))));
    put(3, Some(inner));
    drop(core);
    // a root that was altered, or is none; one that is missing can be repaired (M6)
    let mut altered = root.clone();
    *altered.last_mut().unwrap() ^= 1;
    for broken in [altered, vec![0xff; 3]] {
        put(7, Some(broken));
        let opened = hypercore::core::Core::open(&storage, Default::default(), OpenOptions::new()).await;
        assert!(matches!(opened, Err(hypercore::Error::Storage(_))), "{opened:?}");
    }
    put(7, Some(root));
    assert_eq!(in_store(&storage, OpenOptions::new()).await.length(), 11);
}

#[tokio::test]
async fn regression_a_block_that_is_lost_on_the_disk_is_not_waited_for() {
    let storage = Storage::memory().unwrap();
    let core = common::new_in(&storage, 1).await;
    core.append_batch(["a", "b"]).await.unwrap();
    let mut batch = hc_storage::WriteBatch::new();
    batch.delete(hc_storage::keys::block(core_data(&storage, &core), 0));
    storage.store().kv().commit(batch).unwrap();
    let got = tokio::time::timeout(std::time::Duration::from_secs(20), core.get(0)).await;
    assert_eq!(got.unwrap().unwrap_err().code(), "BLOCK_NOT_AVAILABLE");
    assert_eq!(core.get(1).await.unwrap(), "b");
}

/// Where the log of a core has its data.
fn core_data(storage: &Storage, core: &hypercore::Hypercore) -> u64 {
    storage.store().resume_core(core.discovery_key()).unwrap().unwrap().pointers().data
}
