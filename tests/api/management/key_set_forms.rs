//! The forms in which providers write keys and key sets: usable keys are used, and the others are named in the
//! log.

use ::base64::Engine as _;
use ::base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::harness::{
    Answer, Login, Provider, Server, SigningKey, System, TIMEOUT, assert_eventually, changed, claims, encode,
    plain_command, run,
};

fn ask(server: &Server, system: &System, key: &SigningKey, header: &Value) -> Answer {
    let token = key.sign_with(header, &claims(&system.org, "backup:view"));
    server.manage("GET", &format!("/api/systems/{}/backups", system.id)).bearer(token).send()
}

fn decode(jwk: &Value, member: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(jwk[member].as_str().expect("text")).expect("base64")
}

/// Makes a key one of whose coordinates begins with a zero, and omits that zero.
fn shortened(member: &str) -> (SigningKey, Value) {
    loop {
        let key = SigningKey::ec();
        let (mut jwk, bytes) = (key.jwk(), decode(&key.jwk(), member));
        if bytes[0] == 0 {
            jwk[member] = json!(encode(&bytes[1..]));
            return (key, jwk);
        }
    }
}

/// Replaces members of the key; `null` removes one.
fn with(key: SigningKey, changes: &Value) -> (SigningKey, Value) {
    let jwk = changed(key.jwk(), changes);
    (key, jwk)
}

/// Puts zeros before the numbers of the key.
fn with_zeros(key: SigningKey, members: [&str; 2]) -> (SigningKey, Value) {
    let mut jwk = key.jwk();
    for member in members {
        jwk[member] = json!(encode(&[&[0, 0], decode(&jwk, member).as_slice()].concat()));
    }
    (key, jwk)
}

/// Encodes the numbers in the standard alphabet, with padding.
fn in_usual_base64(key: SigningKey, members: &[&str]) -> (SigningKey, Value) {
    let mut jwk = key.jwk();
    for member in members {
        jwk[*member] = json!(STANDARD.encode(decode(&jwk, member)));
    }
    (key, jwk)
}

fn set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

#[test]
fn keys_are_accepted_in_the_forms_that_providers_write() {
    let none = json!({ "use": null });
    let keys = [
        with_zeros(SigningKey::rsa(), ["n", "e"]),
        in_usual_base64(SigningKey::rsa(), &["n", "e"]),
        shortened("x"),
        shortened("y"),
        with_zeros(SigningKey::ec(), ["x", "y"]),
        in_usual_base64(SigningKey::ec(), &["x", "y"]),
        in_usual_base64(SigningKey::ed(), &["x"]),
        with(SigningKey::ec(), &none),
        with(SigningKey::ec(), &json!({ "alg": "ES256", "key_ops": ["sign", "verify"] })),
        with(SigningKey::ec(), &json!({ "key_ops": "verify" })),
        with(SigningKey::ed(), &json!({ "alg": "EdDSA", "x5c": ["AQAB"], "ext": true, "exp": "soon" })),
    ];
    let login = Login::new();
    let jwks: Vec<_> = keys.iter().map(|(_, jwk)| jwk.clone()).collect();
    // A byte order mark, as some editors write it.
    login.publish(&format!("\u{feff}{}", set(&jwks)));
    let server = Server::builder().login(&login).start();
    let system = server.system();
    for (key, jwk) in &keys {
        let answer = ask(&server, &system, key, &key.header());
        assert_eq!(answer.status, 200, "{jwk}: {answer}");
    }
    assert!(!server.log().contains("left out"), "{}", server.log());
}

#[test]
fn a_key_id_may_be_a_number() {
    let (key, login) = (SigningKey::ec(), Login::new());
    login.publish(&set(&[changed(key.jwk(), &json!({ "kid": 7 }))]));
    let server = Server::builder().login(&login).start();
    let system = server.system();
    for kid in [json!(7), json!("7")] {
        ask(&server, &system, &key, &json!({ "alg": "ES256", "kid": kid })).status(200);
    }
}

