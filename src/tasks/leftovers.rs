//! Unfinished writes in the store that no upload owns any more.

use std::time::Duration;

use crate::db::{Db, DbError, Lane, backups};
use crate::store::Leftover;

const QUERY_TIMEOUT: Duration = Duration::from_secs(10);

/// Removes from `found` the writes of uploads that are under way.
///
/// The caller must list `found` before this reads the database. In the other order, an upload that began in between
/// would be taken for abandoned.
pub(super) async fn without_upload(db: &Db, mut found: Vec<Leftover>) -> Result<Vec<Leftover>, DbError> {
    let keys: Vec<_> = found.iter().filter_map(|left| left.key.as_ref().map(ToString::to_string)).collect();
    if !keys.is_empty() {
        let query = move |conn: &mut _| backups::receiving_among(conn, &keys);
        let receiving = db.run(Lane::Tasks, QUERY_TIMEOUT, query).await?;
        found.retain(|left| left.key.as_ref().is_none_or(|key| !receiving.contains(key.as_str())));
    }
    Ok(found)
}
