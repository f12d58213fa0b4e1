//! The samples of the OpenAPI document are run as a reader would run them, in all three languages.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{ApiDocument, Login, Server, System, bytes, on_s3};

const FILE: &str = "backup-2026-04-12.tar.gz.gpg";
/// The ids in the samples.
const SYSTEM_ID: &str = "018f3a5c-7b1e-7c3d-9a2b-0123456789ab";
const BACKUP_ID: &str = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.gpg";
const REQUEST_ID: &str = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8";

/// A language, the file that its samples are saved as, and what runs them.
struct Language {
    label: &'static str,
    file: &'static str,
    program: &'static str,
    /// Succeeds if the machine can run the samples.
    check: [&'static str; 2],
}

const CURL: Language =
    Language { label: "curl", file: "sample.sh", program: "bash", check: ["-c", "curl --version"] };
const PYTHON: Language =
    Language { label: "Python", file: "sample.py", program: "python3", check: ["-c", "import requests"] };
const JAVASCRIPT: Language =
    Language { label: "JavaScript", file: "sample.mjs", program: "node", check: ["--eval", "fetch"] };

impl Language {
    /// Whether the machine has what the samples need: Python's `requests` and Node.js are not needed for anything else.
    fn is_here(&self) -> bool {
        let mut command = Command::new(self.program);
        command.args(self.check).stdout(Stdio::null()).stderr(Stdio::null());
        let here = command.status().is_ok_and(|status| status.success());
        if !here {
            eprintln!(
                "SKIPPED: the samples for {} need `{} {}`",
                self.label,
                self.program,
                self.check.join(" ")
            );
        }
        here
    }
}

struct Reader<'a> {
    api: ApiDocument,
    language: &'a Language,
    folder: TempDir,
    key: String,
    secret: String,
    token: String,
    ran: BTreeSet<String>,
}

impl Reader<'_> {
    fn sample(&self, id: &str) -> String {
        let operation = self.api.operations().find(|(_, _, operation)| operation["operationId"] == id);
        let (_, _, operation) = operation.unwrap_or_else(|| panic!("no {id}"));
        let samples = operation["x-codeSamples"].as_array().expect("samples");
        let sample = samples.iter().find(|sample| sample["label"] == self.language.label);
        sample.expect("the language")["source"].as_str().expect("a text").to_owned()
    }

    /// Runs a sample in which these texts are replaced.
    fn output(&mut self, id: &str, replaced: &[(&str, &str)]) -> Output {
        let mut source = self.sample(id);
        for (example, real) in replaced {
            assert!(source.contains(example), "{example} is not in {source}");
            source = source.replace(example, real);
        }
        self.ran.insert(id.to_owned());
        std::fs::write(self.path(self.language.file), source).expect("write the sample");
        let mut command = Command::new(self.language.program);
        command.arg(self.language.file).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("KEY", &self.key).env("SECRET", &self.secret).env("TOKEN", &self.token);
        command.output().expect("run the sample")
    }

    /// Runs a sample that must succeed, and returns what it prints.
    #[track_caller]
    fn run(&mut self, id: &str, replaced: &[(&str, &str)]) -> String {
        let output = self.output(id, replaced);
        let (printed, errors) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{id} in {}: {printed}\n{errors}", self.language.label);
        printed.into_owned()
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        Path::new(self.folder.path()).join(name)
    }
}

fn newest(server: &Server, system: &System) -> Value {
    server.get("/api/systems/backups").user(system).send().status(200).data()["backups"][0].clone()
}

