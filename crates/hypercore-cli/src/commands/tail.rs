//! `hypercore tail`: what another process appends, as it comes.

use std::io::Write;

use corestore::Corestore;

use crate::args::Tail;
use crate::failure::Result;
use crate::place;

pub(crate) async fn run(args: Tail) -> Result {
    let store = place::existing(&args.dir, Corestore::builder().follow(true)).await?;
    let log = place::stored(&store, &args.which, &args.dir).await?;
    let mut next = log.length().saturating_sub(args.last);
    let mut fork = log.fork();
    loop {
        if log.fork() != fork {
            // what was shown may have been cut away: what came instead is shown
            fork = log.fork();
            next = next.min(log.length());
        }
        show_from(&log, &mut next).await?;
        if args.every.is_zero() {
            store.close().await?;
            return Ok(());
        }
        tokio::time::sleep(args.every).await;
        log.catch_up_with_store().await?;
    }
}

/// Shows what is stored here from a block on.
async fn show_from(log: &hypercore::Hypercore, next: &mut u64) -> Result {
    let mut out = std::io::stdout().lock();
    while *next < log.length() {
        let options = hypercore::GetOptions::new().wait(false);
        if let Some(block) = log.get_with(*next, options).await? {
            out.write_all(&block)?;
            out.write_all(b"\n")?;
        }
        *next += 1;
    }
    out.flush()?;
    Ok(())
}
