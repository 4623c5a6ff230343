//! The public operations of a core. One more is a line in [`OPERATIONS`] and a function that does it.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, SinkExt, StreamExt, TryStreamExt};
use hypercore::{
    AppendOptions, BlockRequest, GetOptions, Hypercore, KeyPair, Manifest, OpenOptions, Prologue,
    ProofRequest, Result, SeekOptions, SessionOptions, UpdateOptions, UpgradeRequest,
};

use crate::world::{BLOCKS, PATIENCE, Side, World, open};

/// What an application does to a core.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    /// With which codes it may fail on a writer: only with such that do not depend on its peers.
    pub(crate) on_writer: &'static [&'static str],
    /// With which codes it may fail on a reader.
    pub(crate) on_reader: &'static [&'static str],
    /// Whether the subject is closed after it.
    pub(crate) closes: bool,
    pub(crate) run: fn(&World) -> BoxFuture<'_, Result<()>>,
}

/// A line of the table: a name, a function, and with what it may fail on a writer and on a reader.
macro_rules! operation {
    ($name:literal, $run:ident) => {
        operation!($name, $run, [], [])
    };
    ($name:literal, $run:ident, $writer:expr, $reader:expr) => {
        operation!($name, $run, $writer, $reader, false)
    };
    ($name:literal, $run:ident, $writer:expr, $reader:expr, $closes:literal) => {
        Operation {
            name: $name,
            on_writer: &$writer,
            on_reader: &$reader,
            closes: $closes,
            run: |world| $run(world).boxed(),
        }
    };
}

const READ_ONLY: &str = "SESSION_NOT_WRITABLE";
const LATE: &str = "REQUEST_TIMEOUT";
/// What was read has been cut away meanwhile.
const GONE: &str = "SNAPSHOT_NOT_AVAILABLE";
const MISSING: &str = "BLOCK_NOT_AVAILABLE";
/// A node of the tree was never fetched.
const UNKNOWN: &str = "ERR_ASSERTION";

pub(crate) const OPERATIONS: &[Operation] = &[
    operation!("append", append, [], [READ_ONLY]),
    operation!("append a batch", append_a_batch, [], [READ_ONLY]),
    operation!("append a large batch", append_a_large_batch, [], [READ_ONLY]),
    operation!("append on terms", append_on_terms, [], [READ_ONLY]),
    operation!("append beside others", append_beside_others, [], [READ_ONLY]),
    operation!("write a stream", write_a_stream, [], [READ_ONLY]),
    operation!("get", get, [], [LATE]),
    operation!("get beyond the end", get_beyond_the_end, [LATE], [LATE]),
    operation!("get without waiting", get_without_waiting),
    operation!("has", has),
    operation!("seek", seek, [], [LATE]),
    operation!("seek beyond the end", seek_beyond_the_end, [], [LATE]),
    operation!("read bytes", read_bytes, [], [LATE]),
    operation!("read a stream", read_a_stream, [], [LATE]),
    operation!("read a live stream", read_a_live_stream),
    operation!("update", update, [], [LATE]),
    operation!("update by force", update_by_force, [LATE], [LATE]),
    operation!("download a range", download_a_range),
    operation!("download a list", download_a_list),
    operation!("download without end", download_without_end),
    operation!("truncate", truncate, [], [READ_ONLY]),
    operation!("truncate twice at once", truncate_twice_at_once, [], [READ_ONLY]),
    operation!("clear", clear),
    operation!("clear and get", clear_and_get, [LATE], [LATE]),
    operation!("commit a named session", commit_a_named_session, [], [READ_ONLY]),
    operation!("flush an atom", flush_an_atom, [], [READ_ONLY]),
    operation!("read a snapshot", read_a_snapshot, [], [LATE]),
    operation!("read a snapshot of a log that is cut", read_a_snapshot_of_a_cut_log, [GONE], [READ_ONLY]),
    operation!("open and close sessions", open_and_close_sessions),
    operation!("take turns in exclusive sessions", take_turns_in_exclusive_sessions),
    operation!("set records", set_records),
    operation!("flush", flush),
    operation!("hash the tree", hash_the_tree, [], [LATE]),
    operation!("prove", prove, [], ["INVALID_OPERATION", MISSING]),
    operation!("apply proofs", apply_proofs),
    operation!("mark and sweep", mark_and_sweep, [], [LATE]),
    operation!("inform", inform),
    operation!("move a session", move_a_session, [], ["INVALID_OPERATION", MISSING, READ_ONLY, UNKNOWN]),
    operation!("copy a prologue", copy_a_prologue, [], [MISSING]),
    operation!("look for peers", look_for_peers, [], [LATE]),
    operation!("connect and leave", connect_and_leave),
    operation!("recover", recover),
    operation!("compact", compact),
    operation!("close", close, [], [], true),
    operation!("close while others wait", close_while_others_wait, [], [], true),
    operation!("purge", purge, [], [], true),
];

