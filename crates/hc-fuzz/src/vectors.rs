//! The bytes of the vectors that Node made, as inputs to begin with.

use std::path::Path;

use serde_json::Value;

/// A file of vectors.
///
/// # Panics
/// If it is not there: vectors are part of the project.
#[must_use]
pub fn file(package: &str, name: &str) -> Value {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies beside the others");
    let path = crates.join(package).join("tests/vectors").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The bytes of one field in a list of entries, of those for which `keep` holds.
#[must_use]
pub fn field(file: &Value, list: &str, field: &str, keep: impl Fn(&Value) -> bool) -> Vec<Vec<u8>> {
    let entries = file[list].as_array().into_iter().flatten().filter(|entry| keep(entry));
    entries.filter_map(|entry| hex::decode(entry[field].as_str()?).ok()).collect()
}

/// As [`field`], of entries of one kind.
#[must_use]
pub fn of_kind(file: &Value, list: &str, key: &str, kind: &str, name: &str) -> Vec<Vec<u8>> {
    field(file, list, name, |entry| entry[key] == kind)
}
