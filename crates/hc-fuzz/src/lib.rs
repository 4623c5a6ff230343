//! Hostile input for everything that reads bytes from outside (not published).
//!
//! | module | does |
//! | --- | --- |
//! | [`targets`] | says what is fuzzed: each decoder, and the state machines |
//! | [`engine`] | mutates inputs, runs them, judges what came of it, makes what fails small |
//! | [`probe`] | measures time and memory |
//! | [`mutate`], [`rng`] | how inputs change, and from which numbers |
//! | [`differential`] | gives the same inputs to Node and compares verdicts and bytes |
//!
//! An input must not panic, hold more than 64 KiB and four times its size, take more than 50 ms for each 64 KiB, or be read
//! as something that is not written and read as the same again. `cargo xtask fuzz` and `cargo xtask differential` run it.
//! Every run prints its seed, from which it replays.

pub mod differential;
pub mod engine;
pub mod mutate;
pub mod probe;
pub mod rng;
pub mod target;
pub mod targets;
pub mod values;
pub mod vectors;
