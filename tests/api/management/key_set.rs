//! The key set at an address: when it is fetched, and the answers to tokens while it cannot be.

use crate::harness::{
    Answer, Login, Provider, Server, SigningKey, TIMEOUT, assert_eventually, claims, key_set, plain_command,
    run,
};

fn list(server: &Server, system: &crate::harness::System, key: &SigningKey) -> Answer {
    let token = key.sign(&claims(&system.org, "backup:view"));
    server.manage("GET", &format!("/api/systems/{}/backups", system.id)).bearer(token).send()
}

#[test]
fn new_key_is_found_and_unknown_keys_cost_one_request_a_minute() {
    let (old, new) = (SigningKey::ec(), SigningKey::ec());
    let provider = Provider::new(&[&old]);
    let server = provider.server();
    let system = server.system();
    for _ in 0..5 {
        list(&server, &system, &old).status(200);
    }
    assert_eq!(provider.fetches(), 1, "a known key causes no request");
    provider.publish(&[&new]);
    list(&server, &system, &new).status(200);
    assert_eq!(provider.fetches(), 2);
    list(&server, &system, &old).is_bad_token();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| list(&server, &system, &SigningKey::ed()).is_bad_token());
        }
    });
    assert_eq!(provider.fetches(), 2, "invented keys cause no request within a minute");
    list(&server, &system, &new).status(200);
}

#[test]
fn many_tokens_with_a_new_key_cause_one_request() {
    let (old, new) = (SigningKey::rsa(), SigningKey::rsa());
    let provider = Provider::new(&[&old]);
    let server = provider.server();
    let system = server.system();
    provider.publish(&[&old, &new]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| list(&server, &system, &new).status(200));
        }
    });
    assert_eq!(provider.fetches(), 2);
}

