//! The check of health that the database can commit.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::commit_probe::is_active;
use super::{Db, DbError, Lane};

/// Between two checks of a probe that is under way.
const CHECK_AGAIN: Duration = Duration::from_millis(250);

impl Db {
    /// Commits something that changes nothing. Blocks no thread and opens no session for those that ask while one hangs.
    pub async fn can_commit(&self, patience: Duration) -> Result<(), DbError> {
        let hangs = || {
            Err(DbError::OutcomeUnknown(
                "COMMIT did not return; is a synchronous standby unavailable?".to_owned(),
            ))
        };
        timeout(patience, self.commit_probe(patience)).await.unwrap_or_else(|_| hangs())
    }

    async fn commit_probe(&self, patience: Duration) -> Result<(), DbError> {
        while let Some(session) = self.probe.under_way() {
            let active = move |conn: &mut _| is_active(conn, session);
            if self.run(Lane::Reads, patience, active).await? {
                sleep(CHECK_AGAIN).await;
            } else {
                // Only its client waits still, on a connection that leads nowhere.
                self.probe.end(session);
            }
        }
        let probe = self.probe.clone();
        self.run(Lane::Reads, patience, move |conn| probe.run(conn)).await
    }
}
