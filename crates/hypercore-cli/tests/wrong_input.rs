//! What is wrong on the command line is said by name, before anything is done.

mod common;

use common::*;

#[test]
fn regression_a_wrong_letter_in_a_key_is_named_and_blanks_around_it_are_not_part_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let store = text(&store);
    let key = ok(&["create", store], "").trim().to_owned();
    ok(&["append", store], "one\n");
    let wrong = format!("{}l{}", &key[..6], &key[7..]);
    let message = fails(&["cat", store, "--key", &wrong], 2);
    assert!(message.contains("character 7 is 'l'"), "{message}");
    assert!(fails(&["cat", store, "--key", &key[1..]], 2).contains("got 51 characters"));
    assert_eq!(ok(&["cat", store, "--key", &format!(" {key}\n")], ""), "one\n");
}

#[test]
fn regression_a_peer_without_a_port_is_a_mistake_of_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let (store, copy) = (dir.path().join("store"), dir.path().join("copy"));
    let (store, copy) = (text(&store), text(&copy));
    let key = ok(&["create", store], "").trim().to_owned();
    for address in ["localhost", "localhost:", "localhost:0", "localhost:65536", "::1:9000", "[::1]", ":9000"]
    {
        let message = fails(&["clone", &key, copy, "--connect", address], 2);
        assert!(message.contains("--connect") && message.contains(address), "{message}");
        fails(&["cat", store, "--connect", address], 2);
    }
    assert!(!dir.path().join("copy").exists());
    // well formed, and nobody there
    for address in ["127.0.0.1:1", "[::1]:1"] {
        assert!(fails(&["clone", &key, copy, "--connect", address], 5).contains(address));
    }
    assert!(fails(&["cat", store, "--live"], 2).contains("--connect"), "nothing can come alone");
}

#[test]
fn a_server_listens_on_an_address_of_version_6_and_says_where_it_cannot() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let store = text(&store);
    ok(&["create", store], "");
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        for host in ["::1", "[::1]"] {
            let (_server, address) = Running::serve(&[store, "--host", host]);
            assert!(address.starts_with("[::1]:"), "{address}");
        }
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let message = fails(&["serve", store, "--port", &port], 1);
    assert!(message.contains(&format!("listening on 127.0.0.1 port {port}")), "{message}");
}

#[test]
fn regression_numbers_that_no_log_can_have_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let store = text(&store);
    ok(&["create", store], "");
    ok(&["append", store], "one\ntwo\n");
    let commands: [&[&str]; 11] = [
        &["truncate", store, "2", "--fork"],
        &["truncate", store],
        &["clear", store],
        &["clear", store, "0"],
        &["cat", store, "--start"],
        &["cat", store, "--end"],
        &["export", store, "-", "--start"],
        &["export", store, "-", "--end"],
        &["tail", store, "--every", "0", "--last"],
        &["append", store, "--skip"],
        &["serve", store, "--port"],
    ];
    for command in commands {
        for number in
            ["9007199254740992", "18446744073709551615", "18446744073709551616", "-1", "1.5", "x", ""]
        {
            let message = must_fail(&run_with(&[command, &[number]].concat(), ""), 2);
            assert!(message.contains(&format!("'{number}'")), "{command:?} {number}: {message}");
        }
    }
    assert_eq!(ok(&["tail", store, "--every", "0", "--last", "9007199254740991"], ""), "one\ntwo\n");
    assert!(ok(&["info", store, "--json"], "").contains(r#""fork": 0"#));
}

#[test]
fn regression_an_error_about_a_directory_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, file) = (dir.path().join("store"), dir.path().join("file"));
    std::fs::write(&file, "not a store").unwrap();
    let (store, file, inside) = (text(&store), text(&file), file.join("inside"));
    let key = ok(&["create", store], "").trim().to_owned();
    ok(&["append", store], "one\n");
    let archive = dir.path().join("archive");
    ok(&["export", store, text(&archive)], "");
    // what cannot even be looked at is not said to hold nothing
    let circle = dir.path().join("circle");
    std::os::unix::fs::symlink(&circle, &circle).unwrap();
    assert!(fails(&["cat", text(&circle)], 1).contains("circle: looking at the directory: Too many levels"));
    for place in [file, text(&inside), text(&circle)] {
        assert!(fails(&["create", place], 1).contains(place));
        assert!(fails(&["import", text(&archive), place], 1).contains(place));
        for command in ["cat", "ls", "info", "append", "serve", "verify", "compact", "repair"] {
            let output = run_with(&[command, place], "");
            let message = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() && message.contains(place), "{command} {place}: {message}");
        }
    }
    let (_server, address) = Running::serve(&[store]);
    assert!(fails(&["clone", &key, file, "--connect", &address], 1).contains(file));
    for command in ["append", "compact"] {
        assert!(fails(&[command, store], 1).contains(&format!("hypercore: {store}: ")), "it is locked");
    }
    let unknown = "y".repeat(52);
    assert!(fails(&["cat", store, "--key", &unknown], 3).contains(store));
}

#[test]
fn regression_a_directory_of_version_10_is_called_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("oplog"), "").unwrap();
    for command in ["cat", "ls", "info", "tail", "verify", "append", "serve", "compact"] {
        let message = fails(&[command, text(dir.path())], 6);
        assert!(message.contains("is a log of Hypercore 10"), "{command}: {message}");
    }
}

#[test]
fn regression_an_archive_that_cannot_be_read_or_written_is_no_matter_of_a_connection() {
    let dir = tempfile::tempdir().unwrap();
    let (store, file) = (dir.path().join("store"), dir.path().join("file"));
    let (store, file) = (text(&store), text(&file));
    ok(&["create", store], "");
    ok(&["append", store], &format!("{}\n", "x".repeat(1 << 20)));
    let message = fails(&["import", store], 1);
    assert!(message.contains(store) && message.contains("Is a directory"), "{message}");
    let message = fails(&["export", store, "/dev/full"], 1);
    assert!(message.contains("/dev/full: writing the archive failed at byte"), "{message}");
    assert!(message.contains("No space left on device"), "{message}");
    let export = ["export", store, file];
    let message = must_fail(&finish(on_a_full_disk(8, &export), b""), 1);
    assert!(message.contains(file) && message.contains("File too large"), "{message}");
    let names: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["store"], "half an archive is none");
    ok(&export, "");
    let whole = std::fs::read(file).unwrap();
    must_fail(&finish(on_a_full_disk(8, &export), b""), 1);
    assert!(std::fs::read(file).unwrap() == whole, "an older one is kept");
    std::fs::write(file, &whole[..whole.len() / 2]).unwrap();
    let message = fails(&["import", file], 1);
    assert!(message.contains(file) && message.contains("ends early"), "{message}");
    std::fs::write(file, "something else").unwrap();
    let message = fails(&["import", file], 1);
    assert!(message.contains(file) && message.contains("not an archive"), "{message}");
}