async fn append(world: &World) -> Result<()> {
    world.subject.append("one").await.map(drop)
}

async fn append_a_batch(world: &World) -> Result<()> {
    world.subject.append_batch(["one", "two", "three"]).await.map(drop)
}

/// So large that it is written off the async threads.
async fn append_a_large_batch(world: &World) -> Result<()> {
    world.subject.append_batch((0..3).map(|_| vec![7; 100_000])).await.map(drop)
}

async fn append_on_terms(world: &World) -> Result<()> {
    let options = AppendOptions::new().expected_length(world.subject.length()).max_length(1_000);
    world.subject.append_with(["one"], options).await.map(drop)
}

async fn append_beside_others(world: &World) -> Result<()> {
    let appends = (0..8).map(|number| {
        let session = world.subject.clone();
        tokio::spawn(async move { session.append(format!("{number}")).await })
    });
    for append in appends.collect::<Vec<_>>() {
        append.await.expect("an append does not panic")?;
    }
    Ok(())
}

async fn write_a_stream(world: &World) -> Result<()> {
    let mut stream = world.subject.write_stream();
    for number in 0..5 {
        stream.send(Bytes::from(format!("{number}"))).await?;
    }
    stream.close().await
}

async fn get(world: &World) -> Result<()> {
    world.subject.get(4).await.map(drop)
}

async fn get_beyond_the_end(world: &World) -> Result<()> {
    world.subject.get(BLOCKS * 3).await.map(drop)
}

async fn get_without_waiting(world: &World) -> Result<()> {
    world.subject.get_with(2, GetOptions::new().wait(false)).await.map(drop)
}

async fn has(world: &World) -> Result<()> {
    world.subject.has(1).await?;
    world.subject.has_range(0..BLOCKS * 2).await.map(drop)
}

async fn seek(world: &World) -> Result<()> {
    world.subject.seek(1_000).await.map(drop)
}

async fn seek_beyond_the_end(world: &World) -> Result<()> {
    world.subject.seek_with(1 << 40, SeekOptions::new().timeout(Some(PATIENCE))).await.map(drop)
}

async fn read_bytes(world: &World) -> Result<()> {
    world.subject.byte_stream(500..2_000).try_for_each(|_| async { Ok(()) }).await
}

async fn read_a_stream(world: &World) -> Result<()> {
    world.subject.read_stream(1..6).try_for_each(|_| async { Ok(()) }).await
}

/// What comes within a while.
async fn read_a_live_stream(world: &World) -> Result<()> {
    let mut stream = world.subject.read_stream(..).live(true);
    while let Ok(Some(Ok(_))) = tokio::time::timeout(PATIENCE / 5, stream.next()).await {}
    Ok(())
}

async fn update(world: &World) -> Result<()> {
    world.subject.update().await.map(drop)
}

async fn update_by_force(world: &World) -> Result<()> {
    world.subject.update_with(UpdateOptions::new().force(true).wait(true)).await.map(drop)
}

/// Without a source a download is never done.
async fn for_a_while(download: hypercore::Download) -> Result<()> {
    tokio::time::timeout(PATIENCE / 5, download.done()).await.unwrap_or(Ok(()))
}

