//! `strongroom system list`, `show` and `set-period`.

use serde_json::{Value, json};

use super::{STATUSES, start, start_with_fleet};
use crate::harness::Server;

fn keys(server: &Server, arguments: &[&str]) -> Vec<String> {
    let mut command = server.command(["system", "list", "--json"]);
    let listed = crate::harness::run(command.args(arguments)).exits(0).json();
    let listed = listed.as_array().expect("an array").clone();
    listed.iter().map(|system| system["system_key"].as_str().expect("a key").to_owned()).collect()
}

#[test]
fn list_is_in_the_order_of_organization_and_name_and_is_filtered() {
    // More than one page.
    let (_, server) = start_with_fleet(450);
    let sorted = |condition: &str| {
        server.db.all(&format!(
            "SELECT system_key FROM systems s, system_status(s, now()) AS now WHERE {condition} ORDER BY org_id, name, system_key"
        ))
    };
    assert_eq!(keys(&server, &[]), sorted("true"));
    assert_eq!(keys(&server, &["--status", "late,refused"]), sorted("now.status IN ('late', 'refused')"));
    assert_eq!(keys(&server, &["--org", "north"]), sorted("org_id = 'north'"));
    assert_eq!(keys(&server, &["--org", "north", "--tree"]), sorted("org_id IN ('north', 'deep')"));
    let both = ["--org", "top", "--tree", "--status", "never"];
    assert_eq!(keys(&server, &both), sorted("org_id <> 'other' AND now.status = 'never'"));
    assert_eq!(
        keys(&server, &["--org", "other", "--status", "fresh", "--status", "silent"]).len(),
        450 * 2 / 7
    );
    server.cli(["system", "list", "--status", "stored"]).exits(2);
    server.cli(["system", "list", "--tree"]).exits(2);
}

#[test]
fn list_shows_status_and_reason_and_its_json_keeps_its_members() {
    let (_, server) = start_with_fleet(7);
    let list = server.cli(["system", "list", "--org", "other"]).exits(0).stdout;
    let header = list.lines().next().expect("a header");
    for column in ["ORG", "NAME", "KEY", "STATUS", "BACKUPS", "BYTES", "LAST BACKUP", "REASON"] {
        assert!(header.contains(column), "{header}");
    }
    for (status, reason) in STATUSES.into_iter().zip([
        "it is suspended",
        "is damaged",
        "rate: an upload was over the rate limit",
        "nothing was ever stored",
        "not heard of since",
        "a backup was due",
        "",
    ]) {
        assert!(list.lines().any(|line| line.contains(status) && line.contains(reason)), "{status}: {list}");
    }
    let json = server.cli(["system", "list", "--org", "other", "--json"]).exits(0).json();
    for member in [
        "id",
        "system_key",
        "org_id",
        "name",
        "state",
        "created_at",
        "backups",
        "bytes",
        "last_backup_at",
        "status",
        "status_reason",
    ] {
        assert!(json[0].get(member).is_some(), "{member}: {json}");
    }
    let nothing =
        server.cli(["system", "list", "--org", "other", "--status", "late", "--json"]).exits(0).json();
    assert_eq!(nothing.as_array().map(Vec::len), Some(1));
    server.db.execute("DELETE FROM systems");
    assert_eq!(server.cli(["system", "list", "--json"]).exits(0).json(), json!([]));
    assert_eq!(server.cli(["system", "list"]).exits(0).stdout, "no systems\n");
}

#[test]
fn show_says_why_since_when_and_what_changes_the_status() {
    let (_, server) = start_with_fleet(7);
    for (n, status, changes) in [
        (1, "late: a backup was due", "when a backup or the report of an unchanged configuration comes"),
        (2, "never: nothing was ever stored", "when a backup is stored"),
        (3, "refused: rate: an upload was over the rate limit", "when a backup is stored"),
        (4, "suspended: it is suspended", "when it is resumed"),
        (5, "damaged: the newest backup", "when a backup is stored"),
        (6, "silent: not heard of since", "when it is heard of"),
        (7, "fresh: protected until", "unless a backup or the report of an unchanged configuration comes"),
    ] {
        let shown = server.cli(["system", "show", &format!("other-{n}")]).exits(0);
        shown.says(status);
        shown.says(changes);
        shown.says("backup period:");
        shown.says("26 hours (the default)");
    }
}

#[test]
fn periods_are_set_shown_and_recorded() {
    let (_, server) = start();
    let system = server.system();
    let set = |arguments: &[&str]| {
        let mut command = server.command(["system", "set-period", &system.key, "--json"]);
        crate::harness::run(command.args(arguments)).exits(0).json()
    };
    let shown = set(&["--backup", "2h", "--contact", "15m"]);
    let expect = |shown: &Value, backup: Value, contact: Value| {
        assert_eq!(
            (&shown["backup_period_seconds"], &shown["contact_period_seconds"]),
            (&backup, &contact),
            "{shown}"
        );
    };
    expect(&shown, json!(7200), json!(900));
    assert_eq!(
        (&shown["backup_period_from"], &shown["contact_period_from"]),
        (&json!("system"), &json!("system"))
    );
    let shown = set(&["--backup", "default"]);
    expect(&shown, Value::Null, json!(900));
    assert_eq!(
        (&shown["backup_period_from"], &shown["backup_period_in_force_seconds"]),
        (&json!("default"), &json!(93_600))
    );
    expect(&set(&["--contact", "none"]), Value::Null, Value::Null);
    server.db.execute("UPDATE organizations SET backup_period = '1 hour', contact_period = '10 minutes'");
    let shown = server.cli(["system", "show", &system.key]).exits(0);
    shown.says("1 hour (of its organization)");
    shown.says("10 minutes (of its organization)");
    let refused = server.cli(["system", "set-period", &system.key, "--contact", "none"]).exits(1);
    assert!(refused.stderr.contains("contact period of 10 minutes"), "{refused:?}");
    for arguments in
        [&["--backup", "0s"][..], &["--backup", "7"], &["--backup", "none"], &["--contact", "4000d"], &[]]
    {
        let mut command = server.command(["system", "set-period", &system.key]);
        crate::harness::run(command.args(arguments)).exits(2);
    }
    let recorded =
        "SELECT concat_ws(' ', actor, detail) FROM backup_events WHERE kind = 'period_set' ORDER BY id";
    assert_eq!(
        server.db.all(recorded),
        [
            r#"operator {"backup": {"new": 7200, "old": null}, "contact": {"new": 900, "old": null}}"#,
            r#"operator {"backup": {"new": null, "old": 7200}}"#,
            r#"operator {"contact": {"new": null, "old": 900}}"#,
        ]
    );
}

#[test]
fn operator_is_named_as_the_one_who_suspended() {
    let (_, server) = start();
    let system = server.system();
    server
        .cli(["system", "suspend", &system.key])
        .exits(0)
        .says("suspended: it is suspended, by operator, since ");
    assert_eq!(
        server.db.one("SELECT concat_ws(' ', state_by, state_since IS NOT NULL) FROM systems"),
        "operator t"
    );
    server.cli(["system", "suspend", &system.key]).exits(0);
    server.cli(["system", "resume", &system.key]).exits(0);
    let recorded = "SELECT kind FROM backup_events WHERE kind IN ('suspended', 'resumed') ORDER BY id";
    assert_eq!(server.db.all(recorded), ["suspended", "resumed"], "what is so already is no change");
}
