//! `hypercore truncate`: the end of a log goes.

use corestore::Corestore;
use hypercore::TruncateOptions;

use crate::args::Truncate;
use crate::failure::Result;
use crate::{place, show};

pub(crate) async fn run(args: Truncate) -> Result {
    let store = place::existing(&args.dir, Corestore::builder()).await?;
    let log = place::stored(&store, &args.which, &args.dir).await?;
    let before = log.length();
    let options = args.fork.map_or_else(TruncateOptions::new, |fork| TruncateOptions::new().fork(fork));
    log.truncate_with(args.length, options).await?;
    show::note(format_args!(
        "{} blocks cut away; the log has {} blocks, on fork {}",
        before.saturating_sub(log.length()),
        log.length(),
        log.fork(),
    ));
    store.close().await?;
    Ok(())
}
