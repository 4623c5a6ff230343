//! `hypercore export`: a log as one file.

use std::ops::Range;
use std::path::{Path, PathBuf};

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

/// Writes beside the file, and puts that in its place when it is whole: what was there is not lost to a disk that is full.
async fn to_file(log: &Hypercore, blocks: Range<u64>, path: &Path) -> Result<Archived> {
    let failed = |error| Failure::File { what: path.display().to_string(), error };
    // where a link leads, not the link; a file that is new is nowhere yet
    let place = tokio::fs::canonicalize(path).await.unwrap_or_else(|_| path.to_owned());
    // a device or a FIFO is written as it is
    let special = tokio::fs::metadata(&place).await.is_ok_and(|metadata| !metadata.is_file());
    let beside = if special { place.clone() } else { part_of(&place) };
    let mut file = File::create(&beside).await.map_err(failed)?;
    let written = log.export(blocks, BufWriter::new(&mut file)).await;
    let written = written.map_err(|error| match error {
        Error::Archive { .. } => Failure::from(error).at(path),
        error => error.into(),
    });
    if special {
        return written;
    }
    let kept = match written {
        Ok(done) => keep(&file, &beside, &place).await.map(|()| done).map_err(failed),
        failed => failed,
    };
    if kept.is_err() {
        // what is left of it is of no use; that it cannot be removed is less than why it failed
        let _ = tokio::fs::remove_file(&beside).await;
    }
    kept
}

async fn keep(file: &File, beside: &Path, place: &Path) -> std::io::Result<()> {
    file.sync_all().await?;
    tokio::fs::rename(beside, place).await
}

/// The name under which a file is written.
fn part_of(path: &Path) -> PathBuf {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    part.into()
}
