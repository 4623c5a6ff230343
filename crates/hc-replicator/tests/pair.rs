//! Two to four replicators on a virtual clock: what is asked of whom, and what comes of it. Names carry the behaviour
//! they show (groups J and K).

mod world;

use hc_replicator::wire::{self, Message};
use hc_replicator::{Config, Event, Input, Local, Outcome, Time, Violation, Want};
use world::{World, bytes_of};

fn lazy() -> Config {
    Config { eager_upgrade: false, ..Config::default() }
}

#[test]
fn j1_sparse_get_through_an_intermediate_sparse_peer() {
    let mut w = World::new();
    let (writer, middle, reader) = (w.full(100), w.empty(), w.empty());
    w.link(writer, middle, 5);
    w.link(middle, reader, 5);
    let at_middle = w.get(middle, 7);
    w.run();
    assert_eq!(w.outcome(middle, at_middle), Some(&Outcome::Block { index: 7, value: Some(bytes_of(7)) }));
    let (there, missing) = (w.get(reader, 7), w.get(reader, 8));
    w.run();
    assert_eq!(w.outcome(reader, there), Some(&Outcome::Block { index: 7, value: Some(bytes_of(7)) }));
    assert_eq!(w.outcome(reader, missing), None);
    assert_eq!(w.nodes[reader].blocks.len(), 1);
    // As soon as the peer between has it, it is passed on.
    w.get(middle, 8);
    w.run();
    assert!(w.outcome(reader, missing).is_some());
}

#[test]
fn sparse_gets_with_the_first_upgrade_in_the_same_request() {
    let mut w = World::new();
    let (writer, reader) = (w.full(10), w.node(0, &[], lazy()));
    w.link(writer, reader, 5);
    let want = w.get(reader, 3);
    w.run();
    assert!(w.outcome(reader, want).is_some());
    assert_eq!(w.nodes[reader].length, 10);
    assert_eq!(w.count(reader, "request"), 1);
}

#[test]
fn s2_full_download_of_a_thousand_blocks_asks_for_each_once() {
    for linear in [true, false] {
        let mut w = World::new();
        let (writer, reader) = (w.full(1_000), w.empty());
        w.link(writer, reader, 3);
        w.run();
        let want = w.want(reader, Want::Range { start: 0, end: Some(1_000), linear });
        w.run();
        assert_eq!(w.outcome(reader, want), Some(&Outcome::Range));
        assert_eq!(w.nodes[reader].blocks.len(), 1_000);
        assert_eq!(w.asked.len(), 1_000);
        if linear {
            assert!(w.asked.iter().map(|(.., index)| *index).eq(0..1_000));
        }
    }
}

#[test]
fn a_range_wanted_before_any_peer_is_there_finishes() {
    let mut w = World::new();
    let (writer, reader) = (w.full(300), w.empty());
    let want = w.download(reader, 10, 290);
    let open = w.want(reader, Want::Range { start: 0, end: None, linear: true });
    w.link(writer, reader, 3);
    w.run();
    assert_eq!(w.outcome(reader, want), Some(&Outcome::Range));
    assert_eq!(w.outcome(reader, open), None);
    assert_eq!(w.nodes[reader].blocks.len(), 300);
}

#[test]
fn regression_a_reader_follows_a_writer_whose_newest_head_is_not_announced_yet() {
    for (rounds, has_roots) in [(1, false), (100, false), (100, true)] {
        let mut w = World::new();
        let (writer, reader) = (w.full(1), w.empty());
        // whether it can bring somebody up who has the length that was announced
        w.nodes[reader].has_roots = has_roots;
        w.link(writer, reader, 5);
        let follow = w.want(reader, Want::Range { start: 0, end: None, linear: true });
        w.run();
        let mut length = 1;
        for _ in 0..rounds {
            w.append(writer, 3);
            w.append_unannounced(writer, 7);
            w.run_for(3_000);
            length += 10;
            assert_eq!(w.nodes[reader].length, length, "the newest head is what the proof is of");
        }
        w.append(writer, 5);
        w.run();
        assert_eq!(w.nodes[reader].blocks.len() as u64, length + 5);
        assert_eq!(w.outcome(reader, follow), None);
        assert_eq!(w.count(writer, "request"), 0, "a writer asked its reader for its own log");
    }
}

