//! Work on a session that may hang, with a limit on how long its caller waits.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use super::DbError;

/// Runs `work` on a thread of its own, and returns its result. `None` after `limit`: the thread goes on waiting until its connection
/// ends.
pub(super) fn limited<T: Send + 'static>(
    name: &str,
    limit: Duration,
    work: impl FnOnce() -> Result<T, DbError> + Send + 'static,
) -> Option<Result<T, DbError>> {
    let (done, result) = sync_channel(1);
    let worker = thread::Builder::new().name(name.to_owned()).spawn(move || {
        // After the limit nobody receives the result.
        let _ = done.send(work());
    });
    match worker {
        Ok(_) => match result.recv_timeout(limit) {
            Ok(result) => Some(result),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(DbError::Failed(format!("{name} panicked")))),
        },
        Err(error) => Some(Err(DbError::Unavailable(format!("start a thread: {error}")))),
    }
}
