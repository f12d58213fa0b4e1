//! 401: which credentials are refused, and that the answer does not say why.

use crate::harness::{
    Answer, BACKUPS, BASIC, MALFORMED_CREDENTIAL, RawClient, Server, System, TIMEOUT, WRONG_CREDENTIAL,
    assert_eventually, bare_head, base64, bytes, digest_field,
};

const SOME_ID: &str = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.tar.gz";

fn wrong_credentials(system: &System) -> Vec<(&'static str, String)> {
    let basic = |text: String| format!("Basic {}", base64(text.as_bytes()));
    let System { key, secret, id, .. } = system;
    vec![
        ("wrong secret", basic(format!("{key}:{secret}x"))),
        ("a shorter secret", basic(format!("{key}:{}", &secret[..secret.len() - 1]))),
        ("empty secret", basic(format!("{key}:"))),
        ("unknown key", basic(format!("nobody:{secret}"))),
        ("the id instead of the key", basic(format!("{id}:{secret}"))),
        ("empty key", basic(format!(":{secret}"))),
        ("no colon", basic(key.clone())),
        ("a key with a nul", basic(format!("{key}\0:{secret}"))),
        ("a key that is SQL", basic(format!("' OR 1=1 --:{secret}"))),
        ("not base64", "Basic !!!".to_owned()),
        ("not UTF-8", format!("Basic {}", base64(&[0xff, 0xfe, b':', 0xff]))),
        ("no value", "Basic".to_owned()),
        ("another scheme", format!("Bearer {secret}")),
        ("a scheme of nobody", format!("Secret {}", base64(format!("{key}:{secret}").as_bytes()))),
    ]
}

#[test]
fn wrong_credentials_get_the_same_401_on_every_route() {
    let server = Server::start();
    let system = server.system();
    let before = server.snapshot();
    let one = format!("{BACKUPS}/{SOME_ID}");
    for (name, credential) in wrong_credentials(&system) {
        let send = |method: &str, path: &str| {
            server.request(method, path).header("authorization", &credential).send()
        };
        let upload = server.request("POST", BACKUPS).header("authorization", &credential).body("x").send();
        for answer in [upload, send("GET", BACKUPS), send("GET", &one), send("DELETE", &one)] {
            assert_eq!(answer.status, 401, "{name}: {answer}");
            answer.is_invalid_token();
        }
        let head = send("HEAD", &one).status(401);
        assert!(head.body.is_empty() && head.must_have("www-authenticate").starts_with("Basic"), "{name}");
    }
    server.assert_refused(&before, &system, 0);
    assert_eq!(server.db.number("SELECT count(*) FROM backups"), 0);
}

#[test]
fn missing_credential_gets_the_same_401() {
    let server = Server::start();
    let one = format!("{BACKUPS}/{SOME_ID}");
    server.request("POST", BACKUPS).body("x").send().is_invalid_token();
    server.get(BACKUPS).send().is_invalid_token();
    server.get(&one).send().is_invalid_token();
    server.request("DELETE", &one).send().is_invalid_token();
    let mut raw = RawClient::to(&server);
    raw.send(bare_head("POST", BACKUPS, &["Authorization:", "Content-Length: 1"]) + "x");
    raw.answer().is_invalid_token();
}

#[test]
fn an_unknown_key_and_a_wrong_secret_cannot_be_told_apart() {
    let server = Server::start();
    let system = server.system();
    let send = |key: &str, secret: &str| {
        let credential = format!("Authorization: Basic {}", base64(format!("{key}:{secret}").as_bytes()));
        let mut raw = RawClient::to(&server);
        // Head and body are sent in one piece: whether the connection can be kept depends on the body's arrival.
        raw.send(bare_head("POST", BACKUPS, &[&credential, "Content-Length: 1"]) + "x");
        let mut answer = raw.answer().status(401);
        answer.headers.retain(|(name, _)| name != "date");
        answer.headers.sort();
        answer
    };
    let (wrong, unknown): (Answer, Answer) = (send(&system.key, "wrong"), send("nobody", &system.secret));
    assert_eq!(wrong.headers, unknown.headers);
    assert_eq!(wrong.body, unknown.body);
}

#[test]
fn credential_is_checked_before_anything_else() {
    let server = Server::with([("BACKUP_MAX_UPLOAD_SIZE", "10")]);
    let upload = || server.request("POST", BACKUPS).header("authorization", "Basic bm9ib2R5Ong=");
    upload().body("").send().is_invalid_token();
    upload().body(bytes(11)).send().is_invalid_token();
    upload().header("content-digest", "banana").body("x").send().is_invalid_token();
    upload().header("content-digest", digest_field(b"another")).body("x").send().is_invalid_token();
    for id in ["x", "..", SOME_ID] {
        server.get(&format!("{BACKUPS}/{id}x")).send().is_invalid_token();
        server.request("DELETE", &format!("{BACKUPS}/{id}x")).send().is_invalid_token();
    }
}

#[test]
fn a_secret_may_have_colons_and_is_compared_to_its_last_byte() {
    let server = Server::start();
    server.add_org("acme", None);
    let secret = "with:colons:and/32+characters=or:more";
    server
        .cli(["system", "add", "--org", "acme", "--name", "fw", "--key", "FW_01-x", "--secret", secret])
        .exits(0);
    let list = |key: &str, secret: &str| {
        let credential = format!("Basic {}", base64(format!("{key}:{secret}").as_bytes()));
        server.get(BACKUPS).header("authorization", credential).send()
    };
    list("FW_01-x", secret).status(200);
    list("FW_01-x", "with").is_invalid_token();
    list("FW_01-x", &format!("{secret} ")).is_invalid_token();
    list("FW_01-x", &secret.to_uppercase()).is_invalid_token();
    list("fw_01-x", secret).is_invalid_token();
}

