//! The replicator is on the path of every cloned block. This test only fails when that path is grossly slow (a scan
//! where there should be none); run it with `--release -- --nocapture` to see the figure.

use std::time::Instant;

use bytes::Bytes;
use hc_replicator::wire::{self, Message};
use hc_replicator::{Config, Input, LocalState, Output, PeerId, Replicator, Time, Want, WantId};
use hc_tree::BlockProof;

const BLOCKS: u64 = 100_000;

fn clone_all(linear: bool) -> f64 {
    let config = Config { eager_upgrade: false, ..Config::default() };
    let local = LocalState { fork: 0, length: BLOCKS, has_manifest: true };
    let mut rep = Replicator::new(config, local, []);
    let (now, peer) = (Time(1), PeerId(1));
    rep.handle(now, Input::Active { active: true });
    rep.handle(now, Input::PeerAdded { peer });
    let (fork, length, remote_length) = (0, BLOCKS, BLOCKS);
    let (can_upgrade, uploading, downloading, has_manifest, allow_push) = (false, true, true, true, false);
    let sync = wire::Sync {
        fork,
        length,
        remote_length,
        can_upgrade,
        uploading,
        downloading,
        has_manifest,
        allow_push,
    };
    rep.handle(now, Input::Message { peer, message: Message::Sync(sync) });
    let range = wire::Range { drop: false, start: 0, length: BLOCKS };
    rep.handle(now, Input::Message { peer, message: Message::Range(range) });
    rep.handle(now, Input::Want { id: WantId(1), want: Want::Range { start: 0, end: Some(BLOCKS), linear } });
    let value = Bytes::from(vec![1; 1024]);
    let began = Instant::now();
    let (mut arriving, mut stored) = (Vec::new(), 0);
    loop {
        let mut applying = Vec::new();
        while let Some(output) = rep.poll_output() {
            match output {
                Output::Request { request, .. } => arriving.push((request.id, request.block.unwrap().index)),
                Output::Apply { ticket, .. } => applying.push(ticket),
                _ => {}
            }
        }
        for ticket in applying.drain(..) {
            stored += 1;
            rep.handle(now, Input::Applied { ticket, length: BLOCKS });
        }
        if stored == BLOCKS {
            break;
        }
        for (request, index) in arriving.drain(..) {
            let block = Some(BlockProof { index, value: value.clone(), nodes: Vec::new() });
            let (hash, seek, upgrade, manifest) = (None, None, None, None);
            let data = wire::Data { request, fork: 0, block, hash, seek, upgrade, manifest };
            rep.handle(now, Input::Message { peer, message: Message::Data(data) });
        }
    }
    rep.check().unwrap();
    began.elapsed().as_secs_f64() * 1e6 / BLOCKS as f64
}

#[test]
fn a_block_costs_microseconds() {
    for linear in [true, false] {
        let micros = clone_all(linear);
        println!("{micros:.2} µs a block, linear: {linear}");
        assert!(micros < 50.0, "{micros} µs a block");
    }
}
