//! Secret stream, channels and messages with a real Node peer over loopback, each end in both roles.
#![expect(clippy::print_stderr, reason = "says that a test was left out")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use hc_crypto::{Key, KeyPair};
use hc_protocol::wire::{Extension, Message};
use hc_protocol::{ChannelId, Connection, Event, Role, SecretStream};

const PATIENCE: Duration = Duration::from_secs(20);

/// Ends the process also where a test fails.
struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// `None` where the environment says that tests with Node may be left out.
fn script(test: &str) -> Option<PathBuf> {
    if std::env::var_os("HYPERCORE_SKIP_NODE").is_some_and(|value| value == "1") {
        eprintln!("{test}: LEFT OUT, since HYPERCORE_SKIP_NODE=1");
        return None;
    }
    let interop = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../interop");
    assert!(
        interop.join("node_modules/protomux/package.json").is_file(),
        "{test} needs Node's packages: run `npm ci` in interop/ (`cargo xtask ci` does), or leave such tests out with HYPERCORE_SKIP_NODE=1"
    );
    Some(interop.join("peers/secret_stream.mjs"))
}

fn node(script: &PathBuf, mode: &str, port: u16, key: &Key) -> Node {
    let child = Command::new("node")
        .arg(script)
        .args([mode, &port.to_string(), &hex::encode(key.as_bytes())])
        .stdout(Stdio::piped())
        .spawn();
    Node(child.expect("node can be started; HYPERCORE_SKIP_NODE=1 leaves this test out"))
}

/// Reads from the socket until an event fits, and sends what there is to send.
fn next(end: &mut Connection, socket: &mut TcpStream) -> Event {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let event = end.poll_event().unwrap();
        if let Some(bytes) = end.poll_transmit() {
            socket.write_all(&bytes).unwrap();
        }
        if let Some(event) = event {
            return event;
        }
        let read = socket.read(&mut buffer).expect("Node answers in time");
        assert!(read > 0, "Node closed the connection");
        end.receive(&buffer[..read]);
    }
}

fn opened(end: &mut Connection, socket: &mut TcpStream, key: &Key) -> ChannelId {
    let node_key = KeyPair::from_seed(&[5; 32]).public();
    let Event::Handshake { remote_public_key, .. } = next(end, socket) else { panic!("no handshake") };
    assert_eq!(remote_public_key, node_key);
    let ours = end.open_channel(key).unwrap();
    loop {
        match next(end, socket) {
            Event::ChannelRequested { discovery_key } => assert_eq!(discovery_key, key.discovery_key()),
            Event::ChannelOpened { channel, seeks } => {
                assert_eq!((channel, seeks), (ours, true));
                return ours;
            }
            other => panic!("{other:?}"),
        }
    }
}

fn talk(role: Role, mut socket: TcpStream, key: &Key, said: &mut impl Iterator<Item = String>) {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let stream = SecretStream::new(role, &KeyPair::from_seed(&[1; 32]), [2; 32], [3; 24]).unwrap();
    let mut end = Connection::new(stream);
    let channel = opened(&mut end, &mut socket, key);
    assert_eq!(said.next().unwrap(), "capability ok");
    end.keep_alive();
    // small ones leave as a batch, large ones alone
    let lengths = [0, 1, 252, 253, 1_000, 70_000, 1_000_000, 3, 5];
    let extension = |len: usize| Extension { name: "echo".into(), message: Bytes::from(vec![7; len]) };
    for len in lengths {
        end.send(channel, &Message::Extension(extension(len)));
    }
    for len in lengths {
        let Event::Message { message: Message::Extension(message), .. } = next(&mut end, &mut socket) else {
            panic!("no answer of {len} bytes")
        };
        assert_eq!(message, extension(len));
    }
    end.close_channel(channel);
    socket.write_all(&end.poll_transmit().unwrap()).unwrap();
    assert_eq!(said.next().unwrap(), "channel closed");
}

#[test]
fn q1_q8_q11_node_listens() {
    let Some(script) = script("q1_q8_q11_node_listens") else { return };
    let key = Key::from([9; 32]);
    let mut node = node(&script, "listen", 0, &key);
    let mut said = BufReader::new(node.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let port = said.next().unwrap().strip_prefix("port ").unwrap().parse::<u16>().unwrap();
    talk(Role::Initiator, TcpStream::connect(("127.0.0.1", port)).unwrap(), &key, &mut said);
}

#[test]
fn q1_q8_q11_node_connects() {
    let Some(script) = script("q1_q8_q11_node_connects") else { return };
    let key = Key::from([8; 32]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut node = node(&script, "connect", listener.local_addr().unwrap().port(), &key);
    let mut said = BufReader::new(node.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    talk(Role::Responder, listener.accept().unwrap().0, &key, &mut said);
}
