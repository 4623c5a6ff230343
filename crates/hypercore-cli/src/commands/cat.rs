//! `hypercore cat`: the blocks of a log on standard output.

use std::io::Write;

use corestore::{Corestore, Role};
use futures_util::TryStreamExt;

use crate::args::Cat;
use crate::failure::Result;
use crate::place;

pub(crate) async fn run(args: Cat) -> Result {
    let store = place::existing(&args.dir, Corestore::builder()).await?;
    let log = place::stored(&store, &args.which, &args.dir).await?;
    if let Some(address) = &args.connect {
        let transport = place::connect(address).await?;
        let finding = log.finding_peers();
        store.replicate(transport, Role::Initiator)?;
        log.update().await?;
        drop(finding);
    }
    let end = args.end.unwrap_or(u64::MAX);
    let mut blocks = match args.end {
        Some(_) => log.read_stream(args.start..end),
        None => log.read_stream(args.start..).live(args.live),
    };
    if args.connect.is_none() && !args.live {
        blocks = blocks.wait(false);
    }
    let mut out = std::io::stdout().lock();
    while let Some(block) = blocks.try_next().await? {
        out.write_all(&block)?;
        if !args.raw {
            out.write_all(b"\n")?;
        }
        if args.live {
            out.flush()?;
        }
    }
    out.flush()?;
    store.close().await?;
    Ok(())
}
