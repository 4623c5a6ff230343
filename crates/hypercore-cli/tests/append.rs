//! Appending: when lines are stored, how large they may be, and what is said when it ends early.

mod common;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use common::*;

const LARGEST: usize = 15 * 1024 * 1024;

fn new_store(dir: &Path) -> String {
    let store = text(&dir.join("store")).to_owned();
    ok(&["create", &store], "");
    store
}

fn file(dir: &Path, name: &str, content: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn has_blocks(store: &str, length: u64) -> bool {
    // another process writes
    ok(&["info", store, "--json"], "").contains(&format!(r#""length": {length},"#))
}

#[test]
fn regression_a_line_from_a_pipe_is_stored_while_the_pipe_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let store = new_store(dir.path());
    for (round, extra) in [&[][..], &["--sync"]].into_iter().enumerate() {
        let args = [&["append", store.as_str()], extra].concat();
        let mut appending = Running::start(&args);
        let length = round as u64 * 3;
        appending.stdin.write_all(b"one\n").unwrap();
        wait_until("a line is stored", || has_blocks(&store, length + 1));
        // a line that has no end yet is no block
        appending.stdin.write_all(b"two\nthr").unwrap();
        wait_until("the next line is stored", || has_blocks(&store, length + 2));
        appending.stdin.write_all(b"ee\n").unwrap();
        wait_until("its rest makes it a block", || has_blocks(&store, length + 3));
        assert!(appending.is_alive());
    }
    assert_eq!(ok(&["cat", &store], ""), "one\ntwo\nthree\n".repeat(2));
}

#[test]
fn regression_an_endless_line_is_refused_at_the_size_of_the_largest_block() {
    let dir = tempfile::tempdir().unwrap();
    let store = new_store(dir.path());
    let mut endless = command(&["append", &store]);
    endless.stdin(File::open("/dev/zero").unwrap());
    let message = must_fail(&finish(endless, b""), 1);
    assert!(message.contains("standard input: line 1 has more than 15728640 bytes"), "{message}");
    assert!(message.contains("0 blocks appended; the log has 0 blocks"), "{message}");
}

#[test]
fn regression_a_line_that_is_too_long_is_named_by_its_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let store = new_store(dir.path());
    let first = file(dir.path(), "first", "1\n2\n3\n");
    // the blocks of a batch of its own, or of several, do not count: lines do
    let long = "x".repeat(LARGEST + 1);
    let second = file(dir.path(), "second", &format!("4\n5\n{long}\n7\n"));
    let output = run_with(&["append", &store, text(&first), text(&second)], "");
    let message = must_fail(&output, 1);
    assert!(message.contains(&format!("{}: line 3 has more than", second.display())), "{message}");
    assert!(message.contains("5 blocks appended; the log has 5 blocks"), "{message}");
    assert_eq!(ok(&["cat", &store], ""), "1\n2\n3\n4\n5\n");

    // the largest that is allowed
    let long = "x".repeat(LARGEST);
    let second = file(dir.path(), "second", &format!("4\n5\n{long}\n7\n"));
    ok(&["append", &store, text(&first), text(&second), "--skip", "5"], "");
    assert_eq!(ok(&["cat", &store, "--start", "6"], ""), "7\n");

    let whole = file(dir.path(), "whole", &"x".repeat(LARGEST + 1));
    let message = must_fail(&run_with(&["append", &store, "--whole", text(&first), text(&whole)], ""), 1);
    assert!(message.contains(&format!("{} has more than", whole.display())), "{message}");
    assert!(message.contains("1 blocks appended; the log has 8 blocks"), "{message}");
}

#[test]
fn regression_an_append_that_is_interrupted_says_what_is_stored_and_can_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = new_store(dir.path());
    for (round, (signal, code)) in [("INT", 130), ("TERM", 143)].into_iter().enumerate() {
        let length = round as u64 * 5;
        let mut appending = Running::start(&["append", &store]);
        appending.stdin.write_all(b"one\ntwo\nthree\n").unwrap();
        wait_until("lines are stored", || has_blocks(&store, length + 3));
        appending.signal(signal);
        let (ended, said) = appending.end();
        assert_eq!(ended, Some(code), "{said}");
        let expected = format!("3 blocks appended; the log has {} blocks", length + 3);
        assert!(said.contains(&expected) && said.contains("--skip 3"), "{said}");
        ok(&["append", &store, "--skip", "3"], "one\ntwo\nthree\nfour\nfive");
    }
    assert_eq!(ok(&["cat", &store], ""), "one\ntwo\nthree\nfour\nfive\n".repeat(2));
}

#[test]
fn regression_a_missing_file_stores_nothing_of_the_files_before_it_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = new_store(dir.path());
    let first = file(dir.path(), "first", "1\n2\n");
    let missing = dir.path().join("missing");
    for other in [&missing, dir.path()] {
        let output = run_with(&["append", &store, text(&first), text(other)], "");
        let message = must_fail(&output, 1);
        assert!(message.contains(text(other)), "{message}");
        assert!(message.contains("0 blocks appended; the log has 0 blocks"), "{message}");
    }
}

#[test]
fn regression_an_append_that_fills_the_disk_says_what_is_stored_and_can_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = new_store(dir.path());
    let lines: String = (0..2000).map(|i| format!("{i:-<1000}\n")).collect();
    let input = file(dir.path(), "input", &lines);
    // 1 MiB is less than the lines need
    let output = finish(on_a_full_disk(2048, &["append", &store, text(&input)]), b"");
    let message = must_fail(&output, 1);
    assert!(message.contains(&format!("hypercore: {store}: writing to the database")), "{message}");
    let stored: usize = message
        .lines()
        .find_map(|line| line.split_once(" blocks appended; the log has "))
        .map(|(stored, _)| stored.parse().unwrap())
        .unwrap();
    assert!(message.contains(&format!("--skip {stored}")), "{message}");
    assert!((1..2000).contains(&stored), "{message}");
    assert!(has_blocks(&store, stored as u64));
    ok(&["append", &store, text(&input), "--skip", &stored.to_string()], "");
    assert!(ok(&["cat", &store], "") == lines, "each line is in the log once");
    assert!(ok(&["verify", &store], "").contains("everything fits"));
}

#[test]
fn more_than_there_is_cannot_be_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let store = new_store(dir.path());
    ok(&["append", &store, "--skip", "2"], "one\ntwo\n");
    assert!(has_blocks(&store, 0));
    let message = must_fail(&run_with(&["append", &store, "--skip", "3"], "one\ntwo\n"), 1);
    assert!(message.contains("only 2 lines"), "{message}");
    let first = file(dir.path(), "first", "1\n2\n");
    ok(&["append", &store, "--whole", "--skip", "1", text(&first), text(&first)], "");
    assert!(has_blocks(&store, 1));
}
