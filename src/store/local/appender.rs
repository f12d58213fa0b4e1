//! Writes a large file past the page cache (`O_DIRECT`).
//!
//! A backup is written once and hardly ever read. Copying it through the page cache costs more CPU than hashing it (at 1 GiB
//! 4 to 9 times what the direct write costs), evicts what others need, and leaves all writing to the sync at the end. On a
//! file system without direct writes the file is written in the ordinary way.
//!
//! A body that arrives fast is written in larger pieces, each of them on another thread while the next one is received and
//! hashed. This needs more memory than a body may use otherwise, so only a few bodies of a process are written in this way at a
//! time ([`FastBodies`]).

use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::aligned_buffer::{AlignedBuffer, BLOCK};
use super::block_writer::BlockWriter;

/// The number of bytes in one write.
const WRITE_SIZE: usize = 128 << 10;
/// The number of bytes in one write of a fast body, which has two buffers of this size.
const FAST_WRITE_SIZE: usize = 1 << 20;
/// The most bodies that are written as fast ones at the same time.
const MAX_FAST_BODIES: usize = 4;

/// The permits to be written as a fast body, and the threads for that; cheap to clone.
#[derive(Clone)]
pub(super) struct FastBodies {
    permits: Arc<Semaphore>,
    threads: Handle,
}

impl FastBodies {
    pub(super) fn new(threads: Handle) -> Self {
        Self { permits: Arc::new(Semaphore::new(MAX_FAST_BODIES)), threads }
    }
}

/// Appends to a file that no other process writes.
pub(super) struct Appender {
    writer: BlockWriter,
    /// What is not written yet. Its memory grows up to the size of a write.
    buffer: AlignedBuffer,
    fast: Option<Fast>,
}

/// What a fast body has.
struct Fast {
    threads: Handle,
    /// A write under way has a clone: until it ends, so does its buffer.
    permit: Arc<OwnedSemaphorePermit>,
}

impl Appender {
    /// Returns an appender for an empty file.
    pub(super) fn new(file: Arc<File>) -> Self {
        Self { writer: BlockWriter::new(file), buffer: AlignedBuffer::default(), fast: None }
    }

    /// Appends. Bytes that do not fill a write stay in the buffer. The error may be that of an earlier write. Blocks.
    pub(super) fn push(&mut self, mut chunk: Bytes) -> io::Result<()> {
        let size = if self.fast.is_some() { FAST_WRITE_SIZE } else { WRITE_SIZE };
        while !chunk.is_empty() {
            let part = chunk.split_to(chunk.len().min(size - self.buffer.len()));
            self.buffer.push(&part, size);
            if self.buffer.len() == size {
                self.write_buffer()?;
            }
        }
        Ok(())
    }

    fn write_buffer(&mut self) -> io::Result<()> {
        let Some(fast) = &self.fast else {
            self.writer.write(self.buffer.as_slice())?;
            self.buffer.clear();
            return Ok(());
        };
        let full = std::mem::take(&mut self.buffer);
        let permit = Arc::clone(&fast.permit);
        self.buffer = self.writer.write_in_background(full, permit, &fast.threads)?;
        Ok(())
    }

    pub(super) fn is_fast(&self) -> bool {
        self.fast.is_some()
    }

    /// Writes what follows as a fast body, unless there are too many already. Blocks.
    pub(super) fn speed_up(&mut self, bodies: &FastBodies) -> io::Result<()> {
        if self.fast.is_some() {
            return Ok(());
        }
        if let Ok(permit) = Arc::clone(&bodies.permits).try_acquire_owned() {
            self.write_blocks()?;
            let mut large = AlignedBuffer::with_capacity(FAST_WRITE_SIZE);
            large.push(self.buffer.as_slice(), FAST_WRITE_SIZE);
            self.buffer = large;
            self.fast = Some(Fast { threads: bodies.threads.clone(), permit: Arc::new(permit) });
        }
        Ok(())
    }

    /// Writes all whole blocks, because the body is slow, and keeps only as much memory as the rest needs. Blocks.
    pub(super) fn slow_down(&mut self) -> io::Result<()> {
        self.write_blocks()?;
        self.buffer.shrink();
        self.fast = None;
        Ok(())
    }

