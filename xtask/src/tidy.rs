//! What no compiler checks: that files begin with what they are, stay small, and promise nothing.

use std::path::Path;

use crate::{Outcome, shell};

/// A longer source file has to say why, in a line that begins with `//! Long because`.
const MAX_LINES: usize = 600;

pub(crate) fn run() -> Outcome {
    let mut faults = Vec::new();
    let files = shell::tracked_files()?;
    for file in &files {
        let path = shell::root().join(file);
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        check(file, &text, &mut faults);
    }
    check_compat(&files, &mut faults)?;
    if faults.is_empty() {
        println!("tidy: {} files", files.len());
        return Ok(());
    }
    Err(format!("tidy:\n  {}", faults.join("\n  ")))
}

fn check(file: &str, text: &str, faults: &mut Vec<String>) {
    let extension = Path::new(file).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if extension == "rs" {
        check_source(file, text, faults);
    }
    if matches!(extension, "rs" | "md" | "mjs" | "toml" | "txt") {
        check_text(file, text, faults);
    }
}

fn check_source(file: &str, text: &str, faults: &mut Vec<String>) {
    if !text.starts_with("//!") {
        faults.push(format!("{file} does not begin with what it is (`//!`)"));
    }
    let lines = text.lines().count();
    let in_tests = file.contains("/tests/");
    if lines > MAX_LINES && !in_tests && !text.contains("//! Long because") {
        faults.push(format!("{file} has {lines} lines, more than {MAX_LINES}, and does not say why"));
    }
    if file.starts_with("xtask/src/tidy") {
        return;
    }
    for (number, line) in text.lines().enumerate() {
        for left in ["todo!(", "unimplemented!(", "dbg!(", "#[ignore"] {
            if line.trim_start().starts_with(left) || line.contains(&format!(" {left}")) {
                faults.push(format!("{file}:{}: {left}", number + 1));
            }
        }
        let prefixes = file.starts_with("crates/hc-storage/src/keys") || in_tests;
        if !prefixes && line.contains("const TL_") {
            faults.push(format!("{file}:{}: key prefixes belong in hc-storage/src/keys", number + 1));
        }
    }
}

fn check_text(file: &str, text: &str, faults: &mut Vec<String>) {
    if file.starts_with("xtask/src/tidy") {
        return;
    }
    for (number, line) in text.lines().enumerate() {
        for machine in ["/home/", "/root/", "/work/", "registry.npmjs", "static.crates.io", "index.crates.io"]
        {
            if line.contains(machine) {
                faults.push(format!("{file}:{}: names {machine}, which is of one machine", number + 1));
            }
        }
        if line.len() > 160 && Path::new(file).extension().is_some_and(|extension| extension == "rs") {
            faults.push(format!("{file}:{}: {} columns", number + 1, line.len()));
        }
    }
}

/// Every module that COMPAT.md names is there.
fn check_compat(files: &[String], faults: &mut Vec<String>) -> Outcome {
    let path = shell::root().join("docs/COMPAT.md");
    let text = std::fs::read_to_string(path).map_err(|error| format!("docs/COMPAT.md: {error}"))?;
    for word in text.split(['`', ' ', '|', '(', ')', ',']) {
        let named = word.starts_with("crates/");
        if named
            && !files
                .iter()
                .any(|file| file == word || file.starts_with(&format!("{}/", word.trim_end_matches('/'))))
        {
            faults.push(format!("docs/COMPAT.md names {word}, which is not there"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_is_tidy() {
        super::run().unwrap();
    }

    #[test]
    fn a_file_that_says_nothing_about_itself_is_found() {
        let mut faults = Vec::new();
        super::check("crates/x/src/lib.rs", "fn f() {}\n", &mut faults);
        assert_eq!(faults.len(), 1, "{faults:?}");
    }
}
