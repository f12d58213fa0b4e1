//! Which organizations a use case is about.

use crate::db::{Conn, DbError, organizations};
use crate::domain::caller::{Caller, VisibleOrgs};
use crate::domain::ids::OrgId;

/// Returns the organizations that the caller may see: all, or with `within` that one and all below it. `None`: there is no such
/// organization for the caller.
pub(super) fn organizations_within(
    conn: &mut Conn,
    caller: &Caller,
    within: Option<&OrgId>,
) -> Result<Option<VisibleOrgs>, DbError> {
    let Some(within) = within else { return organizations::visible(conn, caller).map(Some) };
    if !organizations::is_visible(conn, caller, within)? {
        return Ok(None);
    }
    Ok(Some(VisibleOrgs::Of(organizations::and_below(conn, within)?)))
}
