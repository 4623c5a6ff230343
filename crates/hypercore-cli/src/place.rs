//! Opening a directory, and the log in it that is meant.

use std::path::Path;

use corestore::{Corestore, CorestoreBuilder, Hypercore, OpenOptions, Target};
use hypercore::Key;
use tokio::net::TcpStream;

use crate::args::Which;
use crate::failure::{Failure, Result};

/// Opens a store that must be there already.
pub(crate) async fn existing(dir: &Path, options: CorestoreBuilder) -> Result<Corestore> {
    must_hold_a_store(dir)?;
    Ok(options.open(dir).await?)
}

/// Fails if a directory holds no store, or one of an older version.
pub(crate) fn must_hold_a_store(dir: &Path) -> Result {
    hypercore::storage::refuse_older(dir)?;
    if !dir.join("db").is_dir() {
        return Err(Failure::Missing(format!(
            "{} holds no store; make one with `hypercore create {0}`",
            dir.display()
        )));
    }
    Ok(())
}

/// The log that is meant, which must be stored already.
pub(crate) async fn stored(store: &Corestore, which: &Which, dir: &Path) -> Result<Hypercore> {
    let target = match (&which.name, &which.key) {
        (Some(name), _) => named(store, name, dir)?,
        (None, Some(key)) => Target::Key(*key),
        (None, None) => first(store, dir)?,
    };
    Ok(store.get_with(target, OpenOptions::new().create_if_missing(false)).await?)
}

fn named(store: &Corestore, name: &str, dir: &Path) -> Result<Target> {
    let names = store.names()?;
    if names.iter().any(|(stored, _)| stored == name) {
        return Ok(Target::Name(name.to_owned()));
    }
    Err(Failure::Missing(format!("no log named {name:?} in {}; see `hypercore ls`", dir.display())))
}

fn first(store: &Corestore, dir: &Path) -> Result<Target> {
    let first = store.default_core()?;
    let Some(key) = first else {
        return Err(Failure::Missing(format!("{} holds no log yet", dir.display())));
    };
    // by name where it has one, so that it can be appended to
    let name = store.names()?.into_iter().find(|(_, stored)| *stored == key);
    Ok(name.map_or(Target::DiscoveryKey(key), |(name, _)| Target::Name(name)))
}

/// Connects to a peer.
pub(crate) async fn connect(address: &str) -> Result<TcpStream> {
    let unreachable = |error| Failure::Unreachable { address: address.to_owned(), error };
    let stream = TcpStream::connect(address).await.map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    Ok(stream)
}

/// The key as people pass it on.
pub(crate) fn key_text(key: &Key) -> String {
    key.to_z32()
}
