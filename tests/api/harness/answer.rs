//! An answer, whichever client received it, and the checks for every answer of the service.

use serde_json::Value;

/// The challenges to systems: without a credential, with a malformed one, with a wrong one.
pub const BASIC: &str = r#"Basic realm="systems""#;
pub const MALFORMED_CREDENTIAL: &str = r#"Basic realm="systems", error="invalid_request", error_description="expected Basic with the base64 of KEY:SECRET""#;
pub const WRONG_CREDENTIAL: &str = r#"Basic realm="systems", error="invalid_credentials", error_description="the key or the secret is wrong, or the system is suspended""#;

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// Returns the value of a header; fails if it was sent twice.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let found = all.next().map(|(_, value)| value.as_str());
        assert!(all.next().is_none(), "{name} was sent twice: {self}");
        found
    }

    #[track_caller]
    pub fn must_have(&self, name: &str) -> &str {
        self.header(name).unwrap_or_else(|| panic!("no header {name} in {self}"))
    }

    #[track_caller]
    pub fn status(self, expected: u16) -> Self {
        assert_eq!(self.status, expected, "unexpected answer: {self}");
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("not JSON ({e}): {self}"))
    }

    /// Checks the envelope, and returns its `data`.
    #[track_caller]
    pub fn data(&self) -> Value {
        let content_type = self.must_have("content-type");
        assert!(content_type.starts_with("application/json"), "an envelope is JSON: {self}");
        let json = self.json();
        assert_eq!(json["code"], self.status, "`code` is the status: {self}");
        let message = json["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty(), "an envelope has a message: {self}");
        let members = json.as_object().map(serde_json::Map::len);
        assert_eq!(members, Some(3), "an envelope is code, message and data: {self}");
        json.get("data").unwrap_or_else(|| panic!("an envelope has data: {self}")).clone()
    }

    #[track_caller]
    pub fn message(&self) -> String {
        self.data();
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }

    /// Returns the whole seconds of `Retry-After`; 1 or more.
    #[track_caller]
    pub fn retry_after(&self) -> u64 {
        let value = self.must_have("retry-after");
        let seconds = value.parse().unwrap_or_else(|_| panic!("Retry-After is not in seconds: {self}"));
        assert!(seconds >= 1, "Retry-After is 0: {self}");
        seconds
    }

    /// Checks that the status is 201, and returns the id of the new backup.
    #[track_caller]
    pub fn id(&self) -> String {
        assert_eq!(self.status, 201, "not stored: {self}");
        assert_eq!(self.message(), "backup stored");
        self.data()["id"].as_str().unwrap_or_else(|| panic!("no id in {self}")).to_owned()
    }

    /// Checks that the answer is 400 and names only this field; returns the error's message.
    #[track_caller]
    pub fn is_validation_error(&self, key: &str) -> String {
        assert_eq!(self.status, 400, "unexpected answer: {self}");
        assert_eq!(self.message(), "validation failed", "{self}");
        let data = self.data();
        assert_eq!(data["type"], "validation_error", "{self}");
        let errors = data["errors"].as_array().unwrap_or_else(|| panic!("no errors in {self}")).clone();
        assert_eq!(errors.len(), 1, "only one field is wrong: {self}");
        assert_eq!(errors[0]["key"], key, "{self}");
        assert!(errors[0].get("value").is_some(), "an error has a value: {self}");
        let message = errors[0]["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty(), "an error has a message: {self}");
        message.to_owned()
    }

    #[track_caller]
    pub fn is_invalid_token(&self) {
        assert_eq!(self.status, 401, "unexpected answer: {self}");
        assert_eq!(self.message(), "invalid token", "{self}");
        assert_eq!(self.data(), serde_json::json!({}), "{self}");
        let challenge = self.must_have("www-authenticate");
        let known = [BASIC, MALFORMED_CREDENTIAL, WRONG_CREDENTIAL];
        assert!(known.contains(&challenge), "{challenge}");
    }

    /// Checks that the answer is the management API's 401, under `/api`.
    #[track_caller]
    pub fn is_bad_token(&self) {
        assert_eq!(self.status, 401, "unexpected answer: {self}");
        assert_eq!(self.message(), "invalid token", "{self}");
        assert_eq!(self.data(), serde_json::json!({}), "{self}");
        let challenge = self.must_have("www-authenticate");
        let refused = challenge.starts_with(r#"Bearer error="invalid_token", error_description=""#);
        assert!(challenge == "Bearer" || (refused && challenge.ends_with('"')), "{challenge}");
    }

    /// Checks that the answer is an error in the gateway's format; `base` is the beginning of its page's
    /// address.
    #[track_caller]
    pub fn is_gateway_error(&self, status: u16, code: &str, base: &str) {
        assert_eq!(self.status, status, "unexpected answer: {self}");
        assert!(self.must_have("content-type").starts_with("application/json"), "{self}");
        let json = self.json();
        let mut members: Vec<&str> =
            json.as_object().map(|object| object.keys().map(String::as_str).collect()).unwrap_or_default();
        members.sort_unstable();
        assert_eq!(members, ["code", "doc_url", "message", "type"], "{self}");
        assert_eq!(json["code"], code, "{self}");
        assert_eq!(json["doc_url"], format!("{base}/docs/errors/{code}"), "{self}");
        let kind = json["type"].as_str().unwrap_or_default();
        assert!(kind.ends_with("_error"), "{self}");
        assert_eq!(kind == "api_error", status >= 500, "{self}");
        assert_eq!(self.header("retry-after").is_some(), status >= 500 || status == 429, "{self}");
        assert_eq!(self.header("www-authenticate").is_some(), [401, 403].contains(&status), "{self}");
        assert!(json["message"].as_str().is_some_and(|message| !message.is_empty()), "{self}");
    }

    #[track_caller]
    pub fn is_not_found(&self) {
        assert_eq!(self.status, 404, "unexpected answer: {self}");
        assert_eq!(self.message(), "backup not found", "{self}");
        assert_eq!(self.data(), serde_json::json!({}), "{self}");
    }

    #[track_caller]
    pub fn is_over_quota(&self) {
        assert_eq!(self.status, 413, "unexpected answer: {self}");
        assert_eq!(self.message(), "organization backup quota exceeded", "{self}");
        let text = self.json().to_string().replacen("413", "", 1);
        assert!(
            !text.bytes().any(|b| b.is_ascii_digit()),
            "the answer has figures of the organization: {self}"
        );
    }

    #[track_caller]
    pub fn is_over_size(&self, max_bytes: u64) {
        assert_eq!(self.status, 413, "unexpected answer: {self}");
        assert_eq!(self.message(), "backup exceeds max upload size", "{self}");
        assert_eq!(self.data()["max_bytes"], max_bytes, "{self}");
    }

    /// Checks that the answer is 429; returns the whole seconds, which are equal in header and body.
    #[track_caller]
    pub fn is_rate_limited(&self) -> u64 {
        assert_eq!(self.status, 429, "unexpected answer: {self}");
        let seconds = self.retry_after();
        assert_eq!(self.data(), serde_json::json!({ "retry_after_seconds": seconds }), "{self}");
        seconds
    }

    /// Checks that the answer is 503, shows nothing internal, and says when to try again.
    #[track_caller]
    pub fn is_unavailable(&self) {
        assert_eq!(self.status, 503, "unexpected answer: {self}");
        let seconds = self.retry_after();
        assert!(seconds <= 600, "Retry-After is too long: {self}");
        assert_eq!(self.data()["type"], "external_api_error", "{self}");
        let text = self.json().to_string().to_lowercase();
        for inside in ["postgres", "diesel", "/tmp", "os error", "sql", "connection", "password", "errno"] {
            assert!(!text.contains(inside), "{inside} is nothing for a client: {self}");
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = &self.body[..self.body.len().min(500)];
        write!(f, "{} {:?} {:?}", self.status, self.headers, String::from_utf8_lossy(body))
    }
}
