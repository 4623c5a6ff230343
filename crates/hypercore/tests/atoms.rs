//! Atoms: changes that wait to be made together.

mod common;

use common::{connect, ends, filled, named, reader, texts, told};
use hypercore::{Event, Hypercore, SessionOptions};

async fn within(core: &Hypercore, atom: &hypercore::Atom) -> Hypercore {
    core.session(SessionOptions::new().atom(atom)).await.unwrap()
}

#[tokio::test]
async fn d16_nothing_is_seen_before_the_flush_and_everything_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    core.append("0").await.unwrap();
    let atom = core.atom();
    let inside = within(&core, &atom).await;
    inside.append_batch(["1", "2"]).await.unwrap();
    inside.set_user_data("k", Some(b"v")).await.unwrap();
    assert_eq!(texts(&inside).await, ["0", "1", "2"]);
    assert_eq!((texts(&core).await, core.user_data("k").await.unwrap()), (vec!["0".to_owned()], None));
    atom.flush().await.unwrap();
    assert_eq!(texts(&core).await, ["0", "1", "2"]);
    assert_eq!((core.contiguous_length(), core.user_data("k").await.unwrap().unwrap()), (3, "v".into()));
    core.append("3").await.unwrap();
    for session in [&core, &inside] {
        session.close().await.unwrap();
    }
    let core = Hypercore::open(dir.path()).await.unwrap();
    assert_eq!(texts(&core).await, ["0", "1", "2", "3"]);
}

#[tokio::test]
async fn d17_append_cut_records_and_commit_happen_together() {
    let core = filled(4).await;
    let draft = named(&core, "draft").await;
    let atom = core.atom();
    let inside = within(&core, &atom).await;
    inside.append("a").await.unwrap();
    draft.append_batch(["c", "d"]).await.unwrap();
    assert_eq!(inside.commit(&draft).await.unwrap(), None, "the atom has moved on");
    inside.truncate(4).await.unwrap();
    assert_eq!(inside.commit(&draft).await.unwrap().unwrap().length, 6);
    inside.clear(0..1).await.unwrap();
    inside.set_user_data("k", Some(b"v")).await.unwrap();
    assert_eq!((core.length(), core.has(0).await.unwrap()), (4, true));
    let mut events = core.events();
    atom.flush().await.unwrap();
    assert_eq!((core.length(), core.fork(), core.has(0).await.unwrap()), (6, 1, false));
    assert_eq!(core.get(5).await.unwrap(), "d");
    assert_eq!(core.contiguous_length(), 0);
    assert_eq!(
        told(&mut events).await,
        [Event::Truncate { length: 4, fork: 1 }, Event::Append { length: 6, byte_length: 6 }]
    );
}

#[tokio::test]
async fn d18_several_flushes_in_sequence_and_events_once() {
    let core = filled(1).await;
    let atom = core.atom();
    let inside = within(&core, &atom).await;
    let mut events = core.events();
    for round in 1..4_u64 {
        inside.append_batch(["x", "y"]).await.unwrap();
        atom.flush().await.unwrap();
        let length = 1 + 2 * round;
        assert_eq!(told(&mut events).await, [Event::Append { length, byte_length: length }]);
        core.append("between").await.unwrap();
        core.truncate(length).await.unwrap();
        told(&mut events).await;
        assert_eq!(texts(&core).await.len() as u64, length);
        atom.flush().await.unwrap();
        assert_eq!(told(&mut events).await, [], "nothing changed");
    }
}

#[tokio::test]
async fn d19_a_checkout_and_an_append_tell_one_of_each() {
    let core = filled(6).await;
    let atom = core.atom();
    let back = core.session(SessionOptions::new().atom(&atom).checkout(2)).await.unwrap();
    back.append_batch(["a", "b"]).await.unwrap();
    back.append("c").await.unwrap();
    let mut events = core.events();
    atom.flush().await.unwrap();
    assert_eq!(
        told(&mut events).await,
        [Event::Truncate { length: 2, fork: 1 }, Event::Append { length: 5, byte_length: 5 }]
    );
    assert_eq!(texts(&core).await, ["0", "1", "a", "b", "c"]);
    assert_eq!(core.fork(), 1, "never two histories on one fork");
}

#[tokio::test]
async fn d20_the_atom_wins_over_what_was_written_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    core.append_batch(["0", "1"]).await.unwrap();
    let atom = core.atom();
    let inside = within(&core, &atom).await;
    inside.append("atom").await.unwrap();
    core.append_batch(["beside", "more"]).await.unwrap();
    let mut events = core.events();
    atom.flush().await.unwrap();
    assert_eq!(texts(&core).await, ["0", "1", "atom"]);
    assert_eq!(
        told(&mut events).await,
        [Event::Truncate { length: 2, fork: 1 }, Event::Append { length: 3, byte_length: 6 }]
    );
    assert!(!core.has(3).await.unwrap());
    for session in [&core, &inside] {
        session.close().await.unwrap();
    }
    let core = Hypercore::open(dir.path()).await.unwrap();
    assert_eq!((texts(&core).await.concat(), core.fork()), ("01atom".into(), 1));
    assert!(!core.has(3).await.unwrap());
    assert_eq!(core.contiguous_length(), 3);
    assert_eq!(core.append("next").await.unwrap().length, 4);
}