async fn download_a_range(world: &World) -> Result<()> {
    for_a_while(world.subject.download(2..BLOCKS)).await
}

async fn download_a_list(world: &World) -> Result<()> {
    for_a_while(world.subject.download_blocks([9, 1, 5, 1])).await
}

async fn download_without_end(world: &World) -> Result<()> {
    let download = world.subject.download(..);
    world.pause().await;
    download.destroy();
    Ok(())
}

async fn truncate(world: &World) -> Result<()> {
    world.subject.truncate(5).await
}

async fn truncate_twice_at_once(world: &World) -> Result<()> {
    let (one, other) = tokio::join!(world.subject.truncate(6), world.subject.truncate(2));
    // whichever came second may have found a log that is shorter
    match world.side {
        Side::Writer => one.or(other),
        Side::Reader => one.and(other),
    }
}

async fn clear(world: &World) -> Result<()> {
    world.subject.clear(2..7).await.map(drop)
}

async fn clear_and_get(world: &World) -> Result<()> {
    world.subject.clear(3..4).await?;
    world.subject.get(3).await.map(drop)
}

async fn commit_a_named_session(world: &World) -> Result<()> {
    let draft = world.subject.session(SessionOptions::new().name("draft")).await?;
    draft.append_batch(["one", "two"]).await?;
    world.pause().await;
    world.subject.commit(&draft).await.map(drop)
}

async fn flush_an_atom(world: &World) -> Result<()> {
    let atom = world.subject.atom();
    let session = world.subject.session(SessionOptions::new().atom(&atom)).await?;
    session.append_batch(["one", "two"]).await?;
    world.pause().await;
    session.truncate(4).await?;
    atom.flush().await
}

async fn read_a_snapshot(world: &World) -> Result<()> {
    let snapshot = world.subject.snapshot().await?;
    let length = snapshot.length();
    world.pause().await;
    for index in 0..length.min(3) {
        snapshot.get(index).await?;
    }
    assert_eq!(snapshot.length(), length);
    Ok(())
}

async fn read_a_snapshot_of_a_cut_log(world: &World) -> Result<()> {
    let snapshot = world.subject.snapshot().await?;
    world.subject.truncate(2).await?;
    assert_eq!(snapshot.get(1).await?, crate::world::block(1));
    snapshot.get(8).await.map(drop)
}

async fn open_and_close_sessions(world: &World) -> Result<()> {
    for _ in 0..4 {
        let session = world.subject.session(SessionOptions::new().writable(false)).await?;
        let weak = session.session(SessionOptions::new().weak(true)).await?;
        session.close().await?;
        weak.has(0).await?;
        weak.close().await?;
    }
    Ok(())
}

async fn take_turns_in_exclusive_sessions(world: &World) -> Result<()> {
    let turns = (0..3).map(|_| {
        let core = world.subject.clone();
        tokio::spawn(async move {
            let session = core.session(SessionOptions::new().exclusive(true)).await?;
            session.has(0).await?;
            tokio::task::yield_now().await;
            session.close().await
        })
    });
    for turn in turns.collect::<Vec<_>>() {
        turn.await.expect("a session does not panic")?;
    }
    Ok(())
}

async fn set_records(world: &World) -> Result<()> {
    world.subject.set_user_data("name", Some(b"value")).await?;
    assert_eq!(world.subject.user_data("name").await?.as_deref(), Some(&b"value"[..]));
    world.subject.set_local(b"name", Some(b"value")).await?;
    world.subject.set_user_data("name", None).await
}

async fn flush(world: &World) -> Result<()> {
    world.subject.flush().await
}

async fn hash_the_tree(world: &World) -> Result<()> {
    world.subject.tree_hash().await?;
    let length = world.subject.length().min(5);
    world.subject.tree_hash_at(length).await.map(drop)
}

fn whole(length: u64, block: u64) -> ProofRequest {
    ProofRequest {
        block: Some(BlockRequest { index: block, nodes: 0 }),
        upgrade: Some(UpgradeRequest { start: 0, length }),
        ..ProofRequest::default()
    }
}

