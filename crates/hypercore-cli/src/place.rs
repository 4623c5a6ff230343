//! Opening a directory, and the log in it that is meant.

use std::path::Path;

use corestore::{Corestore, CorestoreBuilder, Hypercore, OpenOptions, Target};
use hypercore::Key;

use crate::args::Which;
use crate::failure::{Failure, Result};

/// Opens a store that must be there already, to write to it.
pub(crate) async fn existing(dir: &Path, options: CorestoreBuilder) -> Result<Corestore> {
    must_hold_a_store(dir)?;
    Ok(options.open(dir).await?)
}

/// Opens a store that must be there already, only to read: also beside a process that writes to it, and where nothing can be
/// written. A follower looks again when files go while it opens them.
pub(crate) async fn to_read(dir: &Path) -> Result<Corestore> {
    existing(dir, Corestore::builder().follow(true)).await
}

/// Opens a store, or makes one.
pub(crate) async fn made(dir: &Path) -> Result<Corestore> {
    if std::fs::metadata(dir).is_ok_and(|metadata| !metadata.is_dir()) {
        let what = dir.display().to_string();
        return Err(Failure::File { what, error: std::io::ErrorKind::NotADirectory.into() });
    }
    Ok(Corestore::open(dir).await?)
}

/// Fails if a directory holds no store.
pub(crate) fn must_hold_a_store(dir: &Path) -> Result {
    let shown = dir.display();
    match std::fs::metadata(dir) {
        Ok(metadata) if !metadata.is_dir() => {
            return Err(Failure::Missing(format!("{shown} holds no store: it is not a directory")));
        }
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Failure::File { what: shown.to_string(), error });
        }
        _ => {}
    }
    // of a directory of version 10 the library says what it is
    if dir.join("db").is_dir() || dir.join("oplog").is_file() {
        return Ok(());
    }
    Err(Failure::Missing(format!("{shown} holds no store; make one with `hypercore create {shown}`")))
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

/// The key as people pass it on.
pub(crate) fn key_text(key: &Key) -> String {
    key.to_z32()
}
