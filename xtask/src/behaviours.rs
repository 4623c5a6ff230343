//! Which behaviours have a test that names them.
//!
//! `docs/behaviours.txt` has a line for each: its id, whether what has landed covers it, and what it is. A test names one by
//! beginning with its id, as `b11_…` or `b11_b12_…` does, or by a comment `// proves: B11 B12`.

use std::collections::BTreeSet;

use crate::{Outcome, shell};

/// A line of the list.
#[derive(Debug, PartialEq, Eq)]
struct Behaviour<'a> {
    id: &'a str,
    covered: bool,
    what: &'a str,
}

pub(crate) fn run() -> Outcome {
    let path = shell::root().join("docs/behaviours.txt");
    let text = std::fs::read_to_string(path).map_err(|error| format!("docs/behaviours.txt: {error}"))?;
    let listed = listed(&text)?;
    let proven = proven()?;
    let is_proven = |behaviour: &&Behaviour<'_>| proven.contains(behaviour.id);
    let (covered, later): (Vec<_>, Vec<_>) = listed.iter().partition(|behaviour| behaviour.covered);
    let unproven: Vec<_> = covered.iter().filter(|behaviour| !is_proven(behaviour)).collect();
    println!(
        "behaviours: {} of {} covered, {} of these proven; {} later",
        covered.len(),
        listed.len(),
        covered.len() - unproven.len(),
        later.len()
    );
    for behaviour in later.iter().filter(|behaviour| is_proven(behaviour)) {
        println!("  {} has a test but counts as later: {}. Is it covered now?", behaviour.id, behaviour.what);
    }
    let mut faults: Vec<String> = unproven
        .iter()
        .map(|behaviour| format!("{} is covered, but no test names it: {}", behaviour.id, behaviour.what))
        .collect();
    let known: BTreeSet<&str> = listed.iter().map(|behaviour| behaviour.id).collect();
    let unknown = proven.iter().filter(|id| !known.contains(id.as_str()));
    faults.extend(unknown.map(|id| format!("a test names {id}, which is not in the list")));
    if faults.is_empty() { Ok(()) } else { Err(format!("behaviours:\n  {}", faults.join("\n  "))) }
}

fn listed(text: &str) -> Result<Vec<Behaviour<'_>>, String> {
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let parse = |line| parse(line).ok_or_else(|| format!("docs/behaviours.txt: not a behaviour: {line}"));
    lines.map(parse).collect()
}

fn parse(line: &str) -> Option<Behaviour<'_>> {
    let mut fields = line.splitn(3, '|').map(str::trim);
    let (id, state, what) = (fields.next()?, fields.next()?, fields.next()?);
    let covered = match state {
        "covered" => true,
        "later" => false,
        _ => return None,
    };
    is_id(&id.to_lowercase()).then_some(Behaviour { id, covered, what })
}

/// The ids that tests name, as they are in the list.
fn proven() -> Result<BTreeSet<String>, String> {
    let mut ids = BTreeSet::new();
    for file in shell::tracked_files()?.iter().filter(|file| file.ends_with(".rs")) {
        let text =
            std::fs::read_to_string(shell::root().join(file)).map_err(|error| format!("{file}: {error}"))?;
        ids.extend(text.lines().flat_map(named));
    }
    Ok(ids)
}

/// The ids that a line of a source file names.
fn named(line: &str) -> Vec<String> {
    let line = line.trim_start();
    if let Some(list) = line.strip_prefix("// proves:") {
        let words = list.split_whitespace().filter(|word| is_id(&word.to_lowercase()));
        return words.map(str::to_owned).collect();
    }
    let Some(name) = line.trim_start_matches("async ").strip_prefix("fn ") else { return Vec::new() };
    name.split(['_', '(']).take_while(|part| is_id(part)).map(str::to_uppercase).collect()
}

fn is_id(part: &str) -> bool {
    let mut chars = part.chars();
    chars.next().is_some_and(|first| first.is_ascii_lowercase())
        && part.len() > 1
        && chars.all(|rest| rest.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{is_id, listed, named};

    #[test]
    fn ids_are_a_letter_and_a_number() {
        assert!(is_id("b11") && is_id("s2"));
        assert!(!is_id("b") && !is_id("block") && !is_id("11"));
    }

    #[test]
    fn tests_name_behaviours_by_their_name_or_by_a_comment() {
        assert_eq!(named("    async fn b11_b12_pages_are_exact() {"), ["B11", "B12"]);
        assert_eq!(named("    // proves: A5 L2"), ["A5", "L2"]);
        assert!(named("fn blocks_are_read() {").is_empty());
    }

    #[test]
    fn a_line_without_a_state_is_refused() {
        assert_eq!(listed("# A\nA1 | covered | x\n").map(|list| list.len()), Ok(1));
        assert!(listed("A1 | x\n").is_err());
    }
}