#[test]
fn two_sources_share_a_download() {
    let mut w = World::new();
    let (one, two, reader) = (w.full(1_000), w.full(1_000), w.empty());
    w.link(one, reader, 10);
    w.link(two, reader, 10);
    w.run();
    let want = w.download(reader, 0, 1_000);
    w.run();
    assert_eq!(w.outcome(reader, want), Some(&Outcome::Range));
    assert_eq!(w.asked.len(), 1_000);
    let from_one = w.asked.iter().filter(|(_, to, _)| *to == one).count();
    assert!((300..=700).contains(&from_one), "{from_one} of 1,000 from the first");
    assert!(w.nodes[reader].downloads.values().all(|count| *count == 1));
}

#[test]
fn sources_with_different_parts_complete_each_other() {
    let mut w = World::new();
    let even: Vec<u64> = (0..600).step_by(2).collect();
    let odd: Vec<u64> = (1..600).step_by(2).collect();
    let a = w.node(600, &even, Config::default());
    let b = w.node(600, &odd, Config::default());
    let reader = w.empty();
    w.link(a, reader, 4);
    w.link(b, reader, 9);
    let want = w.download(reader, 0, 600);
    w.run();
    assert_eq!(w.outcome(reader, want), Some(&Outcome::Range));
    assert_eq!(w.nodes[reader].blocks.len(), 600);
}

#[test]
fn j2_lists_empty_repeated_and_with_one_block_missing() {
    let mut w = World::new();
    let source: Vec<u64> = (0..100).filter(|index| *index != 50).collect();
    let (writer, reader) = (w.node(100, &source, Config::default()), w.empty());
    w.link(writer, reader, 1);
    let empty = w.want(reader, Want::Blocks { indices: vec![] });
    let list = w.want(reader, Want::Blocks { indices: vec![9, 3, 3, 77] });
    let nothing = w.download(reader, 5, 5);
    w.run();
    assert_eq!(w.outcome(reader, empty), Some(&Outcome::Range));
    assert_eq!(w.outcome(reader, nothing), Some(&Outcome::Range));
    assert_eq!(w.outcome(reader, list), Some(&Outcome::Range));
    assert!(w.nodes[reader].blocks.iter().eq(&[3, 9, 77]));
    let holed = w.download(reader, 0, 100);
    w.run();
    assert_eq!(w.outcome(reader, holed), None);
    assert_eq!(w.nodes[reader].blocks.len(), 99);
}

#[test]
fn j3_many_waiters_for_a_block_make_one_request() {
    let mut w = World::new();
    let (writer, reader) = (w.full(10), w.empty());
    w.link(writer, reader, 20);
    w.run();
    let wants: Vec<_> = (0..5).map(|_| w.get(reader, 4)).collect();
    w.download(reader, 4, 5);
    w.run();
    assert!(wants.iter().all(|want| w.outcome(reader, *want).is_some()));
    assert_eq!(w.asked, [(reader, writer, 4)]);
}

#[test]
fn j5_cancel_goes_on_the_wire_only_when_nobody_wants_the_block() {
    let mut w = World::new();
    let (writer, reader) = (w.full(10), w.empty());
    w.link(writer, reader, 20);
    w.run();
    let (first, second) = (w.get(reader, 4), w.get(reader, 4));
    w.feed(reader, Input::CancelWant { id: first });
    assert_eq!(w.count(reader, "cancel"), 0);
    w.feed(reader, Input::CancelWant { id: second });
    assert_eq!(w.count(reader, "cancel"), 1);
    w.run();
    assert!(w.nodes[reader].resolved.is_empty());
    assert!(w.nodes[reader].blocks.is_empty());
    let in_range = w.get(reader, 5);
    w.download(reader, 5, 6);
    w.feed(reader, Input::CancelWant { id: in_range });
    w.run();
    assert_eq!(w.count(reader, "cancel"), 1);
    assert!(w.nodes[reader].blocks.contains(&5));
}

