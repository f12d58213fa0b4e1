//! Writes a large file past the page cache (`O_DIRECT`).
//!
//! A backup is written once and hardly ever read: copying it through the page cache costs more of a
//! processor than hashing it does (at 1 GiB 4 to 9 times what the direct write costs), pushes out
//! what others need, and leaves everything for the sync at the end. A file system that does not do
//! this is written to in the ordinary way.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// Addresses, lengths and offsets of direct writes are multiples of this, in bytes. No disk in use wants more; one that
/// did would be written to in the ordinary way.
const BLOCK: usize = 4096;
/// Bytes of one write.
const WRITE: usize = 128 << 10;

/// Appends to a file of its own.
pub(super) struct Appender {
    file: Arc<File>,
    direct: bool,
    /// As large as the largest write so far, with room to begin at a multiple of [`BLOCK`] in memory.
    buffer: Vec<u8>,
    /// Where in the buffer a block begins.
    start: usize,
    /// Bytes that wait for the rest of their block.
    waiting: usize,
}

impl Appender {
    /// For an empty file.
    pub(super) fn new(file: Arc<File>) -> Self {
        let direct = set_direct(&file, true).is_ok();
        Self { file, direct, buffer: vec![], start: 0, waiting: 0 }
    }

    /// Appends; what does not fill a write waits. Blocks.
    pub(super) fn push(&mut self, mut chunk: Bytes) -> io::Result<()> {
        while !chunk.is_empty() {
            let part = chunk.split_to(chunk.len().min(WRITE - self.waiting));
            self.make_room(part.len());
            let start = self.start + self.waiting;
            self.buffer[start..start + part.len()].copy_from_slice(&part);
            self.waiting += part.len();
            if self.waiting == WRITE {
                self.flush(WRITE)?;
            }
        }
        Ok(())
    }

    /// The body pauses: writes all whole blocks that wait, and keeps no more memory than the rest takes. Blocks.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        self.flush(self.waiting / BLOCK * BLOCK)?;
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.truncate(self.waiting);
        self.buffer.shrink_to_fit();
        Ok(())
    }

    /// The body is over: writes all that waits. Blocks.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush(self.waiting / BLOCK * BLOCK)?;
        if self.waiting > 0 {
            self.leave_direct()?;
            self.flush(self.waiting)?;
        }
        Ok(())
    }

    fn make_room(&mut self, coming: usize) {
        let room = self.waiting + coming;
        if self.buffer.len() < self.start + room {
            let enough = WRITE.min(room.next_power_of_two());
            let before = std::mem::replace(&mut self.buffer, vec![0; enough + BLOCK]);
            let waiting = &before[self.start..self.start + self.waiting];
            self.start = self.buffer.as_ptr().align_offset(BLOCK);
            self.buffer[self.start..self.start + self.waiting].copy_from_slice(waiting);
        }
    }

    /// Writes the first `bytes` of what waits.
    fn flush(&mut self, bytes: usize) -> io::Result<()> {
        let start = self.start;
        let mut written = 0;
        while written < bytes {
            match (&*self.file).write(&self.buffer[start + written..start + bytes]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Not for this file system, or not after a write that was cut short.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput && self.direct => {
                    self.leave_direct()?;
                }
                Err(error) => return Err(error),
            }
        }
        self.buffer.copy_within(start + bytes..start + self.waiting, start);
        self.waiting -= bytes;
        Ok(())
    }

    fn leave_direct(&mut self) -> io::Result<()> {
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

    /// `before` is in the file already; gives what the file has in the end.
    fn written(before: &[u8], writes: &[Vec<Vec<u8>>]) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = Arc::new(File::create(&path).unwrap());
        (&*file).write_all(before).unwrap();
        let mut appender = Appender::new(file);
        for chunks in writes {
            chunks.iter().cloned().map(Bytes::from).try_for_each(|chunk| appender.push(chunk)).unwrap();
            appender.settle().unwrap();
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
        fn whatever_the_chunks_the_file_is_their_sum(
            sizes in proptest::collection::vec(
                proptest::collection::vec(prop_oneof![0..3 * WRITE, Just(BLOCK), Just(WRITE), 0..100_usize], 0..4),
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
    fn a_file_that_can_t_be_written_directly_is_written_all_the_same() {
        // At an offset that no direct write may have.
        let mut whole = b"x".to_vec();
        whole.extend(body(3 * WRITE + 17));
        let chunks = vec![vec![whole[1..].to_vec()]];
        assert!(written(b"x", &chunks) == whole);
    }
}
