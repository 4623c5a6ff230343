//! Interop of who may sign a log: manifests over the wire, between Rust and Node.

mod support;

use std::time::{Duration, Instant};

use hc_interop::Value;
use support::{Actor, Core, with_pairs};

/// Waits until the core knows who may sign it.
fn manifest_of(core: &Core<'_>) -> Value {
    let late = Instant::now() + Duration::from_secs(20);
    loop {
        let manifest = core.state("manifest");
        if !manifest.is_null() || Instant::now() > late {
            return manifest;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn g9_the_manifest_comes_with_the_first_upgrade_and_is_handed_on() {
    with_pairs("G9", |writer, reader| {
        let (writer, first, second) = (Actor::new(writer), Actor::new(reader), Actor::new(writer));
        let log = writer.named("log");
        log.append(&["a", "b"]);
        let (copy, further) = (first.copy(&log), second.copy(&log));
        first.connect(&writer.listen());
        copy.wait_for_length(2);
        assert_eq!(copy.state("manifest"), log.state("manifest"));
        second.connect(&first.listen());
        further.wait_for_length(2);
        assert_eq!(further.state("manifest"), log.state("manifest"));
    });
}

#[test]
fn g9_the_manifest_of_an_empty_log_comes_too() {
    with_pairs("G9", |writer, reader| {
        let (writer, reader) = (Actor::new(writer), Actor::new(reader));
        let log = writer.named("log");
        let copy = reader.copy(&log);
        reader.connect(&writer.listen());
        assert_eq!(manifest_of(&copy), log.state("manifest"));
        // and the connection is as good as any
        log.append(&["a"]);
        copy.wait_for_length(1);
        assert_eq!(copy.block(0), b"a");
    });
}
