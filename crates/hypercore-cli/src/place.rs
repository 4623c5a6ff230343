//! Opening a directory, and the log in it that is meant.

use std::path::Path;

use corestore::{Corestore, CorestoreBuilder, Hypercore, OpenOptions, Target};
use hypercore::{DiscoveryKey, Key};

use crate::args::Which;
use crate::failure::{Failure, Result};
use crate::show;

/// How many logs an error lists.
const SHOWN_CHOICES: usize = 10;

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

/// Fails if a directory holds no store, or one of an older version.
pub(crate) fn must_hold_a_store(dir: &Path) -> Result {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    hypercore::storage::refuse_older(dir)?;
    let shown = dir.display();
    let missing = |why: String| Err(Failure::Missing(format!("{shown} holds no store{why}")));
    match std::fs::metadata(dir.join("db")) {
        Ok(database) if database.is_dir() => Ok(()),
        Err(error) if !matches!(error.kind(), NotFound | NotADirectory) => {
            Err(Failure::File { what: shown.to_string(), error })
        }
        _ if dir.exists() && !dir.is_dir() => missing(": it is not a directory".into()),
        _ => missing(format!("; make one with `hypercore create {shown}`")),
    }
}

/// The log that is meant, which must be stored already.
pub(crate) async fn stored(store: &Corestore, which: &Which, dir: &Path) -> Result<Hypercore> {
    let target = match (&which.name, &which.key) {
        (Some(name), _) => named(store, name, dir)?,
        (None, Some(key)) => Target::Key(*key),
        (None, None) => default(store, dir).await?,
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

/// The log that was made first; where that is gone, the only one that is left.
async fn default(store: &Corestore, dir: &Path) -> Result<Target> {
    let names = store.names()?;
    match candidates(store.default_core()?, store.list(None)?).as_slice() {
        [] => Err(Failure::Missing(format!("{} holds no log yet", dir.display()))),
        // by name where it has one, so that it can be appended to
        [key] => Ok(match name_of(key, &names) {
            Some(name) => Target::Name(name.to_owned()),
            None => Target::DiscoveryKey(*key),
        }),
        many => Err(which_one(store, many, &names, dir).await?),
    }
}

/// The logs that can be meant where none is named. A default that is not stored is one that Node removed: it leaves the
/// store's head as it was.
fn candidates(default: Option<DiscoveryKey>, stored: Vec<DiscoveryKey>) -> Vec<DiscoveryKey> {
    match default.filter(|key| stored.contains(key)) {
        Some(key) => vec![key],
        None => stored,
    }
}

/// Asks which of several logs is meant.
async fn which_one(
    store: &Corestore,
    stored: &[DiscoveryKey],
    names: &[(String, DiscoveryKey)],
    dir: &Path,
) -> Result<Failure> {
    let mut choices = Vec::new();
    for key in stored.iter().take(SHOWN_CHOICES) {
        choices.push(match name_of(key, names) {
            Some(name) => format!("--name {}", show::name(name)),
            None => {
                let log = store.get_with(*key, OpenOptions::new().create_if_missing(false)).await?;
                format!("--key {}", key_text(log.key()))
            }
        });
    }
    choices.sort();
    if stored.len() > SHOWN_CHOICES {
        choices.push("… (see `hypercore ls`)".into());
    }
    Ok(Failure::Missing(format!(
        "the log that was made first in {} is gone; say which one is meant: {}",
        dir.display(),
        choices.join(", ")
    )))
}

fn name_of<'a>(key: &DiscoveryKey, names: &'a [(String, DiscoveryKey)]) -> Option<&'a str> {
    names.iter().find(|(_, stored)| stored == key).map(|(name, _)| name.as_str())
}

/// The key as people pass it on.
pub(crate) fn key_text(key: &Key) -> String {
    key.to_z32()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_the_first_log_as_long_as_it_is_there() {
        let [one, two, gone] = [1, 2, 3].map(|byte| DiscoveryKey::from([byte; 32]));
        assert_eq!(candidates(Some(two), vec![one, two]), [two]);
        assert_eq!(candidates(Some(gone), vec![one]), [one], "removed by Node");
        assert_eq!(candidates(Some(gone), vec![one, two]), [one, two]);
        assert_eq!(candidates(None, vec![one]), [one]);
        assert_eq!(candidates(None, vec![]), []);
    }
}
