//! That the vectors which tests compare with are what the pinned Node packages make.
//!
//! Each script under `interop/generate/` writes its files under `crates/*/tests/vectors/`. They must come out as they were; if
//! not, the new ones are left there to be looked at. A script whose name begins with `_` is a part of others.

use std::collections::BTreeMap;

use crate::{Outcome, setup, shell};

pub(crate) fn run() -> Outcome {
    setup::run(setup::Node::Needed)?;
    let scripts: Vec<String> = shell::tracked_files()?.into_iter().filter(|file| is_script(file)).collect();
    let before = vectors()?;
    for script in &scripts {
        shell::run("node", &[script])?;
    }
    let after = vectors()?;
    let same = |file: &&String| before.get(*file) == after.get(*file);
    let changed: Vec<&String> = before.keys().chain(after.keys()).filter(|file| !same(file)).collect();
    if let Some(first) = changed.first() {
        return Err(format!("vectors: Node makes another {first} ({} files in all)", changed.len()));
    }
    if after.is_empty() || scripts.is_empty() {
        return Err("vectors: there are none".into());
    }
    println!("vectors: {} scripts make the {} files that are here", scripts.len(), after.len());
    Ok(())
}

fn is_script(file: &str) -> bool {
    let name = file.strip_prefix("interop/generate/");
    name.is_some_and(|name| name.ends_with(".mjs") && !name.starts_with('_') && !name.contains('/'))
}

/// All files of vectors, and what is in them.
fn vectors() -> Result<BTreeMap<String, Vec<u8>>, String> {
    let files = shell::tracked_files()?.into_iter();
    let files = files.filter(|file| file.starts_with("crates/") && file.contains("/tests/vectors/"));
    let read = |file: String| match std::fs::read(shell::root().join(&file)) {
        Ok(content) => Ok((file, content)),
        Err(error) => Err(format!("{file}: {error}")),
    };
    files.map(read).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn scripts_are_told_from_their_parts() {
        assert!(super::is_script("interop/generate/tree.mjs"));
        assert!(!super::is_script("interop/generate/_shared.mjs"));
        assert!(!super::is_script("interop/agent.mjs"));
    }
}
