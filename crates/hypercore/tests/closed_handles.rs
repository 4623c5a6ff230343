//! What handles of closed sessions cost: memory of the process, and files of the store. In a process of its own, since it is
//! the process that is measured.
#![cfg(target_os = "linux")]

use std::path::Path;

use hypercore::{Hypercore, SessionOptions};

/// Sessions of each kind that are opened, read and closed.
const SESSIONS: usize = 10_000;
/// What the bare handle of a closed session takes, with its allocation.
const HANDLE_BYTES: usize = 192;
/// What may come on top of bare handles: buffers and files of the engine, and of a named session the cores that it was of.
const SLACK_BYTES: usize = 1 << 20;

/// Bytes of memory that this process has.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn size_of(dir: &Path) -> usize {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    let size = |entry: std::fs::DirEntry| match entry.file_type().unwrap().is_dir() {
        true => size_of(&entry.path()),
        // a file that RocksDB deletes meanwhile has no size
        false => entry.metadata().map_or(0, |metadata| usize::try_from(metadata.len()).unwrap()),
    };
    entries.map(size).sum()
}

/// Opens, reads and closes a session, and keeps its handle.
async fn used(core: &Hypercore, options: SessionOptions, index: u64) -> Hypercore {
    let session = core.session(options).await.unwrap();
    drop((session.events(), session.finding_peers(), session.download(..)));
    assert_eq!(session.get(index).await.unwrap(), index.to_string());
    session.close().await.unwrap();
    session
}

/// As many sessions as were asked for, with a change of a record after each: a snapshot that is still held keeps what it was.
async fn many(core: &Hypercore, count: usize, options: impl Fn(usize) -> SessionOptions) -> Vec<Hypercore> {
    let mut handles = Vec::with_capacity(count);
    for i in 0..count {
        handles.push(used(core, options(i), (i % 100) as u64).await);
        core.set_user_data("changes", Some(&[u8::try_from(i % 256).unwrap(); 64])).await.unwrap();
    }
    handles
}

/// Memory of the process and bytes on disk that these sessions leave behind, with their handles, which are kept in `kept`: the
/// next ones would use again what they leave.
async fn left_by(
    core: &Hypercore,
    dir: &Path,
    kept: &mut Vec<Hypercore>,
    options: fn(usize) -> SessionOptions,
) -> (usize, usize) {
    // what the engine and the allocator need once
    drop(many(core, SESSIONS / 10, options).await);
    core.compact().await.unwrap();
    let (memory, disk) = (resident(), size_of(dir));
    kept.extend(many(core, SESSIONS, options).await);
    core.compact().await.unwrap();
    (resident().saturating_sub(memory), size_of(dir).saturating_sub(disk))
}

#[tokio::test]
async fn regression_a_handle_of_a_closed_session_holds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    core.append_batch((0..100).map(|i| i.to_string())).await.unwrap();
    let mut kept = Vec::with_capacity(4 * SESSIONS);
    drop(many(&core, SESSIONS, |_| SessionOptions::new()).await);
    type Kind = (&'static str, fn(usize) -> SessionOptions);
    let kinds: [Kind; 3] = [
        ("sessions", |_| SessionOptions::new()),
        ("snapshots", |_| SessionOptions::new().snapshot(true)),
        ("named sessions", |i| SessionOptions::new().name(format!("draft {}", i % 10))),
    ];
    for (what, options) in kinds {
        let (memory, disk) = left_by(&core, dir.path(), &mut kept, options).await;
        println!("{SESSIONS} {what}: {memory} bytes of memory, {disk} on disk");
        assert!(memory <= SESSIONS * HANDLE_BYTES + SLACK_BYTES, "{what}: {memory} bytes of memory");
        assert!(disk <= SLACK_BYTES, "{what}: {disk} bytes on disk");
    }
    assert!(kept.iter().all(Hypercore::is_closed));
}
