//! Records downloads in the history: who has read which backup, whole or in part, and by what permission.
//!
//! A client that reads a backup in many parts, one after the other or at the same time, is recorded once a minute.

use std::net::IpAddr;

use serde_json::{Value, json};
use uuid::Uuid;

use super::Reader;
use crate::backups::{Backup, READ_TIMEOUT, Vault};
use crate::db::Lane;
use crate::db::events::{self, Event};
use crate::domain::client_network::ClientNetwork;
use crate::domain::event_kind::EventKind;
use crate::domain::range::ByteRange;

/// What is recorded once a minute: a backup, its reader, and the form.
pub type DownloadKey = (Uuid, String, ClientNetwork, Form);

/// In what form a backup is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    Whole,
    Part,
    Text,
}

impl Vault {
    /// Records that a backup is read.
    pub(super) async fn record_download(&self, row: &Backup, reader: &Reader, range: Option<ByteRange>) {
        let (form, detail) = match range {
            None => (Form::Whole, json!({})),
            Some(ByteRange { first, last }) => (Form::Part, json!({ "first": first, "last": last })),
        };
        self.record_unless_repeated(row, reader, form, detail).await;
    }

    /// Records that a backup is shown as text.
    pub(super) async fn record_text(&self, row: &Backup, reader: &Reader) {
        self.record_unless_repeated(row, reader, Form::Text, json!({ "as": "text" })).await;
    }

    /// Records that a download link was made.
    pub(in crate::backups) async fn record_link(&self, row: &Backup, reader: &Reader) {
        self.record(row, reader, json!({ "by": "address" })).await;
    }

    async fn record_unless_repeated(&self, row: &Backup, reader: &Reader, form: Form, detail: Value) {
        let (actor, remote_addr) = describe(reader);
        let key = (row.id.uuid(), actor.to_owned(), ClientNetwork::of(remote_addr), form);
        if self.recorded_downloads.permits(key.clone()) && !self.record(row, reader, detail).await {
            self.recorded_downloads.forget(&key);
        }
    }

    /// Writes an event; `false` if that fails. The download continues all the same: a restore must not depend on it.
    async fn record(&self, row: &Backup, reader: &Reader, mut detail: Value) -> bool {
        let (actor, remote_addr) = describe(reader);
        match reader {
            Reader::System { .. } => {}
            Reader::Caller { .. } => detail["with"] = json!("token"),
            Reader::Link { .. } => detail["by"] = json!("link"),
        }
        let event = Event {
            kind: EventKind::Downloaded,
            org_id: row.org_id.clone(),
            system_id: Some(row.system_id),
            backup_id: Some(row.id.uuid()),
            actor: actor.to_owned(),
            remote_addr,
            detail,
        };
        let query = move |conn: &mut _| events::write(conn, std::slice::from_ref(&event));
        let written = self.db.run(Lane::General, READ_TIMEOUT, query).await;
        if let Err(error) = &written {
            log::warn!("could not record the download of backup {}: {error}", row.id);
        }
        written.is_ok()
    }
}

/// Returns the value of `backup_events.actor`, and the client's address.
fn describe(reader: &Reader) -> (&str, Option<IpAddr>) {
    match reader {
        Reader::System { remote_addr, .. } => ("system", *remote_addr),
        Reader::Caller { sub, remote_addr } => (sub, *remote_addr),
        Reader::Link { remote_addr, .. } => ("link", *remote_addr),
    }
}
