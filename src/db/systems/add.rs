//! Adds a system.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text, Uuid as SqlUuid};
use serde_json::json;
use uuid::Uuid;

use super::super::events::{self, Event};
use super::super::schema::organizations;
use super::super::{Conn, DbError};
use crate::domain::author::Author;
use crate::domain::event_kind::EventKind;
use crate::domain::ids::{OrgId, SystemKey};

/// A new system. Only the hash of its secret is kept.
#[derive(Debug, Clone)]
pub struct NewSystem {
    pub id: Uuid,
    pub key: SystemKey,
    pub org: OrgId,
    pub name: String,
    pub secret_sha256: [u8; 32],
    /// Its own periods in seconds; `None`: inherited.
    pub backup_period_seconds: Option<i64>,
    pub contact_period_seconds: Option<i64>,
}

/// Adds a system; [`DbError::Exists`] if the key is taken, `false` if there is no such organization.
pub fn add(conn: &mut Conn, system: &NewSystem, author: &Author) -> Result<bool, DbError> {
    conn.transaction(|conn| {
        // The lock keeps the organization until the system is added.
        let org: Option<String> = organizations::table
            .find(system.org.as_str())
            .select(organizations::id)
            .for_key_share()
            .first(conn)
            .optional()?;
        if org.is_none() {
            return Ok(false);
        }
        diesel::sql_query(
            "INSERT INTO systems (id, system_key, org_id, name, secret_sha256, backup_period, contact_period) \
             VALUES ($1, $2, $3, $4, $5, make_interval(secs => $6), make_interval(secs => $7))",
        )
        .bind::<SqlUuid, _>(system.id)
        .bind::<Text, _>(system.key.as_str())
        .bind::<Text, _>(system.org.as_str())
        .bind::<Text, _>(&system.name)
        .bind::<Binary, _>(&system.secret_sha256[..])
        .bind::<Nullable<BigInt>, _>(system.backup_period_seconds)
        .bind::<Nullable<BigInt>, _>(system.contact_period_seconds)
        .execute(conn)?;
        let org = system.org.as_str();
        events::write(conn, &[Event::by(author, EventKind::SystemAdded, org, Some(system.id), json!({}))])?;
        Ok(true)
    })
}
