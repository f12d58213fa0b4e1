//! All systems of a list, in pages, for an export: memory does not grow with the number of systems, and no connection is held
//! while the client receives a page.

use std::sync::Arc;

use super::query::SystemQuery;
use crate::db::systems::{self, Position, Sort, SystemFilter, SystemPage, SystemSummary};
use crate::db::{Lane, organizations};
use crate::domain::caller::Caller;
use crate::domain::ids::OrgId;
use crate::fleet::{Fleet, FleetError, TIMEOUT};

/// Systems of a page.
const PAGE: usize = 1000;

/// An export under way.
pub struct Export {
    fleet: Arc<Fleet>,
    caller: Caller,
    /// The organization of the query.
    within: Option<OrgId>,
    filter: SystemFilter,
    sort: Sort,
    /// The page that was read last.
    page: SystemPage,
}

impl Export {
    /// Begins an export of the systems that the caller may see, with its first page.
    ///
    /// # Errors
    /// [`FleetError::NoOrganization`] if the caller may not see the organization of the query.
    pub async fn begin(fleet: Arc<Fleet>, caller: &Caller, query: SystemQuery) -> Result<Self, FleetError> {
        let (sort, within) = (query.sort, query.org.clone());
        let of = caller.clone();
        let first = move |conn: &mut _| {
            let Some(orgs) = organizations::visible(conn, &of, query.org.as_ref())? else { return Ok(None) };
            let filter = query.filter(orgs);
            let page = systems::page(conn, &filter, sort, None, PAGE)?;
            Ok(Some((filter, page)))
        };
        let first = fleet.db.run(Lane::Fleet, TIMEOUT, first).await?;
        let (filter, page) = first.ok_or(FleetError::NoOrganization)?;
        Ok(Self { fleet, caller: caller.clone(), within, filter, sort, page })
    }

    /// Takes the systems of the page that was read last.
    pub fn take(&mut self) -> Vec<SystemSummary> {
        std::mem::take(&mut self.page.systems)
    }

    /// Reads the next page; `false` if there is none.
    ///
    /// # Errors
    /// [`FleetError::NoOrganization`] if the caller sees fewer organizations than before.
    pub async fn advance(&mut self) -> Result<bool, FleetError> {
        let Some(after) = self.page.next.take() else { return Ok(false) };
        self.page = self.read(after).await?;
        Ok(true)
    }

    async fn read(&self, after: Position) -> Result<SystemPage, FleetError> {
        let (filter, sort) = (self.filter.clone(), self.sort);
        let (caller, within) = (self.caller.clone(), self.within.clone());
        let page = move |conn: &mut _| {
            let now = organizations::visible(conn, &caller, within.as_ref())?;
            if !now.is_some_and(|now| now.has_all_of(&filter.orgs)) {
                return Ok(None);
            }
            systems::page(conn, &filter, sort, Some(&after), PAGE).map(Some)
        };
        self.fleet.db.run(Lane::Fleet, TIMEOUT, page).await?.ok_or(FleetError::NoOrganization)
    }
}
