//! The forms in which providers write claims: an unambiguous claim is accepted, a contradictory one is refused,
//! and none permits more than it literally contains.

use serde_json::{Value, json};

use crate::harness::{
    Answer, Login, Server, System, TIMEOUT, assert_eventually, changed, claims, now, token,
};

fn list(server: &Server, system: &System, token: &str) -> Answer {
    server.manage("GET", &format!("/api/systems/{}/backups", system.id)).bearer(token).send()
}

/// A token without any permission.
fn bare(org: &str) -> Value {
    changed(claims(org, ""), &json!({ "scope": null }))
}

#[test]
fn claims_are_accepted_in_the_forms_that_providers_write() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let system = server.system();
    let later = now() + 900;
    for changes in [
        json!({ "scope": ["openid", "backup:view"] }),
        json!({ "permissions": "backup:view" }),
        json!({ "permissions": ["read:other", "backup:view"] }),
        json!({ "scp": ["openid", "backup:view"] }),
        json!({ "scp": "openid backup:view" }),
        json!({ "roles": ["backup:view"] }),
        json!({ "scope": "backup:view", "exp": later.to_string(), "nbf": "1" }),
        json!({ "scope": "backup:view", "exp": 0.5 + f64::from(u32::try_from(later).expect("32 bits")) }),
        json!({ "scope": "backup:view", "sub": 42 }),
        json!({ "scope": "backup:view", "aud": [7, "strongroom"] }),
        // Claims that are not needed may have any form.
        json!({ "scope": "backup:view", "permissions": { "rsid": ["backup:admin"] }, "roles": 7, "scp": {} }),
        json!({ "scope": "backup:view", "permissions": [{ "rsname": "x", "scopes": ["y"] }] }),
        json!({ "scope": "backup:view", "iat": "yesterday", "jti": 7, "email": [null], "azp": { "a": [] } }),
    ] {
        let token = login.key.sign(&changed(bare(&system.org), &changes));
        let answer = list(&server, &system, &token);
        assert_eq!(answer.status, 200, "{changes}: {answer}");
        let delete = format!("/api/systems/{}/backups/x", system.id);
        assert_eq!(server.manage("DELETE", &delete).bearer(&token).send().status, 403, "{changes}");
    }
}

#[test]
fn organization_claim_may_be_a_number() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    server.add_org("4711", None);
    let (own, other) = (server.add_system("4711", "fw-01"), server.system());
    for changes in [json!({ "org": 4711 }), json!({ "org": "4711", "organization_id": 4711 })] {
        let token = login.key.sign(&changed(claims("x", "backup:view"), &changes));
        list(&server, &own, &token).status(200);
        list(&server, &other, &token).status(404);
    }
}

#[test]
fn claims_that_contradict_themselves_or_cannot_be_read_are_401() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let system = server.system();
    for changes in [
        json!({ "organization_id": 7 }),
        json!({ "organization_id": [system.org] }),
        json!({ "org": 7.5 }),
        json!({ "org": { "id": system.org } }),
        json!({ "exp": (now() - 60).to_string() }),
        // Milliseconds, read as seconds, would be thousands of years.
        json!({ "exp": (now() - 60) * 1000 }),
        json!({ "exp": format!("{}000", now() - 60) }),
        json!({ "exp": true }),
        json!({ "nbf": (now() + 60).to_string() }),
        json!({ "nbf": [0] }),
        json!({ "aud": { "strongroom": true } }),
        json!({ "aud": "another strongroom" }),
        json!({ "iss": ["https://login.example.org"] }),
        json!({ "sub": ["me"] }),
    ] {
        let token = login.key.sign(&changed(claims(&system.org, "backup:view"), &changes));
        assert_eq!(list(&server, &system, &token).status, 401, "{changes}");
    }
}

#[test]
fn no_form_of_a_claim_permits_more_than_it_says() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let system = server.system();
    for changes in [
        json!({}),
        json!({ "scope": ["backup:delete backup:view"] }),
        json!({ "scope": [["backup:view"]] }),
        json!({ "scope": { "backup:view": true } }),
        json!({ "scope": "backup:delete,backup:view" }),
        json!({ "scope": "BACKUP:VIEW backup:* backup:viewer" }),
        // The permissions of a person are not those of the program that acts for them.
        json!({ "scp": "openid", "roles": ["backup:view", "backup:admin"] }),
        json!({ "scope": "openid", "scp": ["backup:view"] }),
        json!({ "permissions": [], "roles": ["backup:view"] }),
        json!({ "aud": ["strongroom", "backup:view"] }),
    ] {
        let token = login.key.sign(&changed(bare(&system.org), &changes));
        assert_eq!(list(&server, &system, &token).status, 403, "{changes}");
    }
}

#[test]
fn token_header_fields_without_meaning_are_ignored() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let system = server.system();
    let good = claims(&system.org, "backup:view");
    for changes in [
        json!({ "typ": 7 }),
        json!({ "alg": "Ed25519" }),
        json!({ "jwk": { "kty": 7 }, "x5c": "text", "x5t": [] }),
    ] {
        let header = changed(login.key.header(), &changes);
        let answer = list(&server, &system, &login.key.sign_with(&header, &good));
        assert_eq!(answer.status, 200, "{changes}: {answer}");
    }
    let array = json!(["EdDSA", login.key.kid, null]);
    for header in [changed(login.key.header(), &json!({ "kid": {} })), array] {
        list(&server, &system, &login.key.sign_with(&header, &good)).is_bad_token();
    }
    let header = login.key.header();
    let forged = token(&header, &good, |_| vec![0; 64]);
    list(&server, &system, &forged).is_bad_token();
}

#[test]
fn refused_tokens_are_counted_by_reason_in_one_line() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let system = server.system();
    let good = claims(&system.org, "backup:view");
    for changes in [json!({ "aud": "another" }), json!({ "aud": null }), json!({ "exp": 1 })] {
        list(&server, &system, &login.key.sign(&changed(good.clone(), &changes))).is_bad_token();
    }
    list(&server, &system, &login.key.sign(&good)).status(200);
    // The refusals of the current minute are logged at the stop.
    assert!(server.stop_gracefully().success());
    let log = server.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("tokens refused")).collect();
    // A minute may have ended in between.
    let count = |why: &str| -> u32 {
        let counts = lines
            .iter()
            .filter_map(|line| line.split(why).nth(1)?.split([',', ')']).next()?.parse::<u32>().ok());
        counts.sum()
    };
    assert_eq!((count("aud does not match JWT_AUDIENCE: "), count("it has expired: ")), (2, 1), "{lines:?}");
    assert!(lines.iter().all(|line| line.contains("WARN")) && lines.len() <= 2, "{lines:?}");
}

#[test]
fn refused_tokens_are_logged_a_minute_later() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let system = server.system();
    for _ in 0..3 {
        list(&server, &system, "x.y.z").is_bad_token();
    }
    let said = "tokens refused within the last minute: 3 (it is malformed: 3)";
    assert_eventually("the refusals are logged", TIMEOUT * 6, || server.log().contains(said));
}

#[test]
fn log_says_that_every_token_is_refused_without_a_key() {
    let server = Server::start();
    let said = |line: &str| line.contains("JWT_JWKS_URL") && line.contains("refuses every token");
    assert_eventually("the log has the warning", TIMEOUT, || server.log().lines().any(said));
}
