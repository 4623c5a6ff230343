//! Which crate may depend on which, and that the pure ones are pure.
//!
//! The table is that of `docs/ARCHITECTURE.md`. A pure crate has no runtime, engine or socket library in its tree, and does
//! not name the file system, sockets or the clock.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{Outcome, shell};

/// A crate, whether it is pure, and the crates of ours that it may depend on.
const LAYERS: &[(&str, bool, &[&str])] = &[
    ("compact-encoding-rs", true, &[]),
    ("hc-crypto", true, &["compact-encoding-rs"]),
    ("hc-tree", true, &["compact-encoding-rs", "hc-crypto"]),
    ("hc-storage", true, &["compact-encoding-rs", "hc-crypto", "hc-tree"]),
    ("hc-storage-rocks", false, &["hc-storage"]),
    ("hc-protocol", true, &["compact-encoding-rs", "hc-crypto", "hc-tree"]),
    ("hc-replicator", true, &["hc-crypto", "hc-tree", "hc-protocol"]),
    (
        "hypercore",
        false,
        &[
            "compact-encoding-rs",
            "hc-crypto",
            "hc-tree",
            "hc-storage",
            "hc-storage-rocks",
            "hc-protocol",
            "hc-replicator",
        ],
    ),
    ("corestore", false, &["hc-crypto", "hc-storage", "hypercore"]),
    ("hypercore-cli", false, &["corestore", "hypercore"]),
    ("hc-sim", false, &["hc-crypto", "hc-tree", "hc-protocol", "hc-replicator"]),
    (
        "hc-fuzz",
        false,
        &[
            "compact-encoding-rs",
            "hc-crypto",
            "hc-tree",
            "hc-storage",
            "hc-protocol",
            "hc-replicator",
            "hypercore",
        ],
    ),
    ("hc-agent", false, &["corestore", "hypercore"]),
    ("hc-torture", false, &["hc-crypto", "corestore", "hypercore"]),
    ("hc-interop", false, &[]),
    ("hc-raw", false, &["hc-crypto", "hc-tree", "hc-storage", "hc-storage-rocks", "hc-protocol"]),
    ("xtask", false, &["hc-interop"]),
];

/// What a pure crate never has below it.
const IMPURE: &[&str] = &["tokio", "rocksdb", "librocksdb-sys", "mio", "socket2"];
/// What a pure crate never names.
const IMPURE_PATHS: &[&str] = &[
    "std::fs",
    "std::net",
    "std::process",
    "Instant::now",
    "SystemTime",
    "getrandom::",
    "thread_rng",
    "OsRng",
];

pub(crate) fn run() -> Outcome {
    let metadata = shell::output("cargo", &["metadata", "--format-version", "1", "--locked"])?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| error.to_string())?;
    let mut faults = Vec::new();
    check_edges(&metadata, &mut faults);
    check_document(&mut faults)?;
    for (name, pure, _) in LAYERS {
        if *pure {
            check_tree(name, &mut faults)?;
            check_sources(name, &mut faults)?;
        }
    }
    if faults.is_empty() {
        println!("layers: {} crates depend only on what they may", LAYERS.len());
        return Ok(());
    }
    Err(format!("layers:\n  {}", faults.join("\n  ")))
}

/// Direct dependencies between our crates. Tests may use more.
fn check_edges(metadata: &Value, faults: &mut Vec<String>) {
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        LAYERS.iter().map(|(name, _, may)| (*name, may.iter().copied().collect())).collect();
    let members = metadata["workspace_members"].as_array().into_iter().flatten();
    let members: BTreeSet<&str> = members.filter_map(Value::as_str).collect();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        if !package["id"].as_str().is_some_and(|id| members.contains(id)) {
            continue;
        }
        let name = package["name"].as_str().unwrap_or_default();
        let Some(may) = allowed.get(name) else {
            faults
                .push(format!("{name} has no layer; add it to xtask/src/layers.rs and docs/ARCHITECTURE.md"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let on = dependency["name"].as_str().unwrap_or_default();
            if dependency["kind"].is_null() && allowed.contains_key(on) && !may.contains(on) {
                faults.push(format!("{name} depends on {on}"));
            }
        }
    }
}

/// The table of ARCHITECTURE.md says the same as the one here.
fn check_document(faults: &mut Vec<String>) -> Outcome {
    let path = shell::root().join("docs/ARCHITECTURE.md");
    let text = std::fs::read_to_string(path).map_err(|error| format!("docs/ARCHITECTURE.md: {error}"))?;
    for (name, pure, may) in LAYERS {
        let fields =
            |line: &str| line.trim_matches('|').split('|').map(|field| field.trim().to_owned()).collect();
        let row = text.lines().filter(|line| line.starts_with(&format!("| `{name}`"))).map(fields).next();
        let row: Vec<String> = row.unwrap_or_default();
        let field = |i: usize| row.get(i).map_or("", String::as_str);
        if (field(1) == "yes") != *pure || field(2) != may.join(", ") {
            faults.push(format!("docs/ARCHITECTURE.md does not say of {name} what xtask/src/layers.rs says"));
        }
    }
    Ok(())
}

fn check_tree(name: &str, faults: &mut Vec<String>) -> Outcome {
    let tree =
        shell::output("cargo", &["tree", "--locked", "-p", name, "-e", "normal,build", "--prefix", "none"])?;
    let below: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    for impure in IMPURE.iter().filter(|impure| below.contains(*impure)) {
        faults.push(format!("{name} is pure, but has {impure} below it"));
    }
    Ok(())
}

fn check_sources(name: &str, faults: &mut Vec<String>) -> Outcome {
    let folder = format!("crates/{name}/src/");
    for file in shell::tracked_files()?.iter().filter(|file| file.starts_with(&folder)) {
        let text =
            std::fs::read_to_string(shell::root().join(file)).map_err(|error| format!("{file}: {error}"))?;
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for path in IMPURE_PATHS.iter().filter(|path| code.contains(*path)) {
                faults.push(format!("{file}:{}: {name} is pure, but names {path}", number + 1));
            }
        }
    }
    Ok(())
}
