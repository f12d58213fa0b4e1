//! Whom a request on loopback was meant for. By DNS rebinding any web page can make a browser on this machine
//! send requests to it and read the answers: only `Host` still tells that the page asked for another name.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::HOST;
use actix_web::http::uri::Authority;

use super::places::Place;

/// This machine's names, and the address that is listened on.
pub fn names(place: &Place) -> Vec<String> {
    let name = |ip: IpAddr| if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
    if !place.address.ip().is_unspecified() {
        names.push(name(place.address.ip()));
    }
    names
}

/// Whether this machine was asked for by one of these names, with any port: it may have come through a tunnel.
/// The public name is none of them: who asks for it comes through a proxy.
pub fn asked_for_here(request: &HttpRequest, place: &Place) -> bool {
    let names = names(place);
    let is_ours =
        |authority: &Authority| names.iter().any(|name| name.eq_ignore_ascii_case(authority.host()));
    let lines = request.headers().get_all(HOST);
    let mut told = lines.map(|line| Authority::try_from(line.as_bytes()).ok()).peekable();
    // HTTP/2 has it in the request's address, and so may a request to a proxy.
    let address = request.uri().authority();
    (told.peek().is_some() || address.is_some())
        && told.all(|one| one.is_some_and(|one| is_ours(&one)))
        && address.is_none_or(is_ours)
}
