//! Guessed credentials: their cost, their effect on other clients (none), and their log lines.

use std::time::{Duration, Instant};

use crate::harness::{Answer, BACKUPS, Server, TIMEOUT, assert_eventually, base64};

/// Sends a request as a trusted proxy would, from this address.
fn from(server: &Server, address: &str, key: &str, secret: &str) -> Answer {
    let credential = format!("Basic {}", base64(format!("{key}:{secret}").as_bytes()));
    let request = server.get(BACKUPS).header("x-forwarded-for", address);
    request.header("authorization", credential).send()
}

/// Sends this many guesses from this address, some at a time.
fn guess(server: &Server, address: &str, name: impl Fn(usize) -> String + Sync, times: usize) {
    const AT_ONCE: usize = 60;
    std::thread::scope(|scope| {
        for part in 0..AT_ONCE {
            let name = &name;
            scope.spawn(move || {
                for n in (part..times).step_by(AT_ONCE) {
                    from(server, address, &name(n), "wrong").is_invalid_token();
                }
            });
        }
    });
}

fn behind_a_proxy() -> Server {
    Server::with([("TRUSTED_PROXIES", "127.0.0.0/8")])
}

/// Returns how many minutes have begun since `start`; guesses are counted anew in each minute.
fn minutes_since(start: Instant) -> i64 {
    i64::try_from(start.elapsed().as_secs() / 60).expect("a short time") + 1
}

/// Returns the number of log lines about guesses from this address.
fn logged_guesses(server: &Server, address: &str) -> i64 {
    let says = format!("too many wrong credentials from {address}");
    i64::try_from(server.log().lines().filter(|line| line.contains(&says)).count()).expect("a few")
}

#[test]
fn guesses_of_random_keys_beyond_the_limit_cost_no_query_each() {
    let server = Server::start();
    let before = server.db.transactions();
    let start = Instant::now();
    guess(&server, "", |n| format!("name-{n}"), 2000);
    assert!(server.stop_gracefully().success());
    server.db.wait_until_alone();
    let cost = server.db.transactions() - before;
    assert!(cost >= 300, "the first ones are looked up: {cost}");
    let most = 700 * minutes_since(start);
    assert!(cost < most, "{cost} transactions for 2000 guesses, and not {most}");
}

#[test]
fn right_secret_is_accepted_from_an_address_that_guesses() {
    let server = behind_a_proxy();
    let (system, other) = (server.system(), server.system());
    let start = Instant::now();
    guess(&server, "192.0.2.1", |n| format!("name-{n}"), 400);
    guess(&server, "192.0.2.1", |_| system.key.clone(), 100);
    std::thread::scope(|scope| {
        scope.spawn(|| guess(&server, "192.0.2.1", |n| format!("name-{n}"), 300));
        for _ in 0..5 {
            for system in [&system, &other] {
                from(&server, "192.0.2.1", &system.key, &system.secret).status(200);
            }
        }
    });
    assert_eventually("the guesses are logged", TIMEOUT, || logged_guesses(&server, "192.0.2.1") > 0);
    assert!(logged_guesses(&server, "192.0.2.1") <= minutes_since(start), "more than once a minute");
}

#[test]
fn guesses_count_for_a_client_whose_port_the_proxy_writes_and_not_for_the_proxy() {
    let server = behind_a_proxy();
    guess(&server, "192.0.2.1:4711", |n| format!("name-{n}"), 330);
    guess(&server, "[2001:db8::1]:4711", |n| format!("name-{n}"), 330);
    assert_eventually("the guesses are logged", TIMEOUT, || {
        logged_guesses(&server, "192.0.2.1") > 0 && logged_guesses(&server, "2001:db8::") > 0
    });
    assert_eq!(logged_guesses(&server, "127.0.0.1"), 0);
}

#[test]
fn credential_changes_apply_to_an_address_that_guesses() {
    let server = behind_a_proxy();
    let address = "192.0.2.1";
    guess(&server, address, |n| format!("name-{n}"), 330);
    let system = server.system();
    from(&server, address, &system.key, &system.secret).status(200);
    server.cli(["system", "suspend", &system.key]).exits(0);
    assert_eventually("refused", Duration::from_secs(2), || {
        from(&server, address, &system.key, &system.secret).status == 401
    });
    server.cli(["system", "resume", &system.key]).exits(0);
    from(&server, address, &system.key, &system.secret).status(200);
}

#[test]
fn a_fleet_behind_one_address_does_not_count_as_guessing() {
    let server = behind_a_proxy();
    server.add_org("fleet", None);
    server.db.execute(
        "INSERT INTO systems (id, system_key, org_id, name, secret_sha256)
         SELECT gen_random_uuid(), 'fw-' || n, 'fleet', 'fw', sha256('the same everywhere')
         FROM generate_series(0, 399) n",
    );
    std::thread::scope(|scope| {
        for part in 0..40 {
            let server = &server;
            scope.spawn(move || {
                for n in (part..400).step_by(40) {
                    from(server, "192.0.2.1", &format!("fw-{n}"), "the same everywhere").status(200);
                }
            });
        }
    });
    for n in 0..20 {
        from(&server, "192.0.2.1", &format!("fw-{n}"), "wrong").is_invalid_token();
    }
    assert_eq!(logged_guesses(&server, "192.0.2.1"), 0);
}

#[test]
fn wrong_credential_takes_as_long_for_a_known_key_as_for_an_unknown_one() {
    let server = Server::start();
    let system = server.system();
    server.get(BACKUPS).user(&system).send().status(200);
    for key in [system.key.as_str(), "nobody", system.key.as_str(), "nobody"] {
        let start = Instant::now();
        from(&server, "", key, "wrong").is_invalid_token();
        assert!(start.elapsed() >= Duration::from_millis(50), "{key}: {:?}", start.elapsed());
    }
}

#[test]
fn guessing_address_is_logged_once_and_without_its_guesses() {
    let server = behind_a_proxy();
    let start = Instant::now();
    guess(&server, "192.0.2.1", |_| "fw-guessed".to_owned(), 100);
    guess(&server, "192.0.2.2", |_| "fw-guessed".to_owned(), 29);
    guess(&server, "192.0.2.1", |_| "fw-another".to_owned(), 100);
    guess(&server, "2001:db8::1", |_| "fw-guessed".to_owned(), 20);
    guess(&server, "2001:db8::2", |_| "fw-guessed".to_owned(), 20);
    // The log is in order and a little late: wait for the last line.
    assert_eventually("the guesses of one network are logged", TIMEOUT, || {
        logged_guesses(&server, "2001:db8::/64") == 1
    });
    assert!((1..=minutes_since(start)).contains(&logged_guesses(&server, "192.0.2.1")), "one line a minute");
    assert_eq!(logged_guesses(&server, "192.0.2.2"), 0, "too few guesses for a line");
    assert_eq!(logged_guesses(&server, "127."), 0, "the proxy does not guess");
    assert!(!server.log().contains("guessed") && !server.log().contains("wrong:"));
}

#[test]
fn outage_is_503_also_for_an_address_that_guesses() {
    let server = behind_a_proxy();
    let system = server.system();
    guess(&server, "192.0.2.1", |_| system.key.clone(), 40);
    server.db.refuse_connections();
    from(&server, "192.0.2.1", &system.key, "wrong").is_unavailable();
    server.db.accept_connections();
    from(&server, "192.0.2.1", &system.key, &system.secret).status(200);
}
