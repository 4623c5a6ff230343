//! Which behaviours have a test that names them.
//!
//! `docs/behaviours.txt` has a line for each: its id, whether what has landed covers it, and what it is. A test names one by
//! beginning with its id, as `b11_…` or `b11_b12_…` does.

use std::collections::BTreeSet;

use crate::{Outcome, shell};

pub(crate) fn run() -> Outcome {
    let path = shell::root().join("docs/behaviours.txt");
    let text = std::fs::read_to_string(path).map_err(|error| format!("docs/behaviours.txt: {error}"))?;
    let proven = proven()?;
    let (mut covered, mut unproven, mut later) = (0, Vec::new(), 0);
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let mut fields = line.split('|').map(str::trim);
        let (Some(id), Some(state)) = (fields.next(), fields.next()) else {
            return Err(format!("docs/behaviours.txt: not a behaviour: {line}"));
        };
        match (state, proven.contains(&id.to_lowercase())) {
            ("covered", true) => covered += 1,
            ("covered", false) => unproven.push(line),
            _ => later += 1,
        }
    }
    println!(
        "behaviours: {covered} covered and proven, {} covered without a test, {later} later",
        unproven.len()
    );
    if unproven.is_empty() { Ok(()) } else { Err(format!("no test names:\n  {}", unproven.join("\n  "))) }
}

/// The ids that tests begin with.
fn proven() -> Result<BTreeSet<String>, String> {
    let mut ids = BTreeSet::new();
    for file in shell::tracked_files()?.iter().filter(|file| file.ends_with(".rs")) {
        let text =
            std::fs::read_to_string(shell::root().join(file)).map_err(|error| format!("{file}: {error}"))?;
        for line in text.lines() {
            let line = line.trim_start().trim_start_matches("async ");
            let Some(name) = line.strip_prefix("fn ") else { continue };
            let parts = name.split(['_', '(']);
            ids.extend(parts.take_while(|part| is_id(part)).map(str::to_owned));
        }
    }
    Ok(ids)
}

fn is_id(part: &str) -> bool {
    let mut chars = part.chars();
    chars.next().is_some_and(|first| first.is_ascii_lowercase())
        && part.len() > 1
        && chars.all(|rest| rest.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::is_id;

    #[test]
    fn ids_are_a_letter_and_a_number() {
        assert!(is_id("b11") && is_id("s2"));
        assert!(!is_id("b") && !is_id("block") && !is_id("11"));
    }
}