async fn prove(world: &World) -> Result<()> {
    let length = world.subject.length();
    world.subject.proof(&whole(length, 3)).await.map(drop)
}

/// Proofs of the writer's: some can be used, some are known or late.
async fn apply_proofs(world: &World) -> Result<()> {
    let mut proofs = Vec::new();
    for index in [0, 6] {
        proofs.push(world.writer.proof(&whole(BLOCKS, index)).await?);
    }
    world.pause().await;
    world.subject.apply_proofs(proofs).await.map(drop)
}

async fn mark_and_sweep(world: &World) -> Result<()> {
    let session = world.subject.session(SessionOptions::new()).await?;
    session.start_marking().await?;
    session.get(2).await?;
    session.mark(3..5).await?;
    session.sweep().await.map(drop)
}

async fn inform(world: &World) -> Result<()> {
    let info = world.subject.info_with_storage().await?;
    assert_eq!(info.key, *world.subject.key());
    Ok(())
}

/// A log of somebody else's that begins with the same blocks.
async fn successor(world: &World, of: &Hypercore, length: u64) -> Result<Hypercore> {
    let pair = KeyPair::from_seed(&[u8::try_from(world.below(200)).unwrap_or(0); 32]);
    let prologue = Prologue { hash: of.tree_hash_at(length).await?, length };
    let manifest = Manifest { prologue: Some(prologue), ..Manifest::single(pair.public()) };
    Ok(open(None, OpenOptions::new().key_pair(pair).manifest(manifest)).await)
}

async fn move_a_session(world: &World) -> Result<()> {
    let draft = world.subject.session(SessionOptions::new().name("moves")).await?;
    let new = successor(world, &world.writer, 4).await?;
    new.copy_prologue(&world.writer).await?;
    world.pause().await;
    draft.move_to(&new, 4).await?;
    draft.append("there").await?;
    new.commit(&draft).await.map(drop)
}

async fn copy_a_prologue(world: &World) -> Result<()> {
    let new = successor(world, &world.writer, 4).await?;
    new.copy_prologue(&world.subject).await.map(drop)
}

async fn look_for_peers(world: &World) -> Result<()> {
    let looking = world.subject.finding_peers();
    let update = UpdateOptions::new().timeout(Some(PATIENCE / 3));
    let (updated, ()) = tokio::join!(world.subject.update_with(update), async {
        world.pause().await;
        drop(looking);
    });
    updated.map(drop)
}

/// One more peer comes and goes, at any moment of its handshake.
async fn connect_and_leave(world: &World) -> Result<()> {
    for _ in 0..3 {
        let peer = world.stranger().await;
        let [ours, theirs] = world.connect(&world.subject, &peer);
        world.pause().await;
        let stops = if world.below(2) == 0 { &ours } else { &theirs };
        stops.stop();
    }
    Ok(())
}

async fn recover(world: &World) -> Result<()> {
    world.subject.recover().await
}

async fn compact(world: &World) -> Result<()> {
    // the store is everybody's: once in a while is enough
    if world.storage.is_none() || world.below(10) == 0 { world.subject.compact().await } else { Ok(()) }
}

async fn close(world: &World) -> Result<()> {
    world.subject.close().await
}

async fn close_while_others_wait(world: &World) -> Result<()> {
    let waits = [BLOCKS * 5, BLOCKS * 6].map(|index| {
        let session = world.subject.clone();
        let forever = GetOptions::new().timeout(None);
        tokio::spawn(async move { session.get_with(index, forever).await })
    });
    let download = world.subject.download(..BLOCKS * 7);
    let download = tokio::spawn(download.done());
    world.pause().await;
    world.subject.close().await?;
    for wait in waits {
        let ended =
            tokio::time::timeout(Duration::from_secs(10), wait).await.expect("a get ends with its session");
        assert!(ended.expect("a get does not panic").is_err());
    }
    let ended = tokio::time::timeout(Duration::from_secs(10), download)
        .await
        .expect("a download ends with its session");
    assert!(ended.expect("a download does not panic").is_err());
    Ok(())
}

async fn purge(world: &World) -> Result<()> {
    world.subject.purge().await
}
