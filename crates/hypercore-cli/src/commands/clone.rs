//! `hypercore clone`: a verified copy of somebody's log.

use std::time::Duration;

use corestore::{Corestore, Hypercore, Replication, Role};
use futures_util::StreamExt;
use hypercore::{Event, UpdateOptions};
use indicatif::HumanBytes;
use serde_json::json;
use tokio::time::timeout;

use crate::args::CloneArgs;
use crate::failure::{Failure, Result};
use crate::progress::{Progress, per_second};
use crate::{place, show};

pub(crate) async fn run(args: CloneArgs) -> Result {
    let transport = place::connect(&args.connect).await?;
    let store = Corestore::open(&args.dir).await?;
    let log = store.get(args.key).await?;
    let finding = log.finding_peers();
    let replication = store.replicate(transport, Role::Initiator)?;
    learn_length(&log, &replication, &args).await?;
    drop(finding);

    let mut progress = Progress::new(args.json);
    let here_before = log.contiguous_length();
    let done = copy(&log, &replication, args.timeout, &mut progress).await;
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
        follow(&log, &replication).await?;
    }
    store.close().await?;
    Ok(())
}

/// Waits until the peer said how long the log is. It says nothing if it does not have the log, or if the key is wrong.
async fn learn_length(log: &Hypercore, replication: &Replication, args: &CloneArgs) -> Result {
    let update = log.update_with(UpdateOptions::new().wait(true).timeout(Some(args.timeout)));
    tokio::select! {
        updated = update => match updated {
            Ok(_) if !log.is_empty() => Ok(()),
            Ok(_) | Err(hypercore::Error::RequestTimeout { .. }) => Err(Failure::NotDelivered(format!(
                "{} does not serve a log with this key, or it is empty", args.connect
            ))),
            Err(error) => Err(error.into()),
        },
        closed = replication.closed() => Err(ended(closed)),
    }
}

/// Fetches what is missing, and counts it.
async fn copy(
    log: &Hypercore,
    replication: &Replication,
    patience: Duration,
    progress: &mut Progress,
) -> Result {
    let mut events = log.events();
    let mut here = log.contiguous_length();
    progress.length(log.length(), here);
    let download = log.download(..log.length()).done();
    tokio::pin!(download);
    loop {
        tokio::select! {
            done = &mut download => return Ok(done?),
            event = timeout(patience, events.next()) => match event {
                Ok(Some(Event::Download { byte_length, .. })) => {
                    here = here.saturating_add(1).min(log.length());
                    progress.block(byte_length, here);
                }
                Ok(Some(Event::Lagged { missed })) => here = here.saturating_add(missed).min(log.length()),
                Ok(Some(_)) => {}
                Ok(None) => return Err(Failure::NotDelivered("the log was closed".into())),
                Err(_) => return Err(Failure::NotDelivered(format!(
                    "nothing arrived for {} s; {} of {} blocks are here", patience.as_secs(), here, log.length()
                ))),
            },
            closed = replication.closed() => return Err(ended(closed)),
        }
    }
}

/// Goes on fetching what is appended, until the connection ends.
async fn follow(log: &Hypercore, replication: &Replication) -> Result {
    let _all = log.download(..);
    let mut events = log.events();
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Event::Append { length, byte_length }) => {
                    show::note(format_args!("{length} blocks, {}", HumanBytes(byte_length)));
                }
                Some(_) => {}
                None => return Ok(()),
            },
            closed = replication.closed() => return Err(ended(closed)),
        }
    }
}

fn ended(closed: hypercore::Result<()>) -> Failure {
    match closed {
        Ok(()) => Failure::NotDelivered("the peer closed the connection".into()),
        Err(error) => Failure::NotDelivered(error.to_string()),
    }
}
