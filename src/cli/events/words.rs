//! An event's details in short words, for people. JSON output has all of them as they are in the table.

use std::time::Duration;

use serde_json::Value;

use crate::db::event_list::EventRow;
use crate::domain::duration;
use crate::domain::event_kind::EventKind;
use crate::domain::size;

/// Returns what happened, as far as the kind does not say it, and the backup's id last.
pub fn describe(row: &EventRow) -> String {
    let detail = Detail(&row.detail);
    let mut parts = match EventKind::parse(&row.kind) {
        Some(kind) => facts(kind, detail),
        // A newer version of the service has written it.
        None => all_of(&row.detail),
    };
    if detail.text("with").as_deref() == Some("token") {
        parts.push(Some("with a token".to_owned()));
    }
    parts.push(row.backup_id.map(|id| format!("backup {id}")));
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn facts(kind: EventKind, detail: Detail) -> Vec<Option<String>> {
    match kind {
        EventKind::Uploaded => {
            let encrypted = detail.0["encrypted"].as_bool();
            let encrypted = encrypted.map(|yes| if yes { "encrypted" } else { "not encrypted" }.to_owned());
            vec![detail.size("size"), encrypted]
        }
        EventKind::Failed => {
            let received = detail.size("received").map(|size| format!("{size} received"));
            vec![detail.text("reason").map(failure), detail.text("filename"), received]
        }
        EventKind::Refused => vec![detail.text("reason").map(refusal)],
        EventKind::OverSizeCap => {
            let cap = detail.size("cap").map(|cap| format!("more than {cap} for all backups of a system"));
            vec![detail.size("size"), cap]
        }
        EventKind::Downloaded => vec![Some(download(detail))],
        EventKind::Deleted => vec![detail.text("filename"), detail.size("size")],
        EventKind::Pruned => {
            let reason = detail.text("reason").map(|reason| match reason.as_str() {
                "slots" => "too many backups of the system".to_owned(),
                "size" => "too many bytes of the system".to_owned(),
                _ => reason,
            });
            vec![reason, detail.text("filename"), detail.size("size")]
        }
        EventKind::OrphanDeleted => vec![detail.text("object_key"), detail.size("size")],
        EventKind::Requested => {
            let joined = detail.0["joined"].as_bool() == Some(true);
            vec![joined.then(|| "joined an open request".to_owned()), detail.request()]
        }
        EventKind::RequestCancelled | EventKind::RequestExpired => vec![detail.request()],
        EventKind::OrgAdded => {
            vec![detail.text("name"), detail.quota("quota").map(|quota| format!("quota {quota}"))]
        }
        EventKind::QuotaSet => {
            let change = detail.quota("old").zip(detail.quota("new"));
            vec![change.map(|(old, new)| format!("from {old} to {new}"))]
        }
        EventKind::OrgRenamed | EventKind::SystemRenamed => {
            let change = detail.text("old").zip(detail.text("new"));
            vec![change.map(|(old, new)| format!("from {old:?} to {new:?}"))]
        }
        EventKind::OrgMoved => {
            let place = |name| detail.text(name).map_or("the top".to_owned(), |org| format!("below {org}"));
            vec![Some(format!("from {} to {}", place("old"), place("new")))]
        }
        EventKind::PeriodSet => vec![detail.period("backup"), detail.period("contact")],
        EventKind::OrgDeleted => vec![detail.text("name")],
        EventKind::CredentialRefused => {
            let count = detail.0["count"].as_u64();
            let first = detail.text("first_at").map(|at| format!("first at {at}"));
            let suspended = detail.0["suspended"].as_u64().filter(|count| *count > 0);
            vec![
                count.map(|count| format!("{count} within the hour")),
                suspended.map(|count| format!("{count} of them right, of a suspended system")),
                first,
            ]
        }
        EventKind::Erased => {
            let count = |name: &str| detail.0[name].as_u64().map(|count| format!("{count} {name}"));
            let by = detail.text("requested_by").map(|by| format!("requested by {by}"));
            vec![count("backups"), detail.size("bytes"), count("objects"), by]
        }
        EventKind::SystemAdded
        | EventKind::SecretRotated
        | EventKind::Suspended
        | EventKind::Resumed
        | EventKind::Destroyed => all_of(detail.0),
    }
}

fn failure(reason: String) -> String {
    match reason.as_str() {
        "interrupted" => "the connection ended before the body".to_owned(),
        "empty" => "the body was empty".to_owned(),
        "revoked" => "the system was suspended or destroyed meanwhile".to_owned(),
        "store" => "the store was unavailable".to_owned(),
        "database" => "the database was unavailable".to_owned(),
        "aborted" => "the service aborted it".to_owned(),
        "process_died" => "the process that received it died".to_owned(),
        _ => reason,
    }
}

fn refusal(reason: String) -> String {
    match reason.as_str() {
        "rate" => "too many uploads".to_owned(),
        "size" => "larger than BACKUP_MAX_UPLOAD_SIZE".to_owned(),
        "quota" => "the organization's quota is full".to_owned(),
        "digest" => "not the digest that was sent".to_owned(),
        "damaged" => "damaged by the client".to_owned(),
        "timeout" => "too slow".to_owned(),
        "malformed" => "a malformed body".to_owned(),
        _ => reason,
    }
}

fn download(detail: Detail) -> String {
    let range = detail.0["first"].as_u64().zip(detail.0["last"].as_u64());
    let what = range.map_or_else(|| "whole".to_owned(), |(first, last)| format!("bytes {first} to {last}"));
    match (detail.text("by").as_deref(), detail.text("as").as_deref()) {
        (Some("address"), _) => "download link made".to_owned(),
        (Some("link"), _) => format!("{what}, by a download link"),
        (_, Some("text")) => "shown as text".to_owned(),
        _ => what,
    }
}

/// Returns every member, in the form `name: value`.
fn all_of(detail: &Value) -> Vec<Option<String>> {
    let members = detail.as_object().into_iter().flatten();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    members.map(|(name, value)| Some(format!("{name}: {}", text(value)))).collect()
}

/// The column `detail`.
#[derive(Clone, Copy)]
struct Detail<'a>(&'a Value);

