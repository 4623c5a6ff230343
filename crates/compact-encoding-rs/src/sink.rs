//! Where encoded bytes go: into a buffer, or into a counter.

/// Takes encoded bytes, in order. Writing cannot fail.
pub trait Sink {
    /// Takes the next bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A sink that only counts: what was written would be this many bytes long.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Count(
    /// Bytes so far.
    pub usize,
);

impl Sink for Count {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}
