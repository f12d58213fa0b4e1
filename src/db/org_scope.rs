//! Which organizations a request is about: a tree, as far as the caller may see it.

use diesel::prelude::*;
use diesel::sql_types::{Array, Text};

use super::{Conn, DbError};
use crate::domain::caller::{Caller, VisibleOrgs};
use crate::domain::ids::OrgId;

#[derive(QueryableByName)]
struct Ids {
    #[diesel(sql_type = Array<Text>)]
    ids: Vec<String>,
}

/// Returns the organizations that the caller may see: all, or those of the tree below `within` (with it). `None`: there is no
/// such organization for the caller.
pub fn visible(
    conn: &mut Conn,
    caller: &Caller,
    within: Option<&OrgId>,
) -> Result<Option<VisibleOrgs>, DbError> {
    if let Some(within) = within
        && !caller.sees_any_of(&above(conn, within)?)
    {
        return Ok(None);
    }
    let Some(top) = within.or(caller.tree()) else { return Ok(Some(VisibleOrgs::All)) };
    let below = below(conn, top)?;
    Ok(if below.is_empty() && within.is_some() { None } else { Some(VisibleOrgs::Of(below)) })
}

/// Returns an organization and all above it; none if it does not exist.
pub fn above(conn: &mut Conn, org: &OrgId) -> Result<Vec<String>, DbError> {
    ids(conn, "SELECT org_and_above($1) AS ids", org)
}

/// Returns an organization and all below it; none if it does not exist.
pub fn below(conn: &mut Conn, org: &OrgId) -> Result<Vec<String>, DbError> {
    ids(conn, "SELECT ARRAY(SELECT org_and_below($1)) AS ids", org)
}

fn ids(conn: &mut Conn, sql: &str, org: &OrgId) -> Result<Vec<String>, DbError> {
    let found: Ids = diesel::sql_query(sql).bind::<Text, _>(org.as_str()).get_result(conn)?;
    Ok(found.ids)
}
