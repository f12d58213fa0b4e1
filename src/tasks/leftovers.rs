//! What unfinished puts have left in the store.

use std::time::Duration;

use crate::db::{Db, DbError, Lane, backups};
use crate::store::Leftover;

const PATIENCE: Duration = Duration::from_secs(10);

/// Those of the leftovers that no upload is at any more.
///
/// The store has to be asked for `found` before the database is asked here. In the other order an upload that began
/// in between would be taken for dead.
pub(super) async fn without_writer(db: &Db, mut found: Vec<Leftover>) -> Result<Vec<Leftover>, DbError> {
    let keys: Vec<_> = found.iter().filter_map(|left| left.key.as_ref().map(ToString::to_string)).collect();
    if !keys.is_empty() {
        let receiving = move |conn: &mut _| backups::receiving_among(conn, &keys);
        let alive = db.run(Lane::Reads, PATIENCE, receiving).await?;
        found.retain(|left| left.key.as_ref().is_none_or(|key| !alive.contains(key.as_str())));
    }
    Ok(found)
}
