//! Two connections joined in memory.

mod common;

use bytes::Bytes;
use common::*;
use hc_protocol::wire::{Data, Extension, Message};
use hc_protocol::{ChannelId, Connection, Event, FinishedHandshake, Role, SecretStream, Violation};
use hc_tree::BlockProof;

fn data(len: usize) -> Message {
    let block = BlockProof { index: 3, value: Bytes::from(vec![7; len]), nodes: vec![] };
    Message::Data(Data { request: 1, block: Some(block), ..Data::default() })
}

#[test]
fn q1_both_ends_learn_each_others_key_and_one_hash() {
    let (mut a, mut b) = (End::new(stream(Role::Initiator)), End::new(stream(Role::Responder)));
    settle(&mut a, &mut b);
    let (a, b) = (drain(&mut a), drain(&mut b));
    let [Event::Handshake { public_key: a, remote_public_key: at_a, hash: hash_a }] = a.as_slice() else {
        panic!("{a:?}")
    };
    let [Event::Handshake { public_key: b, remote_public_key: at_b, hash: hash_b }] = b.as_slice() else {
        panic!("{b:?}")
    };
    assert_eq!((a, b, hash_a), (at_b, at_a, hash_b));
}

#[test]
fn q2_bytes_may_be_cut_anywhere() {
    for piece in (1..140).chain([1000]) {
        let (mut a, mut b) = (End::new(stream(Role::Initiator)), End::new(stream(Role::Responder)));
        settle_in(&mut a, &mut b, piece);
        let at_a = a.open_channel(&key(1)).unwrap();
        let at_b = b.open_channel(&key(1)).unwrap();
        a.send(at_a, &message(5));
        b.send(at_b, &message(6));
        b.send(at_b, &message(7));
        settle_in(&mut a, &mut b, piece);
        assert_eq!(events(&mut a), ["handshake", "opened", "6", "7"], "pieces of {piece}");
        assert_eq!(events(&mut b), ["handshake", "opened", "5"], "pieces of {piece}");
    }
}

#[test]
fn q8_either_side_opens_first_and_closes() {
    for first_closes in [true, false] {
        let (mut a, mut b) = pair();
        if first_closes {
            std::mem::swap(&mut a, &mut b);
        }
        let at_a = a.open_channel(&key(1)).unwrap();
        settle(&mut a, &mut b);
        let asked = drain(&mut b);
        assert!(
            matches!(asked.as_slice(), [Event::ChannelRequested { discovery_key }] if *discovery_key == key(1).discovery_key())
        );
        assert!(events(&mut a).is_empty());
        let at_b = b.open_channel(&key(1)).unwrap();
        settle(&mut a, &mut b);
        assert_eq!((events(&mut a), events(&mut b)), (vec!["opened".into()], vec!["opened".into()]));
        if first_closes {
            a.close_channel(at_a);
            settle(&mut a, &mut b);
            assert_eq!((events(&mut a), events(&mut b)), (vec![], vec!["closed".into()]));
        } else {
            b.close_channel(at_b);
            settle(&mut a, &mut b);
            assert_eq!((events(&mut a), events(&mut b)), (vec!["closed".into()], vec![]));
        }
        // and again
        join(&mut a, &mut b, 1);
    }
}

#[test]
fn q8_a_refused_channel_is_closed_and_can_be_asked_for_again() {
    let (mut a, mut b) = pair();
    for _ in 0..3 {
        a.open_channel(&key(1)).unwrap();
        settle(&mut a, &mut b);
        assert_eq!(events(&mut b), ["requested"]);
        b.reject(&key(1).discovery_key());
        settle(&mut a, &mut b);
        assert_eq!(events(&mut a), ["closed"]);
    }
    join(&mut a, &mut b, 1);
}

