//! The table `service_defaults`: the settings of the service that the support views need.

use diesel::prelude::*;

use super::schema::service_defaults;
use super::{Conn, DbError, to_bigint};

/// Writes the default quota of this process; `None`: unlimited.
pub fn set_default_quota(conn: &mut Conn, quota: Option<u64>) -> Result<(), DbError> {
    let bytes = to_bigint(quota.unwrap_or(0));
    diesel::update(service_defaults::table)
        .filter(service_defaults::org_quota_bytes.ne(bytes))
        .set(service_defaults::org_quota_bytes.eq(bytes))
        .execute(conn)?;
    Ok(())
}

/// Returns the default quota of the process that was started last; `None`: unlimited.
pub fn default_quota(conn: &mut Conn) -> Result<Option<u64>, DbError> {
    let bytes: i64 = service_defaults::table.select(service_defaults::org_quota_bytes).first(conn)?;
    Ok(u64::try_from(bytes).ok().filter(|&bytes| bytes > 0))
}
