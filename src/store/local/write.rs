//! A put: temporary file, sync, rename, sync of the folders.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};

use super::temp::Temp;
use super::{Disk, folders, lock, parent_of};
use crate::domain::object_key::ObjectKey;
use crate::store::{PutBody, PutError};

/// How much of what has arrived goes into one write, in bytes.
const BATCH: u64 = 256 << 10;
/// And how many chunks: each keeps the buffer that it is a part of.
const BATCH_CHUNKS: usize = 64;
/// How often a put makes a folder again that deletes keep removing.
const FOLDER_TRIES: u32 = 1000;

pub(super) async fn put(
    disk: &Arc<Disk>,
    key: &ObjectKey,
    length: Option<u64>,
    mut body: PutBody,
) -> Result<u64, PutError> {
    let mut temp = None;
    let mut size = 0;
    // The file is handed to each step and comes back with it. When the future
    // is dropped the step in progress drops it, and with it the file is gone.
    let temp = loop {
        let batch = gather(&mut body).await?;
        size += batch.size;
        if let Some(declared) = length
            && (size > declared || batch.last && size < declared)
        {
            return Err(PutError::Length { declared, got: size });
        }
        let (own, last) = (Arc::clone(disk), batch.last);
        let write = move || {
            let mut temp = match temp {
                Some(temp) => temp,
                None => Temp::create(&own)?,
            };
            temp.write(&batch.chunks)?;
            Ok(temp)
        };
        let written = disk.run("write the object", write).await?;
        if last {
            break written;
        }
        temp = Some(written);
    };
    commit(disk, key, temp).await?;
    Ok(size)
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

/// Waits for the next chunk and takes what is there besides, without waiting:
/// a stream that trickles is written as it comes and holds nothing back.
async fn gather(body: &mut PutBody) -> Result<Batch, PutError> {
    let mut batch = Batch::default();
    let mut next = Some(body.next().await);
    while let Some(item) = next {
        match item {
            None => batch.last = true,
            Some(Ok(chunk)) => {
                batch.size += chunk.len() as u64;
                batch.chunks.push(chunk);
            }
            Some(Err(_)) => return Err(PutError::Body),
        }
        let full = batch.size >= BATCH || batch.chunks.len() >= BATCH_CHUNKS;
        next = if batch.last || full { None } else { body.next().now_or_never() };
    }
    Ok(batch)
}

/// Makes an object of a file whose bytes are all written. If this future is
/// dropped there will be no object, whatever step it was in.
async fn commit(disk: &Arc<Disk>, key: &ObjectKey, temp: Temp) -> Result<(), PutError> {
    let (from, file) = temp.share();
    let publication = Arc::new(Publication { from, to: disk.path_of(key), state: Mutex::default() });
    // Dropped before `temp`: what was published is a temporary file again
    // before those are removed.
    let mut guard = Retract(Some(Arc::clone(&publication)));
    let own = Arc::clone(disk);
    let work = move || {
        file.sync_all()?;
        publication.publish(&own.root)?;
        own.settled.sync(&own.root, parent_of(&publication.to)?)
    };
    disk.run("sync and publish the object", work).await?;
    guard.0 = None;
    temp.keep();
    Ok(())
}

/// The one moment in which an object becomes visible, and its undoing. The lock
/// orders the thread that publishes and the future that may be dropped: once
/// retracted, it is never published.
struct Publication {
    from: PathBuf,
    to: PathBuf,
    state: Mutex<State>,
}

#[derive(Default, PartialEq)]
enum State {
    #[default]
    Hidden,
    Published,
    Retracted,
}

impl Publication {
    /// Renames the file to its place, in folders that a delete may be removing
    /// at this moment. Blocks.
    fn publish(&self, root: &Path) -> io::Result<()> {
        let folder = parent_of(&self.to)?;
        let mut result = Ok(());
        for _ in 0..FOLDER_TRIES {
            result = folders::make_below(root, folder).and_then(|()| self.rename());
            match &result {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                _ => break,
            }
        }
        result
    }

    fn rename(&self) -> io::Result<()> {
        let mut state = lock(&self.state);
        if *state == State::Retracted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        fs::rename(&self.from, &self.to)?;
        *state = State::Published;
        Ok(())
    }

    /// Takes the object back, or sees to it that there will be none. A rename,
    /// because a removal of a large file would take too long here.
    fn retract(&self) {
        let mut state = lock(&self.state);
        if *state == State::Published
            && let Err(error) = fs::rename(&self.to, &self.from)
        {
            log::error!("take {} back: {error}", self.to.display());
        }
        *state = State::Retracted;
    }
}

/// Retracts a publication that was not confirmed.
struct Retract(Option<Arc<Publication>>);

impl Drop for Retract {
    fn drop(&mut self) {
        if let Some(publication) = &self.0 {
            publication.retract();
        }
    }
}
