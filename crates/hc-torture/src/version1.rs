//! A store as an earlier Node made it, whose cores are migrated when they are opened.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::model::{Model, blocks};
use crate::options::Options;
use crate::rng::Rng;
use crate::script::{ENCRYPTED, Op, PRIMARY_KEY, core_name};

/// A closed store with records of version 1, and what it holds.
pub(crate) struct Version1 {
    pub(crate) dir: PathBuf,
    pub(crate) model: Model,
    /// No operation that made it has a higher number.
    pub(crate) last_id: u32,
}

/// Appends to each core.
const APPENDS: u32 = 12;

impl Version1 {
    /// Makes one, if Node and its packages are here.
    pub(crate) fn make(options: &Options, cores: usize) -> Result<Self, String> {
        let (mut model, mut rng, mut last_id) = (Model::new(cores), Rng::new(1), 0);
        let mut told = Vec::new();
        for core in (0..cores).filter(|core| *core != ENCRYPTED) {
            let mut batches = Vec::new();
            for _ in 0..APPENDS {
                last_id += 1;
                let lens: Vec<u32> = (0..rng.within(1, 9)).map(|_| rng.within(1, 700) as u32).collect();
                let encoded: Vec<String> = blocks(last_id, &lens).iter().map(|block| base64(block)).collect();
                batches.push(encoded);
                model.apply(&Op::Append { core, id: last_id, lens });
            }
            told.push(json!({ "name": core_name(core), "batches": batches }));
        }
        let primary_key: String = PRIMARY_KEY.iter().map(|byte| format!("{byte:02x}")).collect();
        let dir = options.fresh("version1")?;
        run_node(&dir, &json!({ "primaryKey": primary_key, "cores": told }).to_string())?;
        Ok(Self { dir, model, last_id })
    }
}

fn run_node(dir: &Path, told: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("node: {error}");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop/storage/version1_of.mjs");
    let mut node = Command::new("node");
    node.arg(script).arg(dir).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = node.spawn().map_err(failed)?;
    // the input ends when it is dropped
    if let Some(mut input) = child.stdin.take() {
        input.write_all(told.as_bytes()).map_err(failed)?;
    }
    let done = child.wait_with_output().map_err(failed)?;
    let why = String::from_utf8_lossy(&done.stderr);
    if done.status.success() { Ok(()) } else { Err(format!("node: {}", why.lines().nth(4).unwrap_or(&why))) }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
