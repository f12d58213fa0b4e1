//! The source of a key set: a file or a URL. Reading is bounded in time and size. A fetch follows no redirect,
//! because an attacker who controls the source of the keys can forge any token, and uses no proxy, because hyper's
//! client supports none.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::body::HttpBody;
use hyper::{Body, Client, Request, Uri};
use hyper_tls::HttpsConnector;
use tokio::time::timeout;

use super::key_set::KeySet;

/// The location of a JSON Web Key Set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    File(PathBuf),
    /// https, or http on this machine.
    Url(String),
}

const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum size of a key set, in bytes.
const MAX_BYTES: usize = 1 << 20;
const TOO_LARGE: &str = "it is larger than 1 MiB";
/// Some providers, and firewalls in front of them, refuse clients without a `User-Agent`.
const USER_AGENT: &str = concat!("strongroom/", env!("CARGO_PKG_VERSION"));

impl KeySource {
    /// Reads the current set, or returns in one line why it cannot.
    pub(super) async fn read(&self) -> Result<KeySet, String> {
        match timeout(READ_TIMEOUT, self.read_without_limit()).await {
            Ok(read) => read,
            Err(_) => Err(format!("no answer within {} s", READ_TIMEOUT.as_secs())),
        }
    }

    async fn read_without_limit(&self) -> Result<KeySet, String> {
        let fetched = match self {
            Self::File(_) => None,
            Self::Url(url) => Some(fetch(url).await?),
        };
        let source = self.clone();
        // A disk that hangs, or a set of thousands of keys, must not block this thread.
        let parsed = tokio::task::spawn_blocking(move || match (fetched, source) {
            (Some(text), _) => KeySet::parse(&text),
            (None, Self::File(path)) => KeySet::parse(&read_file(&path)?),
            (None, Self::Url(_)) => Err("nothing was fetched".to_owned()),
        });
        parsed.await.map_err(|error| error.to_string())?
    }

    /// Checks a file at start: one that cannot be used is a wrong setting. A URL may be unreachable for a
    /// moment.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::File(path) => KeySet::parse(&read_file(path)?).map(drop),
            Self::Url(_) => Ok(()),
        }
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let mut text = vec![];
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut text).map_err(|error| error.to_string())?;
    if text.len() > MAX_BYTES { Err(TOO_LARGE.to_owned()) } else { Ok(text) }
}

async fn fetch(url: &str) -> Result<Vec<u8>, String> {
    let uri: Uri = url.parse().map_err(|_| "it is not a URL".to_owned())?;
    let client = Client::builder().build::<_, Body>(HttpsConnector::new());
    let request = Request::get(uri)
        .header("accept", "application/json")
        .header("accept-encoding", "identity")
        .header("user-agent", USER_AGENT)
        .body(Body::empty())
        .map_err(|error| error.to_string())?;
    let answer = client.request(request).await.map_err(|error| with_hint(with_causes(&error)))?;
    if answer.status() != 200 {
        return Err(format!("it was answered with status {}", answer.status().as_u16()));
    }
    if answer.headers().get("content-encoding").is_some_and(|encoding| encoding != "identity") {
        return Err("it was answered compressed (Content-Encoding), which was not asked for".to_owned());
    }
    let (mut body, mut text) = (answer.into_body(), vec![]);
    while let Some(chunk) = body.data().await {
        let chunk = chunk.map_err(|error| with_causes(&error))?;
        if text.len() + chunk.len() > MAX_BYTES {
            return Err(TOO_LARGE.to_owned());
        }
        text.extend_from_slice(&chunk);
    }
    Ok(text)
}

/// Returns the error with its causes: "error trying to connect" alone does not help.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        line = format!("{line}: {inner}");
        cause = inner.source();
    }
    line
}

/// Adds a hint for operators with a private certificate authority to the line of such an error.
fn with_hint(line: String) -> String {
    if line.contains("certificate verify failed") {
        format!(
            "{line} (whom to trust is in the system's certificates, or in the file that SSL_CERT_FILE names)"
        )
    } else {
        line
    }
}
