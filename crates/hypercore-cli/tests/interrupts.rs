//! Nothing that a command waits for stands between the user and Ctrl-C.

mod common;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::*;

/// How long a command may take to end. What it writes last may take a second.
const AT_ONCE: Duration = Duration::from_secs(5);

fn ends_at_once(mut running: Running, signal: &str, code: i32) {
    running.wait_until_idle();
    let begin = Instant::now();
    running.signal(signal);
    let (ended, said) = running.end();
    assert_eq!(ended, Some(code), "{said}");
    assert!(begin.elapsed() < AT_ONCE, "{:?}", begin.elapsed());
}

#[test]
fn regression_a_command_that_reads_from_nobody_ends_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (store, fifo) = (dir.path().join("store"), dir.path().join("fifo"));
    let (store, fifo) = (text(&store), text(&fifo));
    ok(&["create", store], "");
    assert!(Command::new("mkfifo").arg(fifo).status().unwrap().success());
    // standard input is a pipe that is open and into which nobody writes
    let waiting: [&[&str]; 7] = [
        &["append", store],
        &["append", store, "-", "--whole"],
        &["append", store, fifo],
        &["append", store, "--whole", fifo],
        &["import", "-"],
        &["import", fifo],
        &["import", fifo, store],
    ];
    for args in waiting {
        ends_at_once(Running::start(args), "INT", 130);
    }
    ends_at_once(Running::start(waiting[2]), "TERM", 143);
    assert!(ok(&["verify", store], "").contains("everything fits"));
}

#[test]
fn regression_a_server_ends_well_whether_it_reads_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let store = text(&store);
    ok(&["create", store], "");
    for args in [&[store][..], &[store, "--append-stdin", "log"]] {
        for signal in ["INT", "TERM"] {
            ends_at_once(Running::serve(args).0, signal, 0);
        }
    }
}

#[test]
fn regression_a_command_whose_output_nobody_takes_ends_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let store = text(&store);
    ok(&["create", store], "");
    // more than a pipe takes
    ok(&["append", store], &"x".repeat(1000).repeat(1000));
    let archive = ["export", store, "-"];
    for args in [&["cat", store][..], &["tail", store], &archive] {
        let (_unread, output) = std::io::pipe().unwrap();
        let mut child = command(args).stdout(output).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(1500));
        assert!(child.try_wait().unwrap().is_none(), "{args:?} has something to write");
        let begin = Instant::now();
        let kill = format!("kill -INT {}", child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let mut ended = None;
        wait_until("it ends", || {
            ended = child.try_wait().unwrap();
            ended.is_some()
        });
        assert_eq!(ended.and_then(|status| status.code()), Some(130), "{args:?}");
        assert!(begin.elapsed() < AT_ONCE, "{:?}", begin.elapsed());
    }
}
