//! What a peer may try.

mod common;

use bytes::Bytes;
use common::*;
use compact_encoding::{Encode, put};
use hc_protocol::limits::{MAX_NAME, MAX_WAITING_BYTES, WAITING_MESSAGE_COST};
use hc_protocol::wire::{Bitfield, Cancel, Extension, Message, NoData, Range, Request, Sync, Want};
use hc_protocol::{Event, Role, Violation};
use hc_tree::{BlockRequest, HashRequest, SeekRequest, UpgradeRequest};
use proptest::prelude::*;

fn open(id: u64, protocol: &[u8], channel: &[u8]) -> Vec<u8> {
    let mut frame = vec![0, 1];
    put::uint(&mut frame, id);
    put::buffer(&mut frame, protocol);
    put::buffer(&mut frame, channel);
    frame.extend_from_slice(&[0; 33]);
    frame
}

fn open_core(id: u64, n: u8) -> Vec<u8> {
    open(id, b"hypercore/alpha", key(n).discovery_key().as_bytes())
}

#[test]
fn q3_garbage_in_the_handshake() {
    for len in [0u8, 1, 31, 32, 48, 96, 200] {
        let mut end = End::new(stream(Role::Responder));
        let frame = [vec![len, 0, 0], vec![0xa5; usize::from(len)]].concat();
        // 32 bytes and more are a key at first; then the second message is wrong
        let first = end.receive(&frame);
        let failed = first.is_err() || end.receive(&frame).is_err();
        assert!(failed, "{len} bytes");
        assert!(drain(&mut end).is_empty());
        assert_eq!(end.receive(&frame), Ok(()), "nothing is read any more");
    }
}

#[test]
fn q3_garbage_in_the_header_and_in_the_payload() {
    let (mut a, mut b) = (stream(Role::Initiator), End::new(stream(Role::Responder)));
    b.receive(&a.poll_transmit().unwrap()).unwrap();
    a.receive(&b.poll_transmit().unwrap());
    a.poll_frame().unwrap();
    let last = a.poll_transmit().unwrap();
    let header_at = last.len() - 56;
    for at in [header_at, header_at + 31] {
        let (mut a, mut b) = (stream(Role::Initiator), End::new(stream(Role::Responder)));
        b.receive(&a.poll_transmit().unwrap()).unwrap();
        a.receive(&b.poll_transmit().unwrap());
        a.poll_frame().unwrap();
        let mut bytes = a.poll_transmit().unwrap();
        bytes[at] ^= 1;
        assert_eq!(b.receive(&bytes), Err(Violation::StreamHeader));
        assert!(drain(&mut b).is_empty());
    }
    b.receive(&last).unwrap();
    assert_eq!(events(&mut b), ["handshake"]);
    assert_eq!(
        b.receive(&[20, 0, 0].iter().chain(&[1; 20]).copied().collect::<Vec<u8>>()),
        Err(Violation::Decrypt { number: 0 })
    );
    assert!(b.open_channel(&key(1)).is_err());
}

#[test]
fn q3_a_handshake_that_ends_early_gives_nothing() {
    let whole = stream(Role::Initiator).poll_transmit().unwrap();
    for len in 0..whole.len() {
        let mut end = End::new(stream(Role::Responder));
        end.receive(&whole[..len]).unwrap();
        assert!(drain(&mut end).is_empty());
        assert!(end.poll_transmit().is_none());
    }
}

#[test]
fn q4_large_frames_only_after_the_handshake() {
    let mut end = End::new(stream(Role::Responder));
    assert_eq!(end.receive(&[0, 4, 0]), Ok(()));
    let mut end = End::new(stream(Role::Responder));
    assert_eq!(end.receive(&[1, 4, 0]), Err(Violation::FrameTooLarge { len: 1025, max: 1024 }));
}

#[test]
fn q3_altered_replayed_and_reordered_frames() {
    let sealed = || {
        let (mut raw, end) = Raw::connect();
        raw.0.send(&[9, 1]);
        let first = raw.0.poll_transmit().unwrap();
        raw.0.send(&[9, 2]);
        (end, first, raw.0.poll_transmit().unwrap())
    };
    let (_, whole, _) = sealed();
    for at in 3..whole.len() {
        let (mut end, mut first, _) = sealed();
        first[at] ^= 0x10;
        assert_eq!(end.receive(&first), Err(Violation::Decrypt { number: 0 }), "byte {at}");
    }
    let (mut end, first, _) = sealed();
    end.receive(&first).unwrap();
    assert_eq!(end.receive(&first), Err(Violation::Decrypt { number: 1 }));
    let (mut end, _, second) = sealed();
    assert_eq!(end.receive(&second), Err(Violation::Decrypt { number: 0 }));
}

#[test]
fn q11_a_batch_within_a_batch_is_refused() {
    let (mut raw, mut end) = Raw::connect();
    // a batch on channel 0 of a message of two bytes: batch, channel 1
    assert_eq!(raw.send(&[0, 0, 0, 2, 0, 1], &mut end), Err(Violation::NestedBatch));
}