#[test]
fn j6_ids_of_cancelled_requests_rest_until_a_round_trip_and_nothing_stalls() {
    let mut w = World::new();
    let (writer, reader) = (w.full(5_000), w.empty());
    w.link(writer, reader, 20);
    w.run();
    for round in 0..40 {
        let wants: Vec<_> = (0..100).map(|n| w.get(reader, round * 100 + n)).collect();
        for want in wants.iter().skip(1) {
            w.feed(reader, Input::CancelWant { id: *want });
        }
        w.run_for(30);
    }
    w.run();
    assert_eq!(w.nodes[reader].resolved.len(), 40);
    let want = w.download(reader, 0, 5_000);
    w.run();
    assert_eq!(w.outcome(reader, want), Some(&Outcome::Range));
}

#[test]
fn j7_requests_to_a_vanished_peer_go_to_another() {
    let mut w = World::new();
    let (one, two, reader) = (w.full(1_000), w.full(1_000), w.empty());
    let (_, to_one) = w.link(one, reader, 10);
    w.link(two, reader, 10);
    w.run();
    let want = w.download(reader, 0, 1_000);
    w.run_for(25);
    w.cut(reader, to_one);
    w.run();
    assert_eq!(w.outcome(reader, want), Some(&Outcome::Range));
    assert_eq!(w.nodes[reader].blocks.len(), 1_000);
}

#[test]
fn i6_pending_gets_survive_a_cut_and_go_on_over_the_next_link() {
    let mut w = World::new();
    let (writer, reader) = (w.full(500), w.empty());
    let (_, peer) = w.link(writer, reader, 10);
    let (want, get) = (w.download(reader, 0, 500), w.get(reader, 499));
    w.run_for(45);
    w.cut(reader, peer);
    w.run();
    assert_eq!(w.outcome(reader, want), None);
    w.link(writer, reader, 10);
    w.run();
    assert_eq!(w.outcome(reader, want), Some(&Outcome::Range));
    assert!(w.outcome(reader, get).is_some());
}

#[test]
fn j8_no_data_sends_the_request_elsewhere_and_pauses_a_liar() {
    let mut w = World::new();
    let (liar, honest, reader) = (w.full(100), w.full(100), w.empty());
    w.nodes[liar].lies = (0..100).collect();
    let (_, peer) = w.link(liar, reader, 1);
    w.run();
    let want = w.download(reader, 0, 100);
    w.run();
    assert_eq!(w.outcome(reader, want), None);
    assert!(w.nodes[reader].events.contains(&Event::PeerPaused { peer }));
    w.link(honest, reader, 50);
    w.run();
    assert_eq!(w.outcome(reader, want), Some(&Outcome::Range));
}

#[test]
fn a_stale_proof_is_asked_for_again() {
    let mut w = World::new();
    let (writer, reader) = (w.full(50), w.empty());
    w.link(writer, reader, 2);
    w.nodes[reader].stale_once = (0..50).step_by(7).collect();
    let want = w.download(reader, 0, 50);
    w.run();
    assert_eq!(w.outcome(reader, want), Some(&Outcome::Range));
    assert!(w.asked.len() > 50);
}

#[test]
fn j9_the_64th_invalid_request_closes_and_answers_before_are_late() {
    let mut w = World::new();
    let (writer, rogue) = (w.full(10), w.empty());
    w.nodes[writer].rejects = true;
    let (at_writer, at_rogue) = w.link(writer, rogue, 0);
    w.run();
    let before = w.count(writer, "no_data");
    let request = |id| {
        let upgrade = Some(hc_tree::UpgradeRequest { start: 0, length: 5 });
        let (block, hash, seek) = (None, None, None);
        Message::Request(wire::Request {
            id,
            fork: 0,
            block,
            hash,
            seek,
            upgrade,
            manifest: false,
            priority: 0,
        })
    };
    let already =
        w.nodes[writer].events.iter().filter(|e| matches!(e, Event::InvalidRequest { .. })).count() as u64;
    w.send(rogue, at_rogue, request(900));
    w.run_for(150);
    assert_eq!(w.count(writer, "no_data"), before);
    w.run_for(10_000);
    assert_eq!(w.count(writer, "no_data"), before + 1);
    for id in 1..63 - already {
        w.send(rogue, at_rogue, request(1_000 + id));
    }
    w.run();
    assert!(w.nodes[writer].closed.is_empty());
    w.send(rogue, at_rogue, request(5_000));
    w.run();
    assert_eq!(w.nodes[writer].closed, [(at_writer, Violation::TooManyInvalidRequests { count: 64 })]);
}

