//! Wrong settings stop the start with one line that names them.

use strongroom::config::settings;

use crate::harness::{Output, Store, plain_command, run};

/// A URL that refuses connections: the settings are checked before any connection.
const DATABASE: &str = "postgres://strongroom:a-database-password@127.0.0.1:1/none?connect_timeout=1";

fn serve_with(settings: &[(&str, &str)]) -> Output {
    let store = Store::new();
    let mut command = plain_command();
    command.arg("serve").env("LISTEN_ADDRESS", "127.0.0.1:0").env("DATABASE_URL", DATABASE);
    command.env("MANAGEMENT_LISTEN_ADDRESS", "127.0.0.1:0");
    command.env("BACKUP_DATA_DIR", store.path()).envs(settings.iter().copied());
    run(&mut command)
}

#[track_caller]
fn is_refused(name: &str, settings: &[(&str, &str)]) {
    let stopped = serve_with(settings);
    assert_eq!(stopped.code, 2, "{settings:?}: {stopped:?}");
    let lines: Vec<&str> = stopped.stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    assert_eq!(lines.len(), 1, "one line: {settings:?}: {stopped:?}");
    assert!(lines[0].contains(name), "it names {name}: {stopped:?}");
    assert!(!stopped.stderr.contains("a-database-password"), "{stopped:?}");
}

#[test]
fn invalid_value_stops_the_start_with_one_line_that_names_it() {
    for name in [
        "BACKUP_MAX_UPLOAD_SIZE",
        "BACKUP_MAX_PER_SYSTEM",
        "BACKUP_MAX_SIZE_PER_SYSTEM",
        "BACKUP_MAX_SIZE_PER_ORG",
        "BACKUP_RATE_LIMIT_PER_MINUTE",
        "BACKUP_RATE_LIMIT_PER_HOUR",
        "BACKUP_BODY_IDLE_TIMEOUT",
        "BACKUP_BODY_MIN_RATE",
        "BACKUP_LEASE",
        "BACKUP_SWEEP_INTERVAL",
        "EVENTS_KEEP",
        "SHUTDOWN_GRACE",
        "BACKUP_UNDELETE_WINDOW",
    ] {
        for value in ["many", "-1", "1.5", "", "10 Gib", "5M5", "99999999999999999999999"] {
            is_refused(name, &[(name, value)]);
        }
    }
    for value in ["proxy.example.org", "10.0.0.0/33", "10.0.0.1;10.0.0.2", "10.0.0.1:80", "0.0.0.0/0", "::"] {
        is_refused("TRUSTED_PROXIES", &[("TRUSTED_PROXIES", value)]);
    }
    for value in ["nonsense", "127.0.0.1", "127.0.0.1:99999", ":", "example.org:x"] {
        is_refused("LISTEN_ADDRESS", &[("LISTEN_ADDRESS", value)]);
        is_refused("MANAGEMENT_LISTEN_ADDRESS", &[("MANAGEMENT_LISTEN_ADDRESS", value)]);
    }
}

#[test]
fn value_with_unexpanded_shell_syntax_stops_the_start() {
    for value in [
        "\"/srv/strongroom\"",
        "'/srv/strongroom'",
        "/srv/strongroom\r",
        " /srv/strongroom",
        "/srv/strongroom ",
        "~/strongroom",
        "$HOME/strongroom",
        "/srv/${NAME}",
        "%S/strongroom",
        "file:///srv/strongroom",
    ] {
        for name in ["BACKUP_DATA_DIR", "DATABASE_URL_FILE", "JWT_JWKS_FILE", "TLS_CERT_FILE"] {
            is_refused(name, &[(name, value)]);
        }
    }
    for (name, value) in [
        ("BACKUP_LEASE", "120 "),
        ("BACKUP_LEASE", "120\r"),
        ("BACKUP_S3_ALLOW_INSECURE", "true\r"),
        ("LISTEN_ADDRESS", "127.0.0.1:0\r"),
        ("TRUSTED_PROXIES", "\"127.0.0.1\""),
        ("PUBLIC_URL", "\"https://backups.example.org\""),
        ("PUBLIC_URL", "https://$HOSTNAME"),
        ("JWT_JWKS_URL", "https://login.example.org/keys\r"),
        ("JWT_JWKS_URL", "https://login.example.org/${TENANT}/keys"),
        ("S3_ENDPOINT", "'https://s3.example.org'"),
        ("BACKUP_S3_BUCKET", "backups\r"),
        ("S3_SECRET_KEY", "a-database-password\r"),
        ("DATABASE_URL", "\"postgres://strongroom:a-database-password@127.0.0.1:1/none\""),
    ] {
        is_refused(name, &[(name, value)]);
    }
}

