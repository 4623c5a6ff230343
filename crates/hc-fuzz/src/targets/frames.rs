//! Frames, the handshake, and the encrypted stream, each fed with what a peer may send.

use compact_encoding::put;
use hc_crypto::KeyPair;
use hc_protocol::{FinishedHandshake, Role, SecretStream};

use super::machine;
use crate::probe::Probe;
use crate::rng::Rng;
use crate::target::{Target, Verdict, class, described};

pub(super) fn targets() -> Vec<Target> {
    vec![
        machine("noise", &["hc-protocol Handshake::read"], handshakes, handshake),
        machine("frames", &[], framed, frames),
    ]
}

/// A stream at its beginning. Keys and seeds are always the same.
fn stream(role: Role) -> SecretStream {
    let n = if role == Role::Initiator { 1 } else { 2 };
    let stream = SecretStream::new(role, &KeyPair::from_seed(&[n; 32]), [n + 10; 32], [n; 24]);
    stream.expect("the parameters of the handshake are right")
}

/// A stream after a handshake, with the same keys at both ends. Its own header is still to be sent, the peer's to come.
pub(super) fn finished(role: Role) -> SecretStream {
    let (n, other) = if role == Role::Initiator { (1, 2) } else { (2, 1) };
    let public = |n: u8| KeyPair::from_seed(&[n; 32]).public();
    let finished = FinishedHandshake {
        role,
        send_key: [n; 32],
        receive_key: [other; 32],
        hash: [7; 64],
        public_key: public(n),
        remote_public_key: public(other),
    };
    SecretStream::from_handshake(finished, [n; 24])
}

/// Feeds bytes in pieces, and takes all frames that come out. Gives how many, and how it ended.
fn feed(stream: &mut SecretStream, bytes: &[u8], piece: usize) -> (usize, Option<u64>) {
    let mut frames = 0;
    for piece in bytes.chunks(piece) {
        stream.receive(piece);
        loop {
            match stream.poll_frame() {
                Ok(Some(_)) => frames += 1,
                Ok(None) => break,
                Err(violation) => return (frames, Some(described(&violation))),
            }
        }
    }
    (frames, None)
}

fn ended(stream: &SecretStream, ended: (usize, Option<u64>)) -> Verdict {
    match ended {
        (frames, Some(violation)) => Verdict::Refused(violation ^ frames.min(9) as u64),
        (frames, None) => Verdict::Accepted(class((frames.min(9), stream.handshake().is_some()))),
    }
}

/// The role, the size of the pieces, then what the peer sends.
fn handshake(probe: &mut Probe, input: &[u8]) -> Verdict {
    let Some(([role, piece], bytes)) = input.split_first_chunk::<2>() else { return Verdict::Refused(0) };
    let mut stream = stream(if role & 1 == 0 { Role::Responder } else { Role::Initiator });
    let end = probe.watch(|| feed(&mut stream, bytes, usize::from(*piece).max(1)));
    ended(&stream, end)
}

/// Whole handshakes of honest peers, up to the frame after.
fn handshakes(_: &mut Rng) -> Vec<Vec<u8>> {
    let (mut a, mut b) = (stream(Role::Initiator), stream(Role::Responder));
    let (mut to_a, mut to_b) = (vec![1, 255], vec![0, 255]);
    loop {
        let (from_a, from_b) = (a.poll_transmit(), b.poll_transmit());
        if from_a.is_none() && from_b.is_none() {
            break;
        }
        to_b.extend(from_a.iter().flatten());
        to_a.extend(from_b.iter().flatten());
        b.receive(&from_a.unwrap_or_default());
        a.receive(&from_b.unwrap_or_default());
        let _ = (a.poll_frame(), b.poll_frame());
    }
    vec![to_a, to_b, vec![0, 7], vec![1, 7]]
}

/// Bit 0: the peer's header came. Then the size of the pieces, then what the peer sends.
fn frames(probe: &mut Probe, input: &[u8]) -> Verdict {
    let Some(([stage, piece], bytes)) = input.split_first_chunk::<2>() else { return Verdict::Refused(0) };
    let mut stream = finished(Role::Responder);
    if stage & 1 == 1 {
        let header = finished(Role::Initiator).poll_transmit().unwrap_or_default();
        let _ = feed(&mut stream, &header, usize::MAX);
    }
    let end = probe.watch(|| feed(&mut stream, bytes, usize::from(*piece).max(1)));
    ended(&stream, end)
}

fn framed(rng: &mut Rng) -> Vec<Vec<u8>> {
    let mut peer = finished(Role::Initiator);
    let header = peer.poll_transmit().unwrap_or_default();
    // it takes our header, and only then sends frames
    let _ = feed(&mut peer, &finished(Role::Responder).poll_transmit().unwrap_or_default(), usize::MAX);
    let mut seeds = vec![[vec![0, 255], header.clone()].concat()];
    let mut sealed = Vec::new();
    for len in [0, 1, 100, 3_000, 70_000] {
        peer.send(&rng.bytes(len));
        sealed.extend(peer.poll_transmit().unwrap_or_default());
        seeds.push([vec![1, 255], sealed.clone()].concat());
        seeds.push([vec![0, 50], header.clone(), sealed.clone()].concat());
    }
    let mut claims = vec![1, 255];
    put::uint24(&mut claims, 0x00ff_ffff);
    seeds.push(claims);
    seeds
}
