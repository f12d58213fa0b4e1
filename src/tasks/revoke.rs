//! Ends downloads under way that are no longer permitted: those with a credential that was replaced, those of a system that
//! was suspended, those by a link that ended with either, and those of a system that is being destroyed.

use std::time::Duration;

use tokio::time::sleep;

use crate::backups::Downloads;
use crate::db::{Db, DbError, Lane, access_state};

/// Between two looks. All systems with a download under way are looked up together.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How long a look waits for a database that can't be reached.
const QUERY_TIMEOUT: Duration = Duration::from_secs(4);

/// Looks for ever. While the database can't be asked, downloads go on: they need nothing of it.
pub async fn run(db: Db, downloads: Downloads) {
    loop {
        sleep(CHECK_INTERVAL).await;
        if let Err(error) = run_once(&db, &downloads).await {
            log::debug!("look for downloads that have to end: {error}");
        }
    }
}

async fn run_once(db: &Db, downloads: &Downloads) -> Result<(), DbError> {
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
