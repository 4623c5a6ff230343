//! `hypercore clone`: a verified copy of somebody's log.

use std::time::Duration;

use corestore::Hypercore;
use hypercore::Event;
use indicatif::HumanBytes;
use serde_json::json;
use tokio::time::timeout;

use crate::args::CloneArgs;
use crate::failure::{Failure, Result};
use crate::peer::{self, Peer};
use crate::progress::{Progress, per_second};
use crate::{place, show};

pub(crate) async fn run(args: CloneArgs) -> Result {
    // a peer that is not there leaves no directory behind
    let transport = peer::reach(&args.connect).await?;
    let store = place::made(&args.dir).await?;
    let log = store.get(args.key).await?;
    let mut peer = Peer::start(transport, &args.connect, &store, &log)?;
    peer.learn_length(&log, args.timeout).await?;
    if log.is_empty() {
        return Err(peer.has_nothing());
    }

    let mut progress = Progress::new(args.json);
    let here_before = log.contiguous_length();
    let done = copy(&log, &mut peer, args.timeout, &mut progress).await;
    let (mut blocks, mut bytes, elapsed) = progress.finish();
    done?;
    if here_before == 0 {
        // events may have been missed on the way; a copy that was made from nothing is the whole log
        (blocks, bytes) = (log.length(), log.byte_length());
    }
    if args.json {
        let key = place::key_text(log.key());
        let seconds = elapsed.as_secs_f64();
        show::json(
            &json!({ "key": key, "length": log.length(), "blocks": blocks, "bytes": bytes, "seconds": seconds }),
        )?;
    } else {
        show::note(format_args!(
            "{blocks} blocks, {} in {:.1} s ({}/s), all verified; {} holds {} of {} blocks",
            HumanBytes(bytes),
            elapsed.as_secs_f64(),
            HumanBytes(per_second(bytes, elapsed)),
            args.dir.display(),
            log.contiguous_length(),
            log.length(),
        ));
    }
    if args.live {
        follow(&log, &mut peer).await?;
    }
    store.close().await?;
    Ok(())
}

/// Fetches what is missing, and counts it.
async fn copy(log: &Hypercore, peer: &mut Peer<'_>, patience: Duration, progress: &mut Progress) -> Result {
    let mut here = log.contiguous_length();
    progress.length(log.length(), here);
    let download = log.download(..log.length()).done();
    tokio::pin!(download);
    loop {
        tokio::select! {
            biased;
            done = &mut download => return Ok(done?),
            event = timeout(patience, peer.event()) => match event {
                Ok(Ok(Event::Download { byte_length, .. })) => {
                    here = here.saturating_add(1).min(log.length());
                    progress.block(byte_length, here);
                }
                Ok(Ok(Event::Lagged { missed })) => here = here.saturating_add(missed).min(log.length()),
                Ok(Ok(_)) => {}
                Ok(Err(trouble)) => return Err(trouble),
                Err(_) => return Err(Failure::NotDelivered(format!(
                    "nothing arrived for {} s; {} of {} blocks are here", patience.as_secs(), here, log.length()
                ))),
            },
        }
    }
}

/// Goes on fetching what is appended, until the connection ends.
async fn follow(log: &Hypercore, peer: &mut Peer<'_>) -> Result {
    let _all = log.download(..);
    loop {
        if let Event::Append { length, byte_length } = peer.event().await? {
            show::note(format_args!("{length} blocks, {}", HumanBytes(byte_length)));
        }
    }
}
