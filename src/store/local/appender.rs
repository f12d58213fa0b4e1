//! Writes a large file past the page cache (`O_DIRECT`).
//!
//! A backup is written once and hardly ever read. Copying it through the page cache costs more CPU than hashing it (at 1 GiB
//! 4 to 9 times what the direct write costs), evicts what others need, and leaves all writing to the sync at the end. On a
//! file system without direct writes the file is written in the ordinary way.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// Addresses, lengths and offsets of direct writes are multiples of this, in bytes. No disk in use requires more; one that
/// did would be written in the ordinary way.
const BLOCK: usize = 4096;
/// The number of bytes in one write.
const WRITE_SIZE: usize = 128 << 10;

/// Appends to a file that no other process writes.
pub(super) struct Appender {
    file: Arc<File>,
    direct: bool,
    /// A buffer as large as the largest write so far, with space to start at a multiple of [`BLOCK`] in memory.
    buffer: Vec<u8>,
    /// The offset in the buffer at which the blocks start.
    start: usize,
    /// The number of bytes in the buffer that are not written yet.
    pending: usize,
}

impl Appender {
    /// Returns an appender for an empty file.
    pub(super) fn new(file: Arc<File>) -> Self {
        let direct = set_direct(&file, true).is_ok();
        Self { file, direct, buffer: vec![], start: 0, pending: 0 }
    }

    /// Appends. Bytes that do not fill a write stay in the buffer. Blocks.
    pub(super) fn push(&mut self, mut chunk: Bytes) -> io::Result<()> {
        while !chunk.is_empty() {
            let part = chunk.split_to(chunk.len().min(WRITE_SIZE - self.pending));
            self.reserve(part.len());
            let start = self.start + self.pending;
            self.buffer[start..start + part.len()].copy_from_slice(&part);
            self.pending += part.len();
            if self.pending == WRITE_SIZE {
                self.flush(WRITE_SIZE)?;
            }
        }
        Ok(())
    }

    /// Writes all whole blocks, because the body pauses, and keeps only as much memory as the rest needs. Blocks.
    pub(super) fn pause(&mut self) -> io::Result<()> {
        self.flush(self.pending / BLOCK * BLOCK)?;
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.truncate(self.pending);
        self.buffer.shrink_to_fit();
        Ok(())
    }

    /// Writes the rest at the end of the body. Blocks.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush(self.pending / BLOCK * BLOCK)?;
        if self.pending > 0 {
            self.stop_direct_writes()?;
            self.flush(self.pending)?;
        }
        Ok(())
    }

    fn reserve(&mut self, more: usize) {
        let needed = self.pending + more;
        if self.buffer.len() < self.start + needed {
            let enough = WRITE_SIZE.min(needed.next_power_of_two());
            let before = std::mem::replace(&mut self.buffer, vec![0; enough + BLOCK]);
            let pending = &before[self.start..self.start + self.pending];
            self.start = self.buffer.as_ptr().align_offset(BLOCK);
            self.buffer[self.start..self.start + self.pending].copy_from_slice(pending);
        }
    }

    /// Writes the first `bytes` of the buffer.
    fn flush(&mut self, bytes: usize) -> io::Result<()> {
        let start = self.start;
        let mut written = 0;
        while written < bytes {
            match (&*self.file).write(&self.buffer[start + written..start + bytes]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The file system has no direct writes, or not after a write that was cut short.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput && self.direct => {
                    self.stop_direct_writes()?;
                }
                Err(error) => return Err(error),
            }
        }
        self.buffer.copy_within(start + bytes..start + self.pending, start);
        self.pending -= bytes;
        Ok(())
    }

    fn stop_direct_writes(&mut self) -> io::Result<()> {
        if self.direct {
            set_direct(&self.file, false)?;
            self.direct = false;
        }
        Ok(())
    }
}

fn set_direct(file: &File, on: bool) -> io::Result<()> {
    let mut flags = fcntl_getfl(file)?;
    flags.set(OFlags::DIRECT, on);
    Ok(fcntl_setfl(file, flags)?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    /// Writes to a file that already contains `before`, and returns its final content.
    fn written(before: &[u8], writes: &[Vec<Vec<u8>>]) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = Arc::new(File::create(&path).unwrap());
        (&*file).write_all(before).unwrap();
        let mut appender = Appender::new(file);
        for chunks in writes {
            chunks.iter().cloned().map(Bytes::from).try_for_each(|chunk| appender.push(chunk)).unwrap();
            appender.pause().unwrap();
        }
        appender.finish().unwrap();
        fs::read(path).unwrap()
    }

    fn body(size: usize) -> Vec<u8> {
        (0..size).map(|i| u8::try_from(i % 251).unwrap()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50))]

        #[test]
        fn the_file_has_all_chunks_whatever_their_sizes(
            sizes in proptest::collection::vec(
                proptest::collection::vec(prop_oneof![0..3 * WRITE_SIZE, Just(BLOCK), Just(WRITE_SIZE), 0..100_usize], 0..4),
                0..6,
            ),
        ) {
            let whole = body(sizes.iter().flatten().sum());
            let mut rest = &whole[..];
            let writes: Vec<Vec<Vec<u8>>> = sizes
                .iter()
                .map(|chunks| chunks.iter().map(|size| rest.split_off(..*size).unwrap().to_vec()).collect())
                .collect();
            prop_assert!(written(b"", &writes) == whole);
        }
    }

    #[test]
    fn a_file_without_direct_writes_is_written_in_the_ordinary_way() {
        // Starts at an offset that no direct write may have.
        let mut whole = b"x".to_vec();
        whole.extend(body(3 * WRITE_SIZE + 17));
        let chunks = vec![vec![whole[1..].to_vec()]];
        assert!(written(b"x", &chunks) == whole);
    }
}
