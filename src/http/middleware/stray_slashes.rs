//! Slashes that clients add to an address by mistake: at its end, and in front when a base URL that ends with one and a
//! path that begins with one are put together.
//!
//! The request is answered as without them, and never redirected: clients would follow with their secret. A double slash
//! within an address stays what it is, an address that there is not: it comes from a variable that is empty, and what
//! follows would take its place (`/api/systems/$ID/backups`).

use actix_web::dev::{ServiceRequest, Url};
use actix_web::http::Uri;
use actix_web::http::uri::PathAndQuery;

/// Makes the request one for the address that is meant.
pub fn remove_stray_slashes(request: &mut ServiceRequest) {
    if let Some(uri) = meant(request.uri()) {
        request.match_info_mut().set(Url::new(uri.clone()));
        request.head_mut().uri = uri;
    }
}

/// The address that is meant, if it is another one.
fn meant(uri: &Uri) -> Option<Uri> {
    let path = tidy(uri.path())?;
    let path_and_query = match uri.query() {
        Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
        None => PathAndQuery::try_from(path),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path_and_query.ok()?);
    Uri::from_parts(parts).ok()
}

/// The path with one slash in front and none at its end, if it is another one.
fn tidy(path: &str) -> Option<&str> {
    let inner = path.trim_start_matches('/');
    let front = path.len().checked_sub(inner.len() + 1)?;
    let tidy = &path[front..];
    let end = match tidy.strip_suffix('/') {
        Some(rest) if !rest.is_empty() && !rest.ends_with('/') => rest,
        _ => tidy,
    };
    (end.len() != path.len()).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_in_front_and_at_the_end_are_dropped_and_no_others() {
        for (sent, path) in [
            ("/api/health/", "/api/health"),
            ("//api/health", "/api/health"),
            ("///api/health/", "/api/health"),
            ("//", "/"),
            ("/api/health/?a=/b/", "/api/health?a=/b/"),
            ("//api/x%2F/?", "/api/x%2F?"),
            ("http://vault.example/api/health/", "http://vault.example/api/health"),
        ] {
            let uri = meant(&sent.parse().unwrap()).unwrap();
            assert_eq!(uri.to_string(), path, "{sent}");
        }
        for as_it_is in [
            "/",
            "*",
            "/api/health",
            "/api/systems//backups",
            "/api/systems/backups//",
            "/api/health%2F",
            "/api/health?x=//",
            "http://vault.example",
        ] {
            assert_eq!(meant(&as_it_is.parse().unwrap()), None, "{as_it_is}");
        }
    }
}
