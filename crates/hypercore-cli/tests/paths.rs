//! Directories and files whose names are no text.

mod common;

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::process::Output;

use common::command;

fn run(args: &[&OsStr], input: &str) -> Output {
    let mut child = command(&[]);
    let mut child = child.args(args).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn regression_directories_whose_names_become_the_same_text_are_different_stores() {
    let parent = tempfile::tempdir().unwrap();
    let names: [&[u8]; 3] = ["b\u{fffd}".as_bytes(), b"b\xff", b"b\xfe"];
    let dirs: Vec<OsString> =
        names.iter().map(|name| parent.path().join(OsStr::from_bytes(name)).into()).collect();
    for (number, dir) in dirs.iter().enumerate() {
        for (args, input) in [("create", String::new()), ("append", format!("of store {number}\n"))] {
            let done = run(&[args.as_ref(), dir], &input);
            assert!(done.status.success(), "{args} {dir:?}: {}", String::from_utf8_lossy(&done.stderr));
        }
    }
    for (number, dir) in dirs.iter().enumerate() {
        let done = run(&["cat".as_ref(), dir], "");
        assert_eq!(String::from_utf8_lossy(&done.stdout), format!("of store {number}\n"), "{dir:?}");
    }
    assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 3);
}
