//! `hypercore tail`: what another process appends, as it comes.

use corestore::Hypercore;
use hypercore::GetOptions;

use crate::args::Tail;
use crate::failure::Result;
use crate::show::Blocks;
use crate::{place, show};

pub(crate) async fn run(args: Tail) -> Result {
    let store = place::to_read(&args.dir).await?;
    let log = place::stored(&store, &args.which, &args.dir).await?;
    let mut next = log.length().saturating_sub(args.last);
    let mut fork = log.fork();
    let mut out = Blocks::new();
    loop {
        if log.fork() != fork {
            // what was shown may have been cut away: what came instead is shown
            fork = log.fork();
            next = next.min(log.length());
        }
        let shown = show_from(&log, &mut next, &mut out).await;
        // what came before an error is shown
        out.flush().await?;
        shown?;
        if args.every.is_zero() {
            store.close().await?;
            return Ok(());
        }
        tokio::time::sleep(args.every).await;
        log.catch_up_with_store().await?;
    }
}

/// Shows what is stored here from a block on, and says which blocks are not.
async fn show_from(log: &Hypercore, next: &mut u64, out: &mut Blocks) -> Result {
    let mut missing = None;
    while *next < log.length() {
        match log.get_with(*next, GetOptions::new().wait(false)).await? {
            Some(block) => {
                say_missing(missing.take(), *next);
                out.write(&block, b"\n").await?;
            }
            None => {
                missing.get_or_insert(*next);
            }
        }
        *next += 1;
    }
    say_missing(missing, *next);
    Ok(())
}

/// Says that blocks are left out: from the first up to the one before `end`.
fn say_missing(first: Option<u64>, end: u64) {
    match (first, end.saturating_sub(1)) {
        (None, _) => {}
        (Some(first), last) if first == last => show::note(format_args!("block {first} is not stored here")),
        (Some(first), last) => show::note(format_args!("blocks {first} to {last} are not stored here")),
    }
}
