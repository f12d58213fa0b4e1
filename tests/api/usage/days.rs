//! The days that are over are added up once, and can be rebuilt.

use super::{day, measure_yesterday, move_back, server, wait_for_days};
use crate::harness::{Login, bytes};

const NUMBERS: &str = "concat_ws(' ', org_id, uploads, refusals, failures, downloads, bytes_in)";

#[test]
fn every_day_that_is_over_is_added_up_once_and_one_that_is_measured_late_has_no_bytes() {
    let login = Login::new();
    let (server, [acme, north, _]) = server(&login);
    server.store(&acme, &bytes(100));
    server.store(&acme, &bytes(200));
    let id = server.store(&north, &bytes(1000));
    server.fetch(&north, &id).send().status(200);
    measure_yesterday(&server);
    move_back(&server, 3);
    let other = server.sibling();
    wait_for_days(&server, 3);
    let of = |ago: u32| {
        server.db.all(&format!(
            "SELECT {NUMBERS} FROM usage_days WHERE day = '{}' ORDER BY org_id",
            day(&server, ago)
        ))
    };
    assert_eq!(of(3), ["acme 2 0 0 0 300", "globex 0 0 0 0 0", "north 1 0 0 1 1000"]);
    assert_eq!(of(1), ["acme 0 0 0 0 0", "globex 0 0 0 0 0", "north 0 0 0 0 0"]);
    let measured = |ago: u32| {
        server.db.all(&format!(
            "SELECT concat_ws(' ', org_id, bytes_kept, systems, never, fresh) FROM usage_days WHERE day = '{}' ORDER BY 1",
            day(&server, ago)
        ))
    };
    assert_eq!(measured(1), ["acme 300 1 0 1", "globex 0 1 1 0", "north 1000 1 0 1"]);
    assert_eq!(measured(2), ["acme", "globex", "north"]);
    // What happens to the events afterwards changes nothing.
    server.db.execute("DELETE FROM backup_events");
    let _third = other.sibling();
    assert_eq!(of(3)[0], "acme 2 0 0 0 300");
}

#[test]
fn day_is_rebuilt_from_its_events_and_keeps_what_was_measured() {
    let login = Login::new();
    let (server, [acme, ..]) = server(&login);
    server.store(&acme, &bytes(100));
    move_back(&server, 1);
    let _other = server.sibling();
    wait_for_days(&server, 1);
    measure_yesterday(&server);
    let yesterday = day(&server, 1);
    server.db.execute("UPDATE usage_days SET uploads = 7, bytes_in = 7");
    // The history begins on that day: what was counted may have been more.
    let rebuild = ["usage", "rebuild", "--from", &yesterday, "--to", &yesterday];
    let row = &format!(
        "SELECT concat_ws(' ', uploads, bytes_in, bytes_kept, systems) FROM usage_days \
         WHERE org_id = 'acme' AND day = '{yesterday}'"
    );
    let refused = server.cli(rebuild).exits(1);
    assert!(refused.stderr.contains("no longer kept"), "{refused:?}");
    assert_eq!(server.db.one(row), "7 7 100 1");
    server.db.execute("UPDATE backup_events SET at = at - interval '2 days' WHERE kind = 'org_added'");
    server.cli(["usage", "rebuild", "--day", &yesterday]).exits(0).says("again");
    assert_eq!(server.db.one(row), "1 100 100 1");
    server.db.execute("DELETE FROM backup_events");
    server.cli(rebuild).exits(1);
    assert_eq!(server.db.one(row), "1 100 100 1");
    for (arguments, code, word) in [
        (vec!["usage", "rebuild"], 2, "--day"),
        (vec!["usage", "rebuild", "--day", "2020-01-01"], 1, "EVENTS_KEEP"),
        (vec!["usage", "rebuild", "--day", "2999-01-01"], 1, "the newest day that is over"),
    ] {
        let refused = crate::harness::run(server.command([]).args(arguments)).exits(code);
        assert!(refused.stderr.contains(word), "{refused:?}");
    }
}
