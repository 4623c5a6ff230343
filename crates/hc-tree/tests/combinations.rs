//! Requests of several parts: which nodes answer them, which of them nobody can answer, and who accepts the answers.

mod support;

use bytes::Bytes;
use hc_tree::{
    BlockRequest, HashRequest, Node, Proof, ProofError, ProofRequest, RequestError, SeekRequest, TreeHead,
    UpgradeRequest, flat, verify,
};
use proptest::prelude::*;
use serde_json::Value;
use support::json::{number, plain, request, vectors};
use support::{Failed, Log, Stored, nodes_of};

/// As in the script.
fn padded(i: u64) -> Bytes {
    vec![u8::try_from(i).unwrap(); usize::try_from(8 + i * 29 % 40).unwrap()].into()
}

fn the_log() -> Log {
    Log::of_blocks(0, (0..24).map(padded).collect())
}

/// Node does not know the byte offset of a node that is not below the first root, and takes any seek below such a node for
/// one that leads to that very node.
fn is_lost_on_node(at: u64, request: &ProofRequest) -> bool {
    let index = request.block.map(|asked| asked.index * 2).or_else(|| request.hash.map(|asked| asked.index));
    let first = flat::full_roots(at).next().unwrap();
    request.seek.is_some() && index.is_some_and(|index| index > flat::right_span(first))
}

#[test]
fn f5_f6_f7_every_combination_is_answered_and_refused_as_in_node() {
    let (log, mut differ) = (the_log(), 0);
    let mut kinds = std::collections::BTreeMap::<_, usize>::new();
    for vector in vectors("combinations") {
        let (at, request) = (number(&vector["at"]), request(&vector));
        let ours = log.prove(at, &request);
        let shown = ours.as_ref().map_or(Value::Null, plain);
        if shown != vector["proof"] {
            assert!(is_lost_on_node(at, &request), "{vector}: {ours:?}");
            assert!(vector["proof"].is_object() && vector["proof"]["seek"].is_null(), "{vector}");
            assert!(matches!(ours, Ok(_) | Err(Failed::Request(RequestError::Seek { .. }))));
            differ += 1;
            continue;
        }
        let parts = (
            request.block.is_some(),
            request.hash.is_some(),
            request.seek.is_some(),
            request.upgrade.is_some(),
        );
        *kinds.entry((parts, ours.is_ok())).or_default() += 1;
        assert!(
            !matches!(ours, Err(Failed::Missing(_) | Failed::Proof(_))),
            "refused by its numbers: {vector}"
        );
    }
    // the eleven combinations, each answered and refused; only a seek alone is never refused, and is answered by nothing
    assert_eq!(kinds.len(), 21, "{kinds:?}");
    assert!(!kinds.contains_key(&((false, false, true, false), false)));
    assert!(differ < 40);
}

#[test]
fn f5_f6_f7_what_answers_a_combination_is_accepted_by_who_asked() {
    let log = the_log();
    let mut accepted = 0;
    for vector in vectors("combinations") {
        let (at, request) = (number(&vector["at"]), request(&vector));
        let Ok(proof) = log.prove(at, &request) else { continue };
        if proof == Proof::default() {
            assert!(request.seek.is_some(), "{vector}");
            continue;
        }
        if is_dishonest(at, &request) {
            assert!(matches!(
                accept(&log, at, &request, &proof),
                Err(Failed::Proof(ProofError::Unanchored { .. }))
            ));
            continue;
        }
        let verified =
            accept(&log, at, &request, &proof).unwrap_or_else(|error| panic!("{vector}: {error:?}"));
        assert!(verified > 0, "{vector}");
        accepted += 1;
    }
    assert!(accepted > 700, "{accepted}");
}

/// Whether who asks says that it has a node that is above blocks which it does not know of.
fn is_dishonest(at: u64, request: &ProofRequest) -> bool {
    let length = request.upgrade.map_or(at, |upgrade| upgrade.start);
    let target = request.block.map(|asked| (asked.index * 2, asked.nodes));
    let target = target.or_else(|| request.hash.map(|asked| (asked.index, asked.nodes)));
    target.is_some_and(|(index, nodes)| {
        let mut top = flat::Cursor::new(index);
        let known = flat::right_span(index) < length * 2;
        (0..nodes).for_each(|_| _ = top.parent());
        known && flat::right_span(top.index()) >= length * 2
    })
}

