//! Hostile input for every decoder and state machine, and the comparison of decoders with Node's.
//!
//! Both are programs of `hc-fuzz`, built with optimisation: unoptimised they reach a twentieth of the inputs.

use crate::{Outcome, setup, shell};

/// Seconds for each decoder where the whole has to be quick; a machine gets three times as many.
const SHORT_SECONDS: &str = "10";
/// Inputs of the comparison where the whole has to be quick.
const SHORT_INPUTS: &str = "1000000";

/// `--short`, or any options of `hc-fuzz`.
pub(crate) fn run(args: &[String]) -> Outcome {
    let folder = shell::build(&["hc-fuzz"], true)?;
    let mut options = vec!["--out".to_owned(), folder.with_file_name("fuzz").display().to_string()];
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
    let folder = shell::build(&["hc-fuzz"], true)?;
    let mut options = vec!["--differential".to_owned()];
    if !args.iter().any(|arg| arg == "--inputs") {
        options.extend(["--inputs".into(), SHORT_INPUTS.into()]);
    }
    options.extend_from_slice(args);
    start(&folder, &options)
}

fn start(folder: &std::path::Path, options: &[String]) -> Outcome {
    let program = folder.join("hc-fuzz").display().to_string();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    shell::run(&program, &options)
}
