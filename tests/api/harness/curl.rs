//! The real curl, as appliances' scripts use it.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::{NamedTempFile, TempDir};

use super::{Answer, BACKUPS, Server, System};

/// A call of curl, with the options that appliances' scripts use.
pub struct Curl {
    command: Command,
    folder: TempDir,
}

/// curl's exit and the response that it received.
pub struct CurlResult {
    pub exit: i32,
    pub answer: Answer,
    /// The text that `--write-out` prints.
    pub stdout: String,
    pub stderr: String,
}

impl Curl {
    pub fn new() -> Self {
        let folder = TempDir::with_prefix("strongroom-curl-").expect("make a folder");
        let mut command = Command::new("curl");
        command.args(["-q", "--silent", "--show-error", "--max-time", "180", "--write-out", "%{http_code}"]);
        command.arg("--output").arg(folder.path().join("body"));
        command.arg("--dump-header").arg(folder.path().join("head"));
        command.stdin(Stdio::null());
        Self { command, folder }
    }

    /// Prepares an upload to the server, without its body.
    pub fn upload(server: &Server, system: &System) -> Self {
        let user = format!("{}:{}", system.key, system.secret);
        Self::new()
            .args(["--insecure", "--location-trusted", "-X", "POST", "--user", &user, &server.url(BACKUPS)])
            .args(["-H", "Content-Type: application/octet-stream"])
    }

    pub fn args<const N: usize>(mut self, arguments: [&str; N]) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sends the body with `Content-Length`, as `--data-binary` does.
    pub fn known(mut self, file: &Path) -> Self {
        self.command.arg("--data-binary").arg(format!("@{}", file.display()));
        self
    }

    /// Sends the body in chunks, read from standard input.
    pub fn chunked(mut self, file: &Path) -> Self {
        self.command.args(["-T", "-"]).stdin(File::open(file).expect("open the file to send"));
        self
    }

    #[track_caller]
    pub fn run(mut self) -> CurlResult {
        let done = self.command.output().unwrap_or_else(|e| panic!("these tests need curl: {e}"));
        let read = |name: &str| std::fs::read(self.folder.path().join(name)).unwrap_or_default();
        let head = String::from_utf8_lossy(&read("head")).into_owned();
        let last = head.trim_end().rsplit("\r\n\r\n").next().unwrap_or_default();
        let headers = last.split("\r\n").filter_map(|line| line.split_once(": "));
        let stdout = String::from_utf8_lossy(&done.stdout).into_owned();
        let answer = Answer {
            status: stdout.parse().unwrap_or_default(),
            headers: headers.map(|(n, v)| (n.to_lowercase(), v.to_owned())).collect(),
            body: read("body"),
        };
        let stderr = String::from_utf8_lossy(&done.stderr).into_owned();
        CurlResult { exit: done.status.code().unwrap_or(-1), answer, stdout, stderr }
    }
}

impl CurlResult {
    /// Checks that curl succeeded, and returns the response.
    #[track_caller]
    pub fn arrived(self, what: &str) -> Answer {
        assert_eq!(self.exit, 0, "{what}: curl failed: {}; {}", self.stderr, self.answer);
        self.answer
    }
}

/// Makes a file of this many zero bytes that uses no disk space.
pub fn big_file(len: u64) -> NamedTempFile {
    let file = NamedTempFile::with_prefix("strongroom-body-").expect("make a file");
    file.as_file().set_len(len).expect("make it long");
    file
}
