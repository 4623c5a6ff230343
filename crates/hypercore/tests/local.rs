//! A core by itself: in memory and on disk.

use bytes::Bytes;
use futures_util::TryStreamExt;
use hypercore::{Appended, GetOptions, Hypercore, Json, OpenOptions, SessionOptions, Utf8};

async fn filled(blocks: u64) -> Hypercore {
    let core = Hypercore::memory().await.unwrap();
    core.append_batch((0..blocks).map(|i| i.to_string())).await.unwrap();
    core
}

#[tokio::test]
async fn b1_append_returns_both_lengths_after_it() {
    let core = Hypercore::memory().await.unwrap();
    assert_eq!(core.append("hello").await.unwrap(), Appended { length: 1, byte_length: 5 });
    assert_eq!(core.append_batch(["a", "bc"]).await.unwrap(), Appended { length: 3, byte_length: 8 });
    assert_eq!(core.get(2).await.unwrap(), "bc");
}

#[tokio::test]
async fn b2_an_empty_append_changes_nothing() {
    let core = filled(2).await;
    let hash = core.tree_hash().await.unwrap();
    assert_eq!(core.append_batch(Vec::<Bytes>::new()).await.unwrap(), Appended { length: 2, byte_length: 2 });
    assert_eq!(core.tree_hash().await.unwrap(), hash);
}

#[tokio::test]
async fn a5_reopening_finds_everything_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    core.append_batch((0..100).map(|i| format!("block {i}"))).await.unwrap();
    let (key, hash) = (*core.key(), core.tree_hash().await.unwrap());
    core.close().await.unwrap();

    let core = Hypercore::open(dir.path()).await.unwrap();
    assert_eq!((*core.key(), core.length(), core.contiguous_length()), (key, 100, 100));
    assert_eq!(core.tree_hash().await.unwrap(), hash);
    assert!(core.writable());
    assert_eq!(core.append("more").await.unwrap().length, 101);
    assert_eq!(core.get(57).await.unwrap(), "block 57");
}

#[tokio::test]
async fn a4_nothing_is_created_where_that_is_not_wanted() {
    let refused = Hypercore::builder().create_if_missing(false).memory().await.unwrap_err();
    assert_eq!(refused.code(), "STORAGE_EMPTY");
}

#[tokio::test]
async fn a2_a_key_alone_makes_a_reader() {
    let key = *filled(1).await.key();
    let reader = Hypercore::builder().key(key).memory().await.unwrap();
    assert!(!reader.writable());
    assert_eq!(reader.append("x").await.unwrap_err().code(), "SESSION_NOT_WRITABLE");
    assert_eq!(reader.length(), 0);
}

#[tokio::test]
async fn a7_a_manifest_that_is_not_the_keys_is_a_conflict() {
    let (one, other) = (filled(1).await, filled(1).await);
    let options = Hypercore::builder().key(*one.key()).manifest(other.manifest().unwrap());
    assert_eq!(options.memory().await.unwrap_err().code(), "STORAGE_CONFLICT");
}

#[tokio::test]
async fn a10_everything_fails_after_closing() {
    let core = filled(3).await;
    core.close().await.unwrap();
    assert_eq!(core.append("x").await.unwrap_err().code(), "SESSION_CLOSED");
    assert_eq!(core.get(0).await.unwrap_err().code(), "SESSION_CLOSED");
    assert_eq!(core.has(0).await.unwrap_err().code(), "SESSION_CLOSED");
    core.close().await.unwrap();
}

#[tokio::test]
async fn a11_a_read_only_session_cannot_append_and_neither_can_its_sessions() {
    let core = filled(1).await;
    let reader = core.session(SessionOptions::new().writable(false)).await.unwrap();
    let inherited = reader.session(SessionOptions::new()).await.unwrap();
    for session in [reader, inherited] {
        assert!(!session.writable());
        assert_eq!(session.append("x").await.unwrap_err().code(), "SESSION_NOT_WRITABLE");
    }
    core.append("x").await.unwrap();
}

#[tokio::test]
async fn a14_the_largest_block_is_accepted_and_one_byte_more_is_not() {
    let core = Hypercore::memory().await.unwrap();
    core.append(vec![0; hypercore::MAX_BLOCK_LEN]).await.unwrap();
    let refused = core.append_batch([vec![1], vec![0; hypercore::MAX_BLOCK_LEN + 1]]).await.unwrap_err();
    assert_eq!(refused.code(), "BAD_ARGUMENT");
    assert_eq!(core.length(), 1, "all or none");
}

#[tokio::test]
async fn a18_a_get_that_nobody_answers_times_out() {
    let core = filled(1).await;
    let options = GetOptions::new().timeout(Some(std::time::Duration::from_millis(20)));
    assert_eq!(core.get_with(9, options).await.unwrap_err().code(), "REQUEST_TIMEOUT");
}

