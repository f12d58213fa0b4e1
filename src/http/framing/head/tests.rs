use super::*;

fn read_text(text: &str) -> Result<Option<Head>, MalformedRequest> {
    parse(&mut text.as_bytes().to_vec())
}

/// A request with these lines after `Host`.
fn framing_with(lines: &str) -> Result<Framing, MalformedRequest> {
    let head = read_text(&format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n"))?;
    Ok(head.expect("a whole head").framing)
}

#[test]
fn a_head_says_where_its_request_ends() {
    let text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let head = Head { length: text.len(), framing: Framing::Length(0) };
    assert_eq!(read_text(&format!("{text}GET")), Ok(Some(head)));
    assert_eq!(read_text(&text[..text.len() - 1]), Ok(None));
    assert_eq!(framing_with("Content-Length: 5\r\n"), Ok(Framing::Length(5)));
    assert_eq!(framing_with("content-length:  005 \r\n"), Ok(Framing::Length(5)));
    assert_eq!(framing_with("Transfer-Encoding: Chunked\r\n"), Ok(Framing::Chunked));
    let old = read_text("GET / HTTP/1.0\n\n").expect("good").expect("whole");
    assert_eq!(old.framing, Framing::Length(0));
}

#[test]
fn malformed_or_ambiguous_head_is_reported_with_its_error() {
    for (lines, error) in [
        ("Content-Length: 5\r\nContent-Length: 5\r\n", MalformedRequest::Length),
        ("Content-Length: 5, 5\r\n", MalformedRequest::Length),
        ("Content-Length: +5\r\n", MalformedRequest::Length),
        ("Content-Length: \r\n", MalformedRequest::Length),
        ("Content-Length: 99999999999999999999\r\n", MalformedRequest::Length),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", MalformedRequest::LengthAndCoding),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", MalformedRequest::Coding),
        ("Transfer-Encoding: gzip, chunked\r\n", MalformedRequest::Coding),
        ("Transfer-Encoding: identity\r\n", MalformedRequest::Coding),
        ("Transfer-Encoding : chunked\r\n", MalformedRequest::HeaderLine),
        ("Host: a\r\n", MalformedRequest::Host),
        ("Authorization: Basic abc\r\n def\r\n", MalformedRequest::FoldedHeader),
        ("Authorization: Basic abc\r\n\tdef\r\n", MalformedRequest::FoldedHeader),
        ("Authorization: Basic abc\ndef==\r\n", MalformedRequest::HeaderLine),
        ("X: a\u{1}b\r\n", MalformedRequest::HeaderValue),
        ("Upgrade: WebSocket\r\n", MalformedRequest::Upgrade),
        ("Content-Length: 5\r\nUpgrade: websocket\r\n", MalformedRequest::Upgrade),
    ] {
        assert_eq!(framing_with(lines), Err(error), "{lines:?}");
    }
    let lines = "X: y\r\n".repeat(96);
    assert_eq!(framing_with(&lines), Err(MalformedRequest::HeadTooLarge), "with Host they are 97");
    assert_eq!(read_text("GET / HTTP/1.1\r\n\r\n"), Err(MalformedRequest::Host));
    assert_eq!(read_text("GET / HTTP/2.0\r\n"), Err(MalformedRequest::RequestLine));
    assert_eq!(read_text("GET /a b HTTP/1.1\r\n"), Err(MalformedRequest::RequestLine));
    assert_eq!(read_text("GET http:// HTTP/1.1\r\nHost: a\r\n\r\n"), Err(MalformedRequest::RequestLine));
    assert_eq!(read_text("\u{16}\u{3}\u{1}"), Err(MalformedRequest::Tls));
    assert_eq!(read_text("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"), Err(MalformedRequest::Connect));
    assert_eq!(read_text("POST / HTTP/1.0\r\nHost: a\r\n\r\n"), Err(MalformedRequest::LengthMissing));
    assert_eq!(
        read_text("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
        Err(MalformedRequest::Coding)
    );
    assert_eq!(read_text(&format!("GET /{}", "a".repeat(MAX_LENGTH))), Err(MalformedRequest::HeadTooLarge));
}

#[test]
fn the_option_upgrade_is_overwritten_and_nothing_else() {
    for (lines, expected) in [
        ("Connection: Upgrade, HTTP2-Settings\r\n", "Connection: ignored, HTTP2-Settings\r\n"),
        ("connection:upgrade\r\n", "connection:ignored\r\n"),
        (
            "Connection: close ,UPGRADE\r\nConnection: upgrade\r\n",
            "Connection: close ,ignored\r\nConnection: ignored\r\n",
        ),
        ("Connection: upgrades\r\nUpgrade: h2c\r\n", "Connection: upgrades\r\nUpgrade: h2c\r\n"),
        ("X: upgrade\r\n", "X: upgrade\r\n"),
    ] {
        let head =
            |lines: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\nConnection: upgrade").into_bytes();
        let mut bytes = head(lines);
        assert!(matches!(parse(&mut bytes), Ok(Some(_))), "{lines:?}");
        assert_eq!(bytes, head(expected), "{lines:?}");
    }
}
