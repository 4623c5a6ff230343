//! `hypercore clear`: blocks go, the log stays.

use corestore::Corestore;

use crate::args::Clear;
use crate::failure::Result;
use crate::{place, show, values};

pub(crate) async fn run(args: Clear) -> Result {
    values::in_order(args.start, args.end)?;
    let store = place::existing(&args.dir, Corestore::builder()).await?;
    let log = place::stored(&store, &args.which, &args.dir).await?;
    let end = args.end.unwrap_or_else(|| args.start.saturating_add(1));
    let cleared = log.clear(args.start..end).await?;
    show::note(format_args!("{cleared} blocks taken away; the log has {} blocks", log.length()));
    store.close().await?;
    Ok(())
}
