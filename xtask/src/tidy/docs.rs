//! That the documents agree with the files.

use std::path::{Component, Path, PathBuf};

use super::{Files, read};
use crate::Outcome;

const COMPAT: &str = "docs/COMPAT.md";
const UPSTREAM_TESTS: &str = "docs/upstream-tests.md";
/// The program that the README shows the middle of.
const EXAMPLE: &str = "crates/corestore/examples/readme.rs";

/// Each file that a document links to is there.
pub(super) fn check_links(file: &str, text: &str, files: &Files, faults: &mut Vec<String>) {
    if !file.ends_with(".md") {
        return;
    }
    let folder = Path::new(file).parent().unwrap_or_else(|| Path::new(""));
    for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        let path = target.split('#').next().unwrap_or_default();
        if path.is_empty() || path.contains("://") {
            continue;
        }
        if !exists(&flat(&folder.join(path)), files) {
            faults.push(format!("{file} links to {path}, which is not there"));
        }
    }
}

/// A path without its `..`.
fn flat(path: &Path) -> String {
    let mut flat = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                flat.pop();
            }
            Component::CurDir => {}
            other => flat.push(other),
        }
    }
    flat.display().to_string()
}

fn exists(path: &str, files: &Files) -> bool {
    let folder = format!("{}/", path.trim_end_matches('/'));
    files.iter().any(|file| file == path || file.starts_with(&folder))
}

/// Every module that COMPAT.md names is there, and every module that follows something upstream is named.
pub(super) fn check_compat(files: &Files, faults: &mut Vec<String>) -> Outcome {
    let text = read(COMPAT)?;
    let words = text.split(['`', ' ', '|', '(', ')', ',']);
    let named: Vec<&str> = words.filter(|word| word.starts_with("crates/")).collect();
    for module in named.iter().filter(|module| !exists(module, files)) {
        faults.push(format!("{COMPAT} names {module}, which is not there"));
    }
    for file in files.iter().filter(|file| file.starts_with("crates/") && file.ends_with(".rs")) {
        let follows = read(file)?
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .any(|line| line.contains("Follows npm "));
        let covers = |module: &&str| file == module || file.starts_with(&format!("{module}/"));
        if follows && !named.iter().any(covers) {
            faults.push(format!("{file} follows something upstream, but {COMPAT} does not name it"));
        }
    }
    Ok(())
}

/// Every test that upstream-tests.md names is there.
pub(super) fn check_upstream_tests(files: &Files, faults: &mut Vec<String>) -> Outcome {
    let text = read(UPSTREAM_TESTS)?;
    let mut tests = String::new();
    for file in files.iter().filter(|file| file.contains("/tests/") && file.ends_with(".rs")) {
        tests.push_str(&read(file)?);
    }
    let unknown = tests_named(&text).filter(|name| !tests.contains(&format!("fn {name}")));
    faults.extend(unknown.map(|name| format!("{UPSTREAM_TESTS} names {name}, which is no test")));
    Ok(())
}

/// The names of tests in the rows of a table, or how they begin.
fn tests_named(table: &str) -> impl Iterator<Item = &str> {
    let rows = table.lines().filter(|line| line.starts_with("| "));
    let quoted = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
    quoted.map(|name| name.trim_end_matches('…')).filter(|name| name.contains('_') && !name.contains('/'))
}

/// The example of the README is part of a program that is compiled and run.
pub(super) fn check_readme(faults: &mut Vec<String>) -> Outcome {
    let readme = read("README.md")?;
    let shown = readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next());
    let shown = shown.ok_or("README.md has no example in Rust")?;
    if !contains_lines(&read(EXAMPLE)?, shown) {
        faults.push(format!("the example of README.md is not part of {EXAMPLE}"));
    }
    Ok(())
}

/// Whether a text has these lines, one after the other, whatever their indentation.
fn contains_lines(text: &str, part: &str) -> bool {
    let trimmed =
        |text: &str| text.trim().lines().map(|line| format!("{}\n", line.trim())).collect::<String>();
    trimmed(text).contains(&trimmed(part))
}

#[cfg(test)]
mod tests {
    use super::{check_links, contains_lines, tests_named};

    #[test]
    fn lines_are_found_whatever_their_indentation() {
        let text = "fn f() {\n    a();\n\n    b();\n}\n";
        assert!(contains_lines(text, "a();\n\nb();\n"));
        assert!(!contains_lines(text, "a();\nb();\n"));
    }

    #[test]
    fn tests_are_named_in_rows_of_a_table() {
        let table = "`a_word`\n| x.js | y | `a1_one_…`, `b2_two` (f.rs); `crates/x_y`, `word` |\n";
        assert_eq!(tests_named(table).collect::<Vec<_>>(), ["a1_one_", "b2_two"]);
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        let files = ["docs/a.md".to_owned(), "README.md".to_owned()];
        let mut faults = Vec::new();
        check_links("docs/a.md", "[x](../README.md#y) [z](https://example.org)", &files, &mut faults);
        assert_eq!(faults, Vec::<String>::new());
        check_links("docs/a.md", "[x](b.md)", &files, &mut faults);
        assert_eq!(faults.len(), 1);
    }
}
