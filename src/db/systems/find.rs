//! Lists systems, and finds the system that an operator means.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Timestamptz, Uuid as SqlUuid};
use serde::Serialize;
use uuid::Uuid;

use super::super::schema::systems;
use super::super::{Conn, DbError, from_bigint};
use crate::domain::ids::OrgId;
use crate::domain::row_state::SystemState;

/// A system with the sums of its stored backups, as the command line shows it.
#[derive(Debug, Clone, Serialize)]
pub struct SystemSummary {
    pub id: Uuid,
    pub system_key: String,
    pub org_id: String,
    pub name: String,
    pub state: SystemState,
    pub created_at: DateTime<Utc>,
    pub backups: i64,
    pub bytes: u64,
    pub last_backup_at: Option<DateTime<Utc>>,
}

type Condition<'a> = Box<dyn BoxableExpression<systems::table, Pg, SqlType = Bool> + 'a>;

/// Returns all systems, or those of one organization.
pub fn list(conn: &mut Conn, org: Option<&OrgId>) -> Result<Vec<SystemSummary>, DbError> {
    select(conn, org, Box::new(sql::<Bool>("true")))
}

/// Returns the systems that `text` may mean, of all organizations or of one. At most one is returned if it is an id or a key,
/// all with this name otherwise. `ORG/NAME` is a name in that organization (or a key).
///
/// An id wins over a key, and a key over a name: what a script has written down does not change its meaning when somebody
/// gives a new system a name.
pub fn find(conn: &mut Conn, org: Option<&OrgId>, text: &str) -> Result<Vec<SystemSummary>, DbError> {
    // No system has the nil id.
    let id = text.parse::<Uuid>().unwrap_or_default();
    let named = systems::id.eq(id).or(systems::system_key.eq(text)).or(systems::name.eq(text));
    let condition: Condition = match text.split_once('/') {
        Some((of_org, rest)) => Box::new(
            named.or(systems::org_id.eq(of_org).and(systems::system_key.eq(rest).or(systems::name.eq(rest)))),
        ),
        None => Box::new(named),
    };
    let mut found = select(conn, org, condition)?;
    let best = found.iter().map(|system| rank(system, id, text)).min();
    found.retain(|system| Some(rank(system, id, text)) == best);
    Ok(found)
}

/// Returns how strongly `text` means the system: the smallest number is the strongest.
fn rank(system: &SystemSummary, id: Uuid, text: &str) -> u8 {
    if system.id == id {
        0
    } else if system.system_key == text {
        1
    } else if text.split_once('/') == Some((&system.org_id, &system.system_key)) {
        2
    } else {
        3
    }
}

fn select(conn: &mut Conn, org: Option<&OrgId>, condition: Condition) -> Result<Vec<SystemSummary>, DbError> {
    let mut query = systems::table
        .filter(condition)
        .select((
            systems::id,
            systems::system_key,
            systems::org_id,
            systems::name,
            systems::state,
            systems::created_at,
        ))
        .order((systems::org_id, systems::name, systems::system_key))
        .into_boxed();
    if let Some(org) = org {
        query = query.filter(systems::org_id.eq(org.as_str()));
    }
    let rows: Vec<(Uuid, String, String, String, SystemState, DateTime<Utc>)> = query.load(conn)?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.0).collect();
    let kept = kept(conn, &ids)?;
    let kept: HashMap<Uuid, Kept> = kept.into_iter().map(|row| (row.system_id, row)).collect();
    let summary = |(id, system_key, org_id, name, state, created_at)| {
        let kept = kept.get(&id);
        SystemSummary {
            id,
            system_key,
            org_id,
            name,
            state,
            created_at,
            backups: kept.map_or(0, |kept| kept.backups),
            bytes: kept.map_or(0, |kept| from_bigint(kept.bytes)),
            last_backup_at: kept.and_then(|kept| kept.last_backup_at),
        }
    };
    Ok(rows.into_iter().map(summary).collect())
}

/// The sums of a system's stored backups.
#[derive(QueryableByName)]
struct Kept {
    #[diesel(sql_type = SqlUuid)]
    system_id: Uuid,
    #[diesel(sql_type = BigInt)]
    backups: i64,
    #[diesel(sql_type = BigInt)]
    bytes: i64,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    last_backup_at: Option<DateTime<Utc>>,
}

fn kept(conn: &mut Conn, ids: &[Uuid]) -> Result<Vec<Kept>, DbError> {
    Ok(diesel::sql_query(
        "SELECT system_id, count(*) AS backups, sum(size_bytes)::bigint AS bytes, \
           max(uploaded_at) AS last_backup_at \
         FROM backups WHERE state = 'stored' AND system_id = ANY($1) GROUP BY system_id",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .load(conn)?)
}