#[test]
fn a_batch_of_too_many_messages_is_refused() {
    // a batch for channel 1, which nobody has opened, of messages of one byte
    let batch = |messages: usize| [[0, 0, 1].as_slice(), &[1, 50].repeat(messages)].concat();
    let (mut raw, mut end) = Raw::connect();
    raw.send(&batch(65_536), &mut end).unwrap();
    assert_eq!(raw.send(&batch(65_537), &mut end), Err(Violation::BatchTooLong { max: 65_536 }));
}

#[test]
fn q8_channel_ids_are_free_ones_or_the_next() {
    for id in [2, 3, 65_536, (1 << 53) - 1] {
        let (mut raw, mut end) = Raw::connect();
        assert_eq!(raw.send(&open_core(id, 1), &mut end), Err(Violation::ChannelId { id }));
    }
    let (mut raw, mut end) = Raw::connect();
    raw.send(&open_core(1, 1), &mut end).unwrap();
    assert_eq!(raw.send(&open_core(1, 2), &mut end), Err(Violation::ChannelId { id: 1 }));
}

#[test]
fn q8_a_refusal_of_nothing() {
    for id in [0, 1, 7] {
        let (mut raw, mut end) = Raw::connect();
        assert_eq!(raw.send(&[0, 2, id], &mut end), Err(Violation::Reject { id: u64::from(id) }));
    }
    // closing what is not open is ignored, as in Node
    let (mut raw, mut end) = Raw::connect();
    raw.send(&[0, 3, 9], &mut end).unwrap();
}

#[test]
fn q8_names_are_bounded() {
    let (mut raw, mut end) = Raw::connect();
    raw.send(&open(1, &[b'x'; 256], &[1; 64]), &mut end).unwrap();
    // no protocol that is known here
    assert_eq!(raw.frames(&mut end), [Bytes::from_static(&[0, 2, 1])]);
    let too_long = Violation::NameTooLong { len: 257, max: 256 };
    assert_eq!(raw.send(&open(1, &[b'x'; 257], &[1; 64]), &mut end), Err(too_long));
    let (mut raw, mut end) = Raw::connect();
    let too_long = Violation::NameTooLong { len: 65, max: 64 };
    assert_eq!(raw.send(&open(1, b"hypercore/alpha", &[1; 65]), &mut end), Err(too_long));
}

#[test]
fn q9_what_may_wait_for_the_accept_is_bounded() {
    let pending = |count: usize, len: usize| {
        let (mut raw, mut end) = Raw::connect();
        raw.send(&open_core(1, 1), &mut end).unwrap();
        let mut frame = vec![1, 10];
        frame.resize(2 + len, 0);
        (0..count).for_each(|_| raw.send(&frame, &mut end).unwrap());
        raw.frames(&mut end)
    };
    let rejected = [Bytes::from_static(&[0, 2, 1])];
    assert!(pending(1, 65_536).is_empty());
    assert_eq!(pending(1, 65_537), rejected);
    assert!(pending(1024, 64).is_empty());
    assert!(pending(1024, 0).is_empty());
    assert_eq!(pending(1025, 0), rejected);
}

#[test]
fn q9_what_waits_for_all_channels_together_is_bounded() {
    let over = Err(Violation::TooMuchWaiting { max: MAX_WAITING_BYTES });
    // the name and the handshake of each opening, and a message that fills up what a channel may keep
    let (opening, message) = (15 + 32 + 33, 65_536 + WAITING_MESSAGE_COST);
    let full = MAX_WAITING_BYTES / (opening + message);
    let rest = MAX_WAITING_BYTES % (opening + message) - opening - WAITING_MESSAGE_COST;
    let fill = |raw: &mut Raw, end: &mut End, last: usize| {
        let lengths = std::iter::repeat_n(65_536, full).chain([last]);
        (1..).zip(lengths).try_for_each(|(id, len)| {
            raw.send(&open_core(u64::from(id), id), end)?;
            let mut frame = vec![id, 10];
            frame.resize(2 + len, 0);
            raw.send(&frame, end)
        })
    };
    let (mut raw, mut end) = Raw::connect();
    assert_eq!(fill(&mut raw, &mut end, rest + 1), over);
    // what was refused, closed or accepted counts no longer
    let (mut raw, mut end) = Raw::connect();
    fill(&mut raw, &mut end, rest).unwrap();
    (1..=u8::try_from(full + 1).unwrap()).for_each(|n| end.reject(&key(n).discovery_key()));
    raw.frames(&mut end);
    fill(&mut raw, &mut end, rest).unwrap();
    (1..=u8::try_from(full + 1).unwrap()).for_each(|id| raw.send(&[0, 3, id], &mut end).unwrap());
    raw.frames(&mut end);
    fill(&mut raw, &mut end, rest).unwrap();
    // a handshake counts
    let mut large = open_core(200, 200);
    large.resize(MAX_WAITING_BYTES + 100, 0);
    let (mut raw, mut end) = Raw::connect();
    large[2] = 1;
    assert_eq!(raw.send(&large, &mut end), over);
}

