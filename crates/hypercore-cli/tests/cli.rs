//! The command as a person uses it.

mod common;

use std::io::Write;

use common::*;

#[test]
fn a_log_is_made_filled_read_and_described() {
    let dir = tempfile::tempdir().unwrap();
    let (store, file) = (dir.path().join("store"), dir.path().join("file"));
    let store = text(&store);
    let key = ok(&["create", store], "").trim().to_owned();
    assert_eq!(ok(&["create", store], "").trim(), key, "the same name is the same log");
    ok(&["append", store], "one\ntwo\nthree\n");
    std::fs::write(&file, "four\nfive").unwrap();
    ok(&["append", store, "--whole", text(&file)], "");
    assert_eq!(ok(&["cat", store], ""), "one\ntwo\nthree\nfour\nfive\n");
    assert_eq!(ok(&["cat", store, "--start", "1", "--end", "3"], ""), "two\nthree\n");
    assert_eq!(ok(&["cat", store, "--raw", "--end", "2"], ""), "onetwo");
    let info = ok(&["info", store, "--json"], "");
    assert!(
        info.contains(r#""length": 4"#) && info.contains(&key) && info.contains(r#""name": "log""#),
        "{info}"
    );
    let list = ok(&["ls", store, "--json"], "");
    assert!(list.contains(&key) && list.contains(r#""contiguousLength": 4"#), "{list}");
}

#[test]
fn a_log_is_copied_and_followed() {
    let dir = tempfile::tempdir().unwrap();
    let (store, copy) = (dir.path().join("store"), dir.path().join("copy"));
    let (store, copy) = (text(&store), text(&copy));
    let key = ok(&["create", store], "").trim().to_owned();
    ok(&["append", store], "one\ntwo\n");
    let (mut server, address) = Running::serve(&[store, "--append-stdin", "log"]);
    ok(&["clone", &key, copy, "--connect", &address], "");
    assert_eq!(ok(&["cat", copy, "--key", &key], ""), "one\ntwo\n");
    let refused = run_with(&["append", copy, "--key", &key], "mine\n");
    assert_eq!(refused.status.code(), Some(4));
    assert!(!refused.stderr.is_empty());
    let live = Running::start(&["cat", copy, "--key", &key, "--live", "--connect", &address]);
    live.wait_for("two");
    server.stdin.write_all(b"three\n").unwrap();
    live.wait_for("three");
}

#[test]
fn failures_have_codes_and_messages() {
    let dir = tempfile::tempdir().unwrap();
    let (store, other) = (dir.path().join("store"), dir.path().join("other"));
    let (store, other) = (text(&store), text(&other));
    fails(&["create"], 2);
    fails(&["clone", "no key", other, "--connect", "127.0.0.1:1"], 2);
    assert!(fails(&["cat", store], 3).contains("holds no store"));
    let key = ok(&["create", store], "").trim().to_owned();
    assert!(fails(&["cat", store, "--name", "other"], 3).contains("no log named"));
    assert!(fails(&["clone", &key, other, "--connect", "127.0.0.1:1"], 5).contains("cannot reach"));
    let (_server, _) = Running::serve(&[store]);
    let message = fails(&["append", store], 1);
    assert!(message.contains("lock") || message.contains("in use") || message.contains("open"), "{message}");
}
