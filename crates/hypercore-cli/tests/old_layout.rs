//! No command makes a store of version 11 of a directory of Hypercore 10.

mod common;

use std::collections::BTreeMap;
use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::*;

/// A core's place in a store of Corestore 6.
const CORE: &str = "cores/0a/f3/0af3b54fee8f3cf1c4a35be2b5e2a2d2bb0b19a8fb1f32f2f0a6a5ed9d4a7c11";

fn everything(dir: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path.clone());
            }
            found.insert(path.clone(), std::fs::read(path).ok());
        }
    }
    found
}

/// The message of a command that must fail with code 6, and soon: one that serves or follows would go on.
fn refused(args: &[&str]) -> String {
    let mut child = command(args).spawn().unwrap();
    drop(child.stdin.take());
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begin.elapsed() > Duration::from_secs(20) {
            child.kill().unwrap();
            panic!("{args:?} goes on");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut message = String::new();
    child.stderr.take().unwrap().read_to_string(&mut message).unwrap();
    assert_eq!(status.code(), Some(6), "{args:?}: {message}");
    message
}

/// The names of all commands, as the help lists them.
fn commands() -> Vec<String> {
    let help = ok(&["help"], "");
    let list = help.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
    let named = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = named.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    names.map(str::to_owned).collect()
}

#[test]
fn o13_every_command_refuses_a_directory_of_version_10_and_leaves_it_as_it_is() {
    let scratch = tempfile::tempdir().unwrap();
    let (good, archive) = (scratch.path().join("good"), scratch.path().join("archive"));
    let key = ok(&["create", text(&good)], "").trim().to_owned();
    ok(&["append", text(&good)], "block\n");
    ok(&["export", text(&good), text(&archive)], "");
    // commands that take a peer first reach one
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = peer.local_addr().unwrap().to_string();
    for prefix in [format!("{CORE}/"), String::new()] {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("old");
        std::fs::create_dir_all(dir.join(&prefix)).unwrap();
        for file in ["oplog", "tree", "bitfield", "data"] {
            std::fs::write(dir.join(&prefix).join(file), [7; 64]).unwrap();
        }
        if !prefix.is_empty() {
            std::fs::write(dir.join("primary-key"), [9; 32]).unwrap();
        }
        let before = everything(parent.path());
        let (dir, out) = (text(&dir), scratch.path().join("out"));
        for command in commands() {
            let args: Vec<&str> = match command.as_str() {
                "clone" => vec!["clone", &key, dir, "--connect", &address],
                "truncate" => vec!["truncate", dir, "0"],
                "clear" => vec!["clear", dir, "0"],
                "rm" => vec!["rm", dir, "--name", "log", "--yes"],
                "repair" => vec!["repair", dir, "--yes"],
                "export" => vec!["export", dir, text(&out)],
                "import" => vec!["import", text(&archive), dir],
                other => vec![other, dir],
            };
            let message = refused(&args);
            assert!(message.contains("of Hypercore 10") && message.contains(dir), "{args:?}: {message}");
            assert_eq!(everything(parent.path()), before, "{args:?}");
        }
        assert!(!out.exists());
    }
}
