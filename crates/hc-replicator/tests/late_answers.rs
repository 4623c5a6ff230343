//! Answers that no longer fit when they come, and whose fault that is.

mod world;

use hc_replicator::{Config, Input, Local, Outcome};
use world::World;

/// A download of which all answers are under way, and none of them will fit.
fn all_late() -> (World, usize, hc_replicator::WantId) {
    let mut w = World::new();
    let config = Config { inflight: (200, 200), ..Config::default() };
    let (writer, reader) = (w.full(200), w.node(0, &[], config));
    w.link(writer, reader, 20);
    w.run();
    w.nodes[reader].stale_once.extend(1..200);
    let want = w.download(reader, 1, 200);
    w.run_for(10);
    (w, reader, want)
}

#[test]
fn regression_a_peer_is_not_blamed_for_answers_that_built_on_what_was_cleared() {
    let (mut w, reader, want) = all_late();
    w.feed(reader, Input::Local(Local::Cleared { start: 0, end: 1 }));
    w.run();
    assert_eq!(w.outcome(reader, want), Some(&Outcome::Range), "they are asked for again");
}

#[test]
fn a_peer_whose_answers_never_fit_is_left_alone() {
    let (mut w, reader, want) = all_late();
    w.run();
    assert_eq!(w.outcome(reader, want), None);
}
