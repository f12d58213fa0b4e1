use std::future::poll_fn;

use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::http::api::Api;
use crate::telemetry::Metrics;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn connection() -> (DuplexStream, SequentialStream<DuplexStream>) {
    let (client, server) = duplex(1 << 20);
    let broken = Arc::new(MalformedRequestLog::new(Api::Collect, Metrics::new().unwrap()));
    (client, SequentialStream::new(server, [127, 0, 0, 1].into(), broken))
}

/// What is handed on at once of up to so many bytes; `None`: it waits.
async fn read(stream: &mut SequentialStream<DuplexStream>, most: usize) -> Option<Vec<u8>> {
    let mut space = vec![0; most];
    let mut buffer = ReadBuf::new(&mut space);
    let polled = poll_fn(|context| Poll::Ready(Pin::new(&mut *stream).poll_read(context, &mut buffer))).await;
    polled.is_ready().then(|| buffer.filled().to_vec())
}

fn upload(length: usize) -> Vec<u8> {
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), &vec![b'x'; length]].concat()
}

#[tokio::test]
async fn what_was_admitted_is_handed_on_when_what_follows_it_is_discarded() {
    let (mut client, mut stream) = connection();
    let upload = upload(100_000);
    client.write_all(&[GET, &upload, GET].concat()).await.unwrap();
    assert_eq!(read(&mut stream, 200_000).await.unwrap(), GET);
    let exchange = stream.exchange();
    exchange.end();
    let mut handed_on = read(&mut stream, 1000).await.unwrap();
    // The upload is answered before its body was handed on, and the answer is the last one.
    exchange.close_afterwards();
    exchange.end();
    while let Some(part) = read(&mut stream, 1000).await {
        assert!(!part.is_empty(), "the end of the stream after {} bytes", handed_on.len());
        handed_on.extend(part);
    }
    assert!(handed_on == upload, "{} of {} bytes", handed_on.len(), upload.len());
    assert!(matches!(stream.tracker.position, Position::Discard) && stream.held.is_empty());
}

#[tokio::test]
async fn the_end_behind_a_whole_request_is_handed_on_when_it_has_been_answered() {
    let (mut client, mut stream) = connection();
    let upload = upload(10);
    client.write_all(&upload).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(read(&mut stream, 1000).await.unwrap(), upload);
    assert_eq!(read(&mut stream, 1000).await, None, "its answer is awaited");
    stream.exchange().end();
    assert_eq!(read(&mut stream, 1000).await.unwrap(), b"");
}

#[tokio::test]
async fn the_end_inside_a_request_is_handed_on_at_once() {
    let (mut client, mut stream) = connection();
    let mut upload = upload(10);
    upload.pop();
    client.write_all(&upload).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(read(&mut stream, 1000).await.unwrap(), upload);
    assert_eq!(read(&mut stream, 1000).await.unwrap(), b"");
}
