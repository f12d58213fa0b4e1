//! Which tokens are accepted: every other one is 401, whatever is wrong with it.

use serde_json::{Value, json};

use crate::harness::{
    Answer, Login, RawClient, Server, SigningKey, TIMEOUT, assert_eventually, bare_head, basic, changed,
    claims, encode, hs256, key_set, now, token,
};

const SECRET: &str = "a secret for development, long enough";

fn list(server: &Server, id: &str, token: &str) -> Answer {
    server.manage("GET", &format!("/api/systems/{id}/backups")).bearer(token).send()
}

#[test]
fn keys_of_every_kind_verify_tokens() {
    let keys = [SigningKey::rsa(), SigningKey::ec(), SigningKey::ed()];
    let login = Login::new();
    login.publish(&key_set(&keys.each_ref()));
    let server = Server::builder().login(&login).start();
    let system = server.system();
    for key in &keys {
        let good = claims(&system.org, "backup:view");
        list(&server, &system.id, &key.sign(&good)).status(200);
        // With one key for each algorithm, a token need not name its key.
        let header = json!({ "alg": key.algorithm() });
        list(&server, &system.id, &key.sign_with(&header, &good)).status(200);
    }
}

#[test]
fn token_is_accepted_in_every_valid_form_of_its_claims() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let system = server.system();
    let good = claims(&system.org, "openid backup:view");
    for changes in [
        json!({}),
        json!({ "aud": ["another", "strongroom"] }),
        json!({ "org": null, "organization_id": system.org }),
        json!({ "scope": null, "permissions": ["backup:view"] }),
        json!({ "nbf": now() - 5 }),
        // The clocks of two machines differ a little.
        json!({ "nbf": now() + 10 }),
        json!({ "exp": now() - 10 }),
    ] {
        let token = login.key.sign(&changed(good.clone(), &changes));
        assert_eq!(list(&server, &system.id, &token).status, 200, "{changes}");
    }
    let path = format!("/api/systems/{}/backups", system.id);
    let token = login.key.sign(&good);
    for scheme in ["bearer", "BEARER"] {
        server.manage("GET", &path).header("authorization", format!("{scheme} {token}")).send().status(200);
    }
}

#[test]
fn invalid_claims_are_401() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let system = server.system();
    let good = claims(&system.org, "backup:view");
    list(&server, &system.id, &login.key.sign(&good)).status(200);
    for changes in [
        json!({ "exp": null }),
        json!({ "exp": now() - 60 }),
        json!({ "exp": "tomorrow" }),
        json!({ "nbf": now() + 60 }),
        json!({ "aud": "another" }),
        json!({ "aud": ["another"] }),
        json!({ "aud": null }),
        json!({ "iss": "https://login.example.org/" }),
        json!({ "iss": null }),
        json!({ "sub": null }),
        json!({ "sub": "" }),
        json!({ "sub": "x".repeat(300) }),
        json!({ "sub": "a\nline" }),
        json!({ "org": null }),
        json!({ "org": "" }),
        json!({ "org": [system.org] }),
        json!({ "organization_id": "another" }),
    ] {
        let token = login.key.sign(&changed(good.clone(), &changes));
        list(&server, &system.id, &token).is_bad_token();
    }
}

