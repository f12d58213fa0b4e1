//! The `Host` header of requests that come over loopback.
//!
//! With DNS rebinding a web page can make a browser on this machine send requests to this listener and read the responses.
//! Only the `Host` header then still shows that the page requested another name.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::HOST;
use actix_web::http::uri::Authority;

use crate::http::base_urls::ApiAddress;

/// The names of this machine: the loopback names, and the address that the API listens on.
pub fn local_names(api: &ApiAddress) -> Vec<String> {
    let name = |ip: IpAddr| if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
    if !api.listen.ip().is_unspecified() {
        names.push(name(api.listen.ip()));
    }
    names
}

/// Whether the request's host is one of the [`local_names`]. The port may be any, because the request may have come
/// through a tunnel. The public name does not count: a client that uses it comes through a proxy.
pub fn names_this_machine(request: &HttpRequest, api: &ApiAddress) -> bool {
    let names = local_names(api);
    let is_local =
        |authority: &Authority| names.iter().any(|name| name.eq_ignore_ascii_case(authority.host()));
    let lines = request.headers().get_all(HOST);
    let mut hosts = lines.map(|line| Authority::try_from(line.as_bytes()).ok()).peekable();
    // A request that is meant for a proxy has the host in its URI.
    let uri_host = request.uri().authority();
    (hosts.peek().is_some() || uri_host.is_some())
        && hosts.all(|host| host.is_some_and(|host| is_local(&host)))
        && uri_host.is_none_or(is_local)
}
