//! A Postgres that hangs: every request is answered, and a locked organization delays no other.

use std::time::{Duration, Instant};

use crate::harness::{BACKUPS, Server, TIMEOUT, assert_eventually, wait_for};

/// How soon a client must have its answer after its last byte, and time for a busy machine.
const ANSWERED: Duration = Duration::from_secs(33);

#[test]
fn locked_organizations_do_not_delay_another() {
    // A high rate limit: without any, no slots would be counted. One backup for each system: an upload prunes a locked one.
    let server = Server::with([("BACKUP_RATE_LIMIT_PER_MINUTE", "600"), ("BACKUP_MAX_PER_SYSTEM", "1")]);
    let free = server.system();
    // More than there are connections.
    let stuck: Vec<_> = (0..9).map(|_| server.system()).collect();
    server.db.execute("BEGIN");
    for (system, kind) in stuck.iter().zip((0..3).cycle()) {
        server.store(system, b"x");
        let row = match kind {
            0 => format!("org_usage WHERE org_id = '{}'", system.org),
            1 => format!("systems WHERE id = '{}'", system.id),
            _ => format!("backups WHERE system_id = '{}'", system.id),
        };
        server.db.execute(&format!("SELECT FROM {row} FOR UPDATE"));
    }
    // Returns the longest time that a request of the unlocked system took meanwhile.
    let longest_delay = || {
        std::thread::scope(|scope| {
            let start = Instant::now();
            let waiting: Vec<_> =
                stuck.iter().map(|system| scope.spawn(|| server.put(system, b"x"))).collect();
            let took = (0..3).map(|_| {
                let start = Instant::now();
                server.store(&free, b"x");
                server.get(BACKUPS).user(&free).send().status(200);
                start.elapsed()
            });
            let longest = took.max().unwrap_or_default();
            for upload in waiting {
                upload.join().expect("an answer").is_unavailable();
            }
            assert!(start.elapsed() < ANSWERED, "answered after {:?}", start.elapsed());
            longest
        })
    };
    // A busy machine can only make it longer.
    assert!((0..3).any(|_| longest_delay() < Duration::from_secs(5)), "delayed");
    server.db.execute("ROLLBACK");
    for system in &stuck {
        assert_eventually("the process works again", TIMEOUT, || server.put(system, b"x").status == 201);
        assert_eventually("refused uploads use no slot", TIMEOUT, || server.slots_used(system) == 2);
    }
}

#[test]
fn short_wait_for_a_lock_is_not_refused() {
    let server = Server::start();
    let system = server.system();
    server.db.execute(&format!("BEGIN; SELECT FROM org_usage WHERE org_id = '{}' FOR UPDATE", system.org));
    std::thread::scope(|scope| {
        let upload = scope.spawn(|| server.put(&system, b"x"));
        wait_for(Duration::from_secs(1));
        server.db.execute("ROLLBACK");
        upload.join().expect("an answer").id();
    });
}

#[test]
fn requests_behind_a_locked_table_are_503_with_retry_after() {
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, b"x");
    server.db.execute("BEGIN; LOCK TABLE backups IN ACCESS EXCLUSIVE MODE");
    let start = Instant::now();
    std::thread::scope(|scope| {
        let answers = [
            scope.spawn(|| server.put(&system, b"y")),
            scope.spawn(|| server.get(BACKUPS).user(&system).send()),
            scope.spawn(|| server.fetch(&system, &id).send()),
            scope.spawn(|| server.delete(&system, &id)),
        ];
        server.get("/api/health/live").send().status(200);
        for answer in answers {
            answer.join().expect("an answer").is_unavailable();
        }
    });
    assert!(start.elapsed() < ANSWERED, "answered after {:?}", start.elapsed());
    server.db.execute("ROLLBACK");
    assert_eventually("the process works again", TIMEOUT, || server.put(&system, b"y").status == 201);
    server.fetch(&system, &id).send().status(200);
}
