//! Fetching from a peer: whose fault it is when it ends early.

mod common;

use std::io::Write;

use common::*;

#[test]
fn regression_a_full_disk_is_not_blamed_on_the_peer() {
    let dir = tempfile::tempdir().unwrap();
    let (store, copy) = (dir.path().join("store"), dir.path().join("copy"));
    let (store, copy) = (text(&store), text(&copy));
    let key = ok(&["create", store], "").trim().to_owned();
    ok(&["append", store], &format!("{}\n", "x".repeat(10_000)).repeat(300));
    let (_server, address) = Running::serve(&[store]);
    // 1 MiB is less than the blocks need
    let clone = on_a_full_disk(2048, &["clone", &key, copy, "--connect", &address]);
    let message = must_fail(&finish(clone, b""), 1);
    assert!(message.contains(&format!("hypercore: {copy}: ")), "{message}");
    assert!(message.contains("could not be stored") && message.contains("File too large"), "{message}");
    assert!(!message.contains('\u{1b}'), "colours are for terminals: {message:?}");
    // the same when a log is read
    let cat = on_a_full_disk(2048, &["cat", copy, "--key", &key, "--connect", &address]);
    let message = must_fail(&finish(cat, b""), 1);
    assert!(message.contains(&format!("hypercore: {copy}: ")), "{message}");
    // with room it goes on
    ok(&["clone", &key, copy, "--connect", &address], "");
    assert!(ok(&["cat", copy], "") == ok(&["cat", store], ""));
}

#[test]
fn a_peer_that_goes_away_ends_a_copy_after_what_is_here() {
    let dir = tempfile::tempdir().unwrap();
    let (store, copy) = (dir.path().join("store"), dir.path().join("copy"));
    let (store, copy) = (text(&store), text(&copy));
    let key = ok(&["create", store], "").trim().to_owned();
    ok(&["append", store], "one\ntwo\n");
    let (mut server, address) = Running::serve(&[store, "--append-stdin", "log"]);
    ok(&["clone", &key, copy, "--connect", &address], "");
    let mut live = Running::start(&["cat", copy, "--live", "--connect", &address]);
    live.wait_for("two");
    server.stdin.write_all(b"three\n").unwrap();
    live.wait_for("three");
    server.signal("TERM");
    let (code, said) = server.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 blocks appended; the log has 3 blocks"), "{said}");
    let (code, said) = live.end();
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains(&format!("{address} closed the connection")), "{said}");
    assert_eq!(ok(&["cat", copy], ""), "one\ntwo\nthree\n", "what was fetched is kept");
}

#[test]
fn regression_a_server_refuses_an_endless_line_and_says_what_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let store = text(&store);
    ok(&["create", store], "");
    let (mut server, _) = Running::serve(&[store, "--append-stdin", "log"]);
    server.stdin.write_all(b"one\ntwo\n").unwrap();
    // the server may be gone before all is written
    let _ = server.stdin.write_all(&vec![b'x'; 16 << 20]);
    let (code, said) = server.end();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("standard input: line 3 has more than"), "{said}");
    assert!(said.contains("2 blocks appended; the log has 2 blocks"), "{said}");
}

#[test]
fn a_peer_that_does_not_have_the_log_delivers_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (store, other) = (dir.path().join("store"), dir.path().join("other"));
    let (store, other) = (text(&store), text(&other));
    ok(&["create", store], "");
    let key = ok(&["create", other], "").trim().to_owned();
    let (_server, address) = Running::serve(&[store]);
    let copy = dir.path().join("copy");
    let clone = ["clone", &key, text(&copy), "--connect", &address, "--timeout", "2"];
    assert!(fails(&clone, 5).contains(&address));
}
