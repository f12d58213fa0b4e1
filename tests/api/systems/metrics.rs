//! The fleet in `/metrics`.

use super::{STATUSES, start_with_fleet};
use crate::harness::{LinkFault, Server, TIMEOUT, assert_eventually, sample};

#[test]
fn metrics_have_every_status_and_the_reasons_of_refusals() {
    let (_, server) = start_with_fleet(15);
    let metrics = server.metrics();
    for status in STATUSES {
        // The first of the fifteen is late, and so on; the fifteenth, too.
        let expected = if status == "late" { 15.0 } else { 10.0 };
        let found = sample(&metrics, &format!("strongroom_systems{{status=\"{status}\"}}"));
        assert!((found - expected).abs() < 0.1, "{status}: {found}");
    }
    assert!(metrics.contains("strongroom_systems_refused{reason=\"rate\"} 10"), "{metrics}");
    assert!(metrics.contains("strongroom_systems_refused{reason=\"quota\"} 0"), "{metrics}");
    server.db.execute("DELETE FROM systems");
    assert_eventually("the numbers are worked out again", TIMEOUT, || {
        let metrics = server.metrics();
        STATUSES
            .iter()
            .all(|status| metrics.contains(&format!("strongroom_systems{{status=\"{status}\"}} 0\n")))
    });
}

#[test]
fn scrapes_at_the_same_time_share_one_query() {
    let (_, server) = start_with_fleet(10);
    // A query would wait for this lock.
    server.db.execute("BEGIN; LOCK TABLE systems IN ACCESS EXCLUSIVE MODE");
    let waiting = || {
        crate::harness::Database::at(server.db.url()).number(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'strongroom' \
             AND wait_event_type = 'Lock' AND query LIKE '%system_status%'",
        )
    };
    let answers: Vec<String> = std::thread::scope(|scope| {
        let scrapes: Vec<_> = (0..8).map(|_| scope.spawn(|| server.metrics())).collect();
        assert_eventually("a query waits", TIMEOUT, || waiting() == 1);
        scrapes.into_iter().map(|scrape| scrape.join().expect("an answer")).collect()
    });
    assert!(waiting() <= 1);
    for metrics in answers {
        assert!(
            metrics.contains("strongroom_uploads_open 0") && !metrics.contains("strongroom_systems{"),
            "{metrics}"
        );
    }
    server.db.execute("ROLLBACK");
    assert_eventually("the numbers are back", TIMEOUT, || server.metrics().contains("strongroom_systems{"));
}

#[test]
fn metrics_without_the_database_leave_out_the_fleet() {
    let (link, server) = Server::on_a_link();
    server.system();
    assert_eventually("the fleet is counted anew", TIMEOUT, || {
        server.metrics().contains("strongroom_systems{status=\"never\"} 1")
    });
    for fault in [LinkFault::Refused, LinkFault::BlackHole] {
        link.inject(fault);
        assert_eventually("the numbers are left out", TIMEOUT, || {
            !server.metrics().contains("strongroom_systems{")
        });
        assert!(server.metrics().contains("strongroom_uploads_open 0"));
        link.repair();
        assert_eventually("the numbers are back", TIMEOUT, || {
            server.metrics().contains("strongroom_systems{status=\"never\"} 1")
        });
    }
}