#[test]
fn a_wrong_proof_closes_its_peer_and_the_others_go_on() {
    let mut w = World::new();
    let (rogue, honest, reader) = (w.full(0), w.full(50), w.empty());
    let (at_rogue, at_reader) = w.link(rogue, reader, 1);
    w.link(honest, reader, 1);
    w.run();
    let sync = wire::Sync {
        fork: 0,
        length: 50,
        remote_length: 50,
        can_upgrade: false,
        uploading: true,
        downloading: true,
        has_manifest: true,
        allow_push: false,
    };
    w.send(rogue, at_rogue, Message::Sync(sync));
    w.send(rogue, at_rogue, Message::Range(wire::Range { drop: false, start: 0, length: 50 }));
    w.run();
    let want = w.download(reader, 0, 50);
    w.run_for(0);
    for id in 1..=50 {
        let value = bytes_of(u64::MAX);
        for index in 0..50 {
            let block = Some(hc_tree::BlockProof { index, value: value.clone(), nodes: Vec::new() });
            let (hash, seek, upgrade, manifest) = (None, None, None, None);
            let data = wire::Data { request: id, fork: 0, block, hash, seek, upgrade, manifest };
            w.send(rogue, at_rogue, Message::Data(data));
        }
    }
    w.run();
    assert_eq!(w.nodes[reader].closed.len(), 1);
    assert_eq!(w.nodes[reader].closed[0].0, at_reader);
    assert_eq!(w.outcome(reader, want), Some(&Outcome::Range));
}

#[test]
fn j11_update_is_false_when_nobody_has_more_and_true_when_somebody_has() {
    let mut w = World::new();
    let reader = w.node(0, &[], lazy());
    let alone = w.want(reader, Want::Update);
    assert_eq!(w.outcome(reader, alone), Some(&Outcome::Update(false)));
    let writer = w.full(5);
    w.link(writer, reader, 5);
    let with_peer = w.want(reader, Want::Update);
    assert_eq!(w.outcome(reader, with_peer), None);
    w.run();
    assert_eq!(w.outcome(reader, with_peer), Some(&Outcome::Update(true)));
    assert_eq!(w.nodes[reader].length, 5);
    let again = w.want(reader, Want::Update);
    w.run();
    assert_eq!(w.outcome(reader, again), Some(&Outcome::Update(false)));
}

#[test]
fn j11_update_waits_while_peers_are_searched_or_connecting() {
    let mut w = World::new();
    let reader = w.node(0, &[], lazy());
    w.feed(reader, Input::FindingPeers { count: 1 });
    let want = w.want(reader, Want::Update);
    assert_eq!(w.outcome(reader, want), None);
    w.feed(reader, Input::Connecting { count: 1 });
    w.feed(reader, Input::FindingPeers { count: 0 });
    assert_eq!(w.outcome(reader, want), None);
    w.feed(reader, Input::Connecting { count: 0 });
    assert_eq!(w.outcome(reader, want), Some(&Outcome::Update(false)));
}

#[test]
fn j11_update_resolves_when_the_only_peer_leaves() {
    let mut w = World::new();
    let (writer, reader) = (w.full(5), w.node(0, &[], lazy()));
    let (_, peer) = w.link(writer, reader, 1_000);
    let want = w.want(reader, Want::Update);
    w.run_for(10);
    assert_eq!(w.outcome(reader, want), None);
    w.cut(reader, peer);
    assert_eq!(w.outcome(reader, want), Some(&Outcome::Update(false)));
}

#[test]
fn j12_upgrades_are_eager_by_default_and_not_when_switched_off() {
    let mut w = World::new();
    let (writer, eager, lazy) = (w.full(5), w.empty(), w.node(0, &[], lazy()));
    w.link(writer, eager, 1);
    w.link(writer, lazy, 1);
    w.run();
    assert_eq!((w.nodes[eager].length, w.nodes[lazy].length), (5, 0));
    w.append(writer, 3);
    w.run();
    assert_eq!((w.nodes[eager].length, w.nodes[lazy].length), (8, 0));
}