#[test]
fn q8_a_channel_that_is_closed_before_the_answer_can_be_opened_again() {
    let (mut a, mut b) = pair();
    let first = a.open_channel(&key(1)).unwrap();
    a.close_channel(first);
    settle(&mut a, &mut b);
    let second = a.open_channel(&key(1)).unwrap();
    settle(&mut a, &mut b);
    drain(&mut b);
    let at_b = b.open_channel(&key(1)).unwrap();
    settle(&mut a, &mut b);
    assert_eq!((events(&mut a), events(&mut b)), (vec!["opened".into()], vec!["opened".into()]));
    a.send(second, &message(1));
    b.send(at_b, &message(2));
    settle(&mut a, &mut b);
    assert_eq!((events(&mut a), events(&mut b)), (vec!["2".into()], vec!["1".into()]));
}

#[test]
fn q8_an_id_is_used_again_only_after_both_let_go() {
    let (mut raw, mut end) = Raw::connect();
    let open = |end: &mut End, n| end.open_channel(&key(n)).unwrap();
    // a frame of control, an open, and the id
    let id_of_open = |frames: &[Bytes]| frames.last().map(|frame| (frame[1], frame[2]));
    let first = open(&mut end, 1);
    assert_eq!(id_of_open(&raw.frames(&mut end)), Some((1, 1)));
    end.close_channel(first);
    assert_eq!(raw.frames(&mut end), [Bytes::from_static(&[0, 3, 1])]);
    // the other end has not answered, so that number 1 is still taken
    open(&mut end, 2);
    assert_eq!(id_of_open(&raw.frames(&mut end)), Some((1, 2)));
    raw.send(&[0, 2, 1], &mut end).unwrap();
    open(&mut end, 3);
    assert_eq!(id_of_open(&raw.frames(&mut end)), Some((1, 1)));
}

#[test]
fn q9_messages_before_the_accept_are_kept_in_order() {
    let (mut a, mut b) = pair();
    let at_a = a.open_channel(&key(1)).unwrap();
    (0..500).for_each(|n| a.send(at_a, &message(n)));
    settle(&mut a, &mut b);
    assert_eq!(events(&mut b), ["requested"]);
    b.open_channel(&key(1)).unwrap();
    (500..600).for_each(|n| a.send(at_a, &message(n)));
    settle(&mut a, &mut b);
    let expected: Vec<String> =
        std::iter::once("opened".into()).chain((0..600).map(|n| n.to_string())).collect();
    assert_eq!(events(&mut b), expected);
}

#[test]
fn q11_a_batch_mixes_channels() {
    let (mut a, mut b) = pair();
    let channels: Vec<(ChannelId, ChannelId)> = (1..=3).map(|n| join(&mut a, &mut b, n)).collect();
    for n in 0..30u64 {
        a.send(channels[usize::try_from(n / 2 % 3).unwrap()].0, &message(n));
    }
    settle(&mut a, &mut b);
    for (n, event) in (0..30u64).zip(drain(&mut b)) {
        let Event::Message { channel, message: got } = event else { panic!() };
        assert_eq!((channel, got), (channels[usize::try_from(n / 2 % 3).unwrap()].1, message(n)));
    }
}

#[test]
fn q12_unknown_types_and_closed_channels_are_ignored() {
    let (mut a, mut b, at_a, at_b) = pair_with_channel();
    a.send(at_a, &Message::Unknown { type_id: 10 });
    a.send(at_a, &Message::Unknown { type_id: 1 << 40 });
    a.send(at_a, &message(1));
    settle(&mut a, &mut b);
    assert_eq!(events(&mut b), ["1"]);
    // messages that cross the close
    b.close_channel(at_b);
    a.send(at_a, &message(2));
    settle(&mut a, &mut b);
    assert!(events(&mut b).is_empty());
    assert_eq!(events(&mut a), ["closed"]);
    a.send(at_a, &message(3));
    assert!(a.poll_transmit().is_none());
}

#[test]
fn q4_a_block_of_15_mib_arrives() {
    let (mut a, mut b, at_a, _) = pair_with_channel();
    let block = data(15 << 20);
    a.send(at_a, &block);
    a.send(at_a, &message(1));
    settle_in(&mut a, &mut b, 65_536);
    let got = drain(&mut b);
    assert!(matches!(&got[0], Event::Message { message, .. } if *message == block));
    assert_eq!(got.len(), 2);
}

