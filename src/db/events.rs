//! The table `backup_events`: the history of systems and backups, for support.

use std::net::IpAddr;

use diesel::prelude::*;
use diesel::sql_types::{Array, Inet, Jsonb, Nullable, Text, Uuid as SqlUuid};
use ipnet::IpNet;
use serde_json::Value;
use uuid::Uuid;

use super::prepared::{column, prepared};
use super::{Conn, DbError};
use crate::domain::author::Author;
use crate::domain::event_kind::EventKind;

/// One entry of the history. It is written in the transaction that makes the change it describes.
#[derive(Debug, Clone)]
pub struct Event {
    pub kind: EventKind,
    pub org_id: String,
    pub system_id: Option<Uuid>,
    pub backup_id: Option<Uuid>,
    /// `system`, `operator`, `service`, or the subject of a token.
    pub actor: String,
    pub remote_addr: Option<IpAddr>,
    pub detail: Value,
}

impl Event {
    /// Returns the event of what somebody did to an organization, or to one of its systems.
    pub fn by(author: &Author, kind: EventKind, org: &str, system: Option<Uuid>, detail: Value) -> Self {
        Self {
            actor: author.name().to_owned(),
            remote_addr: author.remote_addr(),
            ..Self::by_operator(kind, org, system, detail)
        }
    }

    /// Returns the event of what an operator did at the command line to an organization, or to one of its systems.
    pub fn by_operator(kind: EventKind, org: &str, system: Option<Uuid>, detail: Value) -> Self {
        Self {
            kind,
            org_id: org.to_owned(),
            system_id: system,
            backup_id: None,
            actor: "operator".to_owned(),
            remote_addr: None,
            detail,
        }
    }
}

/// Writes the events in this order.
pub fn write(conn: &mut Conn, events: &[Event]) -> Result<(), DbError> {
    if events.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO backup_events (kind, org_id, system_id, backup_id, actor, remote_addr, detail) \
         SELECT kind, org_id, system_id, backup_id, actor, remote_addr, detail FROM unnest($*) WITH ORDINALITY \
             AS new (kind, org_id, system_id, backup_id, actor, remote_addr, detail, place) \
         ORDER BY place";
    let columns = (
        column(events, |event| event.kind.as_str()).into_sql::<Array<Text>>(),
        column(events, |event| event.org_id.as_str()).into_sql::<Array<Text>>(),
        column(events, |event| event.system_id).into_sql::<Array<Nullable<SqlUuid>>>(),
        column(events, |event| event.backup_id).into_sql::<Array<Nullable<SqlUuid>>>(),
        column(events, |event| event.actor.as_str()).into_sql::<Array<Text>>(),
        column(events, |event| event.remote_addr.map(IpNet::from)).into_sql::<Array<Nullable<Inet>>>(),
        column(events, |event| &event.detail).into_sql::<Array<Jsonb>>(),
    );
    prepared(sql, columns).execute(conn)?;
    Ok(())
}
