//! `hypercore compact`: space of what was deleted is reclaimed.

use corestore::Corestore;

use crate::args::Compact;
use crate::failure::Result;
use crate::place;

pub(crate) async fn run(args: Compact) -> Result {
    let store = place::existing(&args.dir, Corestore::builder()).await?;
    store.compact().await?;
    store.close().await?;
    Ok(())
}
