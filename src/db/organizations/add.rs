//! Adds an organization.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use serde_json::json;

use super::super::events::{self, Event};
use super::super::schema::org_usage;
use super::super::{Conn, DbError};
use super::{OrgRefusal, exists, in_history, seconds, to_column, tree};
use crate::domain::author::Author;
use crate::domain::event_kind::EventKind;
use crate::domain::organization::{NewOrg, Parent, may_add};

/// Adds an organization with totals of 0.
pub fn add(conn: &mut Conn, new: &NewOrg, author: &Author) -> Result<Result<(), OrgRefusal>, DbError> {
    if !may_add(author, new) {
        return Ok(Err(OrgRefusal::NotPermitted));
    }
    let added = conn.transaction(|conn| {
        let (mut detail, parent) = (json!({ "name": new.name, "quota": in_history(new.quota) }), &new.parent);
        if let Parent::Below(parent) = parent {
            tree::lock(conn)?;
            detail["parent"] = json!(parent);
        }
        if exists(conn, &new.id)? {
            return Ok(Err(OrgRefusal::Exists));
        }
        if let Err(refusal) = tree::check(conn, new.id.as_str(), parent, author)? {
            return Ok(Err(refusal));
        }
        insert(conn, new)?;
        diesel::insert_into(org_usage::table).values(org_usage::org_id.eq(new.id.as_str())).execute(conn)?;
        events::write(conn, &[Event::by(author, EventKind::OrgAdded, new.id.as_str(), None, detail)])?;
        Ok(Ok(()))
    });
    match added {
        // It was added a moment ago.
        Err(DbError::Exists) => Ok(Err(OrgRefusal::Exists)),
        added => added,
    }
}

fn insert(conn: &mut Conn, new: &NewOrg) -> Result<(), DbError> {
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
    .bind::<Nullable<BigInt>, _>(to_column(new.quota))
    .bind::<Nullable<BigInt>, _>(seconds(new.backup_period))
    .bind::<Nullable<BigInt>, _>(seconds(new.contact_period))
    .execute(conn)?;
    Ok(())
}
