//! `GET /metrics` of the management API.

use crate::harness::{
    BACKUPS, Login, RawClient, Server, TIMEOUT, assert_eventually, bare_head, bytes, sample,
};

/// A request is counted when its answer is sent, which the client may see a moment before.
#[track_caller]
fn becomes(server: &Server, name: &str, expected: f64) {
    let mut last = String::new();
    let reached = crate::harness::eventually(TIMEOUT, || {
        last = server.metrics();
        (sample(&last, name) - expected).abs() < 0.5
    });
    assert!(reached, "{name} is not {expected}: {last}");
}

#[test]
fn metrics_count_requests_bytes_refusals_batches_and_store_operations() {
    let server = Server::with([("BACKUP_RATE_LIMIT_PER_MINUTE", "2"), ("BACKUP_MAX_UPLOAD_SIZE", "500000")]);
    let system = server.system();
    let id = server.store(&system, &bytes(300_000));
    server.upload(&system).chunked(bytes(1000)).send().status(201);
    server.upload(&system).chunked(bytes(10)).send().is_rate_limited();
    server.put(&system, &bytes(500_001)).is_over_size(500_000);
    server.fetch(&system, &id).send().status(200);
    server.get("/api/systems/nothing").send().status(404);
    let mut raw = RawClient::to(&server);
    raw.send("FETCH /api/health HTTP/1.1\r\nHost: x\r\n\r\n");
    raw.answer().status(405);

    let posts = r#"api="collect",method="POST",route="/api/systems/backups""#;
    becomes(&server, &format!(r#"strongroom_http_requests_total{{{posts},status="201"}}"#), 2.0);
    becomes(&server, &format!(r#"strongroom_http_requests_total{{{posts},status="429"}}"#), 1.0);
    becomes(&server, &format!(r#"strongroom_http_requests_total{{{posts},status="413"}}"#), 1.0);
    becomes(&server, &format!(r#"strongroom_http_request_seconds_count{{{posts},status="201"}}"#), 2.0);
    let download = r#"api="collect",method="GET",route="/api/systems/backups/{id}",status="200""#;
    becomes(&server, &format!("strongroom_http_requests_total{{{download}}}"), 1.0);
    becomes(&server, &format!("strongroom_http_sent_bytes_total{{{download}}}"), 300_000.0);
    let unknown = r#"api="collect",method="GET",route="none",status="404""#;
    becomes(&server, &format!("strongroom_http_requests_total{{{unknown}}}"), 1.0);
    let odd = r#"api="collect",method="other",route="/api/health",status="405""#;
    becomes(&server, &format!("strongroom_http_requests_total{{{odd}}}"), 1.0);
    becomes(&server, r#"strongroom_refusals_total{reason="rate"}"#, 1.0);
    becomes(&server, r#"strongroom_refusals_total{reason="size"}"#, 1.0);
    becomes(&server, r#"strongroom_store_seconds_count{operation="put"}"#, 2.0);
    becomes(&server, r#"strongroom_store_seconds_count{operation="get"}"#, 1.0);

    let metrics = server.metrics();
    let received = sample(&metrics, &format!("strongroom_http_received_bytes_total{{{posts}}}"));
    // The bytes that are drained after a refusal count, too.
    assert!((301_000.0..=301_000.0 + 10.0 + 500_001.0).contains(&received), "{received}");
    assert!(
        sample(&metrics, "strongroom_batch_items_count") >= 4.0,
        "two admissions, two commits: {metrics}"
    );
    assert!(sample(&metrics, r#"strongroom_batch_seconds_count{result="done"}"#) >= 4.0, "{metrics}");
    assert!(sample(&metrics, "process_resident_memory_bytes") > 1e6, "{metrics}");
    assert_eq!(metrics.matches("strongroom_store_errors_total{").count(), 0, "{metrics}");
    for lane in ["accounting", "reads", "fleet", "tasks"] {
        let used = format!("strongroom_database_connections_used{{lane=\"{lane}\"}} ");
        assert!(metrics.contains(&used), "{used}: {metrics}");
    }
    for name in [&id, &system.id, &system.key, &system.org] {
        assert!(!metrics.contains(name.as_str()), "{name} in {metrics}");
    }
}

#[test]
fn metrics_show_uploads_under_way() {
    let server = Server::unlimited();
    let system = server.system();
    becomes(&server, "strongroom_uploads_open", 0.0);
    let mut raw = RawClient::upload(&server, &system, &["Content-Length: 1000"]);
    raw.send(bytes(10));
    assert_eventually("it was admitted", TIMEOUT, || server.receiving() == 1);
    becomes(&server, "strongroom_uploads_open", 1.0);
    raw.send(bytes(990));
    becomes(&server, "strongroom_uploads_open", 0.0);
}

#[test]
fn metrics_show_waiting_systems() {
    let server = Server::start();
    let (one, other) = (server.system(), server.system());
    let mut waiting = [&one, &one, &other].map(|system| server.waiting(system, 60));
    becomes(&server, "strongroom_systems_waiting", 2.0);
    server.request_backup(&one);
    server.request_backup(&other);
    for raw in &mut waiting {
        raw.answer().status(200);
    }
    becomes(&server, "strongroom_systems_waiting", 0.0);
}

#[test]
fn metrics_count_store_errors() {
    let server = Server::unlimited();
    let system = server.system();
    let id = server.store(&system, &bytes(1000));
    let folder = server.store.path();
    if crate::harness::on_s3() {
        return; // The fault suite can make an engine fail.
    }
    server.skip_comparison();
    std::fs::rename(&folder, folder.with_extension("away")).expect("take it away");
    server.put(&system, &bytes(1000)).status(503);
    server.fetch(&system, &id).send().status(503);
    becomes(&server, r#"strongroom_store_errors_total{operation="put"}"#, 1.0);
    std::fs::rename(folder.with_extension("away"), &folder).expect("bring it back");
}

#[test]
fn metrics_through_a_proxy_need_an_admin_token() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    for name in ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"] {
        let scrape = || server.manage("GET", "/metrics").header(name, "192.0.2.1");
        scrape().send().status(401);
        scrape().bearer(login.token("acme", "backup:view backup:create backup:delete")).send().status(403);
        let admin = scrape().bearer(login.token("acme", "backup:admin")).send().status(200);
        assert!(String::from_utf8_lossy(&admin.body).contains("process_resident_memory_bytes"));
    }
    server.get("/metrics").send().status(404);
    server.get(BACKUPS).send().status(401);
}

#[test]
fn metrics_for_a_foreign_host_name_need_a_token() {
    let server = Server::with([("MANAGEMENT_PUBLIC_URL", "https://manage.example")]);
    let status = |target: &str, host: &str| {
        let mut raw = RawClient::to_management(&server);
        raw.send(bare_head("GET", target, &[]).replace("vault.example", host));
        raw.answer().status
    };
    let own = server.management_url("").replace("http://", "");
    for host in [own.as_str(), "127.0.0.1:8082", "localhost:8082", "LOCALHOST", "[::1]:8082", "127.0.0.1"] {
        assert_eq!(status("/metrics", host), 200, "{host}");
    }
    for host in [
        "evil.example:8082",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "manage.example",
        "10.0.0.1:8082",
        "localhost\r\nHost: evil.example",
    ] {
        assert!([400, 401].contains(&status("/metrics", host)), "{host}");
    }
    assert_eq!(status("http://evil.example/metrics", "localhost"), 401);
    let mut raw = RawClient::to_management(&server);
    raw.send("GET /metrics HTTP/1.0\r\n\r\n");
    raw.answer().status(401);
}
