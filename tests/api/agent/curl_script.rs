//! The lines of a typical appliance's script, run by a real shell.

use std::process::Command;

use crate::harness::{Server, bytes};

const SCRIPT: &str = r#"
set -euo pipefail
cd "$WORK"
export GNUPGHOME="$WORK/gnupg"
mkdir -m 700 "$GNUPGHOME"
mkdir etc && cp "$WORK/config" etc/config
tar -czf - etc | gpg --batch --quiet --pinentry-mode loopback --passphrase "$PASSPHRASE" -c -o backup-1.tar.gz.gpg

curl --silent --show-error --location-trusted --fail-with-body --user "$KEY:$SECRET" -X POST \
    -H "Content-Type: application/octet-stream" -H "X-Filename: backup-1.tar.gz.gpg" \
    --data-binary @backup-1.tar.gz.gpg "$BASE/backups" > stored.json
test "$(jq -r .code stored.json)" = 201
test "$(jq -r .data.sha256 stored.json)" = "$(sha256sum < backup-1.tar.gz.gpg | cut -d ' ' -f 1)"

curl --silent --show-error --location-trusted --fail-with-body --user "$KEY:$SECRET" "$BASE/backups" \
    | jq .data.backups > list.json
test "$(jq length list.json)" = 1
id=$(jq -r '.[0].id' list.json)
test "$(jq -r '.[0].filename' list.json)" = backup-1.tar.gz.gpg

curl --silent --show-error --location-trusted --fail-with-body --user "$KEY:$SECRET" -o restored.gpg \
    "$BASE/backups/$id"
cmp backup-1.tar.gz.gpg restored.gpg
mkdir restored
gpg --batch --quiet --pinentry-mode loopback --passphrase "$PASSPHRASE" -d restored.gpg | tar -xzf - -C restored
cmp config restored/etc/config

curl --silent --show-error --location-trusted --fail-with-body --user "$KEY:$SECRET" -X DELETE \
    "$BASE/backups/$id" | jq -e --arg id "$id" '.code == 200 and .data.id == $id'
test "$(curl --silent --user "$KEY:$SECRET" "$BASE/backups" | jq '.data.backups | length')" = 0

if curl --silent --fail-with-body --user "$KEY:wrong" "$BASE/backups" > refused.json; then exit 9; fi
test "$(jq -r .message refused.json)" = "invalid token"
gpgconf --kill all
"#;

#[test]
fn curl_script_stores_lists_restores_and_deletes() {
    let server = Server::start();
    let system = server.system();
    let work = tempfile::TempDir::with_prefix("strongroom-appliance-").expect("make a folder");
    std::fs::write(work.path().join("config"), bytes(300_000)).expect("a configuration");
    let done = Command::new("bash")
        .args(["-c", SCRIPT])
        .env("WORK", work.path())
        .env("BASE", server.url("/api/systems"))
        .env("KEY", &system.key)
        .env("SECRET", &system.secret)
        .env("PASSPHRASE", "correct horse battery staple")
        .output()
        .expect("run bash");
    let said = [done.stdout, done.stderr].concat();
    assert!(done.status.success(), "{}: {}", done.status, String::from_utf8_lossy(&said));
}

#[test]
fn curl_upload_is_stored_and_recorded_as_encrypted_or_not() {
    let server = Server::start();
    let system = server.system();
    let work = tempfile::TempDir::with_prefix("strongroom-gpg-").expect("make a folder");
    let script = r#"set -e; cd "$WORK"; export GNUPGHOME="$WORK/gnupg"; mkdir -m 700 gnupg; echo plain > plain
        G="gpg --batch --quiet --pinentry-mode loopback --passphrase x"
        $G -c -o encrypted plain; $G -c --armor -o armored plain; $G --store -o packed plain
        tar -czf plain.tar.gz plain; gpgconf --kill all"#;
    let made = Command::new("bash").args(["-c", script]).env("WORK", work.path()).output().expect("run bash");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let files = [("encrypted", "true"), ("armored", "true"), ("packed", "false"), ("plain.tar.gz", "false")];
    for (file, encrypted) in files {
        let id = server.store(&system, &std::fs::read(work.path().join(file)).expect("a file"));
        let uuid = id.split('.').next().expect("a UUID");
        assert_eq!(
            server.db.one(&format!("SELECT encrypted FROM backups WHERE id = '{uuid}'")),
            encrypted,
            "{file}"
        );
    }
}
