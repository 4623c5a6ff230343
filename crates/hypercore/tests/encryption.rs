//! Encryption of blocks: what is stored and sent, and what sessions with and without the key see.

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::{connect, in_store, named, texts};
use futures_util::future::BoxFuture;
use hypercore::storage::Storage;
use hypercore::{
    BlockRequest, Encryption, EncryptionProvider, GetOptions, Hypercore, KeyPair, OpenOptions, ProofRequest,
    Result, SessionOptions, block_encryption_key,
};

const SECRET: &str = "the plain text nobody may see";

fn key() -> Encryption {
    Encryption::key([7; 32])
}

async fn encrypted(blocks: u64) -> Hypercore {
    let core = Hypercore::builder().encryption(key()).memory().await.unwrap();
    core.append_batch((0..blocks).map(|i| format!("{SECRET} {i}"))).await.unwrap();
    core
}

/// Somebody who has the log's key, and perhaps the encryption's.
async fn peer(of: &Hypercore, encryption: Option<Encryption>) -> Hypercore {
    let timeout = Some(Duration::from_secs(20));
    let options = SessionOptions::new().encryption(encryption).timeout(timeout);
    Hypercore::builder().key(*of.key()).session(options).memory().await.unwrap()
}

async fn raw(core: &Hypercore, index: u64) -> Bytes {
    core.get_with(index, GetOptions::new().raw(true)).await.unwrap().unwrap()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Whether any file below a directory holds a text.
fn files_hold(dir: &Path, text: &str) -> bool {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() { files_hold(&path, text) } else { holds(&std::fs::read(&path).unwrap(), text) }
    })
}

#[tokio::test]
async fn h1_no_plain_text_is_in_the_directory_and_each_block_is_8_bytes_longer() {
    let key_of_block = |core: &Hypercore| Encryption::block_key(*block_encryption_key(core.key(), &[7; 32]));
    for mode in ["none", "key", "compat", "block key", "draft"] {
        let dir = tempfile::tempdir().unwrap();
        let core = Hypercore::builder().compat(mode == "compat").open(dir.path()).await.unwrap();
        match mode {
            "none" => {}
            "block key" => core.set_encryption(key_of_block(&core)),
            _ => core.set_encryption(key()),
        }
        let session = if mode == "draft" { named(&core, "draft").await } else { core.clone() };
        session.append_batch(vec![SECRET; 20]).await.unwrap();
        assert_eq!(session.get(13).await.unwrap(), SECRET);
        let padding = if mode == "none" { 0 } else { 8 };
        for index in 0..20 {
            assert_eq!(raw(&session, index).await.len(), SECRET.len() + padding, "{mode}");
        }
        session.close().await.unwrap();
        core.close().await.unwrap();
        let dumped = hypercore::storage::dump(dir.path()).await.unwrap();
        let in_store = dumped.iter().any(|(_, value)| holds(value, &SECRET[4..]));
        // without encryption it is found: so the search does find what there is
        assert_eq!(
            (in_store, files_hold(dir.path(), &SECRET[4..])),
            (mode == "none", mode == "none"),
            "{mode}"
        );
    }
}

#[tokio::test]
async fn h1_no_plain_text_goes_to_peers() {
    let core = encrypted(5).await;
    for index in 0..5 {
        let request = ProofRequest { block: Some(BlockRequest { index, nodes: 0 }), ..Default::default() };
        let proof = core.proof(&request).await.unwrap();
        assert!(!holds(&hypercore::encode_proof(&proof), &SECRET[4..]));
        assert_eq!(proof.block.unwrap().value, raw(&core, index).await);
    }
}

#[tokio::test]
async fn h3_lengths_and_positions_leave_the_padding_out_here_and_at_readers() {
    let core = encrypted(10).await;
    let size = SECRET.len() as u64 + 2;
    let copy = peer(&core, Some(key())).await;
    connect(&core, &copy);
    assert_eq!(copy.get(9).await.unwrap(), format!("{SECRET} 9"));
    let appended = core.append("12345").await.unwrap();
    assert_eq!((appended.length, appended.byte_length), (11, 10 * size + 5));
    copy.get(10).await.unwrap();
    for session in [&core, &copy] {
        assert_eq!((session.byte_length(), session.padding()), (10 * size + 5, 8));
        let info = session.info().await.unwrap();
        assert_eq!((info.byte_length, info.padding, info.length), (10 * size + 5, 8, 11));
        assert_eq!(session.seek(3 * size + 4).await.unwrap(), Some((3, 4)));
        assert_eq!(session.seek(10 * size + 5).await.unwrap(), Some((11, 0)));
    }
    assert_eq!(core.contiguous_byte_length().await.unwrap(), 10 * size + 5);
    // a reader that has nothing yet asks with the padding, too
    let fresh = peer(&core, Some(key())).await;
    connect(&core, &fresh);
    fresh.get(0).await.unwrap();
    assert_eq!(fresh.seek(7 * size + 1).await.unwrap(), Some((7, 1)));
    let blind = peer(&core, None).await;
    connect(&core, &blind);
    blind.get(0).await.unwrap();
    assert_eq!((blind.byte_length(), blind.padding()), (10 * (size + 8) + 13, 0));
    assert_eq!(blind.seek(7 * (size + 8) + 1).await.unwrap(), Some((7, 1)));
}

