//! A put: temporary file, sync, rename, sync of the folders.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use tokio::runtime::Handle;

use super::facts::Facts;
use super::temp::{Removal, Temp};
use super::{Disk, folders, lock, parent_of};
use crate::domain::object_key::ObjectKey;
use crate::store::{HELD_BACK, PutBody, PutError};

/// How much of what has arrived is written in one step, in bytes.
const BATCH: u64 = 128 << 10;
/// Nor are more chunks than this held: each keeps the buffer that it is a part of.
const CHUNKS: usize = 64;
/// How often a put makes a folder again that deletes keep removing.
const FOLDER_TRIES: u32 = 1000;

pub(super) async fn put(
    disk: &Arc<Disk>,
    key: &ObjectKey,
    length: Option<u64>,
    facts: Facts,
    mut body: PutBody,
) -> Result<u64, PutError> {
    let mut temp = None;
    let mut size = 0;
    let facts = Arc::new(facts);
    // The file is handed to each step and comes back with it. When the future
    // is dropped the step in progress drops it, and with it the file is gone.
    loop {
        let batch = gather(&mut body).await?;
        size += batch.size;
        if let Some(declared) = length
            && (size > declared || batch.last && size < declared)
        {
            let got = size;
            return Err(PutError::Length { declared, got });
        }
        // The last bytes, the syncs and the rename are one step: most objects
        // are small, and are nothing but this step.
        let publication = batch.last.then(|| Unconfirmed::new(disk, key));
        let (own, facts) = (Arc::clone(disk), Arc::clone(&facts));
        let publish = publication.as_ref().map(Unconfirmed::publication);
        let step = move || {
            let mut temp = match temp {
                Some(temp) => temp,
                None => Temp::create(&own)?,
            };
            if let Some(publication) = publish {
                temp.write_last(batch.chunks)?;
                facts.write(temp.file());
                temp.file().sync_all()?;
                publication.publish(&own, &temp)?;
            } else {
                temp.write(batch.chunks)?;
            }
            Ok(temp)
        };
        let written = disk.run("write the object", step).await?;
        if let Some(publication) = publication {
            publication.confirm();
            written.keep();
            return Ok(size);
        }
        temp = Some(written);
    }
}

/// What had arrived of a body.
#[derive(Default)]
struct Batch {
    chunks: Vec<Bytes>,
    /// Of all of them, in bytes.
    size: u64,
    /// The body is over.
    last: bool,
}

/// Waits until there is something worth a write, and takes what is there besides, without waiting.
async fn gather(body: &mut PutBody) -> Result<Batch, PutError> {
    let mut batch = Batch::default();
    while batch.size < BATCH && batch.chunks.len() < CHUNKS {
        let item =
            if batch.size < HELD_BACK as u64 { Some(body.next().await) } else { body.next().now_or_never() };
        match item {
            None => break,
            Some(None) => {
                batch.last = true;
                break;
            }
            Some(Some(Ok(chunk))) => {
                batch.size += chunk.len() as u64;
                batch.chunks.push(chunk);
            }
            Some(Some(Err(_))) => return Err(PutError::Body),
        }
    }
    Ok(batch)
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