#[test]
fn duration_of_zero_is_invalid() {
    for name in ["BACKUP_LEASE", "BACKUP_SWEEP_INTERVAL", "SHUTDOWN_GRACE"] {
        is_refused(name, &[(name, "0")]);
    }
}

#[test]
fn incomplete_token_settings_stop_the_start() {
    for (name, value) in [
        ("JWT_ISSUER", "https://login.example.org"),
        ("JWT_AUDIENCE", "backups"),
        ("JWT_JWKS_URL", "http://login.example.org/keys"),
        ("JWT_JWKS_URL", "/etc/strongroom/keys"),
        ("JWT_JWKS_FILE", ""),
        ("JWT_HS256_SECRET", "a-secret-of-31-characters-long!"),
        ("PUBLIC_URL", "backups.example.org"),
        ("MANAGEMENT_PUBLIC_URL", "https://backups.example.org/path"),
        ("MANAGEMENT_CORS_ORIGINS", "*"),
        ("MANAGEMENT_CORS_ORIGINS", "null"),
        ("MANAGEMENT_CORS_ORIGINS", "https://portal.example.org,portal.example.org"),
        ("BACKUP_UNDELETE_WINDOW", "259200"),
    ] {
        is_refused(name, &[(name, value)]);
    }
    let secret = ("JWT_HS256_SECRET", "a-secret-of-the-operator-that-is-long-enough");
    is_refused("JWT_ISSUER", &[secret]);
    is_refused("JWT_AUDIENCE", &[secret, ("JWT_ISSUER", "https://login.example.org")]);
    let stopped = serve_with(&[secret]);
    assert!(!stopped.stderr.contains("a-secret-of-the-operator"), "{stopped:?}");
}

#[test]
fn incomplete_bucket_settings_stop_the_start() {
    for (name, value) in [
        ("BACKUP_S3_BUCKET", "backups"),
        ("S3_ENDPOINT", "https://s3.example.org"),
        ("S3_ACCESS_KEY", "key"),
        ("S3_SECRET_KEY", "secret"),
        ("BACKUP_S3_REGION", "us-east-1"),
    ] {
        is_refused(name, &[(name, value)]);
    }
    let plain = [
        ("BACKUP_S3_BUCKET", "backups"),
        ("S3_ENDPOINT", "http://s3.example.org"),
        ("S3_ACCESS_KEY", "key"),
        ("S3_SECRET_KEY", "a-secret-of-the-operator"),
    ];
    is_refused("S3_ENDPOINT", &plain);
    assert!(!serve_with(&plain).stderr.contains("a-secret-of-the-operator"));
}

#[test]
fn half_of_a_tls_pair_stops_the_start() {
    is_refused("TLS_KEY_FILE", &[("TLS_CERT_FILE", "/etc/ssl/cert.pem")]);
    is_refused("TLS_CERT_FILE", &[("TLS_KEY_FILE", "/etc/ssl/key.pem")]);
    let missing = [("TLS_CERT_FILE", "/nonexistent/cert.pem"), ("TLS_KEY_FILE", "/nonexistent/key.pem")];
    is_refused("TLS_CERT_FILE", &missing);
}

#[test]
fn missing_database_url_stops_the_start() {
    if std::path::Path::new("/etc/strongroom/strongroom.env").exists() {
        println!("skipped: this machine has an env file, which commands read if DATABASE_URL is not set");
        return;
    }
    let stopped = run(plain_command().arg("serve").env("LISTEN_ADDRESS", "127.0.0.1:0")).exits(2);
    assert!(stopped.stderr.contains("DATABASE_URL"), "{stopped:?}");
    for command in [&["migrate"][..], &["org", "list"], &["audit"]] {
        let stopped = run(plain_command().args(command)).exits(2);
        assert!(stopped.stderr.contains("DATABASE_URL"), "{stopped:?}");
    }
}

