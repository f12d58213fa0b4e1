//! `GET /api/systems/{id}`: one system, its limits, and how much of them it uses.

use serde_json::{Value, json};

use super::{STATUSES, VIEW, get, start_with_fleet};
use crate::harness::{Login, Server, bytes};

#[test]
fn system_is_shown_with_its_limits_and_its_usage() {
    let login = Login::new();
    let server = Server::builder()
        .set("BACKUP_MAX_PER_SYSTEM", 3)
        .set("BACKUP_MAX_SIZE_PER_SYSTEM", 5000)
        .set("BACKUP_MAX_UPLOAD_SIZE", 2000)
        .set("BACKUP_RATE_LIMIT_PER_MINUTE", 4)
        .set("BACKUP_RATE_LIMIT_PER_HOUR", 0)
        .login(&login)
        .start();
    let system = server.system();
    let token = login.token(&system.org, VIEW);
    let show =
        || get(&server, &token, &format!("/api/systems/{}", system.id.to_uppercase())).status(200).data();
    server.put(&system, &bytes(100)).status(201);
    server.put(&system, &bytes(23)).status(201);
    let shown = show();
    let limits = json!({
        "max_backups": 3, "max_bytes": 5000, "max_upload_bytes": 2000, "rate_per_minute": 4, "rate_per_hour": null,
        "backup_period_seconds": 93_600, "contact_period_seconds": null,
    });
    assert_eq!(shown["limits"], limits);
    let usage = json!({ "backups": 2, "bytes": 123, "uploads_last_minute": 2, "uploads_last_hour": 2 });
    assert_eq!(shown["usage"], usage);
    assert_eq!((&shown["status"], &shown["refused_reason"]), (&json!("fresh"), &Value::Null));
    assert_eq!(shown["erasure"], Value::Null);
    let list = get(&server, &token, "/api/systems").status(200).data();
    for (member, value) in list["systems"][0].as_object().expect("a system") {
        assert_eq!(&shown[member], value, "{member} is the same in the list");
    }
    server.put(&system, &bytes(2001)).status(413);
    crate::harness::assert_eventually("the refusal is shown", crate::harness::TIMEOUT, || {
        let shown = show();
        (&shown["status"], &shown["refused_reason"]) == (&json!("refused"), &json!("size"))
    });
}

#[test]
fn limits_in_force_are_inherited_and_the_own_ones_null() {
    let (login, server) = start_with_fleet(1);
    server.db.execute(
        "UPDATE organizations SET backup_period = '1 hour', contact_period = '5 minutes' WHERE id = 'north'",
    );
    let id = server.db.one("SELECT id FROM systems WHERE org_id = 'north'");
    let shown = get(&server, &login.token("north", VIEW), &format!("/api/systems/{id}")).status(200).data();
    assert_eq!(
        (&shown["backup_period_seconds"], &shown["contact_period_seconds"]),
        (&Value::Null, &Value::Null)
    );
    let limits = &shown["limits"];
    assert_eq!(
        (&limits["backup_period_seconds"], &limits["contact_period_seconds"]),
        (&json!(3600), &json!(300))
    );
}

#[test]
fn every_status_has_a_reason() {
    let (login, server) = start_with_fleet(7);
    let token = login.token("other", VIEW);
    let list = get(&server, &token, "/api/systems").status(200).data();
    let systems = list["systems"].as_array().expect("systems");
    for status in STATUSES {
        let system =
            systems.iter().find(|system| system["status"] == status).unwrap_or_else(|| panic!("no {status}"));
        assert!(system["status_reason"].as_str().is_some_and(|reason| reason.len() > 10), "{system}");
        let shown =
            get(&server, &token, &format!("/api/systems/{}", system["id"].as_str().expect("an id"))).data();
        assert_eq!(shown["refused_reason"].is_string(), status == "refused", "{shown}");
    }
}

#[test]
fn system_that_is_being_destroyed_is_still_shown() {
    let (login, server) = start_with_fleet(1);
    server.db.execute("UPDATE systems SET state = 'destroying', state_by = 'me' WHERE org_id = 'other'");
    let id = server.db.one("SELECT id FROM systems WHERE org_id = 'other'");
    let token = login.token("other", VIEW);
    let shown = get(&server, &token, &format!("/api/systems/{id}")).status(200).data();
    assert_eq!((&shown["state"], &shown["status"]), (&json!("destroying"), &json!("suspended")));
    assert!(
        shown["status_reason"].as_str().is_some_and(|reason| reason.contains("being destroyed, by me")),
        "{shown}"
    );
    // It was marked by hand, so there is no erasure yet.
    assert_eq!(shown["erasure"], Value::Null);
    let list = get(&server, &token, "/api/systems?status=suspended").status(200).data();
    assert_eq!(list["systems"][0]["id"], id);
}
