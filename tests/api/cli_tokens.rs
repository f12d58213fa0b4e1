//! `strongroom token issue`: tokens for development.

use crate::harness::{AUDIENCE, ISSUER, Output, Server, plain_command, run};

const SECRET: &str = "a secret for development, long enough";

/// Without a database, and with these settings.
fn issue(settings: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = plain_command();
    command.args(["token", "issue", "--sub", "me"]).args(arguments).envs(settings.iter().copied());
    run(&mut command)
}

#[test]
fn an_issued_token_is_all_that_is_printed_and_is_taken() {
    let server = Server::builder().issuer().set("JWT_HS256_SECRET", SECRET).start();
    let system = server.system();
    let list = |token: &str| {
        server.manage("GET", &format!("/api/systems/{}/backups", system.id)).bearer(token).send()
    };
    let issue = ["token", "issue", "--org", &system.org, "--scope", "backup:view", "--sub", "me"];
    let printed = server.cli(issue).exits(0);
    assert_eq!(printed.stderr, "");
    let token = printed.stdout.strip_suffix('\n').expect("a line");
    assert!(!token.contains(char::is_whitespace), "{printed:?}");
    list(token).status(200);
    let json = server.cli([
        "token",
        "issue",
        "--org",
        &system.org,
        "--scope",
        "backup:view",
        "--sub",
        "me",
        "--json",
    ]);
    let json = json.exits(0).json();
    list(json["token"].as_str().expect("a token")).status(200);
    assert!(json["expires_at"].as_str().expect("a time").ends_with('Z'), "{json}");
    let other =
        server.cli(["token", "issue", "--org", "other", "--scope", "backup:view", "--sub", "me"]).exits(0);
    list(other.stdout.trim()).status(404);
    let other =
        server.cli(["token", "issue", "--org", &system.org, "--scope", "openid", "--sub", "me"]).exits(0);
    list(other.stdout.trim()).status(403);
}

#[test]
fn what_is_missing_is_named_with_exit_code_2() {
    let all = [("JWT_HS256_SECRET", SECRET), ("JWT_ISSUER", ISSUER), ("JWT_AUDIENCE", AUDIENCE)];
    let good = ["--org", "acme", "--scope", "backup:view"];
    issue(&all, &good).exits(0);
    for (missing, _) in all {
        let some: Vec<_> = all.into_iter().filter(|(name, _)| *name != missing).collect();
        let said = issue(&some, &good).exits(2);
        assert!(said.stderr.contains("JWT_") && said.stdout.is_empty(), "{said:?}");
        assert_eq!(said.stderr.lines().count(), 1, "{said:?}");
        if missing != "JWT_HS256_SECRET" {
            assert!(said.stderr.contains(missing), "{said:?}");
        }
    }
    let none = issue(&[], &good).exits(2);
    assert!(none.stderr.contains("JWT_HS256_SECRET") && none.stderr.contains("JWT_ISSUER"), "{none:?}");
    let keys = [("JWT_JWKS_FILE", "/keys"), ("JWT_ISSUER", ISSUER), ("JWT_AUDIENCE", AUDIENCE)];
    assert!(issue(&keys, &good).exits(2).stderr.contains("JWT_HS256_SECRET"));
}

#[test]
fn arguments_that_make_no_token_are_refused() {
    let all = [("JWT_HS256_SECRET", SECRET), ("JWT_ISSUER", ISSUER), ("JWT_AUDIENCE", AUDIENCE)];
    let cases: [&[&str]; 5] = [
        &["--org", "../acme", "--scope", "backup:view"],
        &["--org", "acme"],
        &["--org", "acme", "--scope", "x", "--ttl", "forever"],
        &["--org", "acme", "--scope", "x", "--ttl", "0s"],
        &["--org", "acme", "--scope", "x", "--ttl", "100years"],
    ];
    for arguments in cases {
        issue(&all, arguments).exits(2);
    }
    issue(&all, &["--org", "acme", "--scope", "x", "--ttl", "15m"]).exits(0);
    let mut command = plain_command();
    command.args(["token", "issue", "--org", "acme", "--scope", "x", "--sub", ""]).envs(all);
    assert!(run(&mut command).exits(2).stderr.contains("--sub"));
}
