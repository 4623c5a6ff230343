//! That the vectors which tests compare with are what the pinned Node packages make.
//!
//! Each script under `interop/generate/` writes its files into the folder that it is given; they must equal those under
//! `crates/*/tests/vectors/`.

use std::path::Path;

use crate::{Outcome, setup, shell};

pub(crate) fn run() -> Outcome {
    setup::run(setup::Node::Needed)?;
    let scripts = shell::tracked_files()?;
    let scripts: Vec<&String> = scripts
        .iter()
        .filter(|file| file.starts_with("interop/generate/") && file.ends_with(".mjs"))
        .collect();
    let before = shell::output("git", &["status", "--porcelain", "--", "crates/*/tests/vectors"])?;
    let mut made = 0;
    for script in &scripts {
        if Path::new(script).file_stem().is_some_and(|stem| stem.to_string_lossy().starts_with('_')) {
            continue;
        }
        shell::run("node", &[script])?;
        made += 1;
    }
    let after = shell::output("git", &["status", "--porcelain", "--", "crates/*/tests/vectors"])?;
    if before != after {
        return Err(format!("vectors: Node makes others than those that are committed:\n{after}"));
    }
    println!("vectors: {made} scripts make what is committed");
    Ok(())
}
