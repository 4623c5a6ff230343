//! Asks `interop/differential.mjs`, in batches.

use std::io::{BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::codecs::Codec;
use super::{Answer, Case};

pub(super) struct Node {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Node {
    pub(super) fn start(codecs: &[Codec]) -> Result<Self, String> {
        let interop = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop");
        if !interop.join("node_modules").is_dir() {
            return Err("the Node packages are not installed; run: cargo xtask setup".into());
        }
        let mut child = Command::new("node")
            .arg("differential.mjs")
            .current_dir(&interop)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("node: {error}"))?;
        let mut input = child.stdin.take().ok_or("node has no input")?;
        let output = BufReader::new(child.stdout.take().ok_or("node has no output")?);
        let names: Vec<&str> = codecs.iter().map(|codec| codec.name).collect();
        writeln!(input, "{}", serde_json::json!(names)).map_err(gone)?;
        Ok(Self { child, input: Some(input), output })
    }

    /// The answers to a batch. Node reads all of it before it answers, so neither waits for the other.
    pub(super) fn judge(&mut self, cases: &[Case]) -> Result<Vec<Answer>, String> {
        let mut body = Vec::new();
        for case in cases {
            body.extend(small(case.codec));
            body.extend(small(case.input.len()));
            body.extend_from_slice(&case.input);
        }
        let input = self.input.as_mut().ok_or("node is gone")?;
        input.write_all(&small(cases.len())).map_err(gone)?;
        input.write_all(&small(body.len())).map_err(gone)?;
        input.write_all(&body).and_then(|()| input.flush()).map_err(gone)?;
        let (count, _) = (self.number()?, self.number()?);
        if count != cases.len() {
            return Err(format!("node answered {count} of {} inputs", cases.len()));
        }
        (0..count).map(|_| self.answer()).collect()
    }

    fn answer(&mut self) -> Result<Answer, String> {
        let (taken, len) = (self.number()? == 1, self.number()?);
        let mut bytes = vec![0; len];
        self.output.read_exact(&mut bytes).map_err(gone)?;
        Ok(taken.then_some(bytes))
    }

    fn number(&mut self) -> Result<usize, String> {
        let mut bytes = [0; 4];
        self.output.read_exact(&mut bytes).map_err(gone)?;
        Ok(u32::from_le_bytes(bytes) as usize)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // it ends with its input
        self.input = None;
        let _ = self.child.wait();
    }
}

fn small(n: usize) -> [u8; 4] {
    u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes()
}

#[expect(clippy::needless_pass_by_value, reason = "this is how `map_err` passes it")]
fn gone(error: std::io::Error) -> String {
    format!("node: {error}")
}
