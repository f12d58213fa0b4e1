//! Random invalid and malicious requests.

use crate::harness::{BACKUPS, Random, System, bare_head, chunk, digest_field, head};

const METHODS: &[&str] = &[
    "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "BREW", "G\0T",
    "", "PRI",
];
const PATHS: &[&str] = &[
    "/api",
    "/systems",
    "/backups",
    "/health",
    "/live",
    "/",
    "//",
    "..",
    "/../",
    "%2e%2e",
    "%2f",
    "%00",
    "%",
    "%zz",
    ";",
    "?",
    "#",
    "&a=b",
    "/etc/passwd",
    "\\",
    "http://other.example",
    "*",
    "é",
    " ",
    "\t",
    "\u{0}",
    ".tmp",
];
const IDS: &[&str] = &[
    "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8",
    "01934FAB-bc33-7890-a1b2-c3d4e5f6a7b8",
    "00000000-0000-0000-0000-000000000000",
    "01934fabbc337890a1b2c3d4e5f6a7b8",
    "{",
    "}",
    "urn:uuid:",
    ".gpg",
    ".tar.gz",
    ".GPG",
    ".bin",
    ".",
    "..",
    "/",
    "%2f",
    "%00",
    "' OR 1=1 --",
    "-",
    "0",
    "f",
    "é",
    "999999999999999999999999",
];
const NAMES: &[&str] = &[
    "../",
    "..\\",
    "/etc/",
    "C:\\",
    ".tar.gz",
    ".gpg",
    ".GPG",
    ".",
    "a",
    "北",
    "é",
    " ",
    "\t",
    "\"",
    "'",
    ";",
    "%2e",
    "%00",
    "$(reboot)",
    "`id`",
    "|",
    "*",
    "<script>",
    "\u{7f}",
    "\u{202e}",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];
const HEADERS: &[&str] = &[
    "X-Filename",
    "Content-Type",
    "Content-Digest",
    "Repr-Digest",
    "Expect",
    "Range",
    "If-Range",
    "If-None-Match",
    "If-Match",
    "Authorization",
    "Host",
    "Connection",
    "Upgrade",
    "Content-Encoding",
    "Accept-Encoding",
    "Transfer-Encoding",
    "Content-Length",
    "Trailer",
    "TE",
    "X-Forwarded-For",
    "Forwarded",
    "Cookie",
    "X",
    "",
];
const VALUES: &[&str] = &[
    "sha-256=",
    ":AAAA:",
    "sha-256=:",
    ":",
    "bytes=",
    "0-",
    "-0",
    "-5",
    "5-2",
    "18446744073709551616-",
    ",",
    "100-continue",
    "\"",
    "W/\"",
    "*",
    "close",
    "keep-alive",
    "upgrade",
    "websocket",
    "h2c",
    "chunked",
    "identity",
    "gzip",
    "0",
    "-1",
    "5",
    "99999999999999999999",
    "Basic ",
    "Basic !!!",
    "Bearer x",
    "application/",
    "/x",
    "a/b;c=\"",
    "\t",
    " ",
    "\u{1}",
    "é",
    "=",
    ";",
];
const CHUNKS: &[&str] = &[
    "5\r\nhello\r\n",
    "0\r\n\r\n",
    "0\r\nX: y\r\n\r\n",
    "5;a=b\r\nhello\r\n",
    "0x5\r\n",
    "+5\r\n",
    "-1\r\n",
    "5\n",
    "\r\n",
    "ffffffffffffffff\r\n",
    "fffffffffffffffff\r\n",
    "5 \r\nhello\r\n",
    ";\r\n",
    "000000000000000005\r\nhello\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "\0",
];

/// Returns one request, or bytes that resemble one.
pub fn request(random: &mut Random, system: &System) -> Vec<u8> {
    match random.below(8) {
        0 => anywhere(random, system),
        1 => some_backup(random, system),
        2 => upload(random, system),
        3 => upload_in_chunks(random, system),
        4 => stranger(random),
        5 => changed(random, system),
        6 => with_headers(random, system),
        _ => [upload(random, system), some_backup(random, system)].concat(),
    }
}

