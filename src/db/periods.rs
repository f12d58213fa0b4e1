//! The backup period that systems inherit from the service (`BACKUP_PERIOD`). The periods of systems and organizations take
//! effect by triggers (`systems.backup_period_in_force`); the default of the service is passed on here, because it may concern
//! every system: one organization at a time, so that uploads do not wait.

use std::time::Duration;

use diesel::dsl::sql;
use diesel::pg::data_types::PgInterval;
use diesel::prelude::*;
use diesel::sql_types::Bool;
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

/// Lets some systems of the organization that inherit the default look it up again. Returns how many.
fn pass_on(conn: &mut Conn, org: &str) -> Result<usize, DbError> {
    conn.transaction(|conn| {
        organizations::lock(conn, org)?;
        let inheriting = systems::org_id.eq(org).and(systems::backup_period.is_null());
        let is_old = sql::<Bool>(
            "backup_period_in_force <> coalesce((SELECT o.backup_period FROM organizations o WHERE o.id = org_id), \
                 (SELECT d.backup_period FROM service_defaults d))",
        );
        let ids: Vec<Uuid> = systems::table
            .filter(inheriting.and(is_old))
            .select(systems::id)
            .order(systems::id)
            .limit(i64::try_from(STEP).unwrap_or(i64::MAX))
            .for_no_key_update()
            .load(conn)?;
        // The trigger looks it up.
        diesel::update(systems::table.filter(systems::id.eq_any(&ids)))
            .set(systems::backup_period.eq(systems::backup_period))
            .execute(conn)?;
        Ok(ids.len())
    })
}
