//! The store schema of Hypercore 11 over a small synchronous key-value trait