#[test]
fn failing_provider_keeps_the_known_keys_and_is_not_asked_again_at_once() {
    type Spoil = fn(&Provider, &str, &Provider);
    // Each of these answers would be a valid key set without its fault.
    let sources: [(&str, Spoil); 8] = [
        ("it is gone", |provider, _, _| provider.set_open(false)),
        ("it fails", |provider, set, _| provider.answer("500 Oh", "", set)),
        ("it says nonsense", |provider, set, _| provider.answer("200 OK", "", &set.replace(':', ";"))),
        ("it has no key", |provider, _, _| provider.answer("200 OK", "", r#"{"keys": []}"#)),
        ("it is huge", |provider, set, _| {
            provider.answer("200 OK", "", &format!("{set}{}", " ".repeat(1 << 20)));
        }),
        ("it stops in the middle", |provider, set, _| provider.stall_after(set)),
        ("it is compressed", |provider, set, _| {
            provider.answer("200 OK", "Content-Encoding: gzip\r\n", set);
        }),
        ("it points elsewhere", |provider, set, elsewhere| {
            provider.answer("302 Found", &format!("Location: {}\r\n", elsewhere.url()), set);
        }),
    ];
    for (what, spoil) in sources {
        let (key, new) = (SigningKey::ed(), SigningKey::ed());
        let (provider, elsewhere) = (Provider::new(&[&key]), Provider::new(&[&new]));
        let server = provider.server();
        let system = server.system();
        list(&server, &system, &key).status(200);
        spoil(&provider, &key_set(&[&new]), &elsewhere);
        list(&server, &system, &new).is_bad_token();
        assert_eventually(what, TIMEOUT, || server.log().contains("token keys: read http://"));
        let asked = provider.fetches();
        list(&server, &system, &new).is_bad_token();
        assert_eq!((provider.fetches(), elsewhere.fetches()), (asked, 0), "{what}");
        list(&server, &system, &key).status(200);
    }
}

#[test]
fn hanging_provider_delays_only_tokens_with_unknown_keys_and_only_for_seconds() {
    // Whether tokens with known keys were answered before the one with an unknown key. The fetch has a timeout
    // of five seconds.
    let known_is_first = || {
        let key = SigningKey::ed();
        let provider = Provider::new(&[&key]);
        let server = provider.server();
        let system = server.system();
        provider.hang();
        std::thread::scope(|scope| {
            let unknown = scope.spawn(|| list(&server, &system, &SigningKey::ed()));
            assert_eventually("the fetch has begun", TIMEOUT, || provider.fetches() == 2);
            for _ in 0..3 {
                list(&server, &system, &key).status(200);
            }
            let first = !unknown.is_finished();
            assert_eventually("the unknown one is answered", TIMEOUT, || unknown.is_finished());
            unknown.join().expect("an answer").is_bad_token();
            first
        })
    };
    // A busy machine can only delay the known ones.
    assert!((0..3).any(|_| known_is_first()), "the known key waited for the unknown one");
}

#[test]
fn server_starts_without_its_provider_and_accepts_tokens_once_it_answers() {
    let key = SigningKey::ed();
    let provider = Provider::new(&[&key]);
    provider.set_open(false);
    let server = provider.server();
    assert!(server.log().contains("token keys: read http://"), "one line says so: {}", server.log());
    assert!(server.log().contains("; no keys yet, every token is answered 503"), "{}", server.log());
    let system = server.system();
    // Without any keys, a valid token cannot be distinguished from an invalid one; what cannot be a token is
    // refused.
    let nonsense = server.manage("GET", &format!("/api/systems/{}/backups", system.id)).bearer("x.y.z");
    nonsense.send().is_bad_token();
    // An early token and the lack of keys do not delay the fetch.
    list(&server, &system, &key).is_unavailable();
    provider.set_open(true);
    assert_eventually("the keys are fetched without a request", TIMEOUT, || provider.fetches() > 0);
    assert_eventually("tokens are accepted", TIMEOUT, || {
        let token = key.sign(&claims(&system.org, "backup:view"));
        let path = format!("/api/systems/{}/backups", system.id);
        server.manage("GET", &path).bearer(token).send().status == 200
    });
}

#[test]
fn valid_token_without_any_key_set_is_503() {
    let key = SigningKey::ed();
    let provider = Provider::new(&[&key]);
    provider.set_open(false);
    let server = provider.server();
    let system = server.system();
    list(&server, &system, &key).is_unavailable();
    let token = key.sign(&claims(&system.org, "backup:view"));
    let site = server.manage("GET", &format!("/backup/{}", system.id)).bearer(token).send();
    site.is_gateway_error(500, "service_unavailable", &server.management_url(""));
    assert_eq!(provider.fetches(), 0);
}

#[test]
fn key_file_is_read_again_for_an_unknown_key() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    assert_eventually("the keys are read", TIMEOUT, || server.log().contains("token keys: 1 read"));
    let system = server.system();
    list(&server, &system, &login.key).status(200);
    let new = SigningKey::rsa();
    login.publish(&key_set(&[&login.key, &new]));
    list(&server, &system, &new).status(200);
    list(&server, &system, &login.key).status(200);
}

#[test]
fn key_without_an_id_can_be_replaced() {
    let (old, new) = (SigningKey::ec(), SigningKey::ec());
    let nameless = |key: &SigningKey| {
        let mut jwk = key.jwk();
        jwk.as_object_mut().expect("an object").remove("kid");
        serde_json::json!({ "keys": [jwk] }).to_string()
    };
    let login = Login::new();
    login.publish(&nameless(&old));
    let server = Server::builder().login(&login).start();
    assert_eventually("the keys are read", TIMEOUT, || server.log().contains("token keys: 1 read"));
    let system = server.system();
    let ask = |key: &SigningKey| {
        let token =
            key.sign_with(&serde_json::json!({ "alg": "ES256" }), &claims(&system.org, "backup:view"));
        server.manage("GET", &format!("/api/systems/{}/backups", system.id)).bearer(token).send()
    };
    ask(&old).status(200);
    login.publish(&nameless(&new));
    ask(&new).status(200);
    ask(&old).is_bad_token();
}

#[test]
fn unusable_key_file_stops_the_start() {
    let login = Login::new();
    let files =
        [("/nonexistent/keys.json".to_owned(), "{}"), (login.file().display().to_string(), "{\"keys\": []}")];
    for (file, text) in files {
        login.publish(text);
        let mut command = plain_command();
        command.arg("serve").env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
        command.env("LISTEN_ADDRESS", "127.0.0.1:0").env("MANAGEMENT_LISTEN_ADDRESS", "127.0.0.1:0");
        command.env("JWT_JWKS_FILE", file).env("JWT_ISSUER", "me").env("JWT_AUDIENCE", "us");
        let stopped = run(&mut command).exits(2);
        assert!(stopped.stderr.contains("JWT_JWKS_FILE"), "{stopped:?}");
    }
}
