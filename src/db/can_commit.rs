//! The health check that commits a transaction.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::commit_probe::is_active;
use super::{Db, DbError, Lane};

/// The pause between two checks of a probe that is under way.
const CHECK_AGAIN: Duration = Duration::from_millis(250);

impl Db {
    /// Commits a transaction that changes nothing. While one such transaction hangs, other callers start none: they block no
    /// thread and open no session.
    pub async fn can_commit(&self, limit: Duration) -> Result<(), DbError> {
        let hangs = || {
            Err(DbError::OutcomeUnknown(
                "COMMIT did not return; is a synchronous standby unavailable?".to_owned(),
            ))
        };
        timeout(limit, self.commit_probe(limit)).await.unwrap_or_else(|_| hangs())
    }

    async fn commit_probe(&self, limit: Duration) -> Result<(), DbError> {
        while let Some(session) = self.probe.under_way() {
            let active = move |conn: &mut _| is_active(conn, session);
            if self.run(Lane::General, limit, active).await? {
                sleep(CHECK_AGAIN).await;
            } else {
                // The session has ended or is idle. Only its client still waits, on a lost connection.
                self.probe.end(session);
            }
        }
        let probe = self.probe.clone();
        self.run(Lane::General, limit, move |conn| probe.run(conn)).await
    }
}
