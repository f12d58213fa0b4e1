//! The management API during an outage of the database or the store: the caller gets a 5xx, never a 4xx.

use crate::harness::{Answer, LinkFault, Login, PostgresLink, Server, TIMEOUT, assert_eventually};

#[test]
fn without_postgres_api_routes_are_503_and_gateway_routes_are_500() {
    let login = Login::new();
    let database = std::sync::Arc::new(crate::harness::Database::new());
    let link = PostgresLink::to(&database);
    let server = Server::builder()
        .database(&database)
        .set("DATABASE_URL", link.url())
        .no_rate_limit()
        .login(&login)
        .start();
    let system = server.system();
    let id = server.store(&system, b"x");
    let token = login.token(&system.org, "backup:view backup:create backup:delete");
    let list = format!("/api/systems/{}/backups", system.id);
    let site = format!("/backup/{}", system.id);
    let requests = format!("/api/systems/{}/requests", system.id);
    let far = forged_link(&id);
    for fault in [LinkFault::Refused, LinkFault::BlackHole] {
        link.inject(fault);
        let ask = |method: &str, path: &str| server.manage(method, path).bearer(&token).send();
        std::thread::scope(|scope| {
            let envelopes = [
                scope.spawn(|| ask("GET", &list)),
                scope.spawn(|| ask("GET", &format!("{list}/{id}/download"))),
                scope.spawn(|| ask("DELETE", &format!("{list}/{id}"))),
                scope.spawn(|| ask("GET", &far)),
                scope.spawn(|| ask("GET", &requests)),
                scope.spawn(|| ask("DELETE", &format!("{requests}/018f3a5c-7b1e-7c3d-9a2b-0123456789ab"))),
            ];
            let gateways: [_; 3] = [
                scope.spawn(|| ask("GET", &site)),
                scope.spawn(|| ask("POST", &site)),
                scope.spawn(|| {
                    server
                        .manage("GET", &format!("{site}/{id}"))
                        .bearer(&token)
                        .header("x-download", "true")
                        .send()
                }),
            ];
            for answer in envelopes {
                answer.join().expect("an answer").is_unavailable();
            }
            for answer in gateways {
                let answer: Answer = answer.join().expect("an answer");
                answer.is_gateway_error(500, "service_unavailable", &server.management_url(""));
            }
        });
        // A wrong token is refused without a database.
        server.manage("GET", &list).bearer("x.y.z").send().is_bad_token();
        link.repair();
        assert_eventually("the API works again", TIMEOUT, || ask("GET", &list).status == 200);
    }
    assert_eq!(server.ids(&system), [id]);
}

/// Returns an address with an invalid signature: the service can refuse it only when it has the key.
fn forged_link(id: &str) -> String {
    format!("/api/downloads/{id}?expires=9999999999&signature={}", "00".repeat(32))
}

#[test]
fn without_the_store_downloads_fail_and_lists_work() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let system = server.system();
    let id = server.store(&system, b"x");
    let token = login.token(&system.org, "backup:view");
    server.store.break_store();
    let list = format!("/api/systems/{}/backups", system.id);
    server.manage("GET", &list).bearer(&token).send().status(200);
    server.manage("GET", &format!("{list}/{id}/download")).bearer(&token).send().is_unavailable();
    let file = format!("/backup/{}/{id}", system.id);
    for header in ["x-download", "x-view"] {
        let answer = server.manage("GET", &file).bearer(&token).header(header, "true").send();
        answer.is_gateway_error(500, "service_unavailable", &server.management_url(""));
    }
    server.store.repair_store();
    server.manage("GET", &format!("{list}/{id}/download")).bearer(&token).send().status(200);
}
