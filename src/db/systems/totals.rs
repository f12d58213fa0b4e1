//! Counts of systems by status.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text};

use super::super::{Conn, DbError};
use super::summary::FROM;
use crate::domain::caller::VisibleOrgs;
use crate::domain::refusal::RefusalReason;
use crate::domain::status::SystemStatus;

/// The systems that have the same status, and the same reason if they are `refused`.
#[derive(Debug, Clone, QueryableByName)]
pub struct StatusCount {
    #[diesel(sql_type = Text)]
    pub status: SystemStatus,
    #[diesel(sql_type = Nullable<Text>)]
    pub refused_reason: Option<RefusalReason>,
    #[diesel(sql_type = BigInt)]
    pub systems: i64,
    /// Their stored backups.
    #[diesel(sql_type = BigInt)]
    pub backups_kept: i64,
    /// The sum of their sizes in bytes.
    #[diesel(sql_type = BigInt)]
    pub bytes_kept: i64,
}

/// Counts the systems of these organizations by their status at this moment. Reads each system's row once.
pub fn count_by_status(conn: &mut Conn, orgs: &VisibleOrgs) -> Result<Vec<StatusCount>, DbError> {
    let none: &[String] = &[];
    let each = format!("SELECT now.status, s.refused_reason, s.backups_kept, s.bytes_kept FROM {FROM}");
    let (each, orgs) = match orgs {
        VisibleOrgs::All => (format!("({each}) AS each"), none),
        // Each organization by its index, however many others there are.
        VisibleOrgs::Of(ids) => (
            format!(
                "unnest($1) AS org (id) CROSS JOIN LATERAL ({each} WHERE s.org_id = org.id OFFSET 0) AS each"
            ),
            ids.as_slice(),
        ),
    };
    let sql = format!(
        "SELECT status, CASE status WHEN 'refused' THEN refused_reason END AS refused_reason, count(*) AS systems, \
             sum(backups_kept)::bigint AS backups_kept, sum(bytes_kept)::bigint AS bytes_kept \
         FROM {each} GROUP BY 1, 2"
    );
    Ok(diesel::sql_query(sql).bind::<Array<Text>, _>(orgs).load(conn)?)
}
