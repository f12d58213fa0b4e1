//! The health check that commits a transaction.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::commit_probe::is_active;
use super::{Db, DbError, Lane};

/// The pause between two checks of a probe that is under way.
const CHECK_AGAIN: Duration = Duration::from_millis(250);

impl Db {
    /// Commits a transaction that changes nothing. While one such transaction hangs, other callers start none: they block no
    /// thread and open no session.
    pub async fn can_commit(&self, limit: Duration) -> Result<(), DbError> {
        let db = self.clone();
        // It goes on when the caller has its answer. So the pool learns of a connection that does not answer, and uses no other
        // one from the same time. Otherwise each check would take up one more of the connections that a network has lost.
        let probe = tokio::spawn(async move { db.commit_probe(limit).await });
        match timeout(limit, probe).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(DbError::Failed(format!("the health check panicked: {error}"))),
            Err(_) => Err(hangs()),
        }
    }

    async fn commit_probe(&self, limit: Duration) -> Result<(), DbError> {
        let deadline = Instant::now() + limit;
        while let Some(session) = self.probe.under_way() {
            let active = move |conn: &mut _| is_active(conn, session);
            if !self.run(Lane::General, limit, active).await? {
                // The session has ended or is idle. Only its client still waits, on a lost connection.
                self.probe.end(session);
            } else if Instant::now() < deadline {
                sleep(CHECK_AGAIN).await;
            } else {
                return Err(hangs());
            }
        }
        let probe = self.probe.clone();
        self.run(Lane::General, limit, move |conn| probe.run(conn)).await
    }
}

fn hangs() -> DbError {
    DbError::OutcomeUnknown("COMMIT did not return; is a synchronous standby unavailable?".to_owned())
}
