//! `hypercore import`: such a file is verified and stored.

use std::path::Path;

use hypercore::{Error, Hypercore, OpenOptions};
use tokio::io::{AsyncRead, BufReader};

use crate::args::Import;
use crate::failure::{Failure, Result};
use crate::{place, show};

pub(crate) async fn run(args: Import) -> Result {
    let failed = |error| Failure::File { what: args.file.display().to_string(), error };
    let from: Box<dyn AsyncRead + Unpin + Send> = if args.file == Path::new("-") {
        Box::new(tokio::io::stdin())
    } else {
        Box::new(tokio::fs::File::open(&args.file).await.map_err(failed)?)
    };
    let wrong = |error| match &error {
        Error::Archive { .. } | Error::BadArgument(_) => Failure::from(error).at(&args.file),
        _ => error.into(),
    };
    let import = hypercore::Import::open(BufReader::new(from)).await.map_err(wrong)?;
    let key = *import.key();
    if args.key.is_some_and(|wanted| wanted != key) {
        let key = place::key_text(&key);
        return Err(Failure::DoesNotFit(format!("the file is of another log, {key}")));
    }
    let done = match &args.dir {
        Some(dir) => {
            let store = place::made(dir).await?;
            let log = store.get(key).await?;
            let done = import.into_core(&log).await.map_err(wrong)?;
            store.close().await?;
            done
        }
        None => {
            let log: Hypercore = OpenOptions::new().key(key).memory().await?;
            import.into_core(&log).await.map_err(wrong)?
        }
    };
    let what = if args.dir.is_some() { "stored" } else { "verified" };
    show::note(format_args!("{} of {} blocks {what}, {} bytes", done.blocks, done.length, done.bytes));
    show::line(place::key_text(&key))
}
