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

/// Reads up to `most` bytes that are available at once; `None` if the stream waits.
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
async fn admitted_bytes_are_delivered_although_what_follows_is_discarded() {
    let (mut client, mut stream) = connection();
    let upload = upload(100_000);
    client.write_all(&[GET, &upload, GET].concat()).await.unwrap();
    assert_eq!(read(&mut stream, 200_000).await.unwrap(), GET);
    let exchange = stream.exchange();
    exchange.end();
    let mut delivered = read(&mut stream, 1000).await.unwrap();
    // The upload is answered before its body is delivered, and the response is the last one.
    exchange.close_afterwards();
    exchange.end();
    while let Some(part) = read(&mut stream, 1000).await {
        assert!(!part.is_empty(), "the end of the stream after {} bytes", delivered.len());
        delivered.extend(part);
    }
    assert!(delivered == upload, "{} of {} bytes", delivered.len(), upload.len());
    assert!(matches!(stream.tracker.position, Position::Discard) && stream.held.is_empty());
}

#[tokio::test]
async fn end_after_a_whole_request_is_delivered_when_the_response_is_encoded() {
    let (mut client, mut stream) = connection();
    let upload = upload(10);
    client.write_all(&upload).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(read(&mut stream, 1000).await.unwrap(), upload);
    assert_eq!(read(&mut stream, 1000).await, None, "its response is not encoded");
    stream.exchange().end();
    assert_eq!(read(&mut stream, 1000).await.unwrap(), b"");
}

#[tokio::test]
async fn end_inside_a_request_is_delivered_at_once() {
    let (mut client, mut stream) = connection();
    let mut upload = upload(10);
    upload.pop();
    client.write_all(&upload).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(read(&mut stream, 1000).await.unwrap(), upload);
    assert_eq!(read(&mut stream, 1000).await.unwrap(), b"");
}
