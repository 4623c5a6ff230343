//! What an application does to a log while peers are connected to it: it ends, and the next call works.

mod common;

use std::time::Duration;

use common::{PLACES, Place, connect, ends, open_in, reader, until};
use hc_crypto::KeyPair;
use hc_protocol::wire::{Message, Range, Sync};
use hc_protocol::{ChannelId, Connection, Event as FromPeer, SecretStream};
use hypercore::{Hypercore, OpenOptions, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

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

#[test]
fn regression_a_writer_truncates_beside_a_complete_reader() {
    for place in PLACES {
        ends(move || async move {
            let (writer, _dir) = writer_in(place, 10).await;
            let _copy = complete_reader(&writer).await;
            writer.truncate(5).await.unwrap();
            assert_eq!((writer.length(), writer.fork()), (5, 1));
            assert_eq!(writer.append("next").await.unwrap().length, 6);
            assert_eq!(writer.get(5).await.unwrap(), "next");
        });
    }
}

/// Somebody who speaks the protocol, and says what it likes.
struct Liar {
    transport: DuplexStream,
    connection: Connection,
}

impl Liar {
    /// Opens a core's channel.
    async fn open(core: &Hypercore) -> (Self, ChannelId) {
        let (here, there) = tokio::io::duplex(1 << 20);
        core.replicate(there, Role::Responder).unwrap();
        let pair = KeyPair::from_seed(&[7; 32]);
        let role = hc_protocol::Role::Initiator;
        let stream = SecretStream::new(role, &pair, [8; 32], [9; 24]).unwrap();
        let mut liar = Self { transport: here, connection: Connection::new(stream) };
        while !liar.turn().await.iter().any(|event| matches!(event, FromPeer::Handshake { .. })) {}
        let channel = liar.connection.open_channel(core.key()).unwrap();
        while !liar.turn().await.iter().any(|event| matches!(event, FromPeer::ChannelOpened { .. })) {}
        (liar, channel)
    }

    /// Sends what is queued, and takes what comes within a moment.
    async fn turn(&mut self) -> Vec<FromPeer> {
        while let Some(bytes) = self.connection.poll_transmit() {
            self.transport.write_all(&bytes).await.unwrap();
        }
        let mut buffer = vec![0; 65_536];
        if let Ok(Ok(len @ 1..)) =
            tokio::time::timeout(Duration::from_millis(50), self.transport.read(&mut buffer)).await
        {
            self.connection.receive(&buffer[..len]);
        }
        std::iter::from_fn(|| self.connection.poll_event().unwrap()).collect()
    }

    async fn says(&mut self, channel: ChannelId, message: &Message) {
        self.connection.send(channel, message);
        self.turn().await;
    }
}

#[test]
fn regression_a_writer_goes_on_beside_a_peer_that_claims_more_than_there_is() {
    for place in PLACES {
        ends(move || async move {
            let (writer, _dir) = writer_in(place, 10).await;
            let (mut liar, channel) = Liar::open(&writer).await;
            let sync = Sync {
                fork: 0,
                length: 1 << 40,
                remote_length: 10,
                can_upgrade: true,
                uploading: true,
                downloading: true,
                has_manifest: true,
                allow_push: false,
            };
            liar.says(channel, &Message::Sync(sync)).await;
            let all = Range { drop: false, start: 0, length: 1 << 40 };
            liar.says(channel, &Message::Range(all)).await;
            for length in 11..=40 {
                assert_eq!(writer.append("more").await.unwrap().length, length);
                liar.turn().await;
            }
            assert_eq!(writer.append_batch(["a", "b"]).await.unwrap().length, 42);
            assert_eq!(writer.clear(0..5).await.unwrap(), 5);
            writer.truncate(20).await.unwrap();
            assert_eq!(writer.append("last").await.unwrap().length, 21);
            liar.turn().await;
            assert_eq!(writer.remote_contiguous_length(), 20);
        });
    }
}

#[test]
fn regression_a_reader_clears_in_the_middle_of_a_download() {
    for place in PLACES {
        ends(move || async move {
            let (writer, _dir) = writer_in(Place::Memory, 2000).await;
            let (copy, _copy_dir) = open_in(place, OpenOptions::new().key(*writer.key())).await;
            connect(&writer, &copy);
            copy.get(0).await.unwrap();
            let download = copy.download(..);
            for round in 0..20_u64 {
                let start = round * 100;
                copy.get(start + 50).await.unwrap();
                copy.clear(start..start + 60).await.unwrap();
                // what was cleared is fetched again when it is read
                assert_eq!(copy.get(start).await.unwrap(), start.to_string());
            }
            drop(download);
            copy.download(..2000).done().await.unwrap();
            assert_eq!(copy.contiguous_length(), 2000);
            assert_eq!(copy.tree_hash().await.unwrap(), writer.tree_hash().await.unwrap());
        });
    }
}