fn every_sample_runs(language: &Language) {
    if !language.is_here() {
        return;
    }
    let login = Login::new();
    let server = Server::builder().no_rate_limit().login(&login).start();
    let system = server.system();
    let token = login.token(&system.org, "backup:view backup:create backup:delete system:manage org:manage");
    let (key, secret) = (system.key.clone(), system.secret.clone());
    let folder = TempDir::new().expect("make a folder");
    let api = ApiDocument::of(&server);
    let mut reader = Reader { api, language, folder, key, secret, token, ran: BTreeSet::new() };
    let content = bytes(3_000_000);
    std::fs::write(reader.path(FILE), &content).expect("write the file");

    let printed = reader.run("uploadBackup", &[]);
    let stored = newest(&server, &system);
    let id = stored["id"].as_str().expect("an id").to_owned();
    assert!(printed.contains(&id), "{printed}");
    assert_eq!((&stored["filename"], &stored["size"]), (&FILE.into(), &content.len().into()));
    assert_eq!(stored["mimetype"], "application/octet-stream");
    assert!(reader.run("listBackups", &[]).contains(&id));
    let downloaded = |reader: &mut Reader, operation: &str, replaced: &[(&str, &str)]| {
        std::fs::remove_file(reader.path(FILE)).expect("remove the file");
        reader.run(operation, replaced);
        assert!(std::fs::read(reader.path(FILE)).expect("the download") == content, "{operation}");
    };
    downloaded(&mut reader, "downloadBackup", &[(BACKUP_ID, &id)]);

    let site: &[(&str, &str)] = &[(SYSTEM_ID, &system.id)];
    let one: &[(&str, &str)] = &[(SYSTEM_ID, &system.id), (BACKUP_ID, &id)];
    for (operation, replaced) in
        [("listSystemBackups", site), ("listSiteBackups", site), ("showSiteBackup", one)]
    {
        assert!(reader.run(operation, replaced).contains(&id), "{operation}");
    }
    assert!(reader.run("linkSystemBackup", one).contains("download_url"));
    if on_s3() {
        reader.ran.insert("followLink".to_owned());
    } else {
        let path = format!("/api/systems/{}/backups/{id}/download", system.id);
        let link = server.manage("GET", &path).bearer(&reader.token).send().status(200).data();
        let (_, query) = link["download_url"].as_str().and_then(|url| url.split_once('?')).expect("a query");
        let example = "expires=1775960400&signature=0123456789abcdef";
        downloaded(&mut reader, "followLink", &[(BACKUP_ID, &id), (example, query)]);
    }

    assert!(reader.run("requestSiteBackup", site).contains("Backup requested"));
    let request = server.requested(&system).pop().expect("a backup request");
    assert!(reader.run("listRequests", &[]).contains(&request));
    assert!(reader.run("listSystemRequests", site).contains(&request));
    assert!(
        reader
            .run("cancelSystemRequest", &[(SYSTEM_ID, &system.id), (REQUEST_ID, &request)])
            .contains(&request)
    );
    reader.run("noteUnchanged", &[]);
    assert!(reader.run("sendHeartbeat", &[]).contains("heartbeat acknowledged"));
    assert!(reader.run("listEvents", &[]).contains("events listed"));
    assert!(reader.run("listSystemEvents", site).contains("events listed"));
    assert!(reader.run("showTrend", &[]).contains("trend found"));
    assert!(reader.run("showOrganizationUsage", &[("acme-north", &system.org)]).contains("usage found"));
    for operation in ["health", "live"] {
        reader.run(operation, &[]);
    }
    assert!(reader.run("metrics", &[]).contains("strongroom_uploads_open"));
    reader.run("deleteSystemBackup", one);

    assert!(reader.run("listOrganizations", &[]).contains(&system.org));
    assert!(reader.run("addOrganization", &[]).contains("Acme North"));
    assert!(reader.run("showOrganization", &[]).contains("acme-north"));
    assert!(reader.run("changeOrganization", &[]).contains("Acme North-East"));

    reader.run("uploadBackup", &[]);
    let second = newest(&server, &system)["id"].as_str().expect("an id").to_owned();
    reader.run("deleteBackup", &[(BACKUP_ID, &second)]);
    assert_eq!(newest(&server, &system), Value::Null);
    for operation in ["listSystems", "exportSystems"] {
        assert!(reader.run(operation, &[]).contains(&system.id), "{operation}");
    }
    assert!(reader.run("totalSystems", &[]).contains("by_status"));
    assert!(reader.run("addSystem", &[]).contains("system_secret"));
    assert!(reader.run("showSystem", site).contains("rate_per_minute"));
    assert!(reader.run("changeSystem", site).contains("Branch office"));
    assert!(reader.run("rotateSystemSecret", site).contains("previous_secret_until"));
    reader.run("destroySystem", site);
    let all: BTreeSet<String> = reader
        .api
        .operations()
        .map(|(_, _, operation)| operation["operationId"].as_str().expect("an id").to_owned())
        .collect();
    assert_eq!(reader.ran, all, "each sample was run");

    // A sample that fails says so, and a failed download leaves no file that looks like a backup.
    std::fs::remove_file(reader.path(FILE)).expect("remove the file");
    assert!(!reader.output("downloadBackup", &[(BACKUP_ID, &id)]).status.success());
    assert!(!reader.path(FILE).exists());
    reader.secret.push('x');
    assert!(!reader.output("listBackups", &[]).status.success());
}

#[test]
fn every_curl_sample_runs() {
    every_sample_runs(&CURL);
}

#[test]
fn every_python_sample_runs() {
    every_sample_runs(&PYTHON);
}

#[test]
fn every_javascript_sample_runs() {
    every_sample_runs(&JAVASCRIPT);
}
