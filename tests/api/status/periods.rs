//! The period in force: the system's own, its organization's, or the default of the service.

use super::status;
use crate::harness::{Server, System, TIMEOUT, assert_eventually};

fn in_force(server: &Server, system: &System) -> String {
    let both = "concat_ws(' ', extract(epoch FROM backup_period_in_force)::bigint, \
         extract(epoch FROM contact_period_in_force)::bigint)";
    server.db.one(&format!("SELECT {both} FROM systems WHERE id = '{}'", system.id))
}

#[test]
fn own_period_is_before_the_organizations_and_that_before_the_default() {
    let server = Server::builder().set("BACKUP_PERIOD", "2h").start();
    let (system, sibling) = (server.system(), server.system());
    let set = |sql: &str| server.db.execute(sql);
    assert_eq!(in_force(&server, &system), "7200");
    set(&format!(
        "UPDATE organizations SET backup_period = '3 hours', contact_period = '5 minutes' WHERE id = '{}'",
        system.org
    ));
    assert_eq!(in_force(&server, &system), "10800 300");
    assert_eq!(in_force(&server, &sibling), "7200", "of another organization");
    let added = server.add_system(&system.org, "added later");
    assert_eq!(in_force(&server, &added), "10800 300");
    set(&format!(
        "UPDATE systems SET backup_period = '4 hours', contact_period = '6 minutes' WHERE id = '{}'",
        system.id
    ));
    assert_eq!(in_force(&server, &system), "14400 360");
    set("UPDATE organizations SET backup_period = NULL, contact_period = NULL");
    assert_eq!((in_force(&server, &system), in_force(&server, &added)), ("14400 360".into(), "7200".into()));
    set("UPDATE systems SET backup_period = NULL, contact_period = NULL");
    assert_eq!(in_force(&server, &system), "7200");
    server.cli(["audit"]).exits(0);
}

#[test]
fn new_default_of_the_service_reaches_every_system_that_inherits_it() {
    let server = Server::start();
    let (system, own) = (server.system(), server.system());
    server.store(&system, b"x");
    assert_eq!(in_force(&server, &system), "93600");
    server.db.execute(&format!("UPDATE systems SET backup_period = '1 hour' WHERE id = '{}'", own.id));
    server.db.execute("UPDATE backups SET uploaded_at = now() - interval '10 hours'");
    assert_eq!(status(&server, &system), "fresh");
    let other = server.sibling_with("BACKUP_PERIOD", "9h");
    assert_eq!((in_force(&other, &system), in_force(&other, &own)), ("32400".into(), "3600".into()));
    assert_eq!(status(&other, &system), "late");
    other.cli(["audit"]).exits(0);
}

#[test]
fn period_of_a_large_organization_is_passed_on_some_systems_at_a_time() {
    let server = Server::start();
    let system = server.system();
    server.store(&system, b"x");
    server.db.execute(&format!(
        "INSERT INTO systems (id, system_key, org_id, name, secret_sha256)
         SELECT gen_random_uuid(), 'key-' || n, '{}', 'fw', sha256('x') FROM generate_series(1, 2500) n;
         UPDATE systems SET backup_period = '1 hour' WHERE system_key = 'key-1'",
        system.org
    ));
    // Nothing else waits for a change of the organization, or for its systems.
    server.cli(["org", "set-period", &system.org, "--backup", "3h", "--contact", "5m"]).exits(0);
    server.cli(["audit"]).exits(0);
    let with = |periods: &str| {
        server.db.number(&format!(
            "SELECT count(*) FROM systems WHERE (backup_period_in_force, contact_period_in_force) = ({periods})"
        ))
    };
    assert_eventually("they have the new periods", TIMEOUT, || {
        (with("'3 hours', '5 minutes'"), with("'1 hour', '5 minutes'")) == (2500, 1)
    });
    let pending = "SELECT count(*) FROM organizations WHERE periods_pending";
    assert_eventually("nothing is left to be done", TIMEOUT, || server.db.number(pending) == 0);
    server.cli(["audit"]).exits(0);
    // Without a service that does it, they keep the old ones.
    server.stop_gracefully();
    server.cli(["org", "set-period", &system.org, "--backup", "4h"]).exits(0);
    assert_eq!((server.db.number(pending), with("'3 hours', '5 minutes'")), (1, 2500));
    server.cli(["audit"]).exits(0);
    let _other = server.sibling();
    assert_eventually("they have the new period", TIMEOUT, || with("'4 hours', '5 minutes'") == 2500);
}
