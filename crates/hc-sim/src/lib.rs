//! Deterministic simulation of many Hypercore replicators (not published)
