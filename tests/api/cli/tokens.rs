//! `strongroom token issue`: tokens for development.

use crate::harness::{AUDIENCE, ISSUER, Output, Server, plain_command, run};

const SECRET: &str = "a secret for development, long enough";

/// Runs the command without a database, with these settings.
fn issue(settings: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = plain_command();
    command.args(["token", "issue", "--sub", "me"]).args(arguments).envs(settings.iter().copied());
    run(&mut command)
}

#[test]
fn issued_token_is_printed_alone_and_is_accepted() {
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
    server.add_org("other", None);
    let other =
        server.cli(["token", "issue", "--org", "other", "--scope", "backup:view", "--sub", "me"]).exits(0);
    list(other.stdout.trim()).status(404);
    let scope = "backup:create  backup:delete";
    let other =
        server.cli(["token", "issue", "--org", &system.org, "--scope", scope, "--sub", "me"]).exits(0);
    list(other.stdout.trim()).status(403);
}

#[test]
fn unknown_organization_is_refused_if_the_database_is_reachable() {
    let server = Server::builder().issuer().set("JWT_HS256_SECRET", SECRET).start();
    let arguments = ["token", "issue", "--org", "acmee", "--scope", "backup:view", "--sub", "me"];
    let refused = server.cli(arguments).exits(1);
    assert!(refused.stderr.contains("there is no organization acmee"), "{refused:?}");
    assert!(refused.stdout.is_empty() && refused.stderr.lines().count() == 1, "{refused:?}");
    for (url, why) in
        [(None, "DATABASE_URL is not set"), (Some("postgres://me:hush@127.0.0.1:1/x"), "127.0.0.1")]
    {
        let mut command = server.command(arguments);
        command.env_remove("DATABASE_URL");
        if let Some(url) = url {
            command.env("DATABASE_URL", url);
        }
        let issued = run(&mut command).exits(0);
        let said = "not checked whether there is an organization acmee";
        assert!(issued.stderr.contains(said) && issued.stderr.contains(why), "{issued:?}");
        assert!(!issued.stderr.contains("hush") && issued.stdout.lines().count() == 1, "{issued:?}");
    }
}

#[test]
fn admin_token_needs_no_organization_and_warns_about_one() {
    let server = Server::builder().issuer().set("JWT_HS256_SECRET", SECRET).start();
    let system = server.system();
    let scope = "backup:admin backup:view";
    let all = server.cli(["token", "issue", "--scope", scope, "--sub", "me"]).exits(0);
    let one = server.cli(["token", "issue", "--org", &system.org, "--scope", scope, "--sub", "me"]).exits(0);
    assert_eq!(all.stderr, "");
    assert!(one.stderr.contains("backup:admin is for every organization"), "{one:?}");
    for token in [all.stdout, one.stdout] {
        let path = format!("/api/systems/{}/backups", system.id);
        server.manage("GET", &path).bearer(token.trim()).send().status(200);
    }
    let refused = server.cli(["token", "issue", "--scope", "backup:view", "--sub", "me"]).exits(2);
    assert!(refused.stderr.contains("--org") && refused.stdout.is_empty(), "{refused:?}");
}

#[test]
fn unknown_scope_is_refused_with_a_list_of_scopes() {
    let all = [("JWT_HS256_SECRET", SECRET), ("JWT_ISSUER", ISSUER), ("JWT_AUDIENCE", AUDIENCE)];
    for scope in ["backup:veiw", "backup:view backup:veiw", "openid", "backup:view,backup:delete", "", " "] {
        let refused = issue(&all, &["--org", "acme", "--scope", scope]).exits(2);
        let known = "backup:view, backup:create, backup:delete, system:manage, org:manage, backup:admin";
        assert!(refused.stderr.contains(known) && refused.stdout.is_empty(), "{scope:?}: {refused:?}");
    }
}

#[test]
fn missing_setting_is_named_with_exit_code_2() {
    let all = [("JWT_HS256_SECRET", SECRET), ("JWT_ISSUER", ISSUER), ("JWT_AUDIENCE", AUDIENCE)];
    let good = ["--org", "acme", "--scope", "backup:view"];
    issue(&all, &good).exits(0);
    for (missing, _) in all {
        let some: Vec<_> = all.into_iter().filter(|(name, _)| *name != missing).collect();
        let said = issue(&some, &good).exits(2);
        assert!(said.stderr.contains("JWT_") && said.stdout.is_empty(), "{said:?}");
        assert_eq!(said.stderr.lines().count(), 1, "{said:?}");
        for (name, _) in all {
            assert_eq!(said.stderr.contains(name), name == missing, "{said:?}");
        }
    }
    let none = issue(&[], &good).exits(2);
    assert!(all.iter().all(|(name, _)| none.stderr.contains(name)), "{none:?}");
    let keys = [("JWT_JWKS_FILE", "/keys"), ("JWT_ISSUER", ISSUER), ("JWT_AUDIENCE", AUDIENCE)];
    assert!(issue(&keys, &good).exits(2).stderr.contains("JWT_HS256_SECRET"));
}

#[test]
fn invalid_token_arguments_are_refused() {
    let all = [("JWT_HS256_SECRET", SECRET), ("JWT_ISSUER", ISSUER), ("JWT_AUDIENCE", AUDIENCE)];
    let view = |ttl| ["--org", "acme", "--scope", "backup:view", "--ttl", ttl];
    let cases: [&[&str]; 8] = [
        &["--org", "../acme", "--scope", "backup:view"],
        &["--org", "acme"],
        &view("forever"),
        &view("0s"),
        &view("60"),
        &view("-5m"),
        &view("10ms"),
        &view("100years"),
    ];
    for arguments in cases {
        issue(&all, arguments).exits(2);
    }
    issue(&all, &view("15m")).exits(0);
    let mut command = plain_command();
    command.args(["token", "issue", "--org", "acme", "--scope", "backup:view", "--sub", ""]).envs(all);
    assert!(run(&mut command).exits(2).stderr.contains("--sub"));
}