    /// Writes the rest at the end of the body. Blocks.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.write_blocks()?;
        if self.buffer.len() > 0 {
            self.writer.write_rest(self.buffer.as_slice())?;
        }
        Ok(())
    }

    /// Writes all whole blocks, and waits for the write that is under way.
    fn write_blocks(&mut self) -> io::Result<()> {
        let bytes = self.buffer.len() / BLOCK * BLOCK;
        self.writer.write(&self.buffer.as_slice()[..bytes])?;
        self.buffer.remove_first(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use proptest::prelude::*;
    use tokio::runtime::Runtime;

    use super::*;

    /// What is done with an appender.
    #[derive(Debug, Clone)]
    enum Step {
        Push(usize),
        SpeedUp,
        SlowDown,
    }

    /// Writes to a file that already contains `before`, and returns its final content.
    fn written(before: &[u8], body: &[u8], steps: &[Step]) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = Arc::new(File::create(&path).unwrap());
        (&*file).write_all(before).unwrap();
        let runtime = Runtime::new().unwrap();
        let fast_bodies = FastBodies::new(runtime.handle().clone());
        let mut appender = Appender::new(file);
        let mut rest = body;
        for step in steps {
            match step {
                Step::Push(size) => {
                    let chunk = rest.split_off(..*size).unwrap();
                    appender.push(Bytes::copy_from_slice(chunk)).unwrap();
                }
                Step::SpeedUp => appender.speed_up(&fast_bodies).unwrap(),
                Step::SlowDown => appender.slow_down().unwrap(),
            }
        }
        appender.finish().unwrap();
        fs::read(path).unwrap()
    }

    fn body(size: usize) -> Vec<u8> {
        (0..size).map(|i| u8::try_from(i % 251).unwrap()).collect()
    }

    fn step() -> impl Strategy<Value = Step> {
        let size = prop_oneof![
            0..3 * WRITE_SIZE,
            0..3 * FAST_WRITE_SIZE,
            Just(BLOCK),
            Just(WRITE_SIZE),
            0..100_usize
        ];
        prop_oneof![6 => size.prop_map(Step::Push), 1 => Just(Step::SpeedUp), 1 => Just(Step::SlowDown)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50))]

        #[test]
        fn the_file_has_all_chunks_whatever_their_sizes(steps in proptest::collection::vec(step(), 0..20)) {
            let size = |step: &Step| if let Step::Push(size) = step { *size } else { 0 };
            let whole = body(steps.iter().map(size).sum());
            prop_assert!(written(b"", &whole, &steps) == whole);
        }
    }

    #[test]
    fn a_file_without_direct_writes_is_written_in_the_ordinary_way() {
        // Starts at an offset that no direct write may have.
        let mut whole = b"x".to_vec();
        whole.extend(body(4 * FAST_WRITE_SIZE + 17));
        let rest = &whole[1..];
        for steps in [
            vec![Step::Push(rest.len())],
            vec![Step::SpeedUp, Step::Push(rest.len())],
            vec![Step::Push(17), Step::SpeedUp, Step::Push(rest.len() - 17)],
        ] {
            assert!(written(b"x", rest, &steps) == whole);
        }
    }

    #[test]
    fn only_a_few_bodies_are_written_as_fast_ones_and_one_that_slows_down_is_none_of_them() {
        let runtime = Runtime::new().unwrap();
        let fast_bodies = FastBodies::new(runtime.handle().clone());
        let appender = || {
            let mut appender = Appender::new(Arc::new(tempfile::tempfile().unwrap()));
            appender.push(vec![0; 17].into()).unwrap();
            appender.speed_up(&fast_bodies).unwrap();
            appender
        };
        let mut appenders: Vec<_> = (0..MAX_FAST_BODIES).map(|_| appender()).collect();
        assert!(appenders.iter().all(Appender::is_fast));
        assert!(!appender().is_fast());
        appenders[0].slow_down().unwrap();
        assert!(!appenders[0].is_fast());
        assert!(appender().is_fast());
        appenders.pop().unwrap().finish().unwrap();
        assert!(appender().is_fast());
    }

    #[test]
    fn an_error_on_the_other_thread_is_returned() {
        let runtime = Runtime::new().unwrap();
        let fast_bodies = FastBodies::new(runtime.handle().clone());
        // Each write to it fails as one to a full disk.
        let full = || Arc::new(File::options().write(true).open("/dev/full").unwrap());
        let write = |then: fn(Appender) -> io::Result<()>| {
            let mut appender = Appender::new(full());
            appender.speed_up(&fast_bodies).unwrap();
            appender.push(vec![0; FAST_WRITE_SIZE].into()).unwrap();
            then(appender).unwrap_err().kind()
        };
        assert_eq!(write(Appender::finish), io::ErrorKind::StorageFull);
        assert_eq!(write(|mut appender| appender.slow_down()), io::ErrorKind::StorageFull);
        let next = |mut appender: Appender| appender.push(vec![0; FAST_WRITE_SIZE].into());
        assert_eq!(write(next), io::ErrorKind::StorageFull);
    }
}