#[test]
fn the_name_of_the_scheme_is_matched_without_case() {
    let server = Server::start();
    let system = server.system();
    for scheme in ["Basic", "basic", "BASIC"] {
        let credential =
            format!("{scheme} {}", base64(format!("{}:{}", system.key, system.secret).as_bytes()));
        server.get(BACKUPS).header("authorization", credential).send().status(200);
    }
}

#[test]
fn a_credential_is_read_as_clients_write_it() {
    let server = Server::start();
    server.add_org("acme", None);
    // The base64 of this pair has padding, and letters in which the two alphabets differ.
    let (key, secret) = ("fw", ">>>???~~~>>>???~~~>>>???~~~>>>???~~~x");
    server.cli(["system", "add", "--org", "acme", "--name", "fw", "--key", key, "--secret", secret]).exits(0);
    let standard = base64(format!("{key}:{secret}").as_bytes());
    let for_urls = standard.replace('+', "-").replace('/', "_");
    assert!(for_urls != standard && standard.ends_with('='), "{standard}");
    let (unpadded, both) = (standard.trim_end_matches('='), for_urls.trim_end_matches('='));
    for credential in [
        format!("Basic {standard}"),
        format!("Basic   {standard}"),
        format!("Basic\t{standard}"),
        format!("basic \t {standard} \t"),
        format!("Basic {unpadded}"),
        format!("Basic {for_urls}"),
        format!("Basic {both}"),
    ] {
        let mut raw = RawClient::to(&server);
        raw.send(bare_head("GET", BACKUPS, &[&format!("Authorization: {credential}")]));
        let answer = raw.answer();
        assert_eq!(answer.status, 200, "{credential:?}: {answer}");
    }
    for credential in
        [format!("Basic{standard}"), format!("Basic {standard}AAAA"), format!("Basic {}", &both[1..])]
    {
        let mut raw = RawClient::to(&server);
        raw.send(bare_head("GET", BACKUPS, &[&format!("Authorization: {credential}")]));
        raw.answer().is_invalid_token();
    }
}

#[test]
fn secret_of_one_system_is_refused_for_another() {
    let server = Server::start();
    let (one, other) = (server.system(), server.system());
    let crossed = System { secret: other.secret.clone(), ..one.clone() };
    server.get(BACKUPS).user(&crossed).send().is_invalid_token();
    server.get(BACKUPS).user(&one).send().status(200);
    server.get(BACKUPS).user(&other).send().status(200);
}

#[test]
fn right_secret_is_accepted_after_any_number_of_wrong_ones() {
    let server = Server::start();
    let system = server.system();
    let wrong = System { secret: "a wrong one".to_owned(), ..system.clone() };
    for _ in 0..60 {
        server.get(BACKUPS).user(&wrong).send().is_invalid_token();
    }
    server.get(BACKUPS).user(&system).send().status(200);
    server.store(&system, b"x");
}

#[test]
fn challenge_says_whether_a_credential_was_sent_and_no_more() {
    let server = Server::start();
    let (system, suspended) = (server.system(), server.system());
    server.cli(["system", "suspend", &suspended.id]).exits(0);
    let challenge = |credential: &str| {
        let answer = server.get(BACKUPS).header("authorization", credential).send();
        answer.is_invalid_token();
        answer.must_have("www-authenticate").to_owned()
    };
    let basic = |key: &str, secret: &str| format!("Basic {}", base64(format!("{key}:{secret}").as_bytes()));
    assert_eq!(server.get(BACKUPS).send().must_have("www-authenticate"), BASIC);
    assert_eq!(challenge(" "), BASIC);
    let wrong = [
        basic(&system.key, "wrong"),
        basic("nobody", "wrong"),
        basic("not a key", "wrong"),
        basic(&suspended.key, &suspended.secret),
        basic(&suspended.key, "wrong"),
    ];
    for credential in wrong {
        assert_eq!(challenge(&credential), WRONG_CREDENTIAL);
    }
    for credential in ["Bearer x.y.z", "Basic", "Basic !!!", "Basic nothing"] {
        assert_eq!(challenge(credential), MALFORMED_CREDENTIAL, "{credential}");
    }
}

#[test]
fn log_says_why_a_credential_was_refused_and_repeats_nothing_that_was_guessed() {
    let server = Server::start();
    let (system, suspended) = (server.system(), server.system());
    server.cli(["system", "suspend", &suspended.id]).exits(0);
    let send = |key: &str, secret: &str| {
        let credential = format!("Basic {}", base64(format!("{key}:{secret}").as_bytes()));
        server.get(BACKUPS).header("authorization", credential).send().is_invalid_token();
    };
    for _ in 0..3 {
        send(&system.key, "guessed-secret");
        send("guessed-key", "guessed-secret");
        send(&suspended.key, &suspended.secret);
    }
    for line in [
        format!("credential from 127.0.0.1 refused: the secret of system {} is wrong", system.id),
        "credential from 127.0.0.1 refused: no system has this key".to_owned(),
        format!("credential from 127.0.0.1 refused: system {} is suspended", suspended.id),
    ] {
        assert_eventually("the refusal is logged", TIMEOUT, || server.log().contains(&line));
        assert_eq!(server.log().matches(&line).count(), 1, "{line}");
    }
    assert!(!server.log().contains("guessed"));
}