impl Detail<'_> {
    fn text(self, name: &str) -> Option<String> {
        self.0[name].as_str().map(str::to_owned)
    }

    fn size(self, name: &str) -> Option<String> {
        self.0[name].as_u64().map(size::human)
    }

    /// Returns a quota: bytes, `none` or `default`.
    fn quota(self, name: &str) -> Option<String> {
        self.size(name).or_else(|| self.text(name))
    }

    /// Returns the change of a period, if it was changed.
    fn period(self, name: &str) -> Option<String> {
        let change = self.0[name].as_object()?;
        let period = |when: &str| {
            let seconds = change.get(when).and_then(Value::as_u64);
            seconds.map_or("inherited".to_owned(), |seconds| duration::exact(Duration::from_secs(seconds)))
        };
        Some(format!("{name} period from {} to {}", period("old"), period("new")))
    }

    fn request(self) -> Option<String> {
        self.text("request").map(|id| format!("request {id}"))
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn describe_event(kind: &str, detail: Value, backup_id: Option<Uuid>) -> String {
        describe(&EventRow {
            id: 1,
            at: DateTime::UNIX_EPOCH,
            kind: kind.to_owned(),
            org_id: "acme".to_owned(),
            system_id: None,
            system_key: None,
            system_name: None,
            backup_id,
            actor: "system".to_owned(),
            remote_addr: None,
            detail,
        })
    }

    #[test]
    fn details_are_words() {
        for (kind, detail, expected) in [
            ("uploaded", json!({"size": 2048, "encrypted": true}), "2.0 KiB, encrypted"),
            (
                "failed",
                json!({"reason": "interrupted", "filename": "a.gpg", "received": 10}),
                "the connection ended before the body, a.gpg, 10 B received",
            ),
            ("refused", json!({"reason": "rate"}), "too many uploads"),
            ("downloaded", json!({}), "whole"),
            ("downloaded", json!({"first": 0, "last": 9, "with": "token"}), "bytes 0 to 9, with a token"),
            ("downloaded", json!({"by": "address", "with": "token"}), "download link made, with a token"),
            ("downloaded", json!({"by": "link"}), "whole, by a download link"),
            ("deleted", json!({"filename": "a.gpg", "size": 5}), "a.gpg, 5 B"),
            ("pruned", json!({"reason": "slots", "size": 5}), "too many backups of the system, 5 B"),
            ("quota_set", json!({"old": "default", "new": 1024}), "from default to 1.0 KiB"),
            ("org_moved", json!({"old": null, "new": "acme"}), "from the top to below acme"),
            ("org_moved", json!({"old": "acme", "new": "globex"}), "from below acme to below globex"),
            (
                "period_set",
                json!({"backup": {"old": null, "new": 7200}}),
                "backup period from inherited to 2 hours",
            ),
            (
                "period_set",
                json!({"backup": {"old": 90, "new": null}, "contact": {"old": null, "new": 60}}),
                "backup period from 90 seconds to inherited, contact period from inherited to 1 minute",
            ),
            ("credential_refused", json!({"count": 3, "suspended": 0}), "3 within the hour"),
            (
                "erased",
                json!({"backups": 2, "bytes": 2048, "objects": 3, "requested_by": "portal"}),
                "2 backups, 2.0 KiB, 3 objects, requested by portal",
            ),
            ("resumed", json!({}), ""),
            ("of_a_later_version", json!({"why": "unknown", "n": 1}), "n: 1, why: unknown"),
        ] {
            assert_eq!(describe_event(kind, detail, None), expected, "{kind}");
        }
        let id = Uuid::from_u128(7);
        assert_eq!(describe_event("deleted", json!({}), Some(id)), format!("backup {id}"));
    }
}
