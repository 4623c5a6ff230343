//! Two hundred worlds.

#[test]
fn two_hundred_seeds_come_to_a_good_end() {
    let mut messages = 0;
    for seed in 0..200 {
        match hc_sim::run(seed) {
            Ok(report) => messages += report.messages,
            Err(failure) => panic!("{failure}"),
        }
    }
    assert!(messages > 20_000, "only {messages} messages");
}

#[test]
fn a_seed_replays_to_the_same_run() {
    for seed in [1, 77, 4_242] {
        assert_eq!(hc_sim::run(seed), hc_sim::run(seed));
    }
}
