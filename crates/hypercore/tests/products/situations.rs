//! The situations of the peers. One more is a line in [`SITUATIONS`] and a function that brings it about: on the writer's side
//! the peers are readers, on a reader's side they are sources.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hc_protocol::wire::{Message, Request, Want};
use hc_tree::BlockRequest;
use hypercore::{Hypercore, Manifest, OpenOptions, Role};

use crate::common::liar::{FAR_TOO_MANY, Liar, has_all, sync};
use crate::common::until;
use crate::world::{BLOCKS, Side, World, open};

/// How peers stand to the core that an operation is done to.
pub(crate) struct Situation {
    pub(crate) name: &'static str,
    /// Whether a reader gets block 1 from its peers, also later.
    pub(crate) is_source: bool,
    pub(crate) enter: fn(&World) -> BoxFuture<'_, ()>,
}

/// A line of the table.
macro_rules! situation {
    ($name:literal, $enter:ident $(, $source:ident)?) => {
        Situation { name: $name, is_source: situation!(@ $($source)?), enter: |world| $enter(world).boxed() }
    };
    (@) => { false };
    (@ source) => { true };
}

pub(crate) const SITUATIONS: &[Situation] = &[
    situation!("none", none),
    situation!("in the handshake", in_the_handshake),
    situation!("empty", empty),
    situation!("sparse", sparse, source),
    situation!("complete", complete, source),
    situation!("in mid-download", in_mid_download, source),
    situation!("left", left),
    situation!("on a higher fork", on_a_higher_fork),
    situation!("claims more than there is", claims_more_than_there_is),
    situation!("never reads", never_reads),
];

/// How long a peer that says what it likes waits for what comes.
const MOMENT: Duration = Duration::from_millis(3);

async fn none(_: &World) {}

async fn in_the_handshake(world: &World) {
    let (here, there) = world.pipe();
    world.keep_connection(world.subject.replicate(here, Role::Responder).unwrap());
    world.keep(there);
}

/// A peer that has the key and nothing else.
async fn empty(world: &World) {
    let peer = world.stranger().await;
    world.connect(&world.subject, &peer);
    world.keep(peer);
}

/// A peer that has some blocks, and stays.
async fn sparse(world: &World) {
    let peer = world.stranger().await;
    let ends = world.connect(&world.writer, &peer);
    for index in [1, 4, 7] {
        peer.get(index).await.unwrap();
        world.pause().await;
    }
    if world.side == Side::Reader {
        ends.iter().for_each(hypercore::Replication::stop);
        world.connect(&world.subject, &peer);
    }
    world.keep(peer);
}

/// A peer that has everything, and of which that is known.
async fn complete(world: &World) {
    match world.side {
        Side::Reader => {
            world.connect(&world.writer, &world.subject);
        }
        Side::Writer => {
            let peer = world.stranger().await;
            world.connect(&world.writer, &peer);
            peer.get(0).await.unwrap();
            peer.download(..BLOCKS).done().await.unwrap();
            until("it is known", || world.writer.remote_contiguous_length() == BLOCKS).await;
            world.keep(peer);
        }
    }
}

/// Blocks are on their way, over a pipe that holds less than one.
async fn in_mid_download(world: &World) {
    let (here, there) = tokio::io::duplex(64);
    world.keep_connection(world.writer.replicate(here, Role::Responder).unwrap());
    let peer = match world.side {
        Side::Reader => world.subject.clone(),
        Side::Writer => world.stranger().await,
    };
    world.keep_connection(peer.replicate(there, Role::Initiator).unwrap());
    world.keep(peer.download(..));
    if world.side == Side::Writer {
        world.keep(peer);
    }
}

/// There was a peer.
async fn left(world: &World) {
    let peer = world.stranger().await;
    let ends = world.connect(&world.writer, if world.side == Side::Reader { &world.subject } else { &peer });
    world.pause().await;
    let [first, second] = &ends;
    let stops = if world.below(2) == 0 { &first } else { &second };
    stops.stop();
}

/// A peer with a log of the same owner that was truncated.
async fn on_a_higher_fork(world: &World) {
    let manifest = Manifest::single(world.pair.public());
    let options = OpenOptions::new().key_pair(world.pair.clone()).manifest(manifest);
    let rival: Hypercore = open(None, options).await;
    rival.append_batch((0..BLOCKS).map(crate::world::block)).await.unwrap();
    if world.side == Side::Reader {
        // the reader has something of the fork before
        let ends = world.connect(&world.writer, &world.subject);
        world.pause().await;
        ends.iter().for_each(hypercore::Replication::stop);
    }
    rival.truncate(3).await.unwrap();
    rival.append_batch((0..BLOCKS).map(|index| format!("other {index}"))).await.unwrap();
    world.connect(&world.subject, &rival);
    world.keep(rival);
}

/// A peer that says that it has 2^40 blocks, and answers nothing.
async fn claims_more_than_there_is(world: &World) {
    let mut liar = Liar::open(&world.subject, MOMENT, 1 << 16).await;
    liar.says(&sync(0, FAR_TOO_MANY, world.subject.length())).await;
    liar.says(&has_all(FAR_TOO_MANY)).await;
    world.keep_connection(liar.replication.clone());
    world.keep(liar);
}

/// A peer that asks for everything, and takes nothing of what comes.
async fn never_reads(world: &World) {
    let mut liar = Liar::open(&world.subject, MOMENT, 1 << 10).await;
    liar.says(&sync(0, BLOCKS, world.subject.length())).await;
    liar.says(&has_all(BLOCKS)).await;
    liar.says(&Message::Want(Want { start: 0, length: 1 << 21, any: false })).await;
    for index in 0..BLOCKS {
        let block = Some(BlockRequest { index, nodes: 0 });
        liar.queues(&Message::Request(Request { id: index + 1, block, ..Request::default() }));
    }
    liar.sends_what_is_taken().await;
    world.keep_connection(liar.replication.clone());
    world.keep(liar);
}
