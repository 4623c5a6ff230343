//! What tests of a single core share.
#![allow(dead_code, reason = "not every test needs all of it")]

use bytes::Bytes;
use futures_util::TryStreamExt;
use hypercore::{Event, Events, Hypercore, SessionOptions};

pub(crate) async fn filled(blocks: u64) -> Hypercore {
    let core = Hypercore::memory().await.unwrap();
    core.append_batch((0..blocks).map(|i| i.to_string())).await.unwrap();
    core
}

pub(crate) async fn named(core: &Hypercore, name: &str) -> Hypercore {
    core.session(SessionOptions::new().name(name)).await.unwrap()
}

/// All blocks, as text.
pub(crate) async fn texts(core: &Hypercore) -> Vec<String> {
    let blocks: Vec<Bytes> = core.read_stream(..).try_collect().await.unwrap();
    blocks.into_iter().map(|block| String::from_utf8(block.to_vec()).unwrap()).collect()
}

/// What was told up to now.
pub(crate) async fn told(events: &mut Events) -> Vec<Event> {
    let mut all = Vec::new();
    while let Ok(Some(event)) =
        tokio::time::timeout(std::time::Duration::from_millis(20), futures_util::StreamExt::next(events))
            .await
    {
        all.push(event);
    }
    all
}
