//! Rules for single files.

use std::path::Path;

/// A longer source file has to say why, in a line that begins with `//! Long because`.
const MAX_LINES: usize = 600;
/// The longest line, in bytes.
const MAX_COLUMNS: usize = 160;
/// What is left for later without saying until when.
const LEFT: [&str; 4] = ["todo!(", "unimplemented!(", "dbg!(", "#[ignore"];
/// What belongs to one machine, or to one mirror of a registry.
const MACHINES: [&str; 6] =
    ["/home/", "/root/", "/work/", "registry.npmjs", "static.crates.io", "index.crates.io"];

pub(super) fn check(file: &str, text: &str, faults: &mut Vec<String>) {
    // this file names what it forbids
    if file == "xtask/src/tidy/sources.rs" {
        return;
    }
    let extension = Path::new(file).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if extension == "rs" {
        check_source(file, text, faults);
    }
    if matches!(extension, "rs" | "md" | "mjs" | "js" | "toml" | "txt") {
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
    let makes_keys =
        file.starts_with("crates/hc-storage/src/keys") || file == "crates/hc-storage/src/order.rs";
    for (number, line) in text.lines().enumerate() {
        let code = line.trim_start();
        if code.starts_with("//") {
            continue;
        }
        for left in LEFT {
            if code.starts_with(left) || line.contains(&format!(" {left}")) {
                faults.push(format!("{file}:{}: {left}", number + 1));
            }
        }
        if !makes_keys && (code.contains("order::put_") || code.contains("KeyBytes")) {
            faults.push(format!("{file}:{}: keys of the store are made in hc-storage/src/keys", number + 1));
        }
        if line.len() > MAX_COLUMNS {
            faults.push(format!("{file}:{}: {} columns", number + 1, line.len()));
        }
    }
}

fn check_text(file: &str, text: &str, faults: &mut Vec<String>) {
    for (number, line) in text.lines().enumerate() {
        for machine in MACHINES {
            if line.contains(machine) {
                faults.push(format!("{file}:{}: names {machine}, which is of one machine", number + 1));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    fn faults(file: &str, text: &str) -> usize {
        let mut faults = Vec::new();
        super::check(file, text, &mut faults);
        faults.len()
    }

    #[test]
    fn a_file_that_says_nothing_about_itself_is_found() {
        assert_eq!(faults("crates/x/src/lib.rs", "fn f() {}\n"), 1);
        assert_eq!(faults("crates/x/src/lib.rs", "//! It.\nfn f() {}\n"), 0);
    }

    #[test]
    fn what_is_left_for_later_is_found() {
        assert_eq!(faults("crates/x/src/lib.rs", "//! It.\nfn f() { todo!() }\n"), 1);
        assert_eq!(faults("crates/x/src/lib.rs", "//! It.\n    #[ignore]\n"), 1);
    }

    #[test]
    fn a_long_file_says_why() {
        let long = "//! It.\n".repeat(601);
        assert_eq!(faults("crates/x/src/lib.rs", &long), 1);
        assert_eq!(faults("crates/x/src/lib.rs", &format!("{long}//! Long because it is one table.\n")), 0);
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        assert_eq!(faults("docs/x.md", "see /home/me/notes\n"), 1);
    }
}
