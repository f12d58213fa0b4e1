//! Which organizations a request is about: the tree of the caller, or a part of it.

use diesel::prelude::*;
use diesel::sql_types::{Array, Text};

use super::super::{Conn, DbError};
use crate::domain::author::Author;
use crate::domain::caller::{Caller, VisibleOrgs};
use crate::domain::ids::OrgId;

/// Returns the organizations that the caller may see: all, or with `within` that one and all below it. `None`: there is no such
/// organization for the caller.
pub fn visible(
    conn: &mut Conn,
    caller: &Caller,
    within: Option<&OrgId>,
) -> Result<Option<VisibleOrgs>, DbError> {
    if let Some(within) = within
        && !is_visible(conn, caller, within)?
    {
        return Ok(None);
    }
    let Some(top) = within.or(caller.tree()) else { return Ok(Some(VisibleOrgs::All)) };
    Ok(Some(VisibleOrgs::Of(and_below(conn, top)?)))
}

/// Whether there is such an organization and the caller sees it.
pub fn is_visible(conn: &mut Conn, caller: &Caller, org: &OrgId) -> Result<bool, DbError> {
    let above = and_above(conn, org.as_str())?;
    Ok(!above.is_empty() && caller.sees_any_of(&above))
}

/// Returns the ids of an organization and of all above it, in this order; none if there is no such organization.
pub fn and_above(conn: &mut Conn, org: &str) -> Result<Vec<String>, DbError> {
    let ids = diesel::dsl::sql::<Array<Text>>("org_and_above(").bind::<Text, _>(org).sql(")");
    Ok(diesel::select(ids).get_result(conn)?)
}

/// Returns the ids of an organization and of all below it; none if there is no such organization.
pub fn and_below(conn: &mut Conn, top: &OrgId) -> Result<Vec<String>, DbError> {
    let ids = diesel::dsl::sql::<Array<Text>>("array(SELECT org_and_below(").bind::<Text, _>(top.as_str());
    Ok(diesel::select(ids.sql("))")).get_result(conn)?)
}

/// Whether the author sees the organization, which then keeps its place in the tree until the transaction ends.
pub fn is_visible_to(conn: &mut Conn, author: &Author, org: &str) -> Result<bool, DbError> {
    // What is above it is read after the lock: it may have been moved while this waited.
    let keep = diesel::sql_query("SELECT FROM organizations WHERE id = $1 FOR SHARE");
    keep.bind::<Text, _>(org).execute(conn)?;
    let above = and_above(conn, org)?;
    Ok(!above.is_empty() && author.sees_any_of(&above))
}
