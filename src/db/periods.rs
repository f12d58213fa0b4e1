//! The backup period that systems inherit from the service (`BACKUP_PERIOD`). The periods of systems and organizations take
//! effect by triggers (`systems.backup_period_in_force`); the default of the service is passed on here, because it may concern
//! every system: one organization at a time, so that uploads do not wait.

use std::time::Duration;

use diesel::dsl::sql;
use diesel::pg::data_types::PgInterval;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::schema::{service_defaults, systems};
use super::{Conn, DbError, organizations};

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
        conn.transaction::<_, DbError, _>(|conn| {
            organizations::lock(conn, &org)?;
            let inheriting = systems::org_id.eq(&org).and(systems::backup_period.is_null());
            let ids: Vec<uuid::Uuid> = systems::table
                .filter(inheriting)
                .select(systems::id)
                .order(systems::id)
                .for_no_key_update()
                .load(conn)?;
            // The trigger looks up the period again.
            diesel::update(systems::table.filter(systems::id.eq_any(ids)))
                .set(systems::backup_period.eq(systems::backup_period))
                .execute(conn)?;
            Ok(())
        })?;
    }
    // If another process has set another default meanwhile, it passes on its own.
    diesel::update(service_defaults::table)
        .filter(service_defaults::backup_period.eq(interval(period)))
        .set(service_defaults::backup_period_applied.eq(interval(period)))
        .execute(conn)?;
    Ok(())
}
