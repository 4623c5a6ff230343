//! `hypercore export`: a log as one file.

use std::path::Path;

use corestore::Corestore;
use tokio::io::{AsyncWrite, BufWriter};

use crate::args::Export;
use crate::failure::{Failure, Result};
use crate::{place, show};

pub(crate) async fn run(args: Export) -> Result {
    let store = place::existing(&args.dir, Corestore::builder().read_only(true)).await?;
    let log = place::stored(&store, &args.which, &args.dir).await?;
    let failed = |error| Failure::File { what: args.file.display().to_string(), error };
    let to: Box<dyn AsyncWrite + Unpin + Send> = if args.file == Path::new("-") {
        Box::new(tokio::io::stdout())
    } else {
        Box::new(tokio::fs::File::create(&args.file).await.map_err(failed)?)
    };
    let end = args.end.unwrap_or_else(|| log.length());
    let done = log.export(args.start..end, BufWriter::new(to)).await?;
    show::note(format_args!(
        "{} of {} blocks written, {} bytes; the key is {}",
        done.blocks,
        done.length,
        done.bytes,
        place::key_text(log.key()),
    ));
    store.close().await?;
    Ok(())
}