fn anywhere(random: &mut Random, system: &System) -> Vec<u8> {
    let path = random.mix(PATHS, 6);
    let head = head(random.pick(METHODS), "PATH", system, &["Content-Length: 0"]);
    replace(&head, "PATH", &path)
}

fn some_backup(random: &mut Random, system: &System) -> Vec<u8> {
    let unknown = [IDS[0], random.pick(&[".gpg", ".tar.gz", ".GPG"])].concat();
    let id = if random.one_in(3) { unknown.into_bytes() } else { random.mix(IDS, 4) };
    let method = random.pick(&["GET", "DELETE", "HEAD", "PUT"]);
    replace(&head(method, &format!("{BACKUPS}/ID"), system, &[]), "ID HTTP", &[&id[..], b" HTTP"].concat())
}

fn upload(random: &mut Random, system: &System) -> Vec<u8> {
    let (name, kind, body) = (random.mix(NAMES, 8), random.mix(VALUES, 3), random.bytes_up_to(3000));
    let wrong = if random.one_in(4) { random.below(5000) } else { body.len() };
    let mut lines =
        vec![format!("Content-Length: {wrong}"), "X-Filename: NAME".into(), "Content-Type: KIND".into()];
    if random.one_in(3) {
        lines.push(format!("Content-Digest: {}", digest_field(&body)));
    }
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let head = replace(&head("POST", BACKUPS, system, &lines), "NAME", &name);
    [replace_bytes(&head, b"KIND", &kind), body].concat()
}

fn upload_in_chunks(random: &mut Random, system: &System) -> Vec<u8> {
    let head = head("POST", BACKUPS, system, &["Transfer-Encoding: chunked"]);
    let lead = if random.one_in(2) { chunk(&random.bytes_up_to(500)) } else { Vec::new() };
    let end = if random.one_in(2) { chunk(b"") } else { Vec::new() };
    [head.into_bytes(), lead, random.mix(CHUNKS, 5), end].concat()
}

fn stranger(random: &mut Random) -> Vec<u8> {
    let credential = random.mix(VALUES, 3);
    let path = if random.one_in(2) { BACKUPS } else { "/api/health" };
    let method = random.pick(METHODS);
    replace(
        &bare_head(method, path, &["Authorization: CREDENTIAL", "Content-Length: 0"]),
        "CREDENTIAL",
        &credential,
    )
}

fn with_headers(random: &mut Random, system: &System) -> Vec<u8> {
    let mut lines = Vec::new();
    let most = if random.one_in(20) { 150 } else { 8 };
    for _ in 0..random.below(most) {
        lines.extend_from_slice(random.pick(HEADERS).as_bytes());
        lines.extend_from_slice(random.pick(&[": ", ":", " : ", "", ":\t", ":\r\n "]).as_bytes());
        lines.extend(random.mix(VALUES, 4));
        lines.extend_from_slice(random.pick(&["\r\n", "\r\n", "\r\n", "\n", "\r"]).as_bytes());
    }
    let head = head(random.pick(&["GET", "POST", "DELETE"]), BACKUPS, system, &["LINES"]);
    [replace(&head, "LINES\r\n", &lines), random.bytes_up_to(50)].concat()
}

/// Returns a valid request with a few of its bytes changed.
fn changed(random: &mut Random, system: &System) -> Vec<u8> {
    let mut request = upload(random, system);
    for _ in 0..=random.below(4) {
        let at = random.below(request.len().min(400));
        request[at] = random.bytes_up_to(1).first().copied().unwrap_or(b'\n');
    }
    request
}

fn replace(head: &str, placeholder: &str, with: &[u8]) -> Vec<u8> {
    replace_bytes(head.as_bytes(), placeholder.as_bytes(), with)
}

fn replace_bytes(head: &[u8], placeholder: &[u8], with: &[u8]) -> Vec<u8> {
    let at = head.windows(placeholder.len()).position(|window| window == placeholder);
    let at = at.expect("the head has the placeholder");
    [&head[..at], with, &head[at + placeholder.len()..]].concat()
}
