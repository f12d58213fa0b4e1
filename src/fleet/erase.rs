//! Destroying a system. The system is marked at once; a task of the service erases it (`tasks::erase`).

use std::net::IpAddr;

use uuid::Uuid;

use super::{ErasureStatus, Fleet, FleetError, TIMEOUT};
use crate::db::{Lane, erasures};
use crate::domain::author::Author;
use crate::domain::caller::Caller;

impl Fleet {
    /// Marks a system as being destroyed, and returns how far its erasure is. If it is marked already, this changes nothing.
    ///
    /// # Errors
    /// [`FleetError::NoSystem`], also if the caller may not see the system, or if `id` is not an id.
    pub async fn destroy_system(
        &self,
        caller: &Caller,
        id: &str,
        remote_addr: Option<IpAddr>,
    ) -> Result<ErasureStatus, FleetError> {
        let id = parse_id(id).ok_or(FleetError::NoSystem)?;
        let author = Author::Caller { caller: caller.clone(), remote_addr };
        let request = move |conn: &mut _| erasures::request(conn, id, &author);
        let status = self.db.run(Lane::Fleet, TIMEOUT, request).await?.ok_or(FleetError::NoSystem)?;
        fail_point!("erase.requested");
        self.erase.notify_one();
        Ok(status)
    }
}

/// Parses a system's id: only the hyphenated form, in either letter case.
fn parse_id(text: &str) -> Option<Uuid> {
    (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten()
}
