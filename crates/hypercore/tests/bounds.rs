//! Numbers that an application gives are bounded where they enter.

mod common;

use common::{filled, in_store, named, texts};
use hypercore::core::{Core, CoreName};
use hypercore::storage::Storage;
use hypercore::{
    AppendOptions, BlockRequest, CommitOptions, Error, Hash, Hypercore, KeyPair, Manifest, OpenOptions,
    Prologue, ProofRequest, SessionOptions, TruncateOptions,
};

const HIGHEST: u64 = (1 << 53) - 1;

fn to_fork(fork: u64) -> TruncateOptions {
    TruncateOptions::new().fork(fork)
}

fn is_refused(error: &Error, what: &str) {
    assert!(matches!(error, Error::InvalidOperation { .. }), "{what}: {error:?}");
}

fn is_bad(error: &Error, argument: &str) {
    assert!(matches!(error, Error::BadArgument(text) if text.contains(argument)), "{argument}: {error:?}");
}

#[tokio::test]
async fn regression_no_fork_destroys_a_log() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    core.append_batch(["a", "b", "c"]).await.unwrap();
    for fork in [HIGHEST + 1, u64::MAX] {
        is_bad(&core.truncate_with(2, to_fork(fork)).await.unwrap_err(), "fork");
        let draft = named(&core, "draft").await;
        is_bad(&draft.truncate_with(2, to_fork(fork)).await.unwrap_err(), "fork");
        is_bad(&core.signable_at(2, fork).await.unwrap_err(), "fork");
    }
    core.truncate_with(2, to_fork(HIGHEST)).await.unwrap();
    let draft = named(&core, "from the highest fork").await;
    // from the highest fork there is no way on for cuts, but for everything else
    is_refused(&core.truncate(1).await.unwrap_err(), "beyond the highest fork");
    let inside = core.session(SessionOptions::new().atom(&core.atom())).await.unwrap();
    is_refused(&inside.truncate(1).await.unwrap_err(), "beyond the highest fork");
    core.append("d").await.unwrap();
    for session in [draft, inside, core] {
        session.close().await.unwrap();
    }
    let core = Hypercore::open(dir.path()).await.unwrap();
    assert_eq!((texts(&core).await.concat(), core.fork()), ("abd".into(), HIGHEST));
}

#[tokio::test]
async fn regression_a_named_session_on_the_highest_fork_is_not_driven_beyond_it() {
    let core = filled(3).await;
    let draft = named(&core, "draft").await;
    draft.truncate_with(2, to_fork(HIGHEST)).await.unwrap();
    draft.append("x").await.unwrap();
    is_refused(&draft.truncate(1).await.unwrap_err(), "a cut");
    is_refused(&draft.catch_up(3).await.unwrap_err(), "catching up");
    assert_eq!((texts(&draft).await.concat(), draft.fork()), ("01x".into(), HIGHEST));
    // beginning anew is the way on
    let anew = SessionOptions::new().name("draft").overwrite(true);
    assert_eq!(core.session(anew).await.unwrap().fork(), 0);
}

#[tokio::test]
async fn numbers_are_bounded_where_they_enter() {
    let core = filled(3).await;
    let above = HIGHEST + 1;
    for index in [above, u64::MAX] {
        is_bad(&core.get(index).await.unwrap_err(), "block");
        is_bad(&core.missing_nodes(index).await.unwrap_err(), "block");
        is_bad(&core.download_blocks([1, index]).done().await.unwrap_err(), "block");
        is_bad(&core.mark(0..index).await.unwrap_err(), "range");
        is_bad(&core.mark(index - 1..index).await.unwrap_err(), "range");
        assert!(!core.has(index).await.unwrap());
        assert!(!core.has_range(0..index).await.unwrap());
        assert_eq!(core.clear(3..index).await.unwrap(), 0);
        is_refused(&core.truncate(index).await.unwrap_err(), "longer");
        is_refused(&named(&core, "draft").await.catch_up(index).await.unwrap_err(), "longer");
        let back = core.session(SessionOptions::new().name("back").checkout(index)).await.unwrap_err();
        assert!(matches!(back, Error::Assertion(_)), "{back:?}");
        let block = Some(BlockRequest { index, nodes: index });
        let proof = core.proof(&ProofRequest { block, ..ProofRequest::default() }).await.unwrap_err();
        is_refused(&proof, "no such block");
        let draft = named(&core, "draft").await;
        let beyond = CommitOptions::new().length(index).tree_length(index);
        is_refused(&core.commit_with(&draft, beyond).await.unwrap_err(), "longer");
        let tree_length = CommitOptions::new().tree_length(index);
        assert_eq!(core.commit_with(&draft, tree_length).await.unwrap(), None);
        let expected = AppendOptions::new().expected_length(index);
        is_refused(&core.append_with(["x"], expected).await.unwrap_err(), "shorter");
    }
    core.mark(1..2).await.unwrap();
    let mut proof = core.proof(&common::upgrade(3)).await.unwrap();
    proof.fork = above;
    is_bad(&core.apply_proof(proof).await.unwrap_err(), "fork");
    assert_eq!((texts(&core).await.concat(), core.fork()), ("012".into(), 0));
}

#[tokio::test]
async fn regression_a_prologue_that_no_log_can_have_is_refused() {
    let pair = KeyPair::from_seed(&[4; 32]);
    let prologue = Prologue { hash: Hash::from([1; 32]), length: HIGHEST + 1 };
    let manifest = Manifest { prologue: Some(prologue), ..Manifest::single(pair.public()) };
    let storage = Storage::memory().unwrap();
    let before = storage.store().dump().unwrap();
    let options = OpenOptions::new().manifest(manifest.clone()).key_pair(pair);
    let opened = Core::open(&storage, CoreName::default(), options).await.unwrap_err();
    is_bad(&opened, "prologue");
    assert_eq!(storage.store().dump().unwrap(), before);
    let copy = in_store(&storage, OpenOptions::new().key(manifest.key())).await;
    is_bad(&copy.set_manifest(manifest).await.unwrap_err(), "prologue");
}
