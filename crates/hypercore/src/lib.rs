//! A secure, distributed append-only log, compatible with Node's hypercore 11