#[tokio::test]
async fn a19_closing_a_session_ends_its_own_waits_only() {
    let core = filled(1).await;
    let other = core.session(SessionOptions::new()).await.unwrap();
    let (first, second) = (other.clone(), core.clone());
    let closed = tokio::spawn(async move { first.get(1).await });
    let open = tokio::spawn(async move { second.get(1).await });
    tokio::task::yield_now().await;
    other.close().await.unwrap();
    assert_eq!(closed.await.unwrap().unwrap_err().code(), "REQUEST_CANCELLED");
    core.append("late").await.unwrap();
    assert_eq!(open.await.unwrap().unwrap(), "late");
}

#[tokio::test]
async fn a20_no_waiting_gives_none_at_once() {
    let core = filled(1).await;
    assert_eq!(core.get_with(5, GetOptions::new().wait(false)).await.unwrap(), None);
    assert_eq!(core.waits(), 0);
    let quick = core.session(SessionOptions::new().wait(false)).await.unwrap();
    assert_eq!(quick.get(5).await.unwrap_err().code(), "BLOCK_NOT_AVAILABLE");
}

#[tokio::test]
async fn a21_values_in_and_out_by_encoding() {
    let core = Hypercore::memory().await.unwrap();
    core.encoded(Utf8).append("tekst").await.unwrap();
    let json = core.encoded(Json::<Vec<u32>>::default());
    json.append(&vec![1, 2]).await.unwrap();
    assert_eq!(core.encoded(Utf8).get(0).await.unwrap(), "tekst");
    assert_eq!(json.get(1).await.unwrap(), [1, 2]);
    assert_eq!(json.get(0).await.unwrap_err().code(), "DECODING_ERROR");
}

#[tokio::test]
async fn a22_user_data_survives_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let core = OpenOptions::new().user_data("made", "with it").open(dir.path()).await.unwrap();
    core.set_user_data("large", Some(&[7; 20_000])).await.unwrap();
    core.set_user_data("gone", Some(b"x")).await.unwrap();
    core.set_user_data("gone", None).await.unwrap();
    core.close().await.unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    assert_eq!(core.user_data("made").await.unwrap().unwrap(), "with it");
    assert_eq!(core.user_data("large").await.unwrap().unwrap().len(), 20_000);
    assert_eq!(core.user_data("gone").await.unwrap(), None);
}

#[tokio::test]
async fn b6_a_get_beyond_the_end_waits_for_the_append() {
    let core = filled(1).await;
    let waiting = core.clone();
    let get = tokio::spawn(async move { waiting.get(1).await });
    tokio::task::yield_now().await;
    core.append("there").await.unwrap();
    assert_eq!(get.await.unwrap().unwrap(), "there");
}

#[tokio::test]
async fn b8_streams_start_end_and_go_on_where_they_should() {
    let core = filled(10).await;
    let read = |range: std::ops::Range<u64>| core.read_stream(range).try_collect::<Vec<_>>();
    assert_eq!(read(3..6).await.unwrap(), ["3", "4", "5"]);
    let all: Vec<Bytes> = core.read_stream(..).try_collect().await.unwrap();
    assert_eq!(all.len(), 10);

    let mut live = core.read_stream(9..).live(true);
    assert_eq!(live.try_next().await.unwrap().unwrap(), "9");
    let writer = core.clone();
    let late = tokio::spawn(async move { writer.append("10").await });
    assert_eq!(live.try_next().await.unwrap().unwrap(), "10");
    late.await.unwrap().unwrap();
}

#[tokio::test]
async fn b11_b12_pages_and_contiguous_length_at_a_page_border() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    core.append_batch(vec![Bytes::from_static(b"x"); 32_768]).await.unwrap();
    for _ in 0..2 {
        assert!(core.has(32_767).await.unwrap() && !core.has(32_768).await.unwrap());
        assert_eq!(core.contiguous_length(), 32_768);
    }
    core.close().await.unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    assert!(core.has_range(0..32_768).await.unwrap() && !core.has(32_768).await.unwrap());
    assert_eq!(core.contiguous_length(), 32_768);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_appends_all_land_once_and_in_their_own_order() {
    let core = Hypercore::memory().await.unwrap();
    let writers = (0..16).map(|writer| {
        let core = core.clone();
        tokio::spawn(async move {
            for i in 0..50 {
                let appended = core.append(format!("{writer} {i}")).await.unwrap();
                assert_eq!(core.get(appended.length - 1).await.unwrap(), format!("{writer} {i}"));
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert_eq!(core.length(), 16 * 50);
}

#[tokio::test]
async fn a_directory_is_free_again_when_its_last_session_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    let other = core.session(SessionOptions::new()).await.unwrap();
    core.close().await.unwrap();
    assert!(Hypercore::open(dir.path()).await.is_err(), "a session is still open");
    other.close().await.unwrap();
    Hypercore::open(dir.path()).await.unwrap();
}
