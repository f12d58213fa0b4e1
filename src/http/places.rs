//! Where clients reach the two listeners: as the operator says, else at the host that they asked.

use std::net::SocketAddr;

use actix_web::HttpRequest;
use actix_web::http::header::HOST;

/// How one listener is reached.
#[derive(Debug, Clone)]
pub struct Place {
    /// `https://host[:port]`, as it was set.
    pub public_url: Option<String>,
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether it speaks TLS itself.
    pub tls: bool,
}

/// Both listeners.
#[derive(Debug, Clone)]
pub struct Places {
    pub collect: Place,
    pub management: Place,
}

/// Base URLs for one reader, without a slash at their ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Urls {
    pub collect: String,
    pub management: String,
}

impl Places {
    /// As the sender of a request to the management listener would reach them.
    pub fn urls(&self, request: &HttpRequest) -> Urls {
        self.urls_for(request.headers().get(HOST).and_then(|host| host.to_str().ok()))
    }

    /// The same for this value of `Host`. It is the client's: what is no host is not repeated.
    pub fn urls_for(&self, host: Option<&str>) -> Urls {
        let asked = host.and_then(split);
        Urls {
            collect: self.collect.url(asked.map(|(name, _)| (name, Some(self.collect.address.port())))),
            management: self.management.url(asked),
        }
    }

    /// Where the sender of a request fetches what both listeners serve: without a word of the operator where it is.
    pub fn downloads(&self, request: &HttpRequest) -> String {
        self.collect.public_url.clone().unwrap_or_else(|| self.urls(request).management)
    }
}

impl Place {
    fn url(&self, asked: Option<(&str, Option<u16>)>) -> String {
        if let Some(url) = &self.public_url {
            return url.clone();
        }
        let scheme = self.scheme();
        match asked {
            Some((name, Some(port))) => format!("{scheme}://{name}:{port}"),
            Some((name, None)) => format!("{scheme}://{name}"),
            None if self.address.ip().is_unspecified() => {
                format!("{scheme}://localhost:{}", self.address.port())
            }
            None => format!("{scheme}://{}", self.address),
        }
    }

    pub fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }
}

/// A name and perhaps a port.
fn split(host: &str) -> Option<(&str, Option<u16>)> {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port.parse().ok()?)),
        _ => (host, None),
    };
    is_host(host).then_some((name, port))
}

/// A name or an address, and perhaps a port.
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

    fn places(collect: Option<&str>, management: Option<&str>) -> Places {
        let place = |url: Option<&str>, address: &str, tls| Place {
            public_url: url.map(str::to_owned),
            address: address.parse().unwrap(),
            tls,
        };
        Places {
            collect: place(collect, "0.0.0.0:8081", true),
            management: place(management, "127.0.0.1:8082", false),
        }
    }

    #[test]
    fn what_was_set_wins_over_what_was_asked() {
        let places = places(Some("https://collect.example"), Some("https://manage.example"));
        let urls = places.urls_for(Some("other.example"));
        assert_eq!(urls.collect, "https://collect.example");
        assert_eq!(urls.management, "https://manage.example");
    }

    #[test]
    fn else_it_is_the_host_that_was_asked_if_it_is_one() {
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
            let urls = places(None, None).urls_for(host);
            assert_eq!((urls.collect.as_str(), urls.management.as_str()), (collect, management), "{host:?}");
        }
    }

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
