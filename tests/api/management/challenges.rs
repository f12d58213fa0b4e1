//! `WWW-Authenticate` of a 401: what a portal learns of its token.

use serde_json::json;

use crate::harness::{Login, Server, SigningKey, changed, claims, hs256, now};

#[test]
fn challenge_says_what_is_wrong_with_a_token_of_the_provider_and_nothing_about_keys() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let system = server.system();
    let good = claims(&system.org, "backup:view");
    let path = format!("/api/systems/{}/backups", system.id);
    assert_eq!(server.manage("GET", &path).send().must_have("www-authenticate"), "Bearer");
    let challenge = |token: &str| {
        let answer = server.manage("GET", &path).bearer(token).send();
        answer.is_bad_token();
        answer.must_have("www-authenticate").to_owned()
    };
    for (changes, why) in [
        (json!({ "exp": now() - 60 }), "it has expired"),
        (json!({ "aud": "another" }), "aud does not match JWT_AUDIENCE"),
        (json!({ "iss": "https://other.example.org" }), "iss does not match JWT_ISSUER"),
        (json!({ "org": null }), "org is missing"),
    ] {
        let expected = format!(r#"Bearer error="invalid_token", error_description="{why}""#);
        assert_eq!(challenge(&login.key.sign(&changed(good.clone(), &changes))), expected);
    }
    let expired = changed(good.clone(), &json!({ "exp": now() - 60 }));
    for token in [
        "x.y.z".to_owned(),
        SigningKey::ed().sign(&expired),
        hs256(b"a secret for development, long enough", &json!({ "alg": "HS256" }), &good),
    ] {
        let expected = r#"Bearer error="invalid_token", error_description="the token cannot be verified""#;
        assert_eq!(challenge(&token), expected);
    }
}
