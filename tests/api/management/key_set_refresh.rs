//! When the key set is fetched again, which requests wait for it, and how it is requested.

use crate::harness::{
    Answer, Provider, Server, SigningKey, System, TIMEOUT, assert_eventually, claims, token,
};

fn list(server: &Server, system: &System, token: &str) -> Answer {
    server.manage("GET", &format!("/api/systems/{}/backups", system.id)).bearer(token).send()
}

fn good(system: &System, key: &SigningKey) -> String {
    key.sign(&claims(&system.org, "backup:view"))
}

#[test]
fn key_with_a_reused_id_is_found_and_forged_signatures_cost_one_request_a_minute() {
    let (old, mut new) = (SigningKey::ec(), SigningKey::ec());
    new.kid.clone_from(&old.kid);
    let provider = Provider::new(&[&old]);
    let server = provider.server();
    let system = server.system();
    list(&server, &system, &good(&system, &old)).status(200);
    assert_eq!(provider.fetches(), 1);
    provider.publish(&[&new]);
    list(&server, &system, &good(&system, &new)).status(200);
    assert_eq!(provider.fetches(), 2);
    let forged = token(&old.header(), &claims(&system.org, "backup:view"), |_| vec![1; 64]);
    for bad in [&good(&system, &old), &forged, &forged] {
        list(&server, &system, bad).is_bad_token();
    }
    assert_eq!(provider.fetches(), 2, "forged signatures cause no request within a minute");
}

#[test]
fn invalid_claims_with_a_valid_signature_cause_no_request_for_keys() {
    let key = SigningKey::ec();
    let provider = Provider::new(&[&key]);
    let server = provider.server();
    let system = server.system();
    let mut expired = claims(&system.org, "backup:view");
    expired["exp"] = serde_json::json!(1);
    list(&server, &system, &key.sign(&expired)).is_bad_token();
    list(&server, &system, "x.y.z").is_bad_token();
    assert_eq!(provider.fetches(), 1);
}

#[test]
fn request_waits_for_at_most_one_refresh_of_a_hanging_provider() {
    const TOKENS: usize = 8;
    let key = SigningKey::ed();
    let provider = Provider::new(&[&key]);
    provider.set_open(false);
    // The log line about the failure shows that the first fetch is over.
    let server = provider.server();
    let system = server.system();
    provider.hang();
    provider.set_open(true);
    let readings = || {
        let before = provider.fetches();
        std::thread::scope(|scope| {
            for _ in 0..TOKENS {
                scope.spawn(|| list(&server, &system, &good(&system, &SigningKey::ed())).is_unavailable());
            }
        });
        provider.fetches() - before
    };
    // On a busy machine some tokens may be late; these wait for another fetch.
    let several: Vec<_> = std::iter::repeat_with(readings).take(3).collect();
    assert!(several.iter().any(|count| *count <= TOKENS / 2), "each waited for its own: {several:?}");
}

#[test]
fn tokens_with_known_keys_do_not_wait_for_a_refresh() {
    // Whether tokens with known keys were answered before all others. The fetch has a timeout of five seconds.
    let known_are_first = || {
        let key = SigningKey::rsa();
        let provider = Provider::new(&[&key]);
        let server = provider.server();
        let system = server.system();
        provider.hang();
        let asked = std::thread::scope(|scope| {
            let unknown: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| list(&server, &system, &good(&system, &SigningKey::ed())).is_bad_token())
                })
                .collect();
            assert_eventually("the fetch has begun", TIMEOUT, || provider.fetches() == 2);
            for _ in 0..3 {
                list(&server, &system, &good(&system, &key)).status(200);
            }
            let first = unknown.iter().all(|waiting| !waiting.is_finished());
            for waiting in unknown {
                waiting.join().expect("an answer");
            }
            first
        });
        assert_eq!(provider.fetches(), 2, "one reading for all, and none within a minute of its end");
        asked
    };
    assert!((0..3).any(|_| known_are_first()), "the known key waited for unknown ones");
}

#[test]
fn request_for_keys_has_a_user_agent_and_uses_no_proxy() {
    let key = SigningKey::ed();
    let provider = Provider::new(&[&key]);
    // A proxy that does not exist.
    let server = provider.settings(Server::builder()).set("http_proxy", "http://127.0.0.1:1").start();
    let said = |line: &str| line.contains("WARN") && line.contains("http_proxy is set and not used");
    assert_eventually("the log has the warning", TIMEOUT, || server.log().lines().any(said));
    let system = server.system();
    list(&server, &system, &good(&system, &key)).status(200);
    let head = provider.last_head();
    let agent = format!("user-agent: strongroom/{}\r\n", env!("CARGO_PKG_VERSION"));
    assert!(head.contains(&agent) && head.contains("accept-encoding: identity\r\n"), "{head}");
    drop(server);
    let builder = provider.settings(Server::builder());
    let server = builder.set("http_proxy", "http://127.0.0.1:1").set("NO_PROXY", "127.0.0.1").start();
    assert_eventually("the keys are read", TIMEOUT, || server.log().contains("token keys: 1 read"));
    assert!(!server.log().contains("http_proxy"), "{}", server.log());
}

#[test]
fn query_string_of_the_key_set_url_is_not_logged() {
    let key = SigningKey::ed();
    let provider = Provider::new(&[&key]);
    let url = format!("{}?code=mrs-key", provider.url());
    let server = provider.settings(Server::builder()).set("JWT_JWKS_URL", url).start();
    assert_eventually("the keys are read", TIMEOUT, || server.log().contains("token keys: 1 read"));
    assert!(provider.last_head().contains("get /keys?code=mrs-key "));
    assert!(!server.log().contains("mrs-key"), "{}", server.log());
}
