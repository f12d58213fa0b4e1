//! `strongroom serve --check`: whether a start or a reload would accept the settings and their files.

use std::process::Command;

use crate::harness::{Certificate, Output, Server, plain_command, run};

/// Neither a database nor a store is there.
fn check(certificate: &Certificate) -> Command {
    let mut command = plain_command();
    command.args(["serve", "--check"]).env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
    command.env("BACKUP_DATA_DIR", "/nonexistent/objects");
    command.env("TLS_CERT_FILE", certificate.cert_file()).env("TLS_KEY_FILE", certificate.key_file());
    command
}

/// The check fails with one line that begins so.
#[track_caller]
fn is_refused(command: &mut Command, start: &str) -> Output {
    let output = run(command).exits(2);
    let last = output.stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with(&format!("strongroom: {start}")), "not {start:?}: {output:?}");
    assert_eq!(output.stdout, "");
    output
}

#[test]
fn check_accepts_what_a_start_accepts() {
    let certificate = Certificate::new();
    run(&mut check(&certificate)).exits(0).says("the settings are valid, the certificate until 4096-01-01T");
    let json = run(check(&certificate).arg("--json")).exits(0).json();
    assert_eq!(json["certificate_expires"], "4096-01-01T00:00:00Z");
    let mut plain = check(&certificate);
    plain.env_remove("TLS_CERT_FILE").env_remove("TLS_KEY_FILE");
    assert_eq!(run(&mut plain).exits(0).stdout, "the settings are valid\n");
}

#[test]
fn check_refuses_wrong_settings_and_unusable_files() {
    let good = Certificate::new();
    is_refused(check(&good).env("BACKUP_LEASE", "0"), "BACKUP_LEASE: ");
    is_refused(check(&good).env("DATABASE_URL", "nonsense"), "DATABASE_URL: ");
    is_refused(
        check(&good).env("TLS_KEY_FILE", "/nonexistent/key.pem"),
        "TLS_KEY_FILE: /nonexistent/key.pem: ",
    );
    let tokens = [("JWT_ISSUER", "i"), ("JWT_AUDIENCE", "a"), ("JWT_JWKS_FILE", "/nonexistent/keys")];
    is_refused(check(&good).envs(tokens), "JWT_JWKS_FILE: ");
    good.corrupt();
    is_refused(
        &mut check(&good),
        &format!("TLS_KEY_FILE: {}: the key does not belong", good.key_file().display()),
    );
}

#[test]
fn check_refuses_a_certificate_that_clients_refuse() {
    let old = Certificate::valid_in(2001, 2002);
    let expired =
        format!("TLS_CERT_FILE: {}: the certificate expired at 2002-01-01T", old.cert_file().display());
    is_refused(&mut check(&old), &expired);
    let new = Certificate::valid_in(2049, 2051);
    let early =
        format!("TLS_CERT_FILE: {}: the certificate is not valid before 2049", new.cert_file().display());
    is_refused(&mut check(&new), &early);
}

#[test]
fn check_runs_beside_the_service_and_changes_nothing() {
    let certificate = Certificate::new();
    let server = Server::builder().tls(&certificate).start();
    let mut command = plain_command();
    command.args(["serve", "--check"]).envs(server.settings()).env("LISTEN_ADDRESS", server.address());
    run(&mut command).exits(0).says("the settings are valid");
    assert_eq!(server.get("/api/health").send().status, 200);
}

#[test]
fn log_level_that_would_silence_the_log_is_refused() {
    let good = Certificate::new();
    for value in ["verbose", "info,verbose", "info,strongroom=loud", "strongroom:debug"] {
        is_refused(check(&good).env("RUST_LOG", value), "RUST_LOG: ");
    }
    for value in ["", "warn", "INFO", "off", "info,strongroom::access=debug", "info,hyper=warn", "strongroom"]
    {
        run(check(&good).env("RUST_LOG", value)).exits(0);
    }
}

/// Commands read the file that the credential is loaded from, so both are set, and only root can read the file.
#[test]
fn credential_of_the_unit_counts_before_the_file_of_the_commands() {
    let (good, credentials) = (Certificate::new(), tempfile::tempdir().unwrap());
    std::fs::write(credentials.path().join("DATABASE_URL"), "postgres://nobody@127.0.0.1:1/none\n").unwrap();
    let mut command = check(&good);
    command.env_remove("DATABASE_URL").env("DATABASE_URL_FILE", "/nonexistent/database-url");
    is_refused(&mut command, "DATABASE_URL_FILE: ");
    run(command.env("CREDENTIALS_DIRECTORY", credentials.path())).exits(0);
}
