//! A put: writes the body to a temporary file, syncs it, and publishes it under its key (`publication.rs`).

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use tokio::runtime::Handle;

use super::appender::FastBodies;
use super::disk::Disk;
use super::extended_attributes::ExtendedAttributes;
use super::publication::PublicationGuard;
use super::temp_file::TempFile;
use super::wait::wait_at_most;
use crate::domain::object_key::ObjectKey;
use crate::store::{PutBody, PutError};

/// A step waits for this many bytes, unless the body is over.
const MIN_BATCH: u64 = 32 << 10;
/// The largest number of chunks in a step: each chunk keeps alive the buffer that it is a part of.
const MAX_CHUNKS: usize = 64;
/// A step does not begin with more bytes than this, and a chunk: a body may always have a next one.
const MAX_BATCH: u64 = 128 << 10;
/// How long a blocking thread waits for the next chunk of a fast body.
const NEXT_CHUNK_WAIT: Duration = Duration::from_millis(2);
/// The same for one of the few bodies that are written as fast ones: less would give them up whenever all processors are busy.
const NEXT_FAST_CHUNK_WAIT: Duration = Duration::from_millis(20);
/// The number of bytes after which a body that does not pause releases its thread, so that other bodies can continue.
const MAX_STEP: u64 = 1 << 20;
/// The same for one of the few bodies that are written as fast ones.
const MAX_FAST_STEP: u64 = 8 << 20;
/// After this time a step ends in any case.
const MAX_STEP_TIME: Duration = Duration::from_millis(250);
/// A body is written as a fast one while it arrives at this rate, in bytes a second, once it is as large as this, in bytes.
const FAST: u64 = 32 << 20;
const MIN_FAST_SIZE: u64 = 4 << 20;

pub(super) async fn put(
    disk: &Arc<Disk>,
    key: &ObjectKey,
    length: Option<u64>,
    attributes: ExtendedAttributes,
    body: PutBody,
) -> Result<u64, PutError> {
    let mut temp = None;
    let mut body = LengthCheckedBody { body, length, size: 0 };
    // The temporary file is moved into each step, and returned with its result. If this future is dropped, the step in
    // progress drops the file, which removes it.
    let mut paused = true;
    let batch = loop {
        let batch = if paused { gather(&mut body).await? } else { Batch::default() };
        if batch.last {
            break batch;
        }
        let (own, timers) = (Arc::clone(disk), Handle::current());
        let step = move || {
            let mut temp = temp_file(temp, &own)?;
            let reached = write_while_fast(&timers, &own.fast_bodies, &mut temp, &mut body, batch)?;
            Ok((temp, body, reached))
        };
        let (written, rest, reached) = disk.run("write the object", step).await?;
        (temp, body) = (Some(written), rest);
        match reached? {
            Reached::End => break Batch::default(),
            Reached::Pause => paused = true,
            Reached::MaxStep => paused = false,
        }
    };
    // The last bytes, the syncs and the rename are one step: for most objects, which are small, it is the only one.
    let publication = PublicationGuard::new(disk, key.as_str());
    let (own, publish) = (Arc::clone(disk), publication.publication());
    let step = move || {
        let mut temp = temp_file(temp, &own)?;
        temp.write_last(batch.chunks)?;
        attributes.write(temp.file());
        fail_point!("local.written");
        temp.sync()?;
        fail_point!("local.synced");
        publish.publish(&own, &temp)?;
        Ok(temp)
    };
    let written = disk.run("write the object", step).await?;
    fail_point!("local.published");
    publication.confirm();
    written.keep();
    Ok(body.size)
}

/// Returns the temporary file. It is created only when there is something to write. Blocks.
fn temp_file(temp: Option<TempFile>, disk: &Disk) -> io::Result<TempFile> {
    if let Some(temp) = temp {
        return Ok(temp);
    }
    let temp = TempFile::create(disk)?;
    fail_point!("local.created");
    Ok(temp)
}

/// A body that must have its declared length.
struct LengthCheckedBody {
    body: PutBody,
    length: Option<u64>,
    /// The number of bytes so far.
    size: u64,
}

impl LengthCheckedBody {
    /// Returns the next chunk; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, PutError> {
        let item = self.body.next().await;
        let chunk = item.transpose().map_err(|_| PutError::BodyInterrupted)?;
        self.size += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        match self.length {
            Some(declared) if self.size > declared || chunk.is_none() && self.size < declared => {
                Err(PutError::Length { declared, got: self.size })
            }
            _ => Ok(chunk),
        }
    }
}

/// The chunks of a body that one step writes.
#[derive(Default)]
struct Batch {
    chunks: Vec<Bytes>,
    /// The body is over.
    last: bool,
}

/// Waits until [`MIN_BATCH`] bytes have arrived or the body is over, and returns the chunks that have arrived.
async fn gather(body: &mut LengthCheckedBody) -> Result<Batch, PutError> {
    let mut batch = Batch::default();
    let before = body.size;
    while batch.chunks.len() < MAX_CHUNKS && body.size - before < MAX_BATCH {
        let enough = body.size - before >= MIN_BATCH;
        let item = if enough { body.next().now_or_never() } else { Some(body.next().await) };
        match item.transpose()? {
            None => break,
            Some(Some(chunk)) => batch.chunks.push(chunk),
            Some(None) => {
                batch.last = true;
                break;
            }
        }
    }
    Ok(batch)
}

/// Where a step has ended.
enum Reached {
    /// The body is over.
    End,
    /// The body pauses.
    Pause,
    /// The step has written as much as it may.
    MaxStep,
}

/// Writes a batch, and further chunks while they come fast: so a fast body stays on its thread for a while, and a slow one
/// holds none. The outer error is the file's, the inner one the body's. Blocks.
fn write_while_fast(
    timers: &Handle,
    fast_bodies: &FastBodies,
    temp: &mut TempFile,
    body: &mut LengthCheckedBody,
    batch: Batch,
) -> io::Result<Result<Reached, PutError>> {
    let _timers = timers.enter();
    temp.append(|appender| {
        batch.chunks.into_iter().try_for_each(|chunk| appender.push(chunk))?;
        let (started, before) = (Instant::now(), body.size);
        let (max_step, wait) = if appender.is_fast() {
            (MAX_FAST_STEP, NEXT_FAST_CHUNK_WAIT)
        } else {
            (MAX_STEP, NEXT_CHUNK_WAIT)
        };
        // A body that trickles makes no pause, but must not hold the thread.
        while body.size < before + max_step && started.elapsed() < MAX_STEP_TIME {
            match wait_at_most(wait, body.next()) {
                Some(Ok(Some(chunk))) => appender.push(chunk)?,
                Some(Ok(None)) => return Ok(Ok(Reached::End)),
                Some(Err(error)) => return Ok(Err(error)),
                None => return appender.slow_down().map(|()| Ok(Reached::Pause)),
            }
        }
        if is_fast(body.size - before, started.elapsed()) {
            if body.size >= MIN_FAST_SIZE {
                appender.speed_up(fast_bodies)?;
            }
        } else if body.size < before + max_step {
            return appender.slow_down().map(|()| Ok(Reached::Pause));
        } else if appender.is_fast() {
            appender.slow_down()?;
        }
        Ok(Ok(Reached::MaxStep))
    })
}

/// Whether a body arrives fast of which so many bytes took so long.
fn is_fast(bytes: u64, took: Duration) -> bool {
    u128::from(bytes) * 1_000_000 >= u128::from(FAST) * took.as_micros()
}
