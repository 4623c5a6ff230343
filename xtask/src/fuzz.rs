//! Hostile input for every decoder and state machine, and the comparison of decoders with Node's.
//!
//! Both are programs of `hc-fuzz`, built with optimisation: unoptimised they reach a twentieth of the inputs.

use std::path::{Path, PathBuf};

use crate::{Outcome, setup, shell};

/// Seconds for each target where the whole has to be quick: some 14 minutes on two processors, beside the building.
const SHORT_SECONDS: &str = "30";
/// Inputs of the comparison where the whole has to be quick.
const SHORT_INPUTS: &str = "1000000";

/// `--short`, or any options of `hc-fuzz`.
pub(crate) fn run(args: &[String]) -> Outcome {
    let folder = build()?;
    let mut options = vec!["--out".to_owned(), folder.join("found").display().to_string()];
    for arg in args {
        match arg.as_str() {
            "--short" => options.extend(["--seconds".into(), SHORT_SECONDS.into()]),
            _ => options.push(arg.clone()),
        }
    }
    start(&folder, &options)
}

/// `--inputs N`, `--seed N`.
pub(crate) fn differential(args: &[String]) -> Outcome {
    setup::run(setup::Node::Needed)?;
    let folder = build()?;
    let mut options = vec!["--differential".to_owned()];
    if !args.iter().any(|arg| arg == "--inputs") {
        options.extend(["--inputs".into(), SHORT_INPUTS.into()]);
    }
    options.extend_from_slice(args);
    start(&folder, &options)
}

/// Builds in a profile of its own, with overflow checks and debug assertions. The folder of the program.
fn build() -> Result<PathBuf, String> {
    shell::run("cargo", &["build", "--locked", "--profile", "fuzz", "--package", "hc-fuzz"])?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| shell::root().join("target"), PathBuf::from);
    Ok(target.join("fuzz"))
}

fn start(folder: &Path, options: &[String]) -> Outcome {
    let program = folder.join("hc-fuzz").display().to_string();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    shell::run(&program, &options)
}
