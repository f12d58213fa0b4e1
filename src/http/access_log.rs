//! The access log: one line for each request, at level `info` if it may change something, else at level `debug`.
//!
//! Headers and queries carry secrets, so neither is ever logged. The target is `strongroom::access`: with
//! `RUST_LOG=info,strongroom::access=debug` the log has every request.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Instant;

use actix_web::dev::ServiceRequest;
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpMessage, HttpRequest};
use log::Level;

use crate::auth::basic::SystemIdentity;
use crate::domain::caller::Caller;
use crate::domain::ids::BackupId;

const TARGET: &str = "strongroom::access";
/// No route has a method or a path of this length in characters. Longer ones are cut: a client may send up to 64 KiB.
const MAX_METHOD: usize = 20;
const MAX_PATH: usize = 200;

/// What the extractors and the handlers find out about a request: who sends it, and which backup it is about. It is in the
/// request's extensions, because a handler that is dropped returns nothing.
#[derive(Clone, Default)]
struct Subject(Rc<RefCell<SubjectFields>>);

#[derive(Default)]
struct SubjectFields {
    system: Option<String>,
    /// The `sub` of a token.
    sub: Option<String>,
    org: Option<String>,
    backup: Option<String>,
}

/// Notes the system that sends the request.
pub(super) fn note_system(request: &HttpRequest, system: &SystemIdentity) {
    note(request, |subject| {
        subject.system = Some(system.key().to_string());
        subject.org = Some(system.org().to_string());
    });
}

/// Notes the caller whose token the request has.
pub(super) fn note_caller(request: &HttpRequest, caller: &Caller) {
    note(request, |subject| {
        subject.sub = Some(caller.sub().to_owned());
        subject.org = caller.org().map(ToString::to_string);
    });
}

/// Notes the backup that the request makes. The id in a path need not be noted.
pub(super) fn note_backup(request: &HttpRequest, backup: BackupId) {
    note(request, |subject| subject.backup = Some(backup.to_string()));
}

/// Does nothing for a request that is not logged.
fn note(request: &HttpRequest, write: impl FnOnce(&mut SubjectFields)) {
    if let Some(subject) = request.extensions().get::<Subject>() {
        write(&mut subject.0.borrow_mut());
    }
}

/// The line of a request. It is logged when this is dropped: when the last byte of the response has been passed on, or when
/// the client has disconnected.
pub(super) struct AccessLine {
    level: Level,
    method: String,
    path: String,
    client: Option<IpAddr>,
    started: Instant,
    received: Rc<Cell<u64>>,
    subject: Subject,
    /// `None`: the client has disconnected before there was a response.
    pub(super) status: Option<StatusCode>,
    /// Bytes of the response's body.
    pub(super) sent: u64,
}

impl AccessLine {
    /// Starts the line of a request; `None` if requests of this kind are not logged.
    pub(super) fn start(request: &ServiceRequest, client: impl FnOnce() -> Option<IpAddr>) -> Option<Self> {
        let level = level(request.method());
        if !log::log_enabled!(target: TARGET, level) {
            return None;
        }
        let subject = Subject::default();
        request.extensions_mut().insert(subject.clone());
        Some(Self {
            level,
            method: printable(request.method().as_str(), MAX_METHOD),
            path: printable(request.path(), MAX_PATH),
            client: client(),
            started: Instant::now(),
            received: Rc::default(),
            subject,
            status: None,
            sent: 0,
        })
    }

    /// Returns the counter of the bytes of the request's body.
    pub(super) fn received(&self) -> Rc<Cell<u64>> {
        Rc::clone(&self.received)
    }

    /// Sets the status of the response, and notes the backup in the path of its request.
    pub(super) fn respond(&mut self, status: StatusCode, request: &HttpRequest) {
        self.status = Some(status);
        let ids = request.match_info().iter().filter_map(|(_, value)| BackupId::parse(value).ok());
        if let Some(backup) = ids.last() {
            note_backup(request, backup);
        }
    }
}

impl Display for AccessLine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.method, self.path)?;
        match self.status {
            Some(status) => write!(f, "{}", status.as_u16())?,
            None => f.write_str("disconnected")?,
        }
        let ms = self.started.elapsed().as_millis();
        write!(f, " received={} sent={} ms={ms}", self.received.get(), self.sent)?;
        if let Some(client) = self.client {
            write!(f, " client={client}")?;
        }
        let subject = self.subject.0.borrow();
        for (name, value) in [("system", &subject.system), ("org", &subject.org), ("backup", &subject.backup)]
        {
            if let Some(value) = value {
                write!(f, " {name}={value}")?;
            }
        }
        // The identity provider chooses it: `Debug` escapes what is not printable.
        subject.sub.as_ref().map_or(Ok(()), |sub| write!(f, " sub={sub:?}"))
    }
}

impl Drop for AccessLine {
    fn drop(&mut self) {
        log::log!(target: TARGET, self.level, "{self}");
    }
}

fn level(method: &Method) -> Level {
    match *method {
        Method::GET | Method::HEAD | Method::OPTIONS => Level::Debug,
        _ => Level::Info,
    }
}

/// Returns the first `max` characters, and `...` if there are more. What is not printable ASCII is escaped.
fn printable(text: &str, max: usize) -> String {
    let mut rest = text.chars();
    let mut printable = String::new();
    for char in rest.by_ref().take(max) {
        if char.is_ascii_graphic() {
            printable.push(char);
        } else {
            printable.extend(char.escape_default());
        }
    }
    printable + if rest.next().is_some() { "..." } else { "" }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn requests_that_may_change_something_are_logged_at_info() {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            assert_eq!(level(&method), Level::Info, "{method}");
        }
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            assert_eq!(level(&method), Level::Debug, "{method}");
        }
    }

    #[test]
    fn the_log_shows_the_beginning_of_a_long_path_and_no_query() {
        let path = |uri: &str| printable(TestRequest::with_uri(uri).to_srv_request().path(), MAX_PATH);
        assert_eq!(path("/api/health?x=y"), "/api/health");
        let long = format!("/{}", "a".repeat(199));
        assert_eq!(path(&long), long);
        assert_eq!(path(&format!("{long}bcd")), format!("{long}..."));
    }

    #[test]
    fn characters_that_are_not_printable_are_escaped() {
        assert_eq!(printable("/a'\"%0a\\", 20), "/a'\"%0a\\");
        assert_eq!(printable("/\u{7f}\n\u{e9}\u{202e}", 20), "/\\u{7f}\\n\\u{e9}\\u{202e}");
    }
}