#[tokio::test]
async fn h4_blocks_can_be_had_as_they_are_stored() {
    let core = encrypted(3).await;
    let blind = core.session(SessionOptions::new().encryption(None)).await.unwrap();
    let stored = raw(&core, 1).await;
    assert_eq!(blind.get(1).await.unwrap(), stored);
    let sealed = core.get_with(1, GetOptions::new().decrypt(false)).await.unwrap().unwrap();
    assert_eq!(sealed, stored.slice(8..), "as encryption made it, without the padding");
    assert_ne!(sealed, format!("{SECRET} 1"));
    let options = GetOptions::new().decrypt(true).raw(false);
    assert_eq!(core.get_with(1, options).await.unwrap().unwrap(), format!("{SECRET} 1"));
    // without encryption all of them are the block
    let plain = common::filled(2).await;
    for options in [GetOptions::new().raw(true), GetOptions::new().decrypt(false), GetOptions::new()] {
        assert_eq!(plain.get_with(1, options).await.unwrap().unwrap(), "1");
    }
}

#[tokio::test]
async fn h5_plain_and_encrypted_sessions_are_of_one_log() {
    let core = common::filled(1).await;
    let secret = core.session(SessionOptions::new().encryption(key())).await.unwrap();
    secret.append(SECRET).await.unwrap();
    core.append("plain").await.unwrap();
    assert_eq!((core.length(), secret.length()), (3, 3));
    assert_eq!(secret.get(1).await.unwrap(), SECRET);
    assert_eq!(core.get(1).await.unwrap(), raw(&secret, 1).await);
    assert_ne!(core.get(1).await.unwrap(), SECRET);
    assert_eq!(core.get(2).await.unwrap(), "plain");
    let child = secret.session(SessionOptions::new()).await.unwrap();
    let plain = secret.session(SessionOptions::new().encryption(None)).await.unwrap();
    assert_eq!((child.padding(), plain.padding()), (8, 0), "inherited, or not");
    assert_eq!(child.get(1).await.unwrap(), SECRET);
    assert_eq!(plain.get(2).await.unwrap(), "plain");
    // a block that is too short to be an encrypted one is an error; it is none that can be read
    assert_eq!(secret.get(0).await.unwrap_err().code(), "DECODING_ERROR");
    let stream: Vec<_> = futures_util::StreamExt::collect(child.read_stream(1..2)).await;
    assert_eq!(stream[0].as_ref().unwrap(), SECRET);
}

#[tokio::test]
async fn h6_a_peer_without_the_key_hands_on_what_it_cannot_read() {
    let writer = encrypted(30).await;
    let (blind, friend) = (peer(&writer, None).await, peer(&writer, Some(key())).await);
    connect(&writer, &blind);
    blind.get(0).await.unwrap();
    blind.download(..30).done().await.unwrap();
    for index in 0..30 {
        assert_eq!(blind.get(index).await.unwrap(), raw(&writer, index).await);
        assert!(!holds(&blind.get(index).await.unwrap(), &SECRET[4..]));
    }
    connect(&blind, &friend);
    assert_eq!(friend.get(17).await.unwrap(), format!("{SECRET} 17"));
    assert_eq!(texts(&friend).await, texts(&writer).await);
    assert_eq!(blind.tree_hash().await.unwrap(), writer.tree_hash().await.unwrap());
    let wrong = peer(&writer, Some(Encryption::key([8; 32]))).await;
    connect(&blind, &wrong);
    assert_ne!(wrong.get(3).await.unwrap(), format!("{SECRET} 3"));
}

