//! The tree of organizations (`organizations.parent_id`).

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::super::schema::{organizations, service_defaults};
use super::super::{Conn, DbError};
use super::{OrgRefusal, and_above};
use crate::domain::author::Author;
use crate::domain::ids::OrgId;
use crate::domain::org_tree::{Misplaced, check_parent};
use crate::domain::organization::Parent;

/// Locks the tree until the transaction ends: two changes at the same time, each permitted by itself, could make a circle.
///
/// The lock is that of the only row of `service_defaults`. An advisory lock would do, too, but not every role that the service
/// may run as is allowed to take one (`deploy/postgres/support.sql`).
pub(super) fn lock(conn: &mut Conn) -> Result<(), DbError> {
    service_defaults::table.select(service_defaults::only_row).for_no_key_update().first::<bool>(conn)?;
    Ok(())
}

/// Checks whether an organization may be below its new parent, with all that is below it. The tree has to be locked.
pub(super) fn check(
    conn: &mut Conn,
    org: &str,
    parent: &Parent,
    author: &Author,
) -> Result<Result<(), OrgRefusal>, DbError> {
    let height = usize::try_from(height(conn, org)?).unwrap_or(usize::MAX);
    check_height(conn, (org, height), parent, author)
}

/// Checks whether a new organization may be below its parent. What is below an organization that has this id already does not
/// matter: its author may not see it.
pub(super) fn check_new(
    conn: &mut Conn,
    org: &str,
    parent: &Parent,
    author: &Author,
) -> Result<Result<(), OrgRefusal>, DbError> {
    let checked = check_height(conn, (org, 1), parent, author)?;
    // Only one that exists is above another one.
    Ok(checked.map_err(|refusal| match refusal {
        OrgRefusal::Misplaced(Misplaced::Circle) => OrgRefusal::Exists,
        refusal => refusal,
    }))
}

fn check_height(
    conn: &mut Conn,
    (org, height): (&str, usize),
    parent: &Parent,
    author: &Author,
) -> Result<Result<(), OrgRefusal>, DbError> {
    let Parent::Below(parent) = parent else { return Ok(Ok(())) };
    let above = and_above(conn, parent.as_str())?;
    if above.is_empty() || !author.sees_any_of(&above) {
        return Ok(Err(OrgRefusal::ParentNotFound));
    }
    Ok(check_parent(org, height, &above).map_err(OrgRefusal::Misplaced))
}

/// Returns the number of levels of an organization's own tree, which is 1 if nothing is below it, or if there is no such
/// organization yet.
fn height(conn: &mut Conn, org: &str) -> Result<i64, DbError> {
    #[derive(QueryableByName)]
    struct Height {
        #[diesel(sql_type = BigInt)]
        height: i64,
    }
    // The limit ends the search even if somebody has made a circle.
    let sql = "WITH RECURSIVE tree (id, level) AS ( \
             SELECT $1, 1::bigint \
             UNION ALL SELECT o.id, tree.level + 1 FROM tree JOIN organizations o ON o.parent_id = tree.id WHERE tree.level < 64 \
         ) SELECT max(level) AS height FROM tree";
    let found: Height = diesel::sql_query(sql).bind::<Text, _>(org).get_result(conn)?;
    Ok(found.height)
}

/// Returns the number of organizations directly below this one.
pub fn count_children(conn: &mut Conn, org: &OrgId) -> Result<i64, DbError> {
    Ok(organizations::table.filter(organizations::parent_id.eq(org.as_str())).count().get_result(conn)?)
}
