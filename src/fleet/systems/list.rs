//! Lists systems, page by page.

use super::cursor;
use super::query::SystemQuery;
use crate::db::systems::{self, SystemSummary};
use crate::db::{Lane, organizations};
use crate::domain::caller::Caller;
use crate::fleet::{Fleet, FleetError, TIMEOUT};

/// A page of systems.
#[derive(Debug)]
pub struct SystemList {
    pub systems: Vec<SystemSummary>,
    /// The cursor of the next page; `None`: this is the last one.
    pub next_cursor: Option<String>,
}

impl Fleet {
    /// Returns a page of the systems that the caller may see, at most `limit` of them: the first, or that of the cursor.
    ///
    /// # Errors
    /// [`FleetError::NoOrganization`] if the caller may not see the organization of the query, [`FleetError::InvalidCursor`]
    /// if the cursor is not one of this list.
    pub async fn list_systems(
        &self,
        caller: &Caller,
        query: SystemQuery,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<SystemList, FleetError> {
        let after = match cursor {
            Some(cursor) => Some(cursor::decode(&query, cursor).ok_or(FleetError::InvalidCursor)?),
            None => None,
        };
        let (caller, asked) = (caller.clone(), query.clone());
        let page = move |conn: &mut _| {
            let Some(orgs) = organizations::visible(conn, &caller, asked.org.as_ref())? else {
                return Ok(None);
            };
            systems::page(conn, &asked.filter(orgs), asked.sort, after.as_ref(), limit).map(Some)
        };
        let page = self.db.run(Lane::Fleet, TIMEOUT, page).await?.ok_or(FleetError::NoOrganization)?;
        let next_cursor = page.next.and_then(|position| cursor::encode(&query, &position));
        Ok(SystemList { systems: page.systems, next_cursor })
    }
}
