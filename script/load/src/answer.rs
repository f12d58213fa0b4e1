//! Reads one answer on a keep-alive connection.

use std::io::{self, ErrorKind, Read};

/// The longest head that is read.
const HEAD: usize = 16 << 10;

/// The head of an answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    /// Whether the server will close the connection.
    pub closes: bool,
    /// The length of the head, in bytes.
    size: usize,
    /// The length of the body, in bytes.
    length: usize,
}

/// Returns the head at the beginning of `bytes`; `None` if it is not complete.
pub fn parse(bytes: &[u8]) -> io::Result<Option<Head>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..end]).map_err(|_| malformed())?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).ok_or_else(malformed)?;
    let mut head = Head { status, closes: false, size: end + 4, length: 0 };
    let mut counted = matches!(status, 204 | 304);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            head.length = value.parse().map_err(|_| malformed())?;
            counted = true;
        } else if name.eq_ignore_ascii_case("connection") {
            head.closes = value.eq_ignore_ascii_case("close");
        }
    }
    if counted { Ok(Some(head)) } else { Err(malformed()) }
}

/// Reads the whole answer. `buffer` is reused between calls.
pub fn read(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<Head> {
    buffer.resize(HEAD, 0);
    let mut got = 0;
    let head = loop {
        if let Some(head) = parse(&buffer[..got])? {
            break head;
        }
        match stream.read(&mut buffer[got..])? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => got += count,
        }
    };
    let mut left = (head.size + head.length).checked_sub(got).ok_or_else(malformed)?;
    while left > 0 {
        let room = left.min(HEAD);
        match stream.read(&mut buffer[..room])? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => left -= count,
        }
    }
    Ok(head)
}

/// Reads the whole answer, and returns its body too.
pub fn read_with_body(stream: &mut impl Read) -> io::Result<(Head, Vec<u8>)> {
    let mut bytes = vec![];
    let mut piece = vec![0; 64 << 10];
    let mut head = None;
    loop {
        if head.is_none() {
            head = parse(&bytes)?;
        }
        if let Some(whole) = head.as_ref().map(|head| head.size + head.length) {
            if bytes.len() > whole {
                return Err(malformed());
            }
            if let Some(head) = head.take_if(|_| bytes.len() == whole) {
                let body = bytes.split_off(head.size);
                return Ok((head, body));
            }
        }
        match stream.read(&mut piece)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => bytes.extend_from_slice(&piece[..count]),
        }
    }
}

fn malformed() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "an answer that is not understood")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_to_its_end_and_no_further() {
        for (bytes, status, closes) in [
            ("HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}", 201, false),
            ("HTTP/1.1 204 No Content\r\n\r\n", 204, false),
            ("HTTP/1.1 429 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 429, true),
        ] {
            let head = read(&mut bytes.as_bytes(), &mut vec![]).expect("an answer");
            assert_eq!((head.status, head.closes), (status, closes), "{bytes}");
            let (head, body) = read_with_body(&mut bytes.as_bytes()).expect("an answer");
            assert_eq!(
                (head.status, body),
                (status, bytes.split_once("\r\n\r\n").unwrap().1.into()),
                "{bytes}"
            );
        }
    }

    #[test]
    fn incomplete_answer_is_an_error() {
        for bytes in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{}",
            "nonsense\r\n\r\n",
        ] {
            assert!(read(&mut bytes.as_bytes(), &mut vec![]).is_err(), "{bytes}");
            assert!(read_with_body(&mut bytes.as_bytes()).is_err(), "{bytes}");
        }
    }
}
