//! Handshake, secret stream, protomux and wire messages of Hypercore: bytes in, messages out
