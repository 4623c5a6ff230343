//! Hashes, keys, signatures, manifests and capabilities of Hypercore
