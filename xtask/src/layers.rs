//! Which crate may depend on which, and that the pure ones are pure.
//!
//! The table is that of `docs/ARCHITECTURE.md`: it lists each dependency that there is, and no other. A pure crate has no
//! runtime, engine or socket library in its tree, and does not name the file system, sockets or the clock. What a crate declares to
//! depend on, its sources name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{Outcome, shell};

/// A crate, whether it is pure, and the crates of ours that it depends on.
const LAYERS: &[(&str, bool, &[&str])] = &[
    ("compact-encoding-rs", true, &[]),
    ("hc-crypto", true, &["compact-encoding-rs"]),
    ("hc-tree", true, &["compact-encoding-rs", "hc-crypto"]),
    ("hc-storage", true, &["compact-encoding-rs", "hc-crypto", "hc-tree"]),
    ("hc-storage-rocks", false, &["hc-storage"]),
    ("hc-protocol", true, &["compact-encoding-rs", "hc-crypto", "hc-tree"]),
    ("hc-replicator", true, &["hc-tree", "hc-protocol"]),
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
    ("corestore", false, &["hypercore"]),
    ("hypercore-cli", false, &["corestore", "hypercore"]),
    ("hc-sim", false, &["hc-crypto", "hc-tree", "hc-replicator"]),
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
    check_used(&metadata, &mut faults)?;
    check_document(&mut faults)?;
    for (name, pure, _) in LAYERS {
        if *pure {
            check_tree(name, &mut faults)?;
            check_sources(name, &mut faults)?;
        }
    }
    if faults.is_empty() {
        println!("layers: {} crates depend on what they may and use, and on nothing else", LAYERS.len());
        return Ok(());
    }
    Err(format!("layers:\n  {}", faults.join("\n  ")))
}

/// The packages of the workspace.
fn members(metadata: &Value) -> impl Iterator<Item = &Value> {
    let members = metadata["workspace_members"].as_array().into_iter().flatten();
    let members: BTreeSet<&str> = members.filter_map(Value::as_str).collect();
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages.filter(move |package| package["id"].as_str().is_some_and(|id| members.contains(id)))
}

/// Direct dependencies between our crates. Tests may use more.
fn check_edges(metadata: &Value, faults: &mut Vec<String>) {
    let table: BTreeMap<&str, BTreeSet<&str>> =
        LAYERS.iter().map(|(name, _, on)| (*name, on.iter().copied().collect())).collect();
    for package in members(metadata) {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(said) = table.get(name) else {
            faults
                .push(format!("{name} has no layer; add it to xtask/src/layers.rs and docs/ARCHITECTURE.md"));
            continue;
        };
        let declared = package["dependencies"].as_array().into_iter().flatten();
        let declared = declared.filter(|dependency| dependency["kind"].is_null());
        let real: BTreeSet<&str> = declared
            .filter_map(|dependency| dependency["name"].as_str())
            .filter(|on| table.contains_key(on))
            .collect();
        faults.extend(real.difference(said).map(|on| format!("{name} depends on {on}")));
        faults.extend(said.difference(&real).map(|on| format!("{name} does not depend on {on}")));
    }
}

/// What a crate declares to depend on is named in its sources: what only tests need, in its tests.
fn check_used(metadata: &Value, faults: &mut Vec<String>) -> Outcome {
    let packages: BTreeMap<&str, &Value> = (metadata["packages"].as_array().into_iter().flatten())
        .filter_map(|package| Some((package["name"].as_str()?, package)))
        .collect();
    let files = shell::tracked_files()?;
    for package in members(metadata) {
        let name = package["name"].as_str().unwrap_or_default();
        let folder = if name == "xtask" { "xtask".to_owned() } else { format!("crates/{name}") };
        let read = |under: &[&str]| sources(&files, &folder, under);
        let (code, build) = (read(&["src/"])?, read(&["build.rs"])?);
        let all = [&code[..], &read(&["tests/", "examples/", "benches/"])?].concat();
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let on = dependency["name"].as_str().unwrap_or_default();
            let renamed = dependency["rename"].as_str();
            let library = renamed.unwrap_or_else(|| library_of(packages.get(on).copied(), on));
            let used = match dependency["kind"].as_str() {
                None => names(&code, library),
                Some("build") => names(&build, library),
                Some(_) => names(&all, library),
            };
            if !used {
                faults.push(format!("{name} declares {on} and does not use it"));
            }
        }
    }
    Ok(())
}

