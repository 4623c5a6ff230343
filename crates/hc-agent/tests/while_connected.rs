//! A writer that changes its log while a reader is connected, with Rust and Node in both parts.

mod support;

use std::time::{Duration, Instant};

use hc_interop::json;
use support::{Actor, Core, with_pairs};

/// How long a reader may take at most to have what its writer has.
const LIMIT: Duration = Duration::from_secs(20);

/// Waits for what a download that is under way brings, without asking for anything.
fn until_stored(copy: &Core<'_>, length: u64) {
    let begin = Instant::now();
    while copy.state("contiguousLength") != length {
        let stored = copy.state("contiguousLength");
        assert!(begin.elapsed() < LIMIT, "{stored} of {length} blocks have come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn regression_a_server_that_appends_while_it_serves_goes_on_serving() {
    with_pairs("append while serving", |writer, reader| {
        let dir = tempfile::tempdir().unwrap();
        let writer = Actor::at(writer, dir.path());
        let log = writer.named("log");
        log.append(&["first"]);
        let port = writer.listen();
        // in a third to a half of such runs the rest never came
        for _ in 0..8 {
            let reader = Actor::new(reader);
            let copy = reader.copy(&log);
            reader.connect(&port);
            copy.call("download.start", json!({ "start": 0 }));
            until_stored(&copy, log.length());
            for _ in 0..4 {
                log.append_many(50, 16, 1);
            }
            until_stored(&copy, log.length());
            copy.assert_same_as(&log);
            reader.close();
        }
    });
}

#[test]
fn regression_a_writer_changes_its_log_beside_a_complete_reader() {
    with_pairs("change while serving", |writer, reader| {
        let dir = tempfile::tempdir().unwrap();
        let (writer, reader) = (Actor::at(writer, dir.path()), Actor::new(reader));
        let log = writer.named("log");
        log.append_many(10, 16, 10);
        let copy = reader.copy(&log);
        reader.connect(&writer.listen());
        copy.download_all(10);
        until_stored(&copy, 10);
        log.call("truncate", json!({ "length": 5 }));
        assert_eq!(log.append(&["next"]), 6);
        log.call("clear", json!({ "start": 0, "end": 3 }));
        assert_eq!(log.append(&["and", "more"]), 8);
        log.call("truncate", json!({ "length": 7 }));
        assert_eq!((log.length(), log.state("fork")), (7, json!(2)));
        assert_eq!(log.block(5), b"next");
    });
}
