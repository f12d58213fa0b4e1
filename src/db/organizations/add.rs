//! Adds an organization.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use serde_json::json;

use super::super::events::{self, Event};
use super::super::schema::org_usage;
use super::super::{Conn, DbError};
use super::{OrgRefusal, exists, in_history, own_quota, seconds, to_column, tree};
use crate::domain::author::Author;
use crate::domain::event_kind::EventKind;
use crate::domain::ids::OrgId;
use crate::domain::organization::{NewOrg, Parent, Quota, may_add, quota_to_add};

/// Adds an organization with totals of 0.
pub fn add(conn: &mut Conn, new: &NewOrg, author: &Author) -> Result<Result<(), OrgRefusal>, DbError> {
    if !may_add(author, new) {
        return Ok(Err(OrgRefusal::NotPermitted));
    }
    let added = conn.transaction(|conn| {
        let parent = &new.parent;
        if *parent != Parent::Top {
            tree::lock(conn)?;
        }
        if let Err(refusal) = tree::check_new(conn, new.id.as_str(), parent, author)? {
            return Ok(Err(refusal));
        }
        let Some(quota) =
            own_quota(conn, author)?.map_or(Some(new.quota), |own| quota_to_add(own, new.quota))
        else {
            return Ok(Err(OrgRefusal::NotPermitted));
        };
        // This comes last, so that nobody can ask whether an id is taken without adding the organization if it is not.
        // Whoever gets an id gets its history: only an administrator may give one to somebody again.
        if exists(conn, &new.id)? || !author.is_unrestricted() && was_used(conn, &new.id)? {
            return Ok(Err(OrgRefusal::Exists));
        }
        insert(conn, new, quota)?;
        diesel::insert_into(org_usage::table).values(org_usage::org_id.eq(new.id.as_str())).execute(conn)?;
        let mut detail = json!({ "name": new.name, "quota": in_history(quota) });
        if let Parent::Below(parent) = parent {
            detail["parent"] = json!(parent);
        }
        events::write(conn, &[Event::by(author, EventKind::OrgAdded, new.id.as_str(), None, detail)])?;
        Ok(Ok(()))
    });
    match added {
        // It was added a moment ago.
        Err(DbError::Exists) => Ok(Err(OrgRefusal::Exists)),
        added => added,
    }
}

/// Whether an organization with this id was deleted, of which something is known.
fn was_used(conn: &mut Conn, id: &OrgId) -> Result<bool, DbError> {
    let sql = "EXISTS (SELECT FROM backup_events WHERE org_id = $1) OR EXISTS (SELECT FROM usage_days WHERE org_id = $1) \
         OR EXISTS (SELECT FROM destroyed_systems WHERE org_id = $1)";
    let known: Known = diesel::sql_query(format!("SELECT {sql} AS is_known"))
        .bind::<Text, _>(id.as_str())
        .get_result(conn)?;
    Ok(known.is_known)
}

#[derive(QueryableByName)]
struct Known {
    #[diesel(sql_type = Bool)]
    is_known: bool,
}

fn insert(conn: &mut Conn, new: &NewOrg, quota: Quota) -> Result<(), DbError> {
    let parent = match &new.parent {
        Parent::Top => None,
        Parent::Below(parent) => Some(parent.as_str()),
    };
    diesel::sql_query(
        "INSERT INTO organizations (id, name, parent_id, quota_bytes, backup_period, contact_period) \
         VALUES ($1, $2, $3, $4, make_interval(secs => $5), make_interval(secs => $6))",
    )
    .bind::<Text, _>(new.id.as_str())
    .bind::<Text, _>(&new.name)
    .bind::<Nullable<Text>, _>(parent)
    .bind::<Nullable<BigInt>, _>(to_column(quota))
    .bind::<Nullable<BigInt>, _>(seconds(new.backup_period))
    .bind::<Nullable<BigInt>, _>(seconds(new.contact_period))
    .execute(conn)?;
    Ok(())
}
