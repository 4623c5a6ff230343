//! A server on a port that anybody can reach.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use common::*;
use hc_crypto::{Key, KeyPair};
use hc_protocol::wire::{Cancel, Data, Message, Range, Request, Sync, Want};
use hc_protocol::{ChannelId, Connection, Event, Role, SecretStream};
use hc_tree::{BlockProof, BlockRequest};

struct Peer {
    socket: TcpStream,
    connection: Connection,
}

impl Peer {
    fn connect(address: &str) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let key = KeyPair::from_seed(&[7; 32]);
        let stream = SecretStream::new(Role::Initiator, &key, [8; 32], [9; 24]).unwrap();
        let mut peer = Self { socket, connection: Connection::new(stream) };
        assert!(peer.pump().iter().any(|event| matches!(event, Event::Handshake { .. })));
        peer
    }

    /// Sends and receives until nothing comes for a while.
    fn pump(&mut self) -> Vec<Event> {
        let (mut buffer, mut events) = (vec![0; 65_536], Vec::new());
        loop {
            events.extend(std::iter::from_fn(|| self.connection.poll_event().unwrap()));
            while let Some(bytes) = self.connection.poll_transmit() {
                // it may have closed already
                let _ = self.socket.write_all(&bytes);
            }
            match self.socket.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(len) => self.connection.receive(&buffer[..len]),
            }
        }
        events
    }

    fn open(address: &str, key: &Key) -> (Self, ChannelId) {
        let mut peer = Self::connect(address);
        let channel = peer.connection.open_channel(key).unwrap();
        peer.pump();
        (peer, channel)
    }
}

fn request(id: u64, index: u64) -> Message {
    Message::Request(Request { id, block: Some(BlockRequest { index, nodes: 0 }), ..Request::default() })
}

fn unasked() -> Message {
    let block = BlockProof { index: 1, value: vec![1; 1000].into(), nodes: vec![] };
    Message::Data(Data { request: 5, block: Some(block), ..Data::default() })
}

#[test]
fn q3_a_server_survives_whatever_is_sent_to_its_port() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let key = ok(&["create", text(&store)], "").trim().to_owned();
    ok(&["append", text(&store)], &"block\n".repeat(100));
    let (mut server, address) = Running::serve(&[text(&store)]);
    let core: Key = key.parse().unwrap();
    let mut clones = 0;
    let mut still_serves = |what: &str| {
        assert!(server.is_alive(), "{what}: {}", server.said());
        clones += 1;
        let copy = dir.path().join(format!("copy-{clones}"));
        ok(&["clone", &key, text(&copy), "--connect", &address, "--timeout", "10"], "");
    };
    let raw = |bytes: &[u8]| {
        let mut socket = TcpStream::connect(&address).unwrap();
        socket.write_all(bytes).unwrap();
        socket
    };
    let _garbage = raw(&[0xa5; 5000]);
    still_serves("random bytes");
    let _half = raw(&[32, 0, 0, 1, 2, 3]);
    still_serves("half a handshake");
    let _large = raw(&[255, 255, 255]);
    still_serves("a frame that is too large");
    let _wrong = Peer::open(&address, &Key::from([3; 32]));
    still_serves("a wrong key");
    let cases: [(&str, Vec<Message>); 6] = [
        ("unknown types", (10..200).map(|type_id| Message::Unknown { type_id }).collect()),
        // without a body, these are no messages
        ("malformed messages", vec![Message::Cancel(Cancel { request: 1 }), Message::Unknown { type_id: 0 }]),
        ("requests out of range", (0..64).map(|id| request(id + 1, 1 << 50)).collect()),
        ("huge wants", vec![Message::Want(Want { start: 0, length: (1 << 53) - 1, any: true }); 70]),
        ("huge ranges", vec![Message::Range(Range { drop: false, start: 0, length: (1 << 53) - 1 }); 70]),
        ("data that was not asked for, with no proof", vec![unasked(); 10]),
    ];
    for (what, messages) in cases {
        let (mut peer, channel) = Peer::open(&address, &core);
        messages.iter().for_each(|message| peer.connection.send(channel, message));
        peer.pump();
        still_serves(what);
    }
    let said = server.wait_for("malformed");
    for words in ["at most 1024", "malformed sync"] {
        assert!(said.contains(words), "no {words:?} in:\n{said}");
    }
}

#[test]
fn regression_a_log_is_appended_to_beside_a_peer_that_claims_more_than_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let key = ok(&["create", text(&store), "--name", "log"], "").trim().to_owned();
    let (mut server, address) = Running::serve(&[text(&store), "--append-stdin", "log"]);
    let (mut peer, channel) = Peer::open(&address, &key.parse().unwrap());
    let far_too_many = 1 << 40;
    let sync = Sync {
        fork: 0,
        length: far_too_many,
        remote_length: 0,
        can_upgrade: true,
        uploading: true,
        downloading: true,
        has_manifest: true,
        allow_push: false,
    };
    peer.connection.send(channel, &Message::Sync(sync));
    peer.connection.send(channel, &Message::Range(Range { drop: false, start: 0, length: far_too_many }));
    peer.pump();
    for round in 1..=5 {
        server.stdin.write_all(b"line\n".repeat(20).as_slice()).unwrap();
        server.stdin.flush().unwrap();
        // somebody else gets what was appended, and the peer hears of it
        let copy = dir.path().join(format!("copy-{round}"));
        wait_until("the lines are served", || {
            let args = ["clone", &key, text(&copy), "--connect", &address, "--timeout", "10"];
            run_with(&args, "").status.success()
                && ok(&["cat", text(&copy)], "").lines().count() == round * 20
        });
        peer.pump();
    }
    assert!(server.is_alive(), "{}", server.said());
    server.signal("TERM");
    let (code, said) = server.end();
    assert_eq!(code, Some(0), "{said}");
    // and the log can be changed after it
    ok(&["clear", text(&store), "0", "10"], "");
    ok(&["truncate", text(&store), "30"], "");
    ok(&["append", text(&store)], "last\n");
    assert!(ok(&["cat", text(&store), "--start", "10"], "").ends_with("last\n"));
    ok(&["verify", text(&store)], "");
}
