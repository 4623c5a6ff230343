//! `hypercore create`: a log of one's own.

use serde_json::json;

use crate::args::Create;
use crate::failure::Result;
use crate::{place, show};

pub(crate) async fn run(args: Create) -> Result {
    let store = place::made(&args.dir).await?;
    let log = store.get(&args.name).await?;
    let key = place::key_text(log.key());
    if args.json {
        show::json(&json!({ "name": args.name, "key": key, "length": log.length() }))?;
    } else {
        show::line(&key)?;
        show::note(format_args!(
            "log {:?} in {}, {} blocks. Append with `hypercore append`, share with `hypercore serve` and the key above.",
            args.name,
            args.dir.display(),
            log.length(),
        ));
    }
    store.close().await?;
    Ok(())
}
