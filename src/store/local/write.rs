//! A put: temporary file, sync, rename, sync of the folders.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::facts::Facts;
use super::temp::{Removal, Temp};
use super::{Disk, folders, lock, parent_of};
use crate::domain::object_key::ObjectKey;
use crate::store::{HELD_BACK, PutBody, PutError};

/// No more chunks than this are held: each keeps the buffer that it is a part of.
const CHUNKS: usize = 64;
/// How long a thread waits for the next chunk of a body that has been coming fast.
const LINGER: Duration = Duration::from_millis(2);
/// How often a put makes a folder again that deletes keep removing.
const FOLDER_TRIES: u32 = 1000;

pub(super) async fn put(
    disk: &Arc<Disk>,
    key: &ObjectKey,
    length: Option<u64>,
    facts: Facts,
    body: PutBody,
) -> Result<u64, PutError> {
    let mut temp = None;
    let mut body = Counted { body, length, size: 0 };
    // The file is handed to each step and comes back with it. When the future
    // is dropped the step in progress drops it, and with it the file is gone.
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
    // The last bytes, the syncs and the rename are one step: most objects
    // are small, and are nothing but this step.
    let publication = Unconfirmed::new(disk, key);
    let (own, publish) = (Arc::clone(disk), publication.publication());
    let step = move || {
        let mut temp = begun(temp, &own)?;
        temp.write_last(batch.chunks)?;
        facts.write(temp.file());
        fail_point!("local.written");
        temp.file().sync_all()?;
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

/// The file, which is made when there is something to write. Blocks.
fn begun(temp: Option<Temp>, disk: &Disk) -> io::Result<Temp> {
    if let Some(temp) = temp {
        return Ok(temp);
    }
    let temp = Temp::create(disk)?;
    fail_point!("local.created");
    Ok(temp)
}

/// A body, held to the length that it was said to have.
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

/// What had arrived of a body.
#[derive(Default)]
struct Batch {
    chunks: Vec<Bytes>,
    /// The body is over.
    last: bool,
}

/// Waits until there is something worth a step, and takes what is there besides, without waiting.
async fn gather(body: &mut Counted) -> Result<Batch, PutError> {
    let mut batch = Batch::default();
    let before = body.size;
    while batch.chunks.len() < CHUNKS {
        let enough = body.size - before >= HELD_BACK as u64;
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

/// Writes a batch and what comes after it, for as long as it keeps coming: a fast body stays on its
/// thread, a slow one holds none. Says whether the body is over. Blocks.
fn flow(
    timers: &Handle,
    temp: &mut Temp,
    body: &mut Counted,
    batch: Batch,
) -> io::Result<Result<bool, PutError>> {
    let appender = temp.appender();
    batch.chunks.into_iter().try_for_each(|chunk| appender.push(chunk))?;
    timers.block_on(async {
        loop {
            match timeout(LINGER, body.next()).await {
                Ok(Ok(Some(chunk))) => appender.push(chunk)?,
                Ok(Ok(None)) => return Ok(Ok(true)),
                Ok(Err(error)) => return Ok(Err(error)),
                Err(_) => return appender.settle().map(|()| Ok(false)),
            }
        }
    })
}

/// The one moment in which an object becomes visible, and its undoing. The lock
/// orders the thread that publishes and the future that may be dropped: once
/// retracted, it is never published.
struct Publication {
    to: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
enum State {
    #[default]
    Hidden,
    Published {
        from: PathBuf,
    },
    Retracted,
}

impl Publication {
    /// Renames a synced file to its place, durably. Blocks.
    fn publish(&self, disk: &Disk, temp: &Temp) -> io::Result<()> {
        let folder = parent_of(&self.to)?;
        let mut result = Ok(());
        for _ in 0..FOLDER_TRIES {
            result = folders::make_below(&disk.root, folder).and_then(|()| self.rename(temp));
            match &result {
                // A delete removed the folder in between.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                _ => break,
            }
        }
        result.and_then(|()| disk.settled.sync(&disk.root, folder))
    }

    fn rename(&self, temp: &Temp) -> io::Result<()> {
        let mut state = lock(&self.state);
        if matches!(*state, State::Retracted) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        fs::rename(temp.path(), &self.to)?;
        fail_point!("local.renamed");
        let from = temp.path().to_owned();
        *state = State::Published { from };
        Ok(())
    }
}

/// A publication that is retracted when this is dropped: when the future of the
/// put is, or when a step failed.
struct Unconfirmed {
    publication: Arc<Publication>,
    blocking: Handle,
}

impl Unconfirmed {
    fn new(disk: &Disk, key: &ObjectKey) -> Self {
        let publication = Publication { to: disk.path_of(key), state: Mutex::default() };
        Self { publication: Arc::new(publication), blocking: disk.blocking.clone() }
    }

    fn publication(&self) -> Arc<Publication> {
        Arc::clone(&self.publication)
    }

    fn confirm(self) {
        *lock(&self.publication.state) = State::Hidden;
    }
}

impl Drop for Unconfirmed {
    fn drop(&mut self) {
        let before = std::mem::replace(&mut *lock(&self.publication.state), State::Retracted);
        let State::Published { from } = before else {
            return;
        };
        // Out of sight at once, by a rename: a removal may take long, and this
        // may be one of the threads that serve the network.
        match fs::rename(&self.publication.to, &from) {
            Ok(()) => Removal::new(from).remove_on(&self.blocking),
            Err(error) => log::error!("take {} back: {error}", self.publication.to.display()),
        }
    }
}
