//! Replaces the secret of a system.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use serde_json::json;
use uuid::Uuid;

use super::super::events::{self, Event};
use super::super::{Conn, DbError, organizations};
use crate::domain::author::Author;
use crate::domain::event_kind::EventKind;

/// The result of [`rotate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotated {
    Done {
        /// Until when the secret before is valid; `None`: it has ended.
        previous_until: Option<DateTime<Utc>>,
    },
    /// There is no such system in the organization, or the author does not see the organization.
    NotFound,
    /// It gets no new secret any more.
    BeingDestroyed,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Nullable<Timestamptz>)]
    previous_until: Option<DateTime<Utc>>,
    #[diesel(sql_type = Bool)]
    is_destroyed: bool,
}

/// Replaces the hash of the secret of a system of this organization.
///
/// The secret before is valid for `overlap_seconds` more; with 0 it stops working within a second, in every process. The one
/// before that ends in either case.
pub fn rotate(
    conn: &mut Conn,
    id: Uuid,
    org: &str,
    sha256: [u8; 32],
    overlap_seconds: u32,
    author: &Author,
) -> Result<Rotated, DbError> {
    conn.transaction(|conn| {
        if !organizations::is_visible_to(conn, author, org)? {
            return Ok(Rotated::NotFound);
        }
        let row: Option<Row> = diesel::sql_query(
            "UPDATE systems SET secret_sha256 = $3, \
                 previous_secret_sha256 = CASE WHEN $4 > 0 THEN secret_sha256 END, \
                 previous_secret_until = CASE WHEN $4 > 0 THEN clock_timestamp() + make_interval(secs => $4) END \
             WHERE id = $1 AND org_id = $2 AND secret_sha256 <> $3 AND state <> 'destroying' \
             RETURNING previous_secret_until AS previous_until, false AS is_destroyed",
        )
        .bind::<SqlUuid, _>(id)
        .bind::<Text, _>(org)
        .bind::<Binary, _>(&sha256[..])
        .bind::<BigInt, _>(i64::from(overlap_seconds))
        .get_result(conn)
        .optional()?;
        let Some(Row { previous_until, .. }) = row else {
            // If the outcome of this change was unknown, and it had taken place, the old secret is the previous one already.
            let done = diesel::sql_query(
                "SELECT previous_secret_until AS previous_until, secret_sha256 <> $3 AS is_destroyed FROM systems \
                 WHERE id = $1 AND org_id = $2 AND (secret_sha256 = $3 OR state = 'destroying')",
            );
            let done = done.bind::<SqlUuid, _>(id).bind::<Text, _>(org).bind::<Binary, _>(&sha256[..]);
            return Ok(match done.get_result(conn).optional()? {
                None => Rotated::NotFound,
                Some(Row { is_destroyed: true, .. }) => Rotated::BeingDestroyed,
                Some(Row { previous_until, .. }) => Rotated::Done { previous_until },
            });
        };
        let detail = if overlap_seconds == 0 { json!({}) } else { json!({ "overlap_seconds": overlap_seconds }) };
        events::write(conn, &[Event::by(author, EventKind::SecretRotated, org, Some(id), detail)])?;
        Ok(Rotated::Done { previous_until })
    })
}
