//! The requests to send, and their bytes.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::TcpStream;
use std::time::Duration;

/// How long an answer may take before its connection counts as broken.
const TIMEOUT: Duration = Duration::from_secs(40);
/// The number of names that each client uses in turn.
const TURNS: u64 = 10;

/// When a client is done.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    Seconds(Duration),
    Requests(u64),
}

#[derive(Debug)]
pub struct Plan {
    /// `host:port`.
    authority: String,
    path: String,
    method: String,
    credentials: Vec<String>,
    pub clients: usize,
    pub body: Vec<u8>,
    pub until: Until,
    /// Bytes a second.
    pub trickle: Option<usize>,
}

impl Plan {
    pub fn from_args(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut plan = Self {
            authority: String::new(),
            path: String::new(),
            method: "GET".to_owned(),
            credentials: vec![],
            clients: 1,
            body: vec![],
            until: Until::Requests(1),
            trickle: None,
        };
        while let Some(name) = args.next() {
            let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
            let number = || value.parse::<u64>().map_err(|_| format!("{name} {value}: not a number"));
            let count = || usize::try_from(number()?).map_err(|_| format!("{name} {value}: too much"));
            match name.as_str() {
                "--url" => (plan.authority, plan.path) = parse_url(&value)?,
                "--method" => plan.method = value,
                "--clients" => plan.clients = count()?,
                "--size" => plan.body = noise(count()?),
                "--credentials" => plan.credentials = read_lines(&value)?,
                "--seconds" => plan.until = Until::Seconds(Duration::from_secs(number()?)),
                "--requests" => plan.until = Until::Requests(number()?),
                "--trickle" => plan.trickle = Some(count()?),
                _ => return Err(format!("what is {name}?")),
            }
        }
        if plan.authority.is_empty() { Err("--url is needed".to_owned()) } else { Ok(plan) }
    }

    pub fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(&self.authority)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(stream)
    }

    /// Returns the head of a client's `sent`th request.
    pub fn head(&self, client: usize, sent: u64) -> String {
        let path =
            self.path.replace("{client}", &client.to_string()).replace("{turn}", &(sent % TURNS).to_string());
        let mut head = format!("{} {path} HTTP/1.1\r\nHost: {}\r\n", self.method, self.authority);
        if !self.credentials.is_empty() {
            let credential = &self.credentials[client % self.credentials.len()];
            let _ = write!(head, "Authorization: Basic {credential}\r\n");
        }
        if !self.body.is_empty() {
            let length = self.body.len();
            let _ = write!(head, "Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n");
        }
        head.push_str("\r\n");
        head
    }
}

fn parse_url(url: &str) -> Result<(String, String), String> {
    let rest = url.strip_prefix("http://").ok_or_else(|| format!("{url} does not start with http://"))?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    Ok((authority.to_owned(), format!("/{path}")))
}

pub fn read_lines(file: &str) -> Result<Vec<String>, String> {
    let text = fs::read_to_string(file).map_err(|e| format!("{file}: {e}"))?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// Returns bytes that cannot be compressed (xorshift), the same in every run.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..size).map(|_| next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(args: &str) -> Result<Plan, String> {
        Plan::from_args(args.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn each_client_and_turn_has_a_head_of_its_own() {
        let plan = plan("--url http://h:1/a/{client}-{turn} --method PUT --size 3").expect("a plan");
        assert_eq!(
            plan.head(7, 12),
            "PUT /a/7-2 HTTP/1.1\r\nHost: h:1\r\nContent-Type: application/octet-stream\r\n\
             Content-Length: 3\r\n\r\n"
        );
    }

    #[test]
    fn invalid_arguments_are_refused() {
        for args in ["", "--size 3", "--url https://h/", "--url http://h/ --clients x", "--url"] {
            assert!(plan(args).is_err(), "{args}");
        }
    }
}
