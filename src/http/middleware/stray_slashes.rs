//! Removes slashes that clients add to a path by mistake: at its end, and at its start if the base URL ends with a slash
//! and the path begins with one.
//!
//! The service answers the request as if it had been sent without them. It never redirects, because clients would send their
//! secret with the redirected request. A double
//! slash inside a path is not removed, and such a path does not exist: it comes from an empty variable, and the part after
//! it would take that variable's place (`/api/systems/$ID/backups`).

use actix_web::dev::{ServiceRequest, Url};
use actix_web::http::Uri;
use actix_web::http::uri::PathAndQuery;

/// Removes the stray slashes from the path of the request.
pub fn remove_stray_slashes(request: &mut ServiceRequest) {
    if let Some(uri) = corrected(request.uri()) {
        request.match_info_mut().set(Url::new(uri.clone()));
        request.head_mut().uri = uri;
    }
}

/// The URI without stray slashes; `None` if it has none.
fn corrected(uri: &Uri) -> Option<Uri> {
    let path = corrected_path(uri.path())?;
    let path_and_query = match uri.query() {
        Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
        None => PathAndQuery::try_from(path),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path_and_query.ok()?);
    Uri::from_parts(parts).ok()
}

/// The path with one slash at its start and none at its end; `None` if it is unchanged.
fn corrected_path(path: &str) -> Option<&str> {
    let inner = path.trim_start_matches('/');
    let front = path.len().checked_sub(inner.len() + 1)?;
    let one_front = &path[front..];
    let end = match one_front.strip_suffix('/') {
        Some(rest) if !rest.is_empty() && !rest.ends_with('/') => rest,
        _ => one_front,
    };
    (end.len() != path.len()).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_at_the_start_and_the_end_are_removed_and_no_others() {
        for (sent, path) in [
            ("/api/health/", "/api/health"),
            ("//api/health", "/api/health"),
            ("///api/health/", "/api/health"),
            ("//", "/"),
            ("/api/health/?a=/b/", "/api/health?a=/b/"),
            ("//api/x%2F/?", "/api/x%2F?"),
            ("http://vault.example/api/health/", "http://vault.example/api/health"),
        ] {
            let uri = corrected(&sent.parse().unwrap()).unwrap();
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
            assert_eq!(corrected(&as_it_is.parse().unwrap()), None, "{as_it_is}");
        }
    }
}