#[test]
fn a_reader_follows_appends_live_and_gets_the_last_block_with_the_upgrade() {
    let mut w = World::new();
    let (writer, reader) = (w.full(5), w.empty());
    w.link(writer, reader, 2);
    w.want(reader, Want::Range { start: 0, end: None, linear: true });
    w.run();
    for round in 1..=20 {
        let before = w.count(reader, "request");
        w.append(writer, 1);
        w.run_for(100);
        assert_eq!(w.nodes[reader].blocks.len() as u64, 5 + round);
        assert_eq!(w.count(reader, "request"), before + 1);
    }
    w.append(writer, 2_000);
    w.run();
    assert_eq!(w.nodes[reader].blocks.len(), 2_025);
}

#[test]
fn a_block_that_does_not_exist_yet_arrives_when_it_is_appended() {
    let mut w = World::new();
    let (writer, reader) = (w.full(5), w.node(0, &[], lazy()));
    w.link(writer, reader, 2);
    let want = w.get(reader, 6);
    w.run();
    assert_eq!(w.outcome(reader, want), None);
    w.append(writer, 2);
    w.run();
    assert_eq!(w.outcome(reader, want), Some(&Outcome::Block { index: 6, value: Some(bytes_of(6)) }));
}

#[test]
fn j14_a_longer_peer_without_the_block_does_not_block_the_others() {
    let mut w = World::new();
    let longer = w.node(200, &[199], Config::default());
    let (shorter, reader) = (w.full(100), w.empty());
    w.link(longer, reader, 1);
    w.run();
    assert_eq!(w.nodes[reader].length, 200);
    w.link(shorter, reader, 5);
    w.run();
    // The shorter one cannot prove blocks of 200 until it has that length itself.
    w.link(longer, shorter, 5);
    let want = w.download(reader, 0, 100);
    w.run();
    assert_eq!(w.outcome(reader, want), Some(&Outcome::Range));
}

#[test]
fn j16_ranges_beyond_64_all_finish() {
    let mut w = World::new();
    let first_half: Vec<u64> = (0..500).collect();
    let (half, reader) = (w.node(1_000, &first_half, Config::default()), w.empty());
    w.link(half, reader, 1);
    w.run();
    let upper: Vec<_> = (0..100).map(|n| w.download(reader, 500 + n * 5, 505 + n * 5)).collect();
    let lower: Vec<_> = (0..100).map(|n| w.download(reader, n * 5, n * 5 + 5)).collect();
    w.run();
    assert!(lower.iter().all(|want| w.outcome(reader, *want) == Some(&Outcome::Range)));
    assert!(upper.iter().all(|want| w.outcome(reader, *want).is_none()));
}

#[test]
fn k1_a_full_core_announces_one_range_and_a_sparse_one_nothing() {
    let mut w = World::new();
    let (full, other) = (w.full(2_000), w.empty());
    w.link(full, other, 1);
    w.run();
    assert_eq!((w.count(full, "range"), w.count(full, "bitfield")), (1, 0));
    let blocks: Vec<u64> = (0..1_000).collect();
    let (sparse, other) = (w.node(2_000, &blocks, Config::default()), w.empty());
    w.link(sparse, other, 1);
    w.run();
    assert_eq!((w.count(sparse, "range"), w.count(sparse, "bitfield")), (0, 0));
}

#[test]
fn k2_a_miss_sends_one_want_and_gets_a_bitfield() {
    let mut w = World::new();
    let blocks: Vec<u64> = (0..2_000).step_by(2).collect();
    let (sparse, reader) = (w.node(2_000, &blocks, Config::default()), w.empty());
    w.link(sparse, reader, 1);
    w.run();
    let (there, missing) = (w.get(reader, 10), w.get(reader, 11));
    w.run();
    assert!(w.outcome(reader, there).is_some());
    assert!(w.outcome(reader, missing).is_none());
    assert_eq!((w.count(reader, "want"), w.count(sparse, "bitfield")), (1, 1));
}

#[test]
fn k3_k5_the_last_blocks_are_announced_unasked_but_not_to_those_that_have_them() {
    let mut w = World::new();
    let (writer, middle, third) = (w.full(1_000), w.empty(), w.empty());
    w.link(writer, middle, 1);
    w.link(middle, third, 1);
    w.run();
    w.get(middle, 10);
    w.run();
    assert_eq!(w.count(middle, "range"), 0);
    w.get(middle, 990);
    w.run();
    // To the third, not to the writer which has it.
    assert_eq!(w.count(middle, "range"), 1);
}

