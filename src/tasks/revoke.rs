//! Ends downloads under way that are no longer permitted: those with a credential that was replaced, those of a system that
//! was suspended, those by a link that ended with either, and those of a system that is being destroyed.

use std::time::Duration;

use super::db_failure;
use super::supervisor::{Period, Supervisor, TaskDefinition};
use crate::backups::OpenDownloads;
use crate::db::{Db, DbError, Lane, access_state};

/// The time between two checks. Each looks up all systems with a download under way together.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How long a check waits for a database that can't be reached.
const QUERY_TIMEOUT: Duration = Duration::from_secs(4);

const MAX_RUN: Duration = Duration::from_mins(1);

/// Starts to check. While the database can't be reached, downloads go on: they don't need it.
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
        db.run(Lane::Reads, QUERY_TIMEOUT, move |conn: &mut _| access_state::of_all(conn, &ids)).await?;
    downloads.end_revoked(&snapshot, &found);
    Ok(())
}
