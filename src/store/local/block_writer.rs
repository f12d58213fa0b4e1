//! Writes the blocks of a file one after the other: here, or on another thread while the next ones are received.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use tokio::runtime::Handle;

use super::aligned_buffer::AlignedBuffer;

/// Writes to a file that no other process writes, with direct writes where the file system has them.
pub(super) struct BlockWriter {
    file: Arc<File>,
    direct: bool,
    /// Receives the result of the write that is under way on another thread.
    under_way: Option<Receiver<BackgroundWrite>>,
}

/// The result of a write on another thread.
struct BackgroundWrite {
    buffer: AlignedBuffer,
    direct: bool,
    result: io::Result<()>,
}

impl BlockWriter {
    /// Returns a writer for an empty file.
    pub(super) fn new(file: Arc<File>) -> Self {
        let direct = set_direct(&file, true).is_ok();
        Self { file, direct, under_way: None }
    }

    /// Writes after what is under way, which has ended when this returns. Blocks.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wait()?;
        write(&self.file, &mut self.direct, bytes)
    }

    /// Writes on another thread, when what is under way has ended. Returns the buffer of that write, which is empty, or a new
    /// one. An error is returned by the call after this one. `held` is dropped when the write has ended. Blocks until what was under
    /// way has ended.
    pub(super) fn write_in_background(
        &mut self,
        buffer: AlignedBuffer,
        held: impl Send + 'static,
        threads: &Handle,
    ) -> io::Result<AlignedBuffer> {
        let returned = self.wait()?;
        let capacity = buffer.len();
        let (file, mut direct) = (Arc::clone(&self.file), self.direct);
        let (sender, receiver) = sync_channel(1);
        threads.spawn_blocking(move || {
            let mut buffer = buffer;
            let result = write(&file, &mut direct, buffer.as_slice());
            buffer.clear();
            // There is no receiver if the put was dropped.
            let _ = sender.send(BackgroundWrite { buffer, direct, result });
            drop(held);
        });
        self.under_way = Some(receiver);
        Ok(returned.unwrap_or_else(|| AlignedBuffer::with_capacity(capacity)))
    }

    /// Waits for the write that is under way, and returns its buffer, which is empty.
    fn wait(&mut self) -> io::Result<Option<AlignedBuffer>> {
        let Some(receiver) = self.under_way.take() else { return Ok(None) };
        let BackgroundWrite { buffer, direct, result } = receiver.recv().map_err(io::Error::other)?;
        self.direct = direct;
        result.map(|()| Some(buffer))
    }

    /// Writes bytes that are not whole blocks, at the end of the file. Blocks.
    pub(super) fn write_rest(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wait()?;
        stop_direct_writes(&self.file, &mut self.direct)?;
        write(&self.file, &mut self.direct, bytes)
    }
}

fn write(mut file: &File, direct: &mut bool, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // The file system has no direct writes, or not after a write that was cut short.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput && *direct => {
                stop_direct_writes(file, direct)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn stop_direct_writes(file: &File, direct: &mut bool) -> io::Result<()> {
    if *direct {
        set_direct(file, false)?;
        *direct = false;
    }
    Ok(())
}

fn set_direct(file: &File, on: bool) -> io::Result<()> {
    let mut flags = fcntl_getfl(file)?;
    flags.set(OFlags::DIRECT, on);
    Ok(fcntl_setfl(file, flags)?)
}