#[tokio::test]
async fn d20_peers_that_were_told_of_what_an_atom_undoes_can_follow_to_its_fork() {
    let core = filled(2).await;
    let copy = common::reader(&core).await;
    let (here, there) = tokio::io::duplex(64 * 1024);
    let connection = core.replicate(here, hypercore::Role::Responder).unwrap();
    copy.replicate(there, hypercore::Role::Initiator).unwrap();
    assert_eq!(copy.get(1).await.unwrap(), "1");
    let atom = core.atom();
    let inside = within(&core, &atom).await;
    inside.append("atom").await.unwrap();
    core.append("beside").await.unwrap();
    assert_eq!(copy.get(2).await.unwrap(), "beside");
    connection.stop();
    common::until("the copy is gone", || core.peers().is_empty()).await;
    let follower = common::reader(&core).await;
    assert!(follower.apply_proof(core.proof(&common::upgrade(3)).await.unwrap()).await.unwrap());
    atom.flush().await.unwrap();
    assert_eq!((texts(&core).await.concat(), core.fork()), ("01atom".into(), 1));
    let head = core.proof(&common::upgrade(3)).await.unwrap();
    for of in [&copy, &follower] {
        assert!(!of.check_conflict(&head).await.unwrap());
    }
    assert!(follower.apply_proof(head).await.unwrap());
    assert_eq!((follower.length(), follower.fork()), (3, 1));
    assert_eq!(follower.tree_hash().await.unwrap(), core.tree_hash().await.unwrap());
}

#[tokio::test]
async fn d21_an_atom_whose_log_is_gone_is_refused() {
    let core = filled(2).await;
    let atom = core.atom();
    let inside = within(&core, &atom).await;
    inside.append("x").await.unwrap();
    core.core().shut();
    assert_eq!(atom.flush().await.unwrap_err().code(), "INVALID_OPERATION");
    let foreign = filled(1).await;
    let refused = foreign.session(SessionOptions::new().atom(&atom)).await;
    assert_eq!(refused.unwrap_err().code(), "ERR_ASSERTION");
}

#[tokio::test]
async fn d17_a_named_session_in_an_atom() {
    let core = filled(2).await;
    let draft = named(&core, "draft").await;
    let atom = core.atom();
    let inside = draft.session(SessionOptions::new().atom(&atom)).await.unwrap();
    inside.append_batch(["a", "b"]).await.unwrap();
    inside.truncate(3).await.unwrap();
    assert_eq!(texts(&draft).await, ["0", "1"]);
    let mut events = draft.events();
    atom.flush().await.unwrap();
    assert_eq!(texts(&draft).await, ["0", "1", "a"]);
    assert!(!told(&mut events).await.is_empty());
    assert_eq!(core.commit(&draft).await.unwrap().unwrap().length, 3);
}

#[tokio::test]
async fn regression_an_atom_that_cuts_what_it_appended_tells_what_became_of_the_log() {
    let core = filled(4).await;
    let copy = reader(&core).await;
    connect(&core, &copy);
    copy.get(0).await.unwrap();
    let mut events = core.events();
    let atom = core.atom();
    let inside = within(&core, &atom).await;
    inside.append("4").await.unwrap();
    inside.truncate(4).await.unwrap();
    atom.flush().await.unwrap();
    let only = |events: Vec<Event>| -> Vec<Event> {
        let is_change = |event: &Event| matches!(event, Event::Append { .. } | Event::Truncate { .. });
        events.into_iter().filter(is_change).collect()
    };
    assert_eq!(only(told(&mut events).await), [Event::Truncate { length: 4, fork: 1 }]);
    inside.append_batch(["4", "5"]).await.unwrap();
    inside.truncate(5).await.unwrap();
    atom.flush().await.unwrap();
    let expected = [Event::Truncate { length: 4, fork: 2 }, Event::Append { length: 5, byte_length: 5 }];
    assert_eq!(only(told(&mut events).await), expected);
    // what peers are told of is what there is
    let late = copy.peers();
    assert!(late.iter().all(|peer| peer.remote_length <= 5), "{late:?}");
}

#[test]
fn regression_a_block_that_an_atom_took_away_is_fetched_again() {
    ends(|| async {
        let core = filled(4).await;
        let copy = reader(&core).await;
        connect(&core, &copy);
        copy.get(0).await.unwrap();
        copy.download(..4).done().await.unwrap();
        let atom = copy.atom();
        let inside = within(&copy, &atom).await;
        assert_eq!(inside.clear(1..3).await.unwrap(), 2);
        atom.flush().await.unwrap();
        assert!(!copy.has(1).await.unwrap());
        assert_eq!(copy.get(1).await.unwrap(), "1");
        copy.download(..4).done().await.unwrap();
        assert_eq!(copy.contiguous_length(), 4);
    });
}
