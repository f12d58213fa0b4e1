//! The request line in the access log.

use std::borrow::Cow;

use actix_web::dev::ServiceRequest;

/// No route has a method or a path of this length in characters. Longer ones are cut: a client may send up to 64 KiB.
const MAX_METHOD: usize = 20;
const MAX_PATH: usize = 200;

/// Returns the request line without the query, which may contain a signature.
pub(super) fn request_line(request: &ServiceRequest) -> String {
    let method = cut(request.method().as_str(), MAX_METHOD);
    let path = cut(request.path(), MAX_PATH);
    format!("{method} {path} {:?}", request.version())
}

/// Returns the first `max` characters, and `...` if there are more.
fn cut(text: &str, max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}...", &text[..end]).into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_log_shows_the_beginning_of_a_long_path_and_no_query() {
        let line = |uri: &str| request_line(&TestRequest::with_uri(uri).to_srv_request());
        assert_eq!(line("/api/health?x=y"), "GET /api/health HTTP/1.1");
        let path = format!("/{}", "a".repeat(199));
        assert_eq!(line(&path), format!("GET {path} HTTP/1.1"));
        assert_eq!(line(&format!("{path}bcd")), format!("GET {path}... HTTP/1.1"));
    }
}
