//! Two cores over a byte stream.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use hc_protocol::SecretStream;
use hypercore::{Event, GetOptions, Hypercore, Replication, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

async fn filled(blocks: u64) -> Hypercore {
    let core = Hypercore::memory().await.unwrap();
    core.append_batch((0..blocks).map(|i| format!("block {i}"))).await.unwrap();
    core
}

async fn reader(of: &Hypercore) -> Hypercore {
    Hypercore::builder().key(*of.key()).timeout(Some(Duration::from_secs(20))).memory().await.unwrap()
}

fn connect(a: &Hypercore, b: &Hypercore) -> (Replication, Replication) {
    let (here, there) = tokio::io::duplex(64 * 1024);
    (a.replicate(here, Role::Responder).unwrap(), b.replicate(there, Role::Initiator).unwrap())
}

#[tokio::test]
async fn j1_a_sparse_reader_gets_what_it_asks_for_and_hands_it_on() {
    let writer = filled(1000).await;
    let (first, second) = (reader(&writer).await, reader(&writer).await);
    let (ours, _theirs) = connect(&writer, &first);
    assert_eq!(first.get(777).await.unwrap(), "block 777");
    assert!(first.has(777).await.unwrap() && !first.has(776).await.unwrap());
    ours.stop();
    connect(&first, &second);
    assert_eq!(second.get(777).await.unwrap(), "block 777");
}

#[tokio::test]
async fn s2_a_full_download_brings_every_byte() {
    let writer = filled(5000).await;
    let copy = reader(&writer).await;
    connect(&writer, &copy);
    copy.get(0).await.unwrap();
    copy.download(..writer.length()).done().await.unwrap();
    assert_eq!(copy.contiguous_length(), 5000);
    let ours: Vec<_> = writer.read_stream(..).try_collect().await.unwrap();
    let theirs: Vec<_> = copy.read_stream(..).try_collect().await.unwrap();
    assert_eq!(ours, theirs);
    assert_eq!(copy.tree_hash().await.unwrap(), writer.tree_hash().await.unwrap());
}

#[tokio::test]
async fn s5_a_reader_follows_a_writer_live() {
    let writer = filled(3).await;
    let copy = reader(&writer).await;
    connect(&writer, &copy);
    let mut blocks = copy.read_stream(..).live(true);
    for i in 0..3 {
        assert_eq!(blocks.next().await.unwrap().unwrap(), format!("block {i}"));
    }
    for i in 3..50 {
        writer.append(format!("block {i}")).await.unwrap();
        assert_eq!(blocks.next().await.unwrap().unwrap(), format!("block {i}"));
    }
}

#[tokio::test]
async fn j11_update_learns_the_length() {
    let writer = filled(7).await;
    let copy = reader(&writer).await;
    assert!(!copy.update().await.unwrap(), "without peers there is nothing to learn");
    let finding = copy.finding_peers();
    connect(&writer, &copy);
    assert!(copy.update().await.unwrap());
    assert_eq!(copy.length(), 7);
    drop(finding);
    writer.append("more").await.unwrap();
    while copy.length() < 8 {
        copy.update().await.unwrap();
    }
}

#[tokio::test]
async fn j20_i9_events_tell_what_happens() {
    let writer = filled(2).await;
    let copy = reader(&writer).await;
    let mut events = copy.events();
    let (ours, _) = connect(&writer, &copy);
    copy.get(1).await.unwrap();
    ours.stop();
    let mut seen = Vec::new();
    while let Some(event) = events.next().await {
        let last = matches!(event, Event::PeerRemove { .. });
        seen.push(event);
        if last {
            break;
        }
    }
    assert!(matches!(seen.first(), Some(Event::PeerAdd { .. })), "{seen:?}");
    assert!(seen.contains(&Event::Append { length: 2, byte_length: 14 }), "{seen:?}");
    assert!(
        seen.iter().any(|event| matches!(event, Event::Download { index: 1, byte_length: 7, .. })),
        "{seen:?}"
    );
}

#[tokio::test]
async fn i6_a_get_survives_a_cut_and_goes_on_over_the_next_connection() {
    let writer = filled(10).await;
    let copy = reader(&writer).await;
    let waiting = copy.clone();
    let get = tokio::spawn(async move { waiting.get(4).await });
    let (here, there) = tokio::io::duplex(64);
    copy.replicate(here, Role::Initiator).unwrap();
    drop(there);
    tokio::time::sleep(Duration::from_millis(20)).await;
    connect(&writer, &copy);
    assert_eq!(get.await.unwrap().unwrap(), "block 4");
}

#[tokio::test]
async fn i4_a_peer_with_another_key_gets_nothing() {
    let writer = filled(10).await;
    let stranger = reader(&filled(1).await).await;
    connect(&writer, &stranger);
    let options = GetOptions::new().timeout(Some(Duration::from_millis(200)));
    assert_eq!(stranger.get_with(0, options).await.unwrap_err().code(), "REQUEST_TIMEOUT");
}

#[tokio::test(flavor = "multi_thread")]
async fn s7_two_sources_share_a_download() {
    let writer = filled(4000).await;
    let (one, two) = (reader(&writer).await, reader(&writer).await);
    connect(&writer, &one);
    one.get(0).await.unwrap();
    one.download(..4000).done().await.unwrap();
    connect(&writer, &two);
    connect(&one, &two);
    two.get(0).await.unwrap();
    two.download(..4000).done().await.unwrap();
    assert_eq!(two.contiguous_length(), 4000);
}

/// A peer on the other end of a byte stream that writes whatever it likes.
struct RawPeer {
    stream: SecretStream,
    transport: DuplexStream,
}

impl RawPeer {
    async fn connect(to: &Hypercore) -> (Self, Replication) {
        let (here, mut transport) = tokio::io::duplex(64 * 1024);
        let connection = to.replicate(here, Role::Responder).unwrap();
        let pair = hypercore::KeyPair::from_seed(&[7; 32]);
        let mut stream = SecretStream::new(hc_protocol::Role::Initiator, &pair, [8; 32], [9; 24]).unwrap();
        while stream.handshake().is_none() {
            if let Some(bytes) = stream.poll_transmit() {
                transport.write_all(&bytes).await.unwrap();
            }
            let mut bytes = vec![0; 4096];
            let len = transport.read(&mut bytes).await.unwrap();
            stream.receive(&bytes[..len]);
            let _ = stream.poll_frame().unwrap();
        }
        (Self { stream, transport }, connection)
    }

    /// Sends a frame; false if nobody takes it any more.
    async fn send(&mut self, frame: &[u8]) -> bool {
        self.stream.send(frame);
        let bytes = self.stream.poll_transmit().unwrap();
        self.transport.write_all(&bytes).await.is_ok()
    }
}

#[tokio::test]
async fn regression_a_peer_that_lets_refusals_pile_up_is_closed() {
    let core = filled(1).await;
    let (mut peer, connection) = RawPeer::connect(&core).await;
    // a batch that opens channel 0, which is none, of a protocol that nobody speaks: each is refused
    let open = [5_u8, 1, 0, 1, b'x', 0];
    let frame = [[0, 0, 0].as_slice(), &open.repeat(60_000)].concat();
    let mut sent = 0;
    while sent < 200 && peer.send(&frame).await {
        sent += 1;
    }
    assert!((40..200).contains(&sent), "{sent} frames");
    let why = connection.closed().await.unwrap_err().to_string();
    assert!(why.contains("unread"), "{why}");
}

#[tokio::test]
async fn regression_large_blocks_do_not_end_the_connection_that_they_are_sent_on() {
    // together far more than may wait to be sent, all asked for at once, on one thread
    let core = Hypercore::memory().await.unwrap();
    core.append_batch((0..80_u8).map(|i| vec![i; 600_000])).await.unwrap();
    let copy = reader(&core).await;
    let (ours, theirs) = connect(&core, &copy);
    copy.get(0).await.unwrap();
    let all = copy.download(..core.length()).done();
    tokio::time::timeout(Duration::from_secs(60), all).await.unwrap().unwrap();
    assert!(!ours.is_closed() && !theirs.is_closed());
    assert_eq!(copy.contiguous_length(), 80);
}

#[tokio::test]
async fn regression_a_core_that_is_attached_before_the_handshake_is_replicated() {
    let (one, other) = (filled(2).await, filled(3).await);
    let (copy, other_copy) = (reader(&one).await, reader(&other).await);
    let (ours, theirs) = connect(&one, &copy);
    ours.attach(&other).await.unwrap();
    theirs.attach(&other_copy).await.unwrap();
    assert_eq!(other_copy.get(2).await.unwrap(), "block 2");
    assert_eq!(copy.get(1).await.unwrap(), "block 1");
    other.close().await.unwrap();
    assert_eq!(ours.attach(&other).await.unwrap_err().code(), "SESSION_CLOSED");
}