#[test]
fn q4_the_largest_frame_has_16_777_215_bytes() {
    let (mut raw, mut end) = Raw::connect();
    assert!(!raw.0.send(&vec![0; 16_777_215 - 16]), "one byte too long");
    assert!(raw.0.poll_transmit().is_none());
    let mut largest = vec![0; 16_777_215 - 17];
    largest[0] = 9; // a channel that is not open
    assert!(raw.0.send(&largest));
    let bytes = raw.0.poll_transmit().unwrap();
    assert_eq!((bytes.len(), &bytes[..3]), (3 + 16_777_215, [255; 3].as_slice()));
    end.receive(&bytes).unwrap();
    raw.send(&[9, 0], &mut end).unwrap();
}

#[test]
fn q5_keep_alives_are_swallowed() {
    let (mut a, mut b, at_a, _) = pair_with_channel();
    a.keep_alive();
    a.keep_alive();
    a.send(at_a, &message(1));
    let sent = a.poll_transmit().unwrap();
    assert!(sent.len() > 2 * 20);
    b.receive(&sent).unwrap();
    assert_eq!(events(&mut b), ["1"]);
}

#[test]
fn i4_whoever_does_not_know_the_key_is_sent_away() {
    let (mut raw, mut end) = Raw::connect();
    end.open_channel(&key(1)).unwrap();
    raw.frames(&mut end);
    let mut open = vec![0, 1, 1, 15];
    open.extend_from_slice(b"hypercore/alpha");
    open.push(32);
    open.extend_from_slice(key(1).discovery_key().as_bytes());
    open.push(1);
    open.extend_from_slice(&[9; 32]);
    assert_eq!(raw.send(&open, &mut end), Err(Violation::Capability));
    assert!(events(&mut end).is_empty());
    assert!(raw.frames(&mut end).is_empty(), "nothing else was sent");
    assert!(end.open_channel(&key(2)).is_err());
}

#[test]
fn q1_a_handshake_that_was_done_elsewhere() {
    let end = |role, keys: [u8; 2], public: [u8; 2]| {
        let public_key = |n| hc_crypto::KeyPair::from_seed(&[n; 32]).public();
        let finished = FinishedHandshake {
            role,
            send_key: [keys[0]; 32],
            receive_key: [keys[1]; 32],
            hash: [7; 64],
            public_key: public_key(public[0]),
            remote_public_key: public_key(public[1]),
        };
        End::new(SecretStream::from_handshake(finished, [keys[0]; 24]))
    };
    let mut a = end(Role::Initiator, [1, 2], [1, 2]);
    let mut b = end(Role::Responder, [2, 1], [2, 1]);
    settle_in(&mut a, &mut b, 7);
    assert_eq!((events(&mut a), events(&mut b)), (vec!["handshake".into()], vec!["handshake".into()]));
    let (at_a, _) = join(&mut a, &mut b, 1);
    let extension = Extension { name: "x".into(), message: Bytes::from_static(b"y") };
    a.send(at_a, &Message::Extension(extension));
    settle(&mut a, &mut b);
    assert_eq!(events(&mut b), ["type 9"]);
    // both think they listened: the ids of the streams give it away
    let (mut a, mut b) = (end(Role::Responder, [1, 2], [1, 2]), end(Role::Responder, [2, 1], [2, 1]));
    assert_eq!(b.receive(&a.poll_transmit().unwrap()), Err(Violation::StreamHeader));
}

/// A measurement, short where nobody asked for it:
/// `cargo test --release -p hc-protocol --test pair throughput -- --nocapture`.
#[test]
fn throughput_of_1_kib_data_messages() {
    let (mut a, mut b, at_a, _) = pair_with_channel();
    let (message, count) = (data(1024), if cfg!(debug_assertions) { 2_000 } else { 400_000u32 });
    let begin = std::time::Instant::now();
    for n in 0..count {
        a.send(at_a, &message);
        if n % 64 == 63 {
            let receiver: &mut Connection = &mut b;
            receiver.receive(&a.poll_transmit().unwrap());
            while receiver.poll_event().unwrap().is_some() {}
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    let rate = f64::from(count) / seconds;
    eprintln!("{rate:.0} messages/s, {:.0} MiB/s", rate / 1024.0);
}