#[test]
fn q8_channels_are_bounded() {
    let (mut raw, mut end) = Raw::connect();
    for id in 1..=65_536u64 {
        let mut name = vec![0; 32];
        name[..8].copy_from_slice(&id.to_le_bytes());
        raw.send(&open(id, b"hypercore/alpha", &name), &mut end).unwrap();
    }
    let over = raw.send(&open(65_537, b"hypercore/alpha", &[9; 32]), &mut end);
    assert_eq!(over, Err(Violation::TooManyChannels { max: 65_536 }));
}

fn uint() -> impl Strategy<Value = u64> {
    prop_oneof![0..300u64, 0..1u64 << 53, Just((1 << 53) - 1)]
}

fn pair_of() -> impl Strategy<Value = Option<(u64, u64)>> {
    proptest::option::of((uint(), uint()))
}

fn request() -> impl Strategy<Value = Message> {
    (uint(), uint(), pair_of(), pair_of(), pair_of(), pair_of(), any::<bool>(), uint()).prop_map(
        |(id, fork, block, hash, seek, upgrade, manifest, priority)| {
            Message::Request(Request {
                id,
                fork,
                block: block.map(|(index, nodes)| BlockRequest { index, nodes }),
                hash: hash.map(|(index, nodes)| HashRequest { index, nodes }),
                seek: seek.map(|(bytes, padding)| SeekRequest { bytes, padding }),
                upgrade: upgrade.map(|(start, length)| UpgradeRequest { start, length }),
                manifest,
                priority,
            })
        },
    )
}

fn any_message() -> impl Strategy<Value = Message> {
    let sync =
        (uint(), uint(), uint(), any::<[bool; 5]>()).prop_map(|(fork, length, remote_length, bits)| {
            let [can_upgrade, uploading, downloading, has_manifest, allow_push] = bits;
            Message::Sync(Sync {
                fork,
                length,
                remote_length,
                can_upgrade,
                uploading,
                downloading,
                has_manifest,
                allow_push,
            })
        });
    let want =
        || (uint(), uint(), any::<bool>()).prop_map(|(start, length, any)| Want { start, length, any });
    let bitfield = (uint(), proptest::collection::vec(any::<u32>(), 0..50))
        .prop_map(|(start, bitfield)| Message::Bitfield(Bitfield { start, bitfield }));
    let range = (any::<bool>(), uint(), uint())
        .prop_map(|(drop, start, length)| Message::Range(Range { drop, start, length }));
    let extension = (".{0,20}", proptest::collection::vec(any::<u8>(), 0..50))
        .prop_map(|(name, message)| Message::Extension(Extension { name, message: message.into() }));
    prop_oneof![
        sync,
        request(),
        uint().prop_map(message),
        (uint(), uint()).prop_map(|(request, reason)| Message::NoData(NoData { request, reason })),
        want().prop_map(Message::Want),
        want().prop_map(Message::Unwant),
        bitfield,
        range,
        extension,
    ]
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..6)) {
        for role in [Role::Initiator, Role::Responder] {
            let mut end = End::new(stream(role));
            for piece in &pieces {
                let _ = end.receive(piece);
            }
            prop_assert!(drain(&mut end).is_empty());
        }
    }

    #[test]
    fn arbitrary_frames_never_panic(frames in proptest::collection::vec(proptest::collection::vec(prop_oneof![0..4u8, any::<u8>()], 1..40), 0..12)) {
        let (mut raw, mut end) = Raw::connect();
        end.open_channel(&key(1)).unwrap();
        raw.send(&open_core(1, 2), &mut end).unwrap();
        for frame in frames {
            if raw.send(&frame, &mut end).is_err() {
                break;
            }
            for event in drain(&mut end) {
                if let Event::ChannelRequested { discovery_key } = event {
                    end.reject(&discovery_key);
                }
            }
            let _ = end.poll_transmit();
        }
    }

    #[test]
    fn decoding_is_total(type_id in 0..12u64, body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let body = Bytes::from(body);
        if let Ok(message) = Message::decode(type_id, &body) {
            // what is not UTF-8 in a name was replaced, which takes more bytes
            let grown = matches!(&message, Message::Extension(extension) if extension.name.len() > MAX_NAME);
            prop_assume!(!grown);
            let again = Message::decode(type_id, &message.to_vec().into()).unwrap();
            prop_assert_eq!(again, message);
        }
    }

    #[test]
    fn what_is_encoded_is_decoded(message in any_message()) {
        let bytes = message.to_vec();
        prop_assert_eq!(bytes.len(), message.encoded_len());
        prop_assert_eq!(Message::decode(message.type_id(), &bytes.into()), Ok(message));
    }
}

#[test]
fn q12_a_malformed_message_says_which() {
    let (mut a, mut b, at_a, _) = pair_with_channel();
    a.send(at_a, &Message::Cancel(Cancel { request: 1 }));
    settle(&mut a, &mut b);
    for type_id in 0..10 {
        let violation = Message::decode(type_id, &Bytes::new());
        assert!(matches!(violation, Err(Violation::Message { .. })), "type {type_id}");
    }
}