/// As who asked: one who knows the whole log up to the upgrade's start, or all of it. How many nodes came.
fn accept(log: &Log, at: u64, request: &ProofRequest, proof: &Proof) -> Result<usize, Failed> {
    let length = request.upgrade.map_or(at, |upgrade| upgrade.start);
    let unchecked = verify(&log.head(length), proof)?;
    let anchor = unchecked.anchor().filter(|index| flat::right_span(*index) < length * 2);
    let anchor = anchor.and_then(|index| log.nodes.0.get(&index).copied());
    let verified = unchecked.confirm(anchor.as_ref(), Some(&log.verifier))?;
    for node in verified.nodes().iter().chain(verified.claimed()) {
        let truth = log.nodes.0.get(&node.index).expect("a node of the log");
        assert_eq!(node.hash, truth.hash);
        assert!(node.size == truth.size || verified.claimed().contains(node), "{proof:?}");
    }
    if let Some((head, _)) = verified.upgrade() {
        assert_eq!(head, &log.head(at));
    }
    assert_eq!(verified.block().map(|(index, _)| index), request.block.map(|asked| asked.index));
    Ok(verified.nodes().len() + verified.claimed().len())
}

#[test]
fn f6_a_seek_beside_a_node_that_the_upgrade_brings_is_refused() {
    let log = the_log();
    let upgrade = Some(UpgradeRequest { start: 5, length: 6 });
    let seek = Some(SeekRequest { bytes: 1, padding: 0 });
    let refused = Err(Failed::Request(RequestError::SeekAndUpgrade));
    for index in 5..11 {
        let block = Some(BlockRequest { index, nodes: 0 });
        let request = ProofRequest { block, seek, upgrade, hash: None };
        assert_eq!(log.prove(11, &request), refused);
    }
    // 9 is above blocks 4 and 5, and so on both sides of the start
    for index in [9, 10, 11, 13, 17] {
        let hash = Some(HashRequest { index, nodes: 0 });
        let request = ProofRequest { hash, seek, upgrade, block: None };
        assert_eq!(log.prove(11, &request), refused);
    }
    let block = Some(BlockRequest { index: 4, nodes: 0 });
    let seek = Some(SeekRequest { bytes: log.byte_offset(4), padding: 0 });
    assert!(log.prove(11, &ProofRequest { block, seek, upgrade, hash: None }).is_ok());
}

#[test]
fn f8_an_upgrade_for_which_no_root_changes() {
    let log = Log::new(&[2; 5]);
    let request =
        ProofRequest { upgrade: Some(UpgradeRequest { start: 4, length: 1 }), ..ProofRequest::default() };
    let proof = log.prove(5, &request).unwrap();
    assert_eq!(proof.upgrade.as_ref().unwrap().nodes, [log.nodes.0[&8]]);
    let verified = verify(&log.head(4), &proof).unwrap().confirm(None, Some(&log.verifier)).unwrap();
    assert_eq!(verified.upgrade().unwrap().0, &log.head(5));
    assert_eq!(verified.nodes(), [log.nodes.0[&8]], "the root of the first four stays as it is");
}

