//! Reading: which log is meant, what is shown of it, and where it can be read.

mod common;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::Path;

use common::*;

const READERS: [&[&str]; 6] =
    [&["cat"], &["info"], &["ls"], &["tail", "--every", "0"], &["verify"], &["repair"]];

/// A command with the store behind its name.
fn on<'a>(args: &[&'a str], store: &'a str) -> Vec<&'a str> {
    [&args[..1], &[store], &args[1..]].concat()
}

#[test]
fn regression_the_log_that_is_left_when_the_first_is_gone_is_the_default() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let store = text(&store);
    for name in ["first", "second", "third\u{1b}"] {
        ok(&["create", store, "--name", name], "");
        ok(&["append", store, "--name", name], &format!("of {name}\n"));
    }
    assert_eq!(ok(&["cat", store], ""), "of first\n");
    ok(&["rm", store, "--yes"], "");
    // several are left: which one is meant has to be said
    for command in ["cat", "info", "append", "tail", "export"] {
        let args: &[&str] = if command == "export" { &[command, store, "-"] } else { &[command, store] };
        let message = fails(args, 3);
        assert!(message.contains(r"--name second, --name third\u{1b}"), "{message}");
    }
    ok(&["rm", store, "--name", "third\u{1b}", "--yes"], "");
    assert_eq!(ok(&["cat", store], ""), "of second\n");
    ok(&["append", store], "more\n");
    assert!(ok(&["info", store], "").contains("second"));
    ok(&["rm", store, "--yes"], "");
    assert!(fails(&["cat", store], 3).contains("holds no log yet"));
    // the next one that is made is the default again, as in Node
    ok(&["create", store, "--name", "fourth"], "");
    ok(&["create", store, "--name", "fifth"], "");
    assert!(ok(&["info", store], "").contains("fourth"));
}

#[test]
fn a_copy_without_a_name_is_offered_by_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let (store, other, file) = (dir.path().join("store"), dir.path().join("other"), dir.path().join("file"));
    let (store, other, file) = (text(&store), text(&other), text(&file));
    let key = ok(&["create", other], "").trim().to_owned();
    ok(&["append", other], "one\n");
    ok(&["export", other, file], "");
    for name in ["first", "second"] {
        ok(&["create", store, "--name", name], "");
    }
    ok(&["import", file, store], "");
    ok(&["rm", store, "--yes"], "");
    let message = fails(&["cat", store], 3);
    assert!(message.contains(&format!("--key {key}, --name second")), "{message}");
    ok(&["rm", store, "--name", "second", "--yes"], "");
    assert_eq!(ok(&["cat", store], ""), "one\n");
}

#[test]
fn regression_control_characters_of_names_do_not_reach_a_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let store = text(&store);
    let name = "a\u{1b}]0;title\u{7}\r\u{9b}2J\u{202e}b";
    ok(&["create", store, "--name", name], "");
    for args in [["ls", store], ["info", store]] {
        let shown = ok(&args, "");
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n' || c == '\u{202e}'), "{shown:?}");
        assert!(shown.contains(r"a\u{1b}]0;title\u{7}\r\u{9b}2J\u{202e}b"), "{shown}");
    }
    let json = ok(&["ls", store, "--json"], "");
    assert!(json.contains(r#""a\u001b]0;title\u0007\r"#), "{json}");
    // the name itself is what it was
    ok(&["append", store, "--name", name], "one\n");
}

/// All files under a folder, with what is in them.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(text(&path).to_owned(), std::fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn regression_reading_writes_nothing_and_works_beside_a_server_and_on_a_full_disk() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    ok(&["create", text(&store)], "");
    ok(&["append", text(&store)], "one\ntwo\n");
    let before = files(&store);
    let works = |what: &str| {
        for args in READERS {
            let args = on(args, text(&store));
            // a program that reads has no business to write, whatever its rights
            let output = finish(on_a_full_disk(0, &args), b"");
            let message = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{what}: {args:?}: {message}");
        }
        let archive = finish(on_a_full_disk(0, &["export", text(&store), "-"]), b"");
        assert!(archive.status.success() && archive.stdout.starts_with(b"hypercore archive"), "{what}");
        assert_eq!(ok(&["cat", text(&store)], ""), "one\ntwo\n");
    };
    works("alone");
    assert!(files(&store) == before, "something was written");
    let (_server, _) = Running::serve(&[text(&store)]);
    works("beside a server");
}

#[test]
fn regression_who_stops_reading_is_not_told_of_a_broken_pipe() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let store = text(&store);
    ok(&["create", store], "");
    ok(&["append", store], &"x".repeat(1000).repeat(300));
    let archive: &[&str] = &["export", store, "-"];
    let created: &[&str] = &["create", store, "--json"];
    let listed: &[&str] = &["ls", store, "--json"];
    let mut all: Vec<Vec<&str>> = READERS.iter().map(|args| on(args, store)).collect();
    all.extend([archive.to_vec(), created.to_vec(), listed.to_vec()]);
    for args in all {
        let (unread, output) = std::io::pipe().unwrap();
        drop(unread);
        let mut command = command(&args);
        command.stdout(output);
        let output = finish(command, b"");
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(141), "{args:?}: {message}");
        assert!(!message.contains("pipe"), "{args:?}: {message}");
    }
}

#[test]
fn output_that_cannot_be_written_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let store = text(&store);
    ok(&["create", store], "");
    ok(&["append", store], "one\n");
    for args in READERS {
        let args = on(args, store);
        let mut command = command(&args);
        command.stdout(OpenOptions::new().write(true).open("/dev/full").unwrap());
        let message = must_fail(&finish(command, b""), 1);
        assert!(message.contains("standard output: No space left on device"), "{args:?}: {message}");
    }
}

#[test]
fn regression_tail_says_which_blocks_are_not_here() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let store = text(&store);
    ok(&["create", store], "");
    ok(&["append", store], "0\n1\n2\n3\n4\n5\n6\n7\n");
    for range in [["1", "2"], ["3", "6"], ["7", "8"]] {
        ok(&["clear", store, range[0], range[1]], "");
    }
    let output = run_with(&["tail", store, "--every", "0"], "");
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0\n2\n6\n");
    let said = String::from_utf8_lossy(&output.stderr);
    let expected =
        "block 1 is not stored here\nblocks 3 to 5 are not stored here\nblock 7 is not stored here\n";
    assert_eq!(said, expected);
}

#[test]
fn regression_a_range_beyond_the_log_is_refused_by_the_length_of_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let store = text(&store);
    ok(&["create", store], "");
    ok(&["append", store], "one\ntwo\nthree\n");
    for command in [&["cat", store][..], &["export", store, "-"]] {
        for (range, beyond) in [(["--end", "99"], "--end 99"), (["--start", "4"], "--start 4")] {
            let output = run_with(&[command, &range].concat(), "");
            let message = must_fail(&output, 1);
            assert!(message.contains("the log has only 3 blocks") && message.contains(beyond), "{message}");
            assert!(output.stdout.is_empty(), "nothing is shown of a range that is not there");
        }
        let message = fails(&[command, &["--start", "2", "--end", "1"]].concat(), 2);
        assert!(message.contains("before it starts at 2"), "{message}");
    }
    assert_eq!(ok(&["cat", store, "--start", "3"], ""), "");
    assert_eq!(ok(&["cat", store, "--start", "1", "--end", "3"], ""), "two\nthree\n");
    assert!(fails(&["clear", store, "2", "1"], 2).contains("before it starts"));
}
