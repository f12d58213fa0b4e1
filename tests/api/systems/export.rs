//! `GET /api/systems/export`: a streamed file.

use super::{ADMIN, VIEW, get, start, start_with_fleet, texts};

/// Returns the fields of each line, without those with quotes in them.
fn fields(text: &str) -> Vec<Vec<String>> {
    text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

#[test]
fn export_has_every_system_of_the_list_in_its_order() {
    let (login, server) = start_with_fleet(700);
    let token = login.token("nobody", ADMIN);
    for query in ["", "&status=late,never&sort=-name", "&org=north&sort=protected_until", "&q=deep-6"] {
        let answer = get(&server, &token, &format!("/api/systems/export?format=csv{query}")).status(200);
        assert_eq!(answer.must_have("content-type"), "text/csv; charset=utf-8; header=present");
        assert_eq!(answer.must_have("content-disposition"), "attachment; filename=\"systems.csv\"");
        assert_eq!(answer.must_have("cache-control"), "private, no-store");
        let text = String::from_utf8(answer.body).expect("UTF-8");
        let lines = fields(&text);
        assert_eq!(lines[0][..6], ["id", "system_key", "name", "org_id", "state", "status"]);
        let listed = super::all_pages(&server, &token, &format!("?limit=200{query}"));
        assert!(!listed.is_empty());
        let column = |at: usize| lines[1..].iter().map(|line| line[at].clone()).collect::<Vec<_>>();
        for (at, member) in ["id", "system_key", "name", "org_id", "state", "status"].into_iter().enumerate()
        {
            assert_eq!(column(at), texts(&listed, member), "{query}: {member}");
        }
        assert!(text.ends_with("\r\n"));
    }
    let head = server.manage("HEAD", "/api/systems/export?format=csv").bearer(&token).send().status(200);
    assert!(head.body.is_empty());
}

#[test]
fn names_that_look_like_formulas_are_made_inert() {
    let (login, server) = start();
    server.add_org("acme", None);
    for (key, name) in
        [("a", "=cmd|' /C calc'!A0"), ("b", "+1"), ("c", "@x"), ("d", "say \"hi\", you"), ("-e", "-2")]
    {
        let key = format!("--key={key}");
        let name = format!("--name={name}");
        server.cli(["system", "add", "--org", "acme", &key, &name]).exits(0);
    }
    let export = get(&server, &login.token("acme", VIEW), "/api/systems/export?format=csv").status(200);
    let text = String::from_utf8(export.body).expect("UTF-8");
    for cells in [
        "a,'=cmd|' /C calc'!A0,acme",
        "b,'+1,acme",
        "c,'@x,acme",
        "d,\"say \"\"hi\"\", you\",acme",
        "'-e,'-2,acme",
    ] {
        assert!(text.contains(cells), "{cells} is not in {text}");
    }
}

#[test]
fn failure_in_between_breaks_the_connection() {
    let (login, server) = start_with_fleet(500);
    // The page of this system can't be read.
    let id = server.db.one("SELECT id FROM systems ORDER BY id OFFSET 2100 LIMIT 1");
    server.db.execute(&format!(
        "CREATE OR REPLACE FUNCTION system_status(s systems, at timestamptz)
         RETURNS TABLE (status text, reason text, since timestamptz, changes_at timestamptz) LANGUAGE plpgsql STABLE AS $$
         BEGIN
             IF s.id = '{id}' THEN RAISE 'not readable'; END IF;
             RETURN QUERY SELECT 'fresh', 'a reason', at, at;
         END $$"
    ));
    let token = login.token("nobody", ADMIN);
    let export = || server.manage("GET", "/api/systems/export?format=csv").bearer(&token).try_send();
    let broken = export();
    assert!(broken.is_err(), "a part looks like the whole: {:?}", broken.map(|answer| answer.body.len()));
    crate::harness::assert_eventually("it is in the log", crate::harness::TIMEOUT, || {
        server.log().contains("an export of systems broke off")
    });
    server.db.execute(&format!("DELETE FROM systems WHERE id = '{id}'"));
    assert_eq!(export().expect("an answer").status, 200);
}
