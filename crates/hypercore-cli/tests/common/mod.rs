//! Runs the built command.
#![allow(dead_code, reason = "each test file uses a part")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hypercore"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn run_with(args: &[&str], input: &str) -> Output {
    let mut child = command(args).spawn().unwrap();
    // a command that fails at once reads nothing
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Standard output of a command that must succeed.
pub(crate) fn ok(args: &[&str], input: &str) -> String {
    let output = run_with(args, input);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The message of a command that must fail with a code.
pub(crate) fn fails(args: &[&str], code: i32) -> String {
    let output = run_with(args, "");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {message}");
    message
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A command that goes on until it is dropped, and what it said.
pub(crate) struct Running {
    child: Child,
    pub(crate) stdin: ChildStdin,
    said: Arc<Mutex<String>>,
}

impl Running {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut child = command(args).spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let sources: [Box<dyn BufRead + Send>; 2] =
            [Box::new(BufReader::new(out)), Box::new(BufReader::new(err))];
        for source in sources {
            let said = Arc::clone(&said);
            std::thread::spawn(move || {
                for line in source.lines().map_while(Result::ok) {
                    said.lock().unwrap().push_str(&(line + "\n"));
                }
            });
        }
        Self { stdin: child.stdin.take().unwrap(), child, said }
    }

    /// Serves a directory: also its address.
    pub(crate) fn serve(args: &[&str]) -> (Self, String) {
        let server = Self::start(&[&["serve"], args].concat());
        let said = server.wait_for("listening on ");
        let address = said.lines().find_map(|line| line.strip_prefix("listening on ")).unwrap().to_owned();
        (server, address)
    }

    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub(crate) fn wait_for(&self, words: &str) -> String {
        let begin = Instant::now();
        loop {
            let said = self.said();
            // whole lines only
            if said.contains(words) {
                return said;
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "no {words:?} in:\n{said}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