#[test]
fn k4_fully_downloaded_is_announced_once_to_all() {
    let mut w = World::new();
    let (writer, reader) = (w.full(100), w.empty());
    w.link(writer, reader, 1);
    w.download(reader, 0, 100);
    w.run();
    let full = |e: &Event| matches!(e, Event::RemoteContiguousLength { length: 100, .. });
    assert!(w.nodes[writer].events.iter().any(full));
    assert_eq!(w.count(reader, "range"), 1);
}

#[test]
fn k6_cleared_and_truncated_blocks_are_announced_as_dropped() {
    let mut w = World::new();
    let (writer, reader) = (w.full(100), w.empty());
    w.link(writer, reader, 1);
    w.run();
    w.nodes[writer].blocks.retain(|index| !(40..60).contains(index));
    w.feed(writer, Input::Local(Local::Cleared { start: 40, end: 60 }));
    w.run();
    let want = w.get(reader, 50);
    w.run();
    assert_eq!(w.outcome(reader, want), None);
    assert!(w.asked.is_empty());
    w.feed(writer, Input::Local(Local::Truncated { fork: 1, length: 80 }));
    w.run();
    assert!(w.nodes[reader].events.iter().any(|e| matches!(e, Event::RemoteFork { fork: 1, .. })));
    let there = w.get(reader, 3);
    w.run();
    assert_eq!(w.outcome(reader, there), None);
}

#[test]
fn i5_idle_channels_close_when_neither_side_downloads() {
    let mut w = World::new();
    let (a, b) = (w.full(10), w.full(10));
    w.link(a, b, 1);
    w.run();
    for node in [a, b] {
        w.feed(node, Input::Active { active: false });
    }
    w.run_for(19_000);
    assert!(w.nodes[a].idle.is_empty() && w.nodes[b].idle.is_empty());
    w.run();
    assert_eq!(w.nodes[a].idle.len() + w.nodes[b].idle.len(), 1);
}

#[test]
fn i8_an_empty_extension_name_repeats_the_last_one() {
    let mut w = World::new();
    let (a, b) = (w.empty(), w.empty());
    let (at_a, at_b) = w.link(a, b, 1);
    for (name, text) in [("x", "1"), ("x", "2"), ("y", "3")] {
        let message = bytes::Bytes::from_static(text.as_bytes());
        w.feed(a, Input::SendExtension { peer: at_a, name: name.into(), message });
    }
    w.run();
    let got = w.nodes[b].events.iter().filter_map(|event| match event {
        Event::Extension { peer, name, message } if *peer == at_b => Some((name.clone(), message.clone())),
        _ => None,
    });
    let got = got.collect::<Vec<_>>();
    assert_eq!(got.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["x", "x", "y"]);
}

#[test]
fn k12_message_counts_of_an_idle_pair_are_small() {
    let mut w = World::new();
    let (writer, reader) = (w.full(100), w.empty());
    w.link(writer, reader, 1);
    w.run();
    assert!(w.count(writer, "sync") <= 3 && w.count(reader, "sync") <= 3);
    assert_eq!((w.count(reader, "request"), w.count(writer, "data")), (1, 1));
    assert_eq!((w.count(reader, "want"), w.count(reader, "range")), (0, 0));
}

#[test]
fn the_same_inputs_give_the_same_outputs() {
    let run = || {
        let mut w = World::new();
        let (one, two, reader) = (w.full(500), w.full(500), w.empty());
        w.link(one, reader, 7);
        w.link(two, reader, 3);
        w.download(reader, 0, 500);
        w.run();
        w.asked
    };
    assert_eq!(run(), run());
}

#[test]
fn slow_verification_bounds_what_is_asked_for() {
    let mut w = World::new();
    let (writer, reader) = (w.full(5_000), w.empty());
    w.nodes[reader].apply_delay = 500;
    w.link(writer, reader, 0);
    w.run();
    w.download(reader, 0, 5_000);
    w.run_for(400);
    assert!(w.asked.len() <= 1_024 + 512, "{}", w.asked.len());
    w.run();
    assert_eq!(w.nodes[reader].blocks.len(), 5_000);
    let _ = Time(0);
}