#[test]
fn f10_upgrades_in_any_order_lead_to_the_longest() {
    let log = Log::new(&[3; 21]);
    let known = log.head(5);
    let upgrade = |to: u64| ProofRequest {
        upgrade: Some(UpgradeRequest { start: 5, length: to - 5 }),
        ..ProofRequest::default()
    };
    let proofs: Vec<Proof> = [9, 21, 6].iter().map(|to| log.prove(*to, &upgrade(*to)).unwrap()).collect();
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut head = known.clone();
        for proof in order.map(|at| &proofs[at]) {
            // each was asked for at the same length, and is checked against that
            let unchecked = verify(&known, proof).unwrap();
            let verified = unchecked.confirm(None, Some(&log.verifier)).unwrap();
            let (longer, _) = verified.upgrade().unwrap();
            if longer.length() > head.length() {
                head = longer.clone();
            }
        }
        assert_eq!(head, log.head(21));
    }
    // one that comes too late for the head of now is refused, not taken for a shorter log
    assert!(verify(&log.head(21), &proofs[0]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Each field of a proof in turn.
    #[test]
    fn f11_no_altered_field_gets_a_wrong_node_in(
        sizes in prop::collection::vec(1..40_usize, 2..40),
        numbers in any::<[u32; 6]>(),
        shape in 0..8_u32,
    ) {
        let log = Log::new(&sizes);
        let at = log.blocks.len() as u64;
        let pick = |n: usize, below: u64| u64::from(numbers[n]) % below.max(1);
        let start = pick(0, at);
        let upgrade = (shape & 1 == 1).then(|| UpgradeRequest { start, length: 1 + pick(1, at - start) });
        let to = upgrade.map_or(at, |upgrade| upgrade.start + upgrade.length);
        let block = (shape & 2 == 2).then(|| BlockRequest { index: pick(2, to), nodes: pick(3, 3) });
        let hash = (shape & 6 == 4).then(|| HashRequest { index: pick(2, to * 2), nodes: pick(3, 3) });
        let seek = (shape != 1).then(|| SeekRequest { bytes: pick(4, log.byte_offset(at) + 1), padding: 0 });
        for seek in [seek, None] {
            let request = ProofRequest { block, hash, seek, upgrade };
            let Ok(proof) = log.prove(at, &request) else { continue };
            if is_dishonest(at, &request) {
                continue;
            }
            let first = accept(&log, at, &request, &proof);
            if first == Err(Failed::Proof(ProofError::Empty)) {
                // a seek of nothing else beyond the end
                continue;
            }
            prop_assert!(first.is_ok(), "{:?}: {:?}", request, first);
            altered(&proof, |what, bad| {
                // what is accepted all the same, and so true, is looked at in there
                let taken = accept_altered(&log, &request, at, bad);
                assert!(taken.is_err() || what == "size" || what == "start", "{what} of {request:?}");
            });
        }
    }
}

/// As [`accept`], for what may be of other numbers than were asked for.
fn accept_altered(log: &Log, request: &ProofRequest, at: u64, proof: &Proof) -> Result<(), Failed> {
    let length = request.upgrade.map_or(at, |upgrade| upgrade.start);
    let head: TreeHead = log.head(length);
    let unchecked = verify(&head, proof)?;
    let stored = Stored(
        log.nodes
            .0
            .iter()
            .filter(|(index, _)| flat::right_span(**index) < length * 2)
            .map(|(i, n)| (*i, *n))
            .collect(),
    );
    let anchor = unchecked.anchor().and_then(|index| stored.0.get(&index).copied());
    let verified = unchecked.confirm(anchor.as_ref(), Some(&log.verifier))?;
    for node in verified.nodes() {
        assert_eq!(Some(node), log.nodes.0.get(&node.index));
    }
    if let Some((index, value)) = verified.block() {
        assert_eq!(value, &log.blocks[index as usize]);
    }
    Ok(())
}

/// The proof with each of its fields altered, one at a time.
fn altered(proof: &Proof, mut check: impl FnMut(&str, &Proof)) {
    let mut with = |what: &str, change: &dyn Fn(&mut Proof)| {
        let mut bad = proof.clone();
        change(&mut bad);
        if bad != *proof {
            check(what, &bad);
        }
    };
    with("fork", &|bad| bad.fork += 1);
    with("value", &|bad| {
        bad.block.iter_mut().for_each(|part| part.value = [&part.value[..], b"x"].concat().into());
    });
    with("block", &|bad| bad.block.iter_mut().for_each(|part| part.index ^= 1));
    with("hash", &|bad| bad.hash.iter_mut().for_each(|part| part.index ^= 1));
    with("start", &|bad| bad.upgrade.iter_mut().for_each(|part| part.start += 1));
    with("length", &|bad| bad.upgrade.iter_mut().for_each(|part| part.length += 1));
    with("signature", &|bad| bad.upgrade.iter_mut().for_each(|part| part.signature[10] ^= 1));
    let count = nodes_of(&mut proof.clone()).len();
    for n in 0..count {
        let node = |change: fn(&mut Node)| move |bad: &mut Proof| change(nodes_of(bad)[n]);
        with("index", &node(|node| node.index += 2));
        with("size", &node(|node| node.size += 1));
        with("node's hash", &node(|node| node.hash = [7; 32].into()));
    }
    with("order", &|bad| bad.upgrade.iter_mut().for_each(|part| part.nodes.reverse()));
    with("order", &|bad| bad.block.iter_mut().for_each(|part| part.nodes.reverse()));
}
