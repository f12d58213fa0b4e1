//! A well-behaved HTTP client.

use std::io::Cursor;
use std::time::Duration;

use serde_json::Value;
use ureq::tls::TlsConfig;
use ureq::{Agent, SendBody, http};

use super::{Answer, BACKUPS, Server, System, base64};

/// A request that is not sent yet.
pub struct Request<'a> {
    server: &'a Server,
    head: http::request::Builder,
    body: Body,
}

enum Body {
    None,
    Known(Vec<u8>),
    Chunked(Vec<u8>),
}

/// Follows no redirect, and treats no status as an error. `RawClient` and curl test certificates.
pub fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(Duration::from_mins(2)))
        .tls_config(TlsConfig::builder().disable_verification(true).build())
        .build()
        .new_agent()
}

pub fn basic(key: &str, secret: &str) -> String {
    format!("Basic {}", base64(format!("{key}:{secret}").as_bytes()))
}

impl Request<'_> {
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.head = self.head.header(name, value.as_ref());
        self
    }

    pub fn user(self, system: &System) -> Self {
        self.header("authorization", basic(&system.key, &system.secret))
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Body::Known(body.into());
        self
    }

    pub fn chunked(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Body::Chunked(body.into());
        self
    }

    #[track_caller]
    pub fn send(self) -> Answer {
        self.try_send().unwrap_or_else(|e| panic!("no answer: {e}"))
    }

    /// Fails if the connection breaks before the end of the answer.
    pub fn try_send(self) -> Result<Answer, ureq::Error> {
        let agent = self.server.agent();
        let head = self.head;
        let build = "a well-formed request";
        let response = match self.body {
            Body::None => agent.run(head.body(()).expect(build)),
            Body::Known(bytes) => agent.run(head.body(bytes).expect(build)),
            Body::Chunked(bytes) => {
                agent.run(head.body(SendBody::from_owned_reader(Cursor::new(bytes))).expect(build))
            }
        }?;
        let (head, body) = response.into_parts();
        let body = body.into_with_config().limit(u64::MAX).read_to_vec()?;
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        Ok(Answer { status: head.status.as_u16(), headers, body })
    }
}

impl Server {
    pub fn request(&self, method: &str, path: &str) -> Request<'_> {
        let head = http::Request::builder().method(method).uri(self.url(path));
        Request { server: self, head, body: Body::None }
    }

    pub fn get(&self, path: &str) -> Request<'_> {
        self.request("GET", path)
    }

    /// Prepares a request to the management API.
    pub fn manage(&self, method: &str, path: &str) -> Request<'_> {
        let head = http::Request::builder().method(method).uri(self.management_url(path));
        Request { server: self, head, body: Body::None }
    }

    /// Prepares a request without credentials to an address that the service issued.
    pub fn at(&self, url: &str) -> Request<'_> {
        Request { server: self, head: http::Request::builder().uri(url), body: Body::None }
    }

    /// Prepares an upload, without its body.
    pub fn upload(&self, system: &System) -> Request<'_> {
        self.request("POST", BACKUPS).user(system)
    }

    /// Uploads these bytes, and returns the answer.
    #[track_caller]
    pub fn put(&self, system: &System, bytes: &[u8]) -> Answer {
        self.upload(system).body(bytes).send()
    }

    /// Uploads these bytes, and returns the backup's id.
    #[track_caller]
    pub fn store(&self, system: &System, bytes: &[u8]) -> String {
        self.put(system, bytes).id()
    }

    /// Returns the ids of the system's backups, in the order of the list.
    #[track_caller]
    pub fn ids(&self, system: &System) -> Vec<String> {
        self.list(system).iter().map(|b| b["id"].as_str().expect("an id").to_owned()).collect()
    }

    #[track_caller]
    pub fn list(&self, system: &System) -> Vec<Value> {
        let answer = self.get(BACKUPS).user(system).send().status(200);
        answer.data()["backups"].as_array().unwrap_or_else(|| panic!("no list: {answer}")).clone()
    }

    /// Prepares a download.
    pub fn fetch(&self, system: &System, id: &str) -> Request<'_> {
        self.get(&format!("{BACKUPS}/{id}")).user(system)
    }

    #[track_caller]
    pub fn delete(&self, system: &System, id: &str) -> Answer {
        self.request("DELETE", &format!("{BACKUPS}/{id}")).user(system).send()
    }
}