#[test]
fn database_url_is_read_from_a_file() {
    let server = crate::harness::Server::start();
    let file = tempfile::NamedTempFile::new().expect("make a file");
    std::fs::write(file.path(), format!("{}\n", server.db.url())).expect("fill it");
    let mut command = plain_command();
    command.args(["org", "list"]).env("DATABASE_URL_FILE", file.path());
    run(&mut command).exits(0);
    let mut missing = plain_command();
    missing.args(["org", "list"]).env("DATABASE_URL_FILE", "/nonexistent/url");
    let stopped = run(&mut missing).exits(2);
    assert!(stopped.stderr.contains("DATABASE_URL_FILE"), "{stopped:?}");
}

#[test]
fn port_in_use_stops_the_start_and_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let stopped = serve_with(&[("LISTEN_ADDRESS", &address)]);
    assert_ne!(stopped.code, 0);
    assert!(stopped.stderr.contains(&address) || stopped.stderr.contains("LISTEN_ADDRESS"), "{stopped:?}");
}

#[test]
fn help_lists_the_settings() {
    let help = run(plain_command().args(["serve", "--help"])).exits(0);
    let names: Vec<_> = settings::all().map(|setting| setting.about().name).collect();
    assert!(names.len() > 30, "{names:?}");
    for name in names {
        help.says(&format!("\n  {name}\n"));
    }
    help.says("--env-file");
}

#[test]
fn misspelt_setting_stops_every_command_with_the_right_name() {
    let wrong = [
        ("BACKUP_MAX_SIZE_PER_SYTEM", "BACKUP_MAX_SIZE_PER_SYSTEM"),
        ("BACKUP_MAX_SIZE_PER_SYSTEM_FILE", "BACKUP_MAX_SIZE_PER_SYSTEM"),
        ("S3_ACCES_KEY", "S3_ACCESS_KEY"),
        ("JWT_ISUER", "JWT_ISSUER"),
        ("LISTEN_ADRESS", "LISTEN_ADDRESS"),
    ];
    for (name, right) in wrong {
        is_refused(right, &[(name, "1")]);
        for command in [&["migrate"][..], &["org", "list"], &["audit"]] {
            let stopped =
                run(plain_command().args(command).env("DATABASE_URL", DATABASE).env(name, "1")).exits(2);
            assert!(stopped.stderr.contains(name) && stopped.stderr.contains(right), "{stopped:?}");
        }
    }
    is_refused("BACKUP_COLOUR", &[("BACKUP_COLOUR", "red")]);
    for (name, value) in
        [("STRONGROOM_PORT", "tcp://10.0.0.1:80"), ("S3_SERVICE_HOST", "10.0.0.1"), ("PGAPPNAME", "x")]
    {
        run(plain_command().args(["org", "list"]).env("DATABASE_URL", DATABASE).env(name, value)).exits(3);
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for arguments in
        [&["frobnicate"][..], &["org"], &["org", "add"], &["serve", "--fast"], &["backup", "fetch"]]
    {
        let refused = run(plain_command().args(arguments).env("DATABASE_URL", DATABASE)).exits(2);
        assert!(!refused.stderr.is_empty());
    }
    run(plain_command().arg("--help")).exits(0);
}

#[test]
fn unreachable_database_is_exit_code_3() {
    for arguments in [
        &["migrate"][..],
        &["org", "list"],
        &["org", "add", "acme", "--name", "Acme"],
        &["system", "list"],
        &["system", "show", "fw-1"],
        &["audit"],
    ] {
        let stopped = run(plain_command().args(arguments).env("DATABASE_URL", DATABASE)).exits(3);
        assert!(!stopped.stderr.is_empty() && !stopped.stderr.contains("a-database-password"), "{stopped:?}");
        assert!(!stopped.stderr.contains("panicked"), "{stopped:?}");
    }
}
