//! A range of an object's bytes.

/// The bytes `first` to `last` of an object, both included, `first <= last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// The offset of the first byte.
    pub first: u64,
    /// The offset of the last byte.
    pub last: u64,
}

impl ByteRange {
    /// Returns the number of bytes: at least 1.
    #[must_use]
    pub const fn size(&self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }
}