#[tokio::test]
async fn h7_sessions_that_are_older_than_what_is_known_of_the_core_read_it() {
    // how a log is encrypted depends on its manifest, which a reader learns with the first proof
    for compat in [false, true] {
        let writer = Hypercore::builder().compat(compat).encryption(key()).memory().await.unwrap();
        writer.append_batch([SECRET, "second"]).await.unwrap();
        let copy = peer(&writer, Some(key())).await;
        assert!(copy.manifest().is_none());
        let child = copy.session(SessionOptions::new()).await.unwrap();
        let plain = copy.session(SessionOptions::new().encryption(None)).await.unwrap();
        let late = plain.session(SessionOptions::new()).await.unwrap();
        late.set_encryption(key());
        let waiting = tokio::spawn({
            let child = child.clone();
            async move { child.get(0).await }
        });
        tokio::task::yield_now().await;
        connect(&writer, &copy);
        assert_eq!(waiting.await.unwrap().unwrap(), SECRET);
        for session in [&copy, &child, &late] {
            assert_eq!(session.get(1).await.unwrap(), "second", "compat: {compat}");
            assert_eq!(session.byte_length(), SECRET.len() as u64 + 6);
        }
        assert_eq!(plain.get(1).await.unwrap(), raw(&writer, 1).await);
    }
}

#[tokio::test]
async fn h7_the_key_given_with_the_options_is_that_of_all_sessions() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..2_u64 {
        let core = Hypercore::builder().encryption(key()).open(dir.path()).await.unwrap();
        let child = core.session(SessionOptions::new()).await.unwrap();
        child.append(SECRET).await.unwrap();
        assert_eq!((core.length(), child.byte_length()), (round + 1, (round + 1) * SECRET.len() as u64));
        assert_eq!(core.snapshot().await.unwrap().get(round).await.unwrap(), SECRET);
        child.close().await.unwrap();
        core.close().await.unwrap();
    }
    // the store does not keep it
    let core = Hypercore::open(dir.path()).await.unwrap();
    assert_ne!(core.get(0).await.unwrap(), SECRET);
    core.set_encryption(key());
    assert_eq!(core.get(0).await.unwrap(), SECRET);
    core.set_encryption(None);
    assert_ne!(core.get(0).await.unwrap(), SECRET);
}

/// Adds the index to each byte, and takes its time.
struct Slow;

impl EncryptionProvider for Slow {
    fn padding(&self) -> u64 {
        0
    }

