//! A put: writes the body to a temporary file, syncs it, and publishes it under its key (`publication.rs`).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::Disk;
use super::facts::Facts;
use super::publication::Unconfirmed;
use super::temp::Temp;
use crate::domain::object_key::ObjectKey;
use crate::store::{PutBody, PutError};

/// A write waits for this many bytes, unless the body is over.
const LEAST: u64 = 32 << 10;
/// A write waits for no more chunks than this: each keeps the buffer alive that it is a part of.
const CHUNKS: usize = 64;
/// How long a blocking thread waits for the next chunk of a body that has been coming fast.
const LINGER: Duration = Duration::from_millis(2);
/// Bytes after which a fast body gives its thread back, so that others get their turn.
const TURN: u64 = 1 << 20;

pub(super) async fn put(
    disk: &Arc<Disk>,
    key: &ObjectKey,
    length: Option<u64>,
    facts: Facts,
    body: PutBody,
) -> Result<u64, PutError> {
    let mut temp = None;
    let mut body = Counted { body, length, size: 0 };
    // The temporary file is moved into each step, and comes back with its result. If this future is dropped, the step in
    // progress drops the file, which removes it.
    let batch = loop {
        let batch = gather(&mut body).await?;
        if batch.last {
            break batch;
        }
        let (own, timers) = (Arc::clone(disk), Handle::current());
        let step = move || {
            let mut temp = begun(temp, &own)?;
            let ended = flow(&timers, &mut temp, &mut body, batch)?;
            Ok((temp, body, ended))
        };
        let (written, rest, ended) = disk.run("write the object", step).await?;
        (temp, body) = (Some(written), rest);
        if ended? {
            break Batch::default();
        }
    };
    // The last bytes, the syncs and the rename are one step: for most objects, which are small, it is the only one.
    let publication = Unconfirmed::new(disk, key.as_str());
    let (own, publish) = (Arc::clone(disk), publication.publication());
    let step = move || {
        let mut temp = begun(temp, &own)?;
        temp.write_last(batch.chunks)?;
        facts.write(temp.file());
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

/// The temporary file. It is created only when there is something to write. Blocks.
fn begun(temp: Option<Temp>, disk: &Disk) -> io::Result<Temp> {
    if let Some(temp) = temp {
        return Ok(temp);
    }
    let temp = Temp::create(disk)?;
    fail_point!("local.created");
    Ok(temp)
}

/// A body that is held to its declared length.
struct Counted {
    body: PutBody,
    length: Option<u64>,
    /// Bytes so far.
    size: u64,
}

impl Counted {
    /// The next chunk; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, PutError> {
        let item = self.body.next().await;
        let chunk = item.transpose().map_err(|_| PutError::Body)?;
        self.size += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        match self.length {
            Some(declared) if self.size > declared || chunk.is_none() && self.size < declared => {
                Err(PutError::Length { declared, got: self.size })
            }
            _ => Ok(chunk),
        }
    }
}

/// What has arrived of a body, for one step.
#[derive(Default)]
struct Batch {
    chunks: Vec<Bytes>,
    /// The body is over.
    last: bool,
}

/// Waits until [`LEAST`] bytes have arrived or the body is over, and takes what else is there without waiting.
async fn gather(body: &mut Counted) -> Result<Batch, PutError> {
    let mut batch = Batch::default();
    let before = body.size;
    while batch.chunks.len() < CHUNKS {
        let enough = body.size - before >= LEAST;
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

/// Writes a batch, and what comes after it for as long as it keeps coming: so a fast body stays on its thread for a
/// while, and a slow one holds none. The outer error is the file's, the inner one the body's; `true`: the body is over.
/// Blocks.
fn flow(
    timers: &Handle,
    temp: &mut Temp,
    body: &mut Counted,
    batch: Batch,
) -> io::Result<Result<bool, PutError>> {
    temp.append(|appender| {
        batch.chunks.into_iter().try_for_each(|chunk| appender.push(chunk))?;
        let enough = body.size + TURN;
        timers.block_on(async {
            while body.size < enough {
                match timeout(LINGER, body.next()).await {
                    Ok(Ok(Some(chunk))) => appender.push(chunk)?,
                    Ok(Ok(None)) => return Ok(Ok(true)),
                    Ok(Err(error)) => return Ok(Err(error)),
                    Err(_) => return appender.settle().map(|()| Ok(false)),
                }
            }
            Ok(Ok(false))
        })
    })
}