#[test]
fn every_candidate_key_of_a_token_is_tried() {
    let keys = [
        SigningKey::ec(),
        SigningKey::rsa(),
        SigningKey::ec(),
        SigningKey::rsa(),
        SigningKey::ed(),
        SigningKey::ed(),
    ];
    let login = Login::new();
    // The first two pairs share an id each, the last two keys have none.
    let ids = [json!("a"), json!("a"), json!("a"), json!("a"), Value::Null, Value::Null];
    let jwks: Vec<_> =
        keys.iter().zip(&ids).map(|(key, id)| changed(key.jwk(), &json!({ "kid": id }))).collect();
    login.publish(&set(&jwks));
    let server = Server::builder().login(&login).start();
    let system = server.system();
    for (key, id) in keys.iter().zip(&ids) {
        let alg = key.algorithm();
        ask(&server, &system, key, &json!({ "alg": alg, "kid": id })).status(200);
        // A token without an id may use any key; one with an unknown id may use a key without id.
        ask(&server, &system, key, &json!({ "alg": alg })).status(200);
        let unknown = ask(&server, &system, key, &json!({ "alg": alg, "kid": "b" }));
        assert_eq!(unknown.status, if id.is_null() { 200 } else { 401 }, "{alg} {id}");
        // The key determines the algorithm, not the token.
        let other = if alg == "RS256" { "ES256" } else { "RS256" };
        ask(&server, &system, key, &json!({ "alg": other, "kid": id })).is_bad_token();
    }
}

#[test]
fn at_most_eight_keys_are_tried_for_a_token() {
    let keys: Vec<_> = (0..9).map(|_| SigningKey::ec()).collect();
    let login = Login::new();
    login.publish(&set(&keys
        .iter()
        .map(|key| changed(key.jwk(), &json!({ "kid": "a" })))
        .collect::<Vec<_>>()));
    let server = Server::builder().login(&login).start();
    let system = server.system();
    let (ninth, tried) = keys.split_last().expect("keys");
    for key in tried {
        ask(&server, &system, key, &json!({ "alg": "ES256", "kid": "a" })).status(200);
    }
    ask(&server, &system, ninth, &json!({ "alg": "ES256", "kid": "a" })).is_bad_token();
    assert_eq!(
        skipped_keys(&server),
        [
            "WARN key \"a\" is left out: 8 keys before it have the same algorithm and the same id (kid) or none"
        ]
    );
}

/// Returns the log lines about skipped keys, with their level.
fn skipped_keys(server: &Server) -> Vec<String> {
    let log = server.log();
    let lines = log.lines().filter(|line| line.contains("token keys: ") && line.contains("left out"));
    let told = lines.map(|line| {
        let level = ["INFO", "WARN"].into_iter().find(|level| line.contains(level)).unwrap_or("?");
        format!("{level} {}", line.split("token keys: ").nth(1).unwrap_or_default())
    });
    told.collect()
}

#[test]
fn unusable_keys_are_logged_with_the_reason_and_hide_no_others() {
    let kinds = [
        (json!({ "kty": "RSA", "use": "enc" }), "INFO it is not for signatures (use)"),
        (json!({ "kty": "RSA", "key_ops": ["encrypt"] }), "INFO it is not to verify signatures (key_ops)"),
        (
            json!({ "kty": "RSA", "alg": "RS512" }),
            "INFO its algorithm (alg) is not the one of RS256, ES256 and EdDSA that fits its kind",
        ),
        (json!({ "kty": "EC", "crv": "P-384" }), "INFO its curve (crv) is not P-256 or Ed25519"),
        (json!({ "kty": "AKP" }), "INFO its kind (kty) is not RSA, EC or OKP"),
        (
            json!({ "kty": "oct", "k": "c2VjcmV0c2VjcmV0" }),
            "WARN it is a secret key (oct): replace it, everybody who reads the set knows it",
        ),
        (json!({ "kty": "RSA" }), "WARN its n or e is missing"),
        (
            json!({ "kty": "RSA", "x5c": ["AQAB"] }),
            "WARN it is there only as a certificate (x5c): its numbers are needed",
        ),
        (json!({ "kty": "RSA", "n": "!", "e": "AQAB" }), "WARN its n or e is not base64"),
        (
            json!({ "kty": "RSA", "n": encode(&[0x81; 128]), "e": "AQAB" }),
            "WARN it is an RSA key of less than 2048 bits",
        ),
        (
            json!({ "kty": "RSA", "n": encode(&[0x81; 1025]), "e": "AQAB" }),
            "WARN it is an RSA key of more than 8192 bits",
        ),
        (
            json!({ "kty": "RSA", "n": encode(&[0x81; 256]), "e": "AA" }),
            "WARN its n and e are not those of an RSA key",
        ),
        (
            json!({ "kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ" }),
            "WARN its x and y are no point on the curve P-256",
        ),
        (json!({ "kty": "OKP", "crv": "Ed25519", "x": "AQAB" }), "WARN its x is not 32 bytes in base64"),
    ];
    let key = SigningKey::ed();
    let provider = Provider::new(&[&key]);
    let mut jwks: Vec<_> = kinds.iter().map(|(jwk, _)| jwk.clone()).collect();
    jwks[0]["kid"] = json!(format!("{}\n\u{202e}", "k".repeat(38)));
    jwks[1]["kid"] = json!("k".repeat(200));
    jwks.push(key.jwk());
    provider.answer("200 OK", "", &set(&jwks));
    let server = provider.server();
    let system = server.system();
    let expected: Vec<_> = kinds
        .iter()
        .enumerate()
        .map(|(index, (_, what))| {
            let (level, what) = what.split_once(' ').expect("a level");
            let name = match index {
                0 => format!("\"{}??\"", "k".repeat(38)),
                1 => format!("\"{}...\"", "k".repeat(40)),
                _ => format!("number {}", index + 1),
            };
            format!("{level} key {name} is left out: {what}")
        })
        .collect();
    assert_eventually("each is named", TIMEOUT, || skipped_keys(&server).len() == expected.len());
    assert_eq!(skipped_keys(&server), expected);
    ask(&server, &system, &key, &key.header()).status(200);
    for secret in ["c2VjcmV0", "AQAB", &encode(&[0x81; 9])] {
        assert!(!server.log().contains(secret), "{secret} is in the log: {}", server.log());
    }
    // The same set is not logged a second time.
    let stranger = SigningKey::ed();
    ask(&server, &system, &stranger, &stranger.header()).is_bad_token();
    assert_eventually("the key set is fetched again", TIMEOUT, || {
        server.log().matches("token keys: 1 read").count() == 2
    });
    assert_eq!(skipped_keys(&server), expected);
}

