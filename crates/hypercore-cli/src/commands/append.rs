//! `hypercore append`: lines or whole files become blocks.

use std::path::PathBuf;

use corestore::{Corestore, Hypercore};
use hypercore::Durability;

use crate::args::Append;
use crate::failure::{Failure, Result};
use crate::input::{Form, Input};
use crate::signals::Stop;
use crate::{place, show};

pub(crate) async fn run(args: Append, mut stop: Stop) -> Result {
    let durability = if args.sync { Durability::Sync } else { Durability::Buffered };
    let store = place::existing(&args.dir, Corestore::builder().durability(durability)).await?;
    let log = place::stored(&store, &args.which, &args.dir).await?;
    if !log.writable() {
        // said before anything is read from standard input
        return Err(hypercore::Error::SessionNotWritable { discovery_key: *log.discovery_key() }.into());
    }
    let before = log.length();
    let files = if args.files.is_empty() { vec![PathBuf::from("-")] } else { args.files };
    let form = if args.whole { Form::Whole } else { Form::Lines };
    let mut input = Input::read(files, form, args.skip)?;
    let done = append_all(&log, &mut input, &mut stop).await;
    let appended = say_what_is_stored(&log, before);
    let skip = args.skip.saturating_add(appended);
    if done.is_err() && skip > 0 {
        show::note(format_args!("the rest of the input is not: to go on, run the same with --skip {skip}"));
    }
    let closed = store.close().await;
    done?;
    Ok(closed?)
}

/// Appends what arrives as it arrives, until the input or a signal ends it. What was begun is stored whole or not at all.
///
/// # Errors
/// [`Failure::Interrupted`]; those of [`Input::next`]; those of the library.
pub(super) async fn append_all(log: &Hypercore, input: &mut Input, stop: &mut Stop) -> Result {
    loop {
        let blocks = tokio::select! {
            biased;
            signal = stop.asked() => return Err(Failure::Interrupted(signal)),
            blocks = input.next() => blocks?,
        };
        if blocks.is_empty() {
            return Ok(());
        }
        log.append_batch(blocks).await?;
    }
}

/// Says how far an append came; how many blocks it stored.
pub(super) fn say_what_is_stored(log: &Hypercore, before: u64) -> u64 {
    let appended = log.length().saturating_sub(before);
    show::note(format_args!(
        "{appended} blocks appended; the log has {} blocks, {} bytes",
        log.length(),
        log.byte_length(),
    ));
    appended
}
