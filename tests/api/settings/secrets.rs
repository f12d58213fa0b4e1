//! Secrets in wrong settings: no line repeats them.

use tempfile::TempDir;

use crate::harness::{Output, plain_command, run};

const HIDDEN: &str = "hunter2";

fn serve_with(settings: &[(&str, &str)]) -> Output {
    let mut command = plain_command();
    command.arg("serve").env("LISTEN_ADDRESS", "127.0.0.1:0").env("MANAGEMENT_LISTEN_ADDRESS", "127.0.0.1:0");
    // Settings without effect do not stop the start.
    command.env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none?connect_timeout=2");
    command.env("RUST_LOG", "trace").envs(settings.iter().copied());
    run(&mut command)
}

#[track_caller]
fn is_refused(name: &str, settings: &[(&str, &str)]) -> Output {
    let stopped = serve_with(settings).exits(2);
    assert!(stopped.stderr.contains(name), "it names {name}: {stopped:?}");
    assert!(!stopped.stderr.contains(HIDDEN), "{stopped:?}");
    let last = stopped.stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with("strongroom: "), "one line, the last: {stopped:?}");
    stopped
}

const BUCKET: [(&str, &str); 4] = [
    ("BACKUP_S3_BUCKET", "backups"),
    ("S3_ENDPOINT", "http://127.0.0.1:1"),
    ("S3_ACCESS_KEY", "key"),
    ("S3_SECRET_KEY", "secret"),
];

#[test]
fn bucket_key_with_a_character_that_no_header_allows_is_refused() {
    for (name, value) in [
        ("S3_ACCESS_KEY", "hunter2\nhunter2"),
        ("S3_ACCESS_KEY", "hunter2\u{1}"),
        ("S3_ACCESS_KEY", "hunter2 hunter2"),
        ("S3_ACCESS_KEY", "hunter2\u{fc}"),
        ("S3_SECRET_KEY", "hunter2\r\nhunter2"),
        ("S3_SECRET_KEY", "hunter2\u{7f}hunter2"),
    ] {
        let settings: Vec<_> = BUCKET.into_iter().chain([(name, value)]).collect();
        is_refused(name, &settings);
    }
}

#[test]
fn malformed_database_url_is_not_repeated() {
    for value in [
        "postgres://u:hunter2@hunter2@127.0.0.1:1/none",
        "postgres://u:hunter2/hunter2%zz@127.0.0.1:1/none",
        "host=127.0.0.1 password='hunter2",
        "host=127.0.0.1\npassword=hunter2",
        "hunter2",
    ] {
        is_refused("DATABASE_URL", &[("DATABASE_URL", value)]);
    }
}

#[test]
fn invalid_secret_file_is_refused_without_its_content() {
    let folder = TempDir::with_prefix("strongroom-secrets-").expect("make a folder");
    let file = folder.path().join("secret");
    let name = file.to_str().expect("a name");
    let issuer = [("JWT_ISSUER", "me"), ("JWT_AUDIENCE", "me"), ("JWT_HS256_SECRET_FILE", name)];
    for content in [
        &b""[..],
        b" \n",
        b"hunter2",
        b"hunter2hunter2hunter2hunter2\nhunter2hunter2",
        b"hunter2hunter2hunter2hunter2hunter2\xff",
        b"\xff\xfeh\0u\0n\0t\0e\0r\0",
    ] {
        std::fs::write(&file, content).expect("write the file");
        let stopped = is_refused("JWT_HS256_SECRET", &issuer);
        let of_content = stopped.stderr.contains(name) || stopped.stderr.contains("at least 32");
        assert!(of_content, "the line names the file: {stopped:?}");
    }
}

#[test]
fn secret_in_place_of_a_file_name_is_not_repeated() {
    for name in ["DATABASE_URL_FILE", "JWT_HS256_SECRET_FILE"] {
        for value in ["hunter2", "hunter2/hunter2", "/hunter2", "postgres://u:hunter2@h/d"] {
            let mut command = plain_command();
            command.args(["serve"]).env("JWT_ISSUER", "me").env("JWT_AUDIENCE", "me").env(name, value);
            if name != "DATABASE_URL_FILE" {
                command.env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
            }
            let stopped = run(&mut command).exits(2);
            assert!(stopped.stderr.contains(name) && !stopped.stderr.contains(HIDDEN), "{stopped:?}");
        }
    }
}
