//! Reads the history, newest first and page by page.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::objects::now;
use super::{Conn, DbError, systems};
use crate::domain::event_kind::EventKind;
use crate::domain::ids::OrgId;

/// So many organizations are read one by one. A page of more of them is usually found among the newest events of all.
const ORGS_ONE_BY_ONE: usize = 100;
/// These newest events.
const NEWEST: TimeDelta = TimeDelta::days(1);

/// Which events to read.
#[derive(Debug, Clone)]
pub struct EventFilter {
    /// The time of the oldest event.
    pub since: DateTime<Utc>,
    /// Only events of these systems.
    pub systems: Option<Vec<Uuid>>,
    /// Only events of these organizations.
    pub orgs: Option<Vec<String>>,
    pub kind: Option<EventKind>,
}

/// An event as it is in the table. An older version of the program may read kinds that it does not know.
#[derive(Debug, Clone, QueryableByName, Serialize)]
pub struct EventRow {
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Text)]
    pub org_id: String,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub system_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<Text>)]
    pub system_key: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub system_name: Option<String>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub backup_id: Option<Uuid>,
    #[diesel(sql_type = Text)]
    pub actor: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub remote_addr: Option<String>,
    #[diesel(sql_type = Jsonb)]
    pub detail: Value,
}

/// The place of an event in the order of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPosition {
    pub at: DateTime<Utc>,
    pub id: i64,
}

impl EventRow {
    pub fn position(&self) -> EventPosition {
        EventPosition { at: self.at, id: self.id }
    }
}

/// Returns at most `limit` events, newest first; with `after`, only those that come after that place in this order.
pub fn page(
    conn: &mut Conn,
    filter: &EventFilter,
    after: Option<EventPosition>,
    limit: i64,
) -> Result<Vec<EventRow>, DbError> {
    const OF_ALL: &str = include_str!("event_list.sql");
    const OF_ORGS: &str = include_str!("event_list_of_orgs.sql");
    let orgs = match filter {
        // Systems, and the kinds that not every upload writes, have indexes of their own.
        EventFilter { systems: None, orgs: Some(orgs), kind, .. }
            if kind.is_none_or(EventKind::is_of_every_upload) =>
        {
            orgs
        }
        _ => return rows(conn, OF_ALL, filter, after, limit),
    };
    if orgs.len() > ORGS_ONE_BY_ONE {
        let end = match after {
            Some(place) => place.at,
            None => now(conn)?,
        };
        let newest = EventFilter { since: filter.since.max(end - NEWEST), ..filter.clone() };
        let found = rows(conn, OF_ALL, &newest, after, limit)?;
        if i64::try_from(found.len()).is_ok_and(|count| count == limit) {
            return Ok(found);
        }
    }
    rows(conn, OF_ORGS, filter, after, limit)
}

/// The statement is planned with its values, so a filter that is null costs nothing, and the others use the table's indexes.
fn rows(
    conn: &mut Conn,
    sql: &str,
    filter: &EventFilter,
    after: Option<EventPosition>,
    limit: i64,
) -> Result<Vec<EventRow>, DbError> {
    let rows = diesel::sql_query(sql)
        .bind::<Timestamptz, _>(filter.since)
        .bind::<Nullable<Array<SqlUuid>>, _>(filter.systems.as_deref())
        .bind::<Nullable<Array<Text>>, _>(filter.orgs.as_deref())
        .bind::<Nullable<Text>, _>(filter.kind.map(EventKind::as_str))
        .bind::<Nullable<Timestamptz>, _>(after.map(|place| place.at))
        .bind::<Nullable<BigInt>, _>(after.map(|place| place.id))
        .bind::<BigInt, _>(limit)
        .load(conn)?;
    Ok(rows)
}

/// Returns the ids of the systems that have this id, key or name, or had it before they were destroyed. `ORG/NAME` is a name in
/// that organization.
pub fn systems_ever_named(conn: &mut Conn, org: Option<&OrgId>, text: &str) -> Result<Vec<Uuid>, DbError> {
    #[derive(QueryableByName)]
    struct Destroyed {
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
    }
    let mut found: Vec<Uuid> = systems::find(conn, org, text)?.iter().map(|system| system.id).collect();
    let sql = "SELECT id FROM destroyed_systems WHERE (id = $1 OR $2 IN (system_key, name, org_id || '/' || system_key, org_id || '/' || name)) \
         AND ($3 IS NULL OR org_id = $3)";
    let destroyed: Vec<Destroyed> = diesel::sql_query(sql)
        // No system has the nil id.
        .bind::<SqlUuid, _>(text.parse::<Uuid>().unwrap_or_default())
        .bind::<Text, _>(text)
        .bind::<Nullable<Text>, _>(org.map(OrgId::as_str))
        .load(conn)?;
    found.extend(destroyed.into_iter().map(|system| system.id));
    Ok(found)
}

/// Returns the ids of the organization of a system and of all above it; of a destroyed system, the one that it had. None if there
/// was never such a system.
pub fn orgs_of_system(conn: &mut Conn, system: Uuid) -> Result<Vec<String>, DbError> {
    #[derive(QueryableByName)]
    struct Path {
        #[diesel(sql_type = Array<Text>)]
        ids: Vec<String>,
    }
    // An organization that was deleted has nothing above it. The names of systems that were destroyed before 0.2.0 are gone.
    let sql = "SELECT coalesce(nullif(org_and_above(found.org_id), '{}'), ARRAY[found.org_id]) AS ids FROM ( \
             SELECT coalesce((SELECT org_id FROM systems WHERE id = $1), (SELECT org_id FROM destroyed_systems WHERE id = $1), \
                 (SELECT org_id FROM backup_events WHERE system_id = $1 ORDER BY at DESC LIMIT 1)) AS org_id) AS found \
         WHERE found.org_id IS NOT NULL";
    let path: Option<Path> = diesel::sql_query(sql).bind::<SqlUuid, _>(system).get_result(conn).optional()?;
    Ok(path.map(|path| path.ids).unwrap_or_default())
}

/// Whether there is such an organization, or was one that has events.
pub fn knows_org(conn: &mut Conn, org: &OrgId) -> Result<bool, DbError> {
    use super::schema::backup_events as events;
    Ok(super::organizations::exists(conn, org)?
        || diesel::select(diesel::dsl::exists(events::table.filter(events::org_id.eq(org.as_str()))))
            .get_result(conn)?)
}
