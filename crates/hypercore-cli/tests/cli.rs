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

#[test]
fn a_log_is_cut_cleared_compacted_and_taken_away() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let store = text(&store);
    ok(&["create", store], "");
    ok(&["append", store], "one\ntwo\nthree\nfour\n");
    ok(&["truncate", store, "3"], "");
    assert_eq!(ok(&["cat", store], ""), "one\ntwo\nthree\n");
    assert!(ok(&["info", store, "--json"], "").contains(r#""fork": 1"#));
    fails(&["truncate", store, "9"], 1);
    ok(&["clear", store, "1"], "");
    assert!(fails(&["cat", store], 1).contains("block 1"), "it is not here, and nobody was asked");
    ok(&["compact", store], "");
    assert_eq!(ok(&["cat", store, "--start", "2"], ""), "three\n");
    ok(&["create", store, "--name", "other"], "");
    assert!(ok(&["rm", store, "--name", "log"], "").is_empty());
    assert_eq!(ok(&["cat", store, "--name", "log", "--start", "2"], ""), "three\n", "nothing was done yet");
    ok(&["rm", store, "--name", "log", "--yes"], "");
    assert!(fails(&["cat", store, "--name", "log"], 3).contains("no log named"));
    assert!(!ok(&["ls", store, "--json"], "").contains(r#""name": "log""#));
    assert!(ok(&["verify", store], "").contains("everything fits"));
}

#[test]
fn regression_no_fork_on_the_command_line_destroys_a_log() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let store = text(&store);
    ok(&["create", store], "");
    ok(&["append", store], "one\ntwo\nthree\n");
    for fork in ["9007199254740992", "18446744073709551615"] {
        assert!(fails(&["truncate", store, "2", "--fork", fork], 2).contains("fork"), "{fork}");
    }
    assert!(fails(&["truncate", store, "2", "--fork", "0"], 1).contains("not above the present one"));
    assert_eq!(ok(&["cat", store], ""), "one\ntwo\nthree\n");
    ok(&["truncate", store, "2", "--fork", "9007199254740991"], "");
    assert!(fails(&["truncate", store, "1"], 1).contains("highest fork"));
    ok(&["append", store], "four\n");
    assert_eq!(ok(&["cat", store], ""), "one\ntwo\nfour\n");
    assert!(ok(&["verify", store], "").contains("everything fits"));
}

#[test]
fn two_histories_are_a_finding() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    ok(&["create", text(&store), "--name", "log"], "");
    ok(&["append", text(&store), "--name", "log"], "one\n");
    let info: serde_json::Value = serde_json::from_str(&ok(&["info", text(&store), "--json"], "")).unwrap();
    let discovery_key = info["discoveryKey"].as_str().unwrap();
    // peers were told of another log of one block: a line of the witness, with the check at its end
    let body = format!("{discovery_key} 0 1 {}", "ab".repeat(32));
    let check = hc_crypto::hash::blake2b(&[body.as_bytes()]).to_string();
    std::fs::write(store.join("WITNESS"), format!("{body} {}\n", &check[..8])).unwrap();
    let report = fails(&["verify", text(&store)], 6);
    assert!(report.contains("1 things do not fit"), "{report}");
    let output = run_with(&["verify", text(&store), "--json"], "");
    let json = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(json.contains("two histories: of fork 0 and length 1"), "{json}");
}

#[test]
fn a_store_is_verified_and_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let store = text(&store);
    ok(&["create", store], "");
    // large enough to be in a file of their own
    let lines: String = (0..20).map(|i| format!("{i}").repeat(6000) + "\n").collect();
    ok(&["append", store], &lines);
    ok(&["compact", store], "");
    let report = ok(&["verify", store, "--json"], "");
    assert!(report.contains(r#""clean": true"#) && report.contains(r#""blocks": 20"#), "{report}");
    assert!(ok(&["repair", store], "").contains("everything fits"));

    // a block is altered behind the back of the store: its bytes are in a table or in a blob file
    let db = std::path::Path::new(store).join("db");
    let mut altered = 0;
    for file in std::fs::read_dir(db).unwrap() {
        let path = file.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        if let Some(at) = bytes.windows(600).position(|window| window.iter().all(|byte| *byte == b'7')) {
            bytes[at + 300] = b'8';
            std::fs::write(&path, bytes).unwrap();
            altered += 1;
        }
    }
    assert!(altered > 0);
    let report = fails(&["verify", store], 6);
    assert!(report.contains("do not fit"), "{report}");
    let output = run_with(&["verify", store, "--json"], "");
    let json = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(json.contains("block 7 cannot be read") && json.contains(r#""repairable": true"#), "{json}");
    fails(&["repair", store], 6);
    ok(&["repair", store, "--yes"], "");
    assert!(ok(&["verify", store], "").contains("everything fits"));
    // the block is gone, to be fetched from a peer, and every other one is there
    assert!(fails(&["cat", store], 1).contains("block 7 is not stored here"));
    assert!(ok(&["cat", store, "--start", "8"], "").starts_with("888"));
}

#[test]
fn a_log_as_a_file_verifies_with_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let (store, copy, file) = (dir.path().join("store"), dir.path().join("copy"), dir.path().join("file"));
    let (store, copy, file) = (text(&store), text(&copy), text(&file));
    let key = ok(&["create", store], "").trim().to_owned();
    ok(&["append", store], "one\ntwo\nthree\n");
    ok(&["export", store, file], "");
    assert_eq!(ok(&["import", file], "").trim(), key, "verified, and stored nowhere");
    assert_eq!(ok(&["import", file, copy, "--key", &key], "").trim(), key);
    assert_eq!(ok(&["cat", copy, "--key", &key], ""), "one\ntwo\nthree\n");
    let other = ok(&["create", store, "--name", "other"], "").trim().to_owned();
    fails(&["import", file, "--key", &other], 6);
    let mut bytes = std::fs::read(file).unwrap();
    let at = bytes.windows(3).position(|window| window == b"two").unwrap();
    bytes[at] = b'T';
    std::fs::write(file, &bytes).unwrap();
    assert!(fails(&["import", file], 6).contains("does not hold") || !fails(&["import", file], 6).is_empty());
    std::fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
    assert!(fails(&["import", file], 1).contains("early"));
}

#[test]
fn what_another_process_appends_is_shown_as_it_comes() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let store = text(&store);
    ok(&["create", store], "");
    ok(&["append", store], "one\ntwo\n");
    let (mut server, _) = Running::serve(&[store, "--append-stdin", "log"]);
    let tail = Running::start(&["tail", store]);
    tail.wait_for("two");
    for word in ["three", "four", "five"] {
        server.stdin.write_all(format!("{word}\n").as_bytes()).unwrap();
        tail.wait_for(word);
    }
    assert_eq!(ok(&["tail", store, "--every", "0", "--last", "2"], ""), "four\nfive\n");
}
