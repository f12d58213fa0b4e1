//! How clients reach this service, for addresses that they are given.

use std::net::SocketAddr;

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderValue};

/// `https://host[:port]`: what is set, else what the request was sent to. A client can claim any host; what can't be
/// one is not repeated, and the listener's own address is taken.
pub fn of(request: &HttpRequest, public_url: Option<&str>) -> String {
    if let Some(url) = public_url {
        return url.to_owned();
    }
    let config = request.app_config();
    let scheme = if config.secure() { "https" } else { "http" };
    let mut lines = request.headers().get_all(HOST).filter_map(|line| HeaderValue::to_str(line).ok());
    let host = lines.next().filter(|host| is_host(host));
    host.map_or_else(|| own(scheme, config.local_addr()), |host| format!("{scheme}://{host}"))
}

fn own(scheme: &str, address: SocketAddr) -> String {
    format!("{scheme}://{address}")
}

/// A name or an address, and perhaps a port.
pub fn is_host(text: &str) -> bool {
    let (name, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => ("v6", port),
        Some(_) => return false,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    let is_name = (1..=253).contains(&name.len()) && name.bytes().all(allowed);
    is_name && (port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok()))
}

#[cfg(test)]
mod tests {
    use super::is_host;

    #[test]
    fn only_what_can_be_a_host_is_repeated() {
        for good in
            ["example.org", "example.org:8443", "127.0.0.1:8082", "[::1]", "[2001:db8::1]:443", "a_b-c"]
        {
            assert!(is_host(good), "{good}");
        }
        let long = "a".repeat(254);
        for bad in [
            "", ":80", "a b", "a/b", "a@b", "a?b", "a#b", "a\"b", "a<b>", "a:b", "a:80:80", "a:99999",
            "[::1", "[x]", "[::1]x", "::1", "a%2fb", &long,
        ] {
            assert!(!is_host(bad), "{bad}");
        }
    }
}
