//! `GET /api/systems/trend`.

use super::{day, measure_yesterday, move_back, server, wait_for_days};
use crate::harness::{Login, bytes};

#[test]
fn trend_has_the_days_of_the_organizations_that_the_caller_sees() {
    let login = Login::new();
    let (server, [acme, north, globex]) = server(&login);
    for (system, size) in [(&acme, 100), (&north, 1000), (&globex, 5000)] {
        server.store(system, &bytes(size));
    }
    move_back(&server, 1);
    let _other = server.sibling();
    wait_for_days(&server, 1);
    measure_yesterday(&server);
    let trend = |org: &str, query: &str| {
        let token = if org.is_empty() {
            login.token("nobody", "backup:view backup:admin")
        } else {
            login.token(org, "backup:view")
        };
        server.manage("GET", &format!("/api/systems/trend{query}")).bearer(token).send()
    };
    for (org, query, uploads, kept) in [
        ("acme", "", 2, 1100),
        ("acme", "?org=north", 1, 1000),
        ("north", "", 1, 1000),
        ("globex", "", 1, 5000),
        ("", "", 3, 6100),
        ("", "?org=acme", 2, 1100),
    ] {
        let data = trend(org, query).status(200).data();
        let days = data["days"].as_array().expect("days");
        assert_eq!(days.len(), 90, "{org} {query}");
        let last = &days[89];
        assert_eq!(last["day"], day(&server, 1));
        assert_eq!((&last["complete"], &last["uploads"]), (&true.into(), &uploads.into()), "{org} {query}");
        assert_eq!((&last["bytes_in"], &last["bytes_kept"]), (&kept.into(), &kept.into()), "{org} {query}");
        assert_eq!((&last["systems"], &last["by_status"]["fresh"]), (&uploads.into(), &uploads.into()));
        let before = &days[88];
        assert_eq!((&before["complete"], &before["uploads"]), (&false.into(), &0.into()));
        assert!(before["bytes_kept"].is_null() && before["by_status"]["fresh"].is_null(), "{before}");
    }
    assert_eq!(trend("acme", "?days=1").data()["days"].as_array().map(Vec::len), Some(1));
    for query in ["?org=globex", "?org=nobody", "?org=..%2F"] {
        trend("acme", query).status(404);
    }
    for query in ["?days=0", "?days=401", "?days=x", "?day=7"] {
        trend("acme", query).status(400);
    }
    server
        .manage("GET", "/api/systems/trend")
        .bearer(login.token("acme", "backup:create"))
        .send()
        .status(403);
}
