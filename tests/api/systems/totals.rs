//! `GET /api/systems/totals`.

use serde_json::json;

use super::{ADMIN, VIEW, get, start, start_with_fleet};

#[test]
fn totals_count_every_status_of_the_visible_systems() {
    let (login, server) = start_with_fleet(8);
    let token = |org: &str| login.token(org, VIEW);
    let totals =
        |token: &str, org: &str| get(&server, token, &format!("/api/systems/totals{org}")).status(200).data();
    // Of 8 systems in each organization, the first and the last are late.
    let expected = |orgs: i64| {
        json!({
            "by_status": {
                "suspended": orgs, "damaged": orgs, "refused": orgs, "never": orgs, "silent": orgs, "late": 2 * orgs, "fresh": orgs,
            },
            "systems": 8 * orgs, "backups_kept": 34 * orgs, "bytes_kept": 340 * orgs,
        })
    };
    assert_eq!(totals(&token("deep"), ""), expected(1));
    assert_eq!(totals(&token("top"), ""), expected(4));
    assert_eq!(totals(&token("top"), "?org=north"), expected(2));
    assert_eq!(totals(&login.token("nobody", ADMIN), ""), expected(5));
    assert_eq!(totals(&token("nobody"), "")["systems"], 0, "an organization that does not exist has none");
}

#[test]
fn totals_of_nothing_are_zeros() {
    let (login, server) = start();
    server.add_org("acme", None);
    let totals = get(&server, &login.token("acme", VIEW), "/api/systems/totals").status(200).data();
    let by_status = totals["by_status"].as_object().expect("counts");
    assert_eq!(by_status.len(), super::STATUSES.len());
    assert!(super::STATUSES.iter().all(|status| by_status[*status] == 0), "{totals}");
    assert_eq!(
        (&totals["systems"], &totals["backups_kept"], &totals["bytes_kept"]),
        (&json!(0), &json!(0), &json!(0))
    );
}
