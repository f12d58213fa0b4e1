//! A connection that a test controls byte by byte: partial bodies, broken framing, and disconnects.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

use rustls::{ClientConnection, StreamOwned};

use super::client::basic;
use super::{Answer, BACKUPS, Disconnect, Server, System, TIMEOUT, assert_eventually, bytes, on_s3};

pub struct RawClient {
    stream: Stream,
    unread: Vec<u8>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl RawClient {
    /// Connects; with TLS if the server has a certificate.
    #[track_caller]
    pub fn to(server: &Server) -> Self {
        Self::try_to(server).unwrap_or_else(|e| panic!("connect to {}: {e}", server.address()))
    }

    pub fn try_to(server: &Server) -> io::Result<Self> {
        let stream = connect(server.address())?;
        let stream = match server.certificate() {
            None => Stream::Plain(stream),
            Some(certificate) => Stream::Tls(Box::new(certificate.client(stream))),
        };
        Ok(Self { stream, unread: Vec::new() })
    }

    /// Connects to the management API, which speaks plain HTTP on loopback.
    #[track_caller]
    pub fn to_management(server: &Server) -> Self {
        let url = server.management_url("");
        let address = url.rsplit('/').next().unwrap_or_default();
        let stream = connect(address).unwrap_or_else(|e| panic!("connect to {address}: {e}"));
        Self { stream: Stream::Plain(stream), unread: Vec::new() }
    }

    /// Begins an upload: sends the head with these lines added, and no body.
    #[track_caller]
    pub fn upload(server: &Server, system: &System, lines: &[&str]) -> Self {
        let mut raw = Self::to(server);
        raw.send(head("POST", BACKUPS, system, lines));
        raw
    }

    /// Sends half of an upload of 2 MB, and waits until the upload is admitted and the store has bytes of it: an engine
    /// does not show the bytes of a streamed PUT.
    #[track_caller]
    pub fn half_an_upload(server: &Server, system: &System) -> Self {
        let mut raw = Self::upload(server, system, &["Content-Length: 2000000"]);
        raw.send(bytes(1_000_000));
        assert_eventually("the upload was admitted", TIMEOUT, || server.receiving() == 1);
        if !on_s3() {
            assert_eventually("its bytes arrive", TIMEOUT, || server.has_bytes_of_an_upload());
        }
        raw
    }

    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).unwrap_or_else(|e| panic!("send: {e}"));
    }

    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes.as_ref()),
            Stream::Tls(stream) => stream.write_all(bytes.as_ref()).and_then(|()| stream.flush()),
        }
    }

    /// Performs the TLS handshake, if the server has TLS, before the first byte is sent.
    #[track_caller]
    pub fn shake_hands(&mut self) {
        if let Stream::Tls(stream) = &mut self.stream {
            while stream.conn.is_handshaking() {
                stream.conn.complete_io(&mut stream.sock).expect("a handshake");
            }
        }
    }

    /// Ends the sending direction; the client can still read.
    #[track_caller]
    pub fn finish_sending(&mut self) {
        if let Stream::Tls(stream) = &mut self.stream {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        self.tcp().shutdown(Shutdown::Write).expect("shut down sending");
    }

    /// Ends the sending direction, if the connection is still open.
    pub fn end_sending(&mut self) {
        let _ = self.tcp().shutdown(Shutdown::Write);
    }

    /// Disconnects, whatever is under way.
    pub fn disconnect(self, how: Disconnect) {
        match self.stream {
            Stream::Plain(stream) => how.close(stream),
            Stream::Tls(stream) => how.close(stream.sock),
        }
    }

    /// Reads the next answer, and skips interim ones.
    #[track_caller]
    pub fn answer(&mut self) -> Answer {
        self.try_answer().unwrap_or_else(|e| panic!("no answer: {e}"))
    }

    /// Reads the next answer, as one to `HEAD`, which has no body.
    #[track_caller]
    pub fn answer_to_head(&mut self) -> Answer {
        let (status, headers) = self.read_head().unwrap_or_else(|e| panic!("no answer: {e}"));
        Answer { status, headers, body: Vec::new() }
    }

    /// Fails if the connection ends before a whole answer was read.
    pub fn try_answer(&mut self) -> io::Result<Answer> {
        loop {
            let (status, headers) = self.read_head()?;
            let mut answer = Answer { status, headers, body: Vec::new() };
            if (100..200).contains(&status) {
                continue;
            }
            if answer.header("transfer-encoding").is_some() {
                answer.body = self.read_chunks()?;
            } else if status != 204 && status != 304 {
                let length = answer.header("content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
                answer.body = self.read_exactly(length)?;
            }
            return Ok(answer);
        }
    }

    /// Reads the status of the next answer, whatever its body is (`HEAD` has none). The next read continues
    /// behind its head.
    pub fn try_status(&mut self) -> io::Result<u16> {
        loop {
            let Some(start) = find(&self.unread, b"HTTP/1.") else {
                self.fill()?;
                continue;
            };
            self.unread.drain(..start);
            let (status, _) = self.read_head()?;
            if status >= 200 {
                return Ok(status);
            }
        }
    }

    /// Reads this many bytes, whatever they belong to.
    pub fn try_read(&mut self, length: usize) -> io::Result<Vec<u8>> {
        self.read_exactly(length)
    }

    /// Whether the server closes the connection without a further byte.
    pub fn is_closed(&mut self) -> bool {
        self.unread.is_empty() && matches!(self.fill(), Err(e) if e.kind() != io::ErrorKind::WouldBlock)
    }

    /// Returns how many bytes follow the answer's head until the server closes the connection.
    #[track_caller]
    pub fn bytes_after_head(&mut self) -> usize {
        self.read_head().unwrap_or_else(|e| panic!("no answer: {e}"));
        while self.fill().is_ok() {}
        self.unread.len()
    }

    /// Whether the server has begun to answer, or has disconnected.
    pub fn has_something_to_read(&self) -> bool {
        let tcp = self.tcp();
        tcp.set_nonblocking(true).expect("not wait");
        let waiting = matches!(tcp.peek(&mut [0]), Err(e) if e.kind() == io::ErrorKind::WouldBlock);
        tcp.set_nonblocking(false).expect("wait again");
        !waiting || !self.unread.is_empty()
    }

    fn read_head(&mut self) -> io::Result<(u16, Vec<(String, String)>)> {
        let end = loop {
            if let Some(end) = find(&self.unread, b"\r\n\r\n") {
                break end;
            }
            self.fill()?;
        };
        let head = String::from_utf8_lossy(&self.unread[..end]).into_owned();
        self.unread.drain(..end + 4);
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|s| s.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("not HTTP: {head}")))?;
        let split = |line: &str| line.split_once(':').map(|(n, v)| (n.to_lowercase(), v.trim().to_owned()));
        Ok((status, lines.filter_map(split).collect()))
    }

    fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                if let Some(end) = find(&self.unread, b"\r\n") {
                    break end;
                }
                self.fill()?;
            };
            let line = self.read_exactly(end + 2)?;
            let size = String::from_utf8_lossy(&line[..end]).into_owned();
            let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            let chunk = self.read_exactly(size + 2)?;
            body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn read_exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.unread.len() < length {
            self.fill()?;
        }
        Ok(self.unread.drain(..length).collect())
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        let read = match &mut self.stream {
            Stream::Plain(stream) => stream.read(&mut buffer)?,
            Stream::Tls(stream) => stream.read(&mut buffer)?,
        };
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.unread.extend_from_slice(&buffer[..read]);
        Ok(())
    }

    fn tcp(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => &stream.sock,
        }
    }
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT * 5))?;
    stream.set_write_timeout(Some(TIMEOUT * 5))?;
    Ok(stream)
}

/// Returns a request head with valid credentials.
pub fn head(method: &str, path: &str, system: &System, lines: &[&str]) -> String {
    let authorization = format!("Authorization: {}", basic(&system.key, &system.secret));
    bare_head(method, path, &[&[authorization.as_str()], lines].concat())
}

/// Returns a request head without credentials.
pub fn bare_head(method: &str, path: &str, lines: &[&str]) -> String {
    let lines: String = lines.iter().flat_map(|line| [line, "\r\n"]).collect();
    format!("{method} {path} HTTP/1.1\r\nHost: vault.example\r\n{lines}\r\n")
}

/// Returns one chunk of a chunked body; an empty one is the last.
pub fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