/// The texts of a crate's source files in some of its folders.
fn sources(files: &[String], folder: &str, under: &[&str]) -> Result<Vec<String>, String> {
    let is_in = |file: &&String| {
        let inside = file.strip_prefix(folder).and_then(|file| file.strip_prefix('/'));
        inside.is_some_and(|inside| {
            inside.ends_with(".rs") && under.iter().any(|under| inside.starts_with(under))
        })
    };
    let read = |file: &String| {
        std::fs::read_to_string(shell::root().join(file)).map_err(|error| format!("{file}: {error}"))
    };
    files.iter().filter(is_in).map(read).collect()
}

/// What sources call a package: its library has a name of its own.
fn library_of<'a>(package: Option<&'a Value>, name: &'a str) -> &'a str {
    let targets = package.and_then(|package| package["targets"].as_array()).into_iter().flatten();
    let is_library = |target: &&Value| {
        let kinds = target["kind"].as_array().into_iter().flatten().filter_map(Value::as_str);
        kinds.into_iter().any(|kind| kind.contains("lib") || kind == "proc-macro")
    };
    targets.filter(is_library).find_map(|target| target["name"].as_str()).unwrap_or(name)
}

/// Whether code names a crate. Comments do not count, but examples in documentation do, which are code as well.
fn names(sources: &[String], library: &str) -> bool {
    let library = library.replace('-', "_");
    let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let in_line = |line: &str| {
        line.match_indices(&library).any(|(start, _)| {
            let bytes = line.as_bytes();
            let before = start.checked_sub(1).and_then(|before| bytes.get(before));
            !is_word(before) && !is_word(bytes.get(start + library.len()))
        })
    };
    sources.iter().any(|source| {
        let mut in_example = false;
        source.lines().any(|line| {
            let line = line.trim_start();
            let Some(text) = line.strip_prefix("//!").or_else(|| line.strip_prefix("///")) else {
                return in_line(line.split("//").next().unwrap_or_default());
            };
            in_example ^= text.trim_start().starts_with("```");
            in_example && in_line(text)
        })
    })
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{check_edges, library_of, names};

    #[test]
    fn a_crate_is_used_where_code_names_it() {
        let used = |source: &str| names(&[source.to_owned()], "hc-tree");
        assert!(used("use hc_tree::Node;\n") && used("    x(hc_tree::flat::index(1)); // why\n"));
        assert!(used("/// ```\n/// use hc_tree::Node;\n/// ```\nfn f() {}\n"), "an example is code");
        assert!(!used("// hc_tree::Node\n") && !used("/// As [`hc_tree::Node`].\n"), "comments are none");
        assert!(!used("/// ```\n/// ```\n/// hc_tree\n"), "nor what is beside an example");
        assert!(!used("use my_hc_tree::Node;\nuse hc_tree_extra::Node;\n"), "it is another crate");
    }

    #[test]
    fn a_library_is_known_by_its_own_name() {
        let package = json!({ "targets": [
            { "name": "tool", "kind": ["bin"] }, { "name": "compact_encoding", "kind": ["lib"] },
        ]});
        assert_eq!(library_of(Some(&package), "compact-encoding-rs"), "compact_encoding");
        assert_eq!(library_of(None, "serde"), "serde");
    }

    #[test]
    fn the_table_lists_the_dependencies_that_there_are_and_no_others() {
        let faults = |dependencies: serde_json::Value| {
            let mut faults = Vec::new();
            let package = json!({ "id": "x", "name": "hc-storage-rocks", "dependencies": dependencies });
            check_edges(&json!({ "workspace_members": ["x"], "packages": [package] }), &mut faults);
            faults
        };
        let on = |name: &str, kind: Option<&str>| json!({ "name": name, "kind": kind });
        assert!(
            faults(json!([on("hc-storage", None), on("rocksdb", None), on("hc-tree", Some("dev"))]))
                .is_empty()
        );
        assert_eq!(faults(json!([])), ["hc-storage-rocks does not depend on hc-storage"]);
        let more = faults(json!([on("hc-storage", None), on("hc-tree", None)]));
        assert_eq!(more, ["hc-storage-rocks depends on hc-tree"]);
    }
}
