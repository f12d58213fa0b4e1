//! The history, for those who manage the fleet: newest first, page by page.

use chrono::DateTime;
use serde_json::Value;
use uuid::Uuid;

use super::{Fleet, FleetError, TIMEOUT};
use crate::db::event_list::{self, EventFilter};
pub use crate::db::event_list::{EventPosition, EventRow};
use crate::db::{Conn, DbError, Lane, objects, organizations};
use crate::domain::caller::{Caller, VisibleOrgs};
use crate::domain::event_kind::EventKind;
use crate::domain::ids::OrgId;
use crate::domain::since::Since;

/// Which events a caller wants to see.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Only those of this organization and of all below it.
    pub org: Option<OrgId>,
    pub kind: Option<EventKind>,
    /// From when on; `None`: the history from its beginning.
    pub since: Option<Since>,
}

/// A page of events, newest first.
#[derive(Debug)]
pub struct EventPage {
    pub events: Vec<EventRow>,
    /// Where the next page begins; `None`: this is the last one.
    pub next: Option<EventPosition>,
}

impl Fleet {
    /// Returns a page of the events of the organizations that the caller may see: the newest, or those after that place.
    ///
    /// # Errors
    /// [`FleetError::NoOrganization`] if the caller may not see the organization of the query.
    pub async fn list_events(
        &self,
        caller: &Caller,
        query: EventQuery,
        after: Option<EventPosition>,
        limit: usize,
    ) -> Result<EventPage, FleetError> {
        let caller = caller.clone();
        let read = move |conn: &mut _| {
            let Some(orgs) = organizations::visible(conn, &caller, query.org.as_ref())? else {
                return Ok(None);
            };
            let orgs = match orgs {
                VisibleOrgs::All => None,
                VisibleOrgs::Of(ids) => Some(ids),
            };
            let filter = EventFilter { orgs, ..filter(conn, &query)? };
            let mut events = event_list::page(conn, &filter, after, one_more(limit))?;
            // Nobody learns the names of organizations that they do not see.
            if events.iter().any(names_parents)
                && let Some(VisibleOrgs::Of(visible)) = organizations::visible(conn, &caller, None)?
            {
                events
                    .iter_mut()
                    .filter(|event| names_parents(event))
                    .for_each(|event| conceal(&mut event.detail, &visible));
            }
            Ok(Some(events))
        };
        let found = self.db.run(Lane::Fleet, TIMEOUT, read).await?.ok_or(FleetError::NoOrganization)?;
        Ok(page(found, limit))
    }

    /// Returns a page of the events of one system, which may have been destroyed.
    ///
    /// # Errors
    /// [`FleetError::NoSystem`], whether `id` is not an id, or the system never was, or the caller may not see its organization.
    pub async fn list_system_events(
        &self,
        caller: &Caller,
        id: &str,
        query: EventQuery,
        after: Option<EventPosition>,
        limit: usize,
    ) -> Result<EventPage, FleetError> {
        let id = parse_id(id).ok_or(FleetError::NoSystem)?;
        let caller = caller.clone();
        let read = move |conn: &mut _| {
            let path = event_list::orgs_of_system(conn, id)?;
            if path.is_empty() || !caller.sees_any_of(&path) {
                return Ok(None);
            }
            let filter = EventFilter { systems: Some(vec![id]), ..filter(conn, &query)? };
            event_list::page(conn, &filter, after, one_more(limit)).map(Some)
        };
        let found = self.db.run(Lane::Fleet, TIMEOUT, read).await?.ok_or(FleetError::NoSystem)?;
        Ok(page(found, limit))
    }
}

/// Whether its detail names organizations above the one that it is about.
fn names_parents(event: &EventRow) -> bool {
    [EventKind::OrgMoved.as_str(), EventKind::OrgAdded.as_str()].contains(&event.kind.as_str())
}

/// Leaves the parents out of the detail that are not visible.
fn conceal(detail: &mut Value, visible: &[String]) {
    for member in ["old", "new", "parent"] {
        if let Some(parent) = detail.get_mut(member)
            && parent.as_str().is_some_and(|id| !visible.iter().any(|visible| visible == id))
        {
            *parent = Value::Null;
        }
    }
}

/// Returns the filter of a query, without systems and organizations.
fn filter(conn: &mut Conn, query: &EventQuery) -> Result<EventFilter, DbError> {
    let since = match query.since {
        Some(since) => since.at(objects::now(conn)?),
        None => DateTime::UNIX_EPOCH,
    };
    Ok(EventFilter { since, systems: None, orgs: None, kind: query.kind })
}

/// Parses a system's id: only the hyphenated form, in either letter case.
fn parse_id(text: &str) -> Option<Uuid> {
    (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten()
}

/// One more than the page has shows whether there are more.
fn one_more(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
}

fn page(mut events: Vec<EventRow>, limit: usize) -> EventPage {
    let more = events.len() > limit;
    events.truncate(limit);
    let next = events.last().filter(|_| more).map(EventRow::position);
    EventPage { events, next }
}
