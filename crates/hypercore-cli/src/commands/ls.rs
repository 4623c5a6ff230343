//! `hypercore ls`: the logs of a directory.

use corestore::OpenOptions;
use serde_json::json;

use crate::args::Ls;
use crate::failure::Result;
use crate::{place, show};

pub(crate) async fn run(args: Ls) -> Result {
    let store = place::to_read(&args.dir).await?;
    let names = store.names()?;
    let mut rows = Vec::new();
    for key in store.list(None)? {
        let log = store.get_with(key, OpenOptions::new()).await?;
        let name = names.iter().find(|(_, stored)| *stored == key).map(|(name, _)| name.clone());
        rows.push((name, place::key_text(log.key()), log.length(), log.contiguous_length()));
    }
    rows.sort();
    if args.json {
        let rows = rows.iter().map(|(name, key, length, contiguous)| {
            json!({ "name": name, "key": key, "length": length, "contiguousLength": contiguous })
        });
        show::json(&rows.collect())?;
    } else {
        for (name, key, length, contiguous) in rows {
            let name = show::name(name.as_deref().unwrap_or("-"));
            show::line(format_args!("{key}  {contiguous:>10} of {length:>10} blocks  {name}"))?;
        }
    }
    store.close().await?;
    Ok(())
}
