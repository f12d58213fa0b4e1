//! Starting on a bucket: permanent errors end the start, and temporary ones are waited for.

use std::time::{Duration, Instant};

use crate::engine::{Bucket, Fault, Proxy};
use crate::harness::{Database, Server, TIMEOUT, assert_eventually, plain_command, run};

#[test]
fn refusing_bucket_stops_the_start_with_exit_code_3_and_one_line() {
    let (bucket, database) = (Bucket::new(), Database::new());
    for (name, value) in [
        ("BACKUP_S3_BUCKET", "no-such-bucket-either"),
        ("S3_SECRET_KEY", "not-the-right-secret"),
        ("S3_ACCESS_KEY", "GKffffffffffffffffffffffff"),
    ] {
        let mut command = plain_command();
        command.arg("serve").env("LISTEN_ADDRESS", "127.0.0.1:0").env("DATABASE_URL", database.url());
        command.env("MANAGEMENT_LISTEN_ADDRESS", "127.0.0.1:0");
        command.env("RUST_LOG", "error").envs(bucket.settings(&bucket.endpoint)).env(name, value);
        let stopped = run(&mut command).exits(3);
        assert_eq!(stopped.stderr.trim().lines().count(), 1, "{stopped:?}");
        assert!(!stopped.stderr.contains(&bucket.secret_key), "{stopped:?}");
        assert!(stopped.stderr.contains("BACKUP_S3_") || stopped.stderr.contains("S3_"), "{stopped:?}");
    }
}

#[test]
fn start_waits_for_an_unreachable_engine() {
    let bucket = Bucket::new();
    let link = Proxy::new(&bucket.endpoint);
    let endpoint = link.endpoint();
    for fault in [Fault::Refused, Fault::Error500, Fault::Garbage] {
        link.inject(fault, |_| true);
        let server = Server::builder().bucket(&bucket, &endpoint).unready().start();
        // The next server needs a database of its own.
        server.skip_comparison();
        let answer = server.get("/api/health").send().status(503);
        assert!(answer.data().to_string().contains("store"), "{answer}");
        link.repair();
        assert_eventually("healthy", TIMEOUT, || server.get("/api/health").send().status == 200);
        let system = server.system();
        server.store(&system, b"at last");
    }
}

#[test]
fn start_does_not_wait_for_lost_packets_to_the_engine() {
    let bucket = Bucket::new();
    // Returns the time from the engine's return until the start is done.
    let recovered_within = || {
        let link = Proxy::new(&bucket.endpoint);
        link.inject(Fault::PacketsLost, |_| true);
        std::thread::scope(|scope| {
            let repair = scope.spawn(|| {
                assert_eventually("the start has called the engine", TIMEOUT, || link.hits() > 0);
                link.repair();
                Instant::now()
            });
            let server = Server::builder().bucket(&bucket, &link.endpoint()).unready().start();
            // The server listens when it is ready, or after a long wait.
            let took = repair.join().expect("repaired").elapsed();
            server.skip_comparison();
            assert_eventually("healthy", TIMEOUT, || server.get("/api/health").send().status == 200);
            took
        })
    };
    // A busy machine can only make it longer. A start that waits for the swallowed connection needs five
    // seconds.
    assert!((0..5).any(|_| recovered_within() < Duration::from_secs(4)));
}

#[test]
fn unused_proxy_setting_for_the_engine_is_named() {
    let (bucket, database) = (Bucket::new(), Database::new());
    let scheme = if bucket.endpoint.starts_with("https") { "HTTPS_PROXY" } else { "http_proxy" };
    let mut command = plain_command();
    command.arg("serve").env("LISTEN_ADDRESS", "127.0.0.1:0").env("DATABASE_URL", database.url());
    command.env("MANAGEMENT_LISTEN_ADDRESS", "127.0.0.1:0").env(scheme, "http://127.0.0.1:1");
    // A missing bucket ends the start.
    command.envs(bucket.settings(&bucket.endpoint)).env("BACKUP_S3_BUCKET", "no-such-bucket-either");
    let stopped = run(&mut command).exits(3);
    assert!(stopped.stderr.contains(&format!("{scheme} is set and not used")), "{stopped:?}");
}
