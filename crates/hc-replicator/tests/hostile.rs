//! Whatever a peer sends: no panic, bounded memory, and other peers are served as if nothing had happened.

mod world;

use bytes::Bytes;
use hc_replicator::wire::{self, Message};
use hc_replicator::{Event, Input, Outcome, PeerId, Violation, Want, limits};
use hc_tree::{BlockProof, BlockRequest, UpgradeProof, UpgradeRequest};
use proptest::prelude::*;
use world::{World, bytes_of};

fn number() -> impl Strategy<Value = u64> {
    let edges = vec![
        0,
        1,
        2,
        31,
        32,
        33,
        255,
        256,
        1 << 21,
        (1 << 21) + 1,
        1 << 40,
        1 << 53,
        (1 << 53) - 1,
        u64::MAX,
    ];
    prop_oneof![4 => 0..600_u64, 2 => proptest::sample::select(edges), 1 => any::<u64>()]
}

fn small() -> impl Strategy<Value = u64> {
    prop_oneof![5 => 0..40_u64, 1 => number()]
}

fn request() -> impl Strategy<Value = Message> {
    let block = proptest::option::of((number(), number()));
    let upgrade = proptest::option::of((number(), number()));
    (small(), 0..2_u64, block, upgrade, any::<bool>(), 0..2_u64).prop_map(
        |(id, fork, block, upgrade, manifest, priority)| {
            let block = block.map(|(index, nodes)| BlockRequest { index, nodes });
            let upgrade = upgrade.map(|(start, length)| UpgradeRequest { start, length });
            Message::Request(wire::Request {
                id,
                fork,
                block,
                hash: None,
                seek: None,
                upgrade,
                manifest,
                priority,
            })
        },
    )
}

fn data() -> impl Strategy<Value = Message> {
    let block = proptest::option::of((small(), any::<bool>()));
    let upgrade = proptest::option::of((small(), small()));
    (small(), 0..2_u64, block, upgrade).prop_map(|(request, fork, block, upgrade)| {
        let block = block.map(|(index, right)| {
            let value = if right { bytes_of(index) } else { Bytes::from_static(b"wrong") };
            BlockProof { index, value, nodes: Vec::new() }
        });
        let upgrade = upgrade.map(|(start, length)| UpgradeProof {
            start,
            length: length.min(1 << 30),
            nodes: Vec::new(),
            additional_nodes: Vec::new(),
            signature: Vec::new(),
        });
        Message::Data(wire::Data { request, fork, block, hash: None, seek: None, upgrade, manifest: None })
    })
}

fn sync() -> impl Strategy<Value = Message> {
    (0..2_u64, number(), number(), any::<[bool; 5]>()).prop_map(|(fork, length, remote_length, flags)| {
        let [can_upgrade, uploading, downloading, has_manifest, allow_push] = flags;
        let downloading = downloading || uploading;
        Message::Sync(wire::Sync {
            fork,
            length,
            remote_length,
            can_upgrade,
            uploading,
            downloading,
            has_manifest,
            allow_push,
        })
    })
}

