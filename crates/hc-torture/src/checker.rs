//! A process that opens stores and says what they show, so that one that makes it die is found too.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::view::{self, Look, View};

/// A question: what does the store in this folder show?
#[derive(Debug, Serialize, Deserialize)]
struct Question {
    dir: PathBuf,
    cores: usize,
    look: Look,
}

/// What came of opening a store.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Shows(View),
    /// A typed error.
    Refused(String),
}

/// Answers questions on standard input until there are no more.
pub(crate) async fn serve() {
    let mut lines = std::io::stdin().lines();
    while let Some(Ok(line)) = lines.next() {
        let Ok(question) = serde_json::from_str::<Question>(&line) else { return };
        let answer = match view::look(&question.dir, question.cores, question.look).await {
            Ok(view) => Answer::Shows(view),
            Err(error) => Answer::Refused(error.to_string()),
        };
        let Ok(mut text) = serde_json::to_vec(&answer) else { return };
        text.push(b'\n');
        if std::io::stdout().write_all(&text).is_err() {
            return;
        }
    }
}

/// A running checker.
pub(crate) struct Checker {
    process: Option<Running>,
}

struct Running {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Checker {
    pub(crate) const fn new() -> Self {
        Self { process: None }
    }

    /// What the store in a folder shows.
    ///
    /// # Errors
    /// If the checker died of it: that is a finding.
    pub(crate) fn ask(&mut self, dir: &Path, cores: usize, look: Look) -> Result<Answer, String> {
        let running = match &mut self.process {
            Some(running) => running,
            none => none.insert(start()?),
        };
        let question = Question { dir: dir.to_owned(), cores, look };
        let mut text = serde_json::to_string(&question).map_err(|error| error.to_string())?;
        text.push('\n');
        let mut answer = String::new();
        let asked = running.input.write_all(text.as_bytes());
        let read = asked.and_then(|()| running.output.read_line(&mut answer));
        if read.is_ok_and(|bytes| bytes > 0)
            && let Ok(answer) = serde_json::from_str(&answer)
        {
            return Ok(answer);
        }
        let Some(mut running) = self.process.take() else { return Err("no checker".into()) };
        let status = running.child.wait().map_err(|error| error.to_string())?;
        Err(format!("who opened it died ({status})"))
    }
}

fn start() -> Result<Running, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.arg("check").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let (Some(input), Some(output)) = (input, output) else { return Err("a checker without pipes".into()) };
    Ok(Running { child, input, output: BufReader::new(output) })
}

impl Drop for Checker {
    fn drop(&mut self) {
        if let Some(running) = self.process.take() {
            let Running { mut child, input, .. } = running;
            // it ends when there are no more questions
            drop(input);
            let _ = child.wait();
        }
    }
}
