//! `hypercore info`: what is known of a log.

use serde_json::json;

use crate::args::Info;
use crate::failure::Result;
use crate::{place, show};

pub(crate) async fn run(args: Info) -> Result {
    let store = place::to_read(&args.dir).await?;
    let log = place::stored(&store, &args.which, &args.dir).await?;
    let info = log.info().await?;
    let names = store.names()?;
    let name = names.iter().find(|(_, key)| *key == info.discovery_key).map(|(name, _)| name.as_str());
    if args.json {
        show::json(&json!({
            "name": name,
            "key": place::key_text(&info.key),
            "discoveryKey": info.discovery_key.to_string(),
            "length": info.length,
            "contiguousLength": info.contiguous_length,
            "byteLength": info.byte_length,
            "fork": info.fork,
            "padding": info.padding,
        }))?;
    } else {
        let text = |label, value: &dyn std::fmt::Display| show::line(format_args!("{label:<18}{value}"));
        text("name", &show::name(name.unwrap_or("(none)")))?;
        text("key", &place::key_text(&info.key))?;
        text("discovery key", &info.discovery_key)?;
        text("blocks", &info.length)?;
        text("of these in a row", &info.contiguous_length)?;
        text("bytes", &info.byte_length)?;
        text("fork", &info.fork)?;
    }
    store.close().await?;
    Ok(())
}
