//! Every decoder has a target: the list is made from the sources, so one that is added without a target fails here.
//!
//! A decoder is an `impl Decode for X`, or a function for others to call that takes bytes or a reader and fails with one of
//! the errors below.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hc_fuzz::targets;

/// What functions that judge bytes fail with.
const ERRORS: [&str; 7] = [
    "DecodeError",
    "DecryptError",
    "ManifestError",
    "Violation",
    "VerifyError",
    "ProofError",
    "KeyParseError",
];
/// How bytes come in.
const BYTES: [&str; 5] = [": &[u8]", ": &'a [u8]", "Reader<", ": &Bytes", ": &Proof"];
/// Decoders that need no target of their own, and why.
const EXEMPT: &[(&str, &str)] =
    &[("hc-storage collect", "takes a function that decodes, and no bytes itself")];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The name behind the last path separator, without parameters.
fn bare(name: &str) -> String {
    let name = name.trim().trim_end_matches('{').trim();
    let name = name.split(['<', ' ']).next().unwrap_or_default();
    name.rsplit("::").next().unwrap_or_default().to_owned()
}

/// The decoders in a source: names after the name of their package.
fn decoders(package: &str, text: &str) -> BTreeSet<String> {
    // tests stand at the end
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let (mut found, mut owner, mut in_macro) = (BTreeSet::new(), String::new(), false);
    let lines: Vec<&str> = code.lines().collect();
    for (number, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        if line.starts_with("fixed!(") {
            let name = lines[number..].iter().find(|line| !line.contains("///") && line.ends_with(','));
            found.insert(format!("{package} {}", name.unwrap().trim().trim_end_matches(',')));
        }
        if line.starts_with("macro_rules!") {
            in_macro = true;
        } else if line.starts_with('}') {
            (in_macro, owner) = (false, String::new());
        }
        if in_macro {
            continue;
        }
        if line.starts_with("impl") || line.starts_with("pub trait ") {
            let target = line.split(" for ").nth(1).unwrap_or_else(|| after_parameters(line));
            owner = bare(target);
            if line.contains("Decode<") && line.contains(" for ") {
                found.insert(format!("{package} {owner}"));
            }
            // a trait's functions are found by its name
            if line.contains(" for ") {
                owner = String::new();
            }
        }
        let indent = line.len() - trimmed.len();
        let public = trimmed.starts_with("pub ") || trimmed.starts_with("pub(");
        if indent <= 4 && public && trimmed.contains("fn ") {
            let whole: String =
                lines[number..].iter().copied().take_while(|line| !line.starts_with("    }")).collect();
            let signature = whole.split(" {").next().unwrap_or_default();
            let (takes, gives) = signature.split_once("->").unwrap_or((signature, ""));
            let judges = ERRORS.iter().any(|error| gives.contains(error));
            if judges && BYTES.iter().any(|bytes| takes.contains(bytes)) {
                let name = bare(takes.split("fn ").nth(1).unwrap().split('(').next().unwrap());
                let owner =
                    if indent == 0 || owner.is_empty() { String::new() } else { format!("{owner}::") };
                found.insert(format!("{package} {owner}{name}"));
            }
        }
    }
    found
}

/// What follows `impl` or `pub trait` and its parameters.
fn after_parameters(line: &str) -> &str {
    let rest = line.trim_start_matches("pub trait").trim_start_matches("impl");
    match (rest.starts_with('<'), rest.find("> ")) {
        (true, Some(end)) => &rest[end + 2..],
        _ => rest,
    }
}

fn all() -> BTreeSet<String> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = BTreeSet::new();
    for package in std::fs::read_dir(crates).unwrap() {
        let package = package.unwrap().path();
        let name = package.file_name().unwrap().to_string_lossy().into_owned();
        let mut files = Vec::new();
        if name == "hc-fuzz" || !package.join("src").is_dir() {
            continue;
        }
        sources(&package.join("src"), &mut files);
        for file in files {
            found.extend(decoders(&name, &std::fs::read_to_string(file).unwrap()));
        }
    }
    found
}

#[test]
fn every_decoder_has_a_target() {
    let covered: BTreeSet<String> =
        targets::all().iter().flat_map(|target| target.covers).map(|name| (*name).to_owned()).collect();
    let exempt: BTreeSet<String> = EXEMPT.iter().map(|(name, _)| (*name).to_owned()).collect();
    let found = all();
    let bare: Vec<_> =
        found.iter().filter(|name| !covered.contains(*name) && !exempt.contains(*name)).collect();
    let gone: Vec<_> = covered.iter().chain(&exempt).filter(|name| !found.contains(*name)).collect();
    assert!(
        bare.is_empty(),
        "decoders without a target; add one in crates/hc-fuzz/src/targets and name it in `covers`:\n{bare:#?}"
    );
    assert!(gone.is_empty(), "targets cover what is not in the sources (any more):\n{gone:#?}");
    assert!(found.len() > 40, "only {} decoders were found: is the search right?", found.len());
}

#[test]
fn decoders_are_found_in_sources() {
    let text = "\
impl Decode<'_> for Thing {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
    }
}
impl Thing {
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
    }
    pub(crate) fn long(
        frame: &Bytes,
    ) -> Result<Self, Violation> {
    }
    pub fn len(bytes: &[u8]) -> usize {
    }
    fn private(bytes: &[u8]) -> Result<Self, DecodeError> {
    }
}
pub fn free(key: &[u8]) -> Result<u64, DecodeError> {
}
";
    let found: Vec<String> = decoders("p", text).into_iter().collect();
    assert_eq!(found, ["p Thing", "p Thing::long", "p Thing::parse", "p free"]);
}

#[test]
fn names_of_targets_are_their_own() {
    let names: BTreeSet<&str> = targets::all().iter().map(|target| target.name).collect();
    assert_eq!(names.len(), targets::all().len());
}