#[test]
fn signature_by_another_key_or_algorithm_is_refused() {
    let (rsa, ec, ed, stranger) = (SigningKey::rsa(), SigningKey::ec(), SigningKey::ed(), SigningKey::ed());
    let login = Login::new();
    login.publish(&key_set(&[&rsa, &ec, &ed]));
    let server = Server::builder().login(&login).start();
    let system = server.system();
    let good = claims(&system.org, "backup:view");
    let header = |alg: &str, kid: &str| json!({ "alg": alg, "typ": "JWT", "kid": kid });
    let unsigned = |alg: &str| token(&header(alg, &ed.kid), &good, |_| vec![]);
    let mut tokens = vec![
        ("alg none", unsigned("none")),
        ("alg None", unsigned("None")),
        ("no signature", unsigned("EdDSA")),
        ("HS256 without a key", hs256(SECRET.as_bytes(), &json!({ "alg": "HS256" }), &good)),
        ("another's key under a known id", stranger.sign_with(&ed.header(), &good)),
        ("an unknown key", stranger.sign(&good)),
        ("the id of a key of another kind", ed.sign_with(&header("EdDSA", &rsa.kid), &good)),
        ("RS384 where the key is for RS256", rsa.sign_with(&header("RS384", &rsa.kid), &good)),
        ("PS256 where the key is for RS256", rsa.sign_with(&header("PS256", &rsa.kid), &good)),
        ("ES384", ec.sign_with(&header("ES384", &ec.kid), &good)),
    ];
    for key in [&rsa, &ec, &ed] {
        let jwk = key.jwk().to_string();
        for public in [key.public_bytes(), jwk.into_bytes()] {
            tokens.push(("HS256 with a public key", hs256(&public, &header("HS256", &key.kid), &good)));
        }
        // A key that the token itself contains.
        let mut with_key = stranger.header();
        with_key["jwk"] = stranger.jwk();
        with_key["jku"] = json!("http://127.0.0.1:1/keys");
        tokens.push(("it brings its own key", stranger.sign_with(&with_key, &good)));
    }
    let mut critical = ed.header();
    critical["crit"] = json!(["exp"]);
    tokens.push(("crit", ed.sign_with(&critical, &good)));
    let whole = ed.sign(&good);
    let other = encode(changed(good.clone(), &json!({ "org": "another" })).to_string().as_bytes());
    let parts: Vec<&str> = whole.split('.').collect();
    tokens.push(("other claims", format!("{}.{other}.{}", parts[0], parts[2])));
    tokens.push(("cut", whole[..whole.len() - 4].to_owned()));
    for (what, token) in tokens {
        let answer = list(&server, &system.id, &token);
        assert_eq!(answer.status, 401, "{what}: {answer}");
        answer.is_bad_token();
    }
    list(&server, &system.id, &whole).status(200);
}

#[test]
fn malformed_token_is_401() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let system = server.system();
    let good = login.token(&system.org, "backup:view");
    let path = format!("/api/systems/{}/backups", system.id);
    server.manage("GET", &path).send().is_bad_token();
    let huge =
        login.key.sign(&changed(claims(&system.org, "backup:view"), &json!({ "x": "y".repeat(9000) })));
    for line in [
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer x".to_owned(),
        "Bearer ..".to_owned(),
        "Bearer a.b.c".to_owned(),
        "Bearer a.b.c.d".to_owned(),
        format!("Bearer {good}."),
        format!("Bearer {good} {good}"),
        format!("Bearer {huge}"),
        format!("Bearer {}", "x".repeat(9000)),
        format!("Token {good}"),
        good.clone(),
        format!("Basic {good}"),
        basic(&system.key, &system.secret),
        basic("Bearer", &good),
    ] {
        server.manage("GET", &path).header("authorization", &line).send().is_bad_token();
    }
    let twice = server.manage("GET", &path).bearer(&good).bearer(&good);
    twice.send().is_bad_token();
    server.manage("GET", &format!("{path}?access_token={good}")).send().is_bad_token();
    server.manage("GET", &path).bearer(&good).send().status(200);
}

#[test]
fn every_token_is_refused_without_a_key() {
    let server = Server::start();
    let system = server.system();
    let login = Login::new();
    list(&server, &system.id, &login.token(&system.org, "backup:view")).is_bad_token();
    let answer = server.manage("GET", &format!("/backup/{}", system.id)).bearer("x.y.z").send();
    answer.is_gateway_error(401, "unauthorized", &server.management_url(""));
}

