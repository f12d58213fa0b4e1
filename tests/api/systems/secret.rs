//! New secrets: `POST /api/systems/{id}/rotate-secret`, and `system rotate-secret --overlap`.

use serde_json::{Value, json};

use super::{MANAGE, get, send, start};
use crate::harness::{BACKUPS, PROMPT_TIMEOUT, Server, System, assert_eventually};

fn status(server: &Server, system: &System, secret: &str) -> u16 {
    let system = System { secret: secret.to_owned(), ..system.clone() };
    server.get(BACKUPS).user(&system).send().status
}

/// Returns whether the columns have these secrets, and until when (in seconds from now) the previous one is valid.
fn columns(server: &Server, present: &str, previous: &str) -> (bool, bool, i64) {
    let row = |sql: &str| server.db.one(sql) == "true";
    (
        row(&format!("SELECT secret_sha256 = sha256('{present}') FROM systems")),
        row(&format!("SELECT previous_secret_sha256 = sha256('{previous}') FROM systems")),
        server.db.number(
            "SELECT coalesce(round(extract(epoch FROM previous_secret_until - now()) / 60), -1) FROM systems",
        ),
    )
}

fn rotate(server: &Server, token: &str, system: &System, body: &Value) -> Value {
    let path = format!("/api/systems/{}/rotate-secret", system.id);
    let answer = send(server, token, "POST", &path, body).status(200);
    assert_eq!(
        (answer.message().as_str(), answer.must_have("cache-control")),
        ("secret rotated", "no-store")
    );
    let data = answer.data();
    assert_eq!(
        (&data["id"], &data["system_key"], &data["org_id"]),
        (&json!(system.id), &json!(system.key), &json!(system.org))
    );
    data
}

#[test]
fn without_an_overlap_the_old_secret_stops_working() {
    let (login, server) = start();
    let system = server.system();
    let token = login.token(&system.org, MANAGE);
    assert_eq!(status(&server, &system, &system.secret), 200);
    let path = format!("/api/systems/{}/rotate-secret", system.id);
    let data = server.manage("POST", &path).bearer(&token).send().status(200).data();
    let new = data["system_secret"].as_str().expect("a secret");
    assert_eq!(data["previous_secret_until"], Value::Null);
    assert_eventually("the old one is refused", PROMPT_TIMEOUT, || {
        status(&server, &system, &system.secret) == 401
    });
    assert_eventually("the new one is accepted", PROMPT_TIMEOUT, || status(&server, &system, new) == 200);
    assert_eq!(columns(&server, new, &system.secret), (true, false, -1));
    let event = "SELECT concat_ws(' ', actor, detail) FROM backup_events WHERE kind = 'secret_rotated'";
    assert_eq!(server.db.all(event), ["portal@example.org {}"]);
}

#[test]
fn second_rotation_in_an_overlap_ends_the_first_secret() {
    let (login, server) = start();
    let system = server.system();
    let token = login.token(&system.org, MANAGE);
    let first = rotate(&server, &token, &system, &json!({ "overlap_seconds": 604_800 }));
    let second = first["system_secret"].as_str().expect("a secret");
    assert!(first["previous_secret_until"].is_string());
    assert_eq!(columns(&server, second, &system.secret), (true, true, 10_080));
    let third = rotate(&server, &token, &system, &json!({ "overlap_seconds": 600 }));
    let third = third["system_secret"].as_str().expect("a secret").to_owned();
    assert_eq!(columns(&server, &third, second), (true, true, 10));
    let last = rotate(&server, &token, &system, &json!({ "overlap_seconds": 0 }));
    assert_eq!(last["previous_secret_until"], Value::Null);
    let last = last["system_secret"].as_str().expect("a secret");
    assert_eq!(columns(&server, last, &third), (true, false, -1), "no overlap ends all others");
    let path = format!("/api/systems/{}/rotate-secret", system.id);
    for (body, key) in [
        (json!({ "overlap_seconds": 604_801 }), "overlap_seconds"),
        (json!({ "overlap_seconds": -1 }), "overlap_seconds"),
        (json!({ "overlap": 60 }), "overlap"),
    ] {
        send(&server, &token, "POST", &path, &body).is_validation_error(key);
    }
    assert!(columns(&server, last, &third).0, "a refused request rotates nothing");
    assert!(
        get(&server, &token, &format!("/api/systems/{}", system.id))
            .status(200)
            .data()
            .get("system_secret")
            .is_none()
    );
}

#[test]
fn command_line_rotates_with_an_overlap() {
    let (_, server) = start();
    let system = server.system();
    let rotated =
        server.cli(["system", "rotate-secret", &system.key, "--overlap", "1h", "--json"]).exits(0).json();
    let new = rotated["system_secret"].as_str().expect("a secret");
    assert!(rotated["previous_secret_until"].is_string(), "{rotated}");
    assert_eq!(columns(&server, new, &system.secret), (true, true, 60));
    let shown = server.cli(["system", "show", &system.key]).exits(0);
    shown.says("previous secret:");
    let plain = server.cli(["system", "rotate-secret", &system.key]).exits(0);
    assert!(!plain.stdout.contains("valid until"), "{plain:?}");
    assert_eq!(columns(&server, new, new), (false, false, -1));
    for overlap in ["8d", "3600", "x"] {
        server.cli(["system", "rotate-secret", &system.key, "--overlap", overlap]).exits(2);
    }
}
