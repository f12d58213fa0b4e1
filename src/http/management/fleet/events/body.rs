//! An event in JSON.

use chrono::DateTime;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::cursor;
use crate::fleet::{EventPage, EventRow};
use crate::http::envelope;
use crate::http::openapi::examples::example_id;

/// Events, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Events {
    /// The events of this page.
    events: Vec<EventBody>,
    /// The `cursor` of the next page; null: this is the last one.
    #[schema(required = true, example = "AQAGT0AGJz0AAAAAAABMS0E")]
    next_cursor: Option<String>,
}

/// What has happened. The names are those of the system now, or when it was destroyed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventBody {
    /// Each event has its own number. Newer events usually have higher ones.
    #[schema(minimum = 1, example = 5_000_001)]
    id: i64,
    /// When it happened: RFC 3339, UTC.
    #[schema(format = DateTime, example = "2026-04-12T09:31:00Z")]
    at: String,
    /// What has happened: `uploaded`, `refused`, `failed`, `downloaded`, `deleted`, `pruned`, and others. Newer versions may add
    /// kinds.
    #[schema(example = "uploaded")]
    kind: String,
    /// The organization, as it was then.
    #[schema(example = "acme-north")]
    org_id: String,
    /// The system, if it was about one.
    #[schema(required = true, value_type = Option<String>, format = "uuid", example = "018f3a5c-7b1e-7c3d-9a2b-0123456789ab")]
    system_id: Option<Uuid>,
    /// The system's user name.
    #[schema(required = true, example = "fw-branch-07")]
    system_key: Option<String>,
    /// The system's name.
    #[schema(required = true, example = "Branch 7")]
    system_name: Option<String>,
    /// The UUID of the backup, if it was about one.
    #[schema(required = true, value_type = Option<String>, format = "uuid", example = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8")]
    backup_id: Option<Uuid>,
    /// By whom: `system` (the appliance), `operator` (command line), `link`, `client` (not authenticated), `service`, or the
    /// `sub` of a token.
    #[schema(example = "system")]
    actor: String,
    /// From which address, if it came over the network.
    #[schema(required = true, example = "192.0.2.7")]
    remote_addr: Option<String>,
    detail: EventDetail,
}

/// Facts of a kind of event, such as a reason, a file name or a size in bytes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(value_type = Object, example = json!({ "size": 82_944, "encrypted": true }))]
pub struct EventDetail(Value);

impl From<EventPage> for Events {
    fn from(page: EventPage) -> Self {
        Self {
            events: page.events.into_iter().map(EventBody::from).collect(),
            next_cursor: page.next.map(cursor::encode),
        }
    }
}

impl From<EventRow> for EventBody {
    fn from(row: EventRow) -> Self {
        Self {
            id: row.id,
            at: envelope::timestamp(row.at),
            kind: row.kind,
            org_id: row.org_id,
            system_id: row.system_id,
            system_key: row.system_key,
            system_name: row.system_name,
            backup_id: row.backup_id,
            actor: row.actor,
            remote_addr: row.remote_addr,
            detail: EventDetail(row.detail),
        }
    }
}

impl Events {
    /// An example for the documentation.
    pub fn example() -> Self {
        let event = EventBody {
            id: 5_000_001,
            at: envelope::timestamp(DateTime::from_timestamp(1_775_986_260, 0).unwrap_or_default()),
            kind: "uploaded".to_owned(),
            org_id: "acme-north".to_owned(),
            system_id: Uuid::try_parse("018f3a5c-7b1e-7c3d-9a2b-0123456789ab").ok(),
            system_key: Some("fw-branch-07".to_owned()),
            system_name: Some("Branch 7".to_owned()),
            backup_id: Some(example_id().uuid()),
            actor: "system".to_owned(),
            remote_addr: Some("192.0.2.7".to_owned()),
            detail: EventDetail(json!({ "size": 82_944, "encrypted": true })),
        };
        Self { events: vec![event], next_cursor: None }
    }
}
