//! Changes an organization: its name, its parent, its quota, its periods.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use serde_json::{Value, json};

use super::super::events::{self, Event};
use super::super::{Conn, DbError};
use super::{OrgRefusal, and_above, from_column, in_history, lock, own_quota, seconds, to_column, tree};
use crate::domain::author::Author;
use crate::domain::event_kind::EventKind;
use crate::domain::ids::OrgId;
use crate::domain::organization::{OrgChange, Parent, may_change, may_give};

/// What can be changed, as the row has it.
#[derive(Clone, PartialEq, Eq, QueryableByName)]
struct State {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Nullable<Text>)]
    parent_id: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    quota_bytes: Option<i64>,
    /// In seconds.
    #[diesel(sql_type = Nullable<BigInt>)]
    backup_period: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    contact_period: Option<i64>,
}

/// Changes an organization: all of the changes, or none. What already is as it should be is no change, and no event.
///
/// Quota and periods are changed under the lock of the totals, so that an admission sees the old quota or the new one.
pub fn change(
    conn: &mut Conn,
    id: &OrgId,
    change: &OrgChange,
    author: &Author,
) -> Result<Result<(), OrgRefusal>, DbError> {
    conn.transaction(|conn| {
        if change.parent.is_some() {
            tree::lock(conn)?;
        }
        // Before any lock of the organization: nobody can delay the uploads of an organization that they do not see.
        let path = and_above(conn, id.as_str())?;
        if path.is_empty() || !author.sees_any_of(&path) {
            return Ok(Err(OrgRefusal::NotFound));
        }
        if !may_change(author, id, change) {
            return Ok(Err(OrgRefusal::NotPermitted));
        }
        if let Some(parent) = &change.parent
            && let Err(refusal) = tree::check(conn, id.as_str(), parent, author)?
        {
            return Ok(Err(refusal));
        }
        if change.quota.is_some() || change.backup_period.is_some() || change.contact_period.is_some() {
            lock(conn, id.as_str())?;
        }
        // It was deleted a moment ago.
        let Some(before) = read(conn, id)? else { return Ok(Err(OrgRefusal::NotFound)) };
        // Or it was moved, while this waited for its row.
        if !author.sees_any_of(&and_above(conn, id.as_str())?) {
            return Ok(Err(OrgRefusal::NotFound));
        }
        let after = before.changed(change);
        if after.quota_bytes != before.quota_bytes
            && let Some(own) = own_quota(conn, author)?
            && !may_give(own, from_column(after.quota_bytes))
        {
            return Ok(Err(OrgRefusal::NotPermitted));
        }
        if after != before {
            write(conn, id, &after)?;
            events::write(conn, &differences(id, &before, &after, author))?;
        }
        Ok(Ok(()))
    })
}

/// Reads and locks the row.
fn read(conn: &mut Conn, id: &OrgId) -> Result<Option<State>, DbError> {
    let sql = "SELECT name, parent_id, quota_bytes, extract(epoch FROM backup_period)::bigint AS backup_period, \
             extract(epoch FROM contact_period)::bigint AS contact_period \
         FROM organizations WHERE id = $1 FOR NO KEY UPDATE";
    Ok(diesel::sql_query(sql).bind::<Text, _>(id.as_str()).get_result(conn).optional()?)
}

fn write(conn: &mut Conn, id: &OrgId, state: &State) -> Result<(), DbError> {
    diesel::sql_query(
        "UPDATE organizations SET name = $2, parent_id = $3, quota_bytes = $4, backup_period = make_interval(secs => $5), \
             contact_period = make_interval(secs => $6) \
         WHERE id = $1",
    )
    .bind::<Text, _>(id.as_str())
    .bind::<Text, _>(&state.name)
    .bind::<Nullable<Text>, _>(state.parent_id.as_deref())
    .bind::<Nullable<BigInt>, _>(state.quota_bytes)
    .bind::<Nullable<BigInt>, _>(state.backup_period)
    .bind::<Nullable<BigInt>, _>(state.contact_period)
    .execute(conn)?;
    Ok(())
}

impl State {
    fn changed(&self, change: &OrgChange) -> Self {
        let parent_id = match &change.parent {
            None => self.parent_id.clone(),
            Some(Parent::Top) => None,
            Some(Parent::Below(parent)) => Some(parent.to_string()),
        };
        Self {
            name: change.name.clone().unwrap_or_else(|| self.name.clone()),
            parent_id,
            quota_bytes: change.quota.map_or(self.quota_bytes, to_column),
            backup_period: change.backup_period.map_or(self.backup_period, seconds),
            contact_period: change.contact_period.map_or(self.contact_period, seconds),
        }
    }
}

/// Returns an event for each kind of difference.
fn differences(id: &OrgId, before: &State, after: &State, author: &Author) -> Vec<Event> {
    let quota = |state: &State| in_history(from_column(state.quota_bytes));
    let old_and_new = |of: &dyn Fn(&State) -> Value| json!({ "old": of(before), "new": of(after) });
    let mut events = Vec::new();
    let mut event = |kind, detail| events.push(Event::by(author, kind, id.as_str(), None, detail));
    if before.name != after.name {
        event(EventKind::OrgRenamed, old_and_new(&|state| json!(state.name)));
    }
    if before.parent_id != after.parent_id {
        event(EventKind::OrgMoved, old_and_new(&|state| json!(state.parent_id)));
    }
    if before.quota_bytes != after.quota_bytes {
        event(EventKind::QuotaSet, old_and_new(&quota));
    }
    let mut periods = json!({});
    if before.backup_period != after.backup_period {
        periods["backup"] = old_and_new(&|state| json!(state.backup_period));
    }
    if before.contact_period != after.contact_period {
        periods["contact"] = old_and_new(&|state| json!(state.contact_period));
    }
    if periods != json!({}) {
        event(EventKind::PeriodSet, periods);
    }
    events
}
