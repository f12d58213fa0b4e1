//! Changes of one system: its name, its periods, whether it is suspended.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Uuid as SqlUuid};
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::events::{self, Event};
use super::super::{Conn, DbError, organizations};
use crate::domain::author::Author;
use crate::domain::event_kind::EventKind;
use crate::domain::row_state::SystemState;

/// What is changed of a system. `None`: nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SystemChange {
    pub name: Option<String>,
    /// The periods in seconds; the inner `None`: inherited.
    pub backup_period_seconds: Option<Option<i64>>,
    pub contact_period_seconds: Option<Option<i64>>,
    pub suspended: Option<bool>,
}

/// The result of [`change`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    Done,
    /// There is no such system in the organization, or the author does not see the organization.
    NotFound,
    /// It can't be changed any more.
    BeingDestroyed,
}

#[derive(QueryableByName)]
struct Before {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    state: SystemState,
    #[diesel(sql_type = Nullable<BigInt>)]
    backup_period: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    contact_period: Option<i64>,
}

/// Changes a system of this organization: all of the changes, or none. What already is as it should be is no change, and no
/// event.
pub fn change(
    conn: &mut Conn,
    id: Uuid,
    org: &str,
    change: &SystemChange,
    author: &Author,
) -> Result<Changed, DbError> {
    conn.transaction(|conn| {
        // The organization first, as its own changes lock it, and then its systems.
        if !organizations::is_visible_to(conn, author, org)? {
            return Ok(Changed::NotFound);
        }
        let before: Option<Before> = diesel::sql_query(
            "SELECT name, state, extract(epoch FROM backup_period)::bigint AS backup_period, \
                 extract(epoch FROM contact_period)::bigint AS contact_period \
             FROM systems WHERE id = $1 AND org_id = $2 FOR NO KEY UPDATE",
        )
        .bind::<SqlUuid, _>(id)
        .bind::<Text, _>(org)
        .get_result(conn)
        .optional()?;
        let Some(before) = before else { return Ok(Changed::NotFound) };
        if before.state == SystemState::Destroying {
            return Ok(Changed::BeingDestroyed);
        }
        let mut events = Vec::new();
        let mut event = |kind, detail| events.push(Event::by(author, kind, org, Some(id), detail));
        if let Some(name) = change.name.as_ref().filter(|name| **name != before.name) {
            let renamed = diesel::sql_query("UPDATE systems SET name = $2 WHERE id = $1");
            renamed.bind::<SqlUuid, _>(id).bind::<Text, _>(name).execute(conn)?;
            event(EventKind::SystemRenamed, json!({ "old": before.name, "new": name }));
        }
        if let Some(periods) = set_periods(conn, id, change, &before)? {
            event(EventKind::PeriodSet, periods);
        }
        let suspended = before.state == SystemState::Suspended;
        if let Some(suspend) = change.suspended.filter(|suspend| *suspend != suspended) {
            set_suspended(conn, id, suspend, author)?;
            event(if suspend { EventKind::Suspended } else { EventKind::Resumed }, json!({}));
        }
        events::write(conn, &events)?;
        Ok(Changed::Done)
    })
}

/// Sets the periods that change, and returns the details of the event; `None`: none changes.
fn set_periods(
    conn: &mut Conn,
    id: Uuid,
    change: &SystemChange,
    before: &Before,
) -> Result<Option<Value>, DbError> {
    let backup = change.backup_period_seconds.filter(|new| *new != before.backup_period);
    let contact = change.contact_period_seconds.filter(|new| *new != before.contact_period);
    if backup.is_none() && contact.is_none() {
        return Ok(None);
    }
    diesel::sql_query(
        "UPDATE systems SET backup_period = make_interval(secs => $2), contact_period = make_interval(secs => $3) \
         WHERE id = $1",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<Nullable<BigInt>, _>(backup.unwrap_or(before.backup_period))
    .bind::<Nullable<BigInt>, _>(contact.unwrap_or(before.contact_period))
    .execute(conn)?;
    let mut detail = json!({});
    if let Some(new) = backup {
        detail["backup"] = json!({ "old": before.backup_period, "new": new });
    }
    if let Some(new) = contact {
        detail["contact"] = json!({ "old": before.contact_period, "new": new });
    }
    Ok(Some(detail))
}

/// Suspends or resumes the system. Links from before a suspension stay invalid when it is resumed.
fn set_suspended(conn: &mut Conn, id: Uuid, suspend: bool, author: &Author) -> Result<(), DbError> {
    let sql = if suspend {
        "UPDATE systems SET state = 'suspended', state_since = clock_timestamp(), state_by = $2, \
             suspended_at = clock_timestamp() WHERE id = $1"
    } else {
        "UPDATE systems SET state = 'active', state_since = clock_timestamp(), state_by = $2 WHERE id = $1"
    };
    diesel::sql_query(sql).bind::<SqlUuid, _>(id).bind::<Text, _>(author.name()).execute(conn)?;
    Ok(())
}
