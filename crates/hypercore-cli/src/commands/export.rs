//! `hypercore export`: a log as one file.

use std::ops::Range;
use std::path::Path;

use hypercore::{Archived, Error, Hypercore};
use tokio::fs::File;
use tokio::io::BufWriter;

use crate::args::Export;
use crate::failure::{Failure, Result};
use crate::{place, show, values};

pub(crate) async fn run(args: Export) -> Result {
    values::in_order(args.start, args.end)?;
    let store = place::to_read(&args.dir).await?;
    let log = place::stored(&store, &args.which, &args.dir).await?;
    values::within(args.start, args.end, log.length())?;
    let blocks = args.start..args.end.unwrap_or_else(|| log.length());
    let done = if args.file == Path::new("-") {
        to_output(&log, blocks).await?
    } else {
        to_file(&log, blocks, &args.file).await?
    };
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

async fn to_output(log: &Hypercore, blocks: Range<u64>) -> Result<Archived> {
    let done = log.export(blocks, BufWriter::new(tokio::io::stdout())).await;
    done.map_err(|error| match error {
        Error::Archive { source, .. } => Failure::Output(std::io::Error::new(source.kind(), source)),
        error => error.into(),
    })
}

async fn to_file(log: &Hypercore, blocks: Range<u64>, path: &Path) -> Result<Archived> {
    let failed = |error| Failure::File { what: path.display().to_string(), error };
    let file = File::create(path).await.map_err(failed)?;
    let written = log.export(blocks, BufWriter::new(file)).await;
    written.map_err(|error| match error {
        Error::Archive { .. } => Failure::from(error).at(path),
        error => error.into(),
    })
}
