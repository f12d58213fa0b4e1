//! The periods that systems inherit from the service (`BACKUP_PERIOD`) and from their organizations. The periods of systems, and
//! those of organizations with few of them, take effect by triggers (`systems.backup_period_in_force`). The default of the
//! service, and the periods of large organizations, are passed on here, some systems at a time, so that uploads do not wait.

use std::time::Duration;

use diesel::dsl::sql;
use diesel::pg::data_types::PgInterval;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use uuid::Uuid;

use super::schema::{service_defaults, systems};
use super::{Conn, DbError, organizations};

/// How many systems are changed in one transaction.
const STEP: usize = 1000;

/// Returns a period as an interval of seconds.
pub fn interval(period: Duration) -> PgInterval {
    PgInterval::from_microseconds(i64::try_from(period.as_micros()).unwrap_or(i64::MAX))
}

/// Sets the backup period of the systems that have none of their own and inherit none from their organization.
pub fn set_default(conn: &mut Conn, period: Duration) -> Result<(), DbError> {
    diesel::update(service_defaults::table)
        .filter(service_defaults::backup_period.ne(interval(period)))
        .set(service_defaults::backup_period.eq(interval(period)))
        .execute(conn)?;
    let is_applied: bool =
        service_defaults::table.select(sql::<Bool>("backup_period_applied = backup_period")).first(conn)?;
    if is_applied {
        return Ok(());
    }
    for org in organizations::ids(conn)? {
        while pass_on(conn, &org)? == STEP {}
    }
    // If another process has set another default meanwhile, it passes on its own.
    diesel::update(service_defaults::table)
        .filter(service_defaults::backup_period.eq(interval(period)))
        .set(service_defaults::backup_period_applied.eq(interval(period)))
        .execute(conn)?;
    Ok(())
}

/// Passes on the periods of an organization that were changed, to some of its systems. Returns `false` if no organization has
/// such a change.
pub fn pass_on_pending(conn: &mut Conn) -> Result<bool, DbError> {
    #[derive(QueryableByName)]
    struct Pending {
        #[diesel(sql_type = Text)]
        id: String,
    }
    let sql = "SELECT id FROM organizations WHERE periods_pending ORDER BY id LIMIT 1";
    let Some(Pending { id }) = diesel::sql_query(sql).get_result(conn).optional()? else { return Ok(false) };
    pass_on(conn, &id)?;
    Ok(true)
}

/// Lets some systems of the organization that inherit a period look it up again. Returns how many.
fn pass_on(conn: &mut Conn, org: &str) -> Result<usize, DbError> {
    conn.transaction(|conn| {
        organizations::lock(conn, org)?;
        // A system that is being added, or inherits again, has read the old period: its transaction has locked this row.
        diesel::sql_query("SELECT FROM organizations WHERE id = $1 FOR NO KEY UPDATE")
            .bind::<Text, _>(org)
            .execute(conn)?;
        let is_old = sql::<Bool>(
            "(backup_period IS NULL AND backup_period_in_force <> coalesce( \
                     (SELECT o.backup_period FROM organizations o WHERE o.id = org_id), (SELECT d.backup_period FROM service_defaults d)) \
                 OR contact_period IS NULL AND contact_period_in_force IS DISTINCT FROM \
                     (SELECT o.contact_period FROM organizations o WHERE o.id = org_id))",
        );
        let ids: Vec<Uuid> = systems::table
            .filter(systems::org_id.eq(org).and(is_old))
            .select(systems::id)
            .order(systems::id)
            .limit(i64::try_from(STEP).unwrap_or(i64::MAX))
            .for_no_key_update()
            .load(conn)?;
        // The trigger looks it up.
        diesel::update(systems::table.filter(systems::id.eq_any(&ids)))
            .set(systems::backup_period.eq(systems::backup_period))
            .execute(conn)?;
        if ids.len() < STEP {
            diesel::sql_query("UPDATE organizations SET periods_pending = false WHERE id = $1 AND periods_pending")
                .bind::<Text, _>(org)
                .execute(conn)?;
        }
        Ok(ids.len())
    })
}
