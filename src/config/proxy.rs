//! Finds the proxy that other programs would use for a URL, by the conventions for environment variables. Strongroom uses no
//! proxy. It warns if one is set, because there may be no other route out of the operator's network.

use super::variables::Variables;

/// Returns the variable that names a proxy for this URL; `None` if there is none, or if `NO_PROXY` exempts the host.
pub(super) fn proxy_for(env: &Variables, url: &str) -> Option<&'static str> {
    let (scheme, rest) = url.split_once("://")?;
    let names: &[&'static str] = if scheme == "https" {
        &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
    } else {
        // HTTP_PROXY in capitals is not used by convention: in a CGI program any client can set it (with a header `Proxy:`).
        &["http_proxy", "ALL_PROXY", "all_proxy"]
    };
    let is_set = |name: &&&'static str| env.text(name).is_some_and(|value| !value.trim().is_empty());
    let host = host(rest);
    let exempt =
        ["NO_PROXY", "no_proxy"].iter().filter_map(|name| env.text(name)).any(|list| exempts(list, host));
    names.iter().find(is_set).copied().filter(|_| !exempt)
}

fn host(rest: &str) -> &str {
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

/// Whether the list in `NO_PROXY` has the host, or a domain that the host belongs to.
fn exempts(list: &str, host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let entries = list.split([',', ' ']).map(|entry| entry.trim_start_matches('.').to_ascii_lowercase());
    entries.filter(|entry| !entry.is_empty()).any(|entry| {
        let above = || host.strip_suffix(&entry).is_some_and(|below| below.ends_with('.'));
        entry == "*" || entry == host || above()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An address, the variables that are set, and the one that is found.
    type Case = (&'static str, &'static [(&'static str, &'static str)], Option<&'static str>);

    #[test]
    fn a_proxy_is_found_by_the_scheme_unless_the_host_is_exempt() {
        let https = "https://login.example.net/keys";
        let cases: &[Case] = &[
            (https, &[], None),
            (https, &[("HTTPS_PROXY", "http://proxy:3128")], Some("HTTPS_PROXY")),
            (https, &[("https_proxy", "proxy")], Some("https_proxy")),
            (https, &[("ALL_PROXY", "proxy")], Some("ALL_PROXY")),
            (https, &[("HTTPS_PROXY", " ")], None),
            (https, &[("http_proxy", "proxy")], None),
            (https, &[("HTTPS_PROXY", "proxy"), ("NO_PROXY", "a, .Example.net")], None),
            (https, &[("HTTPS_PROXY", "proxy"), ("no_proxy", "login.example.net")], None),
            (https, &[("HTTPS_PROXY", "proxy"), ("NO_PROXY", "*")], None),
            (https, &[("HTTPS_PROXY", "proxy"), ("NO_PROXY", "ample.net,,other")], Some("HTTPS_PROXY")),
            ("http://[::1]:80/keys", &[("http_proxy", "proxy")], Some("http_proxy")),
            ("http://[::1]:80/keys", &[("http_proxy", "proxy"), ("NO_PROXY", "::1")], None),
            ("http://127.0.0.1:80/keys", &[("HTTPS_PROXY", "proxy"), ("HTTP_PROXY", "proxy")], None),
        ];
        for (url, vars, expected) in cases {
            let env = Variables::from_pairs(vars.iter().copied());
            assert_eq!(proxy_for(&env, url), *expected, "{url} {vars:?}");
        }
    }
}
