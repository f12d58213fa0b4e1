//! Ends downloads under way that are no longer permitted: because the credential was replaced, the system was suspended or is
//! being destroyed, or the link ended with any of these.

use std::time::Duration;

use super::db_failure;
use super::supervisor::{Period, Supervisor, TaskDefinition};
use crate::backups::OpenDownloads;
use crate::db::{Db, DbError, Lane, access_state};

/// The time between two checks. A check looks up all systems that have a download under way, in one query.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How long a check waits for a database that can't be reached.
const QUERY_TIMEOUT: Duration = Duration::from_secs(4);

const MAX_RUN: Duration = Duration::from_mins(1);

/// Starts the checks. While the database can't be reached, downloads continue: they don't need it.
pub fn start(supervisor: &Supervisor, db: Db, downloads: OpenDownloads) {
    let task = TaskDefinition::new("revoke", Period::SinceEnd(CHECK_INTERVAL)).max_run(MAX_RUN);
    supervisor.spawn(task, move || {
        let (db, downloads) = (db.clone(), downloads.clone());
        async move { run_once(&db, &downloads).await.map_err(db_failure) }
    });
}

async fn run_once(db: &Db, downloads: &OpenDownloads) -> Result<(), DbError> {
    let snapshot = downloads.snapshot();
    if snapshot.systems.is_empty() {
        return Ok(());
    }
    let ids = snapshot.systems.clone();
    let found =
        db.run(Lane::General, QUERY_TIMEOUT, move |conn: &mut _| access_state::of_all(conn, &ids)).await?;
    downloads.end_revoked(&snapshot, &found);
    Ok(())
}
