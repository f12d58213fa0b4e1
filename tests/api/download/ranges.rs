//! Ranges and conditions: how a client resumes an interrupted download.

use crate::harness::{Answer, Server, System, bytes, digest_field, sha256_hex};

struct Stored {
    server: Server,
    system: System,
    body: Vec<u8>,
    id: String,
    etag: String,
}

impl Stored {
    fn new() -> Self {
        let server = Server::start();
        let system = server.system();
        let body = bytes(1000);
        let id = server.store(&system, &body);
        let etag = format!("\"{}\"", sha256_hex(&body));
        Self { server, system, body, id, etag }
    }

    fn get(&self, headers: &[(&str, &str)]) -> Answer {
        let request = self.server.fetch(&self.system, &self.id);
        headers.iter().fold(request, |request, (name, value)| request.header(name, value)).send()
    }

    #[track_caller]
    fn is_whole(&self, answer: &Answer) {
        assert_eq!(answer.status, 200, "{answer}");
        assert_eq!(answer.header("content-range"), None, "{answer}");
        assert!(answer.body == self.body, "not the whole: {answer}");
    }
}

#[test]
fn single_range_is_served() {
    let stored = Stored::new();
    let table = [
        ("bytes=0-0", 0, 0),
        ("bytes=0-99", 0, 99),
        ("bytes=500-599", 500, 599),
        ("bytes=999-999", 999, 999),
        ("bytes=0-999", 0, 999),
        ("bytes=900-", 900, 999),
        ("bytes=0-", 0, 999),
        ("bytes=-1", 999, 999),
        ("bytes=-100", 900, 999),
        ("bytes=-1000", 0, 999),
        ("bytes=-5000", 0, 999),
        ("bytes=990-5000", 990, 999),
        ("bytes=5-99999999999999999999", 5, 999),
    ];
    for (range, first, last) in table {
        let answer = stored.get(&[("range", range)]);
        assert_eq!(answer.status, 206, "{range}: {answer}");
        assert!(answer.body == stored.body[first..=last], "{range}");
        assert_eq!(answer.must_have("content-range"), format!("bytes {first}-{last}/1000"), "{range}");
        assert_eq!(answer.must_have("content-length"), (last - first + 1).to_string(), "{range}");
        assert_eq!(answer.must_have("content-type"), "application/octet-stream", "{range}");
        assert_eq!(answer.must_have("etag"), stored.etag, "{range}");
        assert_eq!(answer.must_have("repr-digest"), digest_field(&stored.body), "of the whole: {range}");
        assert_eq!(answer.must_have("cache-control"), "private, no-store", "{range}");
    }
}

#[test]
fn a_range_beyond_the_end_is_416_with_the_size() {
    let stored = Stored::new();
    for range in ["bytes=1000-", "bytes=1000-1001", "bytes=99999999999999999999-", "bytes=-0"] {
        let answer = stored.get(&[("range", range)]);
        assert_eq!(answer.status, 416, "{range}: {answer}");
        assert_eq!(answer.must_have("content-range"), "bytes */1000", "{range}");
        answer.data();
    }
}

#[test]
fn malformed_and_multiple_ranges_are_ignored() {
    let stored = Stored::new();
    for range in [
        "bytes=0-1,5-6",
        "bytes=0-1, -1",
        "bytes=5-2",
        "bytes=a-b",
        "bytes=",
        "bytes=-",
        "items=0-1",
        "0-1",
        "bytes 0-1",
    ] {
        let answer = stored.get(&[("range", range)]);
        assert_eq!(answer.status, 200, "{range}: {answer}");
        stored.is_whole(&answer);
    }
}

#[test]
fn if_none_match_with_the_etag_is_304() {
    let stored = Stored::new();
    let (weak, list) = (format!("W/{}", stored.etag), format!("\"x\", {}", stored.etag));
    for tag in [stored.etag.as_str(), "*", &weak, &list] {
        let answer = stored.get(&[("if-none-match", tag)]);
        assert_eq!(answer.status, 304, "{tag}: {answer}");
        assert!(answer.body.is_empty());
        assert_eq!(answer.must_have("etag"), stored.etag);
    }
    let with_range = stored.get(&[("if-none-match", &stored.etag), ("range", "bytes=0-1")]);
    assert_eq!(with_range.status, 304, "If-None-Match is checked first");
    stored.is_whole(&stored.get(&[("if-none-match", "\"x\"")]));
    stored.is_whole(&stored.get(&[("if-none-match", &sha256_hex(b"another"))]));
}

#[test]
fn if_range_resumes_only_the_same_bytes() {
    let stored = Stored::new();
    let resume = |tag: &str| stored.get(&[("range", "bytes=500-"), ("if-range", tag)]);
    let answer = resume(&stored.etag).status(206);
    assert!(answer.body == stored.body[500..]);
    let weak = format!("W/{}", stored.etag);
    for other in ["\"x\"", &weak, "Wed, 21 Oct 2015 07:28:00 GMT"] {
        stored.is_whole(&resume(other));
    }
    stored.is_whole(&stored.get(&[("if-range", &stored.etag)]));
}

#[test]
fn curl_resumes_a_broken_download() {
    let stored = Stored::new();
    let folder = tempfile::TempDir::new().expect("make a folder");
    let file = folder.path().join("restored");
    std::fs::write(&file, &stored.body[..400]).expect("the part that arrived");
    let done = std::process::Command::new("curl")
        .args(["-q", "--silent", "--show-error", "--fail", "--continue-at", "-", "--user"])
        .arg(format!("{}:{}", stored.system.key, stored.system.secret))
        .arg(stored.server.url(&format!("{}/{}", crate::harness::BACKUPS, stored.id)))
        .arg("-o")
        .arg(&file)
        .output()
        .expect("these tests need curl");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(std::fs::read(&file).expect("the file") == stored.body);
}
