//! `service_defaults`: what the support views need to know of the service's settings.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::schema::service_defaults;
use super::{Conn, DbError, to_bigint};

/// Writes the default quota that this process was started with; `None`: unlimited.
pub fn set_default_quota(conn: &mut Conn, quota: Option<u64>) -> Result<(), DbError> {
    let bytes = to_bigint(quota.unwrap_or(0));
    diesel::update(service_defaults::table)
        .filter(service_defaults::org_quota_bytes.ne(bytes))
        .set(service_defaults::org_quota_bytes.eq(bytes))
        .execute(conn)?;
    Ok(())
}

/// The default quota as the service was last started with; `None`: unlimited.
pub fn default_quota(conn: &mut Conn) -> Result<Option<u64>, DbError> {
    let bytes: i64 = service_defaults::table.select(service_defaults::org_quota_bytes).first(conn)?;
    Ok(u64::try_from(bytes).ok().filter(|&bytes| bytes > 0))
}

/// Whether this session could write: for health. One that only reads (a standby's, or by
/// `default_transaction_read_only`) is `Unavailable`, as it is for whoever tries to write in it: so it is thrown
/// away, and what comes next is asked of a new one.
pub fn can_write(conn: &mut Conn) -> Result<(), DbError> {
    // Also on in recovery, whatever was set.
    let read_only = sql::<Bool>("current_setting('transaction_read_only')::boolean");
    if diesel::select(read_only).get_result(conn)? {
        return Err(DbError::Unavailable("it only reads".to_owned()));
    }
    Ok(())
}