fn message() -> impl Strategy<Value = Message> {
    let want = || {
        (number(), number(), any::<bool>()).prop_map(|(start, length, any)| wire::Want { start, length, any })
    };
    prop_oneof![
        2 => sync(),
        3 => request(),
        3 => data(),
        1 => small().prop_map(|request| Message::Cancel(wire::Cancel { request })),
        2 => (small(), 0..4_u64).prop_map(|(request, reason)| Message::NoData(wire::NoData { request, reason })),
        2 => want().prop_map(Message::Want),
        1 => want().prop_map(Message::Unwant),
        2 => (number(), proptest::collection::vec(any::<u32>(), 0..40))
            .prop_map(|(start, bitfield)| Message::Bitfield(wire::Bitfield { start, bitfield })),
        3 => (any::<bool>(), number(), number())
            .prop_map(|(drop, start, length)| Message::Range(wire::Range { drop, start, length })),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_messages_harm_nobody_but_their_sender(
        batches in proptest::collection::vec(proptest::collection::vec(message(), 1..12), 1..12)
    ) {
        let mut w = World::new();
        let (honest, victim, late) = (w.full(600), w.node(600, &(0..300).collect::<Vec<_>>(), Default::default()), w.empty());
        let rogue = PeerId(9_999);
        w.feed(victim, Input::PeerAdded { peer: rogue });
        w.link(honest, victim, 3);
        w.link(victim, late, 3);
        let want = w.download(victim, 300, 600);
        for batch in batches {
            for message in batch {
                // `handle_only` checks all invariants and bounds after each message.
                w.handle_only(victim, Input::Message { peer: rogue, message });
            }
            w.drain(victim);
            w.run_for(4);
        }
        w.feed(victim, Input::PeerRemoved { peer: rogue });
        w.run();
        prop_assert_eq!(w.outcome(victim, want), Some(&Outcome::Range));
        let last = w.get(late, 599);
        w.run();
        prop_assert!(w.outcome(late, last).is_some());
        prop_assert!(w.nodes[victim].closed.iter().all(|(peer, _)| *peer == rogue));
    }
}

#[test]
fn a_flood_of_requests_stops_reading_and_then_closes() {
    let mut w = World::new();
    let writer = w.full(10);
    let rogue = PeerId(7);
    w.feed(writer, Input::PeerAdded { peer: rogue });
    w.feed(writer, Input::PeerWritable { peer: rogue, writable: false });
    let limit = limits::MAX_REMOTE_REQUESTS_HARD as u64;
    for id in 0..=limit {
        let block = Some(BlockRequest { index: 1, nodes: 0 });
        let (hash, seek, upgrade) = (None, None, None);
        let request = wire::Request { id, fork: 0, block, hash, seek, upgrade, manifest: false, priority: 0 };
        assert!(w.nodes[writer].closed.is_empty(), "closed at {id}");
        w.feed(writer, Input::Message { peer: rogue, message: Message::Request(request) });
    }
    let violation = Violation::TooManyRequests { limit: limits::MAX_REMOTE_REQUESTS_HARD };
    assert_eq!(w.nodes[writer].closed, [(rogue, violation)]);
}

#[test]
fn ranges_up_to_any_length_take_no_memory() {
    let mut w = World::new();
    let writer = w.full(10);
    let rogue = PeerId(7);
    w.feed(writer, Input::PeerAdded { peer: rogue });
    for n in 0..20_000_u64 {
        let (start, length, drop) = if n % 2 == 0 { (n, (1 << 52) + n, false) } else { (n << 16, 1, true) };
        let range = wire::Range { drop, start, length };
        w.nodes[writer]
            .rep
            .handle(hc_replicator::Time(0), Input::Message { peer: rogue, message: Message::Range(range) });
    }
    w.drain(writer);
    assert!(w.nodes[writer].closed.is_empty());
}

#[test]
fn bitfield_answers_cost_credit_and_coalesce() {
    let mut w = World::new();
    let sparse: Vec<u64> = (0..1_000).map(|n| n * 1_000 + 1).collect();
    let writer = w.node(1_000_000, &sparse, Default::default());
    let rogue = PeerId(7);
    w.feed(writer, Input::PeerAdded { peer: rogue });
    for _ in 0..1_000 {
        let want = wire::Want { start: 0, length: 1 << 21, any: false };
        w.nodes[writer]
            .rep
            .handle(hc_replicator::Time(0), Input::Message { peer: rogue, message: Message::Want(want) });
    }
    w.drain(writer);
    // 125,000 bytes each: eight fit in the burst, and the rest is one answer later.
    assert_eq!(w.count(writer, "bitfield"), 8);
    w.run_for(10_000);
    assert_eq!(w.count(writer, "bitfield"), 9);
}

#[test]
fn unknown_and_late_answers_are_ignored() {
    let mut w = World::new();
    let (writer, reader) = (w.full(10), w.empty());
    let (at_writer, at_reader) = w.link(writer, reader, 1);
    w.run();
    for request in [0, 1, 5, u64::MAX] {
        let block = Some(BlockProof { index: 3, value: bytes_of(3), nodes: Vec::new() });
        let (hash, seek, upgrade, manifest) = (None, None, None, None);
        let data = wire::Data { request, fork: 0, block, hash, seek, upgrade, manifest };
        w.send(writer, at_writer, Message::Data(data));
    }
    w.run();
    assert!(w.nodes[reader].blocks.is_empty() && w.nodes[reader].closed.is_empty());
    let want = w.want(reader, Want::Block { index: 3 });
    w.run();
    assert!(w.outcome(reader, want).is_some());
    assert!(!w.nodes[reader].events.contains(&Event::PeerPaused { peer: at_reader }));
}
