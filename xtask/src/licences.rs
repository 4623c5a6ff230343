//! That every dependency has a licence that we can live with, and comes from the registry.
//!
//! The rules are those of `deny.toml`. Where cargo-deny is installed it checks them; else this does, for licences and
//! sources.

use serde_json::Value;

use crate::{Outcome, shell};

pub(crate) fn run() -> Outcome {
    if shell::answers("cargo", &["deny", "--version"]) {
        println!("licences: checked by cargo-deny");
        return shell::run(
            "cargo",
            &["deny", "--locked", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"],
        );
    }
    let allowed = allowed()?;
    let metadata = shell::output("cargo", &["metadata", "--format-version", "1", "--locked"])?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| error.to_string())?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata names no packages")?;
    let mut faults = Vec::new();
    for package in packages {
        let name = format!(
            "{} {}",
            package["name"].as_str().unwrap_or_default(),
            package["version"].as_str().unwrap_or_default()
        );
        match package["license"].as_str() {
            Some(licence) if acceptable(licence, &allowed) => {}
            Some(licence) => faults.push(format!("{name} has licence {licence}")),
            None => faults.push(format!("{name} names no licence")),
        }
        if package["source"].as_str().is_some_and(|source| !source.starts_with("registry+")) {
            faults.push(format!("{name} does not come from the registry"));
        }
    }
    if faults.is_empty() {
        println!(
            "licences: {} packages (cargo-deny is not installed; licences and sources were checked without it)",
            packages.len()
        );
        return Ok(());
    }
    Err(format!("licences:\n  {}", faults.join("\n  ")))
}

/// The licences that `deny.toml` allows.
fn allowed() -> Result<Vec<String>, String> {
    let text = std::fs::read_to_string(shell::root().join("deny.toml"))
        .map_err(|error| format!("deny.toml: {error}"))?;
    let list = text.split("allow = [").nth(1).and_then(|rest| rest.split(']').next());
    let list = list.ok_or("deny.toml has no list `allow`")?;
    Ok(list.split('"').skip(1).step_by(2).map(str::to_owned).collect())
}

/// Whether an expression of SPDX licences can be met: one part of each OR, all parts of each AND.
fn acceptable(expression: &str, allowed: &[String]) -> bool {
    let expression = expression.replace('/', " OR ").replace(['(', ')'], " ");
    expression.split(" OR ").any(|choice| {
        choice.split(" AND ").all(|part| {
            let licence = part.split(" WITH ").next().unwrap_or_default().trim();
            allowed.iter().any(|allowed| allowed == licence)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::acceptable;

    #[test]
    fn a_choice_needs_one_and_a_sum_needs_all() {
        let allowed = ["MIT".to_owned(), "ISC".to_owned()];
        assert!(acceptable("GPL-3.0 OR MIT", &allowed));
        assert!(acceptable("MIT/Apache-2.0", &allowed));
        assert!(acceptable("MIT AND ISC", &allowed));
        assert!(!acceptable("MIT AND GPL-3.0", &allowed));
        assert!(!acceptable("GPL-3.0", &allowed));
    }
}