#[test]
fn development_secret_causes_a_warning_and_verifies_hs256_only() {
    let login = Login::with(SigningKey::rsa());
    let server = Server::builder().login(&login).set("JWT_HS256_SECRET", SECRET).start();
    let is_loud = |line: &str| line.contains("WARN") && line.contains("JWT_HS256_SECRET");
    assert_eventually("the log has the warning", TIMEOUT, || server.log().lines().any(is_loud));
    let system = server.system();
    let good = claims(&system.org, "backup:view");
    list(&server, &system.id, &hs256(SECRET.as_bytes(), &json!({ "alg": "HS256" }), &good)).status(200);
    list(&server, &system.id, &login.key.sign(&good)).status(200);
    for (secret, alg, kid) in [
        ("another secret for development, long", "HS256", Value::Null),
        (SECRET, "HS384", Value::Null),
        (SECRET, "RS256", json!(login.key.kid)),
        (SECRET, "none", Value::Null),
    ] {
        let header = json!({ "alg": alg, "kid": kid });
        list(&server, &system.id, &hs256(secret.as_bytes(), &header, &good)).is_bad_token();
    }
}

#[test]
fn reason_of_a_refused_token_is_logged_at_debug_without_the_token() {
    let login = Login::new();
    let server = Server::builder().login(&login).set("RUST_LOG", "debug").start();
    let system = server.system();
    let expired = changed(claims(&system.org, "backup:view"), &json!({ "exp": now() - 100 }));
    let token = login.key.sign(&expired);
    list(&server, &system.id, &token).is_bad_token();
    let why = "a token was refused: it has expired";
    assert_eventually("the log says why", TIMEOUT, || server.log().contains(why));
    let log = server.log();
    for part in token.split('.') {
        assert!(!log.contains(part), "a part of the token is in the log");
    }
}

#[test]
fn checks_answer_401_before_403_before_404() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let system = server.system();
    let (none, all) =
        (login.token(&system.org, "openid"), login.token(&system.org, "backup:view backup:delete"));
    for id in [system.id.as_str(), "018f3a5c-7b1e-7c3d-9a2b-0123456789ab", "nonsense"] {
        let path = format!("/api/systems/{id}/backups/nonsense");
        server.manage("DELETE", &path).bearer("x.y.z").send().is_bad_token();
        let refused = server.manage("DELETE", &path).bearer(&none).send().status(403);
        assert_eq!(refused.message(), "insufficient scope");
        assert_eq!(refused.data(), json!({}));
        assert!(refused.must_have("www-authenticate").contains("backup:delete"), "{refused}");
        server.manage("DELETE", &path).bearer(&all).send().is_not_found();
        let site = server.manage("GET", &format!("/backup/{id}")).bearer(&none).send();
        site.is_gateway_error(403, "insufficient_scope", &server.management_url(""));
    }
}

#[test]
fn admin_sees_every_organization_and_needs_the_routes_scope() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let system = server.system();
    let id = server.store(&system, b"x");
    let admin = |scope: &str| {
        login.key.sign(&changed(claims("x", scope), &json!({ "org": null, "sub": "an admin" })))
    };
    let path = format!("/api/systems/{}/backups", system.id);
    server.manage("GET", &path).bearer(admin("backup:admin")).send().status(403);
    server.manage("GET", &path).bearer(admin("backup:admin backup:view")).send().status(200);
    let one = format!("{path}/{id}");
    server.manage("DELETE", &one).bearer(admin("backup:admin backup:view")).send().status(403);
    server.manage("DELETE", &one).bearer(admin("backup:admin backup:delete")).send().status(200);
    assert_eq!(server.db.one("SELECT actor FROM backup_events WHERE kind = 'deleted'"), "an admin");
}

#[test]
fn tokens_work_at_the_management_api_only_and_credentials_at_the_collect_api_only() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let system = server.system();
    let token = login.token(&system.org, "backup:view");
    let mut raw = RawClient::to(&server);
    raw.send(bare_head("GET", "/api/systems/backups", &[&format!("Authorization: Bearer {token}")]));
    raw.answer().is_invalid_token();
    server.get(&format!("/api/systems/{}/backups", system.id)).bearer(&token).send().status(404);
    server.manage("GET", "/api/systems/backups").user(&system).send().status(401);
}
