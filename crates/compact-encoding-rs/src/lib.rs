//! The compact binary encoding of the Hypercore stack: total decoders, infallible encoders
