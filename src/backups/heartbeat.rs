//! Signs of activity of an appliance.

use std::net::IpAddr;

use chrono::{DateTime, Utc};

use super::{READ_TIMEOUT, ReadError, Vault};
use crate::auth::basic::SystemIdentity;
use crate::db::{Lane, seen_systems};

impl Vault {
    /// Records that the appliance is alive, and returns when it was last heard of: now, or within the last minute. Writes at
    /// most once a minute.
    ///
    /// # Errors
    /// [`ReadError::Revoked`] if the system is no longer active.
    pub async fn note_heartbeat(
        &self,
        identity: &SystemIdentity,
        remote_addr: Option<IpAddr>,
    ) -> Result<DateTime<Utc>, ReadError> {
        if let Some(at) = identity.seen_lately() {
            return Ok(at);
        }
        let system = identity.id();
        let query = move |conn: &mut _| seen_systems::note(conn, system, remote_addr);
        let at = self.db.run(Lane::General, READ_TIMEOUT, query).await?.ok_or(ReadError::Revoked)?;
        self.authenticator.note_seen_at(identity, at);
        Ok(at)
    }
}
