//! No argument makes a log that cannot be opened again.

mod common;

use common::{filled, named, texts};
use hypercore::{Hypercore, SessionOptions, TruncateOptions};

/// The largest number that is stored.
const MAX: u64 = (1 << 53) - 1;

#[tokio::test]
async fn regression_a_truncation_to_a_fork_that_cannot_be_stored_leaves_the_log_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let log = Hypercore::open(dir.path()).await.unwrap();
    log.append_batch(["0", "1", "2"]).await.unwrap();
    for fork in [MAX + 1, u64::MAX] {
        log.truncate_with(1, TruncateOptions::new().fork(fork)).await.unwrap_err();
        assert_eq!((log.fork(), texts(&log).await.len()), (0, 3));
    }
    // the last fork that there is may be refused as well, but if it is not, the next one is
    if log.truncate_with(2, TruncateOptions::new().fork(MAX)).await.is_ok() {
        assert_eq!(log.fork(), MAX);
        log.truncate(1).await.unwrap_err();
    }
    let (fork, blocks) = (log.fork(), texts(&log).await);
    log.append("more").await.unwrap();
    log.close().await.unwrap();
    let log = Hypercore::open(dir.path()).await.unwrap();
    assert_eq!((log.fork(), texts(&log).await), (fork, [blocks, vec!["more".into()]].concat()));
}

#[tokio::test]
async fn regression_a_session_that_begins_anew_with_its_own_blocks_keeps_them() {
    let core = filled(2).await;
    let draft = named(&core, "draft").await;
    draft.append_batch(["a", "b"]).await.unwrap();
    let again = SessionOptions::new().name("draft").overwrite(true);
    let refused = draft.session(again.clone()).await.unwrap_err();
    assert_eq!(refused.code(), "BAD_ARGUMENT", "{refused}");
    assert_eq!(texts(&draft).await, ["0", "1", "a", "b"]);
    let anew = core.session(again).await.unwrap();
    assert_eq!(texts(&anew).await, ["0", "1"]);
}
