//! A peer that speaks the protocol, and says what it likes.

use std::time::Duration;

use hc_crypto::KeyPair;
use hc_protocol::wire::{Message, Range, Sync};
use hc_protocol::{ChannelId, Connection, Event, SecretStream};
use hypercore::{Hypercore, Replication, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// How many blocks a peer claims to have that claims more than there is.
pub(crate) const FAR_TOO_MANY: u64 = 1 << 40;

/// A peer with a core's channel open.
pub(crate) struct Liar {
    transport: DuplexStream,
    connection: Connection,
    channel: ChannelId,
    /// How long it waits for what comes.
    patience: Duration,
    /// The core's end of the connection.
    pub(crate) replication: Replication,
}

/// What a peer says of its log.
pub(crate) fn sync(fork: u64, length: u64, acked: u64) -> Message {
    Message::Sync(Sync {
        fork,
        length,
        remote_length: acked,
        can_upgrade: true,
        uploading: true,
        downloading: true,
        has_manifest: true,
        allow_push: false,
    })
}

/// Says that it has all blocks below a length.
pub(crate) fn has_all(length: u64) -> Message {
    Message::Range(Range { drop: false, start: 0, length })
}

impl Liar {
    /// Opens a core's channel, over a pipe that holds so many bytes.
    pub(crate) async fn open(core: &Hypercore, patience: Duration, pipe: usize) -> Self {
        let (here, there) = tokio::io::duplex(pipe);
        let replication = core.replicate(there, Role::Responder).unwrap();
        let pair = KeyPair::from_seed(&[7; 32]);
        let role = hc_protocol::Role::Initiator;
        let stream = SecretStream::new(role, &pair, [8; 32], [9; 24]).unwrap();
        let mut connection = Connection::new(stream);
        let mut transport = here;
        let is_handshake = |event: &Event| matches!(event, Event::Handshake { .. });
        while !turn(&mut connection, &mut transport, patience).await.iter().any(is_handshake) {}
        let channel = connection.open_channel(core.key()).unwrap();
        let is_opened = |event: &Event| matches!(event, Event::ChannelOpened { .. });
        while !turn(&mut connection, &mut transport, patience).await.iter().any(is_opened) {}
        Self { transport, connection, channel, patience, replication }
    }

    /// Sends what is queued, and takes what comes within a moment.
    pub(crate) async fn turn(&mut self) -> Vec<Event> {
        turn(&mut self.connection, &mut self.transport, self.patience).await
    }

    pub(crate) fn queues(&mut self, message: &Message) {
        self.connection.send(self.channel, message);
    }

    /// Sends what is queued as far as the other end takes it, and takes nothing itself.
    pub(crate) async fn sends_what_is_taken(&mut self) {
        while let Some(bytes) = self.connection.poll_transmit() {
            let _ = tokio::time::timeout(self.patience, self.transport.write_all(&bytes)).await;
        }
    }

    pub(crate) async fn says(&mut self, message: &Message) {
        self.connection.send(self.channel, message);
        self.turn().await;
    }
}

async fn turn(connection: &mut Connection, transport: &mut DuplexStream, patience: Duration) -> Vec<Event> {
    while let Some(bytes) = connection.poll_transmit() {
        // the other end may have left
        let _ = transport.write_all(&bytes).await;
    }
    let mut buffer = vec![0; 65_536];
    if let Ok(Ok(len @ 1..)) = tokio::time::timeout(patience, transport.read(&mut buffer)).await {
        connection.receive(&buffer[..len]);
    }
    std::iter::from_fn(|| connection.poll_event().unwrap()).collect()
}
