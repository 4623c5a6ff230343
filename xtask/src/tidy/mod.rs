//! What no compiler checks: that files begin with what they are, stay small, promise nothing, and that the documents agree with
//! them.

mod docs;
mod sources;

use crate::{Outcome, shell};

/// The project's files: their paths from its root.
type Files = [String];

pub(crate) fn run() -> Outcome {
    let mut faults = Vec::new();
    let files = shell::tracked_files()?;
    for file in &files {
        let Ok(text) = std::fs::read_to_string(shell::root().join(file)) else { continue };
        sources::check(file, &text, &mut faults);
        docs::check_links(file, &text, &files, &mut faults);
    }
    docs::check_compat(&files, &mut faults)?;
    docs::check_upstream_tests(&files, &mut faults)?;
    docs::check_readme(&mut faults)?;
    if faults.is_empty() {
        println!("tidy: {} files", files.len());
        return Ok(());
    }
    Err(format!("tidy:\n  {}", faults.join("\n  ")))
}

/// A file of the project.
fn read(file: &str) -> Result<String, String> {
    std::fs::read_to_string(shell::root().join(file)).map_err(|error| format!("{file}: {error}"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_is_tidy() {
        super::run().unwrap();
    }
}