    fn encrypt(&self, index: u64, fork: u64, block: Bytes) -> BoxFuture<'_, Result<Bytes>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(index % 3)).await;
            let shift = index.wrapping_add(fork).to_le_bytes()[0].wrapping_add(1);
            if block.as_ref() == b"refuse" {
                return Err(hypercore::Error::Assertion("not this one".into()));
            }
            let sealed = block.iter().map(|byte| byte.wrapping_add(shift));
            Ok(sealed.chain([shift]).collect::<Vec<u8>>().into())
        })
    }

    fn decrypt(&self, _index: u64, block: Bytes) -> BoxFuture<'_, Result<Bytes>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let (shift, text) = block.split_last().unwrap();
            Ok(text.iter().map(|byte| byte.wrapping_sub(*shift)).collect::<Vec<u8>>().into())
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h8_encryption_of_ones_own_may_take_its_time_and_need_no_padding() {
    let own = || Encryption::provider(Slow);
    let core = Hypercore::builder().encryption(own()).memory().await.unwrap();
    let tasks: Vec<_> = (0..6)
        .map(|task| {
            let core = core.clone();
            tokio::spawn(async move {
                for i in 0..5 {
                    core.append_batch([format!("{SECRET} {task} {i}"), "more".to_owned()]).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!((core.length(), core.padding()), (60, 0));
    let all = texts(&core).await;
    for (index, text) in (0_u64..).zip(&all) {
        let stored = raw(&core, index).await;
        assert_eq!(u64::from(*stored.last().unwrap()), index + 1, "sealed for the place that it got");
        assert!(!holds(&stored, &SECRET[4..]));
        assert_eq!(text == "more", index % 2 == 1, "batches stay together");
    }
    for (task, i) in (0..6).flat_map(|task| (0..5).map(move |i| (task, i))) {
        assert_eq!(all.iter().filter(|text| **text == format!("{SECRET} {task} {i}")).count(), 1);
    }
    assert_eq!(core.append("refuse").await.unwrap_err().code(), "ERR_ASSERTION");
    assert_eq!(core.length(), 60);
    let copy = peer(&core, Some(own())).await;
    connect(&core, &copy);
    assert_eq!(copy.get(2).await.unwrap(), all[2]);
    core.truncate(2).await.unwrap();
    core.append("new").await.unwrap();
    assert_eq!((raw(&core, 2).await.last(), core.get(2).await.unwrap()), (Some(&4), "new".into()), "fork 1");
}

/// The beginning of the key stream that a block was encrypted with.
async fn stream(core: &Hypercore, index: u64) -> Vec<u8> {
    let (stored, plain) = (raw(core, index).await, core.get(index).await.unwrap());
    stored.iter().skip(8).zip(&plain).map(|(stored, plain)| stored ^ plain).take(SECRET.len()).collect()
}

#[tokio::test]
async fn h9_what_is_written_again_after_a_cut_has_another_nonce() {
    let core = encrypted(4).await;
    let mut seen = Vec::new();
    for round in 0..5 {
        for index in 2..4 {
            let stream = stream(&core, index).await;
            assert!(!seen.contains(&stream), "round {round}, block {index}");
            seen.push(stream);
        }
        core.truncate(2).await.unwrap();
        core.append_batch([format!("{SECRET} {round}"), format!("{SECRET} again")]).await.unwrap();
    }
    assert_eq!(core.get(0).await.unwrap(), format!("{SECRET} 0"), "what stayed is what it was");
}

#[tokio::test]
async fn h9_an_atom_that_cuts_and_appends_uses_the_new_fork_too() {
    let core = encrypted(4).await;
    let before = [stream(&core, 2).await, stream(&core, 3).await];
    let own = Hypercore::builder().encryption(Encryption::provider(Slow)).memory().await.unwrap();
    own.append_batch(["0", "1", "2"]).await.unwrap();
    for core in [&core, &own] {
        let atom = core.atom();
        let inside = core.session(SessionOptions::new().atom(&atom)).await.unwrap();
        inside.truncate(2).await.unwrap();
        inside.append_batch([SECRET, SECRET]).await.unwrap();
        assert_eq!(inside.get(2).await.unwrap(), SECRET);
        atom.flush().await.unwrap();
        assert_eq!((core.get(2).await.unwrap(), core.fork()), (SECRET.into(), 1));
    }
    assert!(!before.contains(&stream(&core, 2).await) && !before.contains(&stream(&core, 3).await));
    assert_eq!(raw(&own, 2).await.last(), Some(&4), "fork 1");
}

#[tokio::test]
async fn d12_a_named_session_of_an_encrypted_log_commits_to_the_same_hash() {
    for cut in [false, true] {
        commits_to_the_same_hash(cut).await;
    }
}

async fn commits_to_the_same_hash(cut: bool) {
    let pair = KeyPair::from_seed(&[3; 32]);
    let options = || Hypercore::builder().key_pair(pair.clone()).encryption(key());
    let (direct, committed) = (options().memory().await.unwrap(), options().memory().await.unwrap());
    for core in [&direct, &committed] {
        core.append_batch([SECRET, "second", "third"]).await.unwrap();
        if cut {
            core.truncate(3).await.unwrap();
        }
    }
    direct.append_batch([SECRET, "fourth"]).await.unwrap();
    let draft = named(&committed, "draft").await;
    assert_eq!(draft.padding(), 8);
    draft.append_batch([SECRET, "fourth"]).await.unwrap();
    assert_eq!(draft.byte_length(), direct.byte_length());
    assert_eq!(draft.get(3).await.unwrap(), SECRET);
    assert!(!holds(&raw(&draft, 3).await, &SECRET[4..]));
    let done = committed.commit(&draft).await.unwrap().unwrap();
    assert_eq!((done.length, done.byte_length), (5, direct.byte_length()));
    assert_eq!(committed.tree_hash().await.unwrap(), direct.tree_hash().await.unwrap());
    assert_eq!(texts(&committed).await, texts(&direct).await);
    if cut {
        return;
    }
    let copy = peer(&committed, Some(key())).await;
    connect(&committed, &copy);
    assert_eq!(copy.get(4).await.unwrap(), "fourth");
}

#[tokio::test]
async fn two_logs_of_one_store_with_one_key_share_no_key_stream() {
    let storage: Arc<Storage> = Storage::memory().unwrap();
    let mut seen = Vec::new();
    for seed in 1..4 {
        let pair = KeyPair::from_seed(&[seed; 32]);
        let manifest = hypercore::Manifest::single(pair.public());
        let options = OpenOptions::new().key_pair(pair).manifest(manifest).encryption(key());
        let core = in_store(&storage, options).await;
        core.append(SECRET).await.unwrap();
        let stream = stream(&core, 0).await;
        assert!(!seen.contains(&stream));
        seen.push(stream);
    }
}
