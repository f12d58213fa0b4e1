//! Parses a list of web origins.

/// Parses origins, separated by commas or white space. The result is in the form in which browsers send them: in lower
/// case, and without the scheme's own port.
///
/// # Errors
/// A line about what is wrong with the list, and what to write instead.
pub fn parse(list: &str) -> Result<Vec<String>, String> {
    let entries = list.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty());
    entries.map(origin).collect()
}

fn origin(entry: &str) -> Result<String, String> {
    match entry {
        "*" => {
            return Err(
                "`*` would let any page on the internet use a token that it got hold of: name the portal's \
                        origin"
                    .to_owned(),
            );
        }
        "null" => {
            return Err(
                "`null` is the origin of local files and of sandboxed pages of anybody: name the portal's \
                        origin"
                    .to_owned(),
            );
        }
        _ => {}
    }
    let wrong = || {
        format!(
            "{entry:?} is not an origin: it has to be https://HOST or https://HOST:PORT, and nothing more"
        )
    };
    let lower = entry.to_ascii_lowercase();
    let (scheme, authority) = lower.split_once("://").ok_or_else(wrong)?;
    let own_port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return Err(wrong()),
    };
    if !lower.is_ascii() {
        return Err(format!("{entry:?} is not what a browser sends: write the host in Punycode (xn--...)"));
    }
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let authority = authority.strip_suffix(own_port).unwrap_or(authority);
    if authority.contains('*') {
        return Err(format!("{entry:?} has a `*`, and stands for no list of hosts: name each origin"));
    }
    if is_authority(authority) { Ok(format!("{scheme}://{authority}")) } else { Err(wrong()) }
}

/// Whether the text is a name or an address, with or without a port.
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|number| number.to_string() == port));
    let is_name = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    let v6 = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_v6 =
        v6.is_some_and(|v6| v6.parse::<std::net::Ipv6Addr>().is_ok_and(|address| address.to_string() == v6));
    is_port && (is_name || is_v6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_is_what_browsers_send() {
        for (list, origins) in [
            ("", &[][..]),
            ("https://portal.example.net", &["https://portal.example.net"]),
            ("https://Portal.Example.net/", &["https://portal.example.net"]),
            ("https://a.example:443,http://b.example:80", &["https://a.example", "http://b.example"]),
            (
                "https://a.example:8443 http://localhost:3000",
                &["https://a.example:8443", "http://localhost:3000"],
            ),
            ("https://[::1]:3000, https://10.0.0.1", &["https://[::1]:3000", "https://10.0.0.1"]),
        ] {
            assert_eq!(
                parse(list).as_deref(),
                Ok(&origins.iter().map(|o| (*o).to_owned()).collect::<Vec<_>>()[..])
            );
        }
    }

    #[test]
    fn list_that_no_browser_sends_is_refused_in_one_line() {
        for list in [
            "*",
            "null",
            "https://*.example.net",
            "portal.example.net",
            "https://",
            "https://portal.example.net/app",
            "https://user@portal.example.net",
            "https://portal.example.net?x",
            "https://portal.example.net:",
            "https://portal.example.net:port",
            "https://portal.example.net:0443",
            "https://portal.example.net:99999",
            "https://[::1",
            "https://[0:0::1]",
            "https://b\u{fc}ro.example",
            "file:///srv/portal",
            "chrome-extension://abc",
            "https://portal.example.net;https://other.example.net",
            "https://portal.example.net,*",
        ] {
            let problem = parse(list).unwrap_err();
            assert_eq!(problem.lines().count(), 1, "{list:?}: {problem}");
            assert!(!problem.contains("  "), "{problem}");
        }
    }
}
