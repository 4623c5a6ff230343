//! `hypercore rm`: a log goes, with everything that belongs to it.

use corestore::Corestore;

use crate::args::Rm;
use crate::failure::Result;
use crate::{place, show};

pub(crate) async fn run(args: Rm) -> Result {
    let store = place::existing(&args.dir, Corestore::builder()).await?;
    let log = place::stored(&store, &args.which, &args.dir).await?;
    let what = format!("the log {} ({} blocks)", place::key_text(log.key()), log.length());
    if args.yes {
        log.purge().await?;
        show::note(format_args!("{what} is gone"));
    } else {
        show::note(format_args!("{what} would go; say --yes to do it"));
        log.close().await?;
    }
    store.close().await?;
    Ok(())
}
