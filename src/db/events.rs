//! `backup_events`: what a person may ask about later.

use std::net::IpAddr;

use diesel::prelude::*;
use ipnet::IpNet;
use serde_json::Value;
use uuid::Uuid;

use super::schema::backup_events;
use super::{Conn, DbError};

/// One line of history, written in the transaction of what it tells of.
#[derive(Debug, Clone)]
pub struct Event {
    pub kind: &'static str,
    pub org_id: String,
    pub system_id: Option<Uuid>,
    pub backup_id: Option<Uuid>,
    /// `system`, `operator`, `service`, or the subject of a token.
    pub actor: String,
    pub remote_addr: Option<IpAddr>,
    pub detail: Value,
}

/// Writes the events in their order.
pub fn write(conn: &mut Conn, events: &[Event]) -> Result<(), DbError> {
    if events.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = events
        .iter()
        .map(|event| {
            (
                backup_events::kind.eq(event.kind),
                backup_events::org_id.eq(&event.org_id),
                backup_events::system_id.eq(event.system_id),
                backup_events::backup_id.eq(event.backup_id),
                backup_events::actor.eq(&event.actor),
                backup_events::remote_addr.eq(event.remote_addr.map(IpNet::from)),
                backup_events::detail.eq(&event.detail),
            )
        })
        .collect();
    diesel::insert_into(backup_events::table).values(rows).execute(conn)?;
    Ok(())
}
