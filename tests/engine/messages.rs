//! An engine's requests and responses, as far as the proxy has to read and write them.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

pub async fn read_head(client: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Some((String::from_utf8(bytes).ok()?, rest));
        }
        if client.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn content_length(head: &str) -> usize {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let mut lengths = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    lengths.next().and_then(|(_, value)| value.trim().parse().ok()).unwrap_or_default()
}

pub async fn drain(client: &mut TcpStream, head: &str, mut got: usize) {
    let mut buffer = vec![0; 64 << 10];
    while got < content_length(head) {
        match client.read(&mut buffer).await {
            Ok(n) if n > 0 => got += n,
            _ => return,
        }
    }
}

/// Returns the response to a list request, with the request's prefix as the only key.
pub fn list_of(line: &str) -> String {
    let prefix =
        line.split(['?', '&', ' ']).find_map(|part| part.strip_prefix("prefix=")).unwrap_or_default();
    let key = prefix.replace("%2F", "/");
    format!(
        "<?xml version=\"1.0\"?><ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated><KeyCount>1</KeyCount>\
         <Contents><Key>{key}</Key><Size>3</Size></Contents></ListBucketResult>"
    )
}

pub async fn say(client: &mut TcpStream, status: u16, body: &str) {
    let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = client.write_all(format!("{head}{body}").as_bytes()).await;
    // A connection that is closed too early is reset, and the response is lost.
    let _ = client.shutdown().await;
    let mut buffer = vec![0; 64 << 10];
    let rest = async { while client.read(&mut buffer).await.is_ok_and(|n| n > 0) {} };
    let _ = timeout(Duration::from_secs(10), rest).await;
}

pub async fn copy(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    one_by_one: bool,
) {
    let mut buffer = vec![0; if one_by_one { 1 } else { 64 << 10 }];
    while let Ok(n) = from.read(&mut buffer).await {
        if n == 0 || to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
        if one_by_one {
            sleep(Duration::from_secs(1)).await;
        }
    }
}
