//! What an application does to a log while peers are connected to it: it ends, and the next call works.
//!
//! Each case is a test on its own, and all of them are run a thousand times over, several at once (`HYPERCORE_REPEATS` says how
//! often).

mod common;

use std::time::Duration;

use common::liar::{FAR_TOO_MANY, Liar, has_all, sync};
use common::{PLACES, Place, connect, ends, ends_within, open_in, reader, setting, until};
use futures_util::StreamExt;
use hypercore::{Hypercore, OpenOptions};

/// Cases that run at the same time.
const AT_ONCE: usize = 12;

async fn writer_in(place: Place, blocks: u64) -> (Hypercore, Option<tempfile::TempDir>) {
    let (core, dir) = open_in(place, OpenOptions::new()).await;
    core.append_batch((0..blocks).map(|i| i.to_string())).await.unwrap();
    (core, dir)
}

/// A reader that has the whole log, and is connected to its writer.
async fn complete_reader(writer: &Hypercore) -> Hypercore {
    let copy = reader(writer).await;
    connect(writer, &copy);
    copy.get(0).await.unwrap();
    copy.download(..writer.length()).done().await.unwrap();
    assert_eq!(copy.contiguous_length(), writer.length());
    // the writer knows it too
    let length = writer.length();
    until("the writer hears what the reader has", || writer.remote_contiguous_length() == length).await;
    copy
}

async fn truncate_beside_a_complete_reader(place: Place) {
    let (writer, _dir) = writer_in(place, 10).await;
    let _copy = complete_reader(&writer).await;
    writer.truncate(5).await.unwrap();
    assert_eq!((writer.length(), writer.fork()), (5, 1));
    assert_eq!(writer.append("next").await.unwrap().length, 6);
    assert_eq!(writer.get(5).await.unwrap(), "next");
}

async fn go_on_beside_a_peer_that_claims_more_than_there_is(place: Place, appends: u64, patience: Duration) {
    let (writer, _dir) = writer_in(place, 10).await;
    let mut liar = Liar::open(&writer, patience, 1 << 20).await;
    liar.says(&sync(0, FAR_TOO_MANY, 10)).await;
    liar.says(&has_all(FAR_TOO_MANY)).await;
    until("the claim is heard", || writer.remote_contiguous_length() == 10).await;
    for length in 11..=10 + appends {
        assert_eq!(writer.append("more").await.unwrap().length, length);
        liar.turn().await;
    }
    assert_eq!(writer.append_batch(["a", "b"]).await.unwrap().length, 12 + appends);
    assert_eq!(writer.clear(0..5).await.unwrap(), 5);
    writer.truncate(8).await.unwrap();
    assert_eq!(writer.append("last").await.unwrap().length, 9);
    liar.turn().await;
    // what it claimed was of the fork before
    assert_eq!(writer.remote_contiguous_length(), 8);
}

async fn clear_in_the_middle_of_a_download(place: Place, rounds: u64) {
    let length = rounds * 100;
    let (writer, _dir) = writer_in(Place::Memory, length).await;
    let (copy, _copy_dir) = open_in(place, OpenOptions::new().key(*writer.key())).await;
    connect(&writer, &copy);
    copy.get(0).await.unwrap();
    let download = copy.download(..);
    for round in 0..rounds {
        let start = round * 100;
        copy.get(start + 50).await.unwrap();
        copy.clear(start..start + 60).await.unwrap();
        // what was cleared is fetched again when it is read
        assert_eq!(copy.get(start).await.unwrap(), start.to_string());
    }
    drop(download);
    copy.download(..length).done().await.unwrap();
    assert_eq!(copy.contiguous_length(), length);
    assert_eq!(copy.tree_hash().await.unwrap(), writer.tree_hash().await.unwrap());
}

#[test]
fn regression_a_writer_truncates_beside_a_complete_reader() {
    for place in PLACES {
        ends(move || truncate_beside_a_complete_reader(place));
    }
}

#[test]
fn regression_a_writer_goes_on_beside_a_peer_that_claims_more_than_there_is() {
    for place in PLACES {
        let patience = Duration::from_millis(50);
        ends(move || go_on_beside_a_peer_that_claims_more_than_there_is(place, 30, patience));
    }
}

#[test]
fn regression_a_reader_clears_in_the_middle_of_a_download() {
    for place in PLACES {
        ends(move || clear_in_the_middle_of_a_download(place, 20));
    }
}

#[test]
fn regression_what_a_peer_is_heard_to_have_is_of_the_fork_that_it_said_it_of() {
    ends(|| async {
        for _ in 0..8 {
            let patience = Duration::from_millis(5);
            go_on_beside_a_peer_that_claims_more_than_there_is(Place::Disk, 1, patience).await;
        }
    });
}

#[test]
fn regression_a_block_is_fetched_again_right_after_it_was_cleared() {
    ends(|| async {
        let (writer, _dir) = writer_in(Place::Memory, 3000).await;
        let copy = reader(&writer).await;
        connect(&writer, &copy);
        copy.get(0).await.unwrap();
        // others tell the replicator of changes at the same time
        let download = copy.download(100..);
        for _ in 0..800 {
            copy.clear(0..1).await.unwrap();
            assert_eq!(copy.get(0).await.unwrap(), "0");
        }
        drop(download);
    });
}

#[test]
fn regression_a_download_right_after_a_clear_brings_back_what_was_cleared() {
    ends(|| async {
        let (writer, _dir) = writer_in(Place::Memory, 100).await;
        let copy = reader(&writer).await;
        connect(&writer, &copy);
        copy.get(0).await.unwrap();
        // others tell the replicator of changes at the same time
        let others = [50, 60].map(|index| {
            let copy = copy.clone();
            tokio::spawn(async move {
                loop {
                    copy.get(index).await.unwrap();
                    copy.clear(index..index + 1).await.unwrap();
                }
            })
        });
        for round in 0..400 {
            copy.clear(0..2).await.unwrap();
            let back = if round % 2 == 0 { copy.download(0..2) } else { copy.download_blocks([0, 1]) };
            back.done().await.unwrap();
            assert!(copy.has_range(0..2).await.unwrap(), "done without it in round {round}");
        }
        others.iter().for_each(tokio::task::JoinHandle::abort);
    });
}

/// With real threads: what the others prove once may still depend on who comes first.
#[test]
fn all_of_it_a_thousand_times_over() {
    let repeats = setting("HYPERCORE_REPEATS", 1_000);
    let limit = Duration::from_secs(120 + repeats / 5);
    ends_within(limit, move || async move {
        let cases = (0..repeats).map(|_| {
            tokio::spawn(async {
                truncate_beside_a_complete_reader(Place::Memory).await;
                let patience = Duration::from_millis(2);
                go_on_beside_a_peer_that_claims_more_than_there_is(Place::Memory, 3, patience).await;
                clear_in_the_middle_of_a_download(Place::Memory, 2).await;
            })
        });
        let mut cases = futures_util::stream::iter(cases).buffer_unordered(AT_ONCE);
        while let Some(done) = cases.next().await {
            done.unwrap();
        }
    });
}
