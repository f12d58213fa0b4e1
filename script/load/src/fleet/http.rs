//! One request on a connection of its own, and its answer.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::expected_backups::Promised;
use crate::answer;

/// How long an answer may take before its connection counts as broken.
const TIMEOUT: Duration = Duration::from_mins(1);
const PIECE: usize = 64 << 10;

/// The body of an upload.
pub struct Body<'a> {
    pub bytes: &'a [u8],
    /// Whether it is sent without its length.
    pub chunked: bool,
}

pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

pub fn ask(address: &str, credential: &str, request: &str, body: Option<&Body<'_>>) -> io::Result<Answer> {
    let mut head = format!(
        "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAuthorization: Basic {credential}\r\n"
    );
    match body {
        Some(Body { chunked: true, .. }) => head.push_str("Transfer-Encoding: chunked\r\n\r\n"),
        Some(Body { bytes, .. }) => {
            let _ = write!(head, "Content-Length: {}\r\n\r\n", bytes.len());
        }
        None => head.push_str("\r\n"),
    }
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(head.as_bytes())?;
    // A refusal may arrive during the body: then the rest can't be sent, and the answer can be read.
    let sent = body.map_or(Ok(()), |body| send(&mut stream, body));
    match answer::read_with_body(&mut stream) {
        Ok((head, body)) => Ok(Answer { status: head.status, body }),
        Err(error) => Err(sent.err().unwrap_or(error)),
    }
}

fn send(stream: &mut TcpStream, body: &Body<'_>) -> io::Result<()> {
    if !body.chunked {
        return stream.write_all(body.bytes);
    }
    for piece in body.bytes.chunks(PIECE) {
        write!(stream, "{:x}\r\n", piece.len())?;
        stream.write_all(piece)?;
        stream.write_all(b"\r\n")?;
    }
    stream.write_all(b"0\r\n\r\n")
}

/// Returns the backups in a JSON answer. Their ids and hashes need no JSON escapes, and no client sets a name.
pub fn backups(json: &[u8]) -> Vec<Promised> {
    let text = String::from_utf8_lossy(json);
    let values = |name: &str| -> Vec<String> {
        let key = format!("\"{name}\":\"");
        text.split(key.as_str()).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
    };
    let pairs = values("id").into_iter().zip(values("sha256"));
    pairs.map(|(id, sha256)| Promised { id, sha256 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_hashes_are_read() {
        let json = br#"{"code":200,"data":{"backups":[{"id":"a.bin","filename":"f","sha256":"00"},{"id":"b","sha256":"01"}]}}"#;
        let found = backups(json);
        assert_eq!(found.len(), 2);
        assert_eq!((found[1].id.as_str(), found[1].sha256.as_str()), ("b", "01"));
        assert!(backups(b"{}").is_empty());
    }
}
