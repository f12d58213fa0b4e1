//! The URLs of the two APIs for a client: the configured ones, or else ones with the host that the client has named.

use std::net::SocketAddr;

use actix_web::HttpRequest;
use actix_web::http::header::HOST;

/// Where an API listens, and how clients reach it.
#[derive(Debug, Clone)]
pub struct ApiAddress {
    /// `PUBLIC_URL` or `MANAGEMENT_PUBLIC_URL`: `https://host[:port]`, without a slash at its end.
    pub public_url: Option<String>,
    /// The socket that the service listens on.
    pub listen: SocketAddr,
    /// Whether the listener speaks TLS itself.
    pub tls: bool,
}

/// The addresses of both APIs.
#[derive(Debug, Clone)]
pub struct ApiAddresses {
    pub collect: ApiAddress,
    pub management: ApiAddress,
}

/// The base URLs of both APIs as one client can use them, without a slash at their ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrls {
    pub collect: String,
    pub management: String,
}

impl ApiAddresses {
    /// The URLs for the sender of a request to the management API.
    pub fn base_urls(&self, request: &HttpRequest) -> BaseUrls {
        self.base_urls_for(request.headers().get(HOST).and_then(|host| host.to_str().ok()))
    }

    /// The URLs for this value of the `Host` header. The client chooses it, so a value that is not a host is never repeated.
    pub fn base_urls_for(&self, host: Option<&str>) -> BaseUrls {
        let requested = host.and_then(split_host);
        BaseUrls {
            collect: self.collect.url(requested.map(|(name, _)| (name, Some(self.collect.listen.port())))),
            management: self.management.url(requested),
        }
    }

    /// The base URL of signed downloads, which both listeners serve. Only `PUBLIC_URL` says that this client can reach
    /// the collect API. Without that setting the URL leads to the listener that has received the request.
    pub fn download_base_url(&self, request: &HttpRequest) -> String {
        self.collect.public_url.clone().unwrap_or_else(|| self.base_urls(request).management)
    }
}

impl ApiAddress {
    fn url(&self, requested: Option<(&str, Option<u16>)>) -> String {
        if let Some(url) = &self.public_url {
            return url.clone();
        }
        let scheme = self.scheme();
        match requested {
            Some((name, Some(port))) => format!("{scheme}://{name}:{port}"),
            Some((name, None)) => format!("{scheme}://{name}"),
            None if self.listen.ip().is_unspecified() => {
                format!("{scheme}://localhost:{}", self.listen.port())
            }
            None => format!("{scheme}://{}", self.listen),
        }
    }

    pub fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }
}

/// The name and the port, if any, of a well-formed `Host` header.
fn split_host(host: &str) -> Option<(&str, Option<u16>)> {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port.parse().ok()?)),
        _ => (host, None),
    };
    is_host(host).then_some((name, port))
}

/// Whether the text is a name or an address, with or without a port.
fn is_host(text: &str) -> bool {
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
    use super::*;

    fn addresses(collect: Option<&str>, management: Option<&str>) -> ApiAddresses {
        let api = |url: Option<&str>, listen: &str, tls| ApiAddress {
            public_url: url.map(str::to_owned),
            listen: listen.parse().unwrap(),
            tls,
        };
        ApiAddresses {
            collect: api(collect, "0.0.0.0:8081", true),
            management: api(management, "127.0.0.1:8082", false),
        }
    }

    #[test]
    fn configured_urls_win_over_the_requests_host() {
        let apis = addresses(Some("https://collect.example"), Some("https://manage.example"));
        let urls = apis.base_urls_for(Some("other.example"));
        assert_eq!(urls.collect, "https://collect.example");
        assert_eq!(urls.management, "https://manage.example");
    }

    #[test]
    fn without_configured_urls_a_valid_request_host_is_used() {
        let own = ("https://localhost:8081", "http://127.0.0.1:8082");
        let cases = [
            (Some("vault.example:9000"), ("https://vault.example:8081", "http://vault.example:9000")),
            (Some("vault.example"), ("https://vault.example:8081", "http://vault.example")),
            (Some("[::1]:8082"), ("https://[::1]:8081", "http://[::1]:8082")),
            (None, own),
            (Some(""), own),
            (Some("a b"), own),
            (Some("\"><script>"), own),
            (Some("user@vault.example"), own),
            (Some("vault.example/path"), own),
            (Some("vault.example:port"), own),
            (Some("vault.example:"), own),
            (Some("[vault.example]"), own),
            (Some("[::1]x"), own),
        ];
        for (host, (collect, management)) in cases {
            let urls = addresses(None, None).base_urls_for(host);
            assert_eq!((urls.collect.as_str(), urls.management.as_str()), (collect, management), "{host:?}");
        }
    }

    #[test]
    fn only_names_and_addresses_are_hosts() {
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
