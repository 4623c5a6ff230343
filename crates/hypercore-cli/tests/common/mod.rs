//! Runs the built command. Every wait has a limit.
#![allow(dead_code, reason = "each test file uses a part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a command may take, and what it should say or do may let wait for itself.
const LIMIT: Duration = Duration::from_secs(30);

pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hypercore"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A command that can write no file beyond so many units of 512 bytes: as on a disk that is full.
pub(crate) fn on_a_full_disk(units: u32, args: &[&str]) -> Command {
    let script = format!("trap '' XFSZ; ulimit -f {units}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_hypercore")]).args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a command said, and how it ended.
pub(crate) fn finish(mut command: Command, input: &[u8]) -> Output {
    let mut child = command.spawn().unwrap();
    let (stdin, input) = (child.stdin.take(), input.to_vec());
    std::thread::spawn(move || {
        // a command that fails at once reads nothing
        stdin.map(|mut stdin| stdin.write_all(&input))
    });
    let read = |source: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            source.map(|mut source| source.read_to_end(&mut bytes).unwrap());
            bytes
        })
    };
    let out = read(child.stdout.take().map(|out| Box::new(out) as _));
    let err = read(child.stderr.take().map(|err| Box::new(err) as _));
    let status = ended(&mut child);
    Output { status, stdout: out.join().unwrap(), stderr: err.join().unwrap() }
}

fn ended(child: &mut Child) -> ExitStatus {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if begin.elapsed() > LIMIT {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the command does not end");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn run_with(args: &[&str], input: &str) -> Output {
    finish(command(args), input.as_bytes())
}

/// Standard output of a command that must succeed.
pub(crate) fn ok(args: &[&str], input: &str) -> String {
    let output = run_with(args, input);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The message of a command that must fail with a code.
pub(crate) fn fails(args: &[&str], code: i32) -> String {
    must_fail(&run_with(args, ""), code)
}

/// What a command that must have failed with a code said.
pub(crate) fn must_fail(output: &Output, code: i32) -> String {
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{message}");
    message
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Waits until something holds.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < LIMIT, "{what}: not yet");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A command that goes on until it is dropped, and what it said.
pub(crate) struct Running {
    child: Child,
    pub(crate) stdin: ChildStdin,
    said: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut child = command(args).spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let sources: [Box<dyn BufRead + Send>; 2] =
            [Box::new(BufReader::new(out)), Box::new(BufReader::new(err))];
        let readers = sources.into_iter().map(|source| {
            let said = Arc::clone(&said);
            std::thread::spawn(move || {
                for line in source.lines().map_while(Result::ok) {
                    said.lock().unwrap().push_str(&(line + "\n"));
                }
            })
        });
        let readers = readers.collect();
        Self { stdin: child.stdin.take().unwrap(), child, said, readers }
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
        // whole lines only
        wait_until(&format!("{words:?} is said"), || self.said().contains(words));
        self.said()
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until the command waits for something: it listens to signals, and uses no more processor time.
    pub(crate) fn wait_until_idle(&mut self) {
        let process = format!("/proc/{}", self.child.id());
        let listens = || {
            let threads = std::fs::read_dir(format!("{process}/task")).unwrap();
            let name = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("comm"));
            threads.filter_map(|thread| name(thread.ok()?).ok()).any(|name| name.trim() == "signals")
        };
        wait_until("the command listens to signals", listens);
        let spent = || {
            let stat = std::fs::read_to_string(format!("{process}/stat")).unwrap();
            // user and system time, behind the name, which may have blanks
            let fields = stat.rsplit_once(") ").map(|(_, fields)| fields.to_owned()).unwrap();
            fields.split(' ').skip(11).take(2).map(ToOwned::to_owned).collect::<Vec<_>>()
        };
        let mut before = Vec::new();
        wait_until("the command waits", || {
            std::thread::sleep(Duration::from_millis(250));
            let then = std::mem::replace(&mut before, spent());
            then == before
        });
        assert!(self.is_alive(), "{}", self.said());
    }

    /// Sends a signal, by its name without `SIG`.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits for the end: the exit code and what was said.
    pub(crate) fn end(&mut self) -> (Option<i32>, String) {
        let status = ended(&mut self.child);
        // what was said last may still be on its way
        self.readers.drain(..).for_each(|reader| reader.join().unwrap());
        (status.code(), self.said())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
