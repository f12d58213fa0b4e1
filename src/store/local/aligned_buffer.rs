//! A buffer for direct writes: its bytes start at a multiple of [`BLOCK`] in memory.

/// Addresses, lengths and offsets of direct writes are multiples of this, in bytes. No disk in use requires more; one that
/// did would be written in the ordinary way.
pub(super) const BLOCK: usize = 4096;

/// A buffer that grows as it fills.
#[derive(Default)]
pub(super) struct AlignedBuffer {
    /// Padding, then the bytes.
    bytes: Vec<u8>,
    /// The length of the padding.
    start: usize,
}

impl AlignedBuffer {
    /// Returns an empty buffer with space for `capacity` bytes.
    pub(super) fn with_capacity(capacity: usize) -> Self {
        let mut bytes: Vec<u8> = Vec::with_capacity(capacity + BLOCK);
        let start = bytes.as_ptr().align_offset(BLOCK);
        bytes.resize(start, 0);
        Self { bytes, start }
    }

    /// The number of bytes in the buffer.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Appends. A buffer that has to grow gets space for a power of two, but at most `max` bytes.
    pub(super) fn push(&mut self, more: &[u8], max: usize) {
        let needed = self.len() + more.len();
        if self.bytes.capacity() < self.start + needed {
            self.reallocate(needed.next_power_of_two().min(max).max(needed));
        }
        self.bytes.extend_from_slice(more);
    }

    /// Removes the first `count` bytes.
    pub(super) fn remove_first(&mut self, count: usize) {
        self.bytes.copy_within(self.start + count.., self.start);
        self.bytes.truncate(self.bytes.len() - count);
    }

    /// Removes all bytes, and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.bytes.truncate(self.start);
    }

    /// Keeps only as much memory as the bytes need. They are aligned again when the buffer grows.
    pub(super) fn shrink(&mut self) {
        self.bytes.drain(..self.start);
        self.start = 0;
        self.bytes.shrink_to_fit();
    }

    fn reallocate(&mut self, capacity: usize) {
        let mut new = Self::with_capacity(capacity);
        new.bytes.extend_from_slice(self.as_slice());
        *self = new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_stay_aligned_and_in_order_as_the_buffer_grows_and_shrinks() {
        let (mut buffer, mut expected) = (AlignedBuffer::default(), Vec::<u8>::new());
        for size in [1, BLOCK - 1, 3 * BLOCK, 7, 100_000] {
            let part: Vec<_> = (0..size).map(|i| u8::try_from(i % 251).unwrap()).collect();
            buffer.push(&part, 2 * BLOCK);
            expected.extend(&part);
            assert!(buffer.as_slice() == expected && buffer.as_slice().as_ptr().align_offset(BLOCK) == 0);
            let removed = buffer.len() / 2;
            buffer.remove_first(removed);
            expected.drain(..removed);
            assert!(buffer.as_slice() == expected && buffer.as_slice().as_ptr().align_offset(BLOCK) == 0);
            buffer.shrink();
            assert!(buffer.as_slice() == expected && buffer.bytes.capacity() == expected.len());
        }
    }
}