#[test]
fn a_key_is_found_behind_any_number_of_foreign_keys() {
    let (foreign, key) = (SigningKey::ed(), SigningKey::ec());
    let enc = |n: usize| changed(SigningKey::ed().jwk(), &json!({ "use": "enc", "kid": n }));
    let other = |n: usize| changed(foreign.jwk(), &json!({ "kid": format!("other-{n}") }));
    let jwks: Vec<_> = (0..70).map(enc).chain((0..70).map(other)).chain([key.jwk()]).collect();
    let login = Login::new();
    login.publish(&set(&jwks));
    let server = Server::builder().login(&login).start();
    let system = server.system();
    ask(&server, &system, &key, &key.header()).status(200);
    let told = || skipped_keys(&server);
    assert_eventually("the log is not flooded", TIMEOUT, || told().len() == 21);
    assert_eq!(told().last().map(String::as_str), Some("WARN 50 more keys are left out or carry a warning"));
}

#[test]
fn a_private_key_in_the_set_is_used_for_its_public_half_with_a_warning() {
    let (key, login) = (SigningKey::ec(), Login::new());
    let private = encode(b"a private number that nobody sees");
    login.publish(&set(&[changed(key.jwk(), &json!({ "d": private }))]));
    let server = Server::builder().login(&login).start();
    let system = server.system();
    ask(&server, &system, &key, &key.header()).status(200);
    let warned =
        |line: &str| line.contains("WARN") && line.contains(&key.kid) && line.contains("private half");
    assert_eventually("the log warns", TIMEOUT, || server.log().lines().any(warned));
    assert!(!server.log().contains(&private));
}

#[test]
fn error_of_a_key_file_does_not_repeat_its_content() {
    let login = Login::new();
    let secret = encode(b"a private number that nobody sees");
    let weak = json!({ "kty": "RSA", "kid": "weak", "n": encode(&[0x81; 128]), "e": "AQAB", "d": secret });
    for (text, what) in [
        (
            set(std::slice::from_ref(&weak)),
            "key \"weak\" is left out: it is an RSA key of less than 2048 bits",
        ),
        (format!("{}garbage", set(&[weak])), "it is not a JSON Web Key Set"),
        (format!("-----BEGIN PRIVATE KEY-----{secret}"), "it is not a JSON Web Key Set"),
        (json!({ "keys": secret }).to_string(), "it has no array \"keys\""),
    ] {
        login.publish(&text);
        let mut command = plain_command();
        command.arg("serve").env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
        command.env("LISTEN_ADDRESS", "127.0.0.1:0").env("MANAGEMENT_LISTEN_ADDRESS", "127.0.0.1:0");
        command.env("JWT_JWKS_FILE", login.file()).env("JWT_ISSUER", "me").env("JWT_AUDIENCE", "us");
        let stopped = run(&mut command).exits(2);
        assert!(stopped.stderr.contains("JWT_JWKS_FILE") && stopped.stderr.contains(what), "{stopped:?}");
        assert!(!stopped.stderr.contains(&secret) && stopped.stderr.lines().count() == 1, "{stopped:?}");
    }
}
