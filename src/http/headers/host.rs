//! Whether a request that came over loopback was meant for this machine. By DNS rebinding any web page can make a
//! browser on this machine send requests to our listener and read the answers; then only the `Host` header still
//! shows that the page asked for another name.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::HOST;
use actix_web::http::uri::Authority;

use crate::http::base_urls::ApiAddress;

/// The names that mean this machine: those of loopback, and the address that the API listens on.
pub fn names(api: &ApiAddress) -> Vec<String> {
    let name = |ip: IpAddr| if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
    if !api.listen.ip().is_unspecified() {
        names.push(name(api.listen.ip()));
    }
    names
}

/// Whether the request names this machine by one of its own [`names`]. Any port will do, because the request may
/// have come through a tunnel. The public name does not count: whoever asks for it comes through a proxy.
pub fn asked_for_here(request: &HttpRequest, api: &ApiAddress) -> bool {
    let names = names(api);
    let is_ours =
        |authority: &Authority| names.iter().any(|name| name.eq_ignore_ascii_case(authority.host()));
    let lines = request.headers().get_all(HOST);
    let mut told = lines.map(|line| Authority::try_from(line.as_bytes()).ok()).peekable();
    // HTTP/2 has the host in the request's URI, and so may a request that is sent to a proxy.
    let address = request.uri().authority();
    (told.peek().is_some() || address.is_some())
        && told.all(|one| one.is_some_and(|one| is_ours(&one)))
        && address.is_none_or(is_ours)
}
